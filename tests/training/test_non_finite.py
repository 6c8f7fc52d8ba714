"""A loss or gradient that is not finite ends a run before it reaches the weights, and the message names its example."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from bertsmith.errors import BertsmithError, DivergedError
from bertsmith.pretraining import components
from bertsmith.pretraining.example_batches import PretrainingBatches
from bertsmith.training.micro_batches import Batch, MicroBatchDataset
from bertsmith.training.non_finite import check_finite, has_finite_losses, name_non_finite_examples
from bertsmith.training.training_plan import Losses
from bertsmith.training.update_sampler import Update
from bertsmith.verbs.pretrain import pretrain

Weights = dict[str, torch.Tensor]
WeightsOf = Callable[[Path], Weights]
Identical = Callable[[Weights, Weights], None]
Options = dict[str, Any]
LossSums = Callable[[torch.nn.Module, dict[str, Any]], torch.Tensor]


@contextmanager
def changed_losses(change: Callable[[torch.nn.Module, dict[str, Any], torch.Tensor], torch.Tensor]) -> Iterator[None]:
    """Let the losses of training, and of nothing else, pass through a function."""
    original = components.loss_sums

    def loss_sums(names: Sequence[str], teacher: None) -> LossSums:
        compute = original(names, teacher)
        return lambda model, batch: change(model, batch, compute(model, batch))

    with mock.patch.object(components, "loss_sums", loss_sums):
        yield


POISONED = 37
"""An example of the third update of 16."""


@contextmanager
def a_poisoned_example(seen: dict[str, Any]) -> Iterator[None]:
    """The losses of a batch with this example are not finite; `seen` gets its description and the model's weights."""
    original = PretrainingBatches.__call__

    def call(self: PretrainingBatches, numbers: Sequence[int]) -> Batch:
        batch = original(self, numbers)
        if POISONED in numbers:
            seen["row"] = batch.inputs["input_ids"][list(numbers).index(POISONED)].clone()
            seen["text"] = self.describe(POISONED)
        return batch

    def poison(model: torch.nn.Module, batch: dict[str, Any], losses: torch.Tensor) -> torch.Tensor:
        if "row" in seen and (batch["input_ids"].cpu() == seen["row"]).all(1).any():
            seen["weights"] = {name: value.clone() for name, value in model.state_dict().items()}
            return losses * float("nan")
        return losses

    with mock.patch.object(PretrainingBatches, "__call__", call), changed_losses(poison):
        yield


@pytest.mark.parametrize("micro", [16, 5, 1])
def test_the_message_names_the_update_and_the_example(
    little_store: Path,
    options: Options,
    weights_of: WeightsOf,
    assert_identical: Identical,
    tmp_path: Path,
    micro: int,
) -> None:
    out, seen = tmp_path / "run", dict[str, Any]()
    with a_poisoned_example(seen), pytest.raises(BertsmithError) as raised:
        pretrain(little_store, out=out, steps=6, save_every=1, dropout=0.1, micro_batch_size=micro, **options)
    message = str(raised.value)
    assert raised.value.exit_code == 1
    assert message.startswith("update 3: the loss is not finite")
    assert re.fullmatch(r"epoch 0 index 37 of document-\d+( and document-\d+)?", seen["text"])
    assert f"in this example: {seen['text']}. The last checkpoint is kept." in message
    assert "--learning-rate" in message
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == ["step-1", "step-2"]
    checkpoint = weights_of(out / "checkpoints" / "step-2")
    assert_identical({name: seen["weights"][name] for name in checkpoint}, checkpoint)
    assert not (out / "model.safetensors").exists()


@pytest.fixture
def one_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """An update is computed by one call."""
    monkeypatch.setattr("bertsmith.runtime.machine.MICRO_BATCH_THREADS", 1)


