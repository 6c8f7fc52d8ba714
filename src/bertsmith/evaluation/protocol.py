"""What a labelled file was for a fine-tuned model: whether it was trained or chosen on it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from bertsmith.records.any_run import run_of_model
from bertsmith.records.finetuning import FinetuningRecord

ROLE_NOTES: dict[str, tuple[str, Literal["info", "warning", "good"]]] = {
    "train": ("It is the file that the MODEL was trained on: its figures say nothing of new texts.", "warning"),
    "unlabelled": (
        "It is the file whose texts the MODEL learnt from its teacher, without their labels: its figures say little of "
        "new texts.",
        "warning",
    ),
    "dev": (
        "It is the dev file of the MODEL's fine-tuning, on which its checkpoint was chosen: its figures are a little "
        "too good.",
        "info",
    ),
    "test": ("It is the test file of the MODEL's fine-tuning: nothing was trained or chosen on it.", "good"),
    "none": (
        "It is none of the files of the MODEL's fine-tuning, by their checksums (data sets by name); single texts may "
        "stand in both.",
        "info",
    ),
    "unknown": ("Whether the MODEL was trained or chosen on it is not known: there is no run.json.", "info"),
}
"""The parts that a file can be of, in a sentence, and how good that is for its figures."""


def part_of(model: str, name: str, sha256: str | None) -> str:
    """Which part of a MODEL's fine-tuning a file was, as a key of SAID; a data set, without checksum, by its name."""
    folder = Path(model)
    run = folder.parent.parent if folder.parent.name == "seeds" else folder
    record = run_of_model(run)
    if not isinstance(record, FinetuningRecord):
        return "unknown"
    for file in record.data.files:
        if (sha256 is not None and file.sha256 == sha256) or (sha256 is None and file.name == name):
            return file.part
    return "none"
