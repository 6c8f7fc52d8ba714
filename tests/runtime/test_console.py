"""Lines of progress that fit the terminal, and notes that are kept back."""

from __future__ import annotations

import io
import logging
import sys

import pytest
from rich.progress import Progress

from bertsmith.runtime import console
from bertsmith.runtime.console import BAR, SHORT_BAR, fitted, log_info, log_to_terminal, progress, quiet, warn

TRAINING = "45%  0:12 left  update 1,234  12,345 tokens/s  mlm 3.456  nsp 0.612  45% of peak"


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
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    drawn: list[Progress] = []
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(console, "FIRST_AFTER_SECONDS", -1.0)
    monkeypatch.setattr(Progress, "start", lambda self: drawn.append(self))
    logger = logging.getLogger("bertsmith")
    before = logger.handlers, logger.level, logger.propagate
    try:
        log_to_terminal()
        with progress("fine-tuning, seed 1 [of 2]", 1.0) as bar:
            bar.update(0.45, note="update 1,234  12,345 tokens/s  loss 0.123  macro f1 0.812  45% of peak")
            (shown,) = drawn
            lines = shown.console.render_lines(shown.get_renderable(), pad=False)
    finally:
        logger.handlers, logger.level, logger.propagate = before
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
