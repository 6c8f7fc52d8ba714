"""Tags of words: labels, targets, loss and predictions, without a trained model."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from bertsmith.errors import DataError, ModelError, OptionError
from bertsmith.metrics import entities
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.token_classification.answers import Tagged
from bertsmith.tasks.token_classification.conll_file import Sentence
from bertsmith.tasks.token_classification.head import TokenLosses
from bertsmith.tasks.token_classification.tagged_file import read_scored
from bertsmith.tasks.token_classification.task import TokenClassification
from bertsmith.tasks.values import IGNORED, ModelOutputs
from bertsmith.tokenization.folder import make_tokenizer

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def requested(problem_type: str = "single_label_classification", **options: Any) -> Any:
    """The options of `finetune` about labels."""
    return SimpleNamespace(**{"problem_type": problem_type, "labels_are": None, "model_fields_set": set()} | options)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS), "."]
    return make_tokenizer(vocabulary, cased=False)


def tagged(*tags: str) -> Sentence:
    """A sentence with these tags."""
    return Sentence([LETTERS[place % 26] for place in range(len(tags))], list(tags), list(range(1, len(tags) + 1)))


BIO = tagged("B-X", "I-X", "B-X", "O", "B-Y")
BIOES = tagged("B-X", "E-X", "S-X", "O", "S-Y")
IOB1 = tagged("I-X", "I-X", "B-X", "O", "I-Y")


def test_the_labels_are_the_same_for_every_scheme() -> None:
    for sentence in (BIO, BIOES, IOB1):
        head = TokenClassification.for_training([sentence], requested())
        assert head.labels == ["O", "B-X", "B-Y", "I-X", "I-Y"]
        assert head.targets([sentence], "f").numbers[0].tolist() == [1, 3, 1, 0, 2]
        assert head.label_counts([sentence]) == {"O": 1, "B-X": 2, "B-Y": 1, "I-X": 1, "I-Y": 0}
    untyped = TokenClassification.for_training([tagged("B", "I", "O")], requested())
    assert untyped.labels == ["O", "B", "I"]


def test_plain_labels_are_kept() -> None:
    head = TokenClassification.for_training([tagged("VB", "NN", "VB")], requested())
    assert head.labels == ["NN", "VB"] and head.main_metric == "accuracy"
    assert head.targets([tagged("NN", "VB")], "f").numbers[0].tolist() == [0, 1]
    with pytest.raises(DataError, match=r"f: line 2: found the tag 'JJ', expected a tag of the model \(NN, VB\)"):
        head.targets([tagged("NN", "JJ")], "f")
    with pytest.raises(DataError, match=r"found the tag 'nn', expected a tag of the model .*; the model has 'NN'"):
        head.targets([tagged("nn", "VB")], "f")


def test_labels_that_cannot_be_learnt() -> None:
    with pytest.raises(DataError, match="has no entity: every tag is O"):
        TokenClassification.for_training([tagged("O", "O")], requested())
    with pytest.raises(DataError, match="has only one tag, 'NN'; expected at least two"):
        TokenClassification.for_training([tagged("NN", "NN")], requested())
    with pytest.raises(OptionError, match="--problem-type regression"):
        TokenClassification.for_training([BIO], requested("regression"))


def test_types_that_the_model_lacks() -> None:
    head = TokenClassification.for_training([tagged("B-X", "O")], requested())
    assert head.targets([tagged("B-X", "I-X")], "f").numbers[0].tolist() == [1, 2], "I-X needs no training example"
    with pytest.raises(DataError, match=r"dev: line 2: found the tag 'B-Z', expected a tag of the model \(O, X\)"):
        head.targets([tagged("O", "B-Z")], "dev")
    with pytest.raises(
        DataError, match=r"found the tag 'B-x', expected .*; the model has 'B-X', which differs from 'B-x' only in"
    ):
        head.targets([tagged("O", "B-x")], "dev")
    with pytest.raises(DataError, match="line 1: found the tag 'NN', expected a tag of the model"):
        head.targets([tagged("NN")], "dev")


def test_the_first_piece_of_each_word_is_learnt(tokenizer: PreTrainedTokenizerBase) -> None:
    head = TokenClassification(["O", "B-X", "I-X"])
    sentences = [Sentence(["ab", "\u200b", "c.d"], ["B-X", "I-X", "O"], [1, 2, 3]), tagged("O", "B-X")]
    inputs, targets = head.encode(tokenizer, sentences, 16), head.targets(sentences, "f")
    gold = head.row_targets(inputs, targets, [1, 0])
    no = IGNORED
    assert gold.tolist() == [[no, 0, 1, no, no, no, no, no], [no, 1, no, 2, 0, no, no, no]]
    assert TokenLosses(head).loss_count(torch.from_numpy(gold)) == 5


def echo(head: TokenClassification, ids: np.ndarray) -> ModelOutputs:
    """A model's output in which the label of each token follows from its id."""
    return {"logits": np.eye(len(head.labels), dtype=np.float32)[ids % len(head.labels)] * 5}


