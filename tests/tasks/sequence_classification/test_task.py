"""Encoding, targets, losses and answers of sequence-classification."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from bertsmith.errors import DataError
from bertsmith.tasks.encoded_texts import encode_texts, padded
from bertsmith.tasks.files.labelled_file import Row
from bertsmith.tasks.sequence_classification.answers import decode
from bertsmith.tasks.sequence_classification.head import loss_sum
from bertsmith.tasks.sequence_classification.labels import encode_labels, sequence_labels
from bertsmith.tasks.sequence_classification.problem_types import MULTI_LABEL, REGRESSION
from bertsmith.tasks.sequence_classification.task import SequenceClassification
from bertsmith.tasks.values import SINGLE_LABEL
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
    encoded = encode_texts(tokenizer, texts, pairs, max_length)
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
    encoded = encode_texts(tokenizer, [words("a", 30), "a"], None, 8)
    assert encoded.lengths == [8, 3] and encoded.truncated_tokens == [24, 0]
    assert len(tokenizer(words("a", 30))["input_ids"]) == 32
    assert len(encoded) == 2
    assert len(encode_texts(tokenizer, [], None, 8)) == 0


def test_padding(tokenizer: PreTrainedTokenizerBase) -> None:
    encoded = encode_texts(tokenizer, ["a", "a b c", "a b"], ["b", "c", "d"], 20)
    batch = padded(encoded, [2, 0], tokenizer.pad_token_id, with_types=True)
    a, b, d = tokenizer.convert_tokens_to_ids(["a", "b", "d"])
    assert batch["input_ids"].tolist() == [[2, a, b, 3, d, 3], [2, a, 3, b, 3, 0]]
    assert batch["attention_mask"].tolist() == [[1] * 6, [1] * 5 + [0]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0]]
    assert "token_type_ids" not in padded(encoded, [2, 0], 0, with_types=False)


def rows(*labels: str | int | float | tuple[str, ...]) -> list[Row]:
    return [Row("text", None, label, "dev.csv", f"line {line}") for line, label in enumerate(labels, start=1)]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (("b", "a", "b"), ["a", "b"]),
        (("10", "9", "-1"), ["-1", "9", "10"]),
        ((2, 0, 10), ["0", "2", "10"]),
        (("1", "01", "2"), ["1", "2"]),
        (("01", "12", "02"), ["01", "02", "12"]),
        (("1.0", 0.0), ["0.0", "1.0"]),
        (("1", "x"), ["1", "x"]),
        (("²", "³"), ["²", "³"]),
        (("--1", "2"), ["--1", "2"]),
        ((" a", "a ", "b"), ["a", "b"]),
    ],
)
def test_the_classes_of_a_file(labels: tuple[str | int, ...], classes: list[str]) -> None:
    assert sequence_labels(rows(*labels), SINGLE_LABEL) == classes


def test_one_class_is_an_error_and_regression_has_none() -> None:
    with pytest.raises(DataError, match="only one class, 'a'; expected at least two"):
        sequence_labels(rows("a", "a"), SINGLE_LABEL)
    assert sequence_labels(rows("1.5", "1.5"), REGRESSION) == []


def test_targets_are_the_numbers_of_the_classes() -> None:
    assert encode_labels(rows("b", " a", "b"), ["a", "b"], SINGLE_LABEL, "dev.csv").tolist() == [1, 0, 1]
    message = r"dev\.csv: line 2: found the label 'c', expected a label of the model \(a, b\); 2 such labels in total"
    with pytest.raises(DataError, match=message):
        encode_labels(rows("a", "c", "d"), ["a", "b"], SINGLE_LABEL, "dev.csv")
    with pytest.raises(
        DataError,
        match=r"dev\.csv: line 2: found a list of labels, expected one label. Try: --problem-type multi_label_cl",
    ):
        encode_labels(rows("a", ("a", "b")), ["a", "b"], SINGLE_LABEL, "dev.csv")


def test_targets_of_several_labels_are_sets() -> None:
    given = rows("b", ("a", " b"), " a | c", "", (), 3)
    labels = sequence_labels(given, MULTI_LABEL)
    assert labels == ["3", "a", "b", "c"]
    sets = encode_labels(given, labels, MULTI_LABEL, "dev.csv")
    assert sets.tolist() == [[0, 0, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]]
    with pytest.raises(DataError, match=r"dev\.csv: line 2: found the label 'd', expected a label of the model "):
        encode_labels(rows("a", "a|d"), ["a", "b"], MULTI_LABEL, "dev.csv")
    for wrong, message in (
        ("a||b", "found an empty name among the labels 'a||b'"),
        ("a|a", "found a label twice in 'a|a'"),
    ):
        with pytest.raises(DataError, match=rf"dev\.csv: line 1: {re.escape(message)}"):
            encode_labels(rows(wrong), ["a", "b"], MULTI_LABEL, "dev.csv")
    with pytest.raises(DataError, match="the label column of the training file is empty in every row"):
        sequence_labels(rows("", ()), MULTI_LABEL)
    with pytest.raises(DataError, match="only one label, 'a'; expected at least two"):
        sequence_labels(rows("a", ()), MULTI_LABEL)


def test_targets_of_regression_are_finite_numbers() -> None:
    assert encode_labels(rows("1.5", 2, "-3e1"), [], REGRESSION, "dev.csv").tolist() == [1.5, 2, -30]
    for wrong in ("good", "nan", "inf", "", float("nan"), ("1", "2")):
        with pytest.raises(
            DataError, match=r"dev\.csv: line 2: found the label .* expected a finite number for regression"
        ):
            encode_labels(rows(1, wrong), [], REGRESSION, "dev.csv")


def test_the_losses_are_sums() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    gold = torch.tensor([0.0, 2.0], dtype=torch.float64)
    expected = -sum(
        math.log(math.exp(row[label]) / sum(map(math.exp, row)))
        for row, label in zip(logits.tolist(), (0, 2), strict=True)
    )
    assert loss_sum(logits, gold, SINGLE_LABEL).item() == pytest.approx(expected, rel=1e-6)
    values = torch.tensor([[1.0], [4.0]])
    assert loss_sum(values, torch.tensor([0.5, 1.0]), REGRESSION).item() == pytest.approx(0.25 + 9)


def test_answers() -> None:
    logits = np.array([[1000.0, 998.0], [-5.0, -5.0 + math.log(3)]], dtype=np.float32)
    first, second = decode(logits, {0: "no", 1: "yes"}, SINGLE_LABEL)
    assert first["label"] == "no"
    assert first["probabilities"]["yes"] == pytest.approx(1 / (1 + math.exp(2)), rel=1e-5)
    assert second == {"label": "yes", "probabilities": pytest.approx({"no": 0.25, "yes": 0.75})}
    assert decode(np.array([[1.5]], dtype=np.float32), {0: "x"}, REGRESSION) == [{"value": 1.5}]


def test_scores() -> None:
    logits = np.array([[1, 0], [0, 1], [1, 0], [1, 0]], dtype=np.float32)
    gold = np.array([0.0, 1, 1, 0])
    classes = SequenceClassification(("a", "b"), SINGLE_LABEL)
    scores = classes.score(logits, gold)
    assert list(scores) == ["accuracy", "f1", "macro_f1", "matthews"]
    assert {name: figure.value for name, figure in scores.items()} == classes.values(logits, gold)
    assert classes.values(logits, gold) == pytest.approx(
        {"accuracy": 0.75, "f1": 2 / 3, "macro_f1": (0.8 + 2 / 3) / 2, "matthews": 2 / math.sqrt(1 * 3 * 2 * 2)}
    )
    values = np.array([[1.0], [2], [4]], dtype=np.float32)
    numbers = SequenceClassification((), REGRESSION)
    of_regression = numbers.score(values, np.array([1.0, 3, 2]))
    assert list(of_regression) == ["pearson", "spearman", "mean_squared_error"]
    assert of_regression["mean_squared_error"].value == pytest.approx(5 / 3)
    assert of_regression["spearman"].value == pytest.approx(0.5)
    assert of_regression["pearson"].value == numbers.values(values, np.array([1.0, 3, 2]))["pearson"]


def test_more_classes_have_no_f1_of_one() -> None:
    classes = SequenceClassification(("a", "b", "c"), SINGLE_LABEL)
    found = classes.values(np.eye(3, dtype=np.float32), np.array([0.0, 1, 1]))
    assert list(found) == ["accuracy", "macro_f1", "matthews"]
    assert found["accuracy"] == pytest.approx(2 / 3)


def test_f1_is_of_the_second_label_whatever_the_order_of_the_outputs() -> None:
    """The first output of a third-party model may be the second label."""
    logits, gold = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32), np.array([0.0, 0, 0, 1])
    as_they_are, turned = (SequenceClassification(labels, SINGLE_LABEL).values(logits, gold) for labels in ("ab", "ba"))
    assert as_they_are["f1"] == pytest.approx(2 / 3), "of the second output"
    assert turned["f1"] == pytest.approx(0.8), "of the first output"
    assert {**as_they_are, "f1": 0} == pytest.approx({**turned, "f1": 0})


def test_several_labels() -> None:
    """A label is predicted if its probability is above 0.5, which is a logit of 0."""
    logits = np.array([[2.0, -1.0, 0.0], [-300.0, 1e-3, 300.0], [-1.0, -1.0, -1.0]], dtype=np.float32)
    first, second, third = decode(logits, {0: "a", 1: "b", 2: "c"}, MULTI_LABEL)
    assert first["labels"] == ["a"] and second["labels"] == ["b", "c"] and third["labels"] == []
    assert first["probabilities"] == pytest.approx({"a": 1 / (1 + math.exp(-2)), "b": 1 / (1 + math.e), "c": 0.5})
    sets = SequenceClassification(("a", "b", "c"), MULTI_LABEL)
    gold = np.array([[1.0, 0, 1], [0, 1, 1], [0, 0, 0]])
    found = sets.values(logits, gold)
    assert found == pytest.approx({"micro_f1": 6 / 7, "macro_f1": (1 + 1 + 2 / 3) / 3, "accuracy": 2 / 3})
    assert list(found) == ["micro_f1", "macro_f1", "accuracy"] and sets.main_metric == "micro_f1"
    assert {name: figure.value for name, figure in sets.score(logits, gold).items()} == found
    loss = loss_sum(torch.from_numpy(logits), torch.from_numpy(gold), MULTI_LABEL).item()
    assert loss == pytest.approx(
        sum(
            math.log1p(math.exp(-abs(logit))) + max(logit, 0) - logit * true
            for logit, true in zip(logits.flatten().tolist(), gold.flatten().tolist(), strict=True)
        )
    )


def test_the_baseline_is_the_most_frequent_class_or_the_mean() -> None:
    train, gold = np.array([1.0, 1, 0]), np.array([1.0, 0, 0, 0])
    classes = SequenceClassification(("a", "b"), SINGLE_LABEL)
    assert classes.baseline(train, gold) == pytest.approx({"accuracy": 0.25, "f1": 0.4, "macro_f1": 0.2, "matthews": 0})
    values = SequenceClassification((), REGRESSION).baseline(np.array([1.0, 3]), np.array([2.0, 4]))
    assert values == {"pearson": 0, "spearman": 0, "mean_squared_error": 2}


def test_the_baseline_of_several_labels_is_those_of_more_than_half_of_the_texts() -> None:
    sets = SequenceClassification(("a", "b", "c"), MULTI_LABEL)
    train = np.array([[1.0, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0]])
    found = sets.baseline(train, np.array([[1.0, 0, 0], [0, 1, 0]]))
    assert found == pytest.approx({"micro_f1": 0.5, "macro_f1": 1 / 3, "accuracy": 0.5})
