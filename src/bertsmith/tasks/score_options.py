"""Options of `score`: a file of labels and a file of predictions to figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from bertsmith.config import help_groups, tutorial_names
from bertsmith.config.option_names import external_name
from bertsmith.tasks.files.options import LabelledFileOptions
from bertsmith.tasks.registry import TASKS, known_task, trainable_tasks


@dataclass(frozen=True)
class FileScoring:
    """How a task scores a file of predictions: SCORE in the `score.py` of its folder.

    Attributes:
        score: the function from the options to the `Scores`.
        options: the task-specific options that it uses.
    """

    score: Callable[[ScoreOptions], Any]
    options: frozenset[str]


def scoring_of(task: str) -> FileScoring:
    """Return how a task scores a file of predictions."""
    found: FileScoring = TASKS[task].module("score").SCORE
    return found


class ScoreOptions(LabelledFileOptions):
    """Score the predictions in a file."""

    positional: ClassVar[tuple[str, ...]] = ("task", "labels", "predictions")
    names_in_other_tools: ClassVar[Mapping[str, str]] = tutorial_names.SCORE
    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {
        help_groups.INPUT_OUTPUT: ("task", "labels", "predictions"),
        help_groups.EVALUATION: ("scheme", "strict", "no_answer_probabilities", "no_answer_threshold"),
    }

    task: str = Field(description=f"task of the predictions: {', '.join(trainable_tasks())}")
    labels: Path = Field(description="file of correct labels or answers: SQuAD JSON, CoNLL columns, or labelled rows")
    predictions: Path = Field(
        description="file of predictions in UTF-8: JSON of id to text, CoNLL columns, or as written by "
        "`evaluate --predictions`"
    )
    scheme: Literal["BIO", "BIOES", "IOB1"] | None = Field(
        None, description="scheme of entity tags (token-classification; default: detected in LABELS)"
    )
    strict: bool = Field(
        False,
        description="count an entity only if its tags follow the scheme (token-classification; default: lenient, as "
        "conlleval)",
    )
    no_answer_probabilities: Path | None = Field(
        None,
        description="JSON file of question id to probability of no answer (question-answering, SQuAD 2.0)",
    )
    no_answer_threshold: float | None = Field(
        None,
        description="count a question as unanswered if its probability of no answer is higher (needs "
        "--no-answer-probabilities; default: 1)",
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
                raise ValueError(f"--{external_name(name)} is only for {' and '.join(tasks)}, found {self.task}")
        if self.no_answer_threshold is not None and self.no_answer_probabilities is None:
            raise ValueError("--no-answer-threshold needs --no-answer-probabilities FILE, which is missing")
        return self
