"""The task of a model from its configuration, also for tasks that share a transformers class."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import transformers

from bertsmith.finetuning.head_model import replaced_labels
from bertsmith.tasks.model_config import forget_head, has_head, task_of
from bertsmith.tasks.registry import TASKS, TaskEntry
from bertsmith.tasks.sequence_classification.task import SequenceClassification

LEVELS = "levels"
CLASS = "BertForSequenceClassification"


class Rated(SequenceClassification):
    """Ordered levels, predicted from the outputs of a classification head."""

    config_keys = (LEVELS,)
    identifying_config_key = LEVELS


@pytest.fixture(autouse=True)
def rating(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rated.task", SimpleNamespace(TASK=Rated))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "rated", SimpleNamespace(__path__=[]))  # type: ignore[arg-type]
    monkeypatch.setitem(TASKS, "rating", TaskEntry("rating", "rate", "rated", "the level of a text"))


def test_the_marker_says_which_task_a_shared_class_is_of() -> None:
    rated = transformers.BertConfig(architectures=[CLASS], **{LEVELS: ["bad", "good"]})
    plain = transformers.BertConfig(architectures=[CLASS])
    assert task_of(rated) == "rating" and task_of(plain) == "sequence-classification"
    assert has_head(rated, "rating") and not has_head(rated, "sequence-classification")
    assert has_head(plain, "sequence-classification") and not has_head(plain, "rating")
    elsewhere = transformers.BertConfig(architectures=["BertForTokenClassification"], **{LEVELS: ["bad"]})
    assert task_of(elsewhere) == "token-classification" and not has_head(elsewhere, "rating")
    forget_head(rated)
    assert task_of(rated) == "sequence-classification"


def test_the_head_of_a_different_task_of_the_same_class_starts_afresh() -> None:
    """The old weights have the right shape, so they would be loaded."""
    rated: Any = transformers.BertConfig(architectures=[CLASS], num_labels=2, **{LEVELS: ["bad", "fair", "good"]})
    settings: Any = SimpleNamespace(
        head=SequenceClassification(["no", "yes"]), options=SimpleNamespace(task="sequence-classification")
    )
    assert replaced_labels(rated, settings) == ["LABEL_0", "LABEL_1"]
