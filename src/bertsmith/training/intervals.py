"""When evaluations and checkpoints are due: every N updates, or by default once per tenth of the run."""

from __future__ import annotations


class Tenths:
    """Counts the tenths of a run that are done."""

    def __init__(self) -> None:
        self.done = 0

    def advance(self, progress: float) -> bool:
        """Return whether a further tenth has been completed at this progress, from 0 to 1."""
        before, self.done = self.done, max(int(progress * 10), self.done)
        return self.done > before


def is_due(every: int | None, step: int, *, new_tenth: bool) -> bool:
    """Return whether something is due after `step` updates; `every` is None for once per tenth."""
    return step % every == 0 if every is not None else new_tenth
