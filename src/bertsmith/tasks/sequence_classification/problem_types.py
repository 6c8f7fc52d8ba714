"""The problem types of sequence-classification: one label per text, several, or a number."""

from __future__ import annotations

from typing import Any

from bertsmith.tasks.values import SINGLE_LABEL

MULTI_LABEL = "multi_label_classification"
"""Several labels per text, or none."""
REGRESSION = "regression"


def configured_problem_type(config: Any) -> str:
    """Return the problem type of a model's configuration."""
    configured_value = getattr(config, "problem_type", None)
    if configured_value is None:
        return REGRESSION if config.num_labels == 1 else SINGLE_LABEL
    return str(configured_value)
