"""The pages are short, README names every verb, and options and files that the pages name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bertsmith.cli.app import verbs
from bertsmith.cli.command import command_of
from bertsmith.config.option_names import external_name

ROOT = Path(__file__).resolve().parents[2]
GUIDES = [path for path in sorted((ROOT / "docs").glob("*.md")) if path.name != "reference.md"]
PAGES = [ROOT / "README.md", *GUIDES]

OTHER_PROGRAMS = {
    *("--head", "--disable-usage-stats", "--address", "--array", "--name"),  # ray, sbatch, scancel
    *("--encoder", "--from-scratch", "--side"),  # benchmarks/finetune_quality.py
    *("--json", "--verbose", "--config", "--set", "--help"),  # every verb
    *("--signal", "--node-rank"),  # sbatch, torchrun
}
"""Options in the text of a page that are not in the schema of a verb."""


def options() -> set[str]:
    """The options of all verbs."""
    commands = [inner for verb in verbs() for inner in (command_of(verb), *command_of(verb).words.values())]
    return {f"--{external_name(name)}" for command in commands for name in command.schema.model_fields}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_short(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= (150 if page.name == "README.md" else 250)


def test_readme_names_every_verb() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for verb in verbs():
        assert re.search(rf"^\| `{verb}\b", text, re.MULTILINE), verb


def test_readme_activates_the_environment_before_the_first_command() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.index("make quickstart") < text.index("source .venv/bin/activate") < text.index("\nbertsmith ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_in_the_text_exist(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    spans = " ".join(re.findall(r"`([^`\n]+)`", text))
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", spans))
    assert named - options() - OTHER_PROGRAMS == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_in_the_text_exist(page: Path) -> None:
    """Paths of this repository between backquotes, from its root or from src/bertsmith."""
    text = page.read_text(encoding="utf-8")
    roots = "src|tests|benchmarks|configs|docs"
    inside = "|".join(path.name for path in (ROOT / "src" / "bertsmith").iterdir() if path.is_dir())
    for path in set(re.findall(rf"`((?:{roots}|{inside})/[\w./-]*)`", text)):
        assert any((base / path).exists() for base in (ROOT, ROOT / "src" / "bertsmith")), f"{page.name}: {path}"


def test_the_outline_of_a_task_has_the_methods_that_a_task_must_have() -> None:
    from bertsmith.tasks.base import Task
    from toy_task.task import TASK

    text = (ROOT / "docs" / "adding-a-task.md").read_text(encoding="utf-8")
    assert set(re.findall(r"    def (\w+)\(", text)) == Task.__abstractmethods__
    named = re.findall(r"^    (\w+) = ", text, re.MULTILINE)
    named += [name for row in re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    known = set(vars(TASK(["a", "b"]))).union(*(vars(base) for base in TASK.__mro__))
    assert set(named) - known == set()
