"""An audit of labelled data before training: label balance, repeats, contradictions, overlaps, lengths.

Texts are compared exactly after normalizing white space. The texts of a pair are compared together.
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
"""Warn if the most frequent label has more than this many times the examples of the rarest label."""
UNKNOWN_MANY = 0.01
"""Warn if the share of unknown tokens is higher than this."""
EXAMPLES = 5
"""Number of examples per finding."""
UNKNOWN_WORDS = 10
LENGTH_BINS = 16
"""Number of bins up to the maximum length, and the same number beyond it; the last bin has all longer examples."""
ROWS = 256
VALUE_BINS, WHOLE_BINS = 20, 40
"""Number of bins for a numeric quantity; up to `WHOLE_BINS` whole numbers get a bin each."""

UNLABELLED = "unlabelled"
"""The split whose labels are ignored."""

Key = tuple[str, ...]


@dataclass(frozen=True)
class LabelledSplit:
    """A split of the data: `train`, `unlabelled`, `dev` or `test`."""

    examples: Sequence[Any]
    inputs: Inputs


def labelled_data_report(
    head: AnyTask, tokenizer: Tokenizer, parts: Mapping[str, LabelledSplit], *, max_length: int
) -> DataReport:
    """Return the report on the splits, which must include `train`."""
    items = {name: list(head.comparison_items(part.examples)) for name, part in parts.items()}
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
    """Return the distribution of a number; whole numbers in a small range get a bin each."""
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
    """Return bins of equal width, one of which ends at the maximum length, so that later bins are longer texts."""
    width = -(-max_length // LENGTH_BINS)
    # A text of exactly the maximum length fits, so a bin begins at the maximum plus 1.
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
    """Return the most frequent words with an unknown token, and how often each occurs."""
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
            f"train: the label {name!r} is rare: {counts[rare]:,} compared with {counts[often]:,} of {most!r}, so a "
            f"model may never predict it{advice}"
        )
    for name, part in report.parts.items():
        noise = part.contradictions
        if noise.texts:
            first = noise.examples[0]
            labels = " and ".join(f"{shortened(each.label)!r} ({each.place})" for each in first.labels[:2])
            count = f"{noise.texts:,} texts occur" if noise.texts > 1 else "1 text occurs"
            yield f"{name}: {count} with contradictory labels, such as {shortened(first.text)!r} with {labels}"
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
                f"{second}: {overlap.examples_in_both:,} of its {overlap.of:,} texts are also in {earlier}, such as "
                f"{shortened(example.text)!r} ({where}). Metrics on them say nothing about new texts; remove them from "
                "one of the files"
            )


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(repr(shortened(word)) for word in list(counts)[:EXAMPLES])


def summary(report: DataReport) -> Iterator[str]:
    """Yield short lines about facts that need no warning."""
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
            yield f"{name}: {part.repeated:,} of {part.examples:,} examples repeat the text of an earlier example"
        if 0 < part.unknown_tokens <= UNKNOWN_MANY * part.tokens:
            words = _words(part.unknown_words)
            count = f"{part.unknown_tokens:,} of {part.tokens:,}"
            yield f"{name}: {count} tokens are unknown to the tokenizer ({words})"
    for pair, overlap in report.overlaps.items():
        if overlap.examples_in_both and pair.endswith(f"/{UNLABELLED}"):
            count = f"{overlap.examples_in_both:,} of {overlap.of:,}"
            yield f"{UNLABELLED}: {count} examples are also in train, where the model learns their labels"
    clear = [pair for pair, overlap in report.overlaps.items() if not overlap.examples_in_both]
    if clear:
        yield f"no overlap between {', '.join(clear)}"
