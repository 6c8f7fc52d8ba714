"""Notes, details, warnings and progress on standard error, printed by the first process.

Standard output holds only the result. All messages are log records of the logger "bertsmith": notes are INFO, details
(shown with `--verbose`) are DEBUG, warnings are WARNING. The command line prints them; in Python they follow the
logging configuration, which shows only warnings by default.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Protocol, TextIO

from bertsmith.errors import readable, shortened
from bertsmith.runtime.processes import is_main

if TYPE_CHECKING:
    from rich.progress import BarColumn, TaskID
    from rich.progress import Progress as RichProgress

_logger = logging.getLogger("bertsmith")

WIDTH = 80
"""Columns of everything that is printed for people; paths and commands may be longer."""
FIRST_AFTER_SECONDS = 2.0
PLAIN_EVERY_SECONDS, PLAIN_EVERY_SHARE, PLAIN_AT_LEAST_EVERY_SECONDS = 15.0, 0.05, 600.0
"""In a log, progress is printed every 15 seconds, later whenever the elapsed time has grown by 5%, and at least every
10 minutes: 20 lines for 5 minutes, 70 for an hour, some 190 for a day."""
BAR, SHORT_BAR = 24, 8
LABEL = 16
"""A first word shorter than this stays on the same line as the next word."""


_printed_once: set[str] = set()
"""Messages logged with `once`, which are not repeated however often the same file is read."""


def log_info(message: str, *, once: bool = False) -> None:
    """Print a note that every user needs: what is done, on which data, where the output is."""
    if _is_wanted(logging.INFO, message, once):
        _logger.info(readable(message))


def log_detail(message: str, *, once: bool = False) -> None:
    """Print a note only with `--verbose`: an automatic choice with its reason, what was detected in a file."""
    if _is_wanted(logging.DEBUG, message, once):
        _logger.debug(readable(message))


def warn(message: str, *, once: bool = False) -> None:
    """Print a warning: the work continues, but the user should look at something."""
    if _is_wanted(logging.WARNING, message, once):
        _logger.warning("warning: %s", readable(message))


def _is_wanted(level: int, message: str, once: bool) -> bool:
    return is_main() and _logger.isEnabledFor(level) and not (once and _is_repeated(message))


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back notes and warnings of work that is repeated later, when they are printed."""
    before = _logger.disabled
    _logger.disabled = True
    try:
        yield
    finally:
        _logger.disabled = before


