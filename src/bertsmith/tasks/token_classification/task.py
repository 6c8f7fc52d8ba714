"""token-classification: a tag for each word: entities (NER), or plain labels such as parts of speech.

The loss, the predictions, the figures and the files are all of words. Tags of entities are read in any of BIO, BIOES
and IOB1, and a model always learns BIO: one scheme whatever the files are in, the one that transformers' pipeline
groups by. Predictions are written and scored in the scheme of the file that they are compared with, as
`bertsmith score` reads it. Plain labels stay as they are and are measured by accuracy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, get_args

import numpy as np

from bertsmith.errors import ModelError, OptionError
from bertsmith.metrics import entities
from bertsmith.metrics.entities import Scheme, parse_tag
from bertsmith.metrics.measurements import SumMeasurement
from bertsmith.tasks.base import Task
from bertsmith.tasks.encoded_texts import padded
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.token_classification.answers import Span, Tagged, entities_of, spans_of
from bertsmith.tasks.token_classification.conll_file import Sentence
from bertsmith.tasks.token_classification.encoding import EncodedWords, encode_words, tokenize_words
from bertsmith.tasks.token_classification.labels import (
    Targets,
    bio,
    check_known,
    first_tags,
    labels_to_learn,
    targets_of,
)
from bertsmith.tasks.token_classification.metrics import entity_confusion_counts, measured, word_confusion_counts
from bertsmith.tasks.token_classification.tag_kinds import LABELS_ARE, LabelsAre, kind_line, looks_like
from bertsmith.tasks.token_classification.tagged_file import read_tagged
from bertsmith.tasks.values import (
    IGNORED,
    SINGLE_LABEL,
    Batch,
    ComparisonItem,
    ConfusionCounts,
    Decisions,
    Ints,
    LabelledPrediction,
    Logits,
    ModelOutputs,
    TaskOptions,
    Tokenizer,
)

NO_ENTITY = "(no entity)"
"""A sentence without entities, for people."""


class TokenClassification(Task[Sentence, EncodedWords, Targets, Tagged]):
    """Rows of words; sentences beyond the length are read in windows."""

    auto_class = "AutoModelForTokenClassification"
    pipeline_tag = "token-classification"
    called = "tagging head"
    config_keys = (LABELS_ARE,)
    decision_unit = "words"
    tables = ("jsonl", "parquet")
    has_probabilities = supports_class_weights = True

    def __init__(
        self, labels: Sequence[str] = (), problem_type: str = "", *, labels_are: LabelsAre | None = None
    ) -> None:
        super().__init__(labels, problem_type)
        self.chosen = {LABELS_ARE: labels_are or looks_like(set(self.labels))}
        self.types = {parsed[1] for parsed in map(parse_tag, self.labels) if parsed is not None} - {""}

    # Labels

    @property
    def labels_are(self) -> LabelsAre:
        """The kind of the labels. A training that an older version began has not chosen it."""
        kind: LabelsAre = self.chosen.get(LABELS_ARE) or looks_like(set(self.labels))
        return kind

    @property
    def plain(self) -> bool:
        """Whether the labels are plain ones, such as parts of speech."""
        return self.labels_are == "plain"

    @classmethod
    def for_training(cls, examples: Sequence[Sentence], options: TaskOptions) -> TokenClassification:
        """O, then B and I of each type; or the plain labels; sorted."""
        if options.problem_type != SINGLE_LABEL:
            raise OptionError(
                f"--problem-type {options.problem_type}: the tags of token-classification are classes, one a word"
            )
        kind = options.labels_are or looks_like({tag for sentence in examples for tag in sentence.tags})
        return cls(labels_to_learn(examples, kind), labels_are=kind)

    @classmethod
    def for_model(cls, config: Any, options: TaskOptions | None, name: str) -> TokenClassification:
        """The labels of the MODEL, which may be of any scheme, of the kind that its configuration says."""
        if options is not None and options.problem_type is not None:
            raise OptionError(
                f"--problem-type {options.problem_type}: {name} tags words, whose tags are classes; leave it out"
            )
        asked = None if options is None else options.labels_are
        said = asked or getattr(config, LABELS_ARE, None)
        if said not in (None, *get_args(LabelsAre)):
            raise ModelError(f"{name}: {LABELS_ARE} in its config.json is {said!r}, expected 'plain' or 'entities'")
        labels = [config.id2label[number] for number in range(len(config.id2label))]
        in_bioes = entities.bioes_of(labels) if (said or looks_like(set(labels))) == "entities" else None
        task = cls([in_bioes[1][label] for label in labels] if in_bioes is not None else labels, labels_are=said)
        unknown = [label for label in task.labels if not task.plain and parse_tag(label) is None]
        if unknown:
            raise ModelError(
                f"{name}: its label {unknown[0]!r} is not an entity tag (O, or B-, I-, E- or S- and a type), but "
                f'others are; if they are plain labels, write "{LABELS_ARE}": "plain" into its config.json, or give '
                "--labels-are plain to evaluate and compare"
            )
        return task.with_model_temperature(config, name)

    @property
    def classes(self) -> list[str]:
        """The plain labels, or the types of the entities, in whatever scheme the model tags them."""
        return super().classes if self.plain else sorted(self.types)

    def targets(self, examples: Sequence[Sentence], where: str) -> Targets:
        """The tags, once the model knows them all; of entities their types."""
        check_known(examples, where, self.labels, types=None if self.plain else self.types)
        return targets_of(examples, self.labels, plain=self.plain)

    def label_counts(self, examples: Sequence[Sentence]) -> Mapping[str, int]:
        """Words of each label."""
        counts = Counter(tag for each in examples for tag in (each.tags if self.plain else bio(each.tags)))
        return {label: counts[label] for label in self.labels}

    def compared_labels(self, counts: Mapping[str, int]) -> Mapping[str, int]:
        """Of entities only how often each type begins."""
        return first_tags(counts)

    # Files

    @classmethod
    def read(cls, path: Path, columns: Columns) -> list[Sentence]:
        """The sentences of CoNLL columns or JSON lines."""
        return read_tagged(path, columns)

    @classmethod
    def following(cls, columns: Columns, examples: Sequence[Sentence], path: Path) -> Columns:
        """The tags of all files are of the kind of those of the training file."""
        tags = {*chain(*(each.tags for each in examples))}
        return replace(columns, labels_are=columns.labels_are or looks_like(tags))

    def columns(self, columns: Columns) -> Columns:
        """The tags are of the kind of this task's labels."""
        return replace(columns, labels_are=self.labels_are)

    def read_unlabelled(self, path: Path, columns: Columns) -> list[Sentence]:
        """The sentences; files of columns need only the column of the tokens."""
        return read_tagged(path, columns, stand_in=self.labels[0])

    def items(self, examples: Sequence[Sentence]) -> Iterator[ComparisonItem]:
        """The tokens as one text, and the tags."""
        for sentence in examples:
            place = f"{sentence.unit} {sentence.lines[0]}"
            yield ComparisonItem((" ".join(sentence.tokens),), " ".join(sentence.tags), place)

    def predictions(self, examples: Sequence[Sentence], outputs: Tagged) -> Iterator[str]:
        """CoNLL columns: token, tag of the file, predicted tag (conlleval's form).

        If the tags look like a different kind than they are, the first line is a comment that gives `score` the kind.
        """
        tags = [sentence.tags for sentence in examples]
        predicted = self.tags(outputs, None if self.plain else entities.recognise(tags))
        if looks_like({*chain(*tags)}, {*chain(*predicted)}) != self.labels_are:
            yield kind_line(self.labels_are)
        for number, (sentence, guessed) in enumerate(zip(examples, predicted, strict=True)):
            if number:
                yield ""
            for columns in zip(sentence.tokens, sentence.tags, guessed, strict=True):
                yield "\t".join(columns)

    # Encoding

    def encode(self, tokenizer: Tokenizer, examples: Sequence[Sentence], max_length: int) -> EncodedWords:
        """The words of each sentence."""
        words = tokenize_words(tokenizer, [sentence.tokens for sentence in examples])
        return encode_words(tokenizer, words, max_length)

    def batch(self, inputs: EncodedWords, rows: Sequence[int], pad_token_id: int, *, with_types: bool) -> Batch:
        """As `padded`."""
        return padded(inputs.rows, rows, pad_token_id, with_types=with_types)

    def row_targets(self, inputs: EncodedWords, targets: Targets, rows: Sequence[int]) -> Ints:
        """int64 of [rows, length]: the label at the first piece of each word that is predicted in the row."""
        found = np.full((len(rows), max(len(inputs.rows.input_ids[row]) for row in rows)), IGNORED, dtype=np.int64)
        for place, row in enumerate(rows):
            found[place, inputs.places[row]] = targets.numbers[inputs.sentences[row]][inputs.words[row]]
        return found

    def soft_targets(self, inputs: EncodedWords, logits: Callable[[int], Logits], rows: Sequence[int]) -> Logits:
        """float32 of [rows, length, labels], at the places of the labels in `row_targets`."""
        length, width = max(len(inputs.rows.input_ids[row]) for row in rows), len(self.labels)
        soft = np.zeros((len(rows), length, width), dtype=np.float32)
        for place, row in enumerate(rows):
            soft[place, inputs.places[row]] = logits(inputs.sentences[row]).reshape(-1, width)[inputs.words[row]]
        return soft

    # Prediction

    def keep(self, outputs: ModelOutputs, inputs: EncodedWords, rows: Sequence[int]) -> Iterator[Logits]:
        """The logits at the first piece of each word that is predicted in a row: float32 of [words, labels]."""
        for place, row in enumerate(rows):
            yield outputs["logits"][place, inputs.places[row]]

    def gather_logits(self, kept: Sequence[Logits], inputs: EncodedWords) -> list[Logits]:
        """The words of each sentence from all of its windows."""
        found: list[Logits] = [np.zeros((count, len(self.labels)), dtype=np.float32) for count in inputs.num_words]
        for sentence, words, logits in zip(inputs.sentences, inputs.words, kept, strict=True):
            found[sentence][words] = logits
        return found

    def join(self, kept: Sequence[Logits], inputs: EncodedWords) -> Tagged:
        """The words of each sentence from all of its windows."""
        return Tagged(self.gather_logits(kept, inputs))

    def tags(self, outputs: Tagged, scheme: Scheme | None) -> list[list[str]]:
        """The tag of each word, in this scheme; tags that break a model's own scheme are read as conlleval does."""
        found = [[self.labels[number] for number in numbers] for numbers in outputs.numbers]
        if scheme is None:
            return found
        return [entities.tags_of(entities.entities(tags), len(tags), scheme) for tags in found]

    def spans(self, outputs: Tagged) -> list[list[Span]]:
        """The entities of each sentence; with plain labels every word."""
        return spans_of(outputs, self.labels, self.temperature, plain=self.plain)

    def decisions(self, outputs: Tagged, targets: Targets) -> Decisions:
        """One per word, but for those whose tag the model lacks."""
        logits, numbers = np.concatenate(outputs.logits), np.concatenate(targets.numbers)
        return Decisions(logits[numbers != IGNORED].astype(np.float64), numbers[numbers != IGNORED])

    def some(self, outputs: Tagged, targets: Targets, numbers: Ints) -> tuple[Tagged, Targets]:
        """The sentences."""
        return Tagged([outputs.logits[number] for number in numbers]), targets.some(numbers)

    # Scoring

    @property
    def main_metric(self) -> str:
        """F1 of entities; accuracy of plain labels."""
        return "accuracy" if self.plain else "f1"

    def measure(self, outputs: Tagged, targets: Targets) -> dict[str, SumMeasurement]:
        """`f1`, `precision`, `recall` of entities, as conlleval reads them, and `accuracy` of words."""
        return measured(targets.tags, self.tags(outputs, targets.scheme), plain=self.plain)

    @property
    def baseline_answer(self) -> str:
        """O, or a plain label."""
        return super().baseline_answer if self.plain else "finding no entity"

    def baseline(self, train: Targets, targets: Targets) -> dict[str, float]:
        """Always O; with plain labels always the most frequent one."""
        constant = "O"
        if self.plain:
            counts = np.bincount(np.concatenate(train.numbers), minlength=len(self.labels))
            constant = self.labels[int(counts.argmax())]
        answers = measured(targets.tags, [[constant] * len(tags) for tags in targets.tags], plain=self.plain)
        return {name: measurement.value for name, measurement in answers.items()}

    # Errors

    @property
    def error(self) -> str:
        """The number of words with a wrong tag."""
        return "wrong words"

    def labelled_predictions(
        self, examples: Sequence[Sentence], outputs: Tagged, targets: Targets
    ) -> Iterator[LabelledPrediction]:
        """The entities; with plain labels the words whose label is wrong."""
        for example, said in zip(examples, self.tags(outputs, targets.scheme), strict=True):
            places = [at for at, (a, b) in enumerate(zip(example.tags, said, strict=True)) if a != b]
            shown = [self._shown(example.tokens, tags, places) for tags in (example.tags, said)]
            yield LabelledPrediction(shown[0], shown[1], bool(places), float(len(places)))

    def _shown(self, tokens: Sequence[str], tags: list[str], wrong: Sequence[int]) -> str:
        """The entities of a sentence for people, or the plain labels of its wrong words."""
        if self.plain:
            return "; ".join(f"{tokens[at]}: {tags[at]}" for at in wrong)
        found = (f"{it.type}: {' '.join(tokens[it.start : it.end])}" for it in entities_of(tags, plain=False))
        return "; ".join(found) or NO_ENTITY

    def confusion_counts(self, outputs: Tagged, targets: Targets) -> ConfusionCounts:
        """The entities of each type, or the plain labels of the words."""
        predicted = self.tags(outputs, targets.scheme)
        if self.plain:
            return word_confusion_counts(targets.tags, predicted, self.labels)
        return entity_confusion_counts(targets.tags, predicted, self.types)


TASK = TokenClassification
