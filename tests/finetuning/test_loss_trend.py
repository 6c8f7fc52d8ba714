"""What is said of a training that does not beat its baseline."""

from __future__ import annotations

import pytest

from bertsmith.finetuning.loss_trend import describe_loss_trend, loss_trend, no_better_than_baseline
from bertsmith.records.finetuning import LossTrend
from bertsmith.tasks.question_answering.task import QuestionAnswering
from bertsmith.tasks.sequence_classification.task import SequenceClassification


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ([0.7, 0.68, 0.66, 0.63, 0.6, 0.57, 0.54, 0.5, 0.46, 0.42], "was still falling (0.69 to 0.44). Try: more --ep"),
        (
            [0.7, 0.5, *[0.3] * 18],
            "The training loss fell (0.45 to 0.3) and then stopped falling. Try: more training examples",
        ),
        ([0.69, 0.7, 0.69, 0.7, 0.69, 0.7, 0.69, 0.7, 0.69, 0.7], "The training loss hardly changed (0.695 to 0.695)"),
        ([0.5, 0.6, 0.7, 0.8, 0.9, 0.85], "The training loss rose (0.5 to 0.85). Try: a different --learning"),
        ([0.7], "One update is too few to see whether the training loss is falling"),
        ([0.7, 0.6], "The training loss was still falling (0.7 to 0.6). Try: more --epochs"),
    ],
)
def test_the_course_of_the_loss(losses: list[float], said: str) -> None:
    trend = loss_trend(losses)
    assert said in describe_loss_trend(trend)
    assert LossTrend(**trend.to_dict()) == trend


def test_the_baseline_is_named() -> None:
    head = SequenceClassification(["a", "b"], "single_label_classification")
    trend = LossTrend(start=0.7, end=0.5, falling=True, updates=9)
    known = no_better_than_baseline(head, "accuracy", 0.5, baseline=0.52, file="dev", trend=trend)
    assert known == (
        "accuracy 50.0% on the dev file is no better than always giving the most frequent label (52.0%). The training "
        "loss was still falling (0.7 to 0.5). Try: more --epochs"
    )
    assert no_better_than_baseline(
        QuestionAnswering([], "single_label_classification"), "f1", 1.0, baseline=2.5, file="test", trend=None
    ) == ("f1 1.0% on the test file is no better than always giving the most frequent answer (2.5%)")
    numbers = SequenceClassification([], "regression")
    said = no_better_than_baseline(numbers, "pearson", -0.1, baseline=0.0, file="dev", trend=None)
    assert (
        said
        == "pearson -0.1000 on the dev file is no better than always giving the mean of the training labels (0.0000)"
    )
