"""The run.json of a pre-training: its keys, the files of the version before, and those of other kinds of run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bertsmith.errors import InputError
from bertsmith.records.pretraining import PretrainingRecord
from bertsmith.records.run import VERSION
from bertsmith.training.recorded_run import RecordedRun
from bertsmith.verbs.pretrain import pretrain
from bertsmith.verbs.report import report

Weights = dict[str, Any]
KEYS = [
    "version", "kind", "status", "command", "options", "choices", "precision", "streams", "size", "learning_rate",
    "processes", "matmul_peak_gflops", "memory_forecast_bytes", "machine", "versions", "data", "budget",
    "fresh_mlm_head", "untrained_heads", "model", "unigram_counts", "warnings", "evaluation_before", "evaluation",
    "result", "samples",
]  # fmt: skip


def record_in(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "run.json").read_text())
    return found


def test_the_file_has_its_keys_in_their_order(run: Path) -> None:
    record = record_in(run)
    assert list(record) == KEYS and record["version"] == VERSION
    assert PretrainingRecord.read(run / "run.json").to_dict() == record


def test_a_run_of_the_version_before_is_resumed_and_reported(
    run: Path, tmp_path: Path, store: Path, tiny: dict[str, Any], weights_of: Callable[[Path], Weights],
    assert_identical: Callable[[Weights, Weights], None],
) -> None:  # fmt: skip
    old = tmp_path / "old"
    shutil.copytree(run, old)
    record = record_in(old)
    del record["version"]
    (old / "run.json").write_text(json.dumps({**record, "of_a_later_version": [1]}))
    report(old)
    assert "version" not in record_in(old), "a report changes nothing"
    assert pretrain(store, out=old, resume=True, steps=12).resumed_from_step == 10
    found = record_in(old)
    assert found["version"] == VERSION and found["of_a_later_version"] == [1]
    assert found.keys() - {"of_a_later_version"} == set(KEYS)
    pretrain(store, out=tmp_path / "new", steps=10, **tiny)
    pretrain(store, out=tmp_path / "new", resume=True, steps=12)
    assert_identical(weights_of(old), weights_of(tmp_path / "new"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "finetuning"}, r"`kind`: found 'finetuning', expected 'pretraining'"),
        ({"data": []}, r"`data`"),
        ({"model": {"layers": 1}}, r"`model.hidden_size` is missing"),
        ({"status": "ended"}, r"`status`: found 'ended', expected 'running', 'interrupted' or 'finished'"),
    ],
)
def test_a_record_that_is_no_pre_training_is_not_resumed(
    run: Path, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "run.json").write_text(json.dumps(record_in(run) | change))
    with pytest.raises(InputError, match=rf"run\.json: {said}"):
        RecordedRun(out, PretrainingRecord).claim(overwrite=False, resume=True, verb="pretrain")
