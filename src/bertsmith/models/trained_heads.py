"""Which heads of a BERT were trained: the weights hold both heads, but only run.json says which were trained.

A head that was never trained predicts at random, so it counts as missing. A head that came with the MODEL of `--from`
and was not trained further, although its encoder was, still predicts: its users get a warning.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bertsmith.records.any_run import run_of_model
from bertsmith.records.pretraining import PretrainingRecord

Head = Literal["mlm", "nsp"]

TRAINED: dict[str, tuple[Head, ...]] = {
    "mlm+nsp": ("mlm", "nsp"),
    "mlm": ("mlm",),
    "nsp": ("nsp",),
    "mlm+sop": ("mlm", "nsp"),
}
"""The heads that each objective of `pretrain` trains."""


@dataclass(frozen=True)
class TrainedHeads:
    """The state of the heads of a model, from its run.json; empty without one.

    Attributes:
        untrained: heads with random weights.
        doubts: for trained heads, why their predictions are unreliable.
    """

    untrained: tuple[Head, ...] = ()
    doubts: dict[str, str] = field(default_factory=dict)


def untrained_heads(objective: str, had: tuple[Head, ...] = ()) -> tuple[Head, ...]:
    """Return the heads with random weights after a pre-training; `had` are the trained heads before."""
    heads: tuple[Head, ...] = ("mlm", "nsp")
    return tuple(head for head in heads if head not in (*TRAINED[objective], *had))


def read_trained_heads(model: str) -> TrainedHeads:
    """Read the state of the heads of a MODEL, a RUN or one of its checkpoints; unknown for other models."""
    folder = Path(model)
    run = folder.parent.parent if folder.parent.name == "checkpoints" else folder
    record = run_of_model(run)
    if not isinstance(record, PretrainingRecord) or record.options.get("objective") not in list(TRAINED):
        return TrainedHeads()
    objective = record.options["objective"]
    # Older versions did not record it, but a model from scratch has no other trained head.
    from_scratch = record.options.get("from") is None
    untrained = record.untrained_heads
    if untrained is None:
        untrained = list(untrained_heads(objective) if from_scratch else ())
    doubts: dict[str, str] = {
        head: f"its {head.upper()} head was not trained in this RUN (--objective {objective}), although the layers "
        "below it were: do not rely on its predictions"
        for head in untrained_heads(objective)
        if head not in untrained
    }
    if objective == "mlm+sop":
        doubts["nsp"] = (
            "its NSP head was trained to predict the order of neighbouring segments (--objective mlm+sop), not "
            "whether B follows A: do not rely on its predictions for other pairs"
        )
    return TrainedHeads(tuple(untrained), doubts)
