"""A language model compared with the unigram baseline: what a lower loss proves, and what it does not."""

from __future__ import annotations

from typing import Literal

from bertsmith.records.language_model_figures import LanguageModelFigures

COPYABLE_SHARE = 0.1
"""The share of predictions whose token is visible in the input (Devlin et al. 2019, appendix A.1). A model that copies
these tokens and otherwise knows only frequencies has a loss below the baseline by this share."""

AT_MASK_COMMAND = "bertsmith evaluate RUN STORE --details"
"""The command that measures the loss at [MASK] only."""


def compared_with_unigram(
    figures: LanguageModelFigures, *, detailed: bool = False
) -> tuple[str, Literal["info", "warning", "good"]] | None:
    """Return a sentence that compares the loss with the baseline, and its tone; None if one of them is missing.

    The sentence names the command for the loss at [MASK] only, unless the page has it already (`detailed`).
    """
    nats, unigram = figures.mlm_nats_per_masked_token, figures.unigram_nats_per_token
    if nats is None or unigram is None:
        return None
    if nats >= unigram:
        return f"The loss of {nats:.2f} nats is no better than the unigram baseline of {unigram:.2f}.", "warning"
    beats = f"The model beats the unigram baseline by {unigram - nats:.2f} nats per predicted token"
    at_mask = "" if detailed else f" To measure the loss at [MASK] only: {AT_MASK_COMMAND}"
    if unigram - nats <= COPYABLE_SHARE * unigram:
        return (
            f"{beats}. Copying alone reaches this, because a tenth of the predicted tokens is visible in the input: "
            f"the result does not show that the model learned anything at [MASK].{at_mask}",
            "info",
        )
    return f"{beats}. A tenth of these tokens is visible in the input.{at_mask}", "good"
