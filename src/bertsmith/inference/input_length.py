"""Tokens per row of a fine-tuned head: by default the length with which the head was trained and measured.

The first available source is used:

    --max-length                    in every verb
    input_length in config.json     stored by `finetune`
    run.json of the RUN             for RUNs of versions that did not store `input_length`
    the model's maximum             for models fine-tuned elsewhere (question answering: windows of 384)

The length matters: when `classify` and `evaluate` used different lengths, 16 of 60 long texts got different labels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bertsmith.errors import ModelError, OptionError
from bertsmith.models.loading import max_tokens
from bertsmith.records.any_run import run_of_model
from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.tasks.model_config import INPUT_LENGTH
from bertsmith.tasks.registry import TASKS, TaskEntry

SHORTEST = 8
"""Minimum tokens per row: special tokens and some text."""


def check_length(length: int, config: Any) -> int:
    """Return a requested length. Raises OptionError if the model does not allow it."""
    limit = max_tokens(config)
    if not SHORTEST <= length <= limit:
        raise OptionError(
            f"--max-length: found {length}, expected {SHORTEST} to {limit}, the number of positions of the model"
        )
    return length


def input_length(model: str, config: Any, task: str, *, requested: int | None = None) -> tuple[int, str]:
    """Return the tokens per row of a MODEL's head, and the reason; `requested` is --max-length.

    Raises OptionError for a length that the model does not allow, ModelError for an invalid length in config.json.
    """
    if requested is not None:
        return check_length(requested, config), "--max-length"
    limit = max_tokens(config)
    stored = getattr(config, INPUT_LENGTH, None)
    if stored is not None:
        whole = isinstance(stored, int) and not isinstance(stored, bool)
        if not whole or not SHORTEST <= stored <= limit:
            raise ModelError(
                f"{model}: {INPUT_LENGTH} in its config.json is {stored!r}, expected a whole number from {SHORTEST} to "
                f"{limit}, the number of positions of the model"
            )
        return stored, "as in fine-tuning"
    recorded = _recorded(Path(model), task)
    if recorded is not None:
        return min(recorded, limit), "from its run.json"
    default = TASKS[task].max_length
    if default != TaskEntry.max_length:
        return min(default, limit), f"the default of {task}; the model has no record of its fine-tuning length"
    return limit, "the model's maximum; it has no record of its fine-tuning length"


def _recorded(folder: Path, task: str) -> int | None:
    """Return the length in the run.json of a RUN of this task; the folder may be a seed of the RUN."""
    record = run_of_model(folder.parent.parent if folder.parent.name == "seeds" else folder)
    if not isinstance(record, FinetuningRecord) or record.task != task:
        return None
    reported = None if record.data.report is None else record.data.report.max_length
    return int(reported or record.options.get("max_length") or TASKS[task].max_length)
