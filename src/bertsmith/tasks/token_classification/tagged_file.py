"""Files of tagged sentences: CoNLL columns, CoNLL-U, or rows (JSON lines, Parquet) with lists of tokens and tags."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from bertsmith.corpus.reading.cells import kind
from bertsmith.errors import DataError, OptionError
from bertsmith.runtime.console import log_info
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.files.table_records import DATA_SET, detect_format
from bertsmith.tasks.files.text_file import decode_labelled_file, decoded_predictions, ending, existing_file
from bertsmith.tasks.token_classification import conllu_file
from bertsmith.tasks.token_classification.conll_file import DOCUMENT, Sentence, read_sentences
from bertsmith.tasks.token_classification.tag_kinds import (
    LabelsAre,
    are_numbers,
    convert_tags,
    infer_tag_kind,
    kind_in_first_line,
    named,
    numbered_label_names,
)

TOKENS, TAGS = ("tokens", "words"), ("tags", "ner_tags", "pos_tags", "labels")
FORMATS = ("conll", "conllu", "jsonl", "parquet", DATA_SET)


def read_tagged(path: Path, columns: Columns, *, placeholder_label: str | None = None) -> list[Sentence]:
    """Read the sentences of a file or dataset.

    Without `--format`, files other than `.conllu`, `.jsonl` and `.parquet` are read as CoNLL columns. The kind of tags
    is that of `columns`, else detected (`tag_kinds`). With a `placeholder_label`, every token gets this tag, and the
    tags of the file are ignored. Raises DataError with file and line of the first mistake, OptionError for a format or
    column that such files do not have.
    """
    sentences, _ = _sentences(path, columns, placeholder_label)
    if placeholder_label is not None:
        return sentences
    if columns.label_names is not None:
        sentences = named(sentences, numbered_label_names(columns.label_names))
    return convert_tags(sentences, columns.labels_are or infer_tag_kind(sentences))


def read_scored(
    labels_path: Path, predictions: Path, columns: Columns
) -> tuple[list[Sentence], list[Sentence], LabelsAre, str]:
    """Return the sentences of a labelled file and of predictions for it, the kind of their tags, and the reason.

    Predictions are CoNLL columns or CoNLL-U in UTF-8. If `--label-names` is given, each file may have numbers or names
    as tags. Raises DataError and OptionError as `read_tagged` does.
    """
    labelled, file_format = _sentences(labels_path, columns, None)
    first_words = {sentence.tokens[0] for sentence in labelled}
    predicted, kind_in_file = _predicted(predictions, columns.label if file_format == "conllu" else None, first_words)
    found = [labelled, predicted]
    if columns.label_names is not None:
        names = numbered_label_names(columns.label_names)
        if not any(map(are_numbers, found)):
            named(found[0], names)  # raises an error for the first tag that is not a number
        found = [named(each, names) if are_numbers(each) else each for each in found]
    labels_are = columns.labels_are or kind_in_file or infer_tag_kind(*found)
    reason = "from --labels-are"
    if columns.labels_are is None:
        source = "the tags of both files" if kind_in_file is None else f"the first line of {predictions}"
        reason = f"detected from {source}; --labels-are overrides this"
    labelled, predicted = (convert_tags(each, labels_are) for each in found)
    return labelled, predicted, labels_are, reason


def _sentences(path: Path, columns: Columns, placeholder_label: str | None) -> tuple[list[Sentence], str]:
    """Return the sentences with the tags as in the file, and the format of the file."""
    file_format = detect_format(path, columns.file_format)
    if columns.file_format is None and file_format in (None, "csv", "tsv"):
        file_format = "conllu" if ending(path) in conllu_file.ENDINGS else "conll"
    if file_format not in FORMATS:
        raise OptionError(
            f"--format {file_format} is not for token-classification, expected conll (a token and its tag per line), "
            "conllu, jsonl or parquet"
        )
    if columns.pair is not None:
        raise OptionError("--pair-column is not for token-classification. Try: leave the option out")
    if columns.choices is not None:
        raise OptionError("--choice-columns is only for multiple-choice. Try: leave the option out")
    if columns.labels_from is not None:
        raise OptionError("--labels-from is only for multiple-choice. Try: leave the option out")
    if columns.no_header:
        raise OptionError(
            "--no-header is not for token-classification, whose files have no header. Try: leave the option out"
        )
    if columns.separator is not None:
        raise OptionError("--separator is only for CSV and TSV. Try: leave the option out")
    if columns.skip_broken:
        raise OptionError("--skip-broken-rows is only for CSV and TSV. Try: leave the option out")
    if file_format not in ("conll", "conllu"):
        return _of_records(path, file_format, columns, placeholder_label=placeholder_label), file_format
    existing_file(path, "a file of columns, token and tag")
    text = decode_labelled_file(path, columns.encoding)
    if file_format == "conllu" or (columns.file_format is None and _has_shape_of_conllu(path, text)):
        return conllu_file.read_conllu(
            path, text, columns.text, tag_column=columns.label, placeholder_label=placeholder_label
        ), "conllu"
    word, tag = (
        _number(path, "--text-column", columns.text, default=0),
        _number(path, "--label-column", columns.label, default=-1),
    )
    return read_sentences(path, text, word, tag, placeholder_label=placeholder_label), "conll"


def _predicted(path: Path, label: str | None, first_words: Collection[str]) -> tuple[list[Sentence], LabelsAre | None]:
    """Return the sentences of a prediction file, and the kind of tags in its first line (None if there is no kind).

    The file has CoNLL columns (first and last), or is CoNLL-U (FORM and the column `label`). `first_words` are the
    first words of the sentences; lines with these words are not comments.
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
    """Return whether a file looks like CoNLL-U although its extension differs; print a note if it does."""
    found = conllu_file.has_shape(text)
    if found:
        log_info(
            f"{path}: read as CoNLL-U, because it has the ten columns of CoNLL-U; --format conll reads columns by "
            "number"
        )
    return found


