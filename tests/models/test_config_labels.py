"""The labels of a config.json number the outputs of a model, or one sentence says what is wrong with them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from bertsmith.errors import ModelError
from bertsmith.inference.predictor import Predictor
from bertsmith.models.config_labels import read_config_labels
from bertsmith.models.loading import load_config, quiet_transformers
from bertsmith.tokenization.folder import make_tokenizer
from bertsmith.tokenization.wordpiece_entries import SPECIAL_TOKENS

CLASSIFIER = {"architectures": ["BertForSequenceClassification"]}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, None),
        ({"num_labels": 3}, None),
        ({"id2label": {"0": "no", "1": "yes"}}, ["no", "yes"]),
        ({"id2label": {"1": "yes", "0": "no"}, "num_labels": 2}, ["no", "yes"]),
        ({"id2label": {"0": 1, "1": 2}}, ["1", "2"]),
        ({"label2id": {"b": 1, "a": 0, "c": 2}}, ["a", "b", "c"]),
        ({"label2id": {"b": "1", "a": "0"}}, ["a", "b"]),
        ({"id2label": {"0": "no", "1": "yes"}, "label2id": {"LABEL_0": 0, "LABEL_1": 1}}, ["no", "yes"]),
    ],
)
def test_what_is_certain_is_read(config: dict[str, Any], expected: list[str] | None) -> None:
    found = read_config_labels("m", CLASSIFIER | config)
    if expected is None:
        assert found == {}
    else:
        assert list(found["id2label"].items()) == list(enumerate(expected))
        assert found["label2id"] == {label: number for number, label in enumerate(expected)}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"id2label": {"0": "a", "2": "b"}}, "id2label in config.json numbers its 2 labels 0, 2; expected 0 to 1"),
        ({"id2label": {"1": "a", "2": "b"}}, "numbers its 2 labels 1, 2; expected 0 to 1"),
        ({"label2id": {"a": 1, "b": 2}}, "label2id in config.json numbers its 2 labels 1, 2; expected 0 to 1"),
        ({"label2id": {"a": 0, "b": 0}}, "label2id in config.json names output 0 twice, 'a' and 'b'"),
        ({"id2label": {"0": "a", "1": "b", "2": "a"}}, "names outputs 0 and 2 'a'; expected 3 different labels"),
        ({"id2label": {"0": "a", "1": "b"}, "num_labels": 3}, "num_labels 3 and 2 labels in id2label"),
        ({"label2id": {"a": 0, "b": 1}, "num_labels": 5}, "num_labels 5 and 2 labels in label2id"),
        ({"id2label": {"x": "a", "1": "b"}}, "has the id 'x', expected a whole number"),
        ({"id2label": {"0": None, "1": "b"}}, "names output 0 None, expected a text"),
        ({"id2label": {"0": ["a"], "1": "b"}}, r"names output 0 \['a'\], expected a text"),
        ({"id2label": ["a", "b"]}, r"id2label in config.json is \['a', 'b'\], expected an object"),
    ],
)
@pytest.mark.parametrize("architecture", ["BertForSequenceClassification", "XLMRobertaForTokenClassification"])
def test_what_is_not_certain_is_refused(config: dict[str, Any], message: str, architecture: str) -> None:
    with pytest.raises(ModelError, match=f"^m: .*{message}"):
        read_config_labels("m", {"architectures": [architecture], **config})


def test_labels_of_a_model_without_named_outputs_do_not_matter() -> None:
    assert read_config_labels("m", {"architectures": ["BertForMaskedLM"], "id2label": {"0": "a", "5": "a"}}) == {}
    assert read_config_labels("m", {"id2label": {"3": "a"}}) == {}


def test_a_contradiction_is_announced(caplog: pytest.LogCaptureFixture) -> None:
    config = CLASSIFIER | {"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 1, "b": 0}}
    with caplog.at_level(logging.WARNING, "bertsmith"):
        found = read_config_labels("contradicting", config)
    assert found["id2label"] == {0: "a", 1: "b"}
    assert "'a' is 0 in id2label and 1 in label2id; using id2label" in caplog.text


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of three labels."""
    folder = tmp_path_factory.mktemp("classifier")
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.BertConfig(vocab_size=10, num_labels=3, **shape)
    with quiet_transformers():
        transformers.BertForSequenceClassification(config).save_pretrained(folder)
    make_tokenizer([*SPECIAL_TOKENS, "a", "text"], cased=False).save_pretrained(folder)
    return folder


def edited(folder: Path, out: Path, **values: Any) -> Path:
    """A copy of a model with other values in its config.json; None removes one."""
    out.mkdir()
    for path in folder.iterdir():
        (out / path.name).write_bytes(path.read_bytes())
    config = json.loads((out / "config.json").read_text()) | values
    kept = {name: value for name, value in config.items() if value is not None}
    (out / "config.json").write_text(json.dumps(kept))
    return out


def test_label2id_alone_names_the_answers(classifier: Path, tmp_path: Path) -> None:
    folder = edited(classifier, tmp_path / "m", id2label=None, label2id={"low": 0, "middle": 1, "high": 2})
    assert load_config(str(folder)).num_labels == 3
    answer = Predictor(str(folder)).classify("a text")
    assert list(answer.probabilities or {}) == ["low", "middle", "high"]


VERBS: list[tuple[str, ...]] = [
    ("embed", "MODEL", "a text"),
    ("fill-mask", "MODEL", "a [MASK]"),
    ("classify", "MODEL", "a text"),
    ("tag", "MODEL", "a text"),
    ("next-sentence", "MODEL", "a", "text"),
    ("choose", "MODEL", "--prompt", "a", "--choice", "a", "--choice", "text"),
    ("answer", "MODEL", "--question", "a", "--context", "text"),
    ("evaluate", "MODEL", "FILE"),
    ("compare", "MODEL", "MODEL", "FILE"),
    ("finetune", "sequence-classification", "--model", "MODEL", "--train", "FILE", "--dev", "FILE", "--out", "OUT"),
]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"id2label": {"0": "a", "1": "b", "3": "c"}, "label2id": None}, "numbers its 3 labels 0, 1, 3"),
        ({"vocab_size": 6}, "found 7 entries in the tokenizer, expected at most 6"),
    ],
    ids=["labels", "rows"],
)
def test_every_verb_says_so_before_anything_runs(
    bertsmith: Callable[..., Any],
    classifier: Path,
    tmp_path: Path,
    verb: tuple[str, ...],
    values: dict[str, Any],
    message: str,
) -> None:
    model = edited(classifier, tmp_path / "m", **values)
    file = tmp_path / "file.csv"
    file.write_text("text,label\na text,LABEL_0\na,LABEL_1\n")
    places = {"MODEL": model, "FILE": file, "OUT": tmp_path / "out"}
    answer = bertsmith(*(places.get(word, word) for word in verb))
    assert answer.code == 2, answer.stderr
    assert str(model) in answer.stderr and message in answer.stderr
    assert answer.stdout == "" and not (tmp_path / "out").exists()
