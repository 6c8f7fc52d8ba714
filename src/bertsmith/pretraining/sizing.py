"""The default size of a model from scratch: the largest one for which time and text are enough."""

from __future__ import annotations

from bertsmith.models.sizes import SIZES, bert_shape, make_config
from bertsmith.runtime.machine import AutomaticChoice
from bertsmith.training.budget import Budget
from bertsmith.training.step_forecast import flops_per_example

AHEAD_FROM = {"tiny": 0.0, "mini": 2e7, "small": 1e8, "medium": 5e8, "base": 2e9, "large": 1e10}
"""Tokens after which a size is assumed to be better than the next smaller one trained for the same time.

The only measurement: at 5 million tokens mini is not better than tiny (docs/pretraining.md, "Which size").
"""

USEFUL_PASSES = 40
"""Passes over a text after which more passes teach next to nothing.

Muennighoff et al. 2023, "Scaling Data-Constrained Language Models", section 6.
"""

REACHED = {"tiny": 0.1, "mini": 0.33, "small": 0.4, "medium": 0.45, "base": 0.5, "large": 0.5}
"""The share of the peak of matrix products that training reaches, measured on two cores (benchmarks/scale.py)."""


def choose_size(
    budget: Budget,
    *,
    batch_size: int,
    sequence_length: int,
    predictions: float,
    entries: int,
    text: int,
    peak: float,
    teacher_flops: float = 0.0,
) -> AutomaticChoice:
    """Choose the size of a model from scratch.

    Args:
        budget: how long the model trains.
        predictions: masked positions per example.
        entries: the size of the vocabulary.
        text: tokens of the training part.
        peak: floating point operations per second of the fastest matrix product of this machine.
        teacher_flops: floating point operations of a teacher per example.
    """

    def seen(size: str) -> float:
        if budget.steps is not None:
            return float(budget.steps * batch_size * sequence_length)
        assert budget.minutes is not None
        config = make_config(bert_shape(size), entries, 0)
        work = (flops_per_example(config, sequence_length, predictions) + teacher_flops) / sequence_length
        return 60 * budget.minutes * peak * REACHED[size] / work

    useful = USEFUL_PASSES * text
    names = list(SIZES)
    chosen = max(at for at, name in enumerate(names) if min(seen(name), useful) >= AHEAD_FROM[name])
    size, larger = names[chosen], names[min(chosen + 1, len(names) - 1)]
    unit = "minute" if budget.minutes == 1 else "minutes"
    given = f"{budget.minutes:g} {unit}" if budget.steps is None else f"{budget.steps:,} updates"
    reason = f"in {given} it sees about {_millions(seen(size))} tokens"
    if seen(size) > useful:
        reason += f", and {USEFUL_PASSES} passes over this text are {_millions(useful)}"
    if larger != size:
        reason += f"; {larger} pays off from {_millions(AHEAD_FROM[larger])}"
        reason += f" and would see {_millions(seen(larger))}" if budget.steps is None else ""
    return AutomaticChoice("size", size, reason)


def _millions(tokens: float) -> str:
    """Return millions with two digits: `12 M`, `1.2 M`, `0.05 M`."""
    digits = float(f"{tokens / 1e6:.2g}")
    return f"{digits:,.0f} M" if digits >= 10 else f"{digits:g} M"
