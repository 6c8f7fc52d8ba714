"""The verdict on a fine-tuned RUN: the figure, the errors per 1,000, the baseline, and the model before."""

from __future__ import annotations

from typing import Any

import pytest

from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.reporting.page import Page
from bertsmith.reporting.verdict import add_verdict, verdict
from bertsmith.tasks.card_texts import card_texts


def figure(mean: float, half: float = 0.02, seeds: int = 1) -> dict[str, Any]:
    return {"mean": mean, "low": mean - half, "high": mean + half, "seeds": [mean] * seeds}


def record(**values: Any) -> dict[str, Any]:
    return {
        "task": "sequence-classification",
        "options": {"metric": None},
        "metrics": {"accuracy": figure(0.872), "matthews": figure(0.74)},
        "baseline": {"accuracy": 0.509, "matthews": 0.0},
        "errors": {"examples": 872, "wrong": 112},
        "result": {"num_examples": 872},
        "selected_on_reported_data": True,
        "learnt_nothing": None,
        "baseline_answer": "always giving the most frequent label",
        "best_seed": 4,
    } | values


def of(content: dict[str, Any]) -> FinetuningRecord:
    errors, result = {"error": "loss", "worst": [], "slices": []}, {"truncated_tokens": 0}
    result |= {name: content[name] for name in ("metrics", "baseline", "best_seed", "selected_on_reported_data")}
    filled = {"errors": content["errors"] | errors, "result": content["result"] | result}
    return FinetuningRecord.model_validate(content | filled | {"kind": "finetuning", "data": {"files": []}})


def verdict_on(given: dict[str, Any]) -> tuple[str, list[str], str]:
    return verdict(of(given), card_texts(of(given)))


def test_a_good_model() -> None:
    headline, lines, tone = verdict_on(record())
    assert headline == "Accuracy 87.2%, 95% interval 85.2% to 89.2%" and tone == "good"
    assert lines == [
        "About 128 of 1,000 texts get a wrong label. Measured on the dev file (872 examples).",
        "The baseline, always giving the most frequent label, reaches 50.9%. The model is better, by more than chance "
        "explains.",
    ]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"baseline": {"accuracy": 0.86}}, "do not show that the model is better"),
        ({"baseline": {"accuracy": 0.95}}, "The model is worse: do not use it."),
        ({"learnt_nothing": "accuracy did not pass"}, "Do not use this model: accuracy did not pass."),
    ],
)
def test_a_model_that_is_of_no_use(values: dict[str, Any], said: str) -> None:
    _, lines, tone = verdict_on(record(**values))
    assert said in lines[1] and tone == "warning"


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (figure(0.70), "reached 70.0% on the same file: this model is better (+17.2 points)."),
        (figure(0.95), "reached 95.0% on the same file: this model is worse (-7.8 points)."),
        (figure(0.86), "is better (+1.2 points). The 95% intervals overlap, so the difference may be chance."),
        (figure(0.872), "this model is equally good."),
    ],
)
def test_the_model_before(before: dict[str, Any], said: str) -> None:
    _, lines, _ = verdict_on(record(model_before={"name": "runs/old", "metrics": {"accuracy": before}}))
    assert lines[-1].startswith("The previous model (runs/old)") and lines[-1].endswith(said)
    other = {"name": "runs/old", "metrics": {"f1": before}}
    assert len(verdict_on(record(model_before=other))[1]) == 2, "nothing is said of a figure that it lacks"


def test_a_number_is_off_and_less_error_is_better() -> None:
    values = {"errors": {"examples": 50, "wrong": None}, "baseline": {"mean_squared_error": 4.0}}
    metrics = {"mean_squared_error": figure(0.25, 0.05)}
    headline, lines, tone = verdict_on(record(metrics=metrics, **values))
    assert headline == "Mean squared error 0.2500, 95% interval 0.2000 to 0.3000" and tone == "good"
    assert lines[0].startswith("Its numbers are typically off by 0.5 (root mean squared error).")


def test_figures_that_go_to_100_and_several_seeds() -> None:
    metrics = {"f1": figure(81.5, 2.0, seeds=3), "exact_match": figure(70.0, 2.0, seeds=3)}
    baseline = {"f1": 0.0, "exact_match": 0.0}
    given = record(task="question-answering", metrics=metrics, baseline=baseline, selected_on_reported_data=False)
    headline, lines, _ = verdict_on(given)
    assert headline == "F1 81.5%, 95% interval 79.5% to 83.5%"
    assert lines[0] == (
        "This model is the one of seed 4. About 128 of 1,000 questions get an answer that differs from the expected "
        "one. Measured on the test file (872 examples); the headline is the mean over 3 seeds."
    )


def test_several_labels_per_text() -> None:
    given = record(options={"problem_type": "multi_label_classification"})
    assert verdict_on(given)[1][0].startswith(
        "About 128 of 1,000 texts have at least one label that is wrong or missing."
    )


def test_few_errors_are_not_none() -> None:
    few = record(errors={"examples": 10_000, "wrong": 3})
    assert verdict_on(few)[1][0].startswith("Fewer than 1 of 1,000")
    assert verdict_on(record(errors={"examples": 10_000, "wrong": 0}))[1][0].startswith("About 0 of 1,000")


def test_the_box_and_the_cards() -> None:
    page = Page("title")
    given = record(model_before={"name": "<script>", "metrics": {"accuracy": figure(0.7)}})
    add_verdict(page, of(given), card_texts(of(given)))
    html = page.html()
    assert html.index("Accuracy 87.2%") < html.index('class="figures"') and "<script>" not in html
    assert "72.0% to 76.0%" not in html, "a correlation is no share"
    assert "0.7200 to 0.7600; baseline 0.0000" in html
