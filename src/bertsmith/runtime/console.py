"""What a person sees while a verb works: notes, warnings, and progress on standard error, of the first process.

Standard output belongs to the result alone. Notes are log records of the logger "bertsmith": the command line prints
them, in Python they follow the logging configuration (warnings are shown, notes are not, unless asked for).
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from bertsmith.errors import readable, shortened
from bertsmith.runtime.processes import is_main

if TYPE_CHECKING:
    from rich.progress import BarColumn, TaskID
    from rich.progress import Progress as RichProgress

_logger = logging.getLogger("bertsmith")

FIRST_AFTER_SECONDS = 2.0
PLAIN_EVERY_SECONDS = 15.0
PLAIN_WIDTH = 80
"""Characters of a line of progress without a terminal."""
BAR, SHORT_BAR = 24, 8


_said: set[str] = set()
"""Messages that are printed once in a process, however often the same file is read."""


def log_info(message: str, *, once: bool = False) -> None:
    """A note: an automatic choice, what was detected, where something was written."""
    if is_main() and not _logger.disabled and not (once and _is_repeated(message)):
        _logger.info(readable(message))


def warn(message: str, *, once: bool = False) -> None:
    """Something that the user should look at, though the work goes on."""
    if is_main() and not _logger.disabled and not (once and _is_repeated(message)):
        _logger.warning("warning: %s", readable(message))


@contextmanager
def quiet() -> Iterator[None]:
    """Neither notes nor warnings: for work that is done again later, when they are printed."""
    before = _logger.disabled
    _logger.disabled = True
    try:
        yield
    finally:
        _logger.disabled = before


def _is_repeated(message: str) -> bool:
    repeated = message in _said
    _said.add(message)
    return repeated


class _StandardError(logging.StreamHandler[TextIO]):
    """Standard error as it is at the time of writing: a progress bar stands in for it while it is drawn."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def log_to_terminal() -> None:
    """Send notes and warnings to standard error: what the command line does first."""
    handler = _StandardError()
    handler.setFormatter(logging.Formatter("%(message)s"))
    _logger.handlers = [handler]
    _logger.setLevel(logging.INFO)
    _logger.propagate = False


class Progress(Protocol):
    """What the work calls while it goes on."""

    def update(self, done: float, *, total: float | None = None, note: str = "") -> None:
        """`done` of `total` units are done; `note` is shown behind the bar."""


class _Silent:
    def update(self, done: float, *, total: float | None = None, note: str = "") -> None:
        """Nobody watches."""


class _Plain:
    """A line every quarter of a minute, for logs and pipes."""

    def __init__(self, title: str, total: float | None, unit: str, already: float) -> None:
        self.title, self.total, self.unit, self.already = title, total, unit, already
        self.started = self.said = time.monotonic()

    def update(self, done: float, *, total: float | None = None, note: str = "") -> None:
        self.total = total if total is not None else self.total
        now = time.monotonic()
        if now - self.said < PLAIN_EVERY_SECONDS:
            return
        self.said = now
        words = describe(done, self.total, now - self.started, self.unit, self.already)
        title, _, text = fitted(f"{self.title}:", f"{words}  {note}", PLAIN_WIDTH, bar=0)
        log_info(f"{title} {text}")


def describe(done: float, total: float | None, seconds: float, unit: str, already: float = 0.0) -> str:
    """Share, rate and time left in words: `45%  1,200 documents/s  0:12 left`; `already` was done before."""
    rate = (done - already) / seconds if seconds > 0 else 0.0
    parts = []
    if total:
        parts.append(f"{min(done / total, 1):.0%}")
    if unit:
        parts.append(f"{rate:,.0f} {unit}/s" if rate >= 10 else f"{rate:.1f} {unit}/s")
    if total and rate > 0:
        parts.append(f"{clock(max(total - done, 0) / rate)} left")
    return "  ".join(parts)


def fitted(title: str, text: str, width: int, bar: int = BAR) -> tuple[str, int, str]:
    """Title, width of the bar and text of a line of progress that is never longer than `width`.

    The bar becomes shorter first. Then the parts of the text, which have two spaces between them, are left out from
    the last one on, and only then is the title cut. A line without a bar has `bar` 0.
    """
    parts = [part.strip() for part in text.split("  ") if part.strip()]
    if _length(title, bar, parts) > width:
        bar = min(bar, SHORT_BAR)
    while parts[1:] and _length(title, bar, parts) > width:
        parts.pop()
    if _length(title, bar, parts) > width:
        bar = min(bar, 1)
    over = _length(title, bar, parts) - width
    if over > 0:
        title = shortened(title, max(len(title) - over, 1))
    if _length(title, bar, parts) > width:
        parts = []
    return title, bar, "  ".join(parts)


def _length(title: str, bar: int, parts: list[str]) -> int:
    """Characters of the line: a space between its columns, and the last column of the terminal stays free."""
    return len(title) + (bar and bar + 1) + 1 + len("  ".join(parts)) + 1


def format_bytes(count: int) -> str:
    """Bytes as people read them: 12.3 GB, 4.5 MB."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def clock(seconds: float) -> str:
    """`75.2` is `1:15`, `3700` is `1:01:40`."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


class _Bar:
    """A bar on a terminal (rich); it appears once the work has taken two seconds, and leaves no trace."""

    def __init__(self, title: str, total: float | None, unit: str, already: float) -> None:
        self.title, self.total, self.unit, self.already = title, total, unit, already
        self.started = time.monotonic()
        self.bar: RichProgress | None = None
        self.task: TaskID | None = None
        self.column: BarColumn | None = None

    def update(self, done: float, *, total: float | None = None, note: str = "") -> None:
        self.total = total if total is not None else self.total
        seconds = time.monotonic() - self.started
        if seconds < FIRST_AFTER_SECONDS:
            return
        from rich.markup import escape

        if self.bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as RichProgress

            self.column = BarColumn(bar_width=BAR)
            self.bar = RichProgress(
                TextColumn("{task.description}"),
                self.column,
                TextColumn("{task.fields[words]}"),
                console=Console(stderr=True),
                transient=True,
                refresh_per_second=4,
            )
            self.task = self.bar.add_task(self.title, total=self.total, words="")
            self.bar.start()
        words = describe(done, self.total, seconds, self.unit, self.already)
        assert self.task is not None and self.column is not None
        title, self.column.bar_width, text = fitted(self.title, f"{words}  {note}", self.bar.console.width)
        self.bar.update(self.task, completed=done, total=self.total, description=escape(title), words=escape(text))

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()


@contextmanager
def progress(title: str, total: float | None = None, *, unit: str = "", already: float = 0.0) -> Iterator[Progress]:
    """Progress of one piece of work: a bar on a terminal, a line now and then elsewhere, nothing without a listener.

    `already` is what an interrupted run had done before: the time left follows from what is done now.
    """
    if not is_main() or not _logger.isEnabledFor(logging.INFO) or not _logger.handlers:
        yield _Silent()
    elif sys.stderr.isatty():
        bar = _Bar(title, total, unit, already)
        try:
            yield bar
        finally:
            bar.close()
    else:
        yield _Plain(title, total, unit, already)
