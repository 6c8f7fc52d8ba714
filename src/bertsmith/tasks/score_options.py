"""Options of `score`, which compares a prediction file with a labelled file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from bertsmith.config.option_names import external_name
from bertsmith.tasks.files.options import LabelledFileOptions
from bertsmith.tasks.registry import TASKS, known_task, trainable_tasks


@dataclass(frozen=True)
class FileScoring:
    """How a task scores predictions: SCORE in the `score.py` of its folder.

    Attributes:
        score: the function from the options to `Scores`.
        options: the task-specific options that it uses.
    """

    score: Callable[[ScoreOptions], Any]
    options: frozenset[str]


def scoring_of(task: str) -> FileScoring:
    """Return how a task scores predictions."""
    found: FileScoring = TASKS[task].module("score").SCORE
    return found


class ScoreOptions(LabelledFileOptions):
    """Score a file of predictions."""

    positional: ClassVar[tuple[str, ...]] = ("task", "gold", "predictions")

    task: str = Field(description=f"the task: {', '.join(trainable_tasks())}")
    gold: Path = Field(description="what is true: SQuAD JSON, CoNLL columns, or a labelled file")
    predictions: Path = Field(
        description="the predictions, UTF-8: JSON of id to text, CoNLL columns, or what evaluate --predictions writes"
    )
    scheme: Literal["BIO", "BIOES", "IOB1"] | None = Field(
        None, description="the scheme of the tags (default: recognised from GOLD)"
    )
    strict: bool = Field(
        False, description="an entity counts only where its tags follow the scheme (default: as conlleval reads them)"
    )
    no_answer_probabilities: Path | None = Field(
        None, description="JSON of id to the probability that a question has no answer (SQuAD 2.0)"
    )
    no_answer_threshold: float | None = Field(
        None, description="a question whose probability is above this is left unanswered (default: 1)"
    )

    @field_validator("task")
    @classmethod
    def _known_task(cls, value: str) -> str:
        return known_task(value)

    @model_validator(mode="after")
    def _consistent(self) -> ScoreOptions:
        used = {task: scoring_of(task).options for task in trainable_tasks()}
        for name, field in type(self).model_fields.items():
            tasks = [task for task, options in used.items() if name in options]
            if tasks and self.task not in tasks and getattr(self, name) != field.default:
                raise ValueError(f"--{external_name(name)} belongs to {' and '.join(tasks)}, found {self.task}")
        if self.no_answer_threshold is not None and self.no_answer_probabilities is None:
            raise ValueError("--no-answer-threshold needs probabilities. Try: --no-answer-probabilities FILE")
        return self
