"""Notes and warnings of the program, as a list that grows while it works."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class _Collector(logging.Handler):
    def __init__(self, found: list[str], levels: tuple[int, ...]) -> None:
        super().__init__(min(levels))
        self.found, self.levels = found, levels

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno in self.levels:
            self.found.append(record.getMessage().removeprefix("warning: "))


@contextmanager
def collected_notes(*, warnings: bool) -> Iterator[list[str]]:
    """A list of the notes that are logged within the context, with or without the warnings."""
    found: list[str] = []
    logger = logging.getLogger("bertsmith")
    handler = _Collector(found, (logging.INFO, logging.WARNING) if warnings else (logging.INFO,))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield found
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
