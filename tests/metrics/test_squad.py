"""Exact match and F1 compared with hand calculations and an independent implementation; thresholds."""

from __future__ import annotations

import re
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.metrics.resampling import intervals
from bertsmith.metrics.squad import (
    QuestionScores,
    at_threshold,
    best_threshold,
    measure,
    normalize,
    question_scores,
    word_f1,
)
from bertsmith.tasks.question_answering.squad_file import SquadQuestion


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The  Denver\tBroncos!", "denver broncos"),
        ("a man, an ape and the theatre", "man ape and theatre"),
        ("U.S.", "us"),
        ("the Cafe\u0301", "caf\u00e9"),
        ("an-other", "another"),  # punctuation goes first, so there is no article left to see
        ("the", ""),
        ("Café “the” €5", "café “ ” €5"),  # only ASCII punctuation goes
    ],
)
def test_normalisation(text: str, normal: str) -> None:
    assert normalize(text) == normal


def test_f1_by_hand() -> None:
    assert word_f1("denver broncos", "broncos") == pytest.approx(2 * 1 * 0.5 / 1.5)
    assert word_f1("new york new york", "new york new") == pytest.approx(2 * (3 / 3) * (3 / 4) / (3 / 3 + 3 / 4))
    assert word_f1("denver", "boston") == 0


def scored(*cases: tuple[tuple[str, ...], str | None]) -> QuestionScores:
    """The scores of answers and predictions; None means no prediction."""
    questions = [SquadQuestion(str(number), answers) for number, (answers, _) in enumerate(cases)]
    return question_scores(questions, {str(n): text for n, (_, text) in enumerate(cases) if text is not None})


def test_the_best_of_several_answers_counts() -> None:
    scores = scored((("Denver Broncos", "the Broncos", "Broncos of Denver"), "broncos"), (("x y", "x z"), "x y z"))
    assert scores.exact.tolist() == [1, 0]
    assert scores.f1.tolist() == pytest.approx([1, 0.8])


def test_squad_1_and_2_differ_where_nothing_is_left_of_a_text() -> None:
    """The answer "The" and the prediction "a" are both empty after normalisation."""
    of_1 = scored((("The",), "a"))
    assert (of_1.exact.tolist(), of_1.f1.tolist()) == ([1], [0])
    of_2 = scored((("The",), "a"), ((), ""))
    assert (of_2.exact.tolist(), of_2.f1.tolist()) == ([1, 1], [1, 1])
    # In 2.0 an answer of which nothing is left does not stand beside others.
    assert scored((("The", "x"), "a"), ((), "")).exact.tolist() == [0, 1]


def test_without_an_answer_the_empty_text_is_right_and_no_prediction_is_wrong() -> None:
    scores = scored(((), ""), ((), "something"), ((), None), (("x",), ""), (("x",), None), (("x",), "x"))
    assert scores.exact.tolist() == scores.f1.tolist() == [1, 0, 0, 0, 0, 1]
    assert scores.predicted.tolist() == [True, True, False, True, False, True]
    assert scores.has_answer.tolist() == [False, False, False, True, True, True]
    found = {name: figure.value for name, figure in measure(scores).items()}
    assert found == pytest.approx(
        {
            "exact_match": 200 / 6,
            "f1": 200 / 6,
            "has_answer_exact_match": 100 / 3,
            "has_answer_f1": 100 / 3,
            "no_answer_exact_match": 100 / 3,
            "no_answer_f1": 100 / 3,
        }
    )


WORDS = st.sampled_from(["a", "The", "an", "Denver", "denver.", "Boston", "x-y", "xy", "!", "5"])
TEXTS = st.lists(WORDS, max_size=4).map(" ".join)


def plain_words(text: str) -> list[str]:
    """The remaining words, character by character and word by word."""
    kept = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return [word for word in re.findall(r"\S+", kept) if word not in ("a", "an", "the")]


