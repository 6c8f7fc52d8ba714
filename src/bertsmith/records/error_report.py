"""The errors of a head on a labelled file: the object `errors` in run.json and in each seed's result."""

from __future__ import annotations

from bertsmith.records.base import Part


class Figure(Part):
    """A metric with its 95% interval."""

    value: float
    low: float
    high: float


class CalibrationFigures(Part):
    """Three metrics of calibration."""

    ece: float
    brier: float
    nll: float


class CalibrationBin(Part):
    """Decisions with a probability between `low` and `high`: the mean probability, and the share that is correct."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


class UncalibratedReport(CalibrationFigures):
    """The calibration without the temperature."""

    bins: list[CalibrationBin]


class CalibrationReport(CalibrationFigures):
    """The calibration of a head; `temperature` and `before` are set if the head has a temperature."""

    cases: int
    of: str
    bins: list[CalibrationBin]
    temperature: float | None = None
    before: UncalibratedReport | None = None


class WrongAnswer(Part):
    """A wrongly predicted example, as text."""

    place: str
    texts: list[str]
    true: str
    predicted: str
    error: float
    probability: float | None


class LabelFigures(Part):
    """The metrics of a label; None if it is never predicted, or never in the labels."""

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


class Confusion(Part):
    """The confusion matrix: rows are labels, columns are predictions."""

    labels: list[str]
    counts: list[list[int]]
    of: str
    others: int
    """The number of labels combined in the last row and column."""


class SliceRow(Part):
    """A slice: its number of examples, and their metric with its 95% interval."""

    name: str
    examples: int
    value: float
    low: float
    high: float


class Slices(Part):
    """The main metric by the values of a property."""

    by: str
    metric: str
    rows: list[SliceRow]


class ErrorReport(Part):
    """The errors on the examples of a file (`evaluation.error_analysis.error_report`)."""

    examples: int
    wrong: int | None
    """None if the output is a number."""
    error: str
    worst: list[WrongAnswer]
    calibration: CalibrationReport | None = None
    labels: list[LabelFigures] | None = None
    """None, as `confusion`, if the task has no labels."""
    labels_in_all: int | None = None
    confusion: Confusion | None = None
    slices: list[Slices]
