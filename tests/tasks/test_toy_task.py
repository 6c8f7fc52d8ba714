"""A new task is one folder and one line: it can be trained, evaluated, scored and used, and has a report and a card."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bertsmith as package
from bertsmith.errors import OptionError
from bertsmith.models.loading import load_config
from bertsmith.tasks.model_config import forget_head, task_of
from bertsmith.tasks.registry import TASKS, TaskEntry

TESTS = Path(__file__).resolve().parents[1]
QUICK: dict[str, Any] = {"precision": "fp32", "max_length": 16, "learning_rate": 1e-2, "batch_size": 8, "epochs": 15}


@pytest.fixture(autouse=True)
def shouting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the task. Schemas list the tasks in their help at import, so this task is missing there."""
    for schemas in ("bertsmith.finetuning.options", "bertsmith.tasks.score_options"):
        importlib.import_module(schemas)
    monkeypatch.syspath_prepend(TESTS)
    monkeypatch.setitem(TASKS, "shouting", TaskEntry("shouting", "shout", "toy_task", "whether a text is shouted"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    texts = (("the river bread", "quiet"), ("horses near the horses", "shouted"))
    lines = [json.dumps({"text": f"{texts[number % 2][0]} {'near ' * (number // 2)}", "label": texts[number % 2][1]})
             for number in range(24)]  # fmt: skip
    path = tmp_path / "shouts.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_task_of_ones_own(run: Path, file: Path, tmp_path: Path, bertsmith: Callable[..., Any]) -> None:
    options = {"train": file, "dev": file, **QUICK}
    made = package.finetune("shouting", model=run, out=tmp_path / "run", **options)
    assert made.metrics["accuracy"]["mean"] == 1.0 and made.baseline == {"accuracy": 0.5}
    config = load_config(str(made.run))
    assert task_of(config) == "shouting" and config.volume == "loud"

    evaluated = package.evaluate(made.run, file, predictions=tmp_path / "said.jsonl", report=tmp_path / "page.html")
    assert evaluated.metrics["accuracy"]["value"] == 1.0
    scored = bertsmith("score", "shouting", file, tmp_path / "said.jsonl")
    assert "24 examples" in scored.stdout and "100.0%" in scored.stdout
    assert package.score("shouting", file, tmp_path / "said.jsonl").to_dict()["accuracy"] == 1.0

    card, report = (made.run / "README.md").read_text(), (made.run / "report.html").read_text()
    assert "It hears whether a text is shouted. Output: one of 2 volumes: `quiet`, `shouted`." in card
    assert "Use it with `bertsmith shout`" in card and "Not for whispers." in card
    assert "of 1,000 texts are misheard" in report

    texts = ["horses near the horses", "the river bread"]
    assert [answer.label for answer in package.load(made.run).shout(texts)] == ["shouted", "quiet"]
    answers = bertsmith("shout", made.run, *texts, "--json").json_lines
    assert answers == [{"text": texts[0], "label": "shouted"}, {"text": texts[1], "label": "quiet"}]
    assert "  shout             whether a text is shouted" in bertsmith("--help").stdout

    student = package.finetune("shouting", model=run, teacher=made.run, out=tmp_path / "student", **options)
    assert student.metrics["accuracy"]["mean"] == 1.0
    compared = package.compare(made.run, made.run, file)
    assert compared.main_metric == "accuracy" and "the same model" in compared.advice
    forget_head(config)
    assert not hasattr(config, "volume"), "the next head of the model knows nothing of this one"


def test_options_of_other_tasks_are_refused(file: Path) -> None:
    with pytest.raises(OptionError, match="--scheme is only for token-classification, found shouting"):
        package.score("shouting", file, file, scheme="BIO")
    with pytest.raises(OptionError, match=r"--text-column is only for .* and shouting, found question-answering"):
        package.score("question-answering", file, file, text_column="text")