@given(st.lists(st.sampled_from(["a", "bcd", "e.f", "\u200b", "z"]), min_size=1, max_size=40), st.integers(8, 64))
def test_windows_change_nothing_of_what_each_word_is_told(words: list[str], length: int) -> None:
    tokenizer = make_tokenizer(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS), "."],
        cased=False,
    )
    head = TokenClassification(["O", "B-X", "I-X"])
    sentence = Sentence(words, ["O"] * len(words), [1] * len(words))

    def said(max_length: int) -> list[int]:
        inputs = head.encode(tokenizer, [sentence], max_length)
        rows = list(range(len(inputs.lengths)))
        batch = head.batch(inputs, rows, 0, with_types=True)
        outputs = head.gather_outputs(list(head.extract_outputs(echo(head, batch["input_ids"]), inputs, rows)), inputs)
        return outputs.numbers[0].tolist()

    assert said(length) == said(512)


def of(head: TokenClassification, *sentences: list[str]) -> Tagged:
    """Outputs that predict these labels, with probabilities that rise from 0.6 to 1 along a sentence."""
    logits = []
    for tags in sentences:
        shares = np.linspace(0.6, 1, len(tags))
        others = (1 - shares) / (len(head.labels) - 1)
        rows = np.repeat(others[:, None], len(head.labels), axis=1)
        rows[np.arange(len(tags)), [head.labels.index(tag) for tag in tags]] = shares
        logits.append(np.log(np.maximum(rows, 1e-30)).astype(np.float32))
    return Tagged(logits)


@pytest.mark.parametrize("gold", [BIO, BIOES, IOB1], ids=["BIO", "BIOES", "IOB1"])
def test_scores_are_in_the_scheme_of_the_file(gold: Sentence) -> None:
    head = TokenClassification.for_training([BIO], requested())
    targets = head.targets([gold], "f")
    perfect = head.score(of(head, BIO.tags), targets)
    assert list(perfect) == ["f1", "precision", "recall", "accuracy"]
    assert {interval.value for interval in perfect.values()} == {1.0}
    half = of(head, ["B-X", "I-X", "O", "O", "B-X"])
    scores = head.score(half, targets)
    assert (scores["precision"].value, scores["recall"].value) == (1 / 2, 1 / 3)
    assert head.values(half, targets)["f1"] == scores["f1"].value == pytest.approx(2 / 5)
    baseline = head.baseline(targets, targets)
    assert baseline == {"f1": 0, "precision": 0, "recall": 0, "accuracy": 1 / 5}


def test_the_baseline_of_plain_labels_is_the_most_frequent_one() -> None:
    head = TokenClassification(["NN", "VB"])
    train, dev = head.targets([tagged("VB", "VB", "NN")], "f"), head.targets([tagged("VB", "NN", "NN", "NN")], "f")
    assert head.baseline(train, dev) == {"accuracy": 0.25}
    scores = head.score(of(head, ["VB", "NN", "NN", "VB"]), dev)
    assert list(scores) == ["accuracy"]
    assert scores["accuracy"].value == head.values(of(head, ["VB", "NN", "NN", "VB"]), dev)["accuracy"] == 0.75


def test_spans() -> None:
    head = TokenClassification.for_training([BIO], requested())
    (spans,) = head.spans(of(head, ["B-X", "I-X", "O", "I-Y", "B-Y"]))
    assert [(span.label, span.start, span.end) for span in spans] == [("X", 0, 2), ("Y", 3, 4), ("Y", 4, 5)]
    assert spans[0].score == pytest.approx((0.6 + 0.7) / 2)
    plain = TokenClassification(["NN", "VB"])
    assert [span.label for span in plain.spans(of(plain, ["VB", "NN"]))[0]] == ["VB", "NN"]


