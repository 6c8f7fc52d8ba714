"""token-classification files: CoNLL columns to sentences of tokens and tags.

A line is a token: its first column is the token, its last one the tag, unless others are named. Columns are parted by a
tab where the line has one, by blanks otherwise (so tokens may hold blanks in tab-separated files). A blank line ends a
sentence, and so does a line whose token is -DOCSTART-, which is no token itself (CoNLL-2003).

Comment lines begin with `#` and come before the first token of a sentence (GermEval, MultiCoNER, Universal NER). Words
of tweets can look alike (`#happy O`, `# O`). Three questions, in this order, separate comments from words:

1. Has the line as many columns as the lines of words? If not, it is a comment.
2. Is it `# key = value`? Then it is a comment.
3. Is its tag one that another word of the file has, or the tag of an entity? Then it is a word. If not, it is a comment
   if `#` is its whole first column (or is followed by a blank there), or if its columns are not separated as those of
   the words are; else it is a word.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from bertsmith.errors import DataError, shortened
from bertsmith.metrics.entities import Scheme, bioes_of, parse_tag
from bertsmith.runtime.console import log_info

_BLANKS = re.compile(r"[ ]+")
DOCUMENT = "-DOCSTART-"
"""The token of a line that begins a document; no token itself (CoNLL-2003)."""
_COMMENT = "#"
_CAPITALS = re.compile(r"[A-Z]{1,6}\$?")
"""Plain labels that a word may have although no other word of the file has them, such as SYM. So may its own text be:
Penn's treebank has `# #`.
"""


@dataclass(frozen=True)
class Sentence:
    """A sentence: its tokens, their tags, and the number of each one's line in the file, from 1.

    `unit` is what the numbers are of: a row in what has no lines. `file` is for messages.
    """

    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    unit: str = "line"
    file: str = field(default="", compare=False)

    def where(self, word: int) -> str:
        """The place of a word, for messages."""
        return f"{self.file}: {self.unit} {self.lines[word]}"


class _Line(NamedTuple):
    """A line with columns, and whether tabs part them."""

    number: int
    columns: list[str]
    tabs: bool

    @property
    def may_be_comment(self) -> bool:
        return self.columns[0].startswith(_COMMENT)


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a text with their numbers, from 1."""
    for number, line in enumerate(text.split("\n"), start=1):
        yield number, line.rstrip("\r")


def read_sentences(
    path: Path,
    text: str,
    token_column: int = 0,
    tag_column: int = -1,
    *,
    stand_in: str | None = None,
    first_words: Collection[str] = (),
) -> list[Sentence]:
    """The sentences of columns in a text; `path` is its file's.

    Columns count from 0, -1 is the last. Raises DataError with the file and the line of the first mistake; as in
    conlleval one is a line of more or fewer columns than those before it. What a tag says is not looked at. Where there
    is a `stand_in`, every token has it for its tag, and lines need no column of tags. Comment lines are skipped, and
    their number is printed; a line with one of the `first_words` is none.
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
        token, tag = _token_and_tag(path, line, layout, token_column, tag_column, stand_in)
        sentences[-1].tokens.append(token)
        sentences[-1].tags.append(tag)
        sentences[-1].lines.append(line.number)
    if not sentences[-1].tokens:
        sentences.pop()
    if not sentences:
        raise DataError(f"{path}: no token in this file")
    if comments:
        first = ("\t" if comments[0].tabs else " ").join(comments[0].columns)
        count = f"{len(comments):,} comment lines are" if len(comments) > 1 else "1 comment line is"
        log_info(f"{path}: {count} skipped, the first is line {comments[0].number}: {shortened(first)!r}")
    return sentences


def _line(number: int, line: str) -> _Line | None:
    """The columns of a line; None for one that ends a sentence."""
    tabs = "\t" in line
    columns = line.split("\t") if tabs else _BLANKS.split(line.strip(" "))
    return None if not line.strip() or columns[0] == DOCUMENT else _Line(number, columns, tabs)


class _Layout:
    """What the lines of a file's words are like, by those that are certainly no comments."""

    def __init__(self, lines: Sequence[_Line], tag_column: int) -> None:
        certain = [line for line in lines if not line.may_be_comment] or lines
        self.tag_column = tag_column
        self.firsts: dict[bool, _Line] = {}
        for line in certain:
            self.firsts.setdefault(line.tabs, line)
        self.tags = {tag for line in certain if (tag := self._tag(line))}
        self.of_entities = bioes_of(self.tags) is not None or all(parse_tag(tag) is not None for tag in self.tags)

    def first_like(self, line: _Line) -> _Line:
        """The first line of words whose columns are parted as in this one; the line itself if there is none."""
        return self.firsts.setdefault(line.tabs, line)

    def is_comment(self, line: _Line) -> bool:
        """Whether a line that begins with `#` before the first token of a sentence is a comment (see above)."""
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
        if not self.of_entities and as_others and (tag == line.columns[0] or _CAPITALS.fullmatch(tag)):
            return False
        return line.columns[0] == _COMMENT or line.columns[0].startswith(f"{_COMMENT} ") or not as_others

    def _tag(self, line: _Line) -> str:
        """What is in the column of tags; nothing if the line has no such column."""
        return line.columns[self.tag_column].strip() if 1 < len(line.columns) > self.tag_column else ""


def _token_and_tag(
    path: Path, line: _Line, layout: _Layout, token_column: int, tag_column: int, stand_in: str | None
) -> tuple[str, str]:
    """The token of a line and its tag. Raises DataError for a line that does not have them."""
    where, columns = f"{path}: line {line.number}", line.columns
    if stand_in is None and (len(columns) < 2 or not columns[-1].strip()):
        found = "\t".join(columns).strip()
        raise DataError(f"{where}: found {found!r}, expected a token and, as last column, its tag")
    first = layout.first_like(line)
    width = len(first.columns)
    if len(columns) != width:
        advice = "; a comment may only come before the first token of a sentence" if line.may_be_comment else ""
        raise DataError(f"{where}: {len(columns)} columns, expected {width} as in line {first.number}{advice}")
    for column in (token_column, *((tag_column,) if stand_in is None else ())):
        if column >= width:
            raise DataError(f"{where}: {width} columns, so there is no column {column} (from 0)")
    tag = columns[tag_column].strip() if stand_in is None else stand_in
    if not tag:
        raise DataError(f"{where}: the tag (column {tag_column}, from 0) is empty")
    return columns[token_column], tag


def check_same_tokens(gold: Sequence[Sentence], gold_path: Path, other: Sequence[Sentence], *, path: Path) -> None:
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
