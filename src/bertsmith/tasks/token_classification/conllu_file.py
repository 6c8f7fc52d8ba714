"""CoNLL-U: treebanks (Universal Dependencies) to sentences of words and tags, by the names of the columns.

Ten columns separated by tabs. The first is the ID of a word (1, 2, 3), of a range of words that are one token of the
text (3-4: French `au` is `à` and `le`), or of an empty node that is in no text (5.1). Only words have tags, so ranges
and empty nodes are left out. CoNLL-U Plus names its columns in the first line: `# global.columns = ID FORM …`.
Format: https://universaldependencies.org/format.html
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bertsmith.config.option_names import nearest
from bertsmith.errors import DataError, OptionError
from bertsmith.runtime.console import log_info
from bertsmith.tasks.token_classification.conll_file import Sentence, numbered_lines

NAMES = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
ENDINGS = (".conllu", ".conllup")
_COLUMNS_LINE = re.compile(r"#\s*global\.columns\s*=\s*(.+)", re.IGNORECASE)
_WORD, _RANGE, _EMPTY = (re.compile(form) for form in (r"[0-9]{1,9}", r"[0-9]+-[0-9]+", r"[0-9]+\.[0-9]+"))
_NOTHING = "_"
_ANNOTATIONS = ("upos", "xpos", "head", "deprel")
"""Columns of which `_` says that the word is not annotated; in others, such as FEATS, it is a value."""
_LOOKED_AT, _CHARACTERS = 200, 200_000
"""The lines of words that are checked for the shape of CoNLL-U, and the characters in which they are looked for."""


def has_shape(text: str) -> bool:
    """Whether a text looks like CoNLL-U, whatever its file is called: ten columns, an ID first, a head at its place."""
    looked_at = 0
    lines = text[:_CHARACTERS].split("\n")
    for line in lines[:-1] if len(text) > _CHARACTERS else lines:
        if not line.strip() or line.startswith("#"):
            continue
        columns = line.rstrip("\r").split("\t")
        if len(columns) != len(NAMES) or not re.fullmatch(r"_|[0-9]+", columns[NAMES.index("head")]):
            return False
        if not any(form.fullmatch(columns[0]) for form in (_WORD, _RANGE, _EMPTY)):
            return False
        if looked_at == 0 and not re.match(r"[01]\b", columns[0]):
            return False
        looked_at += 1
        if looked_at == _LOOKED_AT:
            break
    return looked_at > 0


def read_conllu(
    path: Path, text: str, word_column: str | None, *, tag_column: str | None, stand_in: str | None = None
) -> list[Sentence]:
    """The sentences of CoNLL-U in a text; `path` is its file's. Columns are by name or number; FORM and UPOS if None.

    If there is a `stand_in`, every word has it for its tag, and no column of tags is looked at. Raises DataError with
    the file and the line of the first mistake, OptionError for a column that CoNLL-U does not have.
    """
    names = _names(path, text)
    word_at = _column(path, "--text-column", names, asked=word_column, usual="form")
    tag_at = _column(path, "--label-column", names, asked=tag_column, usual="upos")
    id_at = _column(path, "the ID", names, asked=None, usual="id")
    sentences, left_out = [Sentence(file=str(path))], Counter[str]()
    last = 0
    for number, line in numbered_lines(text):
        if not line.strip():
            if sentences[-1].tokens:
                sentences.append(Sentence(file=str(path)))
            last = 0
            continue
        if line.startswith("#"):  # no ID does
            left_out["comment line"] += 1
            continue
        where, columns = f"{path}: line {number}", line.split("\t")
        if len(columns) != len(names):
            raise DataError(
                f"{where}: found {len(columns)} columns separated by tabs, expected {len(names)} as in CoNLL-U "
                f"({', '.join(name.upper() for name in names)}); for other columns give --format conll"
            )
        word_id = columns[id_at]
        if _RANGE.fullmatch(word_id) or _EMPTY.fullmatch(word_id):
            left_out["range" if "-" in word_id else "empty node"] += 1
            continue
        if not _WORD.fullmatch(word_id):
            raise DataError(f"{where}: found the ID {word_id!r}, expected a word's (3), a range (3-4) or a node (3.1)")
        if int(word_id) <= last:
            raise DataError(
                f"{where}: found the ID {word_id} after {last}, expected a larger one; is a blank line missing "
                "between two sentences?"
            )
        last = int(word_id)
        word = columns[word_at].strip()
        if not word:
            raise DataError(f"{where}: the {names[word_at].upper()} is empty")
        tag = _annotation(where, word, names[tag_at], tag=columns[tag_at].strip()) if stand_in is None else stand_in
        sentences[-1].tokens.append(word)
        sentences[-1].tags.append(tag)
        sentences[-1].lines.append(number)
    if not sentences[-1].tokens:
        sentences.pop()
    if not sentences:
        raise DataError(f"{path}: no word in this file")
    _check_has_text(path, sentences)
    tags = "" if stand_in is not None else f", tags from {names[tag_at].upper()}"
    log_info(f"{path}: CoNLL-U, words from {names[word_at].upper()}{tags}{_counted(left_out)}")
    return sentences


def _annotation(where: str, word: str, name: str, *, tag: str) -> str:
    """The tag of a word in the column of this name. Raises DataError if the column says nothing of the word."""
    if not tag or (tag == _NOTHING and name in _ANNOTATIONS):
        raise DataError(
            f"{where}: found {name.upper()} {tag!r} of {word!r}, which is no annotation, expected a tag; "
            "name another column with --label-column"
        )
    return tag


def _names(path: Path, text: str) -> list[str]:
    """The columns: those of CoNLL-U, or what the first line of CoNLL-U Plus says."""
    found = _COLUMNS_LINE.fullmatch(text.partition("\n")[0].strip())
    names = found[1].lower().split() if found is not None else list(NAMES)
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(f"{path}: line 1: the column {repeated[0]!r} is named twice, expected each name once")
    return names


def _column(path: Path, option: str, names: Sequence[str], *, asked: str | None, usual: str) -> int:
    """The number of a column that is asked for by name or number, else of the usual one."""
    name = usual if asked is None else asked.strip().lower()
    if name in names:
        return list(names).index(name)
    if name.isdecimal() and int(name) < len(names):
        return int(name)
    raise OptionError(
        f"{option}: {path} has no column {name if asked is None else asked!r}; expected one of {', '.join(names)}, "
        f"or a number from 0 to {len(names) - 1}{nearest(name, names)}"
    )


def _check_has_text(path: Path, sentences: Sequence[Sentence]) -> None:
    """Raises DataError for a treebank that is given out without its words, each of which is `_` then."""
    for sentence in sentences:
        if len(sentence.tokens) > 1 and set(sentence.tokens) == {_NOTHING}:
            raise DataError(
                f"{path}: line {sentence.lines[0]}: every word of the sentence is '_', expected words. Some "
                "treebanks are published without their text: run the script that comes with them to add it"
            )


def _counted(left_out: Counter[str]) -> str:
    """What is left out, for people."""
    names = ("range", "empty node", "comment line")
    counts = [f"{left_out[name]:,} {name}{'s' * (left_out[name] > 1)}" for name in names if left_out[name]]
    if not counts:
        return ""
    of_ranges = " (the words of a range are tagged, not the token that it stands for)" if left_out["range"] else ""
    return f"; left out: {', '.join(counts)}{of_ranges}"
