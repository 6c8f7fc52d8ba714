"""score: the figures of predicted tags, of entities as conlleval reads them, or of plain labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bertsmith.errors import OptionError
from bertsmith.metrics import entities
from bertsmith.metrics.resampling import intervals
from bertsmith.reporting.numbers import counted
from bertsmith.runtime.console import log_info
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.score_options import FileScoring, ScoreOptions
from bertsmith.tasks.scoring import Scores
from bertsmith.tasks.token_classification.conll_file import check_same_tokens, check_scheme
from bertsmith.tasks.token_classification.tagged_file import read_scored


@dataclass(frozen=True)
class TypeScores(Scores):
    """The entities of one type: `precision`, `recall` and `f1`; the number of them in GOLD, and in PREDICTIONS."""

    gold: int
    predicted: int

    @property
    def headline(self) -> str:
        """The numbers of entities."""
        return _entities(self.gold, self.predicted)


@dataclass(frozen=True)
class EntityScores(Scores):
    """token-classification: `precision`, `recall`, `f1` of entities, `accuracy` of tokens (intervals over sentences).

    Plain labels, such as parts of speech, have only `accuracy`, no entities, and no scheme.

    Attributes:
        types: the same for each type.
        gold, predicted: entities.
        sentences, tokens: the numbers of both in the files.
        scheme: the scheme of the tags, None for plain labels.
    """

    types: dict[str, TypeScores]
    gold: int
    predicted: int
    sentences: int
    tokens: int
    scheme: str | None

    @property
    def headline(self) -> str:
        """The numbers of sentences, tokens and entities."""
        sentences = f"{counted(self.sentences, 'sentence')}, {counted(self.tokens, 'token')}"
        if self.scheme is None:
            return f"{sentences} (plain labels)"
        return f"{sentences}, {_entities(self.gold, self.predicted)} ({self.scheme})"

    @property
    def parts(self) -> Mapping[str, Scores]:
        """Those of each type."""
        return self.types


def _entities(true: int, predicted: int) -> str:
    return f"{true:,} {'entity' if true == 1 else 'entities'}, {predicted:,} predicted"


def score(options: ScoreOptions) -> EntityScores:
    """The figures of entities and words; of plain labels only the `accuracy` of words."""
    true, predicted, kind, why = read_scored(options.gold, options.predictions, Columns.of(options))
    log_info(f"labels: {kind} ({why})")
    plain = kind == "plain"
    check_same_tokens(true, options.gold, predicted, path=options.predictions)
    true_tags, predicted_tags = ([sentence.tags for sentence in side] for side in (true, predicted))
    of_tokens = intervals({"accuracy": entities.token_accuracy(true_tags, predicted_tags)})
    tokens = sum(len(sentence.tokens) for sentence in true)
    if plain:
        if options.scheme is not None or options.strict:
            raise OptionError(f"--scheme and --strict are for entities; {options.gold} holds plain labels ({why})")
        return EntityScores(of_tokens, {}, 0, 0, len(true), tokens, None)
    scheme = options.scheme
    if scheme is None:
        scheme = entities.recognise(true_tags)
        log_info(f"scheme: {scheme}, by the tags of {options.gold}")
    check_scheme(true, options.gold, scheme)
    check_scheme(predicted, options.predictions, scheme)
    counts = entities.count(true_tags, predicted_tags, scheme if options.strict else "lenient")
    overall, by_type = entities.figures(counts)
    totals = {
        name: entities.Counts(*np.sum([sentence[name] for sentence in counts if name in sentence], axis=0).tolist())
        for name in by_type
    }
    return EntityScores(
        {**overall, **of_tokens},
        {name: TypeScores(figures, totals[name].gold, totals[name].predicted) for name, figures in by_type.items()},
        sum(total.gold for total in totals.values()),
        sum(total.predicted for total in totals.values()),
        len(true),
        tokens,
        scheme,
    )


SCORE = FileScoring(score, frozenset({"text_column", "label_column", "labels_are", "label_names", "scheme", "strict"}))
