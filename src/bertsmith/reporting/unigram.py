"""A language model compared with the unigram baseline: what a loss below it proves, and what it does not."""

from __future__ import annotations

from typing import Literal

from bertsmith.records.language_model_figures import LanguageModelFigures

COPYABLE_SHARE = 0.1
"""The share of predictions whose token the input shows (Devlin et al. 2019, appendix A.1): a model that copies it, and
knows of all others only how frequent tokens are, is below the baseline by this share of it."""

AT_MASK_COMMAND = "bertsmith evaluate RUN STORE --details"
"""The command that gives the figures at [MASK] only."""


def compared_with_unigram(
    figures: LanguageModelFigures, *, detailed: bool = False
) -> tuple[str, Literal["info", "warning", "good"]] | None:
    """A sentence that compares the loss with the baseline, and how good that is; None if one of them is missing.

    Unless the figures are `detailed`, it has the command that gives those at [MASK] only.
    """
    nats, unigram = figures.mlm_nats_per_masked_token, figures.unigram_nats_per_token
    if nats is None or unigram is None:
        return None
    if nats >= unigram:
        return f"The loss of {nats:.2f} nats does not pass the unigram baseline of {unigram:.2f}.", "warning"
    beats = f"The model beats the unigram baseline by {unigram - nats:.2f} nats a predicted token"
    at_mask = "." if detailed else f"; for figures at [MASK] alone: {AT_MASK_COMMAND}"
    if unigram - nats <= COPYABLE_SHARE * unigram:
        return (
            f"{beats}. That much is reached by copying alone, as a tenth of the predicted tokens stands in the input: "
            f"it does not show that anything was learnt at [MASK]{at_mask}",
            "info",
        )
    return f"{beats}, of which a tenth stands in the input{at_mask}", "good"