TAGS = st.lists(st.sampled_from([f"{prefix}-{type_}" for prefix in "BIES" for type_ in "XY"] + ["O", "B", "I"]))


@given(TAGS, st.sampled_from(["BIO", "BIOES", "IOB1"]))
def test_entities_are_the_same_in_every_scheme(tags: list[str], scheme: entities.Scheme) -> None:
    found = entities.entities(tags)
    converted = entities.tags_from_entities(found, len(tags), scheme)
    assert entities.entities(converted) == found
    assert entities.entities(converted, scheme) == found, "also for who reads the scheme strictly"
    assert (
        scheme == "BIOES" or entities.tags_from_entities(entities.entities(converted), len(tags), scheme) == converted
    )


def test_a_model_whose_labels_are_tags_and_others_is_refused() -> None:
    labels = {0: "O", 1: "PER", 2: "LOC"}
    with pytest.raises(ModelError, match="hub/model: its label 'PER' is not an entity tag"):
        TokenClassification.for_model(SimpleNamespace(id2label=labels), None, "hub/model")


def model(*labels: str, **more: str) -> SimpleNamespace:
    """The configuration of a model with these labels."""
    return SimpleNamespace(id2label=dict(enumerate(labels)), **more)


def test_the_kind_of_labels_is_that_of_the_configuration_else_as_they_look() -> None:
    for labels, looks in ((("B", "E", "S"), "entities"), (("B", "E", "M", "S"), "plain"), (("O", "B-X"), "entities")):
        assert TokenClassification.for_model(model(*labels), None, "hub/model").labels_are == looks
        for kind in ("plain", "entities") if "M" not in labels else ("plain",):
            head = TokenClassification.for_model(model(*labels, labels_are=kind), None, "hub/model")
            assert head.labels_are == kind and head.plain == (kind == "plain")
            assert head.columns(Columns(label="1")) == Columns(label="1", labels_are=kind)
    tweets = TokenClassification.for_model(model("O", "V", "^", labels_are="plain"), None, "hub/model")
    assert tweets.main_metric == "accuracy" and tweets.classes == ["O", "V", "^"]


def test_labels_of_a_model_in_bilou_are_read_as_bioes() -> None:
    head = TokenClassification.for_model(model("O", "B-X", "I-X", "L-X", "U-X"), None, "hub/model")
    assert head.labels == ["O", "B-X", "I-X", "E-X", "S-X"] and head.types == {"X"}
    (spans,) = head.spans(of(head, ["S-X", "B-X", "I-X", "E-X", "O"]))
    assert [(span.start, span.end) for span in spans] == [(0, 1), (1, 4)]
    plain = TokenClassification.for_model(model("O", "B-X", "L-X", labels_are="plain"), None, "hub/model")
    assert plain.labels == ["O", "B-X", "L-X"]


def test_a_number_that_is_no_label_shows_how_to_name_it() -> None:
    head = TokenClassification(["NN", "VB"])
    with pytest.raises(
        DataError, match=r"found the tag '3', expected .*\. If it is the number of a tag, .*--label-names FILE"
    ):
        head.targets([tagged("NN", "3")], "f")


def test_predictions_tell_score_the_kind_of_tags_that_look_like_another_kind(tmp_path: Path) -> None:
    gold, predictions = tmp_path / "gold.conll", tmp_path / "predictions.conll"
    gold.write_text("a\tB\nb\tE\n")
    segments = TokenClassification(["B", "E", "S"], labels_are="plain")
    lines = list(segments.predictions([tagged("B", "E")], of(segments, ["B", "S"])))
    assert lines == ["# labels_are = plain", "a\tB\tB", "b\tE\tS"]
    predictions.write_text("\n".join(lines))
    _, found, kind, reason = read_scored(gold, predictions, Columns())
    assert (kind, reason) == ("plain", f"detected from the first line of {predictions}; --labels-are overrides this")
    assert (found[0].tags, found[0].lines) == (["B", "S"], [2, 3])
    assert read_scored(gold, predictions, Columns(labels_are="entities"))[2:] == ("entities", "from --labels-are")
    predictions.write_text("\n".join(lines[1:]))
    assert read_scored(gold, predictions, Columns())[2] == "entities"
    nouns = TokenClassification(["NN", "VB"])
    assert next(nouns.predictions([tagged("NN", "VB")], of(nouns, ["NN", "NN"]))) == "a\tNN\tNN"
