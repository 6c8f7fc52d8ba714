"""Which evaluation of a run was the best so far."""

from __future__ import annotations

from typing import Any


class Judge:
    """Remembers the lowest figure of the evaluations of a run.

    Attributes:
        figure: the name of the one that should fall; None where nothing is judged.
        best: the lowest one, and after which update it was first reached; None before the first evaluation.
        without_gain: evaluations since then.
    """

    def __init__(self, figure: str | None) -> None:
        self.figure = figure
        self.best: tuple[float, int] | None = None
        self.without_gain = 0

    def consider(self, evaluation: dict[str, Any], step: int) -> bool:
        """Whether the evaluation after `step` updates is the best so far."""
        if self.figure is None:
            return False
        value = evaluation[self.figure]
        if self.best is None or value < self.best[0]:
            self.best, self.without_gain = (value, step), 0
            return True
        self.without_gain += 1
        return False