@pytest.mark.usefixtures("one_stream")
def test_a_gradient_alone_that_is_not_finite_ends_the_run_too(
    little_store: Path, options: Options, tmp_path: Path
) -> None:
    """No example can be told by its loss: some of the update are shown, and how many more there are."""
    calls = 0

    def spoil(_: torch.nn.Module, __: dict[str, Any], losses: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 2:
            losses.register_hook(lambda gradient: gradient * float("nan"))
        return losses

    with changed_losses(spoil), pytest.raises(BertsmithError, match="update 2: the loss is not finite") as raised:
        pretrain(little_store, out=tmp_path / "run", steps=4, **options)
    assert "gradient norm nan" in str(raised.value)
    assert "in one of these examples: epoch 0 index 16 of document-" in str(raised.value)
    assert "; and 12 more" in str(raised.value)


@pytest.mark.usefixtures("one_stream")
def test_a_spoilt_row_of_embeddings_is_found_by_the_examples_that_hold_it(
    little_store: Path, options: Options, tmp_path: Path
) -> None:
    """Without the MLM head, whose decoder holds all rows, only examples with the token are not finite."""
    holders: list[int] = []

    def spoil(model: torch.nn.Module, batch: dict[str, Any], losses: torch.Tensor) -> torch.Tensor:
        if not holders:
            ids = batch["input_ids"]
            rows = [(ids == token).any(1).nonzero().flatten().tolist() for token in range(int(ids.max()) + 1)]
            token = next(token for token, found in enumerate(rows) if len(found) == 2)
            holders.extend(rows[token])
            with torch.no_grad():
                model.get_parameter("bert.embeddings.word_embeddings.weight")[token] = float("nan")
            return losses * float("nan")
        return losses

    with changed_losses(spoil), pytest.raises(BertsmithError, match="update 1: the loss is not finite") as raised:
        pretrain(little_store, out=tmp_path / "run", steps=4, **options, objective="nsp")
    named = [int(index) for index in re.findall(r"epoch 0 index (\d+) of", str(raised.value))]
    assert named == holders


# Without a Trainer


class _Examples:
    """Examples that are their own numbers."""

    def __call__(self, numbers: Sequence[int]) -> Batch:
        return Batch({"numbers": torch.tensor(list(numbers))}, torch.ones(1), num_tokens=len(numbers))

    def describe(self, number: int) -> str:
        return f"number {number}"


def named(shares: list[float], bad: set[int]) -> str:
    """The examples that are named of an update of eight in micro-batches of two, with the losses of each."""
    dataset = MicroBatchDataset([_Examples()], micro_batch_size=2)
    found = [torch.tensor([share]) for share in shares]
    return name_non_finite_examples(dataset, Update(0, 10, 8), found, is_finite=lambda number: number not in bad)


def test_examples_are_named_whose_losses_are_not_finite_without_the_others() -> None:
    nan = float("nan")
    assert named([1.0, nan, 1.0, nan], {12, 17}) == "one of these examples: number 12; number 17"
    assert named([1.0, nan, 1.0, 1.0], {13}) == "this example: number 13"


def test_all_examples_of_a_micro_batch_are_named_if_none_of_them_fails_alone() -> None:
    assert named([1.0, float("inf"), 1.0, 1.0], set()) == "one of these examples: number 12; number 13"


def test_all_examples_of_the_update_are_suspects_if_every_loss_is_finite() -> None:
    expected = "one of these examples: number 10; number 11; number 12; number 13; and 4 more"
    assert named([1.0] * 4, set()) == expected


@pytest.mark.parametrize(("loss", "norm"), [(float("nan"), 1.0), (1.0, float("inf"))])
def test_a_loss_or_gradient_that_is_not_finite_is_an_error(loss: float, norm: float) -> None:
    check_finite(3, {"mlm_loss": 1.0}, 1.0, name_examples=lambda: pytest.fail("nothing is wrong"))
    with pytest.raises(DivergedError, match=r"update 3: the loss is not finite .*, in this example: x\. The last"):
        check_finite(3, {"mlm_loss": loss}, norm, name_examples=lambda: "this example: x")


def test_whether_losses_are_finite() -> None:
    losses = Losses(("loss",), lambda model, inputs: (1 / inputs["numbers"].float()).sum()[None])
    for numbers, expected in (([1, 2], True), ([1, 0], False)):
        inputs = {"numbers": torch.tensor(numbers)}
        assert has_finite_losses(torch.nn.Identity(), losses, inputs, precision="fp32", device="cpu") == expected
