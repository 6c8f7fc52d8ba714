"""The errors of a model and the calibration of its probabilities, for run.json and for pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.errors import shortened
from bertsmith.evaluation.head import ScoredExamples
from bertsmith.metrics.calibration import Calibration, calibration
from bertsmith.records.errors import (
    CalibrationBin,
    CalibrationFigures,
    CalibrationReport,
    Confusion,
    ErrorReport,
    LabelFigures,
    SliceRow,
    Slices,
    UncalibratedReport,
    WrongAnswer,
)
from bertsmith.records.finetuning import Temperature
from bertsmith.tasks.base import AnyTask
from bertsmith.tasks.values import ConfusionCounts, LabelledPrediction

WORST = 20
"""The number of the worst errors that are kept."""
TEXT, ANSWER = 240, 160
"""Characters of a text, and of a label or an answer, that are kept."""
MATRIX = 15
"""Labels of a confusion matrix; the rest are one."""
LABELS = 200
"""Labels whose figures are kept, the most frequent ones."""
VALUES = 20
"""Slices of a column; the rest are one."""
OTHER = "(other)"
LENGTH, TOO_LONG = "length in tokens", "what the model reads at once"


def error_report(scored: ScoredExamples, columns: Mapping[str, Sequence[str]] | None = None) -> ErrorReport:
    """The errors on some examples; `columns` are values of each example to make slices by."""
    head, confusion_counts = scored.head, scored.head.confusion_counts(scored.outputs, scored.targets)
    labelled_predictions = list(head.labelled_predictions(scored.examples, scored.outputs, scored.targets))
    wrong = [number for number, each in enumerate(labelled_predictions) if each.wrong]
    report = ErrorReport(
        examples=len(labelled_predictions),
        wrong=None if head.is_regression else len(wrong),
        error=head.error,
        worst=_worst(scored, labelled_predictions, wrong),
        slices=slices(scored, columns or {}),
    )
    # Fields that are not set are left out of the file.
    if head.has_probabilities:
        report.calibration = calibration_report(head, scored.outputs, scored.targets)
    if confusion_counts is not None:
        report.labels, report.labels_in_all = _labels(confusion_counts), len(confusion_counts.labels)
        if confusion_counts.pairs:
            report.confusion = _confusion(confusion_counts)
    return report


def calibration_report(head: AnyTask, outputs: Any, targets: Any) -> CalibrationReport:
    """The calibration of a head that has probabilities."""
    found = head.decisions(outputs, targets)
    now = calibration(found.logits, found.targets, head.temperature)
    report = CalibrationReport(
        ece=now.ece, brier=now.brier, nll=now.nll, cases=now.cases, of=head.decision_unit, bins=_bins(now)
    )
    if head.temperature != 1:
        before = calibration(found.logits, found.targets)
        report.temperature = head.temperature
        report.before = UncalibratedReport(ece=before.ece, brier=before.brier, nll=before.nll, bins=_bins(before))
    return report


def calibration_figures(report: CalibrationReport) -> Temperature:
    """The part of a calibration in a verb's JSON: the figures, the temperature and the figures before it."""
    found = Temperature(ece=report.ece, brier=report.brier, nll=report.nll)
    if (before := report.before) is not None:
        found.temperature = report.temperature
        found.before = CalibrationFigures(ece=before.ece, brier=before.brier, nll=before.nll)
    return found


def _bins(found: Calibration) -> list[CalibrationBin]:
    """Those that hold cases."""
    return [CalibrationBin(**asdict(each)) for each in found.bins if each.count]


def _worst(
    scored: ScoredExamples, labelled_predictions: Sequence[LabelledPrediction], wrong: Sequence[int]
) -> list[WrongAnswer]:
    chosen = sorted(
        wrong,
        key=lambda number: (-labelled_predictions[number].error, -(labelled_predictions[number].probability or 0)),
    )[:WORST]
    items = scored.head.items([scored.examples[number] for number in chosen])
    return [
        WrongAnswer(
            place=item.place,
            texts=[shortened(text, TEXT) for text in item.texts],
            true=shortened(labelled_predictions[number].true, ANSWER),
            predicted=shortened(labelled_predictions[number].predicted, ANSWER),
            error=labelled_predictions[number].error,
            probability=labelled_predictions[number].probability,
        )
        for number, item in zip(chosen, items, strict=True)
    ]


