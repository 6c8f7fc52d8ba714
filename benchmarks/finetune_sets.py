"""The data sets of `finetune_quality.py`: from a folder of data to training and development examples."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

PERMUTATION = 20_261_122
"""The seed of all random choices of rows."""
POLARITY_DEV = 3_000
"""Sentence polarity has no split of its own: the number of texts to measure on."""


@dataclass(frozen=True)
class Source:
    """A data set: examples as lines of a file, and the labels of the training part."""

    train: list[str]
    dev: list[str]
    labels: list[str] = field(default_factory=list)


def lines_of(file: Path, encoding: str = "utf-8-sig") -> list[str]:
    """Return lines that end in a line feed; U+0085 within a text does not end a line."""
    raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return [line.rstrip("\r") for line in raw.decode(encoding).split("\n") if line.strip()]


def json_line(**values: object) -> str:
    """Return an object as one line."""
    return json.dumps(values, ensure_ascii=False)


def glue(
    data: Path, *, name: str, columns: dict[str, int], header: bool = True, train: str = "train.tsv"
) -> Source:  # fmt: skip
    """Read a set of GLUE: tab-separated, no quoting; `columns` are the fields of the JSON lines, the label last."""
    label = list(columns)[-1]

    def rows(file: str) -> list[dict[str, str]]:
        cells = [line.split("\t") for line in lines_of(data / "glue" / name / file)[1 if header else 0 :]]
        return [{field: row[place] for field, place in columns.items()} for row in cells]

    found = rows(train)
    return Source(
        [json_line(**row) for row in found],
        [json_line(**row) for row in rows("dev.tsv")],
        [row[label] for row in found],
    )


def polarity(data: Path) -> Source:
    """Read film review sentences; the last 3,000 of a permutation are the development set."""
    folder = data / "classification" / "sentence-polarity"
    rows = [
        (text.strip(), label)
        for label, file in (("positive", "rt-polarity.pos"), ("negative", "rt-polarity.neg"))
        for text in lines_of(folder / file, "cp1252")
    ]
    order = np.random.default_rng(PERMUTATION + 1).permutation(len(rows))
    rows = [rows[place] for place in order]
    written = [json_line(text=text, label=label) for text, label in rows]
    return Source(written[:-POLARITY_DEV], written[-POLARITY_DEV:], [label for _, label in rows[:-POLARITY_DEV]])


def trec(data: Path) -> Source:
    """Read questions and their six coarse types."""

    def rows(file: str) -> list[tuple[str, str]]:
        parts = [line.split(" ", 1) for line in lines_of(data / "classification" / "trec" / file)]
        return [(text, label.split(":")[0]) for label, text in parts]

    train, dev = (
        [(json_line(text=text, label=label), label) for text, label in rows(file)]
        for file in ("train_5500.label", "TREC_10.label")
    )
    return Source([line for line, _ in train], [line for line, _ in dev], [label for _, label in train])


def conll(data: Path, *, train: str, dev: str) -> Source:
    """Read sentences of two columns, separated by blank lines, also lines of spaces or tabs."""

    def sentences(file: str) -> list[str]:
        found: list[list[str]] = [[]]
        for line in (data / "ner" / file).read_text(encoding="utf-8").split("\n"):
            if line.strip():
                found[-1].append(line)
            elif found[-1]:
                found.append([])
        return ["\n".join(lines) + "\n" for lines in found if lines]

    return Source(sentences(train), sentences(dev))


def codah(data: Path) -> Source:
    """Read beginnings with four endings, fold 0, as lines."""
    train, dev = (lines_of(data / "multiple-choice" / "codah" / file) for file in ("train.tsv", "dev.tsv"))
    return Source(train, dev, [line.split("\t")[6] for line in train])


def squad(data: Path) -> Source:
    """Split SQuAD 1.1's development set by article: 15 to train, the next 5 to measure."""

    def questions(articles: list[dict[str, Any]]) -> list[str]:
        return [
            json_line(title=article["title"], context=paragraph["context"], qas=[question])
            for article in articles
            for paragraph in article["paragraphs"]
            for question in paragraph["qas"]
        ]

    articles = json.loads((data / "squad" / "dev-v1.1.json").read_text(encoding="utf-8"))["data"]
    return Source(questions(articles[:15]), questions(articles[15:20]))


def squad_file(units: Iterable[str]) -> str:
    """Return questions in SQuAD's form, one paragraph each."""
    found = [json.loads(unit) for unit in units]
    data = [{"title": one["title"], "paragraphs": [{"context": one["context"], "qas": one["qas"]}]} for one in found]
    return json.dumps({"version": "1.1", "data": data}, ensure_ascii=False) + "\n"
