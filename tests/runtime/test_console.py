"""Lines of progress that fit the terminal, and notes that are kept back."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from rich.progress import Progress

from bertsmith.runtime import console
from bertsmith.runtime.console import (
    BAR,
    SHORT_BAR,
    fitted,
    log_detail,
    log_info,
    log_to_terminal,
    progress,
    quiet,
    warn,
)

TRAINING = "45%  0:12 left  update 1,234  12,345 tokens/s  mlm 3.456  nsp 0.612  45% of peak"


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


@contextmanager
def terminal_logging(*, verbose: bool = False) -> Iterator[None]:
    """Notes go to standard error, as on the command line, until the block ends."""
    logger = logging.getLogger("bertsmith")
    before = logger.handlers, logger.level, logger.propagate
    try:
        log_to_terminal(verbose=verbose)
        yield
    finally:
        logger.handlers, logger.level, logger.propagate = before


@pytest.mark.parametrize("width", [*range(1, 60), 72, 80, 100, 120, 200])
@pytest.mark.parametrize("title", ["fine-tuning, seed 12", "a", "a title that is much longer than most titles are"])
def test_a_line_of_progress_is_never_longer_than_the_terminal(width: int, title: str) -> None:
    shown, bar, text = fitted(title, TRAINING, width)
    assert len(f"{shown} {'━' * bar} {text}") <= max(width, 5)


def test_what_is_left_out_first() -> None:
    parts = TRAINING.split("  ")
    assert fitted("pre-training", TRAINING, 200) == ("pre-training", BAR, TRAINING)
    assert fitted("pre-training", TRAINING, 80) == ("pre-training", SHORT_BAR, "  ".join(parts[:5]))
    assert fitted("pre-training", TRAINING, 40) == ("pre-training", SHORT_BAR, "  ".join(parts[:2]))
    assert fitted("pre-training:", TRAINING, 80, bar=0)[1:] == (0, "  ".join(parts[:5])), "a line of a log"


@pytest.mark.parametrize("width", [80, 60, 30])
def test_the_bar_on_a_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Progress] = []
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(console, "FIRST_AFTER_SECONDS", -1.0)
    monkeypatch.setattr(Progress, "start", lambda self: drawn.append(self))
    with terminal_logging(), progress("fine-tuning, seed 1 [of 2]", 1.0) as bar:
        bar.update(0.45, note="update 1,234  12,345 tokens/s  loss 0.123  macro f1 0.812  45% of peak")
        (shown,) = drawn
        lines = shown.console.render_lines(shown.get_renderable(), pad=False)
    (line,) = lines
    written = "".join(segment.text for segment in line)
    assert len(written.rstrip()) <= width and "fine-tuning, seed 1 [o" in written and "45%" in written
    assert ("…" in written) == (width == 30), "only the title is cut, and last"


def test_quiet_keeps_notes_and_warnings_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="bertsmith")
    with quiet():
        log_info("a note")
        warn("a warning")
    warn("another")
    assert [record.getMessage() for record in caplog.records] == ["warning: another"]


def test_long_words_are_shortened(caplog: pytest.LogCaptureFixture) -> None:
    warn(f"the label {'iVBORw0KGgo' * 500} is rare")
    (record,) = caplog.records
    assert record.getMessage().startswith("warning: the label iVBORw0KGgo") and len(record.getMessage()) < 130
    assert record.getMessage().endswith("… (5,500 characters) is rare")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the console sees: `clock[0] = 20.0` sets it."""
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    return now


def test_one_bar_is_drawn_at_a_time(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(Progress, "start", lambda self: drawn.append(f"start {self.tasks[0].description}"))
    monkeypatch.setattr(Progress, "stop", lambda self: drawn.append(f"stop {self.tasks[0].description}"))
    monkeypatch.setattr(sys, "stderr", Terminal())
    with terminal_logging(), progress("reading", 10) as first, progress("cleaning", 10) as second:
        clock[0] = 3.0
        first.update(1)
        clock[0] = 3.5
        second.update(1)
        assert drawn == ["start reading"]
        clock[0] = 5.0
        second.update(2)
        assert drawn == ["start reading", "stop reading", "start cleaning"]
    assert drawn[-1] == "stop cleaning" and len(drawn) == 4


def test_a_log_has_fewer_lines_the_longer_the_work_takes(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    with terminal_logging(), progress("pre-training", 1.0) as bar:
        for second in range(86_400):
            clock[0] = float(second)
            bar.update(second / 86_400, note="mlm 3.456")
            if second == 300:
                assert len(written.getvalue().splitlines()) == 20
    lines = written.getvalue().splitlines()
    assert 100 < len(lines) < 250
    assert lines[-1].startswith("pre-training: 99%") and lines[-1].endswith("mlm 3.456")


def test_details_are_printed_only_if_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    for verbose in (False, True):
        with terminal_logging(verbose=verbose):
            log_info("a note")
            log_detail("a detail")
        assert capsys.readouterr().err.splitlines() == ["a note", *(["a detail"] if verbose else [])]
