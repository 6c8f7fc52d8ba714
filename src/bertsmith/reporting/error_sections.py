"""Where a head is wrong and how far its probabilities can be believed, as sections of a page.

The figures are those of `evaluation.errors`: run.json has them under `errors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bertsmith.errors import shortened
from bertsmith.records.errors import CalibrationBin, CalibrationReport, ErrorReport, Figure, Slices
from bertsmith.reporting.histograms import reliability_diagram
from bertsmith.reporting.numbers import Cell, format_metric, interval_text, most_of, percent
from bertsmith.reporting.page import Page

FEW = 20
"""A slice of fewer examples is marked."""
VALUE = 60
"""Characters of a value that a slice is of, in tables; the JSON has all of them."""


@dataclass(frozen=True)
class Provenance:
    """How the figures of a page came to be: (name, value) of what was measured on what, and the command.

    `file` says in a sentence what the file was for the model, and `kind` how good that is for the figures.
    """

    facts: Sequence[tuple[str, Cell]]
    command: str
    file: str
    kind: Literal["info", "warning", "good"]


def evaluation_page(
    model: str, data: str, metrics: Mapping[str, Figure], *, errors: ErrorReport, provenance: Provenance
) -> str:
    """The page of `evaluate --report`: the figures of a head on a labelled file, and its errors."""
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
    page.section("Figures", "Each with its 95% interval over the examples.")
    page.table(
        ["metric", "figure", "low", "high"],
        [
            (
                name.replace("_", " "),
                *(format_metric(name, end, most) for end in (figure.value, figure.low, figure.high)),
            )
            for name, figure in metrics.items()
        ],
        caption="Figures",
    )
    if provenance.kind != "good":
        page.notice(provenance.file, provenance.kind)
    add_errors(page, errors, most=most)
    page.section("How it was measured")
    if provenance.kind == "good":
        page.text(provenance.file)
    page.table(["", ""], list(provenance.facts))
    page.text("The command that makes it again:")
    page.code(provenance.command)
    return page.html()


def add_errors(page: Page, errors: ErrorReport, file: str = "", *, most: float = 1.0) -> None:
    """Calibration, confusions, slices and the worst errors; `file` says what they are of, `most` is as `most_of`."""
    if errors.calibration is not None:
        page.section("Calibration", f"How far the probabilities can be believed{file}.")
        _add_calibration(page, errors.calibration)
    if errors.labels is not None:
        page.section("Labels", f"What is taken for what{file}.")
        _add_labels(page, errors)
    if errors.slices:
        page.section("Slices", f"The main figure for parts of the examples{file}.")
        for sliced in errors.slices:
            _add_slices(page, sliced, most)
    page.section("Worst errors", _errors_sentence(errors, file))
    if errors.worst:
        _add_worst(page, errors)


def _add_calibration(page: Page, found: CalibrationReport) -> None:
    of, before = found.of, found.before
    names = {"ece": "ECE", "brier": "Brier score", "nll": "Negative log-likelihood"}
    notes = {"ece": "expected calibration error", "brier": "0 is best, 2 worst", "nll": "nats"}
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
        f"How many of the {of} answered with such a probability are right, in bins of a fifteenth; the numbers are "
        f"{of}. Bars below the dashed line are answers that are surer than they should be.",
    )
    if before is not None:
        page.chart(
            reliability_diagram(_drawn(before.bins), title="Reliability before calibration"),
            "The same before calibration.",
        )
        page.text(
            f"The logits are divided by the temperature {found.temperature:.3f}, which was fitted to the dev file "
            "(--calibrate); labels do not change by it."
        )
    page.details(
        "The bins",
        {
            f"{percent(each.low)} to {percent(each.high)}": f"{each.count:,} {of}, mean probability "
            f"{percent(each.confidence)}, right {percent(each.accuracy)}"
            for each in found.bins
        },
    )


def _drawn(bins: list[CalibrationBin]) -> list[tuple[float, float, float, int]]:
    return [(each.low, each.high, each.accuracy, each.count) for each in bins]


def _add_labels(page: Page, errors: ErrorReport) -> None:
    confusion, labels = errors.confusion, errors.labels or []
    if confusion is not None:
        others = confusion.others
        rest = f" {confusion.labels[-1]} stands for the {others} rarest labels." if others else ""
        page.matrix(
            confusion.labels,
            confusion.counts,
            "true ↓ predicted →",
            f"How many {confusion.of} of each true label (rows) are taken for each label (columns), shaded by the "
            f"share of the row.{rest}",
        )
    in_all = errors.labels_in_all or len(labels)
    page.table(
        ["label", "precision", "recall", "F1", "support"],
        [(each.label, *map(_share, (each.precision, each.recall, each.f1)), each.support) for each in labels],
        caption="Each label; support is how often it is true"
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
        caption=f"By {sliced.by}" + (f"; few: under {FEW} examples, too few to say anything" if few else ""),
    )


def _errors_sentence(errors: ErrorReport, file: str) -> str:
    shown, wrong = len(errors.worst), errors.wrong
    if wrong is None:
        return f"The {shown} largest differences{file}."
    if not wrong:
        return f"Every one of the {errors.examples:,} examples is right{file}."
    of = f"{wrong:,} of {errors.examples:,} examples are wrong{file}"
    return f"{of}; these are the {shown} worst ones by {errors.error}." if shown < wrong else f"{of}."


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
    page.table(header, rows, caption="The worst errors, the worst first; long texts are cut")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) and value >= 1 else f"{value:.3f}"
