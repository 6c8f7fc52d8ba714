"""The commands of README.md: each is valid, and what it reads is there after `make quickstart` or made before it."""

from __future__ import annotations

import ast
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import bertsmith
from bertsmith.cli.app import verbs
from bertsmith.cli.command import command_of, execute
from bertsmith.config.options import Options

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
LINES = [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()]
COMMANDS = [command for line in LINES if (command := re.sub(r"(^|\s)#.*", "", line).strip())]
LEFT = ("texts", "licences.txt", "classification/train.csv", "classification/dev.csv", "model", "classifier", "store")
"""What `quickstart` leaves below runs/quickstart that commands may read; tests/config/test_effects.py looks for it."""


def options_of(line: str) -> Options:
    """The options of a command, as the command line would give them to its verb."""
    _, verb, *tokens = shlex.split(line)
    assert verb in verbs(), line
    command = command_of(verb)
    found: list[Options] = []

    def keep(options: Options) -> list[Any]:
        found.append(options)
        return []

    words = {name: replace(inner, run=keep) for name, inner in command.words.items()}
    execute(replace(command, run=keep, words=words), tokens)
    (options,) = found
    return options


def paths_of(options: Options) -> list[str]:
    """What a command names that lies in the folders of this repository, but for what it writes."""
    words = []
    for name, value in options:
        if name != "out":
            words += [str(part) for part in value] if isinstance(value, tuple) else [str(value)]
    return [word for word in words if re.match(r"(runs|data|books|configs|docs)(/|$)|.*\.(txt|csv|tsv|jsonl)$", word)]


def test_every_command_is_valid_and_finds_what_it_reads() -> None:
    made = {f"runs/quickstart/{name}" for name in LEFT}
    checked = 0
    for line in COMMANDS:
        if not line.startswith("bertsmith "):
            assert re.match(r"make (quickstart|test)\b|source \.venv/bin/activate$", line), line
            continue
        options = options_of(line)
        for path in paths_of(options):
            assert path.rstrip("/") in made or (ROOT / path).exists(), f"{line}: {path} is not made by then"
            checked += 1
        out = getattr(options, "out", None)
        if out is not None:
            assert str(out) not in made, f"{line}: would not write over what is there"
            made.add(str(out))
    assert checked >= 10


def test_the_environment_is_active_before_the_first_command() -> None:
    activated = COMMANDS.index("source .venv/bin/activate")
    assert COMMANDS[0].startswith("make quickstart")
    assert activated < min(at for at, line in enumerate(COMMANDS) if line.startswith("bertsmith "))


def test_the_python_block_calls_what_is_there() -> None:
    (source,) = [block for kind, block in BLOCKS if kind == "python"]
    tree = ast.parse(source)
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = [call.attr for call in calls if isinstance(call, ast.Attribute)]
    assert len(names) >= 4
    assert all(hasattr(bertsmith, name) or name.replace("_", "-") in verbs() for name in names), names
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    made = {options_of(line).to_dict().get("out") for line in COMMANDS if line.startswith("bertsmith ")}
    outs = {word.value.value for node in ast.walk(tree) if isinstance(node, ast.Call) for word in node.keywords
            if word.arg == "out" and isinstance(word.value, ast.Constant)}  # fmt: skip
    there = made | outs | {f"runs/quickstart/{name}" for name in LEFT}
    assert [text for text in texts if text.startswith(("runs/", "data/")) and text not in there] == []


def test_it_is_short_and_names_every_verb() -> None:
    assert len(README.splitlines()) <= 150
    for verb in verbs():
        assert re.search(rf"`{verb}\b", README), verb


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", README))))
def test_links_lead_to_files(target: str) -> None:
    assert (ROOT / target).exists()
