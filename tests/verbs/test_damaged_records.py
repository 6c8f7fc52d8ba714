"""A run.json with a missing or wrong value has a report, or is answered in words; never with a traceback."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bertsmith.errors import InputError, OptionError
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.verbs.report import write_report

MEANS = {"accuracy": {"mean": 0.5, "low": 0.4, "high": 0.6, "seeds": [0.5]}}
FIGURE = {"value": 0.5, "low": 0.4, "high": 0.6}
FILE = {"examples": 4, "longest": 9, "truncated_texts": 0, "truncated_tokens": 0, "drawn_from": 9, "sha256": "1c"}
WORST = {"place": "line 3", "texts": ["a"], "true": "x", "predicted": "y", "error": 1.5, "probability": 0.5}
BIN = {"low": 0.5, "high": 0.6, "count": 4, "confidence": 0.55, "accuracy": 0.75}
PART: dict[str, Any] = {
    "examples": 4, "labels": {"x": 3, "y": 1}, "repeated": 0, "contradictions": {"texts": 0, "examples": []},
    "lengths": [{"low": 0, "high": None, "count": 4}], "longest": 9, "cut_examples": 0, "cut_tokens": 0, "tokens": 20,
    "unknown_tokens": 0, "unknown_words": {},
}  # fmt: skip
WHOLE: dict[str, Any] = {
    "kind": "finetuning",
    "task": "sequence-classification",
    "status": "finished",
    "options": {"model": "m", "metric": None, "problem_type": "single_label_classification"},
    "data": {
        "files": [{"name": "t.csv", "part": "train", **FILE}, {"name": "d.csv", "part": "dev", **FILE}],
        "labels": {"x": 3, "y": 1},
        "report": {"max_length": 8, "parts": {"train": PART, "dev": PART}, "overlaps": {}, "warnings": []},
    },
    "errors": {
        "examples": 4, "wrong": 1, "error": "loss", "worst": [WORST],
        "calibration": {"ece": 0.1, "brier": 0.5, "nll": 0.7, "cases": 4, "of": "examples", "bins": [BIN]},
        "labels": [{"label": "x", "precision": None, "recall": 1.0, "f1": 0.5, "support": 4}], "labels_in_all": 1,
        "slices": [{"by": "length", "metric": "accuracy", "rows": [{"name": "1 to 4", "examples": 4, **FIGURE}]}],
    },
    "metrics": MEANS,
    "baseline": {"accuracy": 0.5},
    "best_seed": 0,
    "selected_on_reported_data": True,
    "result": {
        "metrics": MEANS, "best_seed": 0, "selected_on_reported_data": True, "baseline": {"accuracy": 0.5},
        "num_examples": 4, "truncated_tokens": 0,
    },
}  # fmt: skip


def places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value if isinstance(value, dict) else dict(enumerate(value)) if isinstance(value, list) else {}
    for name, each in inner.items():
        yield (*before, name)
        yield from places(each, (*before, name))


def damaged(place: tuple[Any, ...], *values: Any) -> dict[str, Any]:
    """The record with this value in a place, or without it."""
    content = copy.deepcopy(WHOLE)
    inner: Any = content
    for name in place[:-1]:
        inner = inner[name]
    if values:
        inner[place[-1]] = values[0]
    else:
        del inner[place[-1]]
    return content


def test_the_whole_record_has_a_report(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(WHOLE))
    assert "50.0%" in write_report(tmp_path).read_text()


@pytest.mark.parametrize("values", [(), (None,), ("zz",), ([1],), ({"a": 1},)], ids=str)
def test_one_damaged_value(tmp_path: Path, values: tuple[Any, ...]) -> None:
    answered = 0
    for place in places(WHOLE):
        text = json.dumps(damaged(place, *values))
        (tmp_path / "run.json").write_text(text)
        try:
            write_report(tmp_path)
        except InputError as error:
            answered += 1
            assert "run.json" in str(error) and "\n" not in str(error), place
        assert (tmp_path / "run.json").read_text() == text, "nothing is destroyed"
    assert answered > 20


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (("metrics",), "`metrics` is missing or incomplete, although the run is finished"),
        (("metrics", "accuracy", "seeds"), "`metrics.accuracy` is missing or incomplete"),
        (("baseline", "accuracy"), "`baseline` is missing or incomplete"),
        (("data", "report", "parts", "train"), "`data.report.parts`: the part `train` is missing"),
        (("errors", "slices"), "`errors.slices` is missing"),
    ],
)
def test_a_missing_value_is_named_with_the_next_command(tmp_path: Path, place: tuple[Any, ...], said: str) -> None:
    (tmp_path / "run.json").write_text(json.dumps(damaged(place)))
    with pytest.raises(InputError) as found:
        write_report(tmp_path)
    assert said in str(found.value) and "--overwrite" in str(found.value)


def test_a_task_of_a_different_version(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(damaged(("task",), "ranking")))
    with pytest.raises(InputError, match=r"run\.json: `task`: found 'ranking', expected one of sequence-class"):
        write_report(tmp_path)


@pytest.mark.parametrize(("name", "value"), [("options", None), ("options", [1]), ("given", None), ("given", 3.5)])
def test_options_that_cannot_be_taken_up_again(tmp_path: Path, name: str, value: Any) -> None:
    (tmp_path / "run.json").write_text(json.dumps(WHOLE | {name: value}))
    with pytest.raises(OptionError, match=rf"run\.json: `{name}`: found .*, expected an? \w+; the file was edited"):
        FinetuneOptions.build({"resume": True, "out": tmp_path})
