"""Help texts are short, in one style and in plain words, and every option has its box."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bertsmith.cli.app import verbs
from bertsmith.cli.command import Command, command_of
from bertsmith.config import help_groups
from bertsmith.config.options import Options

MOST_WORDS = 30
AVOIDED = (
    *("so many", "so much", r"\btold\b", r"\bbeside\b", r"\bstands? in\b", r"\b(is|are) said\b", r"\b(goes|gone) on\b"),
    *(
        "where it is not",
        "of its own",
        r"\blearnt\b",
        r"\banew\b",
        "parted by",
        r"\bwhat\b",
        r"\b(a|an) (core|epoch)\b",
    ),
)
"""Phrases that readers had to read twice."""
ABBREVIATIONS = ("AdamW", "MODEL", "STORE", "GLUE", "JSON", "YAML", "LoRA")
"""Names that a help text may begin with; every other one begins with a small letter."""


def commands() -> Iterator[Command]:  # type: ignore[type-arg]
    for verb in verbs():
        command = command_of(verb)
        yield from (command, *command.words.values())


SCHEMAS = {command.name: command.schema for command in commands()}
TEXTS = {
    f"{name} {field}": str(info.description)
    for name, schema in SCHEMAS.items()
    for field, info in schema.model_fields.items()
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_help_text_is_short_and_plain(text: str) -> None:
    assert len(text.split()) <= MOST_WORDS, text
    assert not text.endswith((".", ",", ":")), text
    assert text[0].islower() or text.startswith((*ABBREVIATIONS, ".html")), text
    assert not [phrase for phrase in AVOIDED if re.search(phrase, text, re.IGNORECASE)], text
    assert text.count("(") == text.count(")"), text


def test_a_shared_option_has_the_same_help_in_both_trainings() -> None:
    pretrain, finetune, glue = (SCHEMAS[name].model_fields for name in ("pretrain", "finetune", "finetune glue"))
    for name in ("save_every", "overwrite", "precision", "distil_temperature"):
        assert pretrain[name].description == finetune[name].description, name
    for name in set(finetune) & set(glue) - {"model", "out"}:
        assert finetune[name].description == glue[name].description, name


def test_options_that_exclude_or_need_each_other_say_so() -> None:
    for name in ("minutes", "steps", "epochs"):
        assert "at most one of --minutes, --steps, --epochs" in TEXTS[f"pretrain {name}"]
    for name in ("size", "hidden_size", "attention_heads", "intermediate_size", "max_positions", "initial_values"):
        assert "not with --from" in TEXTS[f"pretrain {name}"]
    for name, required in (("unlabelled", "teacher"), ("lora_alpha", "lora"), ("lora_targets", "lora")):
        assert f"needs --{required}" in TEXTS[f"finetune {name}"]


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_every_option_is_in_one_box(schema: type[Options]) -> None:
    boxes = schema.option_groups()
    names = [name for box in boxes.values() for name in box]
    assert sorted(names) == sorted(schema.model_fields)
    assert [title for title in help_groups.ORDER if title in boxes] == list(boxes)


@pytest.mark.parametrize("verb", ["pretrain", "finetune", "finetune glue", "prepare"])
def test_a_verb_with_many_options_has_boxes_for_all_of_them(verb: str) -> None:
    boxes = SCHEMAS[verb].option_groups()
    assert help_groups.OPTIONS not in boxes and max(map(len, boxes.values())) <= 13
    first = boxes[help_groups.INPUT_OUTPUT]
    needed = [name for name, field in SCHEMAS[verb].model_fields.items() if field.is_required()]
    assert next(iter(boxes)) == help_groups.INPUT_OUTPUT and {*needed} <= {*first}


def test_groups_name_options_that_exist() -> None:
    """A misspelled name would put its option into the wrong box without a word."""
    known = {name for schema in SCHEMAS.values() for name in schema.model_fields}
    for schema in SCHEMAS.values():
        for base in schema.__mro__:
            for names in vars(base).get("groups", {}).values():
                assert {*names} <= known


def test_the_reference_has_the_boxes() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "reference.md").read_text(encoding="utf-8")
    section = page.split("## bertsmith pretrain\n")[1].split("\n## ")[0]
    titles = re.findall(r"^\| \*\*(.+)\*\* \|", section, re.MULTILINE)
    assert titles == list(SCHEMAS["pretrain"].option_groups())