def _number(path: Path, option: str, given: str | None, *, default: int) -> int:
    if given is None:
        return default
    if not given.isdecimal():
        advice = ". Try: --format conllu, whose columns have names" if given.lower() in conllu_file.NAMES else ""
        raise OptionError(
            f"{option}: found {given!r}, expected a column number from 0, because {path} has no header{advice}"
        )
    return int(given)


def _of_records(path: Path, file_format: str, columns: Columns, *, placeholder_label: str | None) -> list[Sentence]:
    sentences = []
    for record in columns.records(path, file_format, class_names=placeholder_label is None):
        where = f"{path}: {record.place}"
        tokens = _texts(where, record.values, columns.text, usual_names=TOKENS, option="--text-column")
        tags = (
            [placeholder_label] * len(tokens)
            if placeholder_label is not None
            else _tags(where, record.values, columns.label)
        )
        if not tokens:
            raise DataError(f"{where}: found no tokens, expected at least one. Try: remove this {record.unit}")
        if len(tokens) != len(tags):
            raise DataError(f"{where}: found {len(tokens)} tokens and {len(tags)} tags, expected one tag per token")
        for token in tokens:
            if "\t" in token or "\n" in token or "\r" in token:
                raise DataError(f"{where}: the token {token!r} contains a tab or a line break. Try: split or remove it")
            if token == DOCUMENT:
                raise DataError(f"{where}: the token {token!r} marks a document in CoNLL files. Try: remove it")
        numbers = [record.number] * len(tokens)
        sentences.append(Sentence(tokens, tags, numbers, record.unit, str(path)))
    return sentences


def _tags(where: str, record: dict[str, Any], requested: str | None) -> list[str]:
    """Return the tags of a record (text or whole numbers) as text."""
    tags = [
        tag.strip() for tag in _texts(where, record, requested, usual_names=TAGS, option="--label-column", numbers=True)
    ]
    if "" in tags:
        raise DataError(f"{where}: a tag is empty")
    return tags


def _texts(
    where: str,
    record: dict[str, Any],
    requested: str | None,
    *,
    usual_names: tuple[str, ...],
    option: str,
    numbers: bool = False,
) -> list[str]:
    name = next((name for name in ((requested,) if requested is not None else usual_names) if name in record), None)
    if name is None:
        wanted = repr(requested) if requested is not None else " or ".join(map(repr, usual_names))
        raise DataError(f"{where}: no {wanted}; the columns are {', '.join(map(repr, record))}. Try: {option}")
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
