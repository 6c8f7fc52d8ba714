"""Losses of an update: shares of micro-batches add up to sums over global counts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bertsmith.runtime import processes
from bertsmith.training.micro_batches import Batch
from bertsmith.training.training_plan import Losses
from bertsmith.training.update_losses import global_loss_counts, global_totals, loss_shares

LOSSES = Losses(("mlm_loss", "nsp_loss"), lambda model, inputs: inputs["sums"])


def batch_of(sums: list[float], counts: list[float], tokens: int = 5) -> Batch:
    return Batch({"sums": torch.tensor(sums)}, torch.tensor(counts), num_tokens=tokens)


def shares_of(batches: list[Batch]) -> list[Tensor]:
    counts = global_loss_counts(batches)
    return [loss_shares(nn.Identity(), batch, losses=LOSSES, counts=counts) for batch in batches]


def test_each_loss_is_its_sum_over_its_own_count() -> None:
    batches = [batch_of([6.0, 2.0], [3.0, 2.0], tokens=7), batch_of([4.0, 6.0], [1.0, 2.0], tokens=9)]
    assert global_totals(LOSSES.names, shares_of(batches), batches) == ({"mlm_loss": 2.5, "nsp_loss": 2.0}, 16)


def test_counts_below_one_are_sums_of_weights() -> None:
    batches = [batch_of([1.0, 1.0], [0.25, 0.5])]
    assert shares_of(batches)[0].tolist() == [4.0, 2.0]


def test_without_labels_a_loss_is_zero_and_finite() -> None:
    batches = [batch_of([0.0, 2.0], [0.0, 2.0])]
    assert shares_of(batches)[0].tolist() == [0.0, 1.0]


def test_a_batch_without_weight_changes_nothing() -> None:
    batches = [batch_of([6.0, 2.0], [3.0, 2.0])]
    more = [*batches, batch_of([100.0, 100.0], [50.0, 50.0]).without_weight()]
    expected = global_totals(LOSSES.names, shares_of(batches), batches)
    assert global_totals(LOSSES.names, shares_of(more), more) == expected


def test_counts_and_totals_are_those_of_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "all_reduce_sum", lambda values: [2 * value for value in values])
    batches = [batch_of([6.0, 2.0], [3.0, 2.0])]
    assert global_loss_counts(batches).tolist() == [6.0, 4.0]
    assert global_totals(LOSSES.names, shares_of(batches), batches) == ({"mlm_loss": 2.0, "nsp_loss": 1.0}, 10)
