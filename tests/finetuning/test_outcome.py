"""What is said of a training that does not beat its baseline."""

from __future__ import annotations

import pytest

from bertsmith.finetuning.outcome import LossCourse, no_better


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ([0.7, 0.68, 0.66, 0.63, 0.6, 0.57, 0.54, 0.5, 0.46, 0.42], "was still falling (0.69 to 0.44): try more --ep"),
        ([0.7, 0.5, *[0.3] * 18], "The training loss fell (0.45 to 0.3) and then stayed: try more training examples"),
        ([0.69, 0.7, 0.69, 0.7, 0.69, 0.7, 0.69, 0.7, 0.69, 0.7], "The training loss did not fall (0.695 to 0.695)"),
        ([0.5, 0.6, 0.7, 0.8, 0.9, 0.85], "The training loss did not fall (0.5 to 0.85): try a different --learning"),
        ([0.7], "One update is too few to see whether the training loss falls"),
        ([0.7, 0.6], "The training loss was still falling (0.7 to 0.6): try more --epochs"),
    ],
)
def test_the_course_of_the_loss(losses: list[float], said: str) -> None:
    course = LossCourse.of(losses)
    assert said in course.in_words
    assert LossCourse(**course.to_dict()) == course


def test_the_baseline_is_named() -> None:
    answer = "always giving the most frequent label"
    known = no_better("accuracy", 0.5, 0.52, file="dev", answer=answer, course=LossCourse(0.7, 0.5, True, 9))
    assert known.startswith(f"accuracy 0.5 on the dev file is no better than {answer} (0.52). The training loss was")
    assert "learnt nothing" not in known and "diverged" not in known
    assert no_better("f1", 1.0, 2.5, file="test", answer="x", course=None) == (
        "f1 1 on the test file is no better than x (2.5)"
    )
