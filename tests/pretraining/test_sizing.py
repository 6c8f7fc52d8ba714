"""The size of a model from scratch where none is asked for: by time, text and machine, and kept on resume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertsmith.models.sizes import SIZES
from bertsmith.pretraining import components, sizing
from bertsmith.pretraining.sizing import AHEAD_FROM, USEFUL_PASSES, choose_size
from bertsmith.training.budget import Budget
from bertsmith.verbs.pretrain import pretrain

ENOUGH = 10**12


def chosen(budget: Budget, *, text: int = ENOUGH, peak: float = 7e11) -> str:
    shape = {"batch_size": 32, "sequence_length": 128, "predictions": 20.0, "entries": 8192}
    return choose_size(budget, text=text, peak=peak, **shape).value  # type: ignore[arg-type]


def test_every_size_has_a_threshold_above_that_of_the_one_below() -> None:
    assert list(AHEAD_FROM) == list(SIZES)
    assert sorted(AHEAD_FROM.values()) == list(AHEAD_FROM.values())


@pytest.mark.parametrize("size", SIZES)
def test_updates_are_counted_in_tokens(size: str) -> None:
    """The first update that reaches a threshold chooses its size, the one before does not."""
    steps = -(-AHEAD_FROM[size] // (32 * 128))
    assert chosen(Budget(steps=max(1, int(steps)))) == size
    if size != "tiny":
        assert chosen(Budget(steps=int(steps) - 1)) != size


@pytest.mark.parametrize("more", ["time", "machine", "text"])
def test_more_of_anything_never_chooses_a_smaller_size(more: str) -> None:
    order = list(SIZES)
    found = []
    for factor in (1.0, 10.0, 100.0, 1e3, 1e4, 1e6):
        minutes = 0.1 * factor if more == "time" else 1e9
        peak = 1e9 * factor if more == "machine" else 7e11
        text = int(1000 * factor) if more == "text" else ENOUGH
        found.append(chosen(Budget(minutes=minutes if more != "machine" else 10), peak=peak, text=text))
    assert [order.index(size) for size in found] == sorted(order.index(size) for size in found)
    assert found[0] == "tiny" and len(set(found)) > 2


def test_a_text_that_would_be_seen_too_often_counts_for_its_useful_passes() -> None:
    text = int(AHEAD_FROM["mini"] / USEFUL_PASSES)
    assert chosen(Budget(minutes=1e6), text=text) == "mini"
    assert chosen(Budget(minutes=1e6), text=text - 1) == "tiny"


def test_the_reason_names_what_decided(store: Path) -> None:
    shape: dict[str, Any] = {"batch_size": 32, "sequence_length": 128, "predictions": 20.0, "entries": 8192}
    reason = choose_size(Budget(minutes=10), text=1000, peak=7e11, **shape).reason
    assert "10 minutes" in reason and "40 passes over this text are 0.04 M" in reason and "mini pays off from" in reason
    assert "would see" not in choose_size(Budget(steps=3), text=ENOUGH, peak=7e11, **shape).reason


def test_a_run_that_goes_on_keeps_its_size_whatever_the_machine_does_now(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"layers": 1, "sequence_length": 32, "batch_size": 4, "max_positions": 32, "seed": 0}
    run = pretrain(store, out=tmp_path / "run", steps=2, **options).run
    record = json.loads((run / "run.json").read_text())
    assert record["size"] == "tiny"
    assert next(choice for choice in record["choices"] if choice["name"] == "size")["value"] == "tiny"

    def another(*_: Any, **__: Any) -> Any:
        raise AssertionError("a size was chosen anew")

    monkeypatch.setattr(components, "choose_size", another)
    assert pretrain(store, out=run, steps=4, resume=True).steps == 4
    assert json.loads((run / "run.json").read_text())["model"]["hidden_size"] == SIZES["tiny"][1]


def test_nothing_is_chosen_where_the_shape_is_given(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: dict[str, Any]
) -> None:
    monkeypatch.setattr(sizing, "AHEAD_FROM", {})  # whoever looks there fails
    run = pretrain(store, out=tmp_path / "run", steps=1, **tiny).run
    assert all(choice["name"] != "size" for choice in json.loads((run / "run.json").read_text())["choices"])
