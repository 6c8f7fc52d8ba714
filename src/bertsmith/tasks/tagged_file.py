"""Files of tagged sentences: CoNLL columns, or records (JSON lines, Parquet) with a list of tokens and one of tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bertsmith.corpus.reading.cells import kind
from bertsmith.errors import DataError, OptionError
from bertsmith.tasks.conll_file import DOCUMENT, Sentence, check_tags, has_plain_labels, read_sentences
from bertsmith.tasks.labelled_file import Columns
from bertsmith.tasks.records import DATA_SET, form_of, read_records

TOKENS, TAGS = ("tokens", "words"), ("tags", "ner_tags", "pos_tags", "labels")


def read_tagged(path: Path, columns: Columns, *, stand_in: str | None = None) -> list[Sentence]:
    """The sentences of a file or data set; any ending but `.jsonl` and `.parquet` is columns, unless the form is given.

    The tags are those of entities (`conll_file.has_plain_labels` tells) or plain labels such as parts of speech. Where
    there is a `stand_in`, every token has it for its tag, and no tags are looked at.
    Raises DataError with the file and the line of the first mistake, OptionError for a form or column that such files
    do not have.
    """
    form = form_of(path, columns.form)
    if columns.form is None and form in (None, "csv", "tsv"):
        form = "conll"
    if form not in ("conll", "jsonl", "parquet", DATA_SET):
        raise OptionError(
            f"--format {form}: sentences with tags are in conll (a token and its tag a line), jsonl or parquet"
        )
    if columns.pair is not None:
        raise OptionError("--pair-column: a tagged sentence has no second text")
    if columns.choices is not None:
        raise OptionError("--choice-columns: a tagged sentence has no choices; they belong to multiple-choice")
    if columns.no_header:
        raise OptionError("--no-header: sentences with tags have no header; leave it out")
    if columns.separator is not None:
        raise OptionError("--separator: sentences with tags are no rows of a table; leave it out")
    if columns.skip_broken:
        raise OptionError("--skip-broken-rows: sentences with tags are no rows of a table; leave it out")
    if form != "conll":
        sentences = _sentences_of_records(path, form, columns, stand_in)
    else:
        token, tag = _number("--text-column", columns.text, 0), _number("--label-column", columns.label, -1)
        sentences = read_sentences(path, columns.encoding, token, tag, stand_in=stand_in)
    if stand_in is None and not has_plain_labels(sentences):
        check_tags(sentences, path)
    return sentences


def _number(option: str, given: str | None, default: int) -> int:
    if given is None:
        return default
    if not given.isdecimal():
        raise OptionError(f"{option}: found {given!r}, expected a number: columns without a header count from 0")
    return int(given)


def _sentences_of_records(path: Path, form: str, columns: Columns, stand_in: str | None) -> list[Sentence]:
    sentences = []
    for record in read_records(path, form, columns.encoding, class_names=stand_in is None):
        where = f"{path}: {record.place}"
        tokens = _texts(where, record.values, columns.text, TOKENS, "--text-column")
        tags = [stand_in] * len(tokens) if stand_in is not None else _tags(where, record.values, columns.label)
        if not tokens:
            raise DataError(f"{where}: the sentence has no tokens, expected at least one; take the {record.unit} out")
        if len(tokens) != len(tags):
            raise DataError(f"{where}: {len(tokens)} tokens and {len(tags)} tags, expected one for each")
        for token in tokens:
            if "\t" in token or "\n" in token or "\r" in token:
                raise DataError(f"{where}: the token {token!r} holds a tab or a line break; divide it, or take it out")
            if token == DOCUMENT:
                raise DataError(f"{where}: the token {token!r} is the mark of a document in CoNLL files; take it out")
        numbers = [record.number] * len(tokens)
        sentences.append(Sentence(tokens, tags, numbers, record.unit))
    return sentences


def _tags(where: str, record: dict[str, Any], asked: str | None) -> list[str]:
    tags = [tag.strip() for tag in _texts(where, record, asked, TAGS, "--label-column")]
    if "" in tags:
        raise DataError(f"{where}: a tag is empty")
    return tags


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
