"""Encoding, targets, losses and answers of sequence-classification."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from bertsmith.errors import DataError
from bertsmith.tasks import sequence_classification as head
from bertsmith.tasks.labelled_file import Row
from bertsmith.tokenization.folder import make_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    return make_tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters], cased=False)


def words(letter: str, count: int) -> str:
    return " ".join([letter] * count)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=5), st.integers(8, 24))
def test_pairs_are_encoded_cut_from_the_longer_and_counted(
    tokenizer: PreTrainedTokenizerBase, counts: list[tuple[int, int]], max_length: int
) -> None:
    texts, pairs = [words("a", a) for a, _ in counts], [words("b", b) for _, b in counts]
    encoded = head.encode(tokenizer, texts, pairs, max_length)
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    one, other = tokenizer.convert_tokens_to_ids(["a", "b"])
    for (a, b), ids, types, cut in zip(
        counts, encoded.input_ids, encoded.token_type_ids, encoded.truncated_tokens, strict=True
    ):
        assert cut == max(a + b + 3 - max_length, 0)
        assert len(ids) == len(types) == a + b + 3 - cut
        kept_a, kept_b = ids.count(one), ids.count(other)
        assert ids == [cls, *[one] * kept_a, sep, *[other] * kept_b, sep]
        assert types == [0] * (kept_a + 2) + [1] * (kept_b + 1)
        if cut:
            assert kept_a == a or kept_b == b or abs(kept_a - kept_b) <= 1
            assert (kept_a == a or kept_a >= kept_b - 1) and (kept_b == b or kept_b >= kept_a - 1)


def test_the_tokenizer_does_not_cut_afterwards(tokenizer: PreTrainedTokenizerBase) -> None:
    encoded = head.encode(tokenizer, [words("a", 30), "a"], None, 8)
    assert encoded.lengths == [8, 3] and encoded.truncated_tokens == [24, 0]
    assert len(tokenizer(words("a", 30))["input_ids"]) == 32
    assert len(encoded) == 2
    assert len(head.encode(tokenizer, [], None, 8)) == 0


def test_padding(tokenizer: PreTrainedTokenizerBase) -> None:
    encoded = head.encode(tokenizer, ["a", "a b c", "a b"], ["b", "c", "d"], 20)
    batch = head.padded(encoded, [2, 0], tokenizer.pad_token_id, with_types=True)
    a, b, d = tokenizer.convert_tokens_to_ids(["a", "b", "d"])
    assert batch["input_ids"].tolist() == [[2, a, b, 3, d, 3], [2, a, 3, b, 3, 0]]
    assert batch["attention_mask"].tolist() == [[1] * 6, [1] * 5 + [0]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0]]
    assert "token_type_ids" not in head.padded(encoded, [2, 0], 0, with_types=False)


def rows(*labels: str | int | float) -> list[Row]:
    return [Row("text", None, label) for label in labels]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (("b", "a", "b"), ["a", "b"]),
        (("10", "9", "-1"), ["-1", "9", "10"]),
        ((2, 0, 10), ["0", "2", "10"]),
        (("1", "01"), ["01", "1"]),
        (("1", "x"), ["1", "x"]),
        (("²", "³"), ["²", "³"]),
        (("--1", "2"), ["--1", "2"]),
        ((" a", "a ", "b"), ["a", "b"]),
    ],
)
def test_the_classes_of_a_file(labels: tuple[str | int, ...], classes: list[str]) -> None:
    assert head.labels_of(rows(*labels), head.SINGLE_LABEL) == classes


def test_one_class_is_an_error_and_regression_has_none() -> None:
    with pytest.raises(DataError, match="one class alone, 'a'; expected at least two"):
        head.labels_of(rows("a", "a"), head.SINGLE_LABEL)
    assert head.labels_of(rows("1.5", "1.5"), head.REGRESSION) == []


def test_targets_are_the_numbers_of_the_classes() -> None:
    assert head.targets(rows("b", " a", "b"), ["a", "b"], "dev.csv").tolist() == [1, 0, 1]
    with pytest.raises(DataError, match=r"dev\.csv: label 'c' is not among those of the model \(a, b\); 2 such labels"):
        head.targets(rows("a", "c", "d"), ["a", "b"], "dev.csv")


def test_targets_of_regression_are_finite_numbers() -> None:
    assert head.targets(rows("1.5", 2, "-3e1"), [], "dev.csv").tolist() == [1.5, 2, -30]
    for wrong in ("good", "nan", "inf", ""):
        with pytest.raises(DataError, match=r"dev\.csv: row 2: label .* expected a finite number"):
            head.targets(rows(1, wrong), [], "dev.csv")


def test_the_losses_are_sums() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    gold = torch.tensor([0.0, 2.0], dtype=torch.float64)
    expected = -sum(
        math.log(math.exp(row[label]) / sum(map(math.exp, row)))
        for row, label in zip(logits.tolist(), (0, 2), strict=True)
    )
    assert head.loss_sum(logits, gold, head.SINGLE_LABEL).item() == pytest.approx(expected, rel=1e-6)
    values = torch.tensor([[1.0], [4.0]])
    assert head.loss_sum(values, torch.tensor([0.5, 1.0]), head.REGRESSION).item() == pytest.approx(0.25 + 9)


def test_answers() -> None:
    logits = np.array([[1000.0, 998.0], [-5.0, -5.0 + math.log(3)]], dtype=np.float32)
    first, second = head.decode(logits, {0: "no", 1: "yes"}, head.SINGLE_LABEL)
    assert first["label"] == "no"
    assert first["probabilities"]["yes"] == pytest.approx(1 / (1 + math.exp(2)), rel=1e-5)
    assert second == {"label": "yes", "probabilities": pytest.approx({"no": 0.25, "yes": 0.75})}
    assert head.decode(np.array([[1.5]], dtype=np.float32), {0: "x"}, head.REGRESSION) == [{"value": 1.5}]


def test_scores() -> None:
    logits = np.array([[1, 0], [0, 1], [1, 0], [1, 0]], dtype=np.float32)
    gold = np.array([0.0, 1, 1, 0])
    scores = head.score(logits, gold, head.SINGLE_LABEL)
    assert list(scores) == ["accuracy", "macro_f1"]
    assert scores["accuracy"].value == head.main_value(logits, gold, head.SINGLE_LABEL) == 0.75
    assert scores["macro_f1"].value == pytest.approx((0.8 + 2 / 3) / 2)
    values = np.array([[1.0], [2], [4]], dtype=np.float32)
    of_regression = head.score(values, np.array([1.0, 3, 2]), head.REGRESSION)
    assert list(of_regression) == ["pearson", "spearman", "mean_squared_error"]
    assert of_regression["mean_squared_error"].value == pytest.approx(5 / 3)
    assert of_regression["spearman"].value == pytest.approx(0.5)
    assert of_regression["pearson"].value == head.main_value(values, np.array([1.0, 3, 2]), head.REGRESSION)


def test_the_baseline_is_the_most_frequent_class_or_the_mean() -> None:
    train, gold = np.array([1.0, 1, 0]), np.array([1.0, 0, 0, 0])
    assert head.baseline(train, gold, head.SINGLE_LABEL) == {"accuracy": 0.25, "macro_f1": pytest.approx(0.2)}
    values = head.baseline(np.array([1.0, 3]), np.array([2.0, 4]), head.REGRESSION)
    assert values == {"pearson": 0, "spearman": 0, "mean_squared_error": 2}
