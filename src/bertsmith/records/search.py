"""The search of settings of a fine-tuning: search/trial-N.json, and the object `search` in run.json."""

from __future__ import annotations

from typing import Literal

from bertsmith.records.base import Part, Record
from bertsmith.records.errors import Figure

Number = int | float
Settings = dict[str, Number | None]
"""A value for each option of the space; None for a default that is not set."""


class Trial(Record):
    """One training of a search."""

    number: int
    settings: Settings
    state: Literal["running", "finished", "failed"]
    dev: Figure | None
    """The figure on the dev file with its 95% interval over the examples."""
    why: str | None
    """The reason of a failure."""
    best_step: int | None
    """The update whose weights the figure is of, of `steps`."""
    steps: int | None
    seconds: float | None
    """Seconds of training."""

    @classmethod
    def new(cls, number: int, settings: Settings) -> Trial:
        """A trial before its training."""
        state: Literal["running"] = "running"
        return cls(
            number=number, settings=settings, state=state, dev=None, why=None, best_step=None, steps=None, seconds=None
        )


class SearchReport(Part):
    """The trials, what was searched, and the outcome."""

    metric: str
    most: float = 1.0
    """The highest value that a share can have: 100 for SQuAD's figures."""
    lower_is_better: bool
    trials_wanted: int
    seed: int
    space: str
    best_trial: int | None
    gain: float | None
    """By how much the best trial beats the defaults; None while one of them has no figure."""
    trials: list[Trial]

    @property
    def best(self) -> Trial | None:
        """The best trial, if any has a figure."""
        return next((trial for trial in self.trials if trial.number == self.best_trial), None)
