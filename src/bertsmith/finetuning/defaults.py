"""Defaults of a fine-tuning that depend on data and MODEL (measurements: benchmarks/notes.md)."""

from __future__ import annotations

from typing import Any

from bertsmith.reporting.numbers import counted
from bertsmith.runtime.machine import AutomaticChoice

UPDATES = 300
"""The number of updates that more epochs over a small file aim at."""
ADAPTERS = 10
"""The learning rate of low-rank adapters over the learning rate of all weights (benchmarks/notes.md)."""
FEWEST_EPOCHS, MOST_EPOCHS = 3, 10


def choose_epochs(examples: int, batch_size: int) -> AutomaticChoice:
    """Choose 3 epochs, more for a small file, which would otherwise have too few updates."""
    wanted = UPDATES * batch_size / examples
    epochs = min(max(round(wanted), FEWEST_EPOCHS), MOST_EPOCHS)
    why = (
        f"more for a small file, up to {MOST_EPOCHS}, to reach {UPDATES} updates"
        if epochs > FEWEST_EPOCHS
        else "more only for a small file"
    )
    return AutomaticChoice("epochs", str(epochs), f"{why}; an epoch has {counted(examples, 'row')}")


def choose_learning_rate(config: Any, *, lora: bool = False) -> AutomaticChoice:
    """Choose 4e-5 for the hidden size of BERT base, more for a smaller one; ten times that for adapters."""
    width = int(getattr(config, "hidden_size", getattr(config, "dim", 768)))
    base = 4e-5 * (ADAPTERS if lora else 1)
    rate = float(f"{base * (768 / width) ** 1.5:.2g}")
    why = f"{base:g} at hidden size 768, more for smaller models; this model has {width}"
    return AutomaticChoice("learning rate", f"{rate:g}", f"with --lora {why}" if lora else why)
