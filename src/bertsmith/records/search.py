"""The hyperparameter search of a fine-tuning: search/trial-N.json, and the object `search` in run.json."""

from __future__ import annotations

from typing import Literal

from bertsmith.records.base import Part, Record
from bertsmith.records.error_report import Figure

Number = int | float
Settings = dict[str, Number | None]
"""A value for each option of the space; None for a default that is not set."""


class Trial(Record):
    """One training of a search."""

    number: int
    settings: Settings
    state: Literal["running", "finished", "failed"]
    dev: Figure | None
    """The result on the dev file with its 95% interval over the examples."""
    why: str | None
    """The reason of a failure."""
    best_step: int | None
    """The update of `steps` whose weights were measured."""
    steps: int | None
    seconds: float | None
    """Seconds of training."""

    @classmethod
    def new(cls, number: int, settings: Settings) -> Trial:
        """Return a trial before its training."""
        state: Literal["running"] = "running"
        return cls(
            number=number, settings=settings, state=state, dev=None, why=None, best_step=None, steps=None, seconds=None
        )


class SearchReport(Part):
    """The trials, the search space and the outcome."""

    metric: str
    most: float = 1.0
    """The largest value of a share: 100 for SQuAD's metrics."""
    lower_is_better: bool
    trials_wanted: int
    seed: int
    space: str
    best_trial: int | None
    gain: float | None
    """How much the best trial beats the defaults; None until both have a result."""
    trials: list[Trial]

    @property
    def best(self) -> Trial | None:
        """The best trial; None until a trial has a result."""
        return next((trial for trial in self.trials if trial.number == self.best_trial), None)