def _is_repeated(message: str) -> bool:
    repeated = message in _printed_once
    _printed_once.add(message)
    return repeated


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to the current sys.stderr, which a progress bar replaces while it is drawn.

    In a terminal, long lines are wrapped between words. In a file each message keeps its lines.
    """

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        return wrapped(message) if sys.stderr.isatty() else message


def wrapped(message: str) -> str:
    """A message with lines of less than 80 columns, broken between words.

    Continuation lines are indented by two spaces. Commands, on lines that begin with two spaces, stay whole. So does
    a label with the long path after it: `Train: PATH`.
    """
    lines: list[str] = []
    for paragraph in message.split("\n"):
        lines.append(paragraph)
        while len(lines[-1]) >= WIDTH and not paragraph.startswith("  "):
            end = _end_of_line(lines[-1])
            if end is None:
                break
            lines[-1:] = [lines[-1][:end], f"  {lines[-1][end:].strip()}"]
    return "\n".join(lines)


def _end_of_line(text: str) -> int | None:
    """Where to break a text that is too long for a line; None if it cannot be broken."""
    start = len(text) - len(text.lstrip())
    end = text.rfind(" ", start, WIDTH)
    label_only = end - start < LABEL and " " not in text[start:end]
    if end <= start or label_only:
        end = text.find(" ", max(end + 1, WIDTH))
    return None if end <= start else end


def log_to_terminal(*, verbose: bool = False) -> None:
    """Print notes and warnings, with `verbose` also details, on standard error; called first by the command line."""
    _logger.handlers = [_StandardError()]
    _logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    _logger.propagate = False


def print_error(message: str) -> None:
    """Print an error on standard error, wrapped as notes are."""
    sys.stderr.write((wrapped(message) if sys.stderr.isatty() else message) + "\n")


class Progress(Protocol):
    """Receives the progress of one piece of work."""

    def update(self, done: float, *, total: float | None = None, note: str = "") -> None:
        """Show that `done` of `total` units are done; `note` follows the share and the rate."""


class _Silent:
    def update(self, done: float, *, total: float | None = None, note: str = "") -> None:
        """Print nothing."""


class _Plain:
    """Prints a line now and then, for logs and pipes."""

    def __init__(self, title: str, total: float | None, unit: str, already: float) -> None:
        self.title, self.total, self.unit, self.already = title, total, unit, already
        self.started = self.printed = time.monotonic()

    def update(self, done: float, *, total: float | None = None, note: str = "") -> None:
        self.total = total if total is not None else self.total
        now = time.monotonic()
        pause = max(PLAIN_EVERY_SECONDS, PLAIN_EVERY_SHARE * (now - self.started))
        if now - self.printed < min(pause, PLAIN_AT_LEAST_EVERY_SECONDS):
            return
        self.printed = now
        words = describe(done, self.total, now - self.started, self.unit, self.already)
        title, _, text = fitted(f"{self.title}:", f"{words}  {note}", WIDTH, bar=0)
        log_info(f"{title} {text}")


def describe(done: float, total: float | None, seconds: float, unit: str, already: float = 0.0) -> str:
    """Describe share, rate and time left: `45%  1,200 documents/s  0:12 left`.

    `already` is what an earlier run had done; it does not count in the rate.
    """
    rate = (done - already) / seconds if seconds > 0 else 0.0
    parts = []
    if total:
        parts.append(f"{int(100 * min(done / total, 1) + 1e-6)}%")  # 100% only at the end
    if unit:
        parts.append(f"{rate:,.0f} {unit}/s" if rate >= 10 else f"{rate:.1f} {unit}/s")
    if total and rate > 0:
        parts.append(f"{clock(max(total - done, 0) / rate)} left")
    return "  ".join(parts)


def fitted(title: str, text: str, width: int, bar: int = BAR) -> tuple[str, int, str]:
    """Return title, bar width and text of a line of progress that is at most `width` columns long.

    The bar is shortened first. Then parts of the text, which are separated by two spaces, are dropped from the end.
    Only then is the title cut. A line without a bar has `bar` 0.
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
    """Columns of the line, with spaces between its parts and one free column at the end of the terminal."""
    return len(title) + (bar and bar + 1) + 1 + len("  ".join(parts)) + 1


def format_bytes(count: int) -> str:
    """Write a number of bytes as `12.3 GB` or `4.5 MB`."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def clock(seconds: float) -> str:
    """Write seconds as a clock does: `75.2` is `1:15`, `3700` is `1:01:40`."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


class _Bar:
    """A progress bar in a terminal (rich). It appears after two seconds and is erased at the end.

    Only one bar is drawn. Another takes its place once it has not changed for a second.
    """

    drawn: ClassVar[_Bar | None] = None

    def __init__(self, title: str, total: float | None, unit: str, already: float) -> None:
        self.title, self.total, self.unit, self.already = title, total, unit, already
        self.started = self.updated = time.monotonic()
        self.bar: RichProgress | None = None
        self.task: TaskID | None = None
        self.column: BarColumn | None = None

    def update(self, done: float, *, total: float | None = None, note: str = "") -> None:
        self.total = total if total is not None else self.total
        now = time.monotonic()
        seconds, other = now - self.started, _Bar.drawn
        if seconds < FIRST_AFTER_SECONDS or (other is not None and other is not self and now - other.updated < 1.0):
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
        if other is not self:
            if other is not None:
                other.close()
            self.bar.start()
            _Bar.drawn = self
        self.updated = now
        words = describe(done, self.total, seconds, self.unit, self.already)
        assert self.task is not None and self.column is not None
        title, self.column.bar_width, text = fitted(self.title, f"{words}  {note}", self.bar.console.width)
        self.bar.update(self.task, completed=done, total=self.total, description=escape(title), words=escape(text))

    def close(self) -> None:
        """Erase the bar if it is drawn."""
        if self.bar is not None and _Bar.drawn is self:
            self.bar.stop()
            _Bar.drawn = None


@contextmanager
def progress(title: str, total: float | None = None, *, unit: str = "", already: float = 0.0) -> Iterator[Progress]:
    """Show the progress of one piece of work: a bar in a terminal, a line now and then in a log.

    In Python without a handler for the logger "bertsmith" nothing is shown. `already` is what an interrupted run had
    done before; the rate and the time left follow from what is done now.
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
