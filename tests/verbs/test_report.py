"""report: a RUN that is watched while it trains, and what is refused."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bertsmith.verbs.report as verb
from bertsmith.errors import InputError, Interrupted, OptionError
from bertsmith.verbs.report import report

LIVE = 'http-equiv="refresh"'


class Training:
    """A RUN as it looks while it trains; `then` are called one after the other where the watcher sleeps."""

    def __init__(self, finished: Path, folder: Path) -> None:
        shutil.copytree(finished, folder)
        self.folder, self.page = folder, folder / "report.html"
        self.page.unlink()
        self.record: dict[str, Any] = json.loads((folder / "run.json").read_text())
        self.lines = (folder / "metrics.jsonl").read_text().splitlines()
        self.save("running")
        self.log(4)
        self.then: list[Callable[[], None]] = []
        self.pages: list[str] = []

    def save(self, status: str) -> None:
        (self.folder / "run.json").write_text(json.dumps({**self.record, "status": status}))

    def log(self, step: int) -> None:
        """The lines up to this update."""
        kept = [line for line in self.lines if json.loads(line)["step"] <= step]
        (self.folder / "metrics.jsonl").write_text("".join(f"{line}\n" for line in kept))

    def sleep(self, seconds: float) -> None:
        self.pages.append(self.page.read_text())
        self.then.pop(0)()


@pytest.fixture
def training(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Training:
    found = Training(run, tmp_path / "run")
    monkeypatch.setattr(verb.time, "sleep", found.sleep)
    return found


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The notes and warnings so far, without the details."""
    caplog.set_level(logging.INFO, "bertsmith")
    return lambda: [record.getMessage() for record in caplog.records]


def test_the_page_is_drawn_when_something_is_new_until_the_run_ends(
    training: Training, said: Callable[[], list[str]]
) -> None:
    def nothing() -> None:
        training.page.write_text("not drawn again")

    training.then = [nothing, lambda: training.log(7), lambda: training.save("finished")]
    assert report(training.folder, watch=True).report == training.page
    first, unchanged, second = training.pages
    assert LIVE in first and LIVE in second and unchanged == "not drawn again"
    assert "training: update 4 of 10, 40% done" in first and "training: update 7 of 10, 70% done" in second
    last = training.page.read_text()
    assert LIVE not in last and "This run is training" not in last and "10 updates" in last
    assert len(said()) == 3, "a line for each drawing"
    assert said()[0].startswith(f"{training.page}: update 4 of 10, 40% done, about 0:")
    assert said()[-1] == f"{training.page}: the run is finished"


@pytest.mark.parametrize("status", ["finished", "interrupted"])
def test_a_run_that_has_ended_is_drawn_once(training: Training, status: str) -> None:
    training.save(status)
    report(training.folder, watch=True)
    assert training.pages == [], "it does not wait"
    page = training.page.read_text()
    assert LIVE not in page
    assert ("is not finished (interrupted): update 4 of 10" in page) == (status == "interrupted")


def test_control_c_ends_the_watching_and_leaves_a_still_page(training: Training, bertsmith: Callable[..., Any]) -> None:
    def control_c() -> None:
        training.log(7)
        raise KeyboardInterrupt

    training.then = [control_c, control_c]
    answer = bertsmith("report", training.folder, "--watch")
    assert answer.code == 130 and answer.stdout == ""
    assert "Stopped watching. The run continues" in answer.stderr and "error" not in answer.stderr
    page = training.page.read_text()
    assert LIVE not in page and "update 7 of 10" in page, "it is drawn a last time"
    with pytest.raises(Interrupted):
        report(training.folder, watch=True)


def test_a_run_that_is_being_replaced_is_waited_for(training: Training) -> None:
    training.then = [
        lambda: (training.folder / "run.json").unlink(),
        lambda: training.save("running"),
        lambda: training.save("finished"),
    ]
    report(training.folder, watch=True)
    assert len(training.pages) == 3


def test_a_page_that_is_written_by_the_run_at_the_same_time_is_whole(
    training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watcher has its file half written when the run, another process, writes and names its own."""
    import os

    real = Path.write_text

    def write_text(path: Path, *arguments: Any, **options: Any) -> int:
        if path.name.startswith(".report.html") and not nested:
            nested.append(path)
            path.touch()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(os, "getpid", lambda: 1)
                verb.write_report(training.folder)
        return real(path, *arguments, **options)

    nested: list[Path] = []
    monkeypatch.setattr(Path, "write_text", write_text)
    verb.write_report(training.folder)
    assert nested and training.page.read_text().rstrip().endswith("</html>")


def test_a_fine_tuning_shows_its_newest_seed(training: Training) -> None:
    folder = training.folder
    lines = [{"step": step, "loss": 0.7 - step / 100, "learning_rate": 1e-4, "seconds": step} for step in range(1, 7)]
    for seed, count in (("seed-9", 6), ("seed-10", 3)):
        (folder / "seeds" / seed).mkdir(parents=True)
        text = "".join(json.dumps(line) + "\n" for line in lines[:count])
        (folder / "seeds" / seed / "metrics.jsonl").write_text(text)
    (folder / "metrics.jsonl").unlink()
    training.record |= {"kind": "finetuning", "task": "sequence-classification", "data": {"files": [], "labels": {}}}
    training.record["options"]["model"] = "runs/books"
    del training.record["budget"], training.record["result"]
    training.save("running")

    def check() -> None:
        page = training.page.read_text()
        assert "training: update 3." in page and "Training loss of the current training" in page
        raise KeyboardInterrupt

    training.then = [check]
    with pytest.raises(Interrupted):
        report(folder, watch=True)


def test_what_cannot_be_watched_is_refused(store: Path, tmp_path: Path, bertsmith: Callable[..., Any]) -> None:
    with pytest.raises(OptionError, match=f"--watch: found a STORE in {store}, expected a RUN"):
        report(store, watch=True)
    with pytest.raises(InputError, match="found nothing to report, expected a STORE"):
        report(tmp_path, watch=True)
    assert bertsmith("report", tmp_path, "--watch").code == 2
    assert list(tmp_path.iterdir()) == []
