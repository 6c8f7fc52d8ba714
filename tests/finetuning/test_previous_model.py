"""The figures of the model before are taken if they are of the same file, and else left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.previous_model import find_previous_model
from bertsmith.records.labelled_files import FinetuningFiles

TASK = "sequence-classification"
FIGURE = {"mean": 0.8, "low": 0.7, "high": 0.9, "seeds": [0.8]}


def files(dev: str | None = "same", test: str | None = None) -> list[dict[str, Any]]:
    parts = {"train": "any", "dev": dev, "test": test}
    return [
        {"name": part, "part": part, "sha256": checksum}
        for part, checksum in parts.items()
        if part != "test" or checksum
    ]


def write(folder: Path, **values: Any) -> None:
    folder.mkdir()
    record = {"kind": "finetuning", "task": TASK, "status": "finished", "options": {}, "metrics": {"accuracy": FIGURE}}
    (folder / "run.json").write_text(json.dumps({**record, "data": {"files": files()}, **values}))


def before(tmp_path: Path, *, found: Any = None, overwrite: bool = True) -> dict[str, Any] | None:
    options = FinetuneOptions.build(
        {"task": TASK, "model": str(tmp_path / "model"), "train": "t", "dev": "d", "out": tmp_path / "out"}
        | {"overwrite": overwrite}
    )
    before = find_previous_model(options, FinetuningFiles.model_validate({"files": found or files()}))
    return None if before is None else before.to_dict()


def test_the_run_that_is_replaced(tmp_path: Path) -> None:
    write(tmp_path / "out")
    expected = {"accuracy": {"mean": 0.8, "low": 0.7, "high": 0.9}}
    assert before(tmp_path) == {"name": f"{tmp_path / 'out'}, now replaced", "metrics": expected}
    assert before(tmp_path, overwrite=False) is None


def test_the_run_that_it_starts_from(tmp_path: Path) -> None:
    write(tmp_path / "model")
    found = before(tmp_path)
    assert found is not None and found["name"] == str(tmp_path / "model")


@pytest.mark.parametrize(
    "values", [{"task": "token-classification"}, {"status": "interrupted"}, {"data": {"files": files("other")}}]
)
def test_figures_of_another_kind_are_left_alone(values: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path / "out", **values)
    assert before(tmp_path) is None


def test_the_test_file_counts_if_there_is_one(tmp_path: Path) -> None:
    write(tmp_path / "out", data={"files": files("other", "same")})
    assert before(tmp_path, found=files("this", "same")) is not None
    assert before(tmp_path, found=files("other", "new")) is None
    assert before(tmp_path, found=files("other")) is None, "dev figures are not figures of a test file"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"options": {}, "data": {}}'])
def test_a_damaged_record_is_no_reason_to_stop(content: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").write_text(content)
    assert before(tmp_path) is None
    assert before(tmp_path, found=files(None)) is None
