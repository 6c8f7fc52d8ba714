"""The recipes in configs/: each is read, is what its head says, and none repeats what is so by default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bertsmith.config.options import read_yaml
from bertsmith.config.pretrain import PretrainOptions

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted((ROOT / "configs").glob("*.yaml"))


def test_there_are_recipes_and_the_docs_name_each() -> None:
    text = (ROOT / "docs" / "pretraining.md").read_text(encoding="utf-8")
    assert RECIPES
    for path in RECIPES:
        assert f"configs/{path.name}" in text, path.name


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_valid_and_says_something(path: Path) -> None:
    values = read_yaml(path)
    origin = {} if "size" in values else {"from": "MODEL"}
    options = PretrainOptions.build({"store": "STORE", "out": "RUN"} | origin | values)
    for name in values:
        field = name.replace("-", "_")
        assert getattr(options, field) != PretrainOptions.model_fields[field].default, f"{name} is so by default"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_says_what_it_reached_on_what_in_how_long(path: Path) -> None:
    head = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    text = " ".join(head)
    assert re.search(r"\d+ minutes?", text) and re.search(r"\d\.\d+ nats", text) and "unigram" in text
    assert f"--config configs/{path.name}" in text
