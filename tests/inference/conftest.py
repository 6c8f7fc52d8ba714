"""Untrained models with a small vocabulary: the tests check that answers equal those of the stock models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from bertsmith.models.loading import quiet_transformers
from bertsmith.tokenization.folder import make_tokenizer

WORDS = (
    *("hello", "how", "are", "you", "i", "really", "loved", "hated", "liked", "the", "movie", "it", "was", "quite"),
    *("interesting", "he", "she", "opened", "door", "room", "dark", "man", "went", "to", "store", "bought", "gallon"),
    *("of", "milk", "penguins", "flightless", "birds", "is", "and", "not", "very", "good", "bad", "time"),
)


def saved(folder: Path, name: str, **values: Any) -> Path:
    """A stock model of this class and its tokenizer, with weights that are not near zero."""
    pieces = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *",.?!'", *dict.fromkeys([*pieces, *WORDS])]
    vocabulary += [f"##{piece}" for piece in pieces]
    tokenizer = make_tokenizer(vocabulary, cased=False)
    torch.manual_seed(3)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=48,
        **values,
    )
    model = getattr(transformers, name)(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
    with quiet_transformers():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stock BertForPreTraining."""
    return saved(tmp_path_factory.mktemp("models") / "bert", "BertForPreTraining")


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stock BertModel without a head, like all-MiniLM."""
    return saved(tmp_path_factory.mktemp("models") / "encoder", "BertModel")


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stock BertForSequenceClassification with three labels."""
    labels = {0: "good", 1: "bad", 2: "neither"}
    return saved(
        tmp_path_factory.mktemp("models") / "classifier",
        "BertForSequenceClassification",
        id2label=labels,
        label2id={label: number for number, label in labels.items()},
        problem_type="single_label_classification",
    )
