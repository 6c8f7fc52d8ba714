"""question-answering files: SQuAD JSON to questions, and the JSON of predictions and probabilities by their ids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.errors import DataError
from bertsmith.tasks.text_file import finite, kind, read_json_object


@dataclass(frozen=True)
class Question:
    """A question: its id and the texts of its right answers, none where it has no answer (SQuAD 2.0)."""

    id: str
    answers: tuple[str, ...]


def read_questions(path: Path) -> list[Question]:
    """The questions of SQuAD 1.1 or 2.0 JSON, in the order of the file.

    Raises DataError, with the place in the JSON, where it is not of that form, has no question, or an id stands twice.
    """
    content = read_json_object(path, "SQuAD JSON: an object with 'data'")
    questions: dict[str, Question] = {}
    for article, at in _items(path, content, "data", ""):
        for paragraph, inside in _items(path, article, "paragraphs", at):
            for question, place in _items(path, paragraph, "qas", inside):
                name = _text(path, question, "id", place)
                answers = (
                    _text(path, answer, "text", here) for answer, here in _items(path, question, "answers", place)
                )
                if name in questions:
                    raise DataError(f"{path}: {place}: the id {name!r} stands twice, expected one question an id")
                questions[name] = Question(name, tuple(answers))
    if not questions:
        raise DataError(f"{path}: no question in this file")
    return list(questions.values())


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
