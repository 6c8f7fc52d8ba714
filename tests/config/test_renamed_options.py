"""Options that were renamed: runs of earlier versions are resumed, and the old names are answered with the new ones."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bertsmith as package
from bertsmith.config.pretrain import PretrainOptions
from bertsmith.errors import OptionError


def test_options_of_an_earlier_run_are_read() -> None:
    old = {"store": "s", "out": "r", "auto_batch": True, "steps": 5, "size": None}
    assert PretrainOptions.of_record(old) == PretrainOptions(store="s", out="r", auto_micro_batch=True, steps=5)


@pytest.mark.parametrize("auto_batch", [False, True])
def test_a_run_of_an_earlier_version_is_resumed_and_reported(
    store: Path, tiny: dict[str, Any], tmp_path: Path, auto_batch: bool
) -> None:
    run = Path(package.pretrain(store, out=tmp_path / "run", steps=2, **tiny).run)
    record = json.loads((run / "run.json").read_text())
    assert record["options"].pop("auto_micro_batch") is False
    record["options"]["auto_batch"] = auto_batch
    (run / "run.json").write_text(json.dumps(record))
    package.report(run)
    result = package.pretrain(store, out=run, resume=True, steps=3)
    assert (result.resumed_from_step, result.steps) == (2, 3)
    options = json.loads((run / "run.json").read_text())["options"]
    assert options["auto_micro_batch"] is auto_batch and "auto_batch" not in options


def test_old_names_are_answered_on_every_way_in(bertsmith: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("auto_batch: true\n")
    for given in (["--auto-batch"], ["--set", "auto-batch=true"], ["--config", file]):
        answer = bertsmith("pretrain", "STORE", "--out", tmp_path / "run", *given)
        assert answer.code == 2 and "; it is called --auto-micro-batch now" in answer.stderr
    answer = bertsmith("score", "--set", "gold=labels.csv")
    assert answer.code == 2 and "there is no option 'gold'; it is called labels now" in answer.stderr
    with pytest.raises(OptionError, match="there is no option 'gold'; it is called labels now"):
        package.score("token-classification", gold="labels.conll", predictions="predicted.conll")


def test_score_calls_its_second_argument_labels(bertsmith: Callable[..., Any], tmp_path: Path) -> None:
    labels, predicted = tmp_path / "labels.conll", tmp_path / "predicted.conll"
    labels.write_text("a B-X\nb O\n")
    predicted.write_text("a B-X\nb O\n")
    by_keyword = package.score("token-classification", labels=labels, predictions=predicted)
    by_setting = bertsmith("score", "token-classification", "--set", f"labels={labels}", "--set",
                           f"predictions={predicted}", "--json")  # fmt: skip
    assert by_setting.json == by_keyword.to_dict()
    assert list(inspect.signature(package.score).parameters)[:3] == ["task", "labels", "predictions"]
    assert "score TASK LABELS PREDICTIONS [OPTIONS]" in bertsmith("score", "--help").stdout
