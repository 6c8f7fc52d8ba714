"""The recipes in configs/: each is read, is what its head says, and none repeats what is so by default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bertsmith.config.options import Options, read_yaml
from bertsmith.config.pretrain import PretrainOptions
from bertsmith.finetuning.options import FinetuneOptions

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted((ROOT / "configs").glob("*.yaml"))


def verb_of(path: Path) -> str:
    """The verb that the command in the head of a recipe names."""
    (verb,) = set(re.findall(r"^#   bertsmith (pretrain|finetune) ", path.read_text(encoding="utf-8"), re.MULTILINE))
    return str(verb)


PRETRAINING = [path for path in RECIPES if verb_of(path) == "pretrain"]


def test_there_are_recipes_and_the_docs_name_each() -> None:
    assert RECIPES
    for path in RECIPES:
        page = "pretraining.md" if path in PRETRAINING else "finetuning.md"
        assert f"configs/{path.name}" in (ROOT / "docs" / page).read_text(encoding="utf-8"), path.name


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_valid_and_says_something(path: Path) -> None:
    values = read_yaml(path)
    given = {"out": "RUN"}
    schema: type[Options] = PretrainOptions
    if path in PRETRAINING:
        given |= {"store": "STORE"} | ({} if "size" in values else {"from": "MODEL"})
    else:
        schema = FinetuneOptions
        given |= {"task": "sequence-classification", "model": "MODEL", "train": "TRAIN", "dev": "DEV"}
    options = schema.build(given | values)
    for name in values:
        field = name.replace("-", "_")
        assert getattr(options, field) != schema.model_fields[field].default, f"{name} is so by default"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_names_itself_in_its_command(path: Path) -> None:
    assert f"--config configs/{path.name}" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PRETRAINING, ids=lambda path: path.stem)
def test_a_recipe_says_what_it_reached_on_what_in_how_long(path: Path) -> None:
    head = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    text = " ".join(head)
    assert re.search(r"\d+ minutes?", text) and re.search(r"\d\.\d+ nats", text) and "unigram" in text
