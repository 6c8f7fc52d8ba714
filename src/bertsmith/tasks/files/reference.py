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
class Reference:
    """The file that others must agree with.

    Attributes:
        source: the file in messages: `the training file train.csv`, or `the training file of MODEL`.
        of_model: whether it is known from a MODEL: then the files may be written in a different way.
        text, pair: the columns of the first and second text; no `pair` for single texts.
        choice_labels: the form of the labels of choices (`choice_labels.FORMS`).
    """

    source: str
    of_model: bool = False
    text: str | None = None
    pair: str | None = None
    choice_labels: str | None = None


def text_columns_of(config: Any, name: str) -> Reference | None:
    """The columns that a MODEL's configuration names, None if it says nothing. Raises ModelError for other values."""
    said = getattr(config, TEXT_COLUMNS_KEY, None)
    if said is None:
        return None
    if not isinstance(said, (list, tuple)) or len(said) not in (1, 2) or not all(isinstance(it, str) for it in said):
        raise ModelError(
            f"{name}: {TEXT_COLUMNS_KEY} in its config.json is {said!r}, expected a list of one or two names of columns"
        )
    return Reference(
        f"the training file of {name}", of_model=True, text=said[0], pair=said[1] if len(said) == 2 else None
    )
