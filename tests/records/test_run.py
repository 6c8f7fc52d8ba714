"""run.json as a typed record: it comes back as it was, in its order, and files of other programs are ignored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertsmith.errors import InputError
from bertsmith.records.any_run import read_run, run_of_model
from bertsmith.records.pretraining import PairAudit, PretrainingRecord
from bertsmith.records.run import RunRecord

AUDIT: dict[str, Any] = {
    "pairs": 20, "is_next": 9, "not_next": 11, "forced_random": 0, "same_document_negatives": 1,
    "left_out_tokens": 15, "swap": False, "held_out_pairs": 0, "majority": None, "length_only": None,
}  # fmt: skip
OLD: dict[str, Any] = {
    "kind": "pretraining",
    "status": "finished",
    "command": "bertsmith pretrain STORE --out RUN",
    "options": {"from": None, "objective": "mlm+nsp", "mask_split": [80.0, 10.0, 10.0]},
    "choices": [{"name": "device", "value": "cpu", "reason": "torch sees no CUDA device"}],
    "precision": "fp32",
    "machine": {"cores": 2, "memory_gb": 25.3},
    "versions": {"torch": "2.13.0"},
    "data": {"store": "STORE", "checksum": "ab12", "tokens": 100, "examples": 20, "pairs": AUDIT},
    "budget": {"steps": 100, "minutes": None},
    "model": {
        "layers": 4, "hidden_size": 256, "attention_heads": 4, "intermediate_size": 1024, "max_positions": 512,
        "vocab_size": 4096, "parameters": 5_500_000,
    },
    "warnings": [],
    "evaluation": {"mlm_nats_per_masked_token": 4.75, "num_masked_tokens": 12, "num_pairs": 0},
    "samples": [{"before": "a ", "after": "", "predictions": [{"token": "b", "probability": 0.5}], "truth": "c"}],
}  # fmt: skip


def written(folder: Path, content: object) -> Path:
    (folder / "run.json").write_text(json.dumps(content))
    return folder


def test_a_file_without_version_comes_back_with_its_keys_in_their_order(tmp_path: Path) -> None:
    record = read_run(written(tmp_path, OLD))
    assert isinstance(record, PretrainingRecord)
    assert record.version == 0 and record.data.audit is not None and record.model.parameters == 5_500_000
    record.write(tmp_path / "again.json")
    again = json.loads((tmp_path / "again.json").read_text())
    figures = again.pop("evaluation")
    assert list(again.items()) == [(name, value) for name, value in OLD.items() if name != "evaluation"]
    assert OLD["evaluation"].items() <= figures.items()


def test_fields_are_written_in_the_order_given_and_later_ones_after_them(tmp_path: Path) -> None:
    record = PretrainingRecord(**OLD)
    record.untrained_heads = ["nsp"]
    record.status = "running"
    assert list(record.to_dict()) == [*OLD, "untrained_heads"]


@pytest.mark.parametrize("pairs", [None, 25, {"pairs": 20, "is_next": 9}])
def test_pairs_of_early_versions_have_no_audit_and_are_kept(tmp_path: Path, pairs: object) -> None:
    record = read_run(written(tmp_path, OLD | {"data": {**OLD["data"], "pairs": pairs}}))
    assert isinstance(record, PretrainingRecord)
    assert record.data.audit is None and record.to_dict()["data"]["pairs"] == pairs


def test_the_audit_is_typed() -> None:
    assert isinstance(PretrainingRecord(**OLD).data.pairs, PairAudit)


def test_a_damaged_record_is_answered_with_the_field(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run\.json: `model\.layers`: found 'four', expected a valid integer"):
        read_run(written(tmp_path, OLD | {"model": {**OLD["model"], "layers": "four"}}))
    with pytest.raises(InputError, match="`options` is missing"):
        read_run(written(tmp_path, {"kind": "pretraining", "data": {}}))


def test_the_record_of_a_model(tmp_path: Path) -> None:
    assert run_of_model(tmp_path) is None
    assert run_of_model(written(tmp_path, {"options": [], "data": {}})) is None
    assert isinstance(run_of_model(written(tmp_path, OLD)), PretrainingRecord)
    plain = run_of_model(written(tmp_path, {"options": {"model": "a"}, "data": {}}))
    assert type(plain) is RunRecord and plain.options["model"] == "a"


@pytest.mark.parametrize(("kind", "found"), [("other", "found 'other'"), ("", "is missing")])
def test_the_record_of_no_run_has_no_report(tmp_path: Path, kind: str, found: str) -> None:
    folder = written(tmp_path, {"kind": kind, "options": {"model": "a"}, "data": {}})
    with pytest.raises(InputError, match=rf"run\.json: `kind` {found}, expected pretraining or finetuning"):
        read_run(folder)
    assert type(run_of_model(folder)) is RunRecord, "a MODEL may have it all the same"
