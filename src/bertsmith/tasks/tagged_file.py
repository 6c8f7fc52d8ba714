"""Files of tagged sentences: CoNLL columns, or JSON lines with a list of tokens and a list of tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bertsmith.errors import DataError, OptionError
from bertsmith.tasks.conll_file import DOCUMENT, Sentence, check_tags, has_plain_labels, read_sentences
from bertsmith.tasks.labelled_file import Columns
from bertsmith.tasks.text_file import decoded, existing_file, json_lines, kind

TOKENS, TAGS = ("tokens", "words"), ("tags", "ner_tags", "pos_tags", "labels")


def read_tagged(path: Path, columns: Columns) -> list[Sentence]:
    """The sentences of a file; `.jsonl` is JSON lines, any other ending columns, unless the form is given.

    The tags are those of entities (`conll_file.has_plain_labels` tells) or plain labels such as parts of speech.
    Raises DataError with the file and the line of the first mistake, OptionError for a form or column that such files
    do not have.
    """
    form = columns.form or ("jsonl" if path.suffix.lower() == ".jsonl" else "conll")
    if form not in ("conll", "jsonl"):
        raise OptionError(f"--format {form}: sentences with tags are in conll (a token and its tag a line) or jsonl")
    if columns.pair is not None:
        raise OptionError("--pair-column: a tagged sentence has no second text")
    if columns.choices is not None:
        raise OptionError("--choice-columns: a tagged sentence has no choices; they belong to multiple-choice")
    if columns.no_header:
        raise OptionError("--no-header: sentences with tags have no header; leave it out")
    if form == "jsonl":
        sentences = _json_sentences(path, columns)
    else:
        token, tag = _number("--text-column", columns.text, 0), _number("--label-column", columns.label, -1)
        sentences = read_sentences(path, columns.encoding, token, tag)
    if not has_plain_labels(sentences):
        check_tags(sentences, path)
    return sentences


def _number(option: str, given: str | None, default: int) -> int:
    if given is None:
        return default
    if not given.isdecimal():
        raise OptionError(f"{option}: found {given!r}, expected a number: columns without a header count from 0")
    return int(given)


def _json_sentences(path: Path, columns: Columns) -> list[Sentence]:
    existing_file(path, "JSON lines with tokens and tags")
    sentences = []
    for line, record in json_lines(path, decoded(path, columns.encoding)):
        where = f"{path}: line {line}"
        tokens = _texts(where, record, columns.text, TOKENS, "--text-column")
        tags = _texts(where, record, columns.label, TAGS, "--label-column")
        if not tokens:
            raise DataError(f"{where}: the sentence has no tokens, expected at least one; take the line out")
        if len(tokens) != len(tags):
            raise DataError(f"{where}: {len(tokens)} tokens and {len(tags)} tags, expected one for each")
        if any(not tag.strip() for tag in tags):
            raise DataError(f"{where}: a tag is empty")
        for token in tokens:
            if "\t" in token or "\n" in token or "\r" in token:
                raise DataError(f"{where}: the token {token!r} holds a tab or a line break; divide it, or take it out")
            if token == DOCUMENT:
                raise DataError(f"{where}: the token {token!r} is the mark of a document in CoNLL files; take it out")
        sentences.append(Sentence(tokens, [tag.strip() for tag in tags], [line] * len(tokens)))
    if not sentences:
        raise DataError(f"{path}: no sentence in this file")
    return sentences


def _texts(where: str, record: dict[str, Any], asked: str | None, usual: tuple[str, ...], option: str) -> list[str]:
    name = next((name for name in ((asked,) if asked is not None else usual) if name in record), None)
    if name is None:
        wanted = repr(asked) if asked is not None else " or ".join(map(repr, usual))
        raise DataError(f"{where}: no {wanted}; the names there are {', '.join(map(repr, record))}; give {option}")
    values = record[name]
    if not isinstance(values, list):
        raise DataError(f"{where}: {name!r}: found {kind(values)}, expected a list of texts")
    for value in values:
        if not isinstance(value, str):
            raise DataError(f"{where}: {name!r}: found {kind(value)} in the list, expected texts")
    return values
