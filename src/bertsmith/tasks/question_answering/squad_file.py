"""question-answering files to questions, and the JSON of predictions and probabilities by id.

A file is SQuAD JSON (1.1 or 2.0), or it has a question per row: JSON lines, Parquet, a data set (`hf:`), CSV or TSV
with the columns `question`, `context`, `answers` and perhaps `id`. The answers of a question may be

- a list of objects `{"text", "start"}` (or `"answer_start"`, as in SQuAD), or one such object,
- an object of lists `{"text": [...], "answer_start": [...]}`, as in the library datasets,
- a text or a list of texts, with the offsets in a column `answer_start` or `start`.

A question without an answer has an empty list; in CSV and TSV its cell is empty. An id may be a whole number; the id of
a question without one is its number in the file, from 1.
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
from bertsmith.tasks.files.records import DATA_SET, form_of, is_table
from bertsmith.tasks.files.text_file import finite, read_json_object
from bertsmith.tasks.question_answering.answer_places import PlacedAnswer, place_answers

SQUAD = "squad"
FORMS = (SQUAD, "jsonl", "parquet", "csv", "tsv")
SQUAD_JSON = "SQuAD JSON: an object with 'data', then paragraphs, qas and answers (JSON lines need --format jsonl)"
QUESTION = "question"
CONTEXTS, ANSWERS = ("context", "passage", "paragraph"), ("answers", "answer")
"""The names of a column, the usual one first; any other must be the only one of its row."""
STARTS = ("start", "answer_start")
EMPTY_LIST = "; a question without an answer has an empty list of answers"


@dataclass(frozen=True)
class Question:
    """A question: its id and the texts of its right answers, none if it has no answer (SQuAD 2.0)."""

    id: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class ContextQuestion(Question):
    """A question together with the text that answers it.

    Attributes:
        question, context: the texts.
        span: the first answer that has a place in the context, in characters, the end exclusive; None if none has.
        place: its place in its file.
    """

    question: str
    context: str
    span: tuple[int, int] | None = None
    place: str = field(default="", compare=False)


@dataclass(frozen=True)
class _Found:
    """A question as the file has it, the object that holds its context, and the place of both."""

    id: str
    fields: dict[str, Any]
    place: str
    holder: dict[str, Any]
    holder_place: str


@dataclass(frozen=True)
class _Answer:
    """An answer as the file has it, not yet checked, and its place."""

    text: Any
    start: Any
    place: str


def read_questions(path: Path, columns: Columns) -> list[Question]:
    """The questions of a file or data set in their order, without their contexts.

    Raises DataError, with the place, if the file is of another form, has no question, or has an id twice; OptionError
    for a form or an option that such files do not have.
    """
    return [
        Question(found.id, tuple(_text(path, answer.text, f"{answer.place}.text") for answer in _answers(path, found)))
        for found in _questions(path, columns)
    ]


def read_context_questions(path: Path, columns: Columns) -> list[ContextQuestion]:
    """The questions of such a file with their contexts and the places of their answers (`answer_places`).

    The number of questions is printed that have answers, but none with a place.

    Raises DataError as `read_questions`, and if a context, a question, an answer or an offset is missing or empty.
    """
    found = _questions(path, columns)
    names = [_name(path, each.holder, CONTEXTS, place=each.holder_place) for each in found]
    contexts = [
        _filled(path, each.holder[name], f"{each.holder_place}.{name}") for each, name in zip(found, names, strict=True)
    ]
    others = sorted({*names} - {CONTEXTS[0]})
    if others:
        log_info(f"{path}: the contexts are read from {' and '.join(map(repr, others))}")
    given: list[PlacedAnswer] = []
    owners: list[int] = []
    for number, (each, context) in enumerate(zip(found, contexts, strict=True)):
        answers = _answers(path, each)
        if answers and _is_true(each.fields.get("is_impossible")):
            raise DataError(f"{path}: {each.place}: is_impossible is true, but there are answers; take out one")
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
            f"{path}: no answer can be found in the context of {len(lost):,} of {len(found):,} questions, "
            f"the first is {lost[0]!r}; nothing is learnt from them"
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


def _questions(path: Path, columns: Columns) -> list[_Found]:
    """Each question; ids are unique, and there is at least one."""
    form = _checked_form(path, columns)
    found: dict[str, _Found] = {}
    numbered: list[str] = []
    objects = _of_squad(path) if form == SQUAD else _of_records(path, form, columns)
    for number, (fields, place, holder, holder_place) in enumerate(objects, start=1):
        name = _id(path, fields, place)
        if name is None:
            name = str(number)
            numbered.append(name)
        if name in found:
            why = "expected one question per id"
            if name in numbered:
                why = "once as the number of a question without an id; give every question an id"
            raise DataError(f"{path}: {place}: the id {name!r} occurs twice, {why}")
        found[name] = _Found(name, fields, place, holder, holder_place)
    if not found:
        raise DataError(f"{path}: no question in this file")
    if numbered:
        log_info(
            f"{path}: no id in {len(numbered):,} of {len(found):,} questions; the number of each in the file, from 1, "
            "is its id"
        )
    return list(found.values())


def _checked_form(path: Path, columns: Columns) -> str:
    """The form of a file or data set. Raises OptionError for a form or an option that questions do not have."""
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
                f"{option}: the columns of questions have fixed names (question, context, answers, id); rename them in "
                "the file, and leave the option out"
            )
    for option, given in others.items():
        if given is not None:
            raise OptionError(f"{option}: questions have neither tags nor choices; leave the option out")
    form = form_of(path, columns.form) or SQUAD
    if form not in (*FORMS, DATA_SET):
        raise OptionError(f"--format {form}: questions are in squad (SQuAD JSON), {', '.join(FORMS[1:])}")
    if form == SQUAD and columns.encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
        raise OptionError(f"--encoding {columns.encoding}: SQuAD JSON is UTF-8; leave it out")
    if form == SQUAD and columns.separator is not None:
        raise OptionError("--separator: SQuAD JSON is no table; leave it out")
    if form == SQUAD and columns.skip_broken:
        raise OptionError("--skip-broken-rows: SQuAD JSON is no table; leave it out")
    return form


_Objects = Iterator[tuple[dict[str, Any], str, dict[str, Any], str]]
"""The object of each question and its place, and those of its context."""


def _of_squad(path: Path) -> _Objects:
    """Paragraphs of articles; `data` may also hold the questions themselves, each with its context."""
    content = read_json_object(path, SQUAD_JSON)
    for article, at in _items(path, content, "data", at=""):
        if QUESTION in article:
            yield article, at, article, at
            continue
        for paragraph, inside in _items(path, article, "paragraphs", at=at):
            for question, place in _items(path, paragraph, "qas", at=inside):
                yield question, place, paragraph, inside


def _of_records(path: Path, form: str, columns: Columns) -> _Objects:
    empty = 0
    records = columns.records(path, form, class_names=False)
    for record in records:
        fields = record.values
        if is_table(form):
            fields = {name: _cell(f"{path}: {record.place}.{name}", name, text) for name, text in fields.items()}
            empty += any(fields.get(name) == [] for name in ANSWERS)
        yield fields, record.place, fields, record.place
    if empty:
        log_info(
            f"{path}: the cell of the answer is empty in {empty:,} of {len(records):,} questions; they count as "
            "questions without an answer"
        )


def _cell(where: str, name: str, cell: Any) -> Any:
    """A cell of CSV or TSV as JSON would have it: the answers and offsets may be lists or objects."""
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
    of_answers = isinstance(value, list) and all(isinstance(item, (str, dict)) for item in value)
    if isinstance(value, dict) or of_answers or (isinstance(value, list) and name in STARTS):
        return value
    if written[0] == "{" or "'" in written or '"' in written or name in STARTS:
        raise DataError(
            f"{where}: found {shortened(written)!r}, expected a text, or a list or an object in JSON; JSON lines and "
            "Parquet hold lists as they are"
        )
    return cell


def _id(path: Path, fields: dict[str, Any], place: str) -> str | None:
    """The id of a question, which may be a whole number; None if it has none."""
    value = fields.get("id")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None or value != value:
        return None
    if not isinstance(value, str):
        raise DataError(f"{path}: {place}.id: found {kind(value)}, expected a text or a whole number")
    return value if value.strip() else None


def _name(path: Path, holder: dict[str, Any], names: tuple[str, ...], *, place: str) -> str:
    """The name that an object has: the usual one, else the only other one."""
    if names[0] in holder:
        return names[0]
    others = [name for name in names[1:] if name in holder]
    if len(others) == 1:
        return others[0]
    if others:
        raise DataError(f"{path}: {place}: found {' and '.join(map(repr, others))}, expected one {names[0]!r}")
    advice = ""
    if holder.keys() & {"data", "paragraphs", "qas"}:
        advice = "; SQuAD JSON is read as a file, with --format squad if its name does not end in .json"
    raise DataError(
        f"{path}: {place}: no {names[0]!r}, expected question, context and answers; found "
        f"{', '.join(map(repr, holder)) or 'nothing'}{advice}"
    )


def _answers(path: Path, found: _Found) -> list[_Answer]:
    """The answers of a question, in whichever of the forms."""
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
        raise DataError(f"{path}: {place}: found {what}, expected a list of answers, an object or a text{EMPTY_LIST}")
    if starts is None:
        starts = [None] * len(texts)
    elif not isinstance(starts, list):
        starts = [starts]
    if len(texts) != len(starts):
        raise DataError(f"{path}: {place}: {len(texts)} texts and {len(starts)} offsets, expected one for each")
    return [
        _Answer(text, start, f"{place}[{number}]")
        for number, (text, start) in enumerate(zip(texts, starts, strict=True))
    ]


def _offset(holder: dict[str, Any]) -> Any:
    """The offset of an answer, or the list of them; None if there is none."""
    return next((holder[name] for name in STARTS if holder.get(name) is not None), None)


def _start(path: Path, answer: _Answer) -> int | None:
    """The offset of an answer; None if it has none. Tables of numbers with gaps hold it as 4.0, and the gaps as NaN."""
    start = answer.start
    if start is None or start != start:
        return None
    if isinstance(start, float) and start.is_integer():
        return int(start)
    if isinstance(start, bool) or not isinstance(start, int):
        raise DataError(f"{path}: {answer.place}: found {kind(start)} for its offset, expected a whole number")
    return start


def _is_true(value: Any) -> bool:
    return value is True or str(value).strip().lower() in ("true", "1", "1.0")


def read_predictions(path: Path) -> dict[str, str]:
    """The official form of predictions: an object of id to text. Raises DataError where it is another."""
    content = read_json_object(path, "an object of id to text")
    for name, text in content.items():
        if not isinstance(text, str):
            raise DataError(f"{path}: id {name!r}: found {kind(text)}, expected the text of the answer")
    return content


def read_probabilities(path: Path) -> dict[str, float]:
    """An object of id to a finite number, larger where "no answer" is more likely. Raises DataError for others."""
    content = read_json_object(path, "an object of id to number")
    for name, value in content.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise DataError(f"{path}: id {name!r}: found {kind(value)}, expected a number")
        if not finite(value):
            raise DataError(f"{path}: id {name!r}: found {value}, expected a finite number")
    return content


def _items(path: Path, holder: dict[str, Any], name: str, *, at: str) -> list[tuple[dict[str, Any], str]]:
    """The objects in a list of the JSON, each with its place: `data[0].paragraphs[2]`."""
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
        raise DataError(f"{path}: {place}: found {found}, expected a text")
    return value


def _filled(path: Path, value: Any, place: str, advice: str = "") -> str:
    text = _text(path, value, place)
    if not text.strip():
        raise DataError(f"{path}: {place}: the text is empty{advice}")
    return text
