"""The space of a search: what is written is read as it is meant, and every mistake is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.errors import OptionError
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.search_space import (
    DEFAULT,
    SEARCHABLE_OPTIONS,
    DiscreteValues,
    Space,
    ValueRange,
    parse_space,
    space_text,
)

FIELDS = FinetuneOptions.model_fields
FILES = {"task": "sequence-classification", "model": "m", "train": "t", "dev": "d", "out": "o"}
BOUNDS: dict[str, tuple[float, float]] = {"layer_decay": (1e-3, 1.0), "distil_weight": (1e-3, 1.0)}


def numbers(name: str) -> st.SearchStrategy[float | int]:
    """Values that an option may have."""
    if SEARCHABLE_OPTIONS[name].whole:
        return st.integers(1, 10**6)
    low, high = BOUNDS.get(name, (1e-12, 1e6))
    return st.floats(low, high).map(lambda value: int(value) if value.is_integer() else value)


@st.composite
def values(draw: st.DrawFn, name: str) -> ValueRange | DiscreteValues | None:
    several = draw(st.lists(numbers(name), min_size=2, max_size=5, unique=True))
    kinds: list[ValueRange | DiscreteValues | None] = [
        ValueRange(min(several), max(several)),
        DiscreteValues(tuple(several)),
    ]
    return draw(st.sampled_from([*kinds, None] if SEARCHABLE_OPTIONS[name].has_default_range else kinds))


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    names = draw(st.lists(st.sampled_from(sorted(SEARCHABLE_OPTIONS)), min_size=1, unique=True))
    return {name: draw(values(name)) for name in names}


@given(spaces())
def test_a_space_is_read_as_it_is_written(space: Space) -> None:
    text = space_text(space)
    assert parse_space(text, FIELDS) == space
    assert list(parse_space(text, FIELDS)) == list(space), "in its order"
    assert parse_space(text.replace("_", "-").replace(",", " , ").replace("|", " | "), FIELDS) == space
    mapping = {
        name: list(found.values) if isinstance(found, DiscreteValues) else None if found is None else str(found)
        for name, found in space.items()
    }
    assert parse_space(mapping, FIELDS) == space
    assert parse_space([text], FIELDS) == space


@given(st.text(max_size=40) | st.text("0123456789.e-+|=,_ ", max_size=20).map(lambda text: f"epochs={text}"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        space = parse_space(text, FIELDS)
    except ValueError as error:
        assert str(error)
    else:
        assert parse_space(space_text(space), FIELDS) == space


@given(st.sampled_from(sorted(SEARCHABLE_OPTIONS)), st.data())
def test_what_is_read_the_option_takes(name: str, data: st.DataObject) -> None:
    """Whatever an entry lets through, `finetune` takes as a value."""
    written = data.draw(st.floats(-2, 3).map(str) | st.integers(-2, 3).map(str))
    others = {"lora": 4, "teacher": "x"}
    try:
        found = parse_space(f"{name}={written}|1", FIELDS)[name]
    except ValueError:
        return
    assert isinstance(found, DiscreteValues)
    for value in found.values:
        FinetuneOptions.build({**FILES, **others, name: value})


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "learnin_rate=1e-5..1e-4",
            "'learnin_rate' is not an option, expected some of learning_rate, epochs, batch_size, ",
        ),
        ("learnin_rate=1e-5..1e-4", "; did you mean 'learning_rate'?"),
        ("batchsize=16|32", "did you mean 'batch_size'?"),
        ("seed=1..4", "'seed' cannot be searched, expected some of learning_rate,"),
        ("learning_rate=1e-4..1e-5", "learning_rate: found 0.0001..1e-05, expected the lower end first"),
        ("epochs=3..3", "epochs: found 3..3, expected the lower end first: LOW..HIGH"),
        ("learning_rate=0..1e-5", "learning_rate: found '0', expected above 0"),
        ("layer_decay=0.5..1.5", "layer_decay: found '1.5', expected at most 1"),
        ("batch_size=16|x", "batch_size: found 'x', expected a whole number"),
        ("batch_size=16.5|32", "batch_size: found '16.5', expected a whole number"),
        ("epochs=0.5..2", "epochs: found 0.5 as an end of a range, expected a whole number"),
        ("learning_rate=fast", "learning_rate: found 'fast', expected a number"),
        ("learning_rate=1e-5..", "learning_rate: found '', expected a number"),
        ("learning_rate=1e-5..inf", "learning_rate: found 'inf', expected a finite number"),
        (
            "batch_size=16",
            "batch_size: found only one value (16), expected a range (LOW..HIGH) or several values (V|V|V)",
        ),
        ("batch_size=16|32|16", "batch_size: found a value twice in 16|32|16"),
        ("epochs,epochs=1|2", "epochs: found it twice, expected each option once"),
        ("layer_decay", "layer_decay has no default range. Try: a range, layer_decay=LOW..HIGH"),
        ("", "found nothing, expected some of learning_rate"),
        (3, "found 3, expected names with values, such as learning_rate=1e-5..1e-4"),
        ({"batch_size": [True, 16]}, "batch_size: found True, expected a number"),
        ({"batch_size": []}, "batch_size: found no value"),
        ({"epochs": [None, 3]}, "epochs: found None, expected a number"),
        ("lora_alpha=1..8", "lora_alpha needs --lora, which is missing"),
        ("distil_weight=0.1..0.9", "distil_weight needs --teacher, which is missing"),
    ],
)
def test_a_mistake_is_named(written: object, said: str) -> None:
    with pytest.raises(OptionError) as raised:
        FinetuneOptions.build({**FILES, "search": 5, "search_space": written})
    message = str(raised.value)
    assert message.startswith("--search-space: ") and said in message


def test_what_is_given_stays() -> None:
    """A value given by hand is left out of the space where none is named, and refused in one that is."""
    given_by_hand = FinetuneOptions.build({**FILES, "search": 5, "batch_size": 32})
    assert given_by_hand.search_space == "learning_rate,epochs"
    # The command that is kept says the space, for 32 is the default and does not stand in it.
    assert given_by_hand.command_line("finetune").endswith("--search 5 --search-space learning_rate,epochs")
    assert FinetuneOptions.build({**FILES, "search": 5}).search_space == ",".join(DEFAULT)
    named = {**FILES, "search": 5, "search_space": "epochs=2..4,learning_rate"}
    with pytest.raises(OptionError, match=r"--search-space: found epochs, which --epochs 3.0 fixes"):
        FinetuneOptions.build({**named, "epochs": 3})
    with pytest.raises(OptionError, match=r"--search varies learning_rate, .*, and all of them are given"):
        FinetuneOptions.build({**FILES, "search": 5, "batch_size": 8, "epochs": 2, "learning_rate": 1e-4})
    with pytest.raises(OptionError, match="--search-space needs --search, which is missing"):
        FinetuneOptions.build({**FILES, "search_space": "epochs"})
    with pytest.raises(OptionError, match="--search: found 1, expected at least 2"):
        FinetuneOptions.build({**FILES, "search": 1})


def test_on_every_way_in(bertsmith: Callable[..., Any], tmp_path: Path) -> None:
    """The command line, --set and YAML say the same, with exit code 2 and before anything is read."""
    file = tmp_path / "run.yaml"
    file.write_text("search_space:\n  batch_size: [16, 32]\n  epoch: 1..3\n")
    words = [word for name, value in list(FILES.items())[1:] for word in (f"--{name}", value)]
    for given_so in (
        ("--search-space", "batch_size=16|32,epoch=1..3"),
        ("--set", "search_space=batch_size=16|32,epoch=1..3"),
        ("--set", "search-space={batch_size: [16, 32], epoch: 1..3}"),
        ("--config", file),
    ):
        answer = bertsmith("finetune", FILES["task"], *words, "--search", 5, *given_so)
        assert answer.code == 2 and answer.stdout == ""
        assert "--search-space: 'epoch' is not an option" in answer.stderr and "did you mean 'epochs'?" in answer.stderr
    answer = bertsmith("finetune", "glue", "--model", "m", "--data", "d", "--out", "o", "--search", 5)
    assert answer.code == 2
    assert "no option '--search'; it is an option for single tasks: bertsmith finetune sequence-class" in answer.stderr
