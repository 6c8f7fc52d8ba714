"""What a page says of a head's errors."""

from __future__ import annotations

from typing import Any

from bertsmith.records.error_report import ErrorReport, Figure
from bertsmith.reporting.error_sections import Provenance, evaluation_page

ATTACK = "<script>alert('&')</script>"
BINS = [
    {"low": 0.4, "high": 0.466, "count": 3, "confidence": 0.45, "accuracy": 0.333},
    {"low": 0.933, "high": 1.0, "count": 12_345, "confidence": 0.99, "accuracy": 0.9},
]


def errors(**more: Any) -> dict[str, Any]:
    worst = {"place": "line 7", "texts": [ATTACK, "second"], "true": ATTACK, "predicted": ATTACK}
    rows = [
        {"name": ATTACK, "examples": 50, "value": 0.75, "low": 0.5, "high": 0.9},
        {"name": "rare", "examples": 19, "value": 1.0, "low": 1.0, "high": 1.0},
    ]
    return {
        "examples": 69,
        "wrong": 21,
        "error": "loss",
        "worst": [{**worst, "error": 3.25, "probability": 0.9671}],
        "slices": [{"by": "domain", "metric": "macro_f1", "rows": rows}],
        **more,
    }


PROVENANCE = Provenance([("file", ATTACK)], f"bertsmith evaluate {ATTACK}", ATTACK, "info")


def page(found: dict[str, Any]) -> str:
    metrics = {"macro_f1": Figure(value=0.8, low=0.7, high=0.9)}
    return evaluation_page(ATTACK, ATTACK, metrics, errors=ErrorReport.model_validate(found), provenance=PROVENANCE)


def test_texts_are_escaped() -> None:
    confusion = {"labels": [ATTACK, "b"], "counts": [[1, 1], [0, 0]], "of": "examples", "others": 0}
    labels = [{"label": ATTACK, "precision": None, "recall": 0.5, "f1": 0.5, "support": 2}]
    html = page(errors(confusion=confusion, labels=labels, labels_in_all=1))
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(") >= 8


def test_the_worst_errors() -> None:
    html = page(errors())
    for words in (
        "line\u00a07",
        "second",
        "96.7%",
        "3.250",
        "21 of 69 predictions are wrong. Below are the 1 worst by loss.",
    ):
        assert words in html, words
    assert "Calibration" not in html and 'class="matrix"' not in html
    assert "All 69 predictions are correct" in page(errors(wrong=0, worst=[]))
    numbers = page(errors(wrong=None, worst=[{**errors()["worst"][0], "probability": None}]))
    assert "The 1 largest errors" in numbers and '<th scope="col">probability' not in numbers


def test_values_of_slices_are_cut_in_the_table() -> None:
    found = errors()
    found["slices"][0]["rows"][0]["name"] = "very long " * 30
    html = page(found)
    assert f"{('very long ' * 6)[:59].rstrip()}…" in html and "very long " * 7 not in html


def test_slices_of_few_examples_are_marked() -> None:
    html = page(errors())
    assert html.count(">few</td>") == 1 and "few: under 20 examples, too few for a conclusion" in html
    enough = errors()
    enough["slices"][0]["rows"].pop()
    assert "too few" not in page(enough)


def test_calibration_before_and_after() -> None:
    figures = {"ece": 0.0512, "brier": 0.31, "nll": 0.42, "cases": 12_348, "of": "words", "bins": BINS}
    html = page(errors(calibration=figures))
    for words in (
        "5.1%",
        "0.3100",
        "0.4200",
        "the numbers above the bars count words",
        "12,345 words, mean probability 99.0%",
    ):
        assert words in html, words
    assert html.count('class="chart"') == 1 and "--calibrate" not in html
    before = {"ece": 0.2, "brier": 0.4, "nll": 0.6, "bins": BINS}
    html = page(errors(calibration={**figures, "temperature": 1.75, "before": before}))
    for words in ("20.0% before", "temperature 1.750, which was fitted on the dev file"):
        assert words in html, words
    assert html.count('class="chart"') == 2


def test_the_shade_of_a_cell_is_its_share_of_the_row() -> None:
    confusion = {"labels": ["a", "(other)"], "counts": [[3, 1], [0, 0]], "of": "words", "others": 4}
    html = page(errors(confusion=confusion, labels=[], labels_in_all=0))
    assert html.count("--shade:38%") == 1 and html.count("--shade:12%") == 1 and html.count("--shade:0%") == 2
    assert "&#34;(other)&#34; are the 4 rarest labels" in html
