"""What every task has from the protocol: which way its metrics are better, and what they can be."""

from __future__ import annotations

from bertsmith.tasks.question_answering.task import QuestionAnswering
from bertsmith.tasks.sequence_classification.task import SequenceClassification


def test_intervals_end_at_the_ends_of_a_metric() -> None:
    possible, of_squad = SequenceClassification.possible, QuestionAnswering.possible
    assert possible("accuracy", 1.2) == 1.0 and possible("f1", -5.3) == 0.0
    assert possible("matthews", -0.4) == -0.4 and possible("pearson", -1.7) == -1.0
    assert of_squad("f1", 93.5) == 93.5 and of_squad("exact_match", 104.0) == 100.0
    assert possible("mean_squared_error", 7.5) == 7.5 and possible("mean_squared_error", -2.0) == 0.0


def test_less_of_an_error_is_better() -> None:
    better = SequenceClassification.selection_score
    assert better("mean_squared_error", 1.0) > better("mean_squared_error", 2.0)
    assert better("accuracy", 0.9) > better("accuracy", 0.8)
