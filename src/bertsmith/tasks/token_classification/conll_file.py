"""Sentences of tokens and tags from CoNLL columns, a file format of token-classification.

Each line is a token: by default the first column is the token, the last column its tag. A line with a tab is separated
by tabs, any other line by spaces (so tokens may contain spaces in tab-separated files). A blank line ends a sentence;
so does a line with the token -DOCSTART- (CoNLL-2003), which is not a token itself.

Comment lines begin with `#` and come before the first token of a sentence (GermEval, MultiCoNER, Universal NER). Words
of tweets can look similar (`#happy O`, `# O`). Three rules, applied in this order, distinguish comments from words:

1. A line whose number of columns differs from that of the word lines is a comment.
2. `# key = value` is a comment.
3. A line is a word if its tag is an entity tag or the tag of a different word. Otherwise it is a comment if `#` is its
   whole first column (or is followed by a space there), or if its columns are separated differently from the word
   lines; else it is a word.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from bertsmith.errors import DataError, shortened
from bertsmith.metrics.entities import Scheme, convert_to_bioes, parse_tag
from bertsmith.runtime.console import log_info

_BLANKS = re.compile(r"[ ]+")
DOCUMENT = "-DOCSTART-"
"""Marks the beginning of a document; not a token itself (CoNLL-2003)."""
_COMMENT = "#"
_CAPITALS = re.compile(r"[A-Z]{1,6}\$?")
"""Plain labels that a word may have even if no other word of the file has them, such as SYM. A word's own text is also
accepted as its label: Penn's treebank has `# #`.
"""


@dataclass(frozen=True)
class Sentence:
    """A sentence: its tokens, their tags, and the line number of each token, from 1.

    `unit` is `line`, or `row` for formats without lines. `file` is for messages.
    """

    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    unit: str = "line"
    file: str = field(default="", compare=False)

    def where(self, word: int) -> str:
        """Return file and line of a word, for messages."""
        return f"{self.file}: {self.unit} {self.lines[word]}"


class _Line(NamedTuple):
    """The columns of a line, and whether tabs separate them."""

    number: int
    columns: list[str]
    tabs: bool

    @property
    def may_be_comment(self) -> bool:
        return self.columns[0].startswith(_COMMENT)


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text with their numbers, from 1."""
    for number, line in enumerate(text.split("\n"), start=1):
        yield number, line.rstrip("\r")


def read_sentences(
    path: Path,
    text: str,
    token_column: int = 0,
    tag_column: int = -1,
    *,
    placeholder_label: str | None = None,
    first_words: Collection[str] = (),
) -> list[Sentence]:
    """Read the sentences in the text of the file `path`.

    The content of tags is not checked. Comment lines are skipped, and their number is printed. Raises DataError with
    file and line of the first mistake; as in conlleval, all lines must have the same number of columns.

    Args:
        token_column, tag_column: from 0; -1 is the last column.
        placeholder_label: if given, every token gets this tag, and lines need no tag column.
        first_words: lines with one of these tokens are not comments.
    """
    lines = [_line(number, line) for number, line in numbered_lines(text)]
    words = [line for line in lines if line is not None]
    layout = _Layout(words, tag_column)
    sentences, comments = [Sentence(file=str(path))], []
    for line in lines:
        if line is None:
            if sentences[-1].tokens:
                sentences.append(Sentence(file=str(path)))
            continue
        known = line.columns[0] in first_words and line.tabs in layout.firsts
        if line.may_be_comment and not known and not sentences[-1].tokens and layout.is_comment(line):
            comments.append(line)
            continue
        token, tag = _token_and_tag(path, line, layout, token_column, tag_column, placeholder_label)
        sentences[-1].tokens.append(token)
        sentences[-1].tags.append(tag)
        sentences[-1].lines.append(line.number)
    if not sentences[-1].tokens:
        sentences.pop()
    if not sentences:
        raise DataError(f"{path}: found no token in this file")
    if comments:
        first = ("\t" if comments[0].tabs else " ").join(comments[0].columns)
        count = f"{len(comments):,} comment lines are" if len(comments) > 1 else "1 comment line is"
        log_info(f"{path}: {count} skipped, first line {comments[0].number}: {shortened(first)!r}")
    return sentences


def _line(number: int, line: str) -> _Line | None:
    """Split a line into columns; None for a line that ends a sentence."""
    tabs = "\t" in line
    columns = line.split("\t") if tabs else _BLANKS.split(line.strip(" "))
    return None if not line.strip() or columns[0] == DOCUMENT else _Line(number, columns, tabs)


