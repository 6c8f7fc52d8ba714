"""Class weights: scikit-learn's formula, torch's weighted mean, and the same update for every division of a batch."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from bertsmith.tasks.class_weights import balanced
from bertsmith.tasks.losses import TaskLosses
from bertsmith.tasks.sequence_classification.head import SequenceLosses
from bertsmith.tasks.sequence_classification.task import SequenceClassification
from bertsmith.tasks.token_classification.head import TokenLosses
from bertsmith.tasks.token_classification.task import TokenClassification
from bertsmith.tasks.values import IGNORED

COUNTS = {"a": 6, "b": 3, "c": 1}


def test_by_hand() -> None:
    assert balanced(COUNTS) == pytest.approx((10 / 18, 10 / 9, 10 / 3))
    assert np.dot(list(COUNTS.values()), balanced(COUNTS)) == pytest.approx(10), "the mean over the examples is 1"
    assert balanced({"O": 8, "B-X": 2, "I-X": 0}) == pytest.approx((0.625, 2.5, 1.0))


def heads(weights: tuple[float, ...] | None) -> list[tuple[TaskLosses, torch.Tensor, torch.Tensor]]:
    draw = torch.Generator().manual_seed(0)
    texts = torch.randn(24, 3, generator=draw), torch.randint(0, 3, (24,), generator=draw).double()
    words = torch.randn(24, 7, 3, generator=draw), torch.randint(0, 3, (24, 7), generator=draw)
    words[1][torch.rand(24, 7, generator=draw) < 0.3] = IGNORED
    single = SequenceClassification(["a", "b", "c"], "single_label_classification")
    words_of = TokenClassification(["a", "b", "c"])
    return [(SequenceLosses(single, weights), *texts), (TokenLosses(words_of, weights), *words)]


@pytest.mark.parametrize("number", [0, 1])
def test_the_mean_is_torchs_for_every_division(number: int) -> None:
    head, logits, gold = heads(balanced(COUNTS))[number]
    expected = functional.cross_entropy(
        logits.flatten(0, -2), gold.long().flatten(), weight=torch.tensor(balanced(COUNTS)), reduction="mean"
    )
    for size in (1, 5, 24):
        parts = [slice(start, start + size) for start in range(0, 24, size)]
        total = sum(head.loss_sum(SimpleNamespace(logits=logits[part]), gold[part]) for part in parts)
        count = sum(head.loss_count(gold[part]) for part in parts)
        torch.testing.assert_close(total / count, expected, rtol=1e-6, atol=0)
    plain = functional.cross_entropy(logits.flatten(0, -2), gold.long().flatten())
    assert not torch.isclose(plain, expected)


def test_weights_of_one_change_nothing() -> None:
    for head, logits, gold in heads((1.0, 1.0, 1.0)):
        output, plain = SimpleNamespace(logits=logits), head.unweighted
        torch.testing.assert_close(head.loss_sum(output, gold), plain.loss_sum(output, gold))
        assert head.loss_count(gold) == plain.loss_count(gold)


def test_which_heads_have_them() -> None:
    assert SequenceClassification(["a", "b"], "single_label_classification").supports_class_weights
    assert not SequenceClassification([], "regression").supports_class_weights
    assert TokenClassification(["O", "B-X", "I-X"]).supports_class_weights
