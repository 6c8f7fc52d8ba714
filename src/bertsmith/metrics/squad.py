"""Exact match and F1 of answers, as the official scripts of SQuAD 1.1 and 2.0 define them; both from 0 to 100.

SQuAD 1.1 (Rajpurkar et al. 2016): each question has answers. SQuAD 2.0 (Rajpurkar, Jia and Liang 2018): the empty text
is the answer "there is none", and the right one where a question has no answers. The two differ in one more case: where
nothing is left of a text after normalisation ("The"), F1 is 0 in 1.1, and 1 in 2.0 if nothing is left of both.

A question without a prediction is wrong in both and stays in the total. The script of 1.1 counts so; that of 2.0 ends
in an error there.
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


class Question(Protocol):
    """What is known of a question: its id and the texts of its right answers, none where it has no answer."""

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
        answered: bool of [questions], whether the prediction is not the empty text.
    """

    exact: Floats
    f1: Floats
    has_answer: Booleans
    predicted: Booleans
    answered: Booleans


def normalize(text: str) -> str:
    """Lower case, no ASCII punctuation, no articles (a, an, the), single blanks; in this order.

    Before that Unicode's form NFC, which the scripts leave out: to them "café" differs from the same text in form NFD.
    """
    composed = unicodedata.normalize("NFC", text)
    return " ".join(_ARTICLES.sub(" ", composed.lower().translate(_NO_PUNCTUATION)).split())


def word_f1(answer: str, prediction: str) -> float:
    """The harmonic mean of precision and recall over the words of two normalised texts; 0 where none is shared."""
    ours, theirs = prediction.split(), answer.split()
    shared = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * shared / (len(ours) + len(theirs)) if shared else 0.0


def question_scores(questions: Sequence[Question], predictions: Mapping[str, str]) -> QuestionScores:
    """Score each question by the answer that suits its prediction best.

    By the rules of 2.0 where any question has no answers, by those of 1.1 otherwise.
    """
    of_2 = any(not question.answers for question in questions)
    exact, f1 = np.zeros(len(questions)), np.zeros(len(questions))
    for row, question in enumerate(questions):
        if question.id not in predictions:
            continue
        prediction = normalize(predictions[question.id])
        answers = {normalize(answer) for answer in question.answers}
        if of_2:
            answers = answers - {""} or {""}
        exact[row] = prediction in answers
        f1[row] = max(word_f1(answer, prediction) for answer in answers)
        if of_2 and not prediction:
            f1[row] = exact[row]
    return QuestionScores(
        exact,
        f1,
        np.array([bool(question.answers) for question in questions]),
        np.array([question.id in predictions for question in questions]),
        np.array([bool(predictions.get(question.id)) for question in questions]),
    )


def at_threshold(scores: QuestionScores, probabilities: Floats, threshold: float) -> QuestionScores:
    """The scores where each question with a probability of no answer above the threshold is left unanswered."""
    left = scores.predicted & (probabilities > threshold)
    right = np.where(scores.has_answer, 0.0, 1.0)
    return replace(scores, exact=np.where(left, right, scores.exact), f1=np.where(left, right, scores.f1))


def best_threshold(values: Floats, scores: QuestionScores, probabilities: Floats) -> tuple[float, float]:
    """The best figure (0 to 100) over all thresholds, and the threshold, as the script of 2.0 finds them.

    Questions are taken in the order of their probabilities, from none answered to all answered; of questions with the
    same probability the earlier ones alone may count as answered. It is chosen on the very questions that are scored,
    so it is an upper bound.

    Args:
        values: float64 of [questions], `exact` or `f1` of `scores` without a threshold.
        probabilities: float64 of [questions].
    """
    # What answering a question adds to the sum: its score, or the loss of a right "no answer".
    gain = np.where(scores.has_answer, values, np.where(scores.answered, -1.0, 0.0))
    order = np.argsort(probabilities, kind="stable")
    sums = np.sum(~scores.has_answer & scores.predicted) + np.concatenate([[0.0], np.cumsum(gain[order])])
    best = int(np.argmax(sums))
    return 100 * float(sums[best]) / len(values), float(probabilities[order[best - 1]]) if best else 0.0


def measure(scores: QuestionScores) -> dict[str, SumMeasurement]:
    """Means over the questions, from 0 to 100, of sums over them.

    `exact_match` and `f1`; where some questions have no answer also those of either kind, `has_answer_...` and
    `no_answer_...`.
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
    with np.errstate(invalid="ignore"):  # 0 / 0: a resample without a question of this kind
        return 100 * sums[:, 0] / sums[:, 1]
