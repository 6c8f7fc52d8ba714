"""All processes of a run see one clock and stop after the same update."""

from __future__ import annotations

from bertsmith.runtime import processes
from bertsmith.training.budget import Budget
from bertsmith.training.signals import StopRequest


def agree_on_clock_and_stop(budget: Budget, stop: StopRequest) -> bool:
    """Set the budget's clock to the latest of all processes; return whether a signal has reached any of them."""
    seconds, requested = processes.all_reduce_max([budget.elapsed(), float(stop.requested is not None)])
    budget.tick(seconds)
    if requested and stop.requested is None:
        stop.requested = "a signal to another process"
    return bool(requested)
