"""Files for question-answering, and JSON files of predictions and probabilities by id.

A file is SQuAD JSON (1.1 or 2.0), or a table with a question per row: JSON lines, Parquet, a dataset (`hf:`), CSV or
TSV with the columns `question`, `context`, `answers` and optionally `id`. The answers of a question may be

- a list of objects `{"text", "start"}` (or `"answer_start"`, as in SQuAD), or a single object,
- an object of lists `{"text": [...], "answer_start": [...]}`, as in the library datasets,
- a text or a list of texts, with the offsets in a column `answer_start` or `start`.

A question without an answer has an empty list; in CSV and TSV the cell is empty. An id may be a whole number. The id of
a question without an id is its number in the file, from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertsmith.corpus.reading.cells import kind
from bertsmith.errors import DataError, OptionError, shortened
from bertsmith.runtime.console import log_info, warn
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.files.printed_lists import value_in_text
from bertsmith.tasks.files.table_records import DATA_SET, detect_format, is_table
from bertsmith.tasks.files.text_file import finite, read_json_object
from bertsmith.tasks.question_answering.answer_spans import PlacedAnswer, place_answers

SQUAD = "squad"
FORMATS = (SQUAD, "jsonl", "parquet", "csv", "tsv")
SQUAD_JSON = "SQuAD JSON: an object with 'data', then paragraphs, qas and answers (JSON lines need --format jsonl)"
QUESTION = "question"
CONTEXTS, ANSWERS = ("context", "passage", "paragraph"), ("answers", "answer")
"""Accepted names of a column, the standard name first; of the other names, a row may have only one."""
STARTS = ("start", "answer_start")
EMPTY_LIST = "; a question without an answer has an empty list of answers"


@dataclass(frozen=True)
class SquadQuestion:
    """A question: its id and the texts of its correct answers; empty if it has no answer (SQuAD 2.0)."""

    id: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class ContextQuestion(SquadQuestion):
    """A question with its context.

    Attributes:
        question, context: the texts.
        span: the first answer found in the context, in characters, end exclusive; None if no answer was found.
        place: the location in the file.
    """

    question: str
    context: str
    span: tuple[int, int] | None = None
    place: str = field(default="", compare=False)


@dataclass(frozen=True)
class _RawQuestion:
    """A question as in the file, the object that has its context, and the locations of both."""

    id: str
    fields: dict[str, Any]
    place: str
    holder: dict[str, Any]
    holder_place: str


@dataclass(frozen=True)
class _Answer:
    """An unchecked answer as in the file, and its location."""

    text: Any
    start: Any
    place: str


def read_squad_questions(path: Path, columns: Columns) -> list[SquadQuestion]:
    """Read the questions of a file or dataset in order, without their contexts.

    Raises DataError, with the location, if the file is malformed, has no question, or has an id twice; OptionError for
    a format or an option that such files do not have.
    """
    return [
        SquadQuestion(
            found.id, tuple(_text(path, answer.text, f"{answer.place}.text") for answer in _answers(path, found))
        )
        for found in _questions(path, columns)
    ]


def read_context_questions(path: Path, columns: Columns) -> list[ContextQuestion]:
    """Read the questions of a file or dataset with their contexts and the spans of their answers (`answer_spans`).

    Warns about questions whose answers were not found in the context.

    Raises DataError as `read_squad_questions` does, and if a context, question, answer or offset is missing or empty.
    """
    found = _questions(path, columns)
    names = [_name(path, each.holder, CONTEXTS, place=each.holder_place) for each in found]
    contexts = [
        _filled(path, each.holder[name], f"{each.holder_place}.{name}") for each, name in zip(found, names, strict=True)
    ]
    others = sorted({*names} - {CONTEXTS[0]})
    if others:
        log_info(f"{path}: contexts are read from {' and '.join(map(repr, others))}")
    given: list[PlacedAnswer] = []
    owners: list[int] = []
    for number, (each, context) in enumerate(zip(found, contexts, strict=True)):
        answers = _answers(path, each)
        if answers and _is_true(each.fields.get("is_impossible")):
            raise DataError(f"{path}: {each.place}: found is_impossible true and answers, expected only one of the two")
        for answer in answers:
            text, start = _filled(path, answer.text, f"{answer.place}.text", EMPTY_LIST), _start(path, answer)
            given.append(PlacedAnswer(context, text, start, answer.place))
            owners.append(number)
    texts: list[list[str]] = [[] for _ in found]
    spans: list[list[tuple[int, int]]] = [[] for _ in found]
    for owner, item, span in zip(owners, given, place_answers(str(path), given), strict=True):
        texts[owner].append(item.text)
        if span is not None:
            spans[owner].append(span)
    lost = [each.id for each, own, placed in zip(found, texts, spans, strict=True) if own and not placed]
    if lost:
        warn(
            f"{path}: the answers of {len(lost):,} of {len(found):,} questions were not found in their contexts, "
            f"first {lost[0]!r}; these questions are not used for training"
        )
    return [
        ContextQuestion(
            each.id,
            tuple(own),
            _filled(path, each.fields.get(QUESTION), f"{each.place}.{QUESTION}"),
            context,
            placed[0] if placed else None,
            each.place,
        )
        for each, context, own, placed in zip(found, contexts, texts, spans, strict=True)
    ]


def _questions(path: Path, columns: Columns) -> list[_RawQuestion]:
    """Return the questions, at least one, with unique ids."""
    file_format = _checked_format(path, columns)
    found: dict[str, _RawQuestion] = {}
    numbered: list[str] = []
    objects = _of_squad(path) if file_format == SQUAD else _of_records(path, file_format, columns)
    for number, (fields, place, holder, holder_place) in enumerate(objects, start=1):
        name = _id(path, fields, place)
        if name is None:
            name = str(number)
            numbered.append(name)
        if name in found:
            reason = "expected one question per id"
            if name in numbered:
                reason = "once as the number of a question without an id. Try: give every question an id"
            raise DataError(f"{path}: {place}: the id {name!r} occurs twice, {reason}")
        found[name] = _RawQuestion(name, fields, place, holder, holder_place)
    if not found:
        raise DataError(f"{path}: found no question in this file")
    if numbered:
        log_info(
            f"{path}: {len(numbered):,} of {len(found):,} questions have no id; their number in the file, from 1, is "
            "used as the id"
        )
    return list(found.values())


def _checked_format(path: Path, columns: Columns) -> str:
    """Return the format of a file or dataset. Raises OptionError for a format or option that questions do not have."""
    names: dict[str, object] = {
        "--text-column": columns.text,
        "--pair-column": columns.pair,
        "--label-column": columns.label,
        "--no-header": columns.no_header or None,
    }
    others: dict[str, object] = {
        "--choice-columns": columns.choices,
        "--labels-from": columns.labels_from,
        "--labels-are": columns.labels_are,
        "--label-names": columns.label_names,
    }
    for option, given in names.items():
        if given is not None:
            raise OptionError(
                f"{option} is not for question-answering, whose columns have fixed names (question, context, answers, "
                "id). Try: rename the columns in the file, and leave the option out"
            )
    for option, given in others.items():
        if given is not None:
            raise OptionError(f"{option} is not for question-answering. Try: leave the option out")
    file_format = detect_format(path, columns.file_format) or SQUAD
    if file_format not in (*FORMATS, DATA_SET):
        raise OptionError(f"--format {file_format} is not for question-answering, expected {', '.join(FORMATS)}")
    if file_format == SQUAD and columns.encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
        raise OptionError(f"--encoding {columns.encoding}: SQuAD JSON is UTF-8. Try: leave the option out")
    if file_format == SQUAD and columns.separator is not None:
        raise OptionError("--separator: SQuAD JSON is not a table. Try: leave the option out")
    if file_format == SQUAD and columns.skip_broken:
        raise OptionError("--skip-broken-rows: SQuAD JSON is not a table. Try: leave the option out")
    return file_format


_Objects = Iterator[tuple[dict[str, Any], str, dict[str, Any], str]]
"""The object of each question with its location, and the object of its context with its location."""


def _of_squad(path: Path) -> _Objects:
    """Yield the questions of articles and paragraphs; `data` may also contain questions with their contexts."""
    content = read_json_object(path, SQUAD_JSON)
    for article, at in _items(path, content, "data", at=""):
        if QUESTION in article:
            yield article, at, article, at
            continue
        for paragraph, inside in _items(path, article, "paragraphs", at=at):
            for question, place in _items(path, paragraph, "qas", at=inside):
                yield question, place, paragraph, inside


def _of_records(path: Path, file_format: str, columns: Columns) -> _Objects:
    empty = 0
    records = columns.records(path, file_format, class_names=False)
    for record in records:
        fields = record.values
        if is_table(file_format):
            fields = {name: _cell(f"{path}: {record.place}.{name}", name, text) for name, text in fields.items()}
            empty += any(fields.get(name) == [] for name in ANSWERS)
        yield fields, record.place, fields, record.place
    if empty:
        log_info(
            f"{path}: the answer is empty in {empty:,} of {len(records):,} questions; they are read as questions "
            "without an answer"
        )


def _cell(where: str, name: str, cell: Any) -> Any:
    """Convert a cell of CSV or TSV: answers and offsets may be lists or objects in JSON."""
    if name not in (*ANSWERS, *STARTS) or not isinstance(cell, str):
        return cell
    written = cell.strip()
    if not written:
        return [] if name in ANSWERS else None
    if name in STARTS and re.fullmatch(r"-?[0-9]{1,18}(\.0+)?", written):
        return int(written.split(".")[0])
    if written[0] not in "[{":
        return cell
    value = value_in_text(written)
    is_answer_list = isinstance(value, list) and all(isinstance(item, (str, dict)) for item in value)
    if isinstance(value, dict) or is_answer_list or (isinstance(value, list) and name in STARTS):
        return value
    if written[0] == "{" or "'" in written or '"' in written or name in STARTS:
        raise DataError(
            f"{where}: found {shortened(written)!r}, expected text, or a JSON list or object. Try: JSON lines or "
            "Parquet, which can store lists"
        )
    return cell


def _id(path: Path, fields: dict[str, Any], place: str) -> str | None:
    """Return the id of a question, which may be a whole number; None if it has no id."""
    value = fields.get("id")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None or value != value:
        return None
    if not isinstance(value, str):
        raise DataError(f"{path}: {place}.id: found {kind(value)}, expected text or a whole number")
    return value if value.strip() else None


def _name(path: Path, holder: dict[str, Any], names: tuple[str, ...], *, place: str) -> str:
    """Return the name that an object uses: the standard name, else the only other name."""
    if names[0] in holder:
        return names[0]
    others = [name for name in names[1:] if name in holder]
    if len(others) == 1:
        return others[0]
    if others:
        raise DataError(f"{path}: {place}: found {' and '.join(map(repr, others))}, expected only {names[0]!r}")
    advice = ""
    if holder.keys() & {"data", "paragraphs", "qas"}:
        advice = ". Try: --format squad, if this is SQuAD JSON"
    raise DataError(
        f"{path}: {place}: no {names[0]!r}, expected question, context and answers; found "
        f"{', '.join(map(repr, holder)) or 'nothing'}{advice}"
    )


def _answers(path: Path, found: _RawQuestion) -> list[_Answer]:
    """Return the answers of a question, in any of the formats."""
    name = _name(path, found.fields, ANSWERS, place=found.place)
    value, place = found.fields[name], f"{found.place}.{name}"
    if value == []:
        return []
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        for number, item in enumerate(value):
            if not isinstance(item, dict):
                raise DataError(f"{path}: {place}[{number}]: found {kind(item)}, expected an object")
        return [_Answer(item.get("text"), _offset(item), f"{place}[{number}]") for number, item in enumerate(value)]
    holder = value if isinstance(value, dict) else found.fields
    texts, starts = value.get("text") if isinstance(value, dict) else value, _offset(holder)
    if isinstance(texts, str):
        texts = [texts]
    if not isinstance(texts, list):
        what = "an object without 'text'" if isinstance(value, dict) and texts is None else kind(texts)
        raise DataError(f"{path}: {place}: found {what}, expected a list of answers, an object or text{EMPTY_LIST}")
    if starts is None:
        starts = [None] * len(texts)
    elif not isinstance(starts, list):
        starts = [starts]
    if len(texts) != len(starts):
        raise DataError(
            f"{path}: {place}: found {len(texts)} texts and {len(starts)} offsets, expected one offset per text"
        )
    return [
        _Answer(text, start, f"{place}[{number}]")
        for number, (text, start) in enumerate(zip(texts, starts, strict=True))
    ]


def _offset(holder: dict[str, Any]) -> Any:
    """Return the offset of an answer, or a list of offsets; None if there is none."""
    return next((holder[name] for name in STARTS if holder.get(name) is not None), None)


def _start(path: Path, answer: _Answer) -> int | None:
    """Return the offset of an answer, or None. Numeric columns with gaps have 4.0 for 4, and NaN for a gap."""
    start = answer.start
    if start is None or start != start:
        return None
    if isinstance(start, float) and start.is_integer():
        return int(start)
    if isinstance(start, bool) or not isinstance(start, int):
        raise DataError(f"{path}: {answer.place}: found {kind(start)} as the offset, expected a whole number")
    return start


def _is_true(value: Any) -> bool:
    return value is True or str(value).strip().lower() in ("true", "1", "1.0")


def read_answer_predictions(path: Path) -> dict[str, str]:
    """Read predictions in the official format, an object of id to text. Raises DataError otherwise."""
    content = read_json_object(path, "an object of id to text")
    for name, text in content.items():
        if not isinstance(text, str):
            raise DataError(f"{path}: id {name!r}: found {kind(text)}, expected the text of the answer")
    return content


def read_probabilities(path: Path) -> dict[str, float]:
    """Read an object of id to a finite number, higher if "no answer" is more likely. Raises DataError otherwise."""
    content = read_json_object(path, "an object of id to number")
    for name, value in content.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise DataError(f"{path}: id {name!r}: found {kind(value)}, expected a number")
        if not finite(value):
            raise DataError(f"{path}: id {name!r}: found {value}, expected a finite number")
    return content


def _items(path: Path, holder: dict[str, Any], name: str, *, at: str) -> list[tuple[dict[str, Any], str]]:
    """Return the objects of a JSON list, each with its location: `data[0].paragraphs[2]`."""
    place = f"{at}.{name}" if at else name
    if name not in holder:
        raise DataError(f"{path}: {place} is missing, expected {SQUAD_JSON}")
    found = holder[name]
    if not isinstance(found, list):
        raise DataError(f"{path}: {place}: found {kind(found)}, expected a list")
    for number, item in enumerate(found):
        if not isinstance(item, dict):
            raise DataError(f"{path}: {place}[{number}]: found {kind(item)}, expected an object")
    return [(item, f"{place}[{number}]") for number, item in enumerate(found)]


def _text(path: Path, value: Any, place: str) -> str:
    if not isinstance(value, str):
        found = "nothing" if value is None else kind(value)
        raise DataError(f"{path}: {place}: found {found}, expected text")
    return value


def _filled(path: Path, value: Any, place: str, advice: str = "") -> str:
    text = _text(path, value, place)
    if not text.strip():
        raise DataError(f"{path}: {place}: the text is empty{advice}")
    return text
