"""run.json of a fine-tuning, and seeds/seed-N/result.json of each of its seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from bertsmith.errors import InputError
from bertsmith.records.base import Part, Record
from bertsmith.records.errors import CalibrationFigures, ErrorReport, Figure
from bertsmith.records.labelled_files import FinetuningFiles
from bertsmith.records.run import RunRecord
from bertsmith.records.search import SearchReport


class MeanFigure(Part):
    """A metric over the seeds: its mean with a 95% interval, and the value of each seed.

    Of one seed the interval is that over the examples.
    """

    mean: float
    low: float
    high: float
    seeds: list[float] = Field(default_factory=list)


class ModelBefore(Part):
    """The model that a RUN replaces or starts from, if it was measured on the same file."""

    name: str
    metrics: dict[str, MeanFigure]


class Temperature(CalibrationFigures):
    """The calibration that a verb returns: with a temperature also that, and the figures without it."""

    temperature: float | None = None
    before: CalibrationFigures | None = None


class FinetuningOutcome(Part):
    """What `finetune` returned: its JSON without the folder of the run."""

    metrics: dict[str, MeanFigure]
    best_seed: int
    diverged_seeds: list[int] = Field(default_factory=list)
    selected_on_reported_data: bool
    baseline: dict[str, float]
    num_examples: int
    truncated_tokens: int
    windowed_examples: int | None = None
    calibration: Temperature | None = None
    search: SearchReport | None = None
    best_seed_metrics: dict[str, Figure] | None = None


class LossTrend(Part):
    """The mean training loss at the beginning and at the end, and whether it was still falling at the end."""

    start: float
    end: float
    falling: bool
    updates: int


class SeedResult(Record):
    """The result of one seed. A seed whose loss was not finite has only `seed` and `diverged`."""

    seed: int
    best_step: int = 0
    steps: int = 0
    dev: float | None = None
    """The metric on the dev file that seeds are chosen by."""
    diverged: str | None
    """Why the seed failed, or why its model is no better than the baseline."""
    loss: LossTrend | None = None
    metrics: dict[str, Figure] | None = None
    errors: ErrorReport | None = None


class FinetuningRecord(RunRecord):
    """run.json of a fine-tuning. The fields from `errors` on are set when it is finished."""

    kind: Literal["finetuning"]
    task: str
    given: list[str] = Field(default_factory=list)
    """Options that were given explicitly and then mean more than the same value by default."""
    seeds: int = 1
    data: FinetuningFiles
    model_before: ModelBefore | None = None
    search: SearchReport | None = None
    errors: ErrorReport | None = None
    seeds_with_figures: list[int] = Field(default_factory=list)
    baseline_answer: str | None = None
    learnt_nothing: str | None = None
    """Why the RUN is of no use, if its best seed does not beat the baseline."""
    metrics: dict[str, MeanFigure] = Field(default_factory=dict)
    baseline: dict[str, float] = Field(default_factory=dict)
    best_seed: int | None = None
    diverged_seeds: list[int] = Field(default_factory=list)
    selected_on_reported_data: bool | None = None
    result: FinetuningOutcome | None = None

    def check_finished(self, path: Path) -> None:
        """Raise InputError if a finished run lacks a figure that every finished run has."""
        needed = ("metrics", "baseline", "best_seed", "selected_on_reported_data", "result")
        lacking = next((name for name in needed if getattr(self, name) in (None, {})), None)
        for metric, figure in (self.metrics or {}).items():
            if not figure.seeds or figure.low is None or figure.high is None:
                lacking = lacking or f"metrics.{metric}"
            elif metric not in (self.baseline or {}):
                lacking = lacking or f"baseline.{metric}"
        if lacking is not None:
            raise InputError(
                f"{path}: `{lacking}` is missing or incomplete, though the run is finished; the file was edited. "
                f"{self.advice}"
            )
