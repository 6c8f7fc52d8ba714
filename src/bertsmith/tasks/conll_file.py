"""token-classification files: CoNLL columns to sentences of tokens and tags.

A line is a token: its first column is the token, its last one the tag, unless others are named. Columns are parted by a
tab where the line has one, by blanks otherwise (so tokens may hold blanks in tab-separated files). A blank line ends a
sentence, and so does a line whose token is -DOCSTART-, which is no token itself (CoNLL-2003).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bertsmith.errors import DataError
from bertsmith.metrics.entities import Scheme, are_plain, parse_tag
from bertsmith.tasks.text_file import decoded, decoded_predictions, existing_file

_BLANKS = re.compile(r"[ ]+")
DOCUMENT = "-DOCSTART-"
"""The token of a line that begins a document; no token itself (CoNLL-2003)."""


@dataclass(frozen=True)
class Sentence:
    """A sentence: its tokens, their tags, and the number of each one's line in the file, from 1.

    `unit` is what the numbers are of: a row in what has no lines.
    """

    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    unit: str = "line"


def read_sentences(
    path: Path, encoding: str | None, token_column: int = 0, tag_column: int = -1, *, stand_in: str | None = None
) -> list[Sentence]:
    """The sentences of a file of columns; predictions have no encoding but UTF-8 (None).

    Columns count from 0, -1 is the last. Raises DataError with the file and the line of the first mistake; as in
    conlleval one is a line of more or fewer columns than those before it. What a tag says is not looked at. Where there
    is a `stand_in`, every token has it for its tag, and lines need no column of tags.
    """
    existing_file(path, "a file of columns, token and tag")
    text = decoded_predictions(path) if encoding is None else decoded(path, encoding)
    sentences = [Sentence()]
    widths: dict[bool, tuple[int, int]] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        tabs = "\t" in line
        columns = line.rstrip("\r").split("\t") if tabs else _BLANKS.split(line.strip(" \r"))
        if not line.strip() or columns[0] == DOCUMENT:
            if sentences[-1].tokens:
                sentences.append(Sentence())
            continue
        if stand_in is None and (len(columns) < 2 or not columns[-1].strip()):
            raise DataError(
                f"{path}: line {number}: found {line.strip()!r}, expected a token and, as last column, its tag"
            )
        width, first = widths.setdefault(tabs, (len(columns), number))
        if len(columns) != width:
            raise DataError(f"{path}: line {number}: {len(columns)} columns, expected {width} as in line {first}")
        for column in (token_column, *((tag_column,) if stand_in is None else ())):
            if column >= width:
                raise DataError(f"{path}: line {number}: {width} columns, so there is no column {column} (from 0)")
        tag = columns[tag_column].strip() if stand_in is None else stand_in
        if not tag:
            raise DataError(f"{path}: line {number}: the tag (column {tag_column}, from 0) is empty")
        sentences[-1].tokens.append(columns[token_column])
        sentences[-1].tags.append(tag)
        sentences[-1].lines.append(number)
    if not sentences[-1].tokens:
        sentences.pop()
    if not sentences:
        raise DataError(f"{path}: no token in this file")
    return sentences


def has_plain_labels(sentences: Sequence[Sentence]) -> bool:
    """Whether the tags are plain labels (parts of speech) and not those of entities."""
    return are_plain({tag for sentence in sentences for tag in sentence.tags})


def check_tags(sentences: Sequence[Sentence], path: Path) -> None:
    """Raises DataError, with the line, for a tag that is none of an entity."""
    for sentence in sentences:
        for tag, line in zip(sentence.tags, sentence.lines, strict=True):
            if parse_tag(tag) is None:
                raise DataError(
                    f"{path}: {sentence.unit} {line}: the tag (last column) is {tag!r}, expected O, or B-, I-, E- or "
                    "S- and a type"
                )


def check_same_tokens(gold: Sequence[Sentence], gold_path: Path, other: Sequence[Sentence], path: Path) -> None:
    """Raises DataError, with the line, where two files are not of the same tokens in the same sentences."""
    for number, (expected, found) in enumerate(zip(gold, other, strict=False), start=1):
        for place, (token, wanted) in enumerate(zip(found.tokens, expected.tokens, strict=False)):
            if token != wanted:
                raise DataError(
                    f"{path}: line {found.lines[place]}: the token is {token!r}, expected {wanted!r} as in line "
                    f"{expected.lines[place]} of {gold_path}"
                )
        if len(found.tokens) != len(expected.tokens):
            raise DataError(
                f"{path}: line {found.lines[0]}: sentence {number} has {len(found.tokens)} tokens, expected "
                f"{len(expected.tokens)} as in line {expected.lines[0]} of {gold_path}"
            )
    if len(other) != len(gold):
        raise DataError(f"{path}: {len(other)} sentences, expected {len(gold)} as in {gold_path}")


def check_scheme(sentences: Sequence[Sentence], path: Path, scheme: Scheme) -> None:
    """Raises DataError, with the line, for a tag that the scheme does not have (BIO and IOB1: E and S)."""
    if scheme == "BIOES":
        return
    for sentence in sentences:
        for tag, line in zip(sentence.tags, sentence.lines, strict=True):
            if tag[0] in "ES":
                raise DataError(
                    f"{path}: line {line}: the tag is {tag!r}, which {scheme} does not have; give --scheme BIOES "
                    "if both files are in that"
                )
