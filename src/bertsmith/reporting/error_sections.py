"""Sections of a page about the errors of a model and the calibration of its probabilities.

The figures come from `evaluation.error_analysis`; run.json has them under `errors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bertsmith.errors import shortened
from bertsmith.records.error_report import CalibrationBin, CalibrationReport, ErrorReport, Figure, Slices
from bertsmith.reporting.histograms import reliability_diagram
from bertsmith.reporting.numbers import Cell, format_metric, interval_text, most_of, percent
from bertsmith.reporting.page import Page

FEW = 20
"""Slices with fewer examples are marked."""
VALUE = 60
"""Characters of a slice's name in tables; the JSON has all of them."""


@dataclass(frozen=True)
class Provenance:
    """How the figures of a page were measured.

    Attributes:
        facts: (name, value) of file, model and settings.
        command: the command that repeats the measurement.
        file: a sentence about the role of the file for the model, such as "the dev file".
        kind: the tone of that sentence.
    """

    facts: Sequence[tuple[str, Cell]]
    command: str
    file: str
    kind: Literal["info", "warning", "good"]


def evaluation_page(
    model: str, data: str, metrics: Mapping[str, Figure], *, errors: ErrorReport, provenance: Provenance
) -> str:
    """Return the page of `evaluate --report`: the results of a model on a labelled file, and its errors."""
    page = Page(f"{Path(model).name} on {Path(data).name}", f"{errors.examples:,} examples; {model} on {data}")
    most = most_of(metrics)
    page.figures(
        [
            (
                name.replace("_", " "),
                format_metric(name, figure.value, most),
                interval_text(name, figure.low, figure.high, most=most),
            )
            for name, figure in metrics.items()
        ]
    )
    page.section("Results", "With 95% intervals over the examples (bootstrap).")
    page.table(
        ["metric", "value", "low", "high"],
        [
            (
                name.replace("_", " "),
                *(format_metric(name, end, most) for end in (figure.value, figure.low, figure.high)),
            )
            for name, figure in metrics.items()
        ],
        caption="low and high: the 95% interval",
    )
    if provenance.kind != "good":
        page.notice(provenance.file, provenance.kind)
    add_errors(page, errors, most=most)
    page.section("How it was measured")
    if provenance.kind == "good":
        page.text(provenance.file)
    page.table(["", ""], list(provenance.facts))
    page.text("To repeat this measurement:")
    page.code(provenance.command)
    return page.html()


def add_errors(page: Page, errors: ErrorReport, file: str = "", *, most: float = 1.0) -> None:
    """Add calibration, confusions, slices and the worst errors.

    Args:
        file: words that name the file in headings, such as " on the dev file".
        most: the result of `most_of`.
    """
    if errors.calibration is not None:
        page.section("Calibration", f"Whether the probabilities match the share of correct predictions{file}.")
        _add_calibration(page, errors.calibration)
    if errors.labels is not None:
        page.section("Labels", f"Which labels the model confuses{file}.")
        _add_labels(page, errors)
    if errors.slices:
        page.section("Slices", f"The main metric for groups of examples{file}.")
        for sliced in errors.slices:
            _add_slices(page, sliced, most)
    page.section("Worst errors", _errors_sentence(errors, file))
    if errors.worst:
        _add_worst(page, errors)


def _add_calibration(page: Page, found: CalibrationReport) -> None:
    of, before = found.of, found.before
    names = {"ece": "ECE", "brier": "Brier score", "nll": "Negative log-likelihood"}
    notes = {
        "ece": "expected calibration error; 0% is best",
        "brier": "0 is best, 2 is worst",
        "nll": "nats; 0 is best",
    }
    page.figures(
        [
            (
                names[key],
                format_metric(key, getattr(found, key)),
                notes[key] + (f"; {format_metric(key, getattr(before, key))} before" if before else ""),
            )
            for key in names
        ]
    )
    page.chart(
        reliability_diagram(_drawn(found.bins), title="Reliability of the probabilities"),
        f"Share of correct predictions by their probability, in 15 bins; the numbers above the bars count {of}. Bars "
        "below the dashed line: the model is too confident. Bars above it: not confident enough.",
    )
    if before is not None:
        page.chart(
            reliability_diagram(_drawn(before.bins), title="Reliability before calibration"),
            "The same chart before calibration.",
        )
        page.text(
            f"The logits are divided by the temperature {found.temperature:.3f}, which was fitted on the dev file "
            "(--calibrate). This does not change the predicted labels."
        )
    page.details(
        "Values of the bins",
        {
            f"{percent(each.low)} to {percent(each.high)}": f"{each.count:,} {of}, mean probability "
            f"{percent(each.confidence)}, correct {percent(each.accuracy)}"
            for each in found.bins
        },
    )


def _drawn(bins: list[CalibrationBin]) -> list[tuple[float, float, float, int]]:
    return [(each.low, each.high, each.accuracy, each.count) for each in bins]


def _add_labels(page: Page, errors: ErrorReport) -> None:
    confusion, labels = errors.confusion, errors.labels or []
    if confusion is not None:
        others = confusion.others
        rest = f' "{confusion.labels[-1]}" are the {others} rarest labels.' if others else ""
        page.matrix(
            confusion.labels,
            confusion.counts,
            "true ↓ predicted →",
            f"Number of {confusion.of} by true label (rows) and predicted label (columns). Darker cells hold a larger "
            f"share of their row.{rest}",
        )
    in_all = errors.labels_in_all or len(labels)
    page.table(
        ["label", "precision", "recall", "F1", "support"],
        [(each.label, *map(_share, (each.precision, each.recall, each.f1)), each.support) for each in labels],
        caption="Each label; support counts its occurrences in the file"
        + (f"; the {len(labels)} most frequent of {in_all:,}" if in_all > len(labels) else ""),
    )


def _share(value: float | None) -> str | None:
    return None if value is None else percent(value)


def _add_slices(page: Page, sliced: Slices, most: float) -> None:
    few = [row for row in sliced.rows if row.examples < FEW]
    page.table(
        [sliced.by, "examples", sliced.metric.replace("_", " "), "low", "high", *([""] if few else [])],
        [
            (
                shortened(row.name, VALUE),
                row.examples,
                *(format_metric(sliced.metric, end, most) for end in (row.value, row.low, row.high)),
                *(["few" if row.examples < FEW else ""] if few else []),
            )
            for row in sliced.rows
        ],
        caption=f"By {sliced.by}" + (f"; few: under {FEW} examples, too few for a conclusion" if few else ""),
    )


def _errors_sentence(errors: ErrorReport, file: str) -> str:
    shown, wrong = len(errors.worst), errors.wrong
    if wrong is None:
        return f"The {shown} largest errors{file}."
    if not wrong:
        return f"All {errors.examples:,} predictions are correct{file}."
    count = f"{wrong:,} of {errors.examples:,} predictions are wrong{file}"
    return f"{count}. Below are the {shown} worst by {errors.error}." if shown < wrong else f"{count}."


def _add_worst(page: Page, errors: ErrorReport) -> None:
    with_probability = any(each.probability is not None for each in errors.worst)
    rows: list[tuple[Cell, ...]] = [
        (
            each.place.replace(" ", "\u00a0"),
            "\n• ".join(each.texts),
            each.true,
            each.predicted,
            *([_share(each.probability)] if with_probability else []),
            _number(each.error),
        )
        for each in errors.worst
    ]
    header = ["where", "text", "true", "predicted", *(["probability"] if with_probability else []), errors.error]
    page.table(header, rows, caption="The worst errors first; long texts are shortened")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) and value >= 1 else f"{value:.3f}"
