"""Lines of metrics.jsonl and TensorBoard events, without a Trainer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertsmith.training.budget import Budget
from bertsmith.training.monitoring import LogEvent, Monitor
from bertsmith.training.training_plan import Work
from bertsmith.training.update_sampler import Update


def make_monitor(file: Path, work: Work | None = None, log_event: LogEvent | None = None) -> Monitor:
    budget = Budget(steps=10, seconds=6.12345)
    return Monitor(file, title="a test", budget=budget, step=0, work=work, log_event=log_event)


def log_one_update(monitor: Monitor) -> None:
    monitor.start_update()
    monitor.stop_update()
    monitor.seconds = 2.0
    monitor.log_update(
        Update(0, 0, 4),
        {"mlm_loss": 4.5},
        step=3,
        tokens=100,
        tokens_seen=300,
        gradient_norm=1.5,
        learning_rate=1e-3,
    )


def test_the_columns_of_an_update_and_of_an_evaluation(tmp_path: Path) -> None:
    file, events = tmp_path / "metrics.jsonl", list[dict[str, Any]]()
    with make_monitor(file, log_event=events.append) as monitor:
        log_one_update(monitor)
        monitor.log_evaluation(3, {"evaluation": {"loss": 2.0, "nsp": None}, "general_evaluation": {"loss": 5.0}})
    update, evaluation = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
    assert list(update.items()) == [
        ("step", 3),
        ("tokens_seen", 300),
        ("mlm_loss", 4.5),
        ("grad_norm", 1.5),
        ("learning_rate", 1e-3),
        ("tokens_per_second", 50.0),
        ("seconds", 6.123),
    ]
    assert evaluation == {"step": 3, "evaluation": {"loss": 2.0, "nsp": None}, "general_evaluation": {"loss": 5.0}}
    del update["step"]
    assert events == [update, {"eval_loss": 2.0, "general_loss": 5.0}]


def test_lines_are_appended_by_the_first_process_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"step": 2}\n', encoding="utf-8")
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        with make_monitor(file) as monitor:
            log_one_update(monitor)
    assert [json.loads(line)["step"] for line in file.read_text(encoding="utf-8").splitlines()] == [2, 3]


def test_the_share_of_the_peak(tmp_path: Path) -> None:
    work = Work(flops=lambda update: 50.0 * update.examples, peak=1000.0)
    with make_monitor(tmp_path / "metrics.jsonl", work) as monitor:
        assert monitor.peak_share() is None, "no update has been made"
        log_one_update(monitor)
        assert monitor.peak_share() == 0.1
