"""The record of a fine-tuning and of its seeds: they come back as they were, and damage is answered in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertsmith.errors import InputError
from bertsmith.records.any_run import read_run, run_of_model
from bertsmith.records.error_report import ErrorReport
from bertsmith.records.finetuning import FinetuningRecord, SeedResult
from bertsmith.records.labelled_files import FinetuningFiles
from bertsmith.records.search import SearchReport, Trial

SHARED = {"text": "a", "places": ["1", "2"]}
FIGURE = {"value": 0.5, "low": 0.4, "high": 0.6}
ERRORS: dict[str, Any] = {
    "examples": 4,
    "wrong": 1,
    "error": "loss",
    "worst": [
        {"place": "line 3", "texts": ["a"], "true": "x", "predicted": "y", "error": 1.5, "probability": None},
    ],
    "calibration": {
        "ece": 0.1,
        "brier": 0.5,
        "nll": 0.7,
        "cases": 4,
        "of": "examples",
        "bins": [{"low": 0.5, "high": 0.6, "count": 4, "confidence": 0.55, "accuracy": 0.75}],
        "temperature": 2.0,
        "before": {"ece": 0.2, "brier": 0.5, "nll": 0.9, "bins": []},
    },
    "labels": [{"label": "x", "precision": None, "recall": 1.0, "f1": 0.5, "support": 4}],
    "labels_in_all": 1,
    "confusion": {"labels": ["x"], "counts": [[4]], "of": "examples", "others": 0},
    "slices": [{"by": "length", "metric": "accuracy", "rows": [{"name": "1 to 4", "examples": 4, **FIGURE}]}],
}
PART: dict[str, Any] = {
    "examples": 4,
    "labels": {"x": 3, "y": 1},
    "quantity": None,
    "labels_of": None,
    "repeated": 0,
    "contradictions": {"texts": 1, "examples": [{"text": "a", "labels": [{"label": "x", "place": "line 1"}]}]},
    "lengths": [{"low": 0, "high": 5, "count": 3}, {"low": 5, "high": None, "count": 1}],
    "longest": 9,
    "cut_examples": 0,
    "cut_tokens": 0,
    "tokens": 20,
    "unknown_tokens": 1,
    "unknown_words": {"`": 1},
}
MEANS = {"accuracy": {"mean": 0.5, "low": 0.4, "high": 0.6, "seeds": [0.5]}}
OLD: dict[str, Any] = {
    "kind": "finetuning",
    "task": "sequence-classification",
    "status": "finished",
    "command": "bertsmith finetune sequence-classification",
    "options": {"model": "m", "epochs": None},
    "seeds": 1,
    "choices": [{"name": "device", "value": "cpu", "reason": "torch sees no CUDA device"}],
    "machine": {"cores": 2},
    "versions": {"torch": "2.13.0"},
    "data": {
        "files": [
            {
                "name": "t.csv", "part": "train", "examples": 4, "longest": 9,
                "truncated_texts": 0, "truncated_tokens": 0, "drawn_from": 9, "sha256": "1c",
            },
            {
                "name": "hf:d", "part": "dev", "examples": 4, "longest": 9,
                "truncated_texts": 0, "truncated_tokens": 0, "sha256": None,
            },
        ],
        "labels": {"y": 1, "x": 3},
        "report": {
            "max_length": 32,
            "parts": {"train": PART},
            "overlaps": {"train/dev": {"of": 4, "examples_in_both": 1, "examples": [SHARED]}},
            "warnings": [],
        },
    },
    "warnings": [],
    "errors": ERRORS,
    "seeds_with_figures": [0],
    "learnt_nothing": None,
    "metrics": MEANS,
    "baseline": {"accuracy": 0.5},
    "best_seed": 0,
    "diverged_seeds": [],
    "selected_on_reported_data": True,
    "result": {
        "metrics": MEANS,
        "best_seed": 0,
        "diverged_seeds": [],
        "selected_on_reported_data": True,
        "baseline": {"accuracy": 0.5},
        "num_examples": 4,
        "truncated_tokens": 0,
        "calibration": {"ece": 0.1, "brier": 0.5, "nll": 0.7},
    },
}  # fmt: skip


def text(value: object) -> str:
    return json.dumps(value, indent=2)


def written(folder: Path, content: object) -> Path:
    (folder / "run.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("more", [{}, {"later": {"a": [1]}}, {"given": ["problem_type"], "baseline_answer": "none"}])
def test_a_file_without_version_comes_back_as_it_was(tmp_path: Path, more: dict[str, Any]) -> None:
    record = read_run(written(tmp_path, OLD | more))
    assert isinstance(record, FinetuningRecord)
    assert record.version == 0 and record.result is not None and record.data.files[0].drawn_from == 9
    record.write(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text().strip() == text(OLD | more)


def test_what_is_set_later_comes_behind_what_was_given(tmp_path: Path) -> None:
    begun = {name: value for name, value in OLD.items() if name in list(OLD)[:11]}
    record = FinetuningRecord(**{**begun, "status": "running"})
    record.learnt_nothing, record.errors = None, ErrorReport(**ERRORS)
    record.search = SearchReport(
        metric="accuracy", most=1.0, lower_is_better=False, trials_wanted=2, seed=0, space="epochs=1..2",
        best_trial=None, gain=None, trials=[Trial.new(0, {"epochs": 3, "learning_rate": None})],
    )  # fmt: skip
    record.status = "finished"
    found = record.to_dict()
    assert list(found) == [*begun, "search", "errors", "learnt_nothing"]
    assert found["search"]["trials"][0]["settings"] == {"epochs": 3, "learning_rate": None}


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("task",), None, r"`task` is missing"),
        (("data", "files", 0, "examples"), "many", r"`data\.files\.0\.examples`: found 'many', expected a valid int"),
        (("errors", "worst", 0, "texts"), "a", r"`errors\.worst\.0\.texts`: found 'a', expected a valid list"),
        (("result", "num_examples"), None, r"`result\.num_examples` is missing"),
    ],
)
def test_a_damaged_record_is_answered_with_the_field(
    tmp_path: Path, place: tuple[Any, ...], value: Any, said: str
) -> None:
    content = json.loads(json.dumps(OLD))
    inner = content
    for name in place[:-1]:
        inner = inner[name]
    if value is None:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    with pytest.raises(InputError, match=rf"run\.json: {said}.*the file was edited"):
        read_run(written(tmp_path, content))
    assert run_of_model(tmp_path) is None, "as a MODEL it is an unknown folder"


def test_the_checksum_of_the_figures_is_that_of_the_test_file() -> None:
    files = [{"name": part, "part": part, "sha256": part[0]} for part in ("train", "dev", "test")]
    assert FinetuningFiles.model_validate({"files": files}).checksum_of_figures == "t"
    assert FinetuningFiles.model_validate({"files": files[:2]}).checksum_of_figures == "d"
    assert FinetuningFiles.model_validate({"files": files[:1]}).checksum_of_figures is None


def test_the_result_of_a_seed(tmp_path: Path) -> None:
    """Results of older versions have no loss trend, diverged seeds have no figures."""
    ended = {"seed": 1, "best_step": 2, "steps": 3, "dev": 0.5, "diverged": None, "metrics": {"accuracy": FIGURE}}
    for content in (ended | {"errors": ERRORS}, {"seed": 2, "diverged": "update 4: the loss is not finite"}):
        (tmp_path / "result.json").write_text(json.dumps(content))
        result = SeedResult.read(tmp_path / "result.json")
        assert result.loss is None and (result.metrics is None) == (content["seed"] == 2)
        assert text(result.to_dict()) == text(content)
    (tmp_path / "result.json").write_text('{"seed": 1')
    with pytest.raises(InputError, match=r"result\.json: .*expected the JSON that bertsmith wrote"):
        SeedResult.read(tmp_path / "result.json")


def test_a_trial_is_whole_from_its_beginning(tmp_path: Path) -> None:
    begun = Trial.new(3, {"epochs": 2})
    begun.write(tmp_path / "trial-3.json")
    content = json.loads((tmp_path / "trial-3.json").read_text())
    assert list(content) == ["number", "settings", "state", "dev", "why", "best_step", "steps", "seconds"]
    assert Trial.read(tmp_path / "trial-3.json") == begun and begun.state == "running"
