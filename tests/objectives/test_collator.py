"""The public collator and data set in other people's hands: a stock Trainer and a stock model, no setting changed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch.nn import functional

from bertsmith import PretrainingCollator, PretrainingDataset, TokenStore
from bertsmith.corpus.store import HELD_OUT
from bertsmith.models.bert import BertForPreTraining
from bertsmith.objectives.examples import Example

LENGTH = 64


@pytest.fixture(scope="module")
def dataset(store: Path) -> PretrainingDataset:
    return PretrainingDataset(store, sequence_length=LENGTH)


def config_of(vocab_size: int) -> transformers.BertConfig:
    return transformers.BertConfig(
        vocab_size=vocab_size,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=LENGTH,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


class _Recorder(PretrainingCollator):
    """Keeps what it was asked for and what it gave."""

    def __call__(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        batch = super().__call__(examples)
        seen.append((examples, batch))
        return batch


seen: list[tuple[Sequence[Example], dict[str, torch.Tensor]]] = []


# torch says that pinned memory, on by default in the Trainer, does nothing without an accelerator.
@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true")
@pytest.mark.parametrize("objective", ["mlm+nsp", "mlm+sop"])
def test_a_stock_trainer_trains_a_stock_model_with_default_settings(
    store: Path, tmp_path: Path, objective: str
) -> None:
    seen.clear()
    dataset = PretrainingDataset(store, sequence_length=LENGTH, objective=objective)
    collator = _Recorder.for_store(store, sequence_length=LENGTH, objective=objective)
    torch.manual_seed(0)
    model = transformers.BertForPreTraining(config_of(collator.vocabulary.size))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    trainer = transformers.Trainer(
        model=model,
        args=transformers.TrainingArguments(
            str(tmp_path), max_steps=12, logging_steps=1, report_to="none", learning_rate=1e-2, disable_tqdm=True
        ),
        train_dataset=dataset,
        data_collator=collator,
    )
    assert trainer.args.remove_unused_columns
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 12 and all(map(math.isfinite, losses))
    # Both heads: log(vocabulary) + log(2) at the start, and less afterwards.
    assert losses[0] == pytest.approx(math.log(collator.vocabulary.size) + math.log(2), rel=0.1)
    assert losses[-1] < losses[0] - 0.5
    same = {name for name, tensor in model.state_dict().items() if torch.equal(tensor.cpu(), before[name])}
    assert same == set()
    for _, batch in seen:
        assert set(batch) == {"input_ids", "token_type_ids", "attention_mask", "labels", "next_sentence_label"}


@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true")
def test_a_stock_trainer_takes_new_pairs_in_each_epoch(store: Path, tmp_path: Path) -> None:
    seen.clear()
    dataset = PretrainingDataset(store, part=HELD_OUT, sequence_length=LENGTH)
    collator = _Recorder.for_store(store, sequence_length=LENGTH)
    trainer = transformers.Trainer(
        model=transformers.BertForPreTraining(config_of(collator.vocabulary.size)),
        args=transformers.TrainingArguments(
            str(tmp_path),
            num_train_epochs=2,
            per_device_train_batch_size=32,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
        ),
        train_dataset=dataset,
        data_collator=collator,
    )
    trainer.train()
    epochs: dict[int, set[bytes]] = {0: set(), 1: set()}
    counts = {0: 0, 1: 0}
    for examples, _ in seen:
        for example in examples:
            epochs[example.epoch].add(example.input_ids.tobytes())
            counts[example.epoch] += 1
    assert counts[0] >= len(dataset) and counts[1] >= len(dataset) - 32
    assert len(epochs[0] & epochs[1]) < 0.1 * len(dataset)


@pytest.mark.parametrize(
    ("objective", "has_labels", "has_pairs"),
    [("mlm+nsp", True, True), ("mlm", True, False), ("nsp", False, True), ("mlm+sop", True, True)],
)
def test_the_tensors_of_each_objective(store: Path, objective: str, has_labels: bool, has_pairs: bool) -> None:
    dataset = PretrainingDataset(store, sequence_length=LENGTH, objective=objective)
    collator = PretrainingCollator.for_store(store, sequence_length=LENGTH, objective=objective)
    batch = collator([dataset[index] for index in range(6)])
    assert ("labels" in batch) == has_labels
    assert ("next_sentence_label" in batch) == has_pairs
    if not has_labels:
        assert (batch["input_ids"] != collator.vocabulary.mask).all()
    for name, tensor in batch.items():
        assert tensor.dtype == torch.int64
        assert tensor.shape == ((6,) if name == "next_sentence_label" else (6, LENGTH))


def test_ids_types_mask_and_labels_belong_together(store: Path, dataset: PretrainingDataset) -> None:
    collator = PretrainingCollator.for_store(store, sequence_length=LENGTH)
    examples = [dataset[index] for index in range(64)]
    assert min(len(example.input_ids) for example in examples) < LENGTH, "no example here is padded"
    batch = collator(examples)
    for row, example in enumerate(examples):
        size = len(example.input_ids)
        labels = batch["labels"][row]
        original = torch.where(labels == -100, batch["input_ids"][row], labels)
        assert original.tolist() == [*example.input_ids.tolist(), *[collator.vocabulary.pad] * (LENGTH - size)]
        assert batch["attention_mask"][row].tolist() == [1] * size + [0] * (LENGTH - size)
        assert batch["token_type_ids"][row].tolist() == [*example.token_type_ids.tolist(), *[0] * (LENGTH - size)]
        assert int(batch["next_sentence_label"][row]) == example.next_sentence_label
        assert int((labels != -100).sum()) == max(1, round(0.15 * size))


def test_label_0_is_the_next_sentence_and_1_is_not(store: Path, dataset: PretrainingDataset) -> None:
    """In the store's own text: B of label 0 goes on where A ends, B of label 1 does not."""
    collator = PretrainingCollator.for_store(store, sequence_length=LENGTH)
    part = TokenStore(store).part("train")
    text = part.tokens(0, part.num_tokens).tolist()
    joined = " " + " ".join(map(str, text)) + " "
    vocabulary = collator.vocabulary
    found = {0: [0, 0], 1: [0, 0]}
    for index in range(len(dataset)):
        ids = dataset[index].input_ids.tolist()
        label = int(collator([dataset[index]])["next_sentence_label"])
        if len(ids) == LENGTH:
            continue  # perhaps truncated between A and B
        middle = ids.index(vocabulary.sep)
        together = " " + " ".join(map(str, ids[1:middle] + ids[middle + 1 : -1])) + " "
        found[label][together in joined] += 1
    assert found[0][True] > 5 and found[0][False] == 0
    assert found[1][False] > 5 and found[1][True] == 0


