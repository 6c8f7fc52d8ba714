"""A language model beside the unigram baseline: what a loss below it proves, and what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

SHOWN = 0.1
"""The share of predictions whose token the input shows (Devlin et al. 2019, appendix A.1): a model that copies it, and
knows of all others only how frequent tokens are, has so much of the baseline less."""

AT_MASK_ALONE = "bertsmith evaluate RUN STORE --details"
"""The command that gives the figures at [MASK] alone."""


def beside_unigram(figures: Mapping[str, Any]) -> tuple[str, Literal["info", "warning", "good"]] | None:
    """A sentence on the loss beside the baseline, and how good that is; None where one of them was not measured.

    Where the figures have no `breakdown`, the command that gives those at [MASK] alone is in it.
    """
    nats, unigram = figures["mlm_nats_per_masked_token"], figures["unigram_nats_per_token"]
    if nats is None or unigram is None:
        return None
    if nats >= unigram:
        return f"The loss of {nats:.2f} nats does not pass the unigram baseline of {unigram:.2f}.", "warning"
    beats = f"The model beats the unigram baseline by {unigram - nats:.2f} nats a predicted token"
    at_mask = f"; for figures at [MASK] alone: {AT_MASK_ALONE}" if figures.get("breakdown") is None else "."
    if unigram - nats <= SHOWN * unigram:
        return (
            f"{beats}. That much is reached by copying alone, as a tenth of the predicted tokens stands in the input: "
            f"it does not show that anything was learnt at [MASK]{at_mask}",
            "info",
        )
    return f"{beats}, of which a tenth stands in the input{at_mask}", "good"
