"""Only `head.py` and `task_losses.py` need torch: an exported model is read, used and scored without it."""

from __future__ import annotations

import ast
import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bertsmith
from bertsmith.tasks.base import task_class
from bertsmith.tasks.registry import TASKS, trainable_tasks

BLOCKED = Path(__file__).with_name("torch_blocked.py")
SOURCE = Path(bertsmith.__file__).parent
NEED_TORCH = ("head", "task_losses")
SINGLE, SEVERAL = "single_label_classification", "multi_label_classification"


def blocked(*arguments: object) -> Any:
    done = subprocess.run(
        [sys.executable, "-W", "error", BLOCKED, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_module_but_heads_and_losses_can_be_imported() -> None:
    modules = [path for path in (SOURCE / "tasks").rglob("*.py") if path != SOURCE / "tasks" / "__init__.py"]
    heads = [f"{entry.folder.removeprefix('bertsmith.tasks.')}.head" for entry in TASKS.values()]
    assert blocked("imports") == {"modules": len(modules), "lacking": sorted([*heads, "task_losses"])}


def imported(path: Path) -> Iterator[str]:
    """The modules that a module imports, including imports inside functions and for types."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        yield from [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        yield from [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


@pytest.mark.parametrize("package", ["tasks", "metrics", "reporting", "records", "config"])
def test_torch_is_not_imported_later_either(package: str) -> None:
    found = {
        path.stem
        for path in (SOURCE / package).rglob("*.py")
        if {name.partition(".")[0] for name in imported(path)} & {"torch", "transformers"}
    }
    assert found == (set(NEED_TORCH) if package == "tasks" else set())


def samples(task: str, problem_type: str) -> list[dict[str, Any]]:
    """Ten examples, some longer than a row."""
    lines: list[dict[str, Any]] = []
    for number in range(10):
        words = [("bread", "horse")[number % 2], *["near", "the", "river"] * (1 + number % 3)]
        text, kind = " ".join(words), ("food", "animal")[number % 2]
        label: Any = {SINGLE: kind, SEVERAL: f"{kind}|river", "regression": number + 0.5}[problem_type]
        choices = ["bread", "horse", "river"][: 3 if number % 3 else 2]
        lines.append(
            {
                "sequence-classification": {"text": text, "label": label},
                "token-classification": {"tokens": words, "tags": [f"B-{kind}", *["O"] * (len(words) - 1)]},
                "question-answering": {
                    "id": str(number),
                    "question": "what",
                    "context": text,
                    "answers": [{"text": words[0], "start": 0}] if number else [],
                },
                "multiple-choice": {"prompt": text, "choices": choices, "label": number % 2},
            }[task]
        )
    return lines


def squad(line: dict[str, Any]) -> dict[str, Any]:
    """A question in SQuAD format."""
    answers = [{"text": each["text"], "answer_start": each["start"]} for each in line["answers"]]
    return {key: line[key] for key in ("id", "question")} | {"answers": answers, "is_impossible": not answers}


def written(folder: Path, task: str, form: str, lines: list[dict[str, Any]]) -> Path:
    """The examples as a file in this format."""
    path = folder / f"sample.{ {'squad': 'json'}.get(form, form) }"
    if form == "jsonl":
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    elif form == "parquet":
        pq.write_table(pa.Table.from_pylist(lines), path)
    elif form == "squad":
        paragraphs = [{"context": line["context"], "qas": [squad(line)]} for line in lines]
        path.write_text(json.dumps({"version": "2.0", "data": [{"title": "", "paragraphs": paragraphs}]}))
    elif form == "conll":
        pairs = ["\n".join(f"{a}\t{b}" for a, b in zip(*line.values(), strict=True)) for line in lines]
        path.write_text("\n\n".join(pairs) + "\n")
    elif form == "conllu":
        rows = [
            "\n".join(f"{at}\t{word}\t_\t{'NOUN' if at == 1 else 'X'}" + "\t_" * 6 for at, word in enumerate(words, 1))
            for words in (line["tokens"] for line in lines)
        ]
        path.write_text("\n\n".join(rows) + "\n\n")
    else:
        flat = [{**line, **{f"choice{at}": each for at, each in enumerate(line.get("choices", ()))}} for line in lines]
        names = list(dict.fromkeys(name for line in flat for name in line if name != "choices"))
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, names, delimiter="\t" if form == "tsv" else ",", extrasaction="ignore")
            table.writeheader()
            table.writerows(flat)
    return path


CASES = [
    ("sequence-classification", SINGLE, ("jsonl", "csv", "tsv", "parquet")),
    ("sequence-classification", SEVERAL, ("jsonl", "csv")),
    ("sequence-classification", "regression", ("jsonl", "tsv")),
    ("token-classification", SINGLE, ("conll", "jsonl", "parquet")),
    ("token-classification", SINGLE, ("conllu",)),
    ("question-answering", SINGLE, ("squad", "jsonl", "parquet")),
    ("multiple-choice", SINGLE, ("jsonl", "csv", "tsv", "parquet")),
]


def test_the_cases_have_every_task_and_form() -> None:
    """A new task, or a new file format, needs a case."""
    tested = {(task, form) for task, _, forms in CASES for form in forms}
    forms = {name: {*task_class(name).tables, *TASKS[name].file_formats} for name in trainable_tasks()}
    # The tables of questions are read by one function, whatever their form.
    forms["question-answering"] -= {"csv", "tsv"}
    assert tested == {(task, form) for task, found in forms.items() for form in found}


@pytest.mark.parametrize(("task", "problem_type", "forms"), CASES)
def test_labelled_files_are_read_answered_and_scored(
    task: str, problem_type: str, forms: tuple[str, ...], tmp_path: Path
) -> None:
    """`score` on the predictions gives the same metrics as `evaluate`."""
    lines = samples(task, problem_type)
    found = blocked("head", task, problem_type, *(written(tmp_path, task, form, lines) for form in forms))
    assert found["judged"] == found["examples"] == 10 <= found["rows"]
    assert found["figures"] and found["figures"].keys() >= found["baseline"].keys()
    assert {name: found["scored"][name] for name in found["figures"]} == pytest.approx(found["figures"], abs=1e-9)
    if found["labels"] and task != "multiple-choice":
        assert found["tally"]


@pytest.mark.parametrize("task", TASKS)
def test_every_verb_answers(task: str, tmp_path: Path) -> None:
    found = blocked("verb", task, tmp_path)
    assert found["shown"] and all(found["shown"]) and found["arguments"]
    assert all(results for results in found["results"])


def test_every_card_has_its_sentences() -> None:
    assert blocked("cards").keys() == set(trainable_tasks())
