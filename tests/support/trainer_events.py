"""Something done at an event of transformers' Trainer, whichever callbacks the training has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock


@contextmanager
def after_event(event: str, act: Callable[[Any, Any], None]) -> Iterator[None]:
    """Call `act(args, state)` after all callbacks of each event of this name, such as `on_step_begin`."""
    from transformers.trainer_callback import CallbackHandler

    original = getattr(CallbackHandler, event)

    def handle(handler: CallbackHandler, args: Any, state: Any, control: Any, **more: Any) -> Any:
        result = original(handler, args, state, control, **more)
        act(args, state)
        return result

    with mock.patch.object(CallbackHandler, event, handle):
        yield
