"""The learning rate as a function of progress, which is the share of the run that is done."""

from __future__ import annotations

import math

DECAY_SHARE = 0.3
"""The share of the run in which `wsd` lowers the learning rate."""


def factor(schedule: str, progress: float, warmup: float) -> float:
    """Return the share of the highest learning rate at a progress from 0 to 1.

    It rises linearly until `warmup`. Then `wsd` (warmup-stable-decay, Hu et al. 2024, MiniCPM, section 4) keeps it
    constant and lowers it linearly to 0 over the last 30%; `cosine` and `linear` lower it to 0 right away.
    """
    progress = min(max(progress, 0.0), 1.0)
    if progress < warmup:
        return progress / warmup
    if schedule == "wsd":
        decay = min(DECAY_SHARE, 1 - warmup)
        return min(1.0, (1 - progress) / decay)
    rest = (progress - warmup) / (1 - warmup)
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * rest))
    return 1 - rest
