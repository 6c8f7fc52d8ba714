"""The section of a page about labelled data; the figures come from `data.report` of run.json."""

from __future__ import annotations

from collections.abc import Mapping

from bertsmith.records.labelled_files import DataReport, PartReport
from bertsmith.reporting.bar_charts import bar_chart
from bertsmith.reporting.histograms import histogram
from bertsmith.reporting.numbers import percent
from bertsmith.reporting.page import Page

_LABELS_DRAWN = 30


def add_labelled_data(page: Page, report: DataReport) -> None:
    """Add balance, lengths, repeats, contradictions and overlaps of the parts; warnings are in a different section."""
    parts = report.parts
    _add_labels(page, parts)
    _add_quantity(page, parts)
    _add_lengths(page, parts, report.max_length)
    _add_texts(page, parts)
    overlaps = report.overlaps
    page.table(
        ["parts", "examples in the second part", "also in the first part"],
        [(pair.replace("/", " and "), overlap.of, overlap.examples_in_both) for pair, overlap in overlaps.items()],
        caption="Overlap of the parts: texts that are equal except for white space",
    )
    shared = [
        (pair.replace("/", " and "), example.text, " and ".join(example.places))
        for pair, overlap in overlaps.items()
        for example in overlap.examples
    ]
    if shared:
        page.table(
            ["parts", "text", "where"], shared, caption="Texts that are in two parts: the first five per pair of parts"
        )
    noise = [
        (name, example.text, "; ".join(f"{use.label} ({use.place})" for use in example.labels))
        for name, part in parts.items()
        for example in part.contradictions.examples
    ]
    if noise:
        page.table(
            ["part", "text", "labels and where"],
            noise,
            caption="Equal texts with different labels: the first five per part",
        )
    words = {
        f"{name}: {word}": f"{count:,}" for name, part in parts.items() for word, count in part.unknown_words.items()
    }
    if words:
        page.details("The most frequent words that the tokenizer does not know", words)


def _add_labels(page: Page, parts: Mapping[str, PartReport]) -> None:
    train = parts["train"].labels
    if not train:
        return
    page.chart(
        bar_chart(
            [(label, float(count)) for label, count in list(train.items())[:_LABELS_DRAWN]],
            title="Training examples by label",
            value_format="{:,.0f}",
            dense=len(train) > 8,
        ),
        "How often each label occurs in the training part"
        + (f"; the first {_LABELS_DRAWN} of {len(train)}" if len(train) > _LABELS_DRAWN else ""),
    )
    labelled = {name: part.labels for name, part in parts.items() if part.labels}
    page.table(
        ["label", *labelled],
        [
            (label, *(percent(counts.get(label, 0) / sum(counts.values())) for counts in labelled.values()))
            for label in list(train)[:_LABELS_DRAWN]
        ],
        caption="The share of each label in each part",
    )


def _add_quantity(page: Page, parts: Mapping[str, PartReport]) -> None:
    """Add the distribution of the numbers of a regression or of the lengths of answers, for tasks without labels."""
    train = parts["train"].quantity
    if train is None:
        return
    bins = [(each.low, each.high, each.count) for each in train.bins]
    page.chart(
        histogram(bins, title=f"Training examples by {train.name}", x_label=train.name),
        f"Distribution of the {train.name} in the training part",
    )
    page.table(
        ["part", "lowest", "mean", "highest"],
        [
            (name, part.quantity.low, part.quantity.mean, part.quantity.high)
            for name, part in parts.items()
            if part.quantity is not None
        ],
        caption=f"The {train.name} in each part",
    )


def _add_lengths(page: Page, parts: Mapping[str, PartReport], max_length: int) -> None:
    bins = parts["train"].lengths
    longest = parts["train"].longest
    drawn = [
        (float(item.low), float(item.high if item.high is not None else longest + 1), int(item.count)) for item in bins
    ]
    beyond = sum(item.count for item in bins if item.low > max_length)
    page.chart(
        histogram(drawn, title="Training examples by length", x_label="tokens", muted_from=max_length + 1),
        f"Tokens per training example. The model reads {max_length:,} tokens at once; {beyond:,} of "
        f"{parts['train'].examples:,} examples ({percent(beyond / parts['train'].examples)}) are longer (grey). "
        f"The longest has {longest:,} tokens.",
    )


def _add_texts(page: Page, parts: Mapping[str, PartReport]) -> None:
    page.table(
        ["part", "examples", "repeated", "texts with different labels", "truncated tokens", "unknown tokens"],
        [
            (
                name,
                part.examples,
                part.repeated,
                part.contradictions.texts,
                _share(part.cut_tokens, part.tokens),
                _share(part.unknown_tokens, part.tokens),
            )
            for name, part in parts.items()
        ],
        caption="Repeats and contradictions within each part, and tokens that the model cannot read",
    )


def _share(count: int, total: int) -> str:
    return f"{count:,} ({percent(count / total)})" if count else "none"
