"""Exact match and F1 of answers, from 0 to 100, as the official scripts of SQuAD 1.1 and 2.0 define them.

SQuAD 1.1 (Rajpurkar et al. 2016): each question has answers. SQuAD 2.0 (Rajpurkar, Jia and Liang 2018): empty text
means "no answer", which is correct if a question has no answers. The versions also differ if a text is empty after
normalization ("The"): F1 is 0 in 1.1; in 2.0 it is 1 if both texts are empty.

A question without a prediction is wrong and counts in the total, as in the script of 1.1; the script of 2.0 fails.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from bertsmith.metrics.measurements import Booleans, Floats, SumMeasurement

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


class ScorableQuestion(Protocol):
    """A question: its id and the texts of its correct answers; empty if the question has no answer."""

    @property
    def id(self) -> str: ...

    @property
    def answers(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class QuestionScores:
    """Scores of every question, in the order of the questions.

    Attributes:
        exact, f1: float64 of [questions], from 0 to 1.
        has_answer: bool of [questions], whether the question has an answer.
        predicted: bool of [questions], whether there is a prediction.
        answered: bool of [questions], whether the prediction is not empty.
    """

    exact: Floats
    f1: Floats
    has_answer: Booleans
    predicted: Booleans
    answered: Booleans


def normalize(text: str) -> str:
    """Normalize a text: lower case, no ASCII punctuation, no articles (a, an, the), single spaces; in this order.

    The first step is Unicode form NFC. The official scripts omit it, so for them "café" in NFC and NFD differ.
    """
    composed = unicodedata.normalize("NFC", text)
    return " ".join(_ARTICLES.sub(" ", composed.lower().translate(_NO_PUNCTUATION)).split())


def word_f1(answer: str, prediction: str) -> float:
    """Return the harmonic mean of precision and recall over the words of two normalized texts; 0 if they share none."""
    predicted_words, answer_words = prediction.split(), answer.split()
    shared = sum((Counter(predicted_words) & Counter(answer_words)).values())
    return 2 * shared / (len(predicted_words) + len(answer_words)) if shared else 0.0


def question_scores(questions: Sequence[ScorableQuestion], predictions: Mapping[str, str]) -> QuestionScores:
    """Score the prediction of each question against its best matching answer.

    The rules of SQuAD 2.0 apply if any question has no answers, otherwise those of 1.1.
    """
    is_version_2 = any(not question.answers for question in questions)
    exact, f1 = np.zeros(len(questions)), np.zeros(len(questions))
    for row, question in enumerate(questions):
        if question.id not in predictions:
            continue
        prediction = normalize(predictions[question.id])
        answers = {normalize(answer) for answer in question.answers}
        if is_version_2:
            answers = answers - {""} or {""}
        exact[row] = prediction in answers
        f1[row] = max(word_f1(answer, prediction) for answer in answers)
        if is_version_2 and not prediction:
            f1[row] = exact[row]
    return QuestionScores(
        exact,
        f1,
        np.array([bool(question.answers) for question in questions]),
        np.array([question.id in predictions for question in questions]),
        np.array([bool(predictions.get(question.id)) for question in questions]),
    )


def at_threshold(scores: QuestionScores, probabilities: Floats, threshold: float) -> QuestionScores:
    """Return the scores if questions with a probability of no answer above the threshold are left unanswered."""
    left = scores.predicted & (probabilities > threshold)
    correct = np.where(scores.has_answer, 0.0, 1.0)
    return replace(scores, exact=np.where(left, correct, scores.exact), f1=np.where(left, correct, scores.f1))


def best_threshold(values: Floats, scores: QuestionScores, probabilities: Floats) -> tuple[float, float]:
    """Return the best score (0 to 100) over all thresholds, and the threshold, as the script of 2.0 does.

    Questions are sorted by probability, and each number of answered questions is tried; so of several questions with
    the same probability, only the first may count as answered. The threshold is chosen on the questions that are
    scored, so the result is an upper bound.

    Args:
        values: float64 of [questions], `exact` or `f1` of `scores` without a threshold.
        probabilities: float64 of [questions].
    """
    # The gain from answering a question: its score, or -1 for losing a correct "no answer".
    gain = np.where(scores.has_answer, values, np.where(scores.answered, -1.0, 0.0))
    order = np.argsort(probabilities, kind="stable")
    sums = np.sum(~scores.has_answer & scores.predicted) + np.concatenate([[0.0], np.cumsum(gain[order])])
    best = int(np.argmax(sums))
    return 100 * float(sums[best]) / len(values), float(probabilities[order[best - 1]]) if best else 0.0


def measure(scores: QuestionScores) -> dict[str, SumMeasurement]:
    """Return `exact_match` and `f1`, means over the questions from 0 to 100.

    If some questions have no answer, also return the metrics by kind, `has_answer_...` and `no_answer_...`.
    """
    groups = {"": np.ones_like(scores.has_answer)}
    if not scores.has_answer.all():
        groups |= {"has_answer_": scores.has_answer, "no_answer_": ~scores.has_answer}
        groups = {prefix: group for prefix, group in groups.items() if group.any()}
    return {
        f"{prefix}{name}": SumMeasurement(np.stack([values * group, group], axis=1), _percent)
        for prefix, group in groups.items()
        for name, values in (("exact_match", scores.exact), ("f1", scores.f1))
    }


def _percent(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore"):  # 0 / 0 in a resample without questions of this kind
        return 100 * sums[:, 0] / sums[:, 1]