def _labels(confusion_counts: ConfusionCounts) -> list[LabelFigures]:
    """In the order of the labels; of many the most frequent ones."""
    kept = set(sorted(confusion_counts.labels, key=lambda label: -confusion_counts.labels[label].gold)[:LABELS])
    return [
        LabelFigures(
            label=label,
            precision=counts.right / counts.predicted if counts.predicted else None,
            recall=counts.right / counts.gold if counts.gold else None,
            f1=2 * counts.right / total if (total := counts.predicted + counts.gold) else None,
            support=counts.gold,
        )
        for label, counts in confusion_counts.labels.items()
        if label in kept
    ]


def _confusion(confusion_counts: ConfusionCounts) -> Confusion:
    frequency: Counter[str] = Counter()
    for pair, count in confusion_counts.pairs.items():
        frequency.update(dict.fromkeys(pair, count))
    order = list(
        dict.fromkeys((*confusion_counts.labels, *(label for pair in confusion_counts.pairs for label in pair)))
    )
    kept = set(sorted(order, key=lambda label: -frequency[label])[:MATRIX])
    shown = [label for label in order if label in kept]
    others = len(order) - len(shown)
    place = {label: at for at, label in enumerate(shown)}
    size = len(shown) + (others > 0)
    counts = [[0] * size for _ in range(size)]
    for (true, said), count in confusion_counts.pairs.items():
        counts[place.get(true, size - 1)][place.get(said, size - 1)] += count
    return Confusion(labels=shown + [OTHER] * (others > 0), counts=counts, of=confusion_counts.of, others=others)


@dataclass(frozen=True)
class _Division:
    """The examples divided: the name of the part that each is in, and the parts in order."""

    parts: Sequence[str]
    order: Sequence[str]


def slices(scored: ScoredExamples, columns: Mapping[str, Sequence[str]]) -> list[Slices]:
    """The main metric by the quarters of the lengths, by what the model could not read at once, and by columns."""
    lengths = np.array(scored.inputs.full_lengths)
    made = {LENGTH: _by_length(lengths), TOO_LONG: _by_limit(lengths, scored)}
    worth = [_sliced(scored, by, division) for by, division in made.items() if len(division.order) > 1]
    return worth + [_sliced(scored, column, _by_value(values)) for column, values in columns.items()]


def _by_length(lengths: npt.NDArray[np.int64]) -> _Division:
    """Quarters; equal lengths are in one."""
    borders = sorted({int(np.quantile(lengths, share, method="lower")) for share in (0.25, 0.5, 0.75, 1.0)})
    lows = [int(lengths.min()), *(border + 1 for border in borders[:-1])]
    names = [f"{low:,} to {high:,}" if low < high else f"{low:,}" for low, high in zip(lows, borders, strict=True)]
    return _Division([names[at] for at in np.searchsorted(borders, lengths)], names)


def _by_limit(lengths: npt.NDArray[np.int64], scored: ScoredExamples) -> _Division:
    done = "cut" if scored.inputs.windowed is None else "read in windows"
    long = lengths > scored.max_length
    within, beyond = f"up to {scored.max_length:,} tokens", f"longer, {done}"
    order = [name for name, any_ in ((within, not long.all()), (beyond, bool(long.any()))) if any_]
    return _Division([beyond if each else within for each in long], order)


def _by_value(values: Sequence[str]) -> _Division:
    """The most frequent values first."""
    frequent = [value for value, _ in Counter(values).most_common()]
    kept = frequent[:VALUES]
    parts = [value if value in kept else OTHER for value in values]
    return _Division(parts, kept + [OTHER] * (len(frequent) > VALUES))


def _sliced(scored: ScoredExamples, by: str, division: _Division) -> Slices:
    metric, parts = scored.head.main_metric, np.array(division.parts)
    rows = []
    for name in division.order:
        numbers = np.flatnonzero(parts == name)
        figure = scored.head.score(*scored.head.some(scored.outputs, scored.targets, numbers))[metric]
        rows.append(SliceRow(name=name, examples=len(numbers), **figure.to_dict()))
    return Slices(by=by, metric=metric, rows=rows)
