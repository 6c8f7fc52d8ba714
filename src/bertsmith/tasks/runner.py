"""The interface between predictions and a loaded MODEL: ids in, NumPy arrays out, for any backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from bertsmith.tasks.encoded_texts import EncodedTexts

ValueType = TypeVar("ValueType")


class Forward(Protocol):
    """A part of a model that is ready to run."""

    def __call__(self, encoded: EncodedTexts, **settings: Any) -> Iterator[tuple[list[int], npt.NDArray[np.float32]]]:
        """Yield the text indices and the outputs of each batch. `settings` go to the task's FORWARD."""
        ...


class Runner(Protocol):
    """A loaded MODEL.

    Attributes:
        name: the name of the MODEL, for messages.
        config: its configuration.
        tokenizer: its tokenizer.
        max_length: maximum tokens per row.
    """

    name: str
    config: Any
    tokenizer: Any
    max_length: int

    def task(self, name: str) -> Any:
        """Return the TASK with this name and the MODEL's labels. Raises ModelError if the MODEL has no such head."""
        ...

    def row_length(self, task: str, requested: int | None) -> int:
        """Return the tokens per row for this task; `requested` is the value of --max-length."""
        ...

    def head_outputs(self, head: Any, inputs: Any) -> Any:
        """Return the outputs of a TASK for its inputs, by example."""
        ...

    def forward(self, task: str) -> Forward:
        """Return the part of the model that an untrainable task runs. Raises ModelError if the MODEL lacks it."""
        ...

    def head_warnings(self, head: str) -> list[str] | None:
        """Return reasons not to rely on a pre-training head (`mlm`, `nsp`), or None; printed the first time."""
        ...

    def get_or_create(self, key: str, make: Callable[[], ValueType]) -> ValueType:
        """Return the value for this key; the first call creates it with `make`."""
        ...
