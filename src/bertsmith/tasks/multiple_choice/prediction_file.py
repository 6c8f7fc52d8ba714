"""Prediction files of multiple-choice, as `bertsmith evaluate --predictions` writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bertsmith.errors import DataError
from bertsmith.tasks.files.prediction_lines import aligned_lines, short_text
from bertsmith.tasks.multiple_choice.choice_file import ChoiceQuestion

_EXPECTED = "JSON lines with 'prompt' and 'index', as bertsmith evaluate --predictions writes them"


def read_indices(path: Path, questions: Sequence[ChoiceQuestion], labels_path: Path) -> list[int]:
    """Read the predicted index of each question of a multiple-choice file, line by line.

    Raises DataError, with the line, for a line that is not a prediction or belongs to a different question, and if
    lines are missing.
    """
    found: list[int] = []
    prompts = [question.prompt for question in questions]
    for where, record in aligned_lines(path, "prompt", prompts, labels_path=labels_path, expected=_EXPECTED):
        index, choices = record.get("index"), questions[len(found)].choices
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(choices):
            raise DataError(
                f"{where}: 'index': found {index!r}, expected a whole number from 0 to {len(choices) - 1}: {_EXPECTED}"
            )
        if record.get("choice", choices[index]) != choices[index]:
            raise DataError(
                f"{where}: found the choice {short_text(record['choice'])}, expected {short_text(choices[index])}, "
                f"which has index {index} in {labels_path}"
            )
        found.append(index)
    return found
