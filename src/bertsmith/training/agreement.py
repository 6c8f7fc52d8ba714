"""All processes of a run see one clock and stop after the same update."""

from __future__ import annotations

from bertsmith.runtime import processes
from bertsmith.training.budget import Budget
from bertsmith.training.signals import StopRequest


def agree_on_clock_and_stop(budget: Budget, stop: StopRequest) -> bool:
    """Set the budget's clock to the latest of all processes; return whether a signal has reached any of them."""
    seconds, requested = processes.all_reduce_max([budget.elapsed(), float(stop.requested is not None)])
    budget.tick(seconds)
    return _share(stop, requested=bool(requested))


def agree_on_stop(stop: StopRequest) -> bool:
    """Return whether a signal has reached any process."""
    (requested,) = processes.all_reduce_max([float(stop.requested is not None)])
    return _share(stop, requested=bool(requested))


def _share(stop: StopRequest, *, requested: bool) -> bool:
    """Set `stop.requested` in processes without the signal."""
    if requested and stop.requested is None:
        stop.requested = "a signal to another process"
    return requested
