"""A first signal asks for the end, a second Control-C stops at once, and the handlers are given back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bertsmith.training.signals import StopRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted_and_the_work_goes_on(number: signal.Signals) -> None:
    with StopRequest() as stop:
        assert stop.requested is None
        os.kill(os.getpid(), number)
        assert stop.requested == number.name


def test_a_second_control_c_stops_at_once() -> None:
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert stop.requested == "SIGINT"


def test_a_control_c_after_sigterm_stops_at_once_and_another_sigterm_does_not() -> None:
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested == "SIGTERM"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_the_handlers_are_given_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(ValueError, match="inside"), StopRequest():
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) != before
        raise ValueError("inside")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_in_another_thread_no_handler_is_set() -> None:
    """Python sets handlers in the main thread alone."""
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with StopRequest() as stop:
                assert stop.requested is None
        except BaseException as error:  # noqa: BLE001 - handed to the main thread
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failed


def test_a_forked_worker_leaves_control_c_to_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal sends it to the whole group of processes, and workers inherit the handler."""
    with StopRequest() as stop:
        process = os.getpid()
        monkeypatch.setattr(os, "getpid", lambda: process + 1)
        os.kill(process, signal.SIGINT)
        os.kill(process, signal.SIGINT)
        assert stop.requested is None


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_to_the_whole_group_leaves_the_workers_to_their_parent(
    little_store: Path, options: dict[str, Any], tmp_path: Path, number: signal.Signals
) -> None:
    """As a terminal's Control-C and a cluster's end of time send it: the update is finished, a checkpoint is saved."""
    run = tmp_path / "run"
    values = {**options, "out": run, "steps": 100_000, "workers": 2, "eval_every": 100_000, "save_every": 100_000}
    words = [str(word) for name, value in values.items() for word in (f"--{name.replace('_', '-')}", value)]
    command = [sys.executable, "-m", "bertsmith", "pretrain", str(little_store), *words]
    with (tmp_path / "stderr").open("wb") as stderr:
        started = subprocess.Popen(command, stdout=stderr, stderr=stderr, start_new_session=True)
        metrics = run / "metrics.jsonl"
        while not (metrics.is_file() and metrics.read_text().count("\n") > 3):
            assert started.poll() is None, (tmp_path / "stderr").read_text()
            time.sleep(0.1)
        os.killpg(started.pid, number)
        assert started.wait(120) == 130
    said = (tmp_path / "stderr").read_text()
    assert "Traceback" not in said and f"stopped by {number.name} after update" in said
    assert len(list((run / "checkpoints").iterdir())) == 1
