"""Threads: micro-batches computed in parallel give the gradients and the random draws of one after the other."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn

from bertsmith.models.bert import BertForPreTraining, set_dropout
from bertsmith.models.fast.compute_weights import ComputeWeights
from bertsmith.models.fast.fast_bert import fast
from bertsmith.runtime.machine import choose_micro_batch_threads
from bertsmith.training.micro_batch_threads import MicroBatchThreads
from bertsmith.training.optimizers import make_optimizer
from bertsmith.training.training_plan import Optimization


def model_of(dropout: float = 0.0) -> BertForPreTraining:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=90, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    model: BertForPreTraining = BertForPreTraining._from_config(config, attn_implementation="eager")
    set_dropout(model, dropout)
    return model.train()


def batches_of(count: int) -> list[dict[str, Tensor]]:
    draw = torch.Generator().manual_seed(1)
    return [
        {
            "input_ids": torch.randint(5, 90, (3, 16), generator=draw),
            "token_type_ids": torch.zeros(3, 16, dtype=torch.long),
            "masked_positions": torch.tensor([1, 17, 40]),
            "masked_labels": torch.randint(5, 90, (3,), generator=draw),
            "next_sentence_label": torch.tensor([0, 1, 1]),
        }
        for _ in range(count)
    ]


def losses(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    output = model(**batch)
    return torch.stack([output.mlm_loss_sum, output.nsp_loss_sum])


def threads_of(model: nn.Module, count: int, precision: str = "fp32") -> MicroBatchThreads:
    return MicroBatchThreads(model, count, ComputeWeights.for_precision(precision), precision=precision)


def gradients_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}


@pytest.fixture(autouse=True)
def threads_stay() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("batches", [1, 2, 5])
def test_gradients_and_losses_are_those_of_one_after_the_other(count: int, batches: int) -> None:
    model, inputs = model_of(), batches_of(batches)
    with fast(model, ComputeWeights.for_precision("fp32")):
        expected_losses = []
        for batch in inputs:
            found = losses(model, batch)
            found.sum().backward()
            expected_losses.append(found.detach())
    expected = gradients_of(model)
    model.zero_grad()
    with threads_of(model, count) as threads:
        found_losses = threads.backward(inputs, losses)
    torch.testing.assert_close(found_losses, expected_losses)
    found_gradients = gradients_of(model)
    assert found_gradients.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found_gradients[name], gradient, atol=1e-5, rtol=1e-5, msg=name)


def sentence_losses(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """Without the decoder, so that the word embeddings have gradients in the rows alone that were read."""
    inputs = {name: value for name, value in batch.items() if not name.startswith("masked")}
    return model(**inputs).nsp_loss_sum[None]


def test_a_vocabulary_of_which_few_rows_are_read() -> None:
    """Update after update, with other rows, more micro-batches than threads, and gradients that were there."""
    model, copies = model_of(), ComputeWeights.for_precision("fp32")
    name = "bert.embeddings.word_embeddings.weight"
    with threads_of(model, 2) as threads:
        for first, last, clear in ((0, 2, True), (2, 5, True), (5, 6, True), (6, 8, False)):
            inputs = batches_of(8)[first:last]
            for batch in inputs:
                batch["input_ids"] = batch["input_ids"] % 7 + 7 * first
            before = {} if clear else gradients_of(model)
            if clear:
                model.zero_grad()
            threads.backward(inputs, sentence_losses)
            found = gradients_of(model)
            plain = copy.deepcopy(model)
            plain.zero_grad()
            with fast(plain, copies):
                sum(sentence_losses(plain, batch).sum() for batch in inputs).backward()
            expected = gradients_of(plain)
            assert found.keys() == expected.keys()
            assert not found[name].is_sparse
            read = torch.unique(torch.cat([batch["input_ids"].flatten() for batch in inputs]))
            assert expected[name][read].abs().sum() > 0
            for key, gradient in expected.items():
                torch.testing.assert_close(found[key], gradient + before.get(key, 0.0), atol=1e-6, rtol=1e-4, msg=key)


def test_they_are_computed_by_as_many_threads() -> None:
    model, seen, together = model_of(), set[int](), threading.Barrier(2, timeout=60)
    everywhere = torch.get_num_threads()

    def meeting(of: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        together.wait()  # passes only where both are under way at one time
        seen.add(threading.get_ident())
        assert torch.get_num_threads() == max(1, everywhere // 2)
        return losses(of, batch)

    with threads_of(model, 2) as threads:
        threads.backward(batches_of(2), meeting)
    assert len(seen) == 2
    assert threading.get_ident() not in seen


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_with_dropout_is_repeated_to_the_bit(precision: str) -> None:
    """Whatever the threads' timing: the order of adding and each micro-batch's dropout are fixed."""
    weights = []
    for _ in range(3):
        model = model_of(dropout=0.2)
        optimizer = make_optimizer(model, Optimization("adamw", learning_rate=1e-3, weight_decay=0.01))
        torch.manual_seed(9)
        with threads_of(model, 2, precision) as threads:
            for step in range(4):
                optimizer.zero_grad()
                threads.backward(batches_of(5)[step % 2 :], losses)
                optimizer.step()
        weights.append(copy.deepcopy(model.state_dict()))
    for name, value in weights[0].items():
        assert all(torch.equal(value, other[name]) for other in weights[1:]), name


def test_they_train_whatever_the_model_does() -> None:
    """The model itself is evaluated in between, and may have been left so."""
    model, inputs = model_of(dropout=0.5), batches_of(2)
    with threads_of(model.eval(), 2) as threads:
        assert all(replica.training for replica in threads.replicas)
        first, second = (threads.backward(inputs, losses) for _ in range(2))
    assert not torch.equal(first[0], second[0])
    assert not model.training


def test_dropout_differs_between_micro_batches_and_updates() -> None:
    model, (batch,) = model_of(dropout=0.5), batches_of(1)
    with threads_of(model, 2) as threads:
        found = [float(loss.sum()) for _ in range(2) for loss in threads.backward([batch, batch], losses)]
    assert len(set(found)) == 4


def test_gradients_are_added_to_those_that_are_there() -> None:
    model, inputs = model_of(), batches_of(2)
    with threads_of(model, 2) as threads:
        threads.backward(inputs, losses)
        once = gradients_of(model)
        threads.backward(inputs, losses)
    for name, gradient in gradients_of(model).items():
        torch.testing.assert_close(gradient, 2 * once[name])


def test_frozen_weights_stay_without_gradient_and_tied_ones_are_one() -> None:
    model = model_of()
    model.bert.encoder.layer[0].requires_grad_(False)
    with threads_of(model, 2) as threads:
        replica: Any = threads.replicas[1]
        assert replica.cls.predictions.decoder.weight is replica.bert.embeddings.word_embeddings.weight
        assert replica.bert.pooler.dense.weight.data_ptr() == model.bert.pooler.dense.weight.data_ptr()
        threads.backward(batches_of(2), losses)
    assert not any(name.startswith("bert.encoder.layer.0.") for name in gradients_of(model))


def test_an_error_in_a_thread_is_raised_and_the_threads_end() -> None:
    model = model_of()

    def failing(of: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        raise torch.OutOfMemoryError("injected")

    before = threading.active_count()
    with pytest.raises(torch.OutOfMemoryError), threads_of(model, 2) as threads:
        threads.backward(batches_of(2), failing)
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("device", "examples", "obstacle", "cores", "expected"),
    [
        ("cpu", 32, None, 2, "2"),
        ("cpu", 32, None, 1, "1"),
        ("cpu", 1, None, 2, "1"),
        ("cpu", 32, "a reason", 2, "1"),
        ("cuda", 32, None, 2, "1"),
    ],
)
def test_when_there_are_streams(
    device: str, examples: int, obstacle: str | None, cores: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bertsmith.runtime.machine.cores", lambda: cores)
    assert choose_micro_batch_threads(device, examples=examples, obstacle=obstacle).value == expected
