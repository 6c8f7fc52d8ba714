"""The names of the tasks, once. It holds names only, so that `--help` can show them without importing torch."""

from __future__ import annotations

from collections.abc import Sequence

from bertsmith.config.options import nearest

HEADS = {
    "sequence-classification": "classify",
    "token-classification": "tag",
    "question-answering": "answer",
    "multiple-choice": "choose",
}
"""The tasks that have a head, and the verb that uses it. The head of a task stands in the module of its name in
`bertsmith.tasks`."""

TASKS = tuple(HEADS)

SUITES = ("glue",)
"""What stands in the place of a task for several of them: `finetune glue`, with options of its own."""

MAX_LENGTHS = {"question-answering": 384}
"""Tokens of a row for the tasks that read more at once than `MAX_LENGTH`."""
MAX_LENGTH = 128

NAMES_ELSEWHERE = {
    "text-classification": "sequence-classification",
    "classification": "sequence-classification",
    "sentiment-analysis": "sequence-classification",
    "regression": "sequence-classification",
    "ner": "token-classification",
    "pos": "token-classification",
    "chunk": "token-classification",
    "qa": "question-answering",
    "squad": "question-answering",
    "swag": "multiple-choice",
}
"""What libraries, their examples and people call these tasks."""


def default_length(task: str) -> int:
    """Tokens of a row of a task, where no option says so."""
    return MAX_LENGTHS.get(task, MAX_LENGTH)


def lengths_in_words() -> str:
    """`default_length` of all tasks, for the help."""
    return ", ".join([str(MAX_LENGTH), *(f"{length} for {task}" for task, length in MAX_LENGTHS.items())])


def known_task(value: str, tasks: Sequence[str], suites: Sequence[str] = ()) -> str:
    """The name, where it is one of these tasks; else ValueError in the words of an option, which name suites too."""
    if value not in tasks:
        suite = f", or the suite {', '.join(suites)}" if suites else ""
        meant = NAMES_ELSEWHERE.get(value.lower().replace("_", "-"))
        hint = f"; '{meant}' does that" if meant in tasks else nearest(value, (*tasks, *suites))
        raise ValueError(f"found {value!r}, expected one of {', '.join(tasks)}{suite}{hint}")
    return value
