"""Sentence vectors and their similarities equal those computed from `embed`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import bertsmith
from bertsmith import TokenStore
from bertsmith.corpus.store import HELD_OUT
from bertsmith.evaluation.random_sentences import random_sentences
from bertsmith.evaluation.sentence_vectors import sentence_vectors
from bertsmith.metrics.anisotropy import anisotropy
from bertsmith.models.loading import load_bert
from bertsmith.objectives.masks import Vocabulary
from bertsmith.tokenization.folder import load_tokenizer

TEXTS = [
    "The old teacher admired seven green apples.",
    "A quiet stranger wrapped the silver bell behind the church while it rained.",
    "The queen again.",
    "Every child followed the captain under the bridge.",
]


def test_the_figures_are_those_of_embedded_texts(run: Path) -> None:
    tokenizer = load_tokenizer(str(run))
    model = load_bert(str(run)).model.train()
    sentences = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in TEXTS]
    found = sentence_vectors(model, Vocabulary.of(tokenizer), sentences, max_length=64)
    assert model.training and found is not None
    predictor = bertsmith.load(str(run))
    for pooling in ("mean", "cls"):
        for layer, figures in enumerate(found["by_layer"]):
            vectors = np.array([item.embedding for item in predictor.embed(TEXTS, pooling, layer)])
            expected = anisotropy(vectors).to_dict()
            assert figures["layer"] == layer
            assert figures[pooling] == pytest.approx(expected["mean_cosine"], abs=1e-5)
        assert found[pooling] == pytest.approx(expected, abs=1e-4), "of the last layer"
    assert found["sentences"] == 4
    assert found["by_layer"][0]["cls"] == pytest.approx(1), "[CLS] is the same before the first layer"
    near = sentence_vectors(model, Vocabulary.of(tokenizer), sentences, max_length=64, precision="bf16")
    assert near is not None
    assert near["mean"]["mean_cosine"] == pytest.approx(found["mean"]["mean_cosine"], abs=0.02)


def test_a_single_sentence_cannot_be_compared(run: Path) -> None:
    model, vocabulary = load_bert(str(run)).model, Vocabulary.of(load_tokenizer(str(run)))
    assert sentence_vectors(model, vocabulary, [[5, 6]], max_length=64) is None


def test_a_random_sample_of_sentences_is_the_same_each_time(store: Path) -> None:
    part = TokenStore(store).part(HELD_OUT)
    bounds = part.sentence_offsets
    every = [part.tokens(bounds[at], bounds[at + 1]).tolist() for at in range(part.num_sentences)]
    assert random_sentences(part, 10**6, purpose="test") == every
    few = random_sentences(part, 20, purpose="test")
    assert len(few) == 20 and all(ids in every for ids in few)
    assert random_sentences(part, 20, purpose="test") == few
    assert random_sentences(part, 20, purpose="another") != few
    assert random_sentences(part, 20, purpose="test", seed=1) != few
    assert few != every[:20]