@given(st.lists(TEXTS.filter(bool), min_size=1, max_size=3), TEXTS)
def test_scores_of_squad_1_are_those_of_the_definition(answers: list[str], prediction: str) -> None:
    ours = plain_words(prediction)
    expected = []
    for answer in map(plain_words, answers):
        left, shared = list(answer), 0
        for word in ours:
            if word in left:
                left.remove(word)
                shared += 1
        precision, recall = shared / max(len(ours), 1), shared / max(len(answer), 1)
        expected.append(2 * precision * recall / (precision + recall) if shared else 0.0)
    scores = scored((tuple(answers), prediction))
    assert scores.exact[0] == (ours in list(map(plain_words, answers)))
    assert scores.f1[0] == pytest.approx(max(expected))


CASES = st.lists(
    st.tuples(st.sampled_from([(), ("x",), ("x y", "z")]), st.sampled_from(["", "x", "y", None])),
    min_size=1,
    max_size=8,
)


@given(CASES, st.randoms(use_true_random=False))
def test_the_best_threshold_is_the_best_of_all(cases: list[tuple[tuple[str, ...], str | None]], draw: object) -> None:
    """With distinct probabilities, no threshold scores higher, and the returned threshold reaches the score."""
    cases = [*cases, ((), "x")]  # one without an answer makes it 2.0
    probabilities = np.arange(1, len(cases) + 1) / 16
    draw.shuffle(probabilities)  # type: ignore[attr-defined]
    scores = scored(*cases)
    for name in ("exact", "f1"):
        best, threshold = best_threshold(getattr(scores, name), scores, probabilities)
        reached = {
            at: 100 * float(getattr(at_threshold(scores, probabilities, at), name).mean())
            for at in (0.0, *probabilities.tolist())
        }
        assert best == pytest.approx(max(reached.values()))
        assert reached[threshold] == pytest.approx(best)


def test_of_equal_probabilities_the_earlier_alone_may_be_answered() -> None:
    """As in the order of the SQuAD 2.0 script: no threshold reaches the best score here."""
    scores = scored((("x",), "x"), ((), "x"))
    assert best_threshold(scores.exact, scores, np.array([0.5, 0.5])) == (100.0, 0.5)


def test_a_threshold_is_exclusive_and_leaves_missing_predictions_wrong() -> None:
    scores = scored((("x",), "x"), ((), "x"), ((), None))
    probabilities = np.array([0.5, 0.5, 0.9])
    assert at_threshold(scores, probabilities, 0.5).exact.tolist() == [1, 0, 0]
    assert at_threshold(scores, probabilities, 0.4).exact.tolist() == [0, 1, 0]


def test_intervals_are_over_the_questions_of_their_kind() -> None:
    """900 questions with an answer (80% correct) and 100 without (50% correct): intervals by normal approximation."""
    known = [(("x",), "x" if number % 10 < 8 else "y") for number in range(900)]
    cases: list[tuple[tuple[str, ...], str | None]] = [*known, *(((), "" if n % 2 else "x") for n in range(100))]
    found = intervals(measure(scored(*cases)))
    for name, share, count in (("has_answer_f1", 0.8, 900), ("no_answer_f1", 0.5, 100)):
        half = 196 * (share * (1 - share) / count) ** 0.5
        assert found[name].value == pytest.approx(100 * share)
        assert found[name].high - found[name].low == pytest.approx(2 * half, rel=0.15)
    assert found["f1"].value == pytest.approx(77)


def test_a_resample_without_a_question_of_a_kind_is_left_out() -> None:
    found = intervals(measure(scored((("x",), "x"), ((), "x"))))
    assert (found["has_answer_f1"].low, found["has_answer_f1"].high) == (100, 100)
    assert (found["no_answer_f1"].low, found["no_answer_f1"].high) == (0, 0)
    assert set(measure(scored(((), "x")))) == {"exact_match", "f1", "no_answer_exact_match", "no_answer_f1"}
