"""Tokens per row of a fine-tuned head: predictions read the length that the head was trained and measured with.

    --max-length                    if it is given, in every verb
    input_length in config.json     stored by `finetune`
    run.json of the RUN             for RUNs of versions that did not store it
    what the model takes            for models that were fine-tuned elsewhere; for question answering windows of 384

`classify` and `evaluate` once used different lengths, and gave 16 of 60 long texts different labels.
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
"""The least tokens of a row: special tokens, and something between them."""


def check_length(length: int, config: Any) -> int:
    """A length that is asked for. Raises OptionError if the model has no such row."""
    limit = max_tokens(config)
    if not SHORTEST <= length <= limit:
        raise OptionError(f"--max-length {length}: the model has {limit} positions; give {SHORTEST} to {limit}")
    return length


def input_length(model: str, config: Any, task: str, *, requested: int | None = None) -> tuple[int, str]:
    """Tokens per row of a MODEL's head, and the reason; `asked` is --max-length.

    Raises OptionError for a length that the model does not take, ModelError for one in config.json.
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
                f"{limit}, the positions of the model"
            )
        return stored, "as it was fine-tuned"
    recorded = _recorded(Path(model), task)
    if recorded is not None:
        return min(recorded, limit), "as its run.json says"
    usual = TASKS[task].max_length
    if usual != TaskEntry.max_length:
        return min(usual, limit), f"the default of {task}; the model does not say how it was fine-tuned"
    return limit, "all that the model takes; it does not say how it was fine-tuned"


def _recorded(folder: Path, task: str) -> int | None:
    """The length in the run.json of a RUN of this task, or of one that the folder is a seed of."""
    record = run_of_model(folder.parent.parent if folder.parent.name == "seeds" else folder)
    if not isinstance(record, FinetuningRecord) or record.task != task:
        return None
    reported = None if record.data.report is None else record.data.report.max_length
    return int(reported or record.options.get("max_length") or TASKS[task].max_length)
