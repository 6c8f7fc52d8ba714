"""The role of a labelled file in the fine-tuning of a MODEL: whether the MODEL was trained or selected on it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from bertsmith.records.any_run import run_of_model
from bertsmith.records.finetuning import FinetuningRecord

ROLE_NOTES: dict[str, tuple[str, Literal["info", "warning", "good"]]] = {
    "train": ("The MODEL was trained on this file: the metrics say nothing about new texts.", "warning"),
    "unlabelled": (
        "The MODEL learned the texts of this file from its teacher, without their labels: the metrics say little about "
        "new texts.",
        "warning",
    ),
    "dev": (
        "The checkpoint of the MODEL was selected on this file, its dev file: the metrics are slightly too good.",
        "info",
    ),
    "test": ("This is the test file of the MODEL: it was used neither for training nor for selection.", "good"),
    "none": (
        "This file was not used in the fine-tuning of the MODEL, judging by checksums (datasets: by name); individual "
        "texts may still overlap.",
        "info",
    ),
    "unknown": (
        "It is unknown whether the MODEL was trained or selected on this file: it has no run.json.",
        "info",
    ),
}
"""The roles of a file: a sentence about its metrics, and the tone of the note."""


def dataset_role(model: str, name: str, sha256: str | None) -> str:
    """Return the role of a file, a key of ROLE_NOTES. Datasets have no checksum and are compared by name."""
    folder = Path(model)
    run = folder.parent.parent if folder.parent.name == "seeds" else folder
    record = run_of_model(run)
    if not isinstance(record, FinetuningRecord):
        return "unknown"
    for file in record.data.files:
        if (sha256 is not None and file.sha256 == sha256) or (sha256 is None and file.name == name):
            return file.part
    return "none"
