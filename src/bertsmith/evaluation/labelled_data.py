"""Facts of labelled data before anything is trained on them: balance, repeats, contradictions, overlaps, lengths.

Texts are compared exactly, but for white space: one blank between words, none at the ends. The texts of a pair are
compared together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from bertsmith.errors import shortened
from bertsmith.records.labelled_files import (
    Contradiction,
    Contradictions,
    DataReport,
    LengthBin,
    Overlap,
    PartReport,
    PlacedLabel,
    Quantity,
    QuantityBin,
    SharedText,
)
from bertsmith.reporting.numbers import percent
from bertsmith.tasks.base import AnyTask
from bertsmith.tasks.values import ComparisonItem, Inputs, Tokenizer
from bertsmith.tasks.words_of_text import words_of_text

UNEVEN = 10
"""How many times the most frequent label may have the examples of the rarest without a warning."""
UNKNOWN_MANY = 0.01
"""The share of unknown tokens beyond which there is a warning."""
EXAMPLES = 5
"""How many examples are shown of each finding."""
UNKNOWN_WORDS = 10
LENGTH_BINS = 16
"""Bins up to the maximum length, and as many beyond it; the last one holds all longer examples."""
ROWS = 256
VALUE_BINS, WHOLE_BINS = 20, 40
"""Bins of a number; whole numbers have one each, up to `WHOLE_BINS`."""

UNLABELLED = "unlabelled"
"""The part whose labels are not looked at."""

Key = tuple[str, ...]


@dataclass(frozen=True)
class LabelledSplit:
    """A part of the data: `train`, `unlabelled`, `dev` or `test`."""

    examples: Sequence[Any]
    inputs: Inputs


def labelled_data_report(
    head: AnyTask, tokenizer: Tokenizer, parts: Mapping[str, LabelledSplit], *, max_length: int
) -> DataReport:
    """The report on the parts, `train` among them."""
    items = {name: list(head.items(part.examples)) for name, part in parts.items()}
    found = {
        name: _part_report(head, tokenizer, part, items=items[name], max_length=max_length)
        for name, part in parts.items()
    }
    if UNLABELLED in found:
        found[UNLABELLED].labels, found[UNLABELLED].quantity = {}, None
    overlaps = {f"{first}/{second}": _overlap(items[first], items[second]) for first, second in combinations(parts, 2)}
    report = DataReport(max_length=max_length, parts=found, overlaps=overlaps)
    report.warnings = list(_warnings(head, report))
    return report


def _part_report(
    head: AnyTask, tokenizer: Tokenizer, part: LabelledSplit, *, items: Sequence[ComparisonItem], max_length: int
) -> PartReport:
    lengths = part.inputs.full_lengths
    unknown = _unknown_tokens(head, tokenizer, part.inputs)
    return PartReport(
        examples=len(part.examples),
        labels=dict(head.label_counts(part.examples)),
        quantity=_quantity(head.quantity(part.examples)),
        labels_of=len(part.examples) if head.is_multi_label else None,
        repeated=len(items) - len({_key(item) for item in items}),
        contradictions=_contradictions(items),
        lengths=_length_bins(lengths, max_length),
        longest=max(lengths),
        cut_examples=sum(cut > 0 for cut in part.inputs.truncated_tokens),
        cut_tokens=sum(part.inputs.truncated_tokens),
        tokens=sum(lengths),
        unknown_tokens=unknown,
        unknown_words=_unknown_words(tokenizer, items) if unknown else {},
    )


def _quantity(found: tuple[str, list[float]] | None) -> Quantity | None:
    """The distribution of a number. Of few different values, all whole, each has a bin of its own."""
    if found is None:
        return None
    name, values = found[0], np.array(found[1])
    low, high = float(values.min()), float(values.max())
    whole = bool(np.all(values == np.round(values)))
    if whole and high - low < WHOLE_BINS:
        edges = np.arange(low, high + 2) - 0.5
    else:
        edges = np.linspace(low, high, VALUE_BINS + 1) if high > low else np.array([low - 0.5, low + 0.5])
    counts, _ = np.histogram(values, edges)
    bins = [
        QuantityBin(low=float(start), high=float(end), count=int(count))
        for start, end, count in zip(edges, edges[1:], counts, strict=False)
    ]
    return Quantity(name=name, low=low, mean=float(values.mean()), high=high, bins=bins)


def _key(item: ComparisonItem) -> Key:
    return tuple(" ".join(text.split()) for text in item.texts)


def _contradictions(items: Sequence[ComparisonItem]) -> Contradictions:
    by_text: dict[Key, dict[str, str]] = defaultdict(dict)
    for item in items:
        by_text[_key(item)].setdefault(item.label, item.place)
    texts = {key: places for key, places in by_text.items() if len(places) > 1}
    examples = [
        Contradiction(
            text=" | ".join(key), labels=[PlacedLabel(label=label, place=place) for label, place in places.items()]
        )
        for key, places in list(texts.items())[:EXAMPLES]
    ]
    return Contradictions(texts=len(texts), examples=examples)


def _overlap(first: Sequence[ComparisonItem], second: Sequence[ComparisonItem]) -> Overlap:
    places: dict[Key, str] = {}
    for item in first:
        places.setdefault(_key(item), item.place)
    shared = [(key, item) for item in second if (key := _key(item)) in places]
    examples = [SharedText(text=" | ".join(key), places=[places[key], item.place]) for key, item in shared[:EXAMPLES]]
    return Overlap(of=len(second), examples_in_both=len(shared), examples=examples)


def _length_bins(lengths: Sequence[int], max_length: int) -> list[LengthBin]:
    """Bins of one width, of which one ends at the maximum length: what is in those behind it is longer."""
    width = -(-max_length // LENGTH_BINS)
    # Lengths are whole: a text of the maximum length fits, so the bins begin at 1 past a border.
    start = (max_length + 1) % width
    last = (max_length + 1 - start) // width + LENGTH_BINS
    counts = Counter(min(max(length - start, 0) // width, last) for length in lengths)
    return [
        LengthBin(
            low=start + width * number if number else 0,
            high=start + width * (number + 1) if number < last else None,
            count=counts[number],
        )
        for number in range(max(counts) + 1)
    ]


def _unknown_tokens(head: AnyTask, tokenizer: Tokenizer, inputs: Inputs) -> int:
    if tokenizer.unk_token_id is None:
        return 0
    pad, total, count = int(tokenizer.pad_token_id), len(inputs.lengths), 0
    for start in range(0, total, ROWS):
        rows = range(start, min(start + ROWS, total))
        ids = head.batch(inputs, rows, pad, with_types=False)["input_ids"]
        count += int((ids == tokenizer.unk_token_id).sum())
    return count


def _unknown_words(tokenizer: Tokenizer, items: Sequence[ComparisonItem]) -> dict[str, int]:
    """The commonest words that are the unknown token, and how often each occurs."""
    texts = Counter(word for item in items for text in item.texts for word in text.split())
    unknown: Counter[str] = Counter()
    for (text, count), (pieces, spans) in zip(texts.items(), words_of_text(tokenizer, list(texts)), strict=True):
        for ids, (start, end) in zip(pieces, spans, strict=True):
            if tokenizer.unk_token_id in ids:
                unknown[text[start:end]] += count
    return dict(unknown.most_common(UNKNOWN_WORDS))


def _warnings(head: AnyTask, report: DataReport) -> Iterator[str]:
    train = report.parts["train"]
    counts = head.compared_labels(train.labels)
    if counts and max(counts.values()) > UNEVEN * min(counts.values()):
        rare, often = min(counts, key=lambda label: counts[label]), max(counts, key=lambda label: counts[label])
        name, most = shortened(rare), shortened(often)
        advice = (
            "; --class-weights balanced gives each label the same weight in the loss"
            if head.supports_class_weights
            else ""
        )
        yield (
            f"train: the label {name!r} is rare, {counts[rare]:,} against {counts[often]:,} of {most!r}: a model that "
            f"never says it loses little{advice}"
        )
    for name, part in report.parts.items():
        noise = part.contradictions
        if noise.texts:
            first = noise.examples[0]
            said = " and ".join(f"{shortened(said.label)!r} ({said.place})" for said in first.labels[:2])
            count = f"{noise.texts:,} texts have" if noise.texts > 1 else "1 text has"
            yield f"{name}: {count} different labels in different places: {shortened(first.text)!r} is {said}"
        share = part.unknown_tokens / part.tokens
        if share > UNKNOWN_MANY:
            words = _words(part.unknown_words)
            yield f"{name}: {percent(share)} of the tokens are unknown to the tokenizer, most often {words}"
    for pair, overlap in report.overlaps.items():
        earlier, second = pair.split("/")
        if overlap.examples_in_both and second != UNLABELLED:
            example = overlap.examples[0]
            where = f"{earlier} {example.places[0]}, {second} {example.places[1]}"
            yield (
                f"{second}: {overlap.examples_in_both:,} of its {overlap.of:,} texts stand in {earlier} too, as "
                f"{shortened(example.text)!r} ({where}); figures on them say nothing of new texts, take them out of "
                "one part"
            )


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(repr(shortened(word)) for word in list(counts)[:EXAMPLES])


def summary(report: DataReport) -> Iterator[str]:
    """Short lines on what is no reason for a warning."""
    for name, part in report.parts.items():
        if part.labels:
            total = part.labels_of or sum(part.labels.values())
            counts = list(part.labels.items())
            more = f", and {len(counts) - 20} more" if len(counts) > 20 else ""
            listed = ", ".join(
                f"{shortened(label)} {count:,} ({percent(count / max(total, 1))})" for label, count in counts[:20]
            )
            yield f"{name}: labels: {listed}{more}"
        if part.quantity is not None:
            numbers = part.quantity
            yield f"{name}: {numbers.name}: {numbers.low:.4g} to {numbers.high:.4g}, mean {numbers.mean:.4g}"
        if part.repeated:
            yield f"{name}: {part.repeated:,} of {part.examples:,} examples repeat the text of an earlier one"
        if 0 < part.unknown_tokens <= UNKNOWN_MANY * part.tokens:
            words = _words(part.unknown_words)
            count = f"{part.unknown_tokens:,} of {part.tokens:,}"
            yield f"{name}: {count} tokens are unknown to the tokenizer ({words})"
    for pair, overlap in report.overlaps.items():
        if overlap.examples_in_both and pair.endswith(f"/{UNLABELLED}"):
            count = f"{overlap.examples_in_both:,} of {overlap.of:,}"
            yield f"{UNLABELLED}: {count} examples stand in train too, and are learnt with their labels there"
    clear = [pair for pair, overlap in report.overlaps.items() if not overlap.examples_in_both]
    if clear:
        yield f"no text is in both parts of {', '.join(clear)}"
