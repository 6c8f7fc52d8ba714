"""The defaults of a fine-tuning that depend on data and MODEL; benchmarks/notes.md has the measurements."""

from __future__ import annotations

from typing import Any

from bertsmith.reporting.numbers import counted
from bertsmith.runtime.machine import AutomaticChoice

UPDATES = 300
"""The updates that a small file is passed over for."""
ADAPTERS = 10
"""The factor between the learning rate of low-rank adapters and that of all weights (benchmarks/notes.md)."""
FEWEST_EPOCHS, MOST_EPOCHS = 3, 10


def choose_epochs(examples: int, batch_size: int) -> AutomaticChoice:
    """Three passes over the training file, more over a small one: it is the number of updates that is short there."""
    wanted = UPDATES * batch_size / examples
    epochs = min(max(round(wanted), FEWEST_EPOCHS), MOST_EPOCHS)
    why = f"up to {MOST_EPOCHS} for {UPDATES} updates" if epochs > FEWEST_EPOCHS else "more for a small file alone"
    return AutomaticChoice("epochs", str(epochs), f"{why}; an epoch has {counted(examples, 'row')}")


def choose_learning_rate(config: Any, *, lora: bool = False) -> AutomaticChoice:
    """4e-5 for a model as wide as BERT base, more for a narrow one; ten times that for adapters."""
    width = int(getattr(config, "hidden_size", getattr(config, "dim", 768)))
    base = 4e-5 * (ADAPTERS if lora else 1)
    rate = float(f"{base * (768 / width) ** 1.5:.2g}")
    why = f"{base:g} at a width of 768, more below; this model has {width}"
    return AutomaticChoice("learning rate", f"{rate:g}", f"with --lora {why}" if lora else why)
