"""Files for multiple-choice (CSV, TSV, JSON lines): prompts, their choices, and the index of the correct choice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bertsmith.corpus.reading.cells import kind, text_of_cell
from bertsmith.errors import DataError, OptionError
from bertsmith.reporting.numbers import counted
from bertsmith.tasks.files.labelled_file import (
    LABEL_COLUMNS,
    Columns,
    find_column,
    labelled_records,
    refuse_shared_columns,
)
from bertsmith.tasks.files.reference import FileReference
from bertsmith.tasks.files.table_records import detect_format, is_table, record_keys
from bertsmith.tasks.files.text_file import decode_labelled_file, existing_file, finite, json_object, text_lines
from bertsmith.tasks.multiple_choice.choice_labels import LabelledChoices, indices, infer_label_format

CHOICE_LABEL_COLUMNS = (*LABEL_COLUMNS, "answerKey", "answer_key", "answer")
PROMPT_COLUMNS = ("prompt", "question", "question_stem", "startphrase", "context", "premise", "text", "sentence")
LIST_COLUMNS = ("choices", "endings", "options")
NUMBERED_COLUMNS = ("choice", "ending", "option")
"""The usual names of choices: a column of lists, or columns numbered from 0 or 1."""


@dataclass(frozen=True)
class ChoiceQuestion:
    """A prompt and its choices.

    Attributes:
        prompt, choices: the texts.
        label: index of the correct choice, from 0.
        place: its location in the file.
        label_format: how the file writes labels (`choice_labels.LABEL_FORMATS`); empty if labels were not read.
    """

    prompt: str
    choices: tuple[str, ...]
    label: int
    place: str = field(default="", compare=False)
    label_format: str = field(default="", compare=False)


def read_choice_questions(
    path: Path, columns: Columns, *, placeholder_label: int | None = None
) -> list[ChoiceQuestion]:
    """Read the questions of a labelled file, each with at least two choices; trailing empty fields are not choices.

    With a `placeholder_label`, every question gets this label, and the label column is ignored.

    Raises DataError with file and line of the first mistake, OptionError for a column that such files do not have.
    """
    if columns.pair is not None:
        raise OptionError("--pair-column is not for multiple-choice. Try: --choice-columns")
    records = labelled_records(path, columns, class_names=placeholder_label is None)
    present = list(records[0].values)
    find = partial(find_column, path, present, can_lack_header=is_table(detect_format(path, columns.file_format)))
    prompt_name = find(columns.text, usual_names=PROMPT_COLUMNS, what="prompt", option="--text-column", position="0")
    choice_names = _choice_columns(path, record_keys(records), columns.choices)
    label_name = None
    if placeholder_label is None:
        label_name = find(
            columns.label, usual_names=CHOICE_LABEL_COLUMNS, what="label", option="--label-column", position=None
        )
    choice_roles = [(f"choice {number} (from 0)", name) for number, name in enumerate(choice_names)]
    refuse_shared_columns(path, [("prompt", prompt_name), ("label", label_name), *choice_roles])
    prompts, labelled = [], []
    for record in records:
        where, values = f"{path}: {record.place}", record.values
        for name in (prompt_name, *((label_name,) if label_name is not None else ())):
            if values.get(name) is None:
                raise DataError(f"{where}: column {name!r} is missing")
        advice = ". Try: --text-column to use a different column for the prompts"
        prompt = text_of_cell(values[prompt_name], f"{where}: column {prompt_name!r}", advice=advice)
        if not prompt.strip():
            raise DataError(f"{where}: the prompt is empty")
        prompts.append(prompt)
        choices, keys = _choices(where, values, choice_names)
        label = values[label_name] if label_name is not None else placeholder_label
        labelled.append(LabelledChoices(f"{where}: the label (column {label_name!r})", label, choices, keys))
    label_format, found = "", [placeholder_label or 0] * len(records)
    if label_name is not None:
        label_format = infer_label_format(
            path,
            labelled,
            labels_from=columns.labels_from,
            columns_from=_first_number(choice_names),
            reference=columns.reference,
        )
        found = indices(labelled, label_format, columns.reference)
    return [
        ChoiceQuestion(prompt, row.choices, index, record.place, label_format)
        for prompt, row, index, record in zip(prompts, labelled, found, records, strict=True)
    ]


def choice_reference(questions: Sequence[ChoiceQuestion], path: Path) -> FileReference:
    """Return what the other files of a training must match: the label format of the training file."""
    return FileReference(f"the training file {path}", choice_labels=questions[0].label_format)


def _choice_columns(path: Path, present: list[str], requested: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the columns of the choices: a column of lists, or a column per choice."""
    shown = ", ".join(map(repr, present))
    if requested is not None:
        lacking = [name for name in requested if name not in present]
        if lacking:
            raise DataError(f"{path}: no column {lacking[0]!r}; the columns are {shown}. Try: --choice-columns")
        return requested
    for name in LIST_COLUMNS:
        if name in present:
            return (name,)
    for name in NUMBERED_COLUMNS:
        numbers = sorted(int(match[1]) for column in present if (match := re.fullmatch(rf"{name}([0-9])", column)))
        if len(numbers) > 1 and numbers in (list(range(len(numbers))), list(range(1, len(numbers) + 1))):
            return tuple(f"{name}{number}" for number in numbers)
    raise DataError(
        f"{path}: no columns with the usual names for choices (choices, or choice0, choice1 and so on); the columns "
        f"are {shown}. Try: --choice-columns A,B,C"
    )


