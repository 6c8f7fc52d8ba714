"""The page of a suite: the table says what each figure is of, the picture is in scale, failures stand out."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from bertsmith.records.suite import Average, SuiteRecord, SuiteTask
from bertsmith.reporting.interval_chart import IntervalRow, interval_chart
from bertsmith.reporting.suite_report import average_in_words, protocol_in_words, suite_report

SVG = "{http://www.w3.org/2000/svg}"


def page_with(**more: Any) -> str:
    """The page without its marks, as it is read."""
    return re.sub(r"<[^>]*>", "", suite_report("tries", suite(**more)))


def entry(name: str, mean: float, **more: Any) -> dict[str, Any]:
    return {
        "metrics": {"accuracy": {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "seeds": [mean]}},
        "seeds": [0],
        "best_seed": 0,
        "figures": {"accuracy": {"value": mean, "low": mean - 0.1, "high": mean + 0.1}},
        "score": mean,
        "protocol": {
            "figures_of": "dev.tsv",
            "chosen_on": "dev.tsv",
            "selected_on_reported_data": True,
            "over_seeds": "mean",
            "seeds": 1,
        },
        "baseline": {"accuracy": 0.5},
        "num_examples": 277,
        "num_train_examples": 2490,
        "drawn_from": None,
        "diverged_seeds": [],
        "truncated_tokens": 0,
        "seconds": 75.0,
        "run": f"runs/glue/{name}",
        **more,
    }


def record(**more: Any) -> dict[str, Any]:
    average = {"mean": 0.6, "low": None, "high": None, "over_seeds": "mean", "tasks": ["RTE"], "partial": True}
    return {
        "suite": "glue",
        "status": "finished",
        "command": "bertsmith finetune glue --model m",
        "options": {"model": "runs/<books>"},
        "machine": {},
        "versions": {},
        "tasks": {"RTE": entry("RTE", 0.6)},
        "average": average,
        "missing": ["CoLA"],
        "failures": {},
        **more,
    }


def suite(**more: Any) -> SuiteRecord:
    return SuiteRecord(**record(**more))


def task(name: str, mean: float, **more: Any) -> SuiteTask:
    return SuiteTask(**entry(name, mean, **more))


def test_the_table_links_and_notices() -> None:
    html = suite_report("tries", suite())
    assert "<title>tries: GLUE</title>" in html
    assert 'href="RTE/report.html"' in html
    assert "partial: over 1 of 2 tasks, without CoLA" in html
    assert "runs/&lt;books&gt;" in html and "<books>" not in html
    assert "RTE: the best checkpoint was selected on the same examples as the results" in html
    assert "1:15" in html, "the time of training"
    assert "--resume" not in html
    whole = suite(missing=[], average={**record()["average"], "partial": False})
    assert "partial" not in suite_report("tries", whole)


@pytest.mark.parametrize(
    ("status", "to_do", "said"),
    [
        ("running", ["CoLA", "STS-B", "QNLI"], "Still to do: CoLA now, then STS-B, QNLI. The suite is running."),
        ("running", ["QNLI"], "Still to do: QNLI. The suite is running."),
        (
            "interrupted",
            ["CoLA", "QNLI"],
            "Still to do: CoLA, QNLI. To resume, repeat the command below with --resume.",
        ),
    ],
)
def test_the_tasks_that_are_still_to_do_are_named(status: str, to_do: list[str], said: str) -> None:
    assert f"Not all tasks are finished. {said}" in page_with(status=status, to_do=to_do)
    assert "Still to do" not in page_with(to_do=[])


def test_what_is_not_done_and_what_failed() -> None:
    failures = {"MRPC": {"error": "DataError", "message": "dev.tsv: line 3: 2 fields"}}
    html = suite_report("tries", suite(failures=failures))
    assert "MRPC failed: dev.tsv: line 3: 2 fields" in html
    running, stopped = (page_with(status=status) for status in ("running", "interrupted"))
    assert "Not all tasks are finished. The suite is running." in running
    assert "Not all tasks are finished. To resume, repeat the command below with --resume." in stopped
    empty = suite_report("tries", suite(tasks={}, average=None, status="running"))
    assert "No task is finished yet." in empty
    diverged = suite_report("tries", suite(tasks={"RTE": entry("RTE", 0.5, diverged_seeds=[0, 2])}))
    assert "RTE (seed 0 and seed 2)" in diverged


def test_figures_of_the_models_of_another_task() -> None:
    """They have no training of their own."""
    other = entry("MNLI", 0.7)
    for name in ("seconds", "num_train_examples", "drawn_from", "diverged_seeds", "truncated_tokens"):
        del other[name]
    html = suite_report("tries", suite(tasks={"MNLI": entry("MNLI", 0.7), "MNLI-mm": other}))
    assert html.count('href="MNLI/report.html"') == 1
    assert 'href="MNLI-mm/report.html"' not in html


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "dev.tsv, one seed, selected on the same examples"),
        (
            {"drawn_from": 9000, "num_train_examples": 1000},
            "dev.tsv, one seed, selected on the same examples, trained on 1,000 of 9,000",
        ),
        ({"diverged_seeds": [1]}, "dev.tsv, one seed, selected on the same examples, seed 1 diverged"),
    ],
)
def test_the_protocol_in_words(more: dict[str, Any], said: str) -> None:
    assert protocol_in_words(task("RTE", 0.6, **more)) == said


def test_the_protocol_of_a_test_file() -> None:
    protocol = {
        "figures_of": "test.tsv",
        "chosen_on": "dev.tsv",
        "selected_on_reported_data": False,
        "over_seeds": "mean",
        "seeds": 3,
    }
    assert protocol_in_words(task("RTE", 0.6, protocol=protocol)) == "test.tsv, mean of 3 seeds, selected on dev.tsv"


def test_averages_in_words() -> None:
    figures = {"mean": 0.5, "low": None, "high": None}
    whole = Average(tasks=["a", "b"], partial=False, over_seeds="mean", **figures)
    assert average_in_words(whole, []) == "mean over all 2 tasks"
    partial = Average(tasks=["a"], partial=True, over_seeds="mean", **figures)
    assert average_in_words(partial, ["b"]) == "partial: over 1 of 2 tasks, without b"
    partial.over_seeds = "median"
    assert average_in_words(partial, ["b"]).endswith("without b, using the median of each")


def test_the_picture_is_in_scale() -> None:
    rows = [IntervalRow("a", 0.5, 0.25, 1.0, 0.0), IntervalRow("b", 0.0, 0.0, 0.0, None)]
    root = ElementTree.fromstring(interval_chart(rows, title="t", value_name="figure", baseline_name="always 0"))
    dots = [float(dot.attrib["cx"]) for dot in root.iter(f"{SVG}circle")][1:]  # the first is that of the legend
    marks = [float(mark.attrib["x"]) + 2.5 for mark in root.iter(f"{SVG}rect")][1:]
    whiskers = [line for line in root.iter(f"{SVG}line") if "chart-line" in line.attrib["class"]][3:]
    low, high = (float(whiskers[0].attrib[end]) for end in ("x1", "x2"))
    assert marks == [dots[1]], "a baseline of 0 stands where a figure of 0 does; the second row has none"
    unit = (dots[0] - dots[1]) / 0.5
    assert low == pytest.approx(dots[1] + 0.25 * unit, abs=0.02)
    assert high == pytest.approx(dots[1] + unit, abs=0.02)
    description = next(root.iter(f"{SVG}desc")).text
    assert description == "a: 0.500, 0.250 to 1.000, always 0 0.000; b: 0.000, 0.000 to 0.000"


def test_a_picture_of_nothing_and_of_what_is_no_number() -> None:
    def chart(*rows: IntervalRow) -> str:
        return interval_chart(rows, title="t", value_name="figure", baseline_name="baseline")

    assert "no data yet" in chart()
    assert "no data yet" in chart(IntervalRow("a", float("nan"), 0, 1))
    negative = chart(IntervalRow("matthews", -0.5, -0.75, -0.25, 0.0))
    places = [float(place) for place in re.findall(r'cx="([-\d.]+)"', negative)]
    assert all(0 <= place <= 640 for place in places)


@pytest.mark.parametrize(
    ("over_seeds", "same", "said"),
    [
        ("best", True, "best of 3 seeds (optimistic)"),
        ("best", False, "best of 3 seeds,"),
        ("median", True, "median of 3 seeds,"),
        ("mean", True, "mean of 3 seeds,"),
    ],
)
def test_only_the_best_seed_on_its_own_examples_is_optimistic(over_seeds: str, same: bool, said: str) -> None:
    protocol = {
        "figures_of": "dev.tsv",
        "chosen_on": "dev.tsv" if same else "other.tsv",
        "selected_on_reported_data": same,
        "over_seeds": over_seeds,
        "seeds": 3,
    }
    without = {"accuracy": {"value": 0.6, "low": None, "high": None}}
    one = entry("RTE", 0.6, protocol=protocol, figures=without)
    assert said in protocol_in_words(SuiteTask(**one)) and protocol_in_words(SuiteTask(**one)).count(
        "optimistic"
    ) == said.count("optimistic")
    html = suite_report("tries", suite(tasks={"RTE": one}))
    assert ("A new seed usually does worse" in html) == ("optimistic" in said)
    assert '<td data-label="95% interval">none</td>' in html.replace(' class="number"', "")
