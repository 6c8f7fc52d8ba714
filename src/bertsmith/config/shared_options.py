"""Options of several verbs: the same idea in the same words."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

MODEL = "MODEL to use: RUN, model folder or hub name"
OVERWRITE = "replace the folder at --out, if bertsmith wrote it"
SAVE_EVERY = "updates between checkpoints (default: ten per run, at least a minute apart)"
WORKERS = "processes that read and clean (default: one per core)"

Precision = Annotated[
    Literal["auto", "bf16", "fp32"],
    Field(description="number format of matrix products; auto: bf16 if the hardware supports it"),
]
MaxLength = Annotated[
    int | None,
    Field(ge=8, description="tokens per row, special tokens included (default: as the MODEL was fine-tuned)"),
]
"""For verbs that use a fine-tuned head."""


def check_overwrite_or_resume(*, overwrite: bool, resume: bool) -> None:
    """Raise ValueError if both are given."""
    if overwrite and resume:
        raise ValueError(
            "found --overwrite and --resume, expected one of them: --overwrite starts over, --resume continues"
        )
