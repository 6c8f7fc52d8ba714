"""Weights of classes in the loss, so that a model does not pass over rare classes."""

from __future__ import annotations

from collections.abc import Mapping


def balanced(counts: Mapping[str, int]) -> tuple[float, ...]:
    """A weight for each label by its inverse frequency: n / (labels * count), so all labels weigh the same together.

    The mean over the counted is 1 (King and Zeng 2001; `class_weight="balanced"` of scikit-learn). A label that does
    not occur has 1, and is not among the labels that are counted.
    """
    occurring = [count for count in counts.values() if count]
    total = sum(occurring)
    return tuple(total / (len(occurring) * count) if count else 1.0 for count in counts.values())
