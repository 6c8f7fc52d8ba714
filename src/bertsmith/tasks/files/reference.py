"""Properties that all files of a model must share: single texts or pairs, and how the correct choice is written.

Dev, test and unlabelled files must match the training file. `evaluate` and `compare` use what the model's config.json
says about the training file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bertsmith.errors import ModelError

TEXT_COLUMNS_KEY = "text_columns"
"""The configuration key of the training columns: one name for single texts, two for pairs."""


@dataclass(frozen=True)
class FileReference:
    """Properties of the training file that other files must share.

    Attributes:
        source: the file in messages: `the training file train.csv`, or `the training file of MODEL`.
        is_from_model: whether the properties come from a MODEL's configuration; then files may use other columns.
        text, pair: the columns of the first and second text; no `pair` for single texts.
        choice_labels: the format of choice labels (`choice_labels.LABEL_FORMATS`).
    """

    source: str
    is_from_model: bool = False
    text: str | None = None
    pair: str | None = None
    choice_labels: str | None = None


def configured_text_columns(config: Any, name: str) -> FileReference | None:
    """Return the columns in a MODEL's configuration; None if it has none. Raises ModelError for invalid values."""
    configured_value = getattr(config, TEXT_COLUMNS_KEY, None)
    if configured_value is None:
        return None
    if (
        not isinstance(configured_value, (list, tuple))
        or len(configured_value) not in (1, 2)
        or not all(isinstance(it, str) for it in configured_value)
    ):
        raise ModelError(
            f"{name}: {TEXT_COLUMNS_KEY} in its config.json is {configured_value!r}, expected a list of one or two "
            "column names"
        )
    return FileReference(
        f"the training file of {name}",
        is_from_model=True,
        text=configured_value[0],
        pair=configured_value[1] if len(configured_value) == 2 else None,
    )
