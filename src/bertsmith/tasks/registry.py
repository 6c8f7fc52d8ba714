"""The list of tasks: names, verbs and folders. It imports neither torch nor transformers, so `--help` can use it.

A task is a folder with these modules, each imported on first use:

    command.py   COMMAND: the verb that uses a model with this task (options, function, formatter); torch-free
    predict.py   the verb as a function of a runner and inputs, and its result type; NumPy
    task.py      TASK: labels, files, encoding, metrics, predictions, errors; NumPy in and out (`base.py`)
    head.py      LOSSES: the losses (`task_losses.py`); the only module that needs torch
    score.py     SCORE: the official metrics of a prediction file, and the options that they use (`scoring.py`)
    card.py      CARD: the sentences for model card and report

Tasks that are not fine-tuned (fill-mask, next-sentence, embedding) have `command.py`, `predict.py` and `head.py`.
Their `head.py` defines FORWARD instead: how their part of the model runs a batch.
To add a task, add a folder and a line in `TASKS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from bertsmith.config.option_names import nearest


@dataclass(frozen=True)
class TaskEntry:
    """A task in the list.

    Attributes:
        name: as on the command line.
        verb: the verb that uses a model with this task.
        folder: dotted name of its package.
        summary: its line in `bertsmith --help`.
        aliases: common names of this task, also in other libraries.
        trainable: whether `finetune` trains it.
        max_length: tokens per row if neither an option nor the model gives a length.
        file_formats: formats of labelled files that only this task reads.
    """

    name: str
    verb: str
    folder: str
    summary: str
    aliases: tuple[str, ...] = ()
    trainable: bool = True
    max_length: int = 128
    file_formats: tuple[str, ...] = ()

    def module(self, name: str) -> ModuleType:
        """Import a module of the folder."""
        return importlib.import_module(f"{self.folder}.{name}")


def _built_in(name: str, verb: str, summary: str, *, aliases: tuple[str, ...] = (), **values: Any) -> TaskEntry:
    return TaskEntry(name, verb, f"bertsmith.tasks.{name.replace('-', '_')}", summary, aliases, **values)


TASKS: dict[str, TaskEntry] = {
    entry.name: entry
    for entry in (
        _built_in("fill-mask", "fill-mask", "predict the words for each [MASK]", trainable=False),
        _built_in("next-sentence", "next-sentence", "predict whether B is the sentence after A", trainable=False),
        _built_in("embedding", "embed", "turn each text into a vector", trainable=False),
        _built_in(
            "sequence-classification",
            "classify",
            "predict the label of a text",
            aliases=("text-classification", "classification", "sentiment-analysis", "regression"),
        ),
        _built_in(
            "token-classification",
            "tag",
            "find the entities of a text, or label each word",
            aliases=("ner", "pos", "chunk"),
            file_formats=("conll", "conllu"),
        ),
        _built_in(
            "question-answering",
            "answer",
            "answer a question from a text",
            aliases=("qa", "squad"),
            max_length=384,
            file_formats=("squad",),
        ),
        _built_in("multiple-choice", "choose", "choose the text that fits a prompt", aliases=("swag",)),
    )
}


def task_verbs() -> dict[str, TaskEntry]:
    """Return the tasks by verb, in the order of `bertsmith --help`."""
    return {entry.verb: entry for entry in TASKS.values()}


def trainable_tasks() -> tuple[str, ...]:
    """Return the names of the tasks that `finetune` trains."""
    return tuple(name for name, entry in TASKS.items() if entry.trainable)


def default_lengths() -> str:
    """Return the default tokens per row for the help: the general default, then the tasks that differ from it."""
    default = TaskEntry.max_length
    others = (f"{entry.max_length} for {name}" for name, entry in TASKS.items() if entry.max_length != default)
    return ", ".join([str(default), *others])


def known_task(value: str, suites: Sequence[str] = ()) -> str:
    """Return the name if it is a trainable task; else raise a ValueError that lists tasks and suites."""
    names = trainable_tasks()
    if value in names:
        return value
    suite = f", or the suite {', '.join(suites)}" if suites else ""
    plain = value.lower().replace("_", "-")
    meant = next((name for name in names if plain in TASKS[name].aliases), None)
    hint = nearest(value, (*names, *suites)) if meant is None else f"; did you mean '{meant}'?"
    raise ValueError(f"found {value!r}, expected one of {', '.join(names)}{suite}{hint}")