def test_the_two_forms_of_a_batch_hold_the_same(store: Path, dataset: PretrainingDataset) -> None:
    collator = PretrainingCollator.for_store(store, sequence_length=LENGTH)
    examples = [dataset[index] for index in range(16)]
    stock, own = collator(examples), collator.masked_batch(collator.pad(examples))
    for name in ("input_ids", "token_type_ids", "attention_mask", "next_sentence_label"):
        assert torch.equal(stock[name], own[name])
    flat = stock["labels"].flatten()
    positions = (flat != -100).nonzero().flatten().tolist()
    left_over = len(examples) * collator.rule.max_predictions(LENGTH) - len(positions)
    assert left_over > 0, "no prediction here is padded"
    assert own["masked_positions"].tolist() == positions + [0] * left_over
    assert own["masked_labels"].tolist() == flat[positions].tolist() + [-100] * left_over


@pytest.mark.parametrize("unit", ["token", "word", "span"])
@pytest.mark.parametrize("rate", [0.001, 0.15, 0.6])
def test_every_batch_of_a_size_has_the_same_number_of_predictions(
    store: Path, dataset: PretrainingDataset, unit: str, rate: float
) -> None:
    collator = PretrainingCollator.for_store(store, sequence_length=LENGTH, mask_unit=unit, mask_rate=rate)
    for size in (1, 7):
        for start in range(0, 70, 7):
            examples = [dataset[index] for index in range(start, start + size)]
            batch = collator.masked_batch(collator.pad(examples))
            expected = size * max(1, round(rate * LENGTH))
            assert batch["masked_positions"].shape == batch["masked_labels"].shape == (expected,)
            assert batch["masked_positions"].dtype == batch["masked_labels"].dtype == torch.int64
            predicted = batch["masked_labels"] != -100
            count = int(predicted.sum())
            assert size <= count <= expected and bool(predicted[:count].all())
            stock = collator(examples)
            assert torch.equal(stock["input_ids"], batch["input_ids"])
            assert int((stock["labels"] != -100).sum()) == count
            assert stock["labels"].flatten()[batch["masked_positions"][:count]].tolist() == (
                batch["masked_labels"][:count].tolist()
            )


