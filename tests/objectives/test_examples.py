"""Examples: [CLS] A [SEP] B [SEP] of the text, each once an epoch, found by number in any order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bertsmith import PretrainingDataset, TokenStore
from bertsmith.corpus.store import HELD_OUT
from bertsmith.objectives.examples import EpochPlan, Example
from bertsmith.objectives.masks import Vocabulary
from bertsmith.objectives.pairs import plan_epoch
from bertsmith.tokenization.folder import load_tokenizer


@pytest.fixture(scope="module")
def opened(store: Path) -> TokenStore:
    return TokenStore(store)


@pytest.fixture(scope="module")
def vocabulary(opened: TokenStore) -> Vocabulary:
    return Vocabulary.of(load_tokenizer(str(opened.tokenizer_folder)))


def content(example: Example) -> tuple[bytes, bytes, int]:
    return example.input_ids.tobytes(), example.token_type_ids.tobytes(), example.next_sentence_label


@pytest.mark.parametrize("objective", ["mlm+nsp", "mlm", "mlm+sop"])
@pytest.mark.parametrize("epoch", [0, 2])
def test_an_epoch_holds_each_planned_example_once(opened: TokenStore, objective: str, epoch: int) -> None:
    part = opened.part("train")
    plan = EpochPlan(part, objective, 32, seed=4)
    rows = plan_epoch(part, objective, 32, seed=4, epoch=epoch)
    columns = (rows.a_start, rows.a_stop, rows.b_start, rows.b_stop, rows.label)
    planned = {tuple(map(int, row)) for row in zip(*columns, strict=True)}
    taken = [plan.spans(epoch, index) for index in range(plan.size)]
    assert set(taken) <= planned
    assert len(set(taken)) == min(plan.size, len(rows)), "an example comes twice while another is left out"
    assert abs(plan.size - len(rows)) <= 0.05 * len(rows)
    assert taken != sorted(taken), "the order is that of the text"


def test_the_form_of_an_example(opened: TokenStore, vocabulary: Vocabulary) -> None:
    part = opened.part("train")
    plan = EpochPlan(part, "mlm+nsp", 32, seed=0)
    for index in range(50):
        a_start, a_stop, b_start, b_stop, label = plan.spans(1, index)
        example = plan.example(1, index, vocabulary)
        a, b = part.tokens(a_start, a_stop).tolist(), part.tokens(b_start, b_stop).tolist()
        assert example.input_ids.tolist() == [vocabulary.cls, *a, vocabulary.sep, *b, vocabulary.sep]
        assert example.token_type_ids.tolist() == [0] * (len(a) + 2) + [1] * (len(b) + 1)
        assert (example.next_sentence_label, example.epoch, example.index) == (label, 1, index)


def test_the_form_of_a_single_segment(opened: TokenStore, vocabulary: Vocabulary) -> None:
    part = opened.part("train")
    plan = EpochPlan(part, "mlm", 32, seed=0)
    a_start, a_stop, _, _, _ = plan.spans(0, 7)
    example = plan.example(0, 7, vocabulary)
    assert example.input_ids.tolist() == [vocabulary.cls, *part.tokens(a_start, a_stop), vocabulary.sep]
    assert not example.token_type_ids.any()


def test_examples_are_found_in_any_order(opened: TokenStore, vocabulary: Vocabulary) -> None:
    asked = [(3, 5), (0, 0), (1, 9), (3, 5), (0, 1), (1, 9), (0, 0)]
    plan = EpochPlan(opened.part("train"), "mlm+nsp", 32, seed=0)
    for epoch, index in asked:
        fresh = EpochPlan(opened.part("train"), "mlm+nsp", 32, seed=0)
        assert content(plan.example(epoch, index, vocabulary)) == content(fresh.example(epoch, index, vocabulary))


def test_the_dataset_follows_set_epoch_and_python_conventions(store: Path) -> None:
    dataset = PretrainingDataset(store, sequence_length=32, seed=1)
    first = [content(dataset[index]) for index in range(20)]
    dataset.set_epoch(1)
    second = [content(dataset[index]) for index in range(20)]
    assert not set(first) & set(second)
    dataset.set_epoch(0)
    assert [content(dataset[index]) for index in range(20)] == first
    assert len(list(dataset)) == len(dataset)
    for wrong in (len(dataset), -1):
        with pytest.raises(IndexError):
            dataset[wrong]


def test_the_dataset_of_the_held_out_part(store: Path) -> None:
    held_out = PretrainingDataset(store, part=HELD_OUT, objective="mlm", sequence_length=32)
    part = TokenStore(store).part(HELD_OUT)
    tokens = np.concatenate([held_out[index].input_ids[1:-1] for index in range(len(held_out))])
    assert sorted(tokens.tolist()) == sorted(part.tokens(0, part.num_tokens).tolist())
