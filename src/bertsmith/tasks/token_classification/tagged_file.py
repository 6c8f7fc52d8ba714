"""Files of tagged sentences: CoNLL columns, CoNLL-U, or records (JSON lines, Parquet) with lists of tokens and tags."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from bertsmith.corpus.reading.cells import kind
from bertsmith.errors import DataError, OptionError
from bertsmith.runtime.console import log_info
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.files.records import DATA_SET, form_of
from bertsmith.tasks.files.text_file import decoded, decoded_predictions, ending, existing_file
from bertsmith.tasks.token_classification import conllu_file
from bertsmith.tasks.token_classification.conll_file import DOCUMENT, Sentence, read_sentences
from bertsmith.tasks.token_classification.tag_kinds import (
    LabelsAre,
    are_numbers,
    kind_in_first_line,
    kind_of,
    named,
    names_of_labels,
    of_kind,
)

TOKENS, TAGS = ("tokens", "words"), ("tags", "ner_tags", "pos_tags", "labels")
FORMS = ("conll", "conllu", "jsonl", "parquet", DATA_SET)


def read_tagged(path: Path, columns: Columns, *, stand_in: str | None = None) -> list[Sentence]:
    """The sentences of a file or data set; any ending but `.conllu`, `.jsonl` and `.parquet` is columns, unless the
    form is given.

    The tags are of the kind that `columns` says, else of the kind that they look like (`tag_kinds`). Where there is a
    `stand_in`, every token has it for its tag, and no tags are looked at.
    Raises DataError with the file and the line of the first mistake, OptionError for a form or column that such files
    do not have.
    """
    sentences, _ = _sentences(path, columns, stand_in)
    if stand_in is not None:
        return sentences
    if columns.label_names is not None:
        sentences = named(sentences, names_of_labels(columns.label_names))
    return of_kind(sentences, columns.labels_are or kind_of(sentences))


def read_scored(
    gold: Path, predictions: Path, columns: Columns
) -> tuple[list[Sentence], list[Sentence], LabelsAre, str]:
    """The sentences of a file and of predictions for it, with tags of one kind, this kind, and what says so.

    Predictions are CoNLL columns or CoNLL-U in UTF-8; their tags may be numbers where names are given for those of the
    file, or names where the file has numbers. Raises DataError and OptionError as `read_tagged`.
    """
    true, form = _sentences(gold, columns, None)
    first_words = {sentence.tokens[0] for sentence in true}
    predicted, kind_in_file = _predicted(predictions, columns.label if form == "conllu" else None, first_words)
    found = [true, predicted]
    if columns.label_names is not None:
        names = names_of_labels(columns.label_names)
        if not any(map(are_numbers, found)):
            named(found[0], names)  # says which tag is no number
        found = [named(each, names) if are_numbers(each) else each for each in found]
    labels_are = columns.labels_are or kind_in_file or kind_of(*found)
    why = "by --labels-are"
    if columns.labels_are is None:
        by = "the tags of both files" if kind_in_file is None else f"the first line of {predictions}"
        why = f"by {by}; --labels-are overrides this"
    true, predicted = (of_kind(each, labels_are) for each in found)
    return true, predicted, labels_are, why


def _sentences(path: Path, columns: Columns, stand_in: str | None) -> tuple[list[Sentence], str]:
    """The sentences with their tags as they are in the file, and the form of the file."""
    form = form_of(path, columns.form)
    if columns.form is None and form in (None, "csv", "tsv"):
        form = "conllu" if ending(path) in conllu_file.ENDINGS else "conll"
    if form not in FORMS:
        raise OptionError(
            f"--format {form}: sentences with tags are in conll (a token and its tag a line), conllu, jsonl or parquet"
        )
    if columns.pair is not None:
        raise OptionError("--pair-column: a tagged sentence has no second text")
    if columns.choices is not None:
        raise OptionError("--choice-columns: a tagged sentence has no choices; they belong to multiple-choice")
    if columns.labels_from is not None:
        raise OptionError("--labels-from: a tagged sentence has no choices; the option belongs to multiple-choice")
    if columns.no_header:
        raise OptionError("--no-header: sentences with tags have no header; leave it out")
    if columns.separator is not None:
        raise OptionError("--separator: sentences with tags are no rows of a table; leave it out")
    if columns.skip_broken:
        raise OptionError("--skip-broken-rows: sentences with tags are no rows of a table; leave it out")
    if form not in ("conll", "conllu"):
        return _of_records(path, form, columns, stand_in=stand_in), form
    existing_file(path, "a file of columns, token and tag")
    text = decoded(path, columns.encoding)
    if form == "conllu" or (columns.form is None and _has_shape_of_conllu(path, text)):
        return conllu_file.read_conllu(path, text, columns.text, tag_column=columns.label, stand_in=stand_in), "conllu"
    word, tag = (
        _number(path, "--text-column", columns.text, default=0),
        _number(path, "--label-column", columns.label, default=-1),
    )
    return read_sentences(path, text, word, tag, stand_in=stand_in), "conll"


def _predicted(path: Path, label: str | None, first_words: Collection[str]) -> tuple[list[Sentence], LabelsAre | None]:
    """The sentences of a file of predictions, and the kind of tags that its first line says.

    It is of columns, the first and the last, or of CoNLL-U, FORM and the label. `first_words` are those with which
    sentences begin, whatever comments may begin with.
    """
    existing_file(path, "a file of columns, token and predicted tag")
    text = decoded_predictions(path)
    kind = kind_in_first_line(text)
    if kind is not None:
        text = "\n" + text.partition("\n")[2]  # a blank line, so that lines keep their numbers
    if ending(path) in conllu_file.ENDINGS or _has_shape_of_conllu(path, text):
        return conllu_file.read_conllu(path, text, None, tag_column=label), kind
    return read_sentences(path, text, first_words=first_words), kind


def _has_shape_of_conllu(path: Path, text: str) -> bool:
    """Whether columns are those of CoNLL-U, which is printed, as the ending of the file does not say so."""
    found = conllu_file.has_shape(text)
    if found:
        log_info(
            f"{path}: has the ten columns of CoNLL-U and is read as such; --format conll reads its columns by number"
        )
    return found


def _number(path: Path, option: str, given: str | None, *, default: int) -> int:
    if given is None:
        return default
    if not given.isdecimal():
        advice = "; its columns have names with --format conllu" if given.lower() in conllu_file.NAMES else ""
        raise OptionError(
            f"{option}: found {given!r}, expected a number: columns without a header count from 0 ({path}){advice}"
        )
    return int(given)


def _of_records(path: Path, form: str, columns: Columns, *, stand_in: str | None) -> list[Sentence]:
    sentences = []
    for record in columns.records(path, form, class_names=stand_in is None):
        where = f"{path}: {record.place}"
        tokens = _texts(where, record.values, columns.text, usual=TOKENS, option="--text-column")
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
        sentences.append(Sentence(tokens, tags, numbers, record.unit, str(path)))
    return sentences


def _tags(where: str, record: dict[str, Any], asked: str | None) -> list[str]:
    """The tags of a record, texts or whole numbers, as texts."""
    tags = [tag.strip() for tag in _texts(where, record, asked, usual=TAGS, option="--label-column", numbers=True)]
    if "" in tags:
        raise DataError(f"{where}: a tag is empty")
    return tags


def _texts(
    where: str, record: dict[str, Any], asked: str | None, *, usual: tuple[str, ...], option: str, numbers: bool = False
) -> list[str]:
    name = next((name for name in ((asked,) if asked is not None else usual) if name in record), None)
    if name is None:
        wanted = repr(asked) if asked is not None else " or ".join(map(repr, usual))
        raise DataError(f"{where}: no {wanted}; the names there are {', '.join(map(repr, record))}; give {option}")
    values = record[name]
    if not isinstance(values, list):
        raise DataError(f"{where}: {name!r}: found {kind(values)}, expected a list of texts")
    found = []
    for value in values:
        if not isinstance(value, str) and not (numbers and type(value) is int):
            expected = "texts or whole numbers" if numbers else "texts"
            raise DataError(f"{where}: {name!r}: found {kind(value)} in the list, expected {expected}")
        found.append(str(value))
    return found
