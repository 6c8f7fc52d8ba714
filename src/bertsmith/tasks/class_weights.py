"""Class weights in the loss, so that a model does not neglect rare classes."""

from __future__ import annotations

from collections.abc import Mapping


def balanced_class_weights(counts: Mapping[str, int]) -> tuple[float, ...]:
    """Return a weight per label, n / (labels * count), so that all labels have the same total weight.

    The mean weight over the examples is 1 (King and Zeng 2001; scikit-learn's `class_weight="balanced"`). A label that
    does not occur has weight 1 and is not counted as a label.
    """
    occurring = [count for count in counts.values() if count]
    total = sum(occurring)
    return tuple(total / (len(occurring) * count) if count else 1.0 for count in counts.values())
