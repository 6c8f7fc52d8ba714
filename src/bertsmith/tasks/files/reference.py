"""The facts in which all files of one model must agree: pairs or single texts, and how the right choice is written.

Training, dev, test and unlabelled files follow the training file. `evaluate` and `compare` follow the entries for
its training file in the model's config.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bertsmith.errors import ModelError

TEXT_COLUMNS_KEY = "text_columns"
"""The names of the training columns in a model's configuration: one for single texts, two for pairs."""


@dataclass(frozen=True)
class FileReference:
    """The file that others must agree with.

    Attributes:
        source: the file in messages: `the training file train.csv`, or `the training file of MODEL`.
        of_model: whether it is known from a MODEL: then the files may be written in a different way.
        text, pair: the columns of the first and second text; no `pair` for single texts.
        choice_labels: the form of the labels of choices (`choice_labels.FORMS`).
    """

    source: str
    is_from_model: bool = False
    text: str | None = None
    pair: str | None = None
    choice_labels: str | None = None


def text_columns_of(config: Any, name: str) -> FileReference | None:
    """The columns that a MODEL's configuration names, None if it says nothing. Raises ModelError for other values."""
    configured_value = getattr(config, TEXT_COLUMNS_KEY, None)
    if configured_value is None:
        return None
    if (
        not isinstance(configured_value, (list, tuple))
        or len(configured_value) not in (1, 2)
        or not all(isinstance(it, str) for it in configured_value)
    ):
        raise ModelError(
            f"{name}: {TEXT_COLUMNS_KEY} in its config.json is {configured_value!r}, expected a list of one or two names of columns"
        )
    return FileReference(
        f"the training file of {name}",
        is_from_model=True,
        text=configured_value[0],
        pair=configured_value[1] if len(configured_value) == 2 else None,
    )
