"""Sentences of words and tags from CoNLL-U, the format of Universal Dependencies treebanks.

CoNLL-U has ten tab-separated columns. The first is the ID of a word (1, 2, 3), of a range of words that are one token
of the text (3-4: French `au` is `à` and `le`), or of an empty node, which is not in the text (5.1). Only words have
tags, so ranges and empty nodes are left out. CoNLL-U Plus names its columns in the first line:
`# global.columns = ID FORM …`. Format: https://universaldependencies.org/format.html
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
"""Columns in which `_` means that the word is not annotated; in other columns, such as FEATS, it is a value."""
_CHECKED_LINES, _CHECKED_CHARACTERS = 200, 200_000
"""Maximum number of word lines and characters that are checked for the format of CoNLL-U."""


def has_shape(text: str) -> bool:
    """Return whether a text looks like CoNLL-U: ten columns, with an ID in the first and a head in the HEAD column."""
    checked = 0
    lines = text[:_CHECKED_CHARACTERS].split("\n")
    for line in lines[:-1] if len(text) > _CHECKED_CHARACTERS else lines:
        if not line.strip() or line.startswith("#"):
            continue
        columns = line.rstrip("\r").split("\t")
        if len(columns) != len(NAMES) or not re.fullmatch(r"_|[0-9]+", columns[NAMES.index("head")]):
            return False
        if not any(form.fullmatch(columns[0]) for form in (_WORD, _RANGE, _EMPTY)):
            return False
        if checked == 0 and not re.match(r"[01]\b", columns[0]):
            return False
        checked += 1
        if checked == _CHECKED_LINES:
            break
    return checked > 0


def read_conllu(
    path: Path, text: str, word_column: str | None, *, tag_column: str | None, placeholder_label: str | None = None
) -> list[Sentence]:
    """Read the sentences in the CoNLL-U text of the file `path`; columns are names or numbers, None for FORM and UPOS.

    With a `placeholder_label`, every word gets this tag, and the tag column is ignored. Raises DataError with file and
    line of the first mistake, OptionError for a column that CoNLL-U does not have.
    """
    names = _names(path, text)
    word_at = _column(path, "--text-column", names, requested=word_column, default_column="form")
    tag_at = _column(path, "--label-column", names, requested=tag_column, default_column="upos")
    id_at = _column(path, "the ID", names, requested=None, default_column="id")
    sentences, left_out = [Sentence(file=str(path))], Counter[str]()
    last = 0
    for number, line in numbered_lines(text):
        if not line.strip():
            if sentences[-1].tokens:
                sentences.append(Sentence(file=str(path)))
            last = 0
            continue
        if line.startswith("#"):  # IDs never do
            left_out["comment line"] += 1
            continue
        where, columns = f"{path}: line {number}", line.split("\t")
        if len(columns) != len(names):
            raise DataError(
                f"{where}: found {len(columns)} tab-separated columns, expected {len(names)} as in CoNLL-U "
                f"({', '.join(name.upper() for name in names)}). Try: --format conll, if the columns are different"
            )
        word_id = columns[id_at]
        if _RANGE.fullmatch(word_id) or _EMPTY.fullmatch(word_id):
            left_out["range" if "-" in word_id else "empty node"] += 1
            continue
        if not _WORD.fullmatch(word_id):
            raise DataError(
                f"{where}: found the ID {word_id!r}, expected the ID of a word (3), range (3-4) or node (3.1)"
            )
        if int(word_id) <= last:
            raise DataError(
                f"{where}: found the ID {word_id} after {last}, expected a larger one; is a blank line missing "
                "between two sentences?"
            )
        last = int(word_id)
        word = columns[word_at].strip()
        if not word:
            raise DataError(f"{where}: the {names[word_at].upper()} is empty")
        tag = placeholder_label
        if tag is None:
            tag = _annotation(where, word, names[tag_at], tag=columns[tag_at].strip())
        sentences[-1].tokens.append(word)
        sentences[-1].tags.append(tag)
        sentences[-1].lines.append(number)
    if not sentences[-1].tokens:
        sentences.pop()
    if not sentences:
        raise DataError(f"{path}: found no word in this file")
    _check_has_text(path, sentences)
    tags = "" if placeholder_label is not None else f", tags from {names[tag_at].upper()}"
    log_info(f"{path}: CoNLL-U, words from {names[word_at].upper()}{tags}{_counted(left_out)}")
    return sentences


def _annotation(where: str, word: str, name: str, *, tag: str) -> str:
    """Return the tag of a word in a column. Raises DataError if the word is not annotated there."""
    if not tag or (tag == _NOTHING and name in _ANNOTATIONS):
        raise DataError(
            f"{where}: found no annotation ({tag!r}) in {name.upper()} of {word!r}, expected a tag. Try: "
            "--label-column with a different column"
        )
    return tag


def _names(path: Path, text: str) -> list[str]:
    """Return the column names: the standard ones, or those in the first line of CoNLL-U Plus."""
    found = _COLUMNS_LINE.fullmatch(text.partition("\n")[0].strip())
    names = found[1].lower().split() if found is not None else list(NAMES)
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(f"{path}: line 1: the column {repeated[0]!r} is named twice, expected each name once")
    return names


def _column(path: Path, option: str, names: Sequence[str], *, requested: str | None, default_column: str) -> int:
    """Return the number of a column that is requested by name or number, else of the default column."""
    name = default_column if requested is None else requested.strip().lower()
    if name in names:
        return list(names).index(name)
    if name.isdecimal() and int(name) < len(names):
        return int(name)
    raise OptionError(
        f"{option}: {path} has no column {name if requested is None else requested!r}; expected one of "
        f"{', '.join(names)}, or a number from 0 to {len(names) - 1}{nearest(name, names)}"
    )


def _check_has_text(path: Path, sentences: Sequence[Sentence]) -> None:
    """Raise DataError for a treebank that is published without its text, so that every word is `_`."""
    for sentence in sentences:
        if len(sentence.tokens) > 1 and set(sentence.tokens) == {_NOTHING}:
            raise DataError(
                f"{path}: line {sentence.lines[0]}: every word of the sentence is '_', expected words. Some "
                "treebanks are published without their text: run the script that comes with the treebank to add it"
            )


def _counted(left_out: Counter[str]) -> str:
    """Describe how many lines are left out."""
    names = ("range", "empty node", "comment line")
    counts = [f"{left_out[name]:,} {name}{'s' * (left_out[name] > 1)}" for name in names if left_out[name]]
    if not counts:
        return ""
    range_note = " (the words of a range are tagged, not its token)" if left_out["range"] else ""
    return f"; left out: {', '.join(counts)}{range_note}"
