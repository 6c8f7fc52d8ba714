"""The best evaluation of a run so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class BestEvaluation:
    """Remembers the evaluation with the lowest figure.

    Attributes:
        figure: the name of the figure that should fall; None to remember nothing.
        value, step: the lowest figure, and the update after which it was first reached; None before the first
            evaluation.
        without_gain: the number of evaluations since then.
    """

    def __init__(self, figure: str | None) -> None:
        self.figure = figure
        self.value: float | None = None
        self.step: int | None = None
        self.without_gain = 0

    def consider(self, evaluation: Mapping[str, Any], step: int) -> bool:
        """Return whether the evaluation after `step` updates is the best so far, and remember it if so."""
        if self.figure is None:
            return False
        value = evaluation[self.figure]
        if self.value is None or value < self.value:
            self.value, self.step, self.without_gain = value, step, 0
            return True
        self.without_gain += 1
        return False
