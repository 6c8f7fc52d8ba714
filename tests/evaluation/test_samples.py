"""Samples for people: whole words of held-out sentences, the same each time, and the model's own guesses."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from bertsmith import TokenStore
from bertsmith.corpus.store import HELD_OUT, TokenPart
from bertsmith.evaluation.samples import LONGEST, SHORTEST, guess, masked_words
from bertsmith.inference.predictor import Predictor
from bertsmith.models.loading import load_bert
from bertsmith.tokenization.folder import load_tokenizer


@pytest.fixture(scope="module")
def part(store: Path) -> TokenPart:
    return TokenStore(store).part(HELD_OUT)


def test_the_hidden_words_are_whole_words_of_held_out_sentences(part: TokenPart, store: Path) -> None:
    tokenizer = load_tokenizer(str(store))
    hidden = masked_words(part, tokenizer, 5, positions=128)
    assert 0 < len(hidden) <= 5
    assert hidden == masked_words(part, tokenizer, 5, positions=128)
    offsets = part.sentence_offsets.tolist()
    sentences = [part.tokens(start, stop).tolist() for start, stop in pairwise(offsets)]
    for item in hidden:
        assert item.ids in sentences
        assert SHORTEST <= len(item.ids) <= LONGEST
        assert item.ids[item.place] == item.truth
        pieces = tokenizer.convert_ids_to_tokens(item.ids)
        assert pieces[item.place].isalpha() and len(pieces[item.place]) > 3
        assert not pieces[item.place + 1].startswith("##")


def test_they_fit_the_positions_of_the_model(part: TokenPart, store: Path) -> None:
    tokenizer = load_tokenizer(str(store))
    assert any(len(item.ids) > 14 for item in masked_words(part, tokenizer, 20, positions=128))
    few = masked_words(part, tokenizer, 20, positions=16)
    assert few and all(len(item.ids) <= 14 for item in few)
    assert masked_words(part, tokenizer, 20, positions=8) == []


def test_the_guesses_are_those_of_fill_mask(part: TokenPart, run: Path) -> None:
    predictor = Predictor(str(run))
    hidden = masked_words(part, predictor.tokenizer, 3, positions=128)
    model = load_bert(str(run)).model
    model.train()
    samples = guess(model, predictor.tokenizer, hidden, top_k=4)
    assert model.training
    assert len(samples) == len(hidden)
    for item, sample in zip(hidden, samples, strict=True):
        ids = [predictor.tokenizer.cls_token_id, *item.ids, predictor.tokenizer.sep_token_id]
        ids[item.place + 1] = predictor.tokenizer.mask_token_id
        with torch.no_grad():
            logits = model.eval()(torch.tensor([ids])).prediction_logits[0, item.place + 1]
        order = logits.argsort(descending=True).tolist()
        assert sample.truth_rank == order.index(item.truth) + 1 and sample.vocabulary == len(order)
        assert sample.truth_probability == pytest.approx(logits.softmax(-1)[item.truth].item())
        best = logits.softmax(-1).topk(4)
        assert [entry.token for entry in sample.predictions] == predictor.tokenizer.convert_ids_to_tokens(
            best.indices.tolist()
        )
        assert [entry.probability for entry in sample.predictions] == pytest.approx(best.values.tolist())
        assert sample.truth == predictor.tokenizer.convert_ids_to_tokens(item.truth)
        whole = predictor.tokenizer.decode(item.ids)
        assert whole == f"{sample.before}{sample.truth}{sample.after}".strip()
