"""Which of a BERT's heads were trained: its file holds both, and only the run.json of a RUN says what it trained.

A head that nobody trained answers with random numbers, so it counts as missing. One that came with the MODEL of
`--from` and was left as it is, while the encoder below it went on, still answers: whoever asks it is told.
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
    """What a run.json says of the heads of a model; nothing where there is none.

    Attributes:
        untrained: heads that hold random numbers.
        doubts: of heads that were trained, why their answers are not to be relied on.
    """

    untrained: tuple[Head, ...] = ()
    doubts: dict[str, str] = field(default_factory=dict)


def untrained_heads(objective: str, had: tuple[Head, ...] = ()) -> tuple[Head, ...]:
    """The heads that hold random numbers after a pre-training of a model that `had` these."""
    heads: tuple[Head, ...] = ("mlm", "nsp")
    return tuple(head for head in heads if head not in (*TRAINED[objective], *had))


def read_trained_heads(model: str) -> TrainedHeads:
    """What is known of the heads of a MODEL: a RUN, a checkpoint in one, or another model, of which nothing is."""
    folder = Path(model)
    run = folder.parent.parent if folder.parent.name == "checkpoints" else folder
    record = run_of_model(run)
    if not isinstance(record, PretrainingRecord) or record.options.get("objective") not in list(TRAINED):
        return TrainedHeads()
    objective = record.options["objective"]
    # The run.json of an earlier version does not say it, but nobody trained the other head of a model from scratch.
    from_scratch = record.options.get("from") is None
    untrained = record.untrained_heads
    if untrained is None:
        untrained = list(untrained_heads(objective) if from_scratch else ())
    doubts: dict[str, str] = {
        head: f"its {head.upper()} head was not trained in this RUN (--objective {objective}), though the layers below "
        "it were: do not rely on its answers"
        for head in untrained_heads(objective)
        if head not in untrained
    }
    if objective == "mlm+sop":
        doubts["nsp"] = (
            "its NSP head was trained to tell the order of neighbouring segments (--objective mlm+sop), not whether B "
            "is the next one: do not rely on its answers for other pairs"
        )
    return TrainedHeads(tuple(untrained), doubts)
