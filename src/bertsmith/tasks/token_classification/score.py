"""score: the metrics of predicted tags, with entities read as in conlleval, or plain labels."""

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
    """The entities of one type: `precision`, `recall` and `f1`; their number in LABELS and in PREDICTIONS."""

    gold: int
    predicted: int

    @property
    def headline(self) -> str:
        """The number of entities."""
        return _entities(self.gold, self.predicted)


@dataclass(frozen=True)
class EntityScores(Scores):
    """token-classification: `precision`, `recall`, `f1` of entities, `accuracy` of tokens (intervals over sentences).

    Plain labels, such as parts of speech, have only `accuracy`.

    Attributes:
        types: the metrics of each entity type.
        gold, predicted: number of entities in LABELS and in PREDICTIONS.
        sentences, tokens: number of sentences and tokens in the files.
        scheme: the scheme of the tags; None for plain labels.
    """

    types: dict[str, TypeScores]
    gold: int
    predicted: int
    sentences: int
    tokens: int
    scheme: str | None

    @property
    def headline(self) -> str:
        """The number of sentences, tokens and entities."""
        sentences = f"{counted(self.sentences, 'sentence')}, {counted(self.tokens, 'token')}"
        if self.scheme is None:
            return f"{sentences} (plain labels)"
        return f"{sentences}, {_entities(self.gold, self.predicted)} ({self.scheme})"

    @property
    def parts(self) -> Mapping[str, Scores]:
        """The scores of each entity type."""
        return self.types


def _entities(labelled: int, predicted: int) -> str:
    return f"{labelled:,} {'entity' if labelled == 1 else 'entities'}, {predicted:,} predicted"


def score(options: ScoreOptions) -> EntityScores:
    """Return the metrics of entities and words; for plain labels only the `accuracy` of words."""
    labelled, predicted, kind, reason = read_scored(options.labels, options.predictions, Columns.of(options))
    log_info(f"labels: {kind} ({reason})")
    plain = kind == "plain"
    check_same_tokens(labelled, options.labels, predicted, path=options.predictions)
    label_tags, predicted_tags = ([sentence.tags for sentence in side] for side in (labelled, predicted))
    token_scores = intervals({"accuracy": entities.token_accuracy(label_tags, predicted_tags)})
    tokens = sum(len(sentence.tokens) for sentence in labelled)
    if plain:
        if options.scheme is not None or options.strict:
            raise OptionError(
                f"--scheme and --strict are for entities, but {options.labels} has plain labels ({reason})"
            )
        return EntityScores(token_scores, {}, 0, 0, len(labelled), tokens, None)
    scheme = options.scheme
    if scheme is None:
        scheme = entities.recognise(label_tags)
        log_info(f"scheme: {scheme} (detected from the tags of {options.labels})")
    check_scheme(labelled, options.labels, scheme)
    check_scheme(predicted, options.predictions, scheme)
    counts = entities.count(label_tags, predicted_tags, scheme if options.strict else "lenient")
    overall, by_type = entities.figures(counts)
    totals = {
        name: entities.LabelCounts(
            *np.sum([sentence[name] for sentence in counts if name in sentence], axis=0).tolist()
        )
        for name in by_type
    }
    return EntityScores(
        {**overall, **token_scores},
        {name: TypeScores(figures, totals[name].labelled, totals[name].predicted) for name, figures in by_type.items()},
        sum(total.labelled for total in totals.values()),
        sum(total.predicted for total in totals.values()),
        len(labelled),
        tokens,
        scheme,
    )


SCORE = FileScoring(score, frozenset({"text_column", "label_column", "labels_are", "label_names", "scheme", "strict"}))
