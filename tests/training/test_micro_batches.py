"""How an update is divided among processes and micro-batches, and the way of a micro-batch to the device."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data._utils.pin_memory import pin_memory

from bertsmith.training.micro_batches import Batch, MicroBatchDataset
from bertsmith.training.update_sampler import Update


def make_batch(numbers: Sequence[int]) -> Batch:
    return Batch({"numbers": torch.tensor(list(numbers))}, torch.tensor([3.0, 1.0]), num_tokens=7)


@given(st.integers(0, 200), st.integers(1, 70), st.integers(1, 9), st.integers(1, 40))
def test_processes_share_every_update(first: int, examples: int, world_size: int, micro: int) -> None:
    update, everyone = Update(0, first, examples), []
    for rank in range(world_size):
        environment = {"RANK": str(rank), "WORLD_SIZE": str(world_size)}
        with mock.patch.dict("os.environ", environment):
            everyone.append(MicroBatchDataset([make_batch], micro_batch_size=micro).divide(update))
    assert len({len(parts) for parts in everyone}) == 1, "processes wait for each other in every micro-batch"
    assert all(len(part) <= micro for parts in everyone for part in parts)
    taken = [number for parts in everyone for part in parts for number in part]
    assert taken == list(range(first, first + examples))


def test_an_empty_micro_batch_has_no_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    _, (full, empty) = MicroBatchDataset([make_batch], micro_batch_size=7)[Update(0, 100, 15)]
    assert full.inputs["numbers"].tolist() == list(range(108, 115)) and full.weight == 1
    assert empty.inputs["numbers"].tolist() == [114] and empty.weight == 0
    assert empty.loss_counts.tolist() == [0, 0] and empty.num_tokens == 0


def test_the_loader_pins_the_inputs_of_each_micro_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pin_memory` is what the thread of torch's DataLoader calls for CUDA."""
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor, *_: tensor + 1000)
    update = Update(0, 3, 4)
    pinned_update, batches = pin_memory(MicroBatchDataset([make_batch], micro_batch_size=2)[update])
    assert pinned_update == update
    assert [batch.inputs["numbers"].tolist() for batch in batches] == [[1003, 1004], [1005, 1006]]
    assert all(isinstance(batch, Batch) and batch.num_tokens == 7 for batch in batches)


def test_a_batch_goes_to_a_device_and_through_a_worker() -> None:
    batch = make_batch([1, 2]).without_weight()
    moved = batch.to("meta")
    assert moved.inputs["numbers"].device.type == "meta" and moved.weight == 0
    again = pickle.loads(pickle.dumps(batch))
    assert again.inputs["numbers"].tolist() == [1, 2]
    assert (again.loss_counts.tolist(), again.num_tokens, again.weight) == ([0, 0], 0, 0)
