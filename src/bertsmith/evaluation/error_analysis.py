"""The errors of a model and the calibration of its probabilities, for run.json and report pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.errors import shortened
from bertsmith.evaluation.task_head import ScoredExamples
from bertsmith.metrics.calibration import Calibration, calibration
from bertsmith.records.error_report import (
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
"""Number of worst errors that are kept."""
TEXT, ANSWER = 240, 160
"""Maximum characters of a text, and of a label or an answer."""
MATRIX = 15
"""Maximum labels of a confusion matrix; all other labels are combined."""
LABELS = 200
"""Maximum number of labels with metrics; the most frequent labels are kept."""
VALUES = 20
"""Maximum slices of a column; all other values are combined."""
OTHER = "(other)"
LENGTH, TOO_LONG = "length in tokens", "length limit of the model"


def error_report(scored_examples: ScoredExamples, columns: Mapping[str, Sequence[str]] | None = None) -> ErrorReport:
    """Return the errors on some examples; `columns` has values per example, to slice by."""
    head, confusion_counts = (
        scored_examples.head,
        scored_examples.head.confusion_counts(scored_examples.outputs, scored_examples.targets),
    )
    labelled_predictions = list(
        head.labelled_predictions(scored_examples.examples, scored_examples.outputs, scored_examples.targets)
    )
    wrong = [number for number, each in enumerate(labelled_predictions) if each.wrong]
    report = ErrorReport(
        examples=len(labelled_predictions),
        wrong=None if head.is_regression else len(wrong),
        error=head.error_name,
        worst=_worst(scored_examples, labelled_predictions, wrong),
        slices=slices(scored_examples, columns or {}),
    )
    # Unset fields are left out of the file.
    if head.has_probabilities:
        report.calibration = calibration_report(head, scored_examples.outputs, scored_examples.targets)
    if confusion_counts is not None:
        report.labels, report.labels_in_all = _labels(confusion_counts), len(confusion_counts.labels)
        if confusion_counts.pairs:
            report.confusion = _confusion(confusion_counts)
    return report


def calibration_report(head: AnyTask, outputs: Any, targets: Any) -> CalibrationReport:
    """Return the calibration of a head with probabilities."""
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
    """Return the part of a calibration for a verb's JSON: metrics, temperature, and metrics without the temperature."""
    found = Temperature(ece=report.ece, brier=report.brier, nll=report.nll)
    if (before := report.before) is not None:
        found.temperature = report.temperature
        found.before = CalibrationFigures(ece=before.ece, brier=before.brier, nll=before.nll)
    return found


def _bins(found: Calibration) -> list[CalibrationBin]:
    """Return the non-empty bins."""
    return [CalibrationBin(**asdict(each)) for each in found.bins if each.count]


def _worst(
    scored_examples: ScoredExamples, labelled_predictions: Sequence[LabelledPrediction], wrong: Sequence[int]
) -> list[WrongAnswer]:
    chosen = sorted(
        wrong,
        key=lambda number: (-labelled_predictions[number].error, -(labelled_predictions[number].probability or 0)),
    )[:WORST]
    items = scored_examples.head.comparison_items([scored_examples.examples[number] for number in chosen])
    return [
        WrongAnswer(
            place=item.place,
            texts=[shortened(text, TEXT) for text in item.texts],
            true=shortened(labelled_predictions[number].label, ANSWER),
            predicted=shortened(labelled_predictions[number].predicted, ANSWER),
            error=labelled_predictions[number].error,
            probability=labelled_predictions[number].probability,
        )
        for number, item in zip(chosen, items, strict=True)
    ]


def _labels(confusion_counts: ConfusionCounts) -> list[LabelFigures]:
    """Return the metrics of the labels in order; at most the `LABELS` most frequent labels."""
    kept = set(sorted(confusion_counts.labels, key=lambda label: -confusion_counts.labels[label].labelled)[:LABELS])
    return [
        LabelFigures(
            label=label,
            precision=counts.correct / counts.predicted if counts.predicted else None,
            recall=counts.correct / counts.labelled if counts.labelled else None,
            f1=2 * counts.correct / total if (total := counts.predicted + counts.labelled) else None,
            support=counts.labelled,
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
    for (label, predicted), count in confusion_counts.pairs.items():
        counts[place.get(label, size - 1)][place.get(predicted, size - 1)] += count
    return Confusion(labels=shown + [OTHER] * (others > 0), counts=counts, of=confusion_counts.of, others=others)


@dataclass(frozen=True)
class _Slicing:
    """The slice of each example, and the slices in order."""

    parts: Sequence[str]
    order: Sequence[str]


def slices(scored_examples: ScoredExamples, columns: Mapping[str, Sequence[str]]) -> list[Slices]:
    """Return the main metric by quartile of the length, by whether the text was too long, and by columns."""
    lengths = np.array(scored_examples.inputs.full_lengths)
    slicings = {LENGTH: _by_length(lengths), TOO_LONG: _by_limit(lengths, scored_examples)}
    by_input = [_sliced(scored_examples, by, slicing) for by, slicing in slicings.items() if len(slicing.order) > 1]
    return by_input + [_sliced(scored_examples, column, _by_value(values)) for column, values in columns.items()]


def _by_length(lengths: npt.NDArray[np.int64]) -> _Slicing:
    """Slice by quartiles of the length; examples of equal length are in the same slice."""
    borders = sorted({int(np.quantile(lengths, share, method="lower")) for share in (0.25, 0.5, 0.75, 1.0)})
    lows = [int(lengths.min()), *(border + 1 for border in borders[:-1])]
    names = [f"{low:,} to {high:,}" if low < high else f"{low:,}" for low, high in zip(lows, borders, strict=True)]
    return _Slicing([names[at] for at in np.searchsorted(borders, lengths)], names)


def _by_limit(lengths: npt.NDArray[np.int64], scored_examples: ScoredExamples) -> _Slicing:
    done = "cut" if scored_examples.inputs.windowed_examples is None else "read in windows"
    long = lengths > scored_examples.max_length
    within, beyond = f"up to {scored_examples.max_length:,} tokens", f"longer, {done}"
    order = [name for name, any_ in ((within, not long.all()), (beyond, bool(long.any()))) if any_]
    return _Slicing([beyond if each else within for each in long], order)


def _by_value(values: Sequence[str]) -> _Slicing:
    """Slice by value, the most frequent first."""
    frequent = [value for value, _ in Counter(values).most_common()]
    kept = frequent[:VALUES]
    parts = [value if value in kept else OTHER for value in values]
    return _Slicing(parts, kept + [OTHER] * (len(frequent) > VALUES))


def _sliced(scored_examples: ScoredExamples, by: str, slicing: _Slicing) -> Slices:
    metric, parts = scored_examples.head.main_metric, np.array(slicing.parts)
    rows = []
    for name in slicing.order:
        numbers = np.flatnonzero(parts == name)
        figure = scored_examples.head.score(
            *scored_examples.head.select_examples(scored_examples.outputs, scored_examples.targets, numbers)
        )[metric]
        rows.append(SliceRow(name=name, examples=len(numbers), **figure.to_dict()))
    return Slices(by=by, metric=metric, rows=rows)
