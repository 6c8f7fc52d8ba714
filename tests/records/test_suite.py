"""suite.json as a typed record: it comes back as it was; damage is answered with the command that makes it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertsmith.errors import InputError
from bertsmith.records.suite import SuiteProtocol, SuiteRecord

METRICS = {"accuracy": {"mean": 0.6, "low": 0.5, "high": 0.7, "seeds": [0.6]}}
FIGURES = {"accuracy": {"value": 0.6, "low": None, "high": None}}
PROTOCOL = {
    "figures_of": "dev.tsv",
    "chosen_on": "dev.tsv",
    "selected_on_reported_data": True,
    "over_seeds": "mean",
    "seeds": 1,
}
FIRST = {"metrics": METRICS, "seeds": [0], "best_seed": 0, "protocol": PROTOCOL, "baseline": {"accuracy": 0.5}}
TRAINED = {
    **FIRST,
    "num_examples": 9,
    "num_train_examples": 5,
    "drawn_from": None,
    "diverged_seeds": [],
    "truncated_tokens": 0,
    "seconds": 0.4,
    "run": "glue/RTE",
    "figures": FIGURES,
    "score": 0.6,
}
MEASURED = {**FIRST, "num_examples": 9, "file": "AX.tsv", "run": "glue/MNLI", "sha256": "0", "figures": FIGURES, "score": 0.6}  # fmt: skip  # noqa: E501
OLD: dict[str, Any] = {
    "kind": "suite",
    "suite": "glue",
    "status": "finished",
    "command": "bertsmith finetune glue --model m",
    "options": {"model": "m", "tasks": None, "seeds": 1, "over_seeds": "mean"},
    "machine": {"cores": 2},
    "versions": {"torch": "2.13.0"},
    "tasks": {"RTE": TRAINED, "AX": MEASURED},
    "failures": {"CoLA": {"error": "DataError", "message": "dev.tsv: line 3"}},
    "to_do": [],
    "average": {"mean": 0.6, "low": None, "high": None, "over_seeds": "mean", "tasks": ["RTE"], "partial": True},
    "missing": ["SST-2"],
}


def written(folder: Path, content: object) -> Path:
    (folder / "suite.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder / "suite.json"


def test_a_file_without_version_comes_back_as_it_was(tmp_path: Path) -> None:
    record = SuiteRecord.read(written(tmp_path, OLD))
    assert record.version == 0 and record.model == "m" and record.tasks["AX"].seconds is None
    assert json.dumps(record.to_dict()) == json.dumps(OLD)


@pytest.mark.parametrize("lacking", ["suite", "missing", "tasks.RTE.seeds", "tasks.AX.score"])
def test_a_field_that_is_missing_is_named_with_the_command(tmp_path: Path, lacking: str) -> None:
    content = json.loads(json.dumps(OLD))
    *path, last = lacking.split(".")
    place = content
    for name in path:
        place = place[name]
    del place[last]
    again = r"with --overwrite or a different --out:\n  bertsmith finetune glue --model m$"
    with pytest.raises(InputError, match=rf"suite\.json: `{lacking}` is missing; the file was edited.*{again}"):
        SuiteRecord.read(written(tmp_path, content))


@pytest.mark.parametrize("content", ['{"suite": "gl', "", "[]"])
def test_a_file_that_is_cut_off(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError, match=r"suite\.json: .*The RUNs next to it can still be used"):
        SuiteRecord.read(written(tmp_path, content))


@pytest.mark.parametrize(
    ("over_seeds", "seeds", "same", "optimistic"),
    [("best", 3, True, True), ("best", 1, True, False), ("best", 3, False, False), ("mean", 3, True, False)],
)
def test_only_the_best_of_several_seeds_on_its_own_examples_is_optimistic(
    over_seeds: Any, seeds: int, same: bool, optimistic: bool
) -> None:
    protocol = SuiteProtocol(
        figures_of="dev", chosen_on="dev", selected_on_reported_data=same, over_seeds=over_seeds, seeds=seeds
    )
    assert protocol.is_optimistic is optimistic
