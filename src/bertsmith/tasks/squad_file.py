"""question-answering files: SQuAD JSON or JSON lines to questions, and the JSON of predictions and probabilities by id.

A line of JSON lines is a question with `question`, `context`, `answers`, and perhaps `id` (else its number among the
questions). `answers` is a list of `{"text", "start"}` (or `"answer_start"`, as in SQuAD), or, as the `datasets` library
has it, `{"text": [...], "answer_start": [...]}`. A question without answers has an empty list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertsmith.corpus.reading.cells import kind
from bertsmith.errors import DataError, OptionError
from bertsmith.runtime.console import warn
from bertsmith.tasks.labelled_file import Columns
from bertsmith.tasks.text_file import decoded, existing_file, finite, json_lines, read_json_object

FORMS = {".json": "squad", ".jsonl": "jsonl"}


@dataclass(frozen=True)
class Question:
    """A question: its id and the texts of its right answers, none where it has no answer (SQuAD 2.0)."""

    id: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class ContextQuestion(Question):
    """A question together with the text that answers it.

    Attributes:
        question, context: the texts.
        span: the first answer that stands in the context, in characters, the end exclusive; None where there is none.
        place: where it stands in its file.
    """

    question: str
    context: str
    span: tuple[int, int] | None = None
    place: str = field(default="", compare=False)


@dataclass(frozen=True)
class _Found:
    """A question as the JSON has it, the object that its context stands in, and the place of both."""

    id: str
    fields: dict[str, Any]
    place: str
    holder: dict[str, Any]
    holder_place: str


def read_questions(path: Path, form: str | None = None) -> list[Question]:
    """The questions of SQuAD 1.1 or 2.0 JSON, or of JSON lines, in the order of the file.

    Raises DataError, with the place in the JSON, where it is not of that form, has no question, or an id stands twice.
    """
    return [
        Question(found.id, tuple(_text(path, answer, "text", here) for answer, here in _answers(path, found)))
        for found in _questions(path, form)
    ]


def read_context_questions(path: Path, columns: Columns) -> list[ContextQuestion]:
    """The questions of such a file with their contexts and the places of their answers.

    An answer that is not at its offset is looked for: it stands where its text does, at the occurrence nearest to the
    offset, unless two are as near. How many were moved, and how many questions have answers that are all not in their
    context, is said.

    Raises DataError as `read_questions`, and where a context, a question or an offset is missing or empty; OptionError
    for a column or an encoding.
    """
    for option, given in (
        ("--text-column", columns.text),
        ("--pair-column", columns.pair),
        ("--label-column", columns.label),
        ("--no-header", columns.no_header or None),
        ("--skip-broken-rows", columns.skip_broken or None),
        ("--separator", columns.separator),
        ("--encoding", None if columns.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else columns.encoding),
    ):
        if given is not None:
            raise OptionError(f"{option}: files of questions are JSON in UTF-8, with names of their own; leave it out")
    questions, moved, lost = [], 0, []
    for found in _questions(path, columns.form):
        context = _filled(path, found.holder, "context", found.holder_place)
        answers, spans = [], []
        for answer, place in _answers(path, found):
            text = _filled(path, answer, "text", place)
            start = _start(path, answer, place)
            answers.append(text)
            here = _located(context, text, start)
            if here is not None:
                spans.append((here, here + len(text)))
                moved += start is not None and here != start
        if answers and found.fields.get("is_impossible") is True:
            raise DataError(f"{path}: {found.place}: is_impossible is true, but there are answers; take out one")
        if answers and not spans:
            lost.append(found.id)
        question = _filled(path, found.fields, "question", found.place)
        span = spans[0] if spans else None
        questions.append(ContextQuestion(found.id, tuple(answers), question, context, span, found.place))
    if moved:
        warn(f"{path}: {moved:,} answers are not at their offset; their text was found nearby")
    if lost:
        warn(
            f"{path}: {len(lost):,} of {len(questions):,} questions have no answer that can be found in their context, "
            f"the first is {lost[0]!r}; nothing is learnt from them"
        )
    return questions


def _located(context: str, text: str, start: int | None) -> int | None:
    """Where an answer begins: at its offset, else where its text is nearest; None where that is not one place."""
    if start is not None and start >= 0 and context.startswith(text, start):
        return start
    places = []
    at = context.find(text)
    while at >= 0:
        places.append(at)
        at = context.find(text, at + 1)
    if start is None or len(places) < 2:
        return places[0] if len(places) == 1 else None
    nearest, second = sorted(places, key=lambda place: abs(place - start))[:2]
    return nearest if abs(nearest - start) < abs(second - start) else None


def _questions(path: Path, form: str | None) -> Iterator[_Found]:
    """Each question; ids are unique, and there is at least one."""
    form = form or FORMS.get(path.suffix.lower(), "squad")
    if form not in FORMS.values():
        raise OptionError(f"--format {form}: questions are in squad (SQuAD JSON) or jsonl")
    ids = set()
    for found in _of_squad(path) if form == "squad" else _of_lines(path):
        if found.id in ids:
            raise DataError(f"{path}: {found.place}: the id {found.id!r} stands twice, expected one question an id")
        ids.add(found.id)
        yield found
    if not ids:
        raise DataError(f"{path}: no question in this file")


def _of_squad(path: Path) -> Iterator[_Found]:
    content = read_json_object(path, "SQuAD JSON: an object with 'data'")
    for article, at in _items(path, content, "data", ""):
        for paragraph, inside in _items(path, article, "paragraphs", at):
            for question, place in _items(path, paragraph, "qas", inside):
                yield _Found(_text(path, question, "id", place), question, place, paragraph, inside)


def _of_lines(path: Path) -> Iterator[_Found]:
    existing_file(path, "JSON lines with question, context and answers")
    for number, (line, fields) in enumerate(json_lines(path, decoded(path, "utf-8")), start=1):
        place = f"line {line}"
        name = _text(path, fields, "id", place) if "id" in fields else str(number)
        yield _Found(name, fields, place, fields, place)


def _answers(path: Path, found: _Found) -> list[tuple[dict[str, Any], str]]:
    """The answers of a question, each with its place."""
    answers = found.fields.get("answers")
    if found.fields is found.holder and "answers" not in found.fields:
        names = ", ".join(map(repr, found.fields))
        raise DataError(f"{path}: {found.place}: no 'answers', expected question, context and answers; found {names}")
    if not isinstance(answers, dict):
        return _items(path, found.fields, "answers", found.place)
    place = f"{found.place}.answers"
    for name in ("text", "answer_start"):
        if not isinstance(answers.get(name), list):
            what = kind(answers[name]) if name in answers else "nothing"
            raise DataError(f"{path}: {place}.{name}: found {what}, expected a list")
    texts, starts = answers["text"], answers["answer_start"]
    if len(texts) != len(starts):
        raise DataError(f"{path}: {place}: {len(texts)} texts and {len(starts)} offsets, expected one for each")
    return [
        ({"text": text, "answer_start": start}, f"{place}[{number}]")
        for number, (text, start) in enumerate(zip(texts, starts, strict=True))
    ]


def _filled(path: Path, holder: dict[str, Any], name: str, at: str) -> str:
    text = _text(path, holder, name, at)
    if not text.strip():
        more = "; a question without an answer has an empty list of answers" if name == "text" else ""
        raise DataError(f"{path}: {at}.{name}: the text is empty{more}")
    return text


def _start(path: Path, answer: dict[str, Any], at: str) -> int | None:
    """The offset of an answer in characters; None where it has none."""
    name = "start" if "start" in answer else "answer_start"
    start = answer.get(name)
    if start is not None and (isinstance(start, bool) or not isinstance(start, int)):
        raise DataError(f"{path}: {at}.{name}: found {kind(start)}, expected the offset in characters")
    return start


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


def _items(path: Path, holder: dict[str, Any], name: str, at: str) -> list[tuple[dict[str, Any], str]]:
    """The objects in a list of the JSON, each with its place: `data[0].paragraphs[2]`."""
    place = f"{at}.{name}" if at else name
    if name not in holder:
        raise DataError(f"{path}: {place} is missing, expected SQuAD JSON (data, paragraphs, qas, answers)")
    found = holder[name]
    if not isinstance(found, list):
        raise DataError(f"{path}: {place}: found {kind(found)}, expected a list")
    for number, item in enumerate(found):
        if not isinstance(item, dict):
            raise DataError(f"{path}: {place}[{number}]: found {kind(item)}, expected an object")
    return [(item, f"{place}[{number}]") for number, item in enumerate(found)]


def _text(path: Path, holder: dict[str, Any], name: str, at: str) -> str:
    value = holder.get(name)
    if not isinstance(value, str):
        found = kind(value) if name in holder else "nothing"
        raise DataError(f"{path}: {at}.{name}: found {found}, expected a text")
    return value
