"""Control-C and SIGTERM while a model trains: the update is finished, a checkpoint is written, then the work stops.

A second Control-C stops at once, without a checkpoint.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from bertsmith.runtime.console import log_info


class StopRequest:
    """A context in which a first SIGINT or SIGTERM sets `requested`."""

    def __init__(self) -> None:
        self.requested: str | None = None
        self._previous: dict[signal.Signals, Any] = {}
        self._process = os.getpid()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            return  # a worker that was forked from here: Control-C reaches it too, and its parent ends it
        if self.requested is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = signal.Signals(number).name
        log_info(f"{self.requested}: saving a checkpoint after this update (Control-C again stops at once)")

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
