"""run.json of a fine-tuning, and seeds/seed-N/result.json of each of its seeds."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_serializer

from bertsmith.config.verb import Result
from bertsmith.errors import InputError
from bertsmith.records.base import Part, Record
from bertsmith.records.error_report import CalibrationFigures, ErrorReport, Figure
from bertsmith.records.labelled_files import FinetuningFiles
from bertsmith.records.run import RunRecord
from bertsmith.records.search import SearchReport


class MeanFigure(Part):
    """A metric over the seeds: its mean with a 95% interval, and the value of each seed.

    With one seed, the interval is over the examples.
    """

    mean: float
    low: float
    high: float
    seeds: list[float] = Field(default_factory=list)


class PreviousModel(Part):
    """The model that a RUN replaces or starts from, measured on the same file."""

    name: str
    metrics: dict[str, MeanFigure]


class Temperature(CalibrationFigures):
    """The calibration in a verb's JSON; with a temperature, also its value and the figures without it."""

    temperature: float | None = None
    before: CalibrationFigures | None = None


@dataclass(frozen=True, kw_only=True)
class FinetuningOutcome(Result):
    """The figures that `finetune` returns and its run.json keeps.

    `metrics` holds `mean`, `low`, `high` and `seeds` for each metric: the mean over the seeds with its 95% interval
    (Student's t), or the figure of the only seed with its bootstrap interval over the examples. They are measured on
    the test file, or on the dev file if there is no test file (then `selected_on_reported_data` is true).
    `diverged_seeds` do not beat the baseline on the dev file, or their loss was not finite. Seeds with a loss that was
    not finite have no figures; all other seeds are in the mean. `windowed_examples` counts the examples that are longer
    than `max_length` and read in windows, for tasks that use windows. `calibration` is the best seed's, as `evaluate`
    gives it. `search` holds the trials of `--search`; its `gain` says by how much `best_trial` beats trial 0, the
    defaults. `best_seed_metrics` are the figures of the RUN itself, which is the best seed; left out for one seed.
    """

    omitted_if_none: ClassVar[tuple[str, ...]] = ("windowed_examples", "calibration", "search", "best_seed_metrics")

    metrics: dict[str, dict[str, Any]]
    best_seed: int
    diverged_seeds: list[int] = dataclass_field(default_factory=list)
    selected_on_reported_data: bool
    baseline: dict[str, float]
    num_examples: int
    truncated_tokens: int
    windowed_examples: int | None = None
    calibration: dict[str, Any] | None = None
    search: dict[str, Any] | None = None
    best_seed_metrics: dict[str, dict[str, float]] | None = None


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
    """The metric on the dev file that selects the best seed."""
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
    """Options that were given explicitly and mean more than the same value by default."""
    seeds: int = 1
    data: FinetuningFiles
    model_before: PreviousModel | None = None
    search: SearchReport | None = None
    errors: ErrorReport | None = None
    seeds_with_figures: list[int] = Field(default_factory=list)
    baseline_answer: str | None = None
    learnt_nothing: str | None = None
    """Why the RUN is useless, if its best seed does not beat the baseline."""
    metrics: dict[str, MeanFigure] = Field(default_factory=dict)
    baseline: dict[str, float] = Field(default_factory=dict)
    best_seed: int | None = None
    diverged_seeds: list[int] = Field(default_factory=list)
    selected_on_reported_data: bool | None = None
    result: FinetuningOutcome | None = None

    @field_serializer("result")
    def _result_as_json(self, result: FinetuningOutcome | None) -> dict[str, Any] | None:
        """Leave out what a verb's JSON leaves out."""
        return None if result is None else result.to_dict()

    def check_finished(self, path: Path) -> None:
        """Raise InputError if a finished run lacks a result that every finished run has."""
        needed = ("metrics", "baseline", "best_seed", "selected_on_reported_data", "result")
        lacking = next((name for name in needed if getattr(self, name) in (None, {})), None)
        for metric, figure in (self.metrics or {}).items():
            if not figure.seeds or figure.low is None or figure.high is None:
                lacking = lacking or f"metrics.{metric}"
            elif metric not in (self.baseline or {}):
                lacking = lacking or f"baseline.{metric}"
        if lacking is not None:
            raise InputError(
                f"{path}: `{lacking}` is missing or incomplete, although the run is finished; the file was edited. "
                f"{self.advice}"
            )
