"""What predictions need of a MODEL. Torch, or another backend, is behind it: ids go in, NumPy arrays come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from bertsmith.tasks.encoded_texts import EncodedTexts

ValueType = TypeVar("ValueType")


class Forward(Protocol):
    """A part of a model, ready to run."""

    def __call__(self, encoded: EncodedTexts, **settings: Any) -> Iterator[tuple[list[int], npt.NDArray[np.float32]]]:
        """Of each batch the numbers of its texts, and the outputs. `settings` are those of the task's FORWARD."""
        ...


class Runner(Protocol):
    """A MODEL that runs.

    Attributes:
        name: the MODEL's, for messages.
        config: its configuration.
        tokenizer: its tokenizer.
        max_length: the most tokens of a row that the model takes.
    """

    name: str
    config: Any
    tokenizer: Any
    max_length: int

    def task(self, name: str) -> Any:
        """The TASK of this name with the MODEL's labels. Raises ModelError if the MODEL has no such head."""
        ...

    def row_length(self, task: str, requested: int | None) -> int:
        """Tokens per row for this task; `asked` is --max-length."""
        ...

    def head_outputs(self, head: Any, inputs: Any) -> Any:
        """The outputs of a TASK for its inputs, by examples."""
        ...

    def forward(self, task: str) -> Forward:
        """The part of the model that a task without a TASK runs. Raises ModelError if the MODEL lacks it."""
        ...

    def head_warnings(self, head: str) -> list[str] | None:
        """Why not to rely on a pre-training head (`mlm`, `nsp`); printed the first time. None if nothing is known."""
        ...

    def get_or_create(self, key: str, make: Callable[[], ValueType]) -> ValueType:
        """The value that `make` returned when this key was first asked for."""
        ...