def _first_number(names: tuple[str, ...]) -> int | None:
    """Return the number of the first column, 0 or 1, if the names end in consecutive numbers from there; else None."""
    if len(names) > 1:
        for start in (0, 1):
            stem = names[0].removesuffix(str(start))
            if stem and names == tuple(f"{stem}{start + place}" for place in range(len(names))):
                return start
    return None


def _choices(
    where: str, record: dict[str, Any], names: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Return the choices of a row, and their keys if it has keys: `{"label": ["A", "B"], "text": [...]}` as in ARC and
    CommonsenseQA, or a list of `{"label": "A", "text": ...}`.
    """
    values = [record.get(name) for name in names]
    if len(names) > 1:
        while values and (values[-1] is None or (isinstance(values[-1], str) and not values[-1].strip())):
            values.pop()
        return checked_choices(where, values), None
    found, keys = values[0], None
    if isinstance(found, dict) and {"label", "text"} <= found.keys():
        keys, found = found["label"], found["text"]
    elif (
        isinstance(found, list)
        and found
        and all(isinstance(it, dict) and {"label", "text"} <= it.keys() for it in found)
    ):
        keys, found = [it["label"] for it in found], [it["text"] for it in found]
    if not isinstance(found, list):
        raise DataError(f"{where}: {names[0]!r}: found {kind(found)}, expected a list of choices")
    choices = checked_choices(where, found)
    if keys is None:
        return choices, None
    if not isinstance(keys, list) or len(keys) != len(choices):
        given = counted(len(keys), "key") if isinstance(keys, list) else kind(keys)
        raise DataError(
            f"{where}: {names[0]!r}: found {given} in 'label' for {len(choices)} choices in 'text', "
            "expected a list with one key per choice"
        )
    named = tuple(str(key).strip() for key in keys)
    if len(set(named)) < len(named) or "" in named:
        raise DataError(
            f"{where}: {names[0]!r}: found the keys {', '.join(map(repr, named))}, expected different, non-empty keys"
        )
    return choices, named


def checked_choices(where: str, values: list[Any]) -> tuple[str, ...]:
    """Return at least two choices, none of them empty; raise DataError otherwise."""
    choices = [_choice(f"{where}: choice {number} (from 0)", value) for number, value in enumerate(values)]
    if len(choices) < 2:
        raise DataError(f"{where}: found {len(choices)} choices, expected at least two")
    return tuple(choices)


def _choice(where: str, value: Any) -> str:
    """Return a choice; JSON numbers are accepted, such as the answer to a sum."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and finite(value):
        return str(value)
    choice = text_of_cell(value, where)
    if not choice.strip():
        raise DataError(f"{where} is empty")
    return choice


def read_prompts(path: Path) -> Iterator[tuple[str, tuple[str, ...]] | None]:
    """Yield the prompts of `choose --input` (JSON lines with `prompt` and `choices`); None for each blank line."""
    existing_file(path, "JSON lines with 'prompt' and 'choices'")
    for number, line in enumerate(text_lines(decode_labelled_file(path, "utf-8")), start=1):
        if not line.strip():
            yield None
            continue
        where = f"{path}: line {number}"
        record = json_object(where, line)
        prompt, choices = record.get("prompt"), record.get("choices")
        if not isinstance(prompt, str) or not prompt.strip():
            raise DataError(f"{where}: 'prompt': found {_found(prompt)}, expected non-empty text")
        if not isinstance(choices, list):
            raise DataError(f"{where}: 'choices': found {_found(choices)}, expected a list of texts")
        yield prompt, checked_choices(where, choices)


def _found(value: object) -> str:
    return "nothing" if value is None else "empty text" if isinstance(value, str) and not value.strip() else kind(value)