def test_padding_by_the_plan_and_by_the_collator_is_the_same(store: Path, dataset: PretrainingDataset) -> None:
    collator = PretrainingCollator.for_store(store, sequence_length=LENGTH)
    by_plan = dataset.plan.padded(np.arange(40), collator.vocabulary)
    by_collator = collator.pad([dataset[index] for index in range(40)])
    for item in dataclasses.fields(by_plan):
        found, expected = getattr(by_plan, item.name), getattr(by_collator, item.name)
        assert found.dtype == expected.dtype == np.int64 and (found == expected).all()
    own, again = collator.masked_batch(by_plan), collator.masked_batch(by_collator)
    assert all(torch.equal(own[name], again[name]) for name in own) and set(own) == set(again)


@pytest.mark.parametrize("padded", [True, False])
def test_stock_and_own_model_give_the_same_losses(store: Path, dataset: PretrainingDataset, padded: bool) -> None:
    collator = PretrainingCollator.for_store(store, sequence_length=LENGTH)
    examples = [dataset[index] for index in range(200)]
    examples = [example for example in examples if padded or len(example.input_ids) == LENGTH][:48]
    config = config_of(collator.vocabulary.size)
    torch.manual_seed(0)
    stock, own = transformers.BertForPreTraining(config).eval(), BertForPreTraining(config).eval()
    own.load_state_dict(stock.state_dict())
    for_stock, for_own = collator(examples), collator.masked_batch(collator.pad(examples))
    assert ("attention_mask" in for_own) == padded
    count = int((for_own["masked_labels"] != -100).sum())
    assert count == int((for_stock["labels"] != -100).sum())
    assert (len(for_own["masked_labels"]) > count) == padded
    expected, found = stock(**for_stock), own(**for_own)
    assert found.prediction_logits.shape == (len(for_own["masked_labels"]), config.vocab_size)
    mlm, nsp = found.mlm_loss_sum / count, found.nsp_loss_sum / len(examples)
    labels = for_stock["labels"].flatten()
    logits = expected.prediction_logits.flatten(0, 1)
    assert mlm.item() == pytest.approx(functional.cross_entropy(logits, labels).item(), abs=1e-5)
    assert (mlm + nsp).item() == pytest.approx(expected.loss.item(), abs=1e-5)

    expected.loss.backward()
    (mlm + nsp).backward()
    gradients: dict[str, Any] = {name: parameter.grad for name, parameter in own.named_parameters()}
    for name, parameter in stock.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-4, atol=1e-6)


def test_the_collator_reads_and_changes_no_random_state(store: Path, dataset: PretrainingDataset) -> None:
    collator = PretrainingCollator.for_store(store, sequence_length=LENGTH, seed=3)
    examples = [dataset[index] for index in range(4)]
    first = collator(examples)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    second = collator(examples)
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = PretrainingCollator.for_store(store, sequence_length=LENGTH, seed=4)(examples)
    assert not torch.equal(first["labels"], other["labels"])
