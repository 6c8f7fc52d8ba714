"""score: the official metrics of predictions that are in a file; no model is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.config.verb import Result, verb
from bertsmith.errors import DataError, OptionError
from bertsmith.metrics import entities, squad
from bertsmith.metrics.classification import (
    NUMBER_METRICS,
    SET_METRICS,
    Array,
    Metric,
    accuracy,
    class_metrics,
    micro_f1,
)
from bertsmith.metrics.resampling import Interval, intervals
from bertsmith.runtime.console import say, warn
from bertsmith.tasks.files import prediction_lines
from bertsmith.tasks.files.class_names import ClassNames, one_name_each
from bertsmith.tasks.files.label_checks import differs_in_spelling, same_but_for_spelling
from bertsmith.tasks.files.labelled_file import (
    Columns,
    Row,
    in_order,
    read_rows,
    refuse_other_separators,
    refuse_vectors,
)
from bertsmith.tasks.files.records import with_split
from bertsmith.tasks.multiple_choice.choice_file import read_questions
from bertsmith.tasks.question_answering import squad_file
from bertsmith.tasks.score_options import ScoreOptions
from bertsmith.tasks.token_classification.conll_file import check_same_tokens, check_scheme
from bertsmith.tasks.token_classification.tagged_file import read_scored

NO_ANSWER_THRESHOLD = 1.0  # the default of the script of SQuAD 2.0


@dataclass(frozen=True)
class Scores(Result):
    """Figures, each with its 95% bootstrap interval; in JSON the figures stand at the top, the intervals apart."""

    metrics: dict[str, Interval]

    def to_dict(self) -> dict[str, Any]:
        """The JSON object."""
        facts = {name: value for name, value in super().to_dict().items() if name != "metrics"}
        return {**_values(self.metrics), **facts, "intervals": _ranges(self.metrics)}


@dataclass(frozen=True)
class AnswerScores(Scores):
    """question-answering: `exact_match` and `f1`, from 0 to 100, over all questions (intervals over the questions).

    Attributes:
        total: questions.
        missing: questions without a prediction; they count as wrong.
        unknown: predictions of ids that are no question; they do not count.
        has_answer_total, no_answer_total: questions of either kind.
        best_exact_match, best_f1: what the best threshold reaches, chosen on these very questions, and the thresholds;
            None without probabilities.
    """

    total: int
    missing: int
    unknown: int
    has_answer_total: int
    no_answer_total: int
    best_exact_match: float | None = None
    best_exact_match_threshold: float | None = None
    best_f1: float | None = None
    best_f1_threshold: float | None = None


@dataclass(frozen=True)
class TypeScores(Scores):
    """The entities of one type: `precision`, `recall` and `f1`; how many are in GOLD, and how many predicted."""

    gold: int
    predicted: int


@dataclass(frozen=True)
class EntityScores(Scores):
    """token-classification: `precision`, `recall`, `f1` of entities, `accuracy` of tokens (intervals over sentences).

    Plain labels, such as parts of speech, have `accuracy` alone, no entities, and no scheme.

    Attributes:
        types: the same for each type.
        gold, predicted: entities.
        sentences, tokens: how many were read.
        scheme: the scheme of the tags, None for plain labels.
    """

    types: dict[str, TypeScores]
    gold: int
    predicted: int
    sentences: int
    tokens: int
    scheme: str | None


@dataclass(frozen=True)
class LabelScores(Scores):
    """sequence-classification: metrics of labels, of sets of labels, or of numbers (intervals over the examples).

    Attributes:
        total: examples.
        labels: in their order; none for numbers.
        positive_label: the class that `f1` is of, the second of two; None where there are more
            or fewer, or a text may have several.
    """

    total: int
    labels: list[str]
    positive_label: str | None


@dataclass(frozen=True)
class ChoiceScores(Scores):
    """multiple-choice: the `accuracy` (interval over the questions), and how many questions there are."""

    total: int


@verb(ScoreOptions)
def score(options: ScoreOptions) -> AnswerScores | EntityScores | LabelScores | ChoiceScores:
    """Score predictions that are in a file by the official metrics of their task."""
    options = options.model_copy(update={"gold": with_split(options.gold, "test")})
    if options.task == "question-answering":
        return _score_answers(options)
    if options.task == "token-classification":
        return _score_entities(options)
    if options.task == "multiple-choice":
        return _score_choices(options)
    return _score_labels(options)


def _score_answers(options: ScoreOptions) -> AnswerScores:
    gold = options.gold
    questions = squad_file.read_questions(gold, Columns.of(options))
    predictions = squad_file.read_predictions(options.predictions)
    ids = {question.id for question in questions}
    unknown = len(predictions.keys() - ids)
    if unknown == len(predictions):
        raise DataError(
            f"{options.predictions}: none of its {unknown} ids is that of a question of {gold}; expected "
            "predictions for that file"
        )
    scores = squad.question_scores(questions, predictions)
    missing = int(np.sum(~scores.predicted))
    if missing:
        warn(
            f"{options.predictions}: {missing:,} of {len(questions):,} questions have no prediction and count as wrong"
        )
    if unknown:
        warn(f"{options.predictions}: {unknown:,} ids are no question of {gold} and do not count")
    best: dict[str, float] = {}
    if options.no_answer_probabilities is not None:
        if scores.has_answer.all():
            raise OptionError(f"--no-answer-probabilities: every question of {options.gold} has an answer")
        probabilities = _probabilities(options, questions, scores)
        for name, values in (("exact_match", scores.exact), ("f1", scores.f1)):
            figure, threshold = squad.best_threshold(values, scores, probabilities)
            best |= {f"best_{name}": figure, f"best_{name}_threshold": threshold}
        threshold = NO_ANSWER_THRESHOLD if options.no_answer_threshold is None else options.no_answer_threshold
        scores = squad.at_threshold(scores, probabilities, threshold)
    answerable = int(np.sum(scores.has_answer))
    return AnswerScores(
        intervals(squad.measure(scores)),
        len(questions),
        missing,
        unknown,
        answerable,
        len(questions) - answerable,
        **best,
    )


def _probabilities(
    options: ScoreOptions, questions: list[squad_file.Question], scores: squad.QuestionScores
) -> npt.NDArray[np.float64]:
    """float64 of [questions]: the probability of no answer; 0 where there is no prediction either."""
    assert options.no_answer_probabilities is not None
    by_id = squad_file.read_probabilities(options.no_answer_probabilities)
    lacking = [
        question.id
        for question, predicted in zip(questions, scores.predicted, strict=True)
        if predicted and question.id not in by_id
    ]
    if lacking:
        raise DataError(
            f"{options.no_answer_probabilities}: {len(lacking)} questions with a prediction have no probability, the "
            f"first is {lacking[0]!r}; expected one for each"
        )
    return np.array([by_id.get(question.id, 0.0) for question in questions], dtype=np.float64)


def _score_entities(options: ScoreOptions) -> EntityScores:
    gold, predicted, kind, why = read_scored(options.gold, options.predictions, Columns.of(options))
    say(f"labels: {kind} ({why})")
    plain = kind == "plain"
    check_same_tokens(gold, options.gold, predicted, options.predictions)
    gold_tags, predicted_tags = ([sentence.tags for sentence in side] for side in (gold, predicted))
    of_tokens = intervals({"accuracy": entities.token_accuracy(gold_tags, predicted_tags)})
    tokens = sum(len(sentence.tokens) for sentence in gold)
    if plain:
        if options.scheme is not None or options.strict:
            raise OptionError(f"--scheme and --strict are for entities; {options.gold} holds plain labels ({why})")
        return EntityScores(of_tokens, {}, 0, 0, len(gold), tokens, None)
    scheme = options.scheme
    if scheme is None:
        scheme = entities.recognise(gold_tags)
        say(f"scheme: {scheme}, by the tags of {options.gold}")
    check_scheme(gold, options.gold, scheme)
    check_scheme(predicted, options.predictions, scheme)
    counted = entities.count(gold_tags, predicted_tags, scheme if options.strict else "lenient")
    overall, by_type = entities.figures(counted)
    totals = {
        name: entities.Counts(*np.sum([sentence[name] for sentence in counted if name in sentence], axis=0).tolist())
        for name in by_type
    }
    return EntityScores(
        {**overall, **of_tokens},
        {name: TypeScores(figures, totals[name].gold, totals[name].predicted) for name, figures in by_type.items()},
        sum(counts.gold for counts in totals.values()),
        sum(counts.predicted for counts in totals.values()),
        len(gold),
        tokens,
        scheme,
    )


def _score_labels(options: ScoreOptions) -> LabelScores:
    same = options.gold.exists() and options.predictions.exists() and options.gold.samefile(options.predictions)
    if same and options.label_column is None:
        raise OptionError(
            f"GOLD and PREDICTIONS are one file, {options.gold}, whose column 'label' is what was predicted; give "
            "--label-column gold to score it by the labels in it"
        )
    rows = read_rows(options.gold, Columns.of(options))
    predictions = prediction_lines.read_predictions(options.predictions, rows, options.gold)
    if predictions[0].kind == "value":
        why = f": {options.predictions} holds values, not labels"
        gold = np.array([row.number(why) for row in rows])
        values = np.array([prediction.value for prediction in predictions], dtype=np.float64)
        return LabelScores(_bootstrapped(NUMBER_METRICS, gold, values), len(rows), [], None)
    several = predictions[0].kind == "labels"
    refuse_vectors(rows)
    true = [row.label_set if several else (row.class_name,) for row in rows]
    guessed = [prediction.labels or () if several else (str(prediction.label),) for prediction in predictions]
    known = set(chain(*(prediction.known for prediction in predictions)))
    if several:
        refuse_other_separators(rows, known)
    classes = ClassNames(known or one_name_each(chain(*true, *guessed)))
    if (merged := classes.merged(chain(*true, *guessed))) is not None:
        warn(f"{options.gold} and {options.predictions}: {merged}")
    true, guessed = ([tuple(classes[name] for name in names) for names in side] for side in (true, guessed))
    _check_spellings(rows, true, set(chain(*guessed)) | known, all_known=bool(known))
    labels = in_order(chain(*true, *guessed, known))
    number = {label: place for place, label in enumerate(labels)}
    if several:
        sets = np.zeros((2, len(rows), len(labels)), dtype=bool)
        for side, found in zip(sets, (true, guessed), strict=True):
            for place, names in enumerate(found):
                side[place, [number[name] for name in names]] = True
        return LabelScores(_bootstrapped(SET_METRICS, *sets), len(rows), labels, None)
    a, b = (np.array([number[name] for (name,) in side]) for side in (true, guessed))
    metrics = {**class_metrics(len(labels)), "micro_f1": micro_f1}
    return LabelScores(_bootstrapped(metrics, a, b), len(rows), labels, labels[1] if len(labels) == 2 else None)


def _check_spellings(
    rows: Sequence[Row], true: Sequence[tuple[str, ...]], predicted: set[str], *, all_known: bool
) -> None:
    """Raise DataError for a label that the predictions have only in a different spelling: it would never be right.

    `all_known` says that `predicted` holds every label of the model. Otherwise a label that GOLD has in both spellings
    may be one that was never predicted.
    """
    gold = set(chain(*true))
    for name in sorted(gold - predicted):
        near = same_but_for_spelling(name, sorted(predicted if all_known else predicted - gold))
        if near is not None:
            row = next(row for row, names in zip(rows, true, strict=True) if name in names)
            raise DataError(
                f"{row.where}: label {name!r} is not among those of the predictions{differs_in_spelling(name, near)}"
            )


def _score_choices(options: ScoreOptions) -> ChoiceScores:
    questions = read_questions(options.gold, Columns.of(options))
    indices = prediction_lines.read_indices(options.predictions, questions, options.gold)
    gold, predicted = np.array([question.label for question in questions]), np.array(indices)
    return ChoiceScores(_bootstrapped({"accuracy": accuracy}, gold, predicted), len(questions))


def _bootstrapped(metrics: Mapping[str, Metric], gold: Array, predicted: Array) -> dict[str, Interval]:
    return intervals({name: metric.measure(gold, predicted) for name, metric in metrics.items()})


def _values(metrics: dict[str, Interval]) -> dict[str, float]:
    return {name: figure.value for name, figure in metrics.items()}


def _ranges(metrics: dict[str, Interval]) -> dict[str, dict[str, float]]:
    return {name: {"low": figure.low, "high": figure.high} for name, figure in metrics.items()}
