"""The errors of a head on a labelled file: an object in run.json and in the result of each seed."""

from __future__ import annotations

from bertsmith.records.base import Part


class Figure(Part):
    """A figure with its 95% interval."""

    value: float
    low: float
    high: float


class CalibrationFigures(Part):
    """How far probabilities can be believed, in three figures."""

    ece: float
    brier: float
    nll: float


class CalibrationBin(Part):
    """The decisions with a probability between two numbers: the mean probability, and the share that is right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


class UncalibratedReport(CalibrationFigures):
    """The calibration without the temperature."""

    bins: list[CalibrationBin]


class CalibrationReport(CalibrationFigures):
    """The calibration of a head; `temperature` and `before` if the head has a temperature."""

    cases: int
    of: str
    bins: list[CalibrationBin]
    temperature: float | None = None
    before: UncalibratedReport | None = None


class WrongAnswer(Part):
    """An example that the head gets wrong, in words."""

    place: str
    texts: list[str]
    true: str
    predicted: str
    error: float
    probability: float | None


class LabelFigures(Part):
    """The figures of a label; None if it is never predicted, or never true."""

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


class Confusion(Part):
    """The confusion matrix: rows are true labels, columns predicted ones."""

    labels: list[str]
    counts: list[list[int]]
    of: str
    others: int
    """The number of labels that the last row and column stand for."""


class SliceRow(Part):
    """The examples of a slice, and their figure with its 95% interval."""

    name: str
    examples: int
    value: float
    low: float
    high: float


class Slices(Part):
    """The main metric of the examples divided by a property."""

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
