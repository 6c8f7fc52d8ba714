"""token-classification: a tag for each word: entities (NER), or plain labels such as parts of speech.

Everything is of words: the loss is of the first piece of each word, predictions, figures and files are of words.

Tags of entities are read in any of BIO, BIOES and IOB1, and a model always learns BIO: one scheme whatever the files
are in, the one that transformers' pipeline groups by, with B and I of every type as labels even where training has only
one of them. Predictions are written and scored in the scheme of the file that they are compared with, as
`bertsmith score` reads it. Plain labels stay as they are and are measured by accuracy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from bertsmith.errors import DataError, ModelError, OptionError
from bertsmith.metrics import entities
from bertsmith.metrics.entities import Counts, Entity, Scheme, parse_tag
from bertsmith.metrics.measurements import OfSums
from bertsmith.tasks.base import SINGLE_LABEL, Decisions, Head, Item, Judged, Logits, Tally, tally_of_pairs
from bertsmith.tasks.class_weights import sum_of_weights, weighted_loss_sum, weighted_sum
from bertsmith.tasks.encoded_texts import padded
from bertsmith.tasks.files.label_checks import differs_in_spelling, same_but_for_spelling
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.soft_targets import soft_losses
from bertsmith.tasks.token_classification.conll_file import Sentence
from bertsmith.tasks.token_classification.tag_kinds import (
    LABELS_ARE,
    LabelsAre,
    advice_on_numbers,
    kind_line,
    looks_like,
)
from bertsmith.tasks.token_classification.tagged_file import read_tagged
from bertsmith.tasks.token_classification.words import EncodedWords, Ints, encode_words, pieces_of_words

IGNORED = -100
"""The target of a piece that no loss is of, as in transformers."""
NO_ENTITY = "(no entity)"
"""What stands for a sentence without entities, for people."""


@dataclass(frozen=True)
class Targets:
    """What is true of some sentences.

    Attributes:
        tags: of each word, as the file has them.
        scheme: of these tags, None for plain labels.
        numbers: for each sentence int64 of [words]: the labels; IGNORED where the model has no such label.
    """

    tags: list[list[str]]
    scheme: Scheme | None
    numbers: list[Ints]

    def __len__(self) -> int:
        return len(self.tags)


@dataclass(frozen=True)
class Tagged:
    """What a model says of some sentences.

    Attributes:
        logits: for each sentence float32 of [words, labels].
    """

    logits: list[npt.NDArray[np.float32]]

    @cached_property
    def numbers(self) -> list[Ints]:
        """For each sentence int64 of [words], the labels."""
        return [each.argmax(axis=1) for each in self.logits]

    def probabilities(self, temperature: float) -> list[npt.NDArray[np.float32]]:
        """For each sentence float32 of [words], those of these labels."""
        return [torch.from_numpy(each / temperature).softmax(-1).amax(-1).numpy() for each in self.logits]


@dataclass(frozen=True)
class Span:
    """Words `start` to `end` (exclusive) under a label; `score` is the mean probability of their tags."""

    label: str
    start: int
    end: int
    score: float


class TokenClassification(Head[Sentence, EncodedWords, Targets, Tagged]):
    """Rows of words; sentences beyond the length are read in windows."""

    auto_class = "AutoModelForTokenClassification"
    pipeline_tag = "token-classification"
    called = "tagging head"
    decides = "words"
    tables = ("jsonl", "parquet")

    def __init__(self, labels: Sequence[str], problem_type: str = "", *, labels_are: LabelsAre | None = None) -> None:
        super().__init__(labels, problem_type)
        self.chosen = {LABELS_ARE: labels_are or looks_like(set(self.labels))}
        self.types = {parsed[1] for parsed in map(parse_tag, self.labels) if parsed is not None} - {""}

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
    def for_training(
        cls, examples: Sequence[Sentence], problem_type: str, *, labels_are: LabelsAre | None = None
    ) -> TokenClassification:
        """O, then B and I of each type; or the plain labels; sorted."""
        if problem_type != SINGLE_LABEL:
            raise OptionError(
                f"--problem-type {problem_type}: the tags of token-classification are classes, one a word"
            )
        labels = sorted({tag for sentence in examples for tag in sentence.tags})
        labels_are = labels_are or looks_like(set(labels))
        if labels_are == "plain":
            if len(labels) < 2:
                raise DataError(f"the training file has one tag alone, {labels[0]!r}; expected at least two")
            return cls(labels, labels_are=labels_are)
        found = {tag for sentence in examples for tag in _bio(sentence.tags)} - {"O"}
        if not found:
            raise DataError("the training file has no entity, every tag is O; is it the right column?")
        return cls(["O", *sorted({f"{prefix}{tag[1:]}" for tag in found for prefix in "BI"})], labels_are=labels_are)

    @classmethod
    def for_model(cls, config: Any, problem_type: str | None, name: str) -> TokenClassification:
        """The labels of the MODEL, which may be of any scheme, of the kind that its configuration says."""
        if problem_type is not None:
            raise OptionError(f"--problem-type {problem_type}: {name} tags words, whose tags are classes; leave it out")
        said = getattr(config, LABELS_ARE, None)
        if said not in (None, *get_args(LabelsAre)):
            raise ModelError(f"{name}: {LABELS_ARE} in its config.json is {said!r}, expected 'plain' or 'entities'")
        labels = [config.id2label[number] for number in range(len(config.id2label))]
        in_bioes = entities.bioes_of(labels) if (said or looks_like(set(labels))) == "entities" else None
        head = cls([in_bioes[1][label] for label in labels] if in_bioes is not None else labels, labels_are=said)
        unknown = [label for label in head.labels if not head.plain and parse_tag(label) is None]
        if unknown:
            raise ModelError(
                f"{name}: its label {unknown[0]!r} is not an entity tag (O, or B-, I-, E- or S- and a type), but "
                f'others are; if they are plain labels, write "{LABELS_ARE}": "plain" into its config.json, or give '
                "--labels-are plain to evaluate and compare"
            )
        return head.with_temperature_of(config, name)

    @property
    def told_apart(self) -> list[str]:
        """The plain labels, or the types of the entities, in whatever scheme the model tags them."""
        return super().told_apart if self.plain else sorted(self.types)

    # Files

    @classmethod
    def read(cls, path: Path, columns: Columns) -> list[Sentence]:
        """The sentences of CoNLL columns or JSON lines."""
        return read_tagged(path, columns)

    def columns(self, columns: Columns) -> Columns:
        """The tags are of the kind of this head's labels."""
        return replace(columns, labels_are=self.labels_are)

    def read_unlabelled(self, path: Path, columns: Columns) -> list[Sentence]:
        """The sentences; files of columns need no more than that of the tokens."""
        return read_tagged(path, columns, stand_in=self.labels[0])

    def targets(self, examples: Sequence[Sentence], where: str) -> Targets:
        """The tags, once the model knows them all; of entities their types."""
        for sentence in examples:
            for tag, line in zip(sentence.tags, sentence.lines, strict=True):
                if not self._knows(tag):
                    known = self.labels if self.plain else ["O", *sorted(self.types)]
                    in_its_scheme = [f"{tag[:2]}{name}" for name in sorted(self.types)]
                    near = same_but_for_spelling(tag, self.labels if self.plain else in_its_scheme)
                    advice = "; take it out, or train on a file that has it"
                    raise DataError(
                        f"{where}: {sentence.unit} {line}: the tag {tag!r} is not among those of the model "
                        f"({', '.join(known[:20])}){advice if near is None else differs_in_spelling(tag, near)}"
                        f"{advice_on_numbers(tag)}"
                    )
        number = {label: place for place, label in enumerate(self.labels)}
        tags = [sentence.tags for sentence in examples]
        learnt = tags if self.plain else [_bio(each) for each in tags]
        numbers = [np.array([number.get(tag, IGNORED) for tag in each], dtype=np.int64) for each in learnt]
        return Targets(tags, None if self.plain else entities.recognise(tags), numbers)

    def _knows(self, tag: str) -> bool:
        if self.plain:
            return tag in self.labels
        parsed = parse_tag(tag)
        return parsed is not None and (parsed[0] == "O" or parsed[1] in self.types)

    def label_counts(self, examples: Sequence[Sentence]) -> Mapping[str, int]:
        """Words of each label."""
        counts = Counter(tag for each in examples for tag in (each.tags if self.plain else _bio(each.tags)))
        return {label: counts[label] for label in self.labels}

    def items(self, examples: Sequence[Sentence]) -> Iterator[Item]:
        """The tokens as one text, and the tags."""
        for sentence in examples:
            place = f"{sentence.unit} {sentence.lines[0]}"
            yield Item((" ".join(sentence.tokens),), " ".join(sentence.tags), place)

    def predictions(self, examples: Sequence[Sentence], outputs: Tagged) -> Iterator[str]:
        """CoNLL columns: token, tag of the file, predicted tag (conlleval's form).

        If the tags look like a different kind than they are, the first line is a comment that tells `score` the kind.
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

    # Encode

    def encode(self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Sentence], max_length: int) -> EncodedWords:
        """The words of each sentence."""
        words = pieces_of_words(tokenizer, [sentence.tokens for sentence in examples])
        return encode_words(tokenizer, words, max_length)

    def batch(
        self, inputs: EncodedWords, rows: Sequence[int], pad_token_id: int, *, with_types: bool
    ) -> dict[str, Tensor]:
        """As `padded`."""
        return padded(inputs.rows, rows, pad_token_id, with_types=with_types)

    # Train

    def gold(self, inputs: EncodedWords, targets: Targets, rows: Sequence[int]) -> Tensor:
        """int64 of [rows, length]: the label at the first piece of each word that is predicted in the row."""
        gold = torch.full((len(rows), max(len(inputs.rows.input_ids[row]) for row in rows)), IGNORED)
        for place, row in enumerate(rows):
            numbers = targets.numbers[inputs.sentences[row]][inputs.words[row]]
            gold[place, torch.from_numpy(inputs.places[row])] = torch.from_numpy(numbers)
        return gold

    @property
    def weighs_classes(self) -> bool:
        """A word has one label."""
        return True

    def loss_count(self, gold: Tensor) -> float:
        """One loss a word."""
        words = gold[gold != IGNORED]
        return len(words) if self.class_weights is None else sum_of_weights(words, self.class_weights)

    def loss_sum(self, output: Any, gold: Tensor) -> Tensor:
        """Cross-entropy in nats, summed over the words."""
        logits, numbers = output.logits.float().flatten(0, 1), gold.flatten()
        if self.class_weights is not None:
            return weighted_loss_sum(logits, numbers, self.class_weights)
        return functional.cross_entropy(logits, numbers, ignore_index=IGNORED, reduction="sum")

    # Learn from a teacher

    def logits(self, output: Any, inputs: EncodedWords, rows: Sequence[int]) -> list[Logits]:
        """float32 of [words, labels]: those at the first piece of each word that is predicted in a row."""
        logits = output.logits.float().cpu().numpy()
        return [logits[place, inputs.places[row]] for place, row in enumerate(rows)]

    def join_logits(self, kept: Sequence[Logits], inputs: EncodedWords) -> list[Logits]:
        """The words of each sentence from all of its windows."""
        found: list[Logits] = [np.zeros((count, len(self.labels)), dtype=np.float32) for count in inputs.num_words]
        for sentence, words, logits in zip(inputs.sentences, inputs.words, kept, strict=True):
            found[sentence][words] = logits
        return found

    def soft_targets(self, inputs: EncodedWords, logits: Callable[[int], Logits], rows: Sequence[int]) -> Tensor:
        """float32 of [rows, length, labels], where `gold` has the labels."""
        soft = torch.zeros(len(rows), max(len(inputs.rows.input_ids[row]) for row in rows), len(self.labels))
        for place, row in enumerate(rows):
            words = logits(inputs.sentences[row]).reshape(-1, len(self.labels))[inputs.words[row]]
            soft[place, torch.from_numpy(inputs.places[row])] = torch.from_numpy(words)
        return soft

    def soft_loss_sum(self, output: Any, soft: Tensor, gold: Tensor, temperature: float) -> Tensor:
        """One loss a word."""
        counted = gold != IGNORED
        losses = soft_losses(output.logits[counted], soft[counted], temperature)
        return losses.sum() if self.class_weights is None else weighted_sum(losses, gold[counted], self.class_weights)

    # Decode and score

    def keep(self, output: Any, inputs: EncodedWords, rows: Sequence[int]) -> Iterator[npt.NDArray[np.float32]]:
        """The logits of each word that is predicted in a row: float32 of [words, labels]."""
        counts = [len(inputs.places[row]) for row in rows]
        which = torch.arange(len(rows)).repeat_interleave(torch.tensor(counts))
        where = torch.from_numpy(np.concatenate([inputs.places[row] for row in rows]))
        device = output.logits.device
        logits = output.logits[which.to(device), where.to(device)].float().cpu().numpy()
        yield from np.split(logits, np.cumsum(counts)[:-1])

    def join(self, kept: Sequence[npt.NDArray[np.float32]], inputs: EncodedWords) -> Tagged:
        """The words of each sentence from all of its windows."""
        logits = [np.zeros((count, len(self.labels)), dtype=np.float32) for count in inputs.num_words]
        for sentence, words, found in zip(inputs.sentences, inputs.words, kept, strict=True):
            logits[sentence][words] = found
        return Tagged(logits)

    def tags(self, outputs: Tagged, scheme: Scheme | None) -> list[list[str]]:
        """The tag of each word, in this scheme; what a model says against its own is read as conlleval does."""
        found = [[self.labels[number] for number in numbers] for numbers in outputs.numbers]
        if scheme is None:
            return found
        return [entities.tags_of(entities.entities(tags), len(tags), scheme) for tags in found]

    def spans(self, outputs: Tagged) -> list[list[Span]]:
        """The entities of each sentence; with plain labels every word."""
        return [
            [
                Span(type_, start, end, float(probabilities[start:end].mean()))
                for type_, start, end in self._entities([self.labels[number] for number in numbers])
            ]
            for numbers, probabilities in zip(outputs.numbers, outputs.probabilities(self.temperature), strict=True)
        ]

    def _entities(self, tags: list[str]) -> list[Entity]:
        if self.plain:
            return [Entity(tag, place, place + 1) for place, tag in enumerate(tags)]
        return entities.entities(tags)

    @property
    def has_probabilities(self) -> bool:
        """Of the tags of each word."""
        return True

    def decisions(self, outputs: Tagged, targets: Targets) -> Decisions:
        """A word each, but for those whose tag the model lacks."""
        logits, gold = np.concatenate(outputs.logits), np.concatenate(targets.numbers)
        return Decisions(logits[gold != IGNORED].astype(np.float64), gold[gold != IGNORED])

    @property
    def main_metric(self) -> str:
        """F1 of entities; accuracy of plain labels."""
        return "accuracy" if self.plain else "f1"

    def measure(self, outputs: Tagged, targets: Targets) -> dict[str, OfSums]:
        """`f1`, `precision`, `recall` of entities, as conlleval reads them, and `accuracy` of words."""
        return self._measured(targets, self.tags(outputs, targets.scheme))

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
        answers = self._measured(targets, [[constant] * len(tags) for tags in targets.tags])
        return {name: measurement.value for name, measurement in answers.items()}

    def _measured(self, targets: Targets, predicted: list[list[str]]) -> dict[str, OfSums]:
        of_words = {"accuracy": entities.token_accuracy(targets.tags, predicted)}
        if self.plain:
            return of_words
        found = entities.measure(entities.count(targets.tags, predicted))
        return {"f1": found["f1"]} | found | of_words

    # Look at errors

    @property
    def error(self) -> str:
        """So many words have a wrong tag."""
        return "wrong words"

    def judged(self, examples: Sequence[Sentence], outputs: Tagged, targets: Targets) -> Iterator[Judged]:
        """The entities; with plain labels the words whose label is wrong."""
        for example, said in zip(examples, self.tags(outputs, targets.scheme), strict=True):
            places = [at for at, (a, b) in enumerate(zip(example.tags, said, strict=True)) if a != b]
            shown = [self._shown(example.tokens, tags, places) for tags in (example.tags, said)]
            yield Judged(shown[0], shown[1], bool(places), float(len(places)))

    def _shown(self, tokens: Sequence[str], tags: list[str], wrong: Sequence[int]) -> str:
        """The entities of a sentence for people, or the plain labels of its wrong words."""
        if self.plain:
            return "; ".join(f"{tokens[at]}: {tags[at]}" for at in wrong)
        found = (f"{type_}: {' '.join(tokens[start:end])}" for type_, start, end in entities.entities(tags))
        return "; ".join(found) or NO_ENTITY

    def some(self, outputs: Tagged, targets: Targets, numbers: Ints) -> tuple[Tagged, Targets]:
        """The sentences, in the scheme of the whole file."""
        tags, right = [targets.tags[number] for number in numbers], [targets.numbers[number] for number in numbers]
        return Tagged([outputs.logits[number] for number in numbers]), Targets(tags, targets.scheme, right)

    def tally(self, outputs: Tagged, targets: Targets) -> Tally:
        """The entities of each type; what words are taken for is counted word by word, by type."""
        predicted = self.tags(outputs, targets.scheme)
        words = Counter(
            (self._type(a), self._type(b))
            for true, said in zip(targets.tags, predicted, strict=True)
            for a, b in zip(true, said, strict=True)
        )
        by_word = tally_of_pairs(self.labels if self.plain else ["O", *sorted(self.types)], words, "words")
        if self.plain:
            return by_word
        sums = {type_: np.zeros(3, dtype=np.int64) for type_ in sorted(self.types)}
        for sentence in entities.count(targets.tags, predicted):
            for type_, counts in sentence.items():
                sums[type_] += counts
        return Tally({type_: Counts(*map(int, each)) for type_, each in sums.items()}, words, "words")

    def _type(self, tag: str) -> str:
        """What a word is taken for: the type of its entity, O, or its plain label."""
        if self.plain:
            return tag
        prefix, type_ = parse_tag(tag) or ("O", "")
        return type_ or prefix


def _bio(tags: Sequence[str]) -> list[str]:
    """Tags of any scheme in BIO, with the same entities."""
    return entities.tags_of(entities.entities(tags), len(tags), "BIO")


TASK = TokenClassification
