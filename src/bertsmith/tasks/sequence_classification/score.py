"""score: the metrics of predicted labels, label sets or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from bertsmith.errors import DataError, OptionError
from bertsmith.metrics.classification import NUMBER_METRICS, SET_METRICS, class_metrics, micro_f1
from bertsmith.runtime.console import warn
from bertsmith.tasks.files.class_names import ClassNames, merged_class_names
from bertsmith.tasks.files.label_checks import find_similar_name, spelling_advice
from bertsmith.tasks.files.labelled_file import Columns, Row, read_rows, sort_labels
from bertsmith.tasks.score_options import FileScoring, ScoreOptions
from bertsmith.tasks.scoring import ExampleScores, bootstrapped
from bertsmith.tasks.sequence_classification.label_forms import refuse_other_separators, refuse_vectors
from bertsmith.tasks.sequence_classification.prediction_file import PredictedRow, read_label_predictions


@dataclass(frozen=True)
class LabelScores(ExampleScores):
    """Metrics of labels, label sets or numbers (intervals over the examples).

    Attributes:
        labels: the labels in order; empty for numbers.
        positive_label: the class of `f1`, the second of two; None if there are not exactly two classes, or if texts may
            have several labels.
    """

    labels: list[str]
    positive_label: str | None

    @property
    def notes(self) -> list[str]:
        """The class of `f1`."""
        return [] if self.positive_label is None else [f"  f1 is for the label {self.positive_label!r}"]


def score(options: ScoreOptions) -> LabelScores:
    """Return the metrics for the kind of predictions: values, single labels or label sets."""
    same = options.labels.exists() and options.predictions.exists() and options.labels.samefile(options.predictions)
    if same and options.label_column is None:
        raise OptionError(
            f"LABELS and PREDICTIONS are the same file, {options.labels}, whose column 'label' has the predictions. "
            "Try: --label-column gold to score them against the labels in the file"
        )
    rows = read_rows(options.labels, Columns.of(options))
    predictions = read_label_predictions(options.predictions, rows, options.labels)
    if predictions[0].kind == "value":
        reason = f", because {options.predictions} has values, not labels"
        targets = np.array([row.number(reason) for row in rows])
        values = np.array([prediction.value for prediction in predictions], dtype=np.float64)
        return LabelScores(bootstrapped(NUMBER_METRICS, targets, values), len(rows), [], None)
    return _score_classes(options, rows, predictions)


def _score_classes(options: ScoreOptions, rows: Sequence[Row], predictions: Sequence[PredictedRow]) -> LabelScores:
    several = predictions[0].kind == "labels"
    refuse_vectors(rows)
    labelled = [row.label_set if several else (row.class_name,) for row in rows]
    answers = [prediction.labels or () if several else (str(prediction.label),) for prediction in predictions]
    known = set(chain(*(prediction.known for prediction in predictions)))
    if several:
        refuse_other_separators(rows, known)
    classes = ClassNames(known or merged_class_names(chain(*labelled, *answers)))
    if (merged := classes.merged(chain(*labelled, *answers))) is not None:
        warn(f"{options.labels} and {options.predictions}: {merged}")
    labelled, answers = ([tuple(classes[name] for name in names) for names in side] for side in (labelled, answers))
    _check_spellings(rows, labelled, set(chain(*answers)) | known, all_known=bool(known))
    labels = sort_labels(chain(*labelled, *answers, known))
    number = {label: place for place, label in enumerate(labels)}
    if several:
        sets = np.zeros((2, len(rows), len(labels)), dtype=bool)
        for side, found in zip(sets, (labelled, answers), strict=True):
            for place, names in enumerate(found):
                side[place, [number[name] for name in names]] = True
        return LabelScores(bootstrapped(SET_METRICS, *sets), len(rows), labels, None)
    a, b = (np.array([number[name] for (name,) in side]) for side in (labelled, answers))
    metrics = {**class_metrics(len(labels)), "micro_f1": micro_f1}
    return LabelScores(bootstrapped(metrics, a, b), len(rows), labels, labels[1] if len(labels) == 2 else None)


def _check_spellings(
    rows: Sequence[Row], labelled: Sequence[tuple[str, ...]], predicted: set[str], *, all_known: bool
) -> None:
    """Raise DataError for a label that the predictions have only in a different spelling: it could never be correct.

    `all_known` means that `predicted` has every label of the model. Otherwise a label that LABELS has in both
    spellings may be a label that was never predicted.
    """
    in_labels = set(chain(*labelled))
    for name in sorted(in_labels - predicted):
        near = find_similar_name(name, sorted(predicted if all_known else predicted - in_labels))
        if near is not None:
            row = next(row for row, names in zip(rows, labelled, strict=True) if name in names)
            raise DataError(
                f"{row.where}: the label {name!r} is not a label of the predictions{spelling_advice(name, near)}"
            )


SCORE = FileScoring(score, frozenset({"text_column", "label_column", "no_header", "separator", "skip_broken_rows"}))
