"""Options of `score`: a file of what is true and a file of predictions to figures."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from bertsmith.config.options import external_name
from bertsmith.tasks.files.options import LabelledFileOptions
from bertsmith.tasks.registry import known_task, trainable_tasks

_LABELLED = ("sequence-classification", "token-classification", "multiple-choice")
_TASKS_OF = {
    "text_column": _LABELLED,
    "label_column": _LABELLED,
    "choice_columns": ("multiple-choice",),
    "labels_from": ("multiple-choice",),
    "no_header": ("sequence-classification", "multiple-choice"),
    "labels_are": ("token-classification",),
    "label_names": ("token-classification",),
    "separator": ("sequence-classification", "multiple-choice", "question-answering"),
    "skip_broken_rows": ("sequence-classification", "multiple-choice", "question-answering"),
    "scheme": ("token-classification",),
    "strict": ("token-classification",),
    "no_answer_probabilities": ("question-answering",),
    "no_answer_threshold": ("question-answering",),
}


class ScoreOptions(LabelledFileOptions):
    """Score predictions that are in a file."""

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
        for name, tasks in _TASKS_OF.items():
            if getattr(self, name) != type(self).model_fields[name].default and self.task not in tasks:
                raise ValueError(f"--{external_name(name)} belongs to {' and '.join(tasks)}, found {self.task}")
        if self.no_answer_threshold is not None and self.no_answer_probabilities is None:
            raise ValueError("--no-answer-threshold needs the probabilities: give --no-answer-probabilities FILE")
        return self
