"""token-classification: a tag per word, for entities (NER) or plain labels such as parts of speech.

Losses, predictions, metrics and files are all per word. Entity tags may be in BIO, BIOES or IOB1. A model always learns
BIO, the scheme by which transformers' pipeline groups tokens. Predictions are written and scored in the scheme of the
labelled file, as in `bertsmith score`. Plain labels are unchanged and measured by accuracy.
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
from bertsmith.tasks.token_classification.answers import Span, Tagged, entities_from_tags, tagged_spans
from bertsmith.tasks.token_classification.conll_file import Sentence
from bertsmith.tasks.token_classification.encoding import EncodedWords, encode_words, tokenize_words
from bertsmith.tasks.token_classification.labels import (
    Targets,
    check_known,
    encode_tags,
    first_tags,
    labels_to_learn,
    to_bio,
)
from bertsmith.tasks.token_classification.metrics import entity_confusion_counts, tag_metrics, word_confusion_counts
from bertsmith.tasks.token_classification.tag_kinds import LABELS_ARE, LabelsAre, detect_kind, kind_line
from bertsmith.tasks.token_classification.tagged_file import read_tagged
from bertsmith.tasks.values import (
    IGNORED,
    SINGLE_LABEL,
    ComparisonItem,
    ConfusionCounts,
    Decisions,
    Ints,
    LabelledPrediction,
    Logits,
    ModelInputs,
    ModelOutputs,
    TaskOptions,
    Tokenizer,
)

NO_ENTITY = "(no entity)"
"""The display name of a sentence without entities."""


class TokenClassification(Task[Sentence, EncodedWords, Targets, Tagged]):
    """Rows of words; long sentences are read in windows."""

    auto_class = "AutoModelForTokenClassification"
    pipeline_tag = "token-classification"
    head_name = "tagging head"
    config_keys = (LABELS_ARE,)
    decision_unit = "words"
    tables = ("jsonl", "parquet")
    has_probabilities = supports_class_weights = True

    def __init__(
        self, labels: Sequence[str] = (), problem_type: str = "", *, labels_are: LabelsAre | None = None
    ) -> None:
        super().__init__(labels, problem_type)
        self.fitted_values = {LABELS_ARE: labels_are or detect_kind(set(self.labels))}
        self.types = {parsed[1] for parsed in map(parse_tag, self.labels) if parsed is not None} - {""}

    # Labels

    @property
    def labels_are(self) -> LabelsAre:
        """The kind of the labels; detected if a training began with a version that did not store it."""
        kind: LabelsAre = self.fitted_values.get(LABELS_ARE) or detect_kind(set(self.labels))
        return kind

    @property
    def plain(self) -> bool:
        """Whether the labels are plain, such as parts of speech."""
        return self.labels_are == "plain"

    @classmethod
    def for_training(cls, examples: Sequence[Sentence], options: TaskOptions) -> TokenClassification:
        """Return the task with the labels O, then B and I of each type; or the plain labels, sorted."""
        if options.problem_type != SINGLE_LABEL:
            raise OptionError(
                f"--problem-type {options.problem_type} is not for token-classification, where each word has one class"
            )
        kind = options.labels_are or detect_kind({tag for sentence in examples for tag in sentence.tags})
        return cls(labels_to_learn(examples, kind), labels_are=kind)

    @classmethod
    def for_model(cls, config: Any, options: TaskOptions | None, name: str) -> TokenClassification:
        """Return the task with the labels of the MODEL, in any scheme; the configuration has the kind of labels."""
        if options is not None and options.problem_type is not None:
            raise OptionError(
                f"--problem-type {options.problem_type}: {name} is a token-classification model. Try: leave the "
                "option out"
            )
        requested = None if options is None else options.labels_are
        kind = requested or getattr(config, LABELS_ARE, None)
        if kind not in (None, *get_args(LabelsAre)):
            raise ModelError(f"{name}: {LABELS_ARE} in its config.json is {kind!r}, expected 'plain' or 'entities'")
        labels = [config.id2label[number] for number in range(len(config.id2label))]
        in_bioes = entities.convert_to_bioes(labels) if (kind or detect_kind(set(labels))) == "entities" else None
        task = cls([in_bioes[1][label] for label in labels] if in_bioes is not None else labels, labels_are=kind)
        unknown = [label for label in task.labels if not task.plain and parse_tag(label) is None]
        if unknown:
            raise ModelError(
                f"{name}: its label {unknown[0]!r} is not an entity tag (O, or B-, I-, E- or S- and a type), but other "
                f'labels are. If they are plain labels, add "{LABELS_ARE}": "plain" to its config.json, or give '
                "--labels-are plain to evaluate and compare"
            )
        return task.with_model_temperature(config, name)

    @property
    def classes(self) -> list[str]:
        """The plain labels, or the entity types."""
        return super().classes if self.plain else sorted(self.types)

    def targets(self, examples: Sequence[Sentence], where: str) -> Targets:
        """Encode the tags. Raises DataError for a plain label or entity type that the model does not have."""
        check_known(examples, where, self.labels, types=None if self.plain else self.types)
        return encode_tags(examples, self.labels, plain=self.plain)

    def label_counts(self, examples: Sequence[Sentence]) -> Mapping[str, int]:
        """Count the words of each label."""
        counts = Counter(tag for each in examples for tag in (each.tags if self.plain else to_bio(each.tags)))
        return {label: counts[label] for label in self.labels}

    def compared_labels(self, counts: Mapping[str, int]) -> Mapping[str, int]:
        """Return the counts to compare; for entities, only how often each type begins."""
        return first_tags(counts)

    # Files

    @classmethod
    def read(cls, path: Path, columns: Columns) -> list[Sentence]:
        """Read the sentences of a tagged file."""
        return read_tagged(path, columns)

    @classmethod
    def columns_for_other_files(cls, columns: Columns, examples: Sequence[Sentence], path: Path) -> Columns:
        """Return columns with the kind of tags of the training file."""
        tags = {*chain(*(each.tags for each in examples))}
        return replace(columns, labels_are=columns.labels_are or detect_kind(tags))

    def columns(self, columns: Columns) -> Columns:
        """Return columns with the kind of tags of this task."""
        return replace(columns, labels_are=self.labels_are)

    def read_unlabelled(self, path: Path, columns: Columns) -> list[Sentence]:
        """Read the sentences without their tags; CoNLL files need only the token column."""
        return read_tagged(path, columns, placeholder_label=self.labels[0])

    def comparison_items(self, examples: Sequence[Sentence]) -> Iterator[ComparisonItem]:
        """Yield the tokens as one text, and the tags."""
        for sentence in examples:
            place = f"{sentence.unit} {sentence.lines[0]}"
            yield ComparisonItem((" ".join(sentence.tokens),), " ".join(sentence.tags), place)

    def predictions(self, examples: Sequence[Sentence], outputs: Tagged) -> Iterator[str]:
        """Yield CoNLL columns: token, tag of the file, predicted tag (the format of conlleval).

        If the tags look like a different kind than they are, the first line is a comment with the kind, for `score`.
        """
        tags = [sentence.tags for sentence in examples]
        predicted = self.tags(outputs, None if self.plain else entities.recognise(tags))
        if detect_kind({*chain(*tags)}, {*chain(*predicted)}) != self.labels_are:
            yield kind_line(self.labels_are)
        for number, (sentence, guesses) in enumerate(zip(examples, predicted, strict=True)):
            if number:
                yield ""
            for columns in zip(sentence.tokens, sentence.tags, guesses, strict=True):
                yield "\t".join(columns)

    # Encoding

    def encode(self, tokenizer: Tokenizer, examples: Sequence[Sentence], max_length: int) -> EncodedWords:
        """Encode the words of each sentence."""
        words = tokenize_words(tokenizer, [sentence.tokens for sentence in examples])
        return encode_words(tokenizer, words, max_length)

    def batch(self, inputs: EncodedWords, rows: Sequence[int], pad_token_id: int, *, with_types: bool) -> ModelInputs:
        """Return a batch as `padded` does."""
        return padded(inputs.rows, rows, pad_token_id, with_types=with_types)

    def row_targets(self, inputs: EncodedWords, targets: Targets, rows: Sequence[int]) -> Ints:
        """Return the labels at the first tokens of the words that are predicted in a row: int64 of [rows, length]."""
        found = np.full((len(rows), max(len(inputs.rows.input_ids[row]) for row in rows)), IGNORED, dtype=np.int64)
        for place, row in enumerate(rows):
            found[place, inputs.places[row]] = targets.numbers[inputs.sentences[row]][inputs.words[row]]
        return found

    def soft_targets(self, inputs: EncodedWords, logits: Callable[[int], Logits], rows: Sequence[int]) -> Logits:
        """Return the teacher's logits at the positions of `row_targets`: float32 of [rows, length, labels]."""
        length, width = max(len(inputs.rows.input_ids[row]) for row in rows), len(self.labels)
        soft = np.zeros((len(rows), length, width), dtype=np.float32)
        for place, row in enumerate(rows):
            soft[place, inputs.places[row]] = logits(inputs.sentences[row]).reshape(-1, width)[inputs.words[row]]
        return soft

    # Prediction

    def extract_outputs(self, outputs: ModelOutputs, inputs: EncodedWords, rows: Sequence[int]) -> Iterator[Logits]:
        """Yield the logits at the first tokens of the words that are predicted in a row: float32 of [words, labels]."""
        for place, row in enumerate(rows):
            yield outputs["logits"][place, inputs.places[row]]

    def gather_logits(self, kept: Sequence[Logits], inputs: EncodedWords) -> list[Logits]:
        """Combine the words of each sentence from all of its windows."""
        found: list[Logits] = [np.zeros((count, len(self.labels)), dtype=np.float32) for count in inputs.num_words]
        for sentence, words, logits in zip(inputs.sentences, inputs.words, kept, strict=True):
            found[sentence][words] = logits
        return found

    def gather_outputs(self, kept: Sequence[Logits], inputs: EncodedWords) -> Tagged:
        """Combine the words of each sentence from all of its windows."""
        return Tagged(self.gather_logits(kept, inputs))

    def tags(self, outputs: Tagged, scheme: Scheme | None) -> list[list[str]]:
        """Return the tag of each word in this scheme; invalid tag sequences are read as in conlleval."""
        found = [[self.labels[number] for number in numbers] for numbers in outputs.numbers]
        if scheme is None:
            return found
        return [entities.tags_from_entities(entities.entities(tags), len(tags), scheme) for tags in found]

    def spans(self, outputs: Tagged) -> list[list[Span]]:
        """Return the entities of each sentence; with plain labels, every word."""
        return tagged_spans(outputs, self.labels, self.temperature, plain=self.plain)

    def decisions(self, outputs: Tagged, targets: Targets) -> Decisions:
        """Return one decision per word, except for words whose tag the model does not have."""
        logits, numbers = np.concatenate(outputs.logits), np.concatenate(targets.numbers)
        return Decisions(logits[numbers != IGNORED].astype(np.float64), numbers[numbers != IGNORED])

    def select_examples(self, outputs: Tagged, targets: Targets, numbers: Ints) -> tuple[Tagged, Targets]:
        """Return the answers and targets of some sentences."""
        return Tagged([outputs.logits[number] for number in numbers]), targets.select(numbers)

    # Scoring

    @property
    def main_metric(self) -> str:
        """F1 of entities, or accuracy of plain labels."""
        return "accuracy" if self.plain else "f1"

    def measure(self, outputs: Tagged, targets: Targets) -> dict[str, SumMeasurement]:
        """Return `f1`, `precision`, `recall` of entities as in conlleval, and `accuracy` of words."""
        return tag_metrics(targets.tags, self.tags(outputs, targets.scheme), plain=self.plain)

    @property
    def baseline_answer(self) -> str:
        """Always O, or the most frequent plain label."""
        return super().baseline_answer if self.plain else "finding no entity"

    def baseline(self, train: Targets, targets: Targets) -> dict[str, float]:
        """Return the metrics of always giving O, or the most frequent plain label."""
        constant = "O"
        if self.plain:
            counts = np.bincount(np.concatenate(train.numbers), minlength=len(self.labels))
            constant = self.labels[int(counts.argmax())]
        answers = tag_metrics(targets.tags, [[constant] * len(tags) for tags in targets.tags], plain=self.plain)
        return {name: measurement.value for name, measurement in answers.items()}

    # Errors

    @property
    def error_name(self) -> str:
        """The number of words with a wrong tag."""
        return "wrong words"

    def labelled_predictions(
        self, examples: Sequence[Sentence], outputs: Tagged, targets: Targets
    ) -> Iterator[LabelledPrediction]:
        """Yield the entities of each sentence; for plain labels, the words whose label is wrong."""
        for example, predicted in zip(examples, self.tags(outputs, targets.scheme), strict=True):
            places = [at for at, (a, b) in enumerate(zip(example.tags, predicted, strict=True)) if a != b]
            shown = [self._shown(example.tokens, tags, places) for tags in (example.tags, predicted)]
            yield LabelledPrediction(shown[0], shown[1], bool(places), float(len(places)))

    def _shown(self, tokens: Sequence[str], tags: list[str], wrong: Sequence[int]) -> str:
        """Describe the entities of a sentence, or the plain labels of its wrong words."""
        if self.plain:
            return "; ".join(f"{tokens[at]}: {tags[at]}" for at in wrong)
        found = (f"{it.type}: {' '.join(tokens[it.start : it.end])}" for it in entities_from_tags(tags, plain=False))
        return "; ".join(found) or NO_ENTITY

    def confusion_counts(self, outputs: Tagged, targets: Targets) -> ConfusionCounts:
        """Count the entities of each type, or the plain labels of the words."""
        predicted = self.tags(outputs, targets.scheme)
        if self.plain:
            return word_confusion_counts(targets.tags, predicted, self.labels)
        return entity_confusion_counts(targets.tags, predicted, self.types)


TASK = TokenClassification