class _Layout:
    """The format of a file's word lines, derived from the lines that are certainly not comments."""

    def __init__(self, lines: Sequence[_Line], tag_column: int) -> None:
        certain = [line for line in lines if not line.may_be_comment] or lines
        self.tag_column = tag_column
        self.firsts: dict[bool, _Line] = {}
        for line in certain:
            self.firsts.setdefault(line.tabs, line)
        self.tags = {tag for line in certain if (tag := self._tag(line))}
        self.has_entity_tags = convert_to_bioes(self.tags) is not None or all(
            parse_tag(tag) is not None for tag in self.tags
        )

    def first_word_line(self, line: _Line) -> _Line:
        """Return the first word line that is separated in the same way; the line itself if there is none."""
        return self.firsts.setdefault(line.tabs, line)

    def is_comment(self, line: _Line) -> bool:
        """Return whether a line with `#` before the first token of a sentence is a comment (rules above)."""
        as_others = line.tabs in self.firsts
        width = len(self.firsts[line.tabs if as_others else not line.tabs].columns)
        if len(line.columns) != width:
            return True
        if width == 1:
            return False
        if not line.tabs and "=" in line.columns[1:3]:
            return True
        tag = self._tag(line)
        if tag in self.tags or tag == "O" or (parse_tag(tag) is not None and "-" in tag):
            return False
        if not self.has_entity_tags and as_others and (tag == line.columns[0] or _CAPITALS.fullmatch(tag)):
            return False
        return line.columns[0] == _COMMENT or line.columns[0].startswith(f"{_COMMENT} ") or not as_others

    def _tag(self, line: _Line) -> str:
        """Return the content of the tag column; empty if the line has no such column."""
        return line.columns[self.tag_column].strip() if 1 < len(line.columns) > self.tag_column else ""


def _token_and_tag(
    path: Path, line: _Line, layout: _Layout, token_column: int, tag_column: int, placeholder_label: str | None
) -> tuple[str, str]:
    """Return token and tag of a line. Raises DataError if the line does not have both."""
    where, columns = f"{path}: line {line.number}", line.columns
    if placeholder_label is None and (len(columns) < 2 or not columns[-1].strip()):
        found = "\t".join(columns).strip()
        raise DataError(f"{where}: found {found!r}, expected a token and, in the last column, its tag")
    first = layout.first_word_line(line)
    width = len(first.columns)
    if len(columns) != width:
        advice = "; comments are allowed only before the first token of a sentence" if line.may_be_comment else ""
        raise DataError(f"{where}: found {len(columns)} columns, expected {width} as in line {first.number}{advice}")
    for column in (token_column, *((tag_column,) if placeholder_label is None else ())):
        if column >= width:
            raise DataError(f"{where}: found {width} columns, so there is no column {column} (from 0)")
    tag = columns[tag_column].strip() if placeholder_label is None else placeholder_label
    if not tag:
        raise DataError(f"{where}: the tag (column {tag_column}, from 0) is empty")
    return columns[token_column], tag


def check_same_tokens(
    labelled: Sequence[Sentence], labels_path: Path, predicted: Sequence[Sentence], *, path: Path
) -> None:
    """Raise DataError, with the line, if two files do not have the same tokens in the same sentences."""
    for number, (expected, found) in enumerate(zip(labelled, predicted, strict=False), start=1):
        for place, (token, wanted) in enumerate(zip(found.tokens, expected.tokens, strict=False)):
            if token != wanted:
                raise DataError(
                    f"{path}: line {found.lines[place]}: found the token {token!r}, expected {wanted!r} as in line "
                    f"{expected.lines[place]} of {labels_path}"
                )
        if len(found.tokens) != len(expected.tokens):
            raise DataError(
                f"{path}: line {found.lines[0]}: found {len(found.tokens)} tokens in sentence {number}, expected "
                f"{len(expected.tokens)} as in line {expected.lines[0]} of {labels_path}"
            )
    if len(predicted) != len(labelled):
        raise DataError(f"{path}: found {len(predicted)} sentences, expected {len(labelled)} as in {labels_path}")


def check_scheme(sentences: Sequence[Sentence], path: Path, scheme: Scheme) -> None:
    """Raise DataError, with the line, for a tag that is not in the scheme (BIO and IOB1 have no E and S)."""
    if scheme == "BIOES":
        return
    for sentence in sentences:
        for tag, line in zip(sentence.tags, sentence.lines, strict=True):
            if tag[0] in "ES":
                raise DataError(
                    f"{path}: line {line}: found the tag {tag!r}, expected a tag of {scheme}. Try: --scheme BIOES, if "
                    "both files have BIOES tags"
                )
