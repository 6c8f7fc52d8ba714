"""score: the metrics of predicted answers, as the official SQuAD scripts compute them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bertsmith.errors import DataError, OptionError
from bertsmith.metrics import squad
from bertsmith.metrics.resampling import intervals
from bertsmith.reporting.numbers import counted, format_metric
from bertsmith.runtime.console import warn
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.question_answering import squad_file
from bertsmith.tasks.score_options import FileScoring, ScoreOptions
from bertsmith.tasks.scoring import Scores

PERCENT = 100.0
ALWAYS_ANSWERS = 1.0
"""The default threshold of the SQuAD 2.0 script."""


@dataclass(frozen=True)
class AnswerScores(Scores):
    """question-answering: `exact_match` and `f1`, from 0 to 100, over all questions (intervals over the questions).

    Attributes:
        total: number of questions.
        missing: number of questions without a prediction; they count as wrong.
        unknown: number of predictions whose id is not the id of a question; they are ignored.
        has_answer_total, no_answer_total: number of questions with and without an answer.
        best_exact_match, best_f1: the metrics at the threshold that is best on these questions; None without
            probabilities. The thresholds follow.
    """

    total: int
    missing: int
    unknown: int
    has_answer_total: int
    no_answer_total: int
    best_exact_match: float | None = None
    best_exact_match_threshold: float | None = None
    best_f1: float | None = None
    best_f1_threshold: float | None = None

    @property
    def headline(self) -> str:
        """The number of questions and of missing predictions."""
        return f"{counted(self.total, 'question')}, {self.missing:,} without a prediction"

    @property
    def notes(self) -> list[str]:
        """The metrics at the best thresholds."""
        best = (
            ("exact_match", self.best_exact_match, self.best_exact_match_threshold),
            ("f1", self.best_f1, self.best_f1_threshold),
        )
        return [
            f"  best {name} {format_metric(name, figure, PERCENT)} at a threshold of {threshold:g}, "
            "chosen on the same questions"
            for name, figure, threshold in best
            if figure is not None
        ]


def score(options: ScoreOptions) -> AnswerScores:
    """Return `exact_match` and `f1`, at a threshold if probabilities of no answer are given."""
    questions = squad_file.read_squad_questions(options.labels, Columns.of(options))
    predictions = squad_file.read_answer_predictions(options.predictions)
    ids = {question.id for question in questions}
    unknown = len(predictions.keys() - ids)
    if unknown == len(predictions):
        raise DataError(
            f"{options.predictions}: none of its {unknown} ids is the id of a question in {options.labels}; "
            "expected predictions for that file"
        )
    scores = squad.question_scores(questions, predictions)
    missing = int(np.sum(~scores.predicted))
    if missing:
        warn(
            f"{options.predictions}: {missing:,} of {len(questions):,} questions have no prediction and count as wrong"
        )
    if unknown:
        warn(f"{options.predictions}: {unknown:,} ids are not in {options.labels} and are ignored")
    best: dict[str, float] = {}
    if options.no_answer_probabilities is not None:
        if scores.has_answer.all():
            raise OptionError(f"--no-answer-probabilities: every question of {options.labels} has an answer")
        probabilities = _probabilities(options, questions, scores)
        for name, values in (("exact_match", scores.exact), ("f1", scores.f1)):
            figure, threshold = squad.best_threshold(values, scores, probabilities)
            best |= {f"best_{name}": figure, f"best_{name}_threshold": threshold}
        threshold = ALWAYS_ANSWERS if options.no_answer_threshold is None else options.no_answer_threshold
        scores = squad.at_threshold(scores, probabilities, threshold)
    answerable = int(np.sum(scores.has_answer))
    return AnswerScores(
        intervals(squad.measure(scores)),
        len(questions),
        missing,
        unknown,
        answerable,
        len(questions) - answerable,
        **best,
    )


def _probabilities(
    options: ScoreOptions, questions: list[squad_file.SquadQuestion], scores: squad.QuestionScores
) -> npt.NDArray[np.float64]:
    """Return the probability of no answer: float64 of [questions]; 0 for questions without a prediction."""
    assert options.no_answer_probabilities is not None
    by_id = squad_file.read_probabilities(options.no_answer_probabilities)
    lacking = [
        question.id
        for question, predicted in zip(questions, scores.predicted, strict=True)
        if predicted and question.id not in by_id
    ]
    if lacking:
        raise DataError(
            f"{options.no_answer_probabilities}: no probability for {len(lacking)} questions with a prediction, first "
            f"{lacking[0]!r}; expected one per question"
        )
    return np.array([by_id.get(question.id, 0.0) for question in questions], dtype=np.float64)


SCORE = FileScoring(
    score, frozenset({"separator", "skip_broken_rows", "no_answer_probabilities", "no_answer_threshold"})
)
