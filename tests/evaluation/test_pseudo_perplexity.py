"""Pseudo-perplexity compared with stock transformers token by token, and with closed-form results."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from transformers import PreTrainedTokenizerBase

from bertsmith.evaluation.pseudo_perplexity import _standard_error, pseudo_perplexity
from bertsmith.models.bert import BertForPreTraining
from bertsmith.models.loading import load_bert
from bertsmith.objectives.masks import Vocabulary
from bertsmith.tokenization.folder import load_tokenizer

TEXTS = (
    "The old teacher admired seven green apples.",
    "pelicans.",
    "A quiet stranger wrapped the silver bell behind the church unbelievably while it rained and nobody noticed.",
    "a",
)


@pytest.fixture(scope="module")
def tokenizer(run: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(str(run))


@pytest.fixture(scope="module")
def vocabulary(tokenizer: PreTrainedTokenizerBase) -> Vocabulary:
    return Vocabulary.of(tokenizer)


@pytest.fixture(scope="module")
def model(run: Path) -> BertForPreTraining:
    return load_bert(str(run)).model


@pytest.fixture(scope="module")
def sentences(tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    return [tokenizer(text, add_special_tokens=False)["input_ids"] for text in TEXTS]


@torch.no_grad()
def stock_losses(stock: torch.nn.Module, ids: list[int], hidden: list[list[int]], special: list[int]) -> list[float]:
    """The loss at the first of the `hidden` positions, with all of them masked; one row at a time."""
    cls, sep, mask = special
    losses = []
    for places in hidden:
        row = [cls, *(mask if at in places else one for at, one in enumerate(ids)), sep]
        logits = stock(input_ids=torch.tensor([row])).logits[0, places[0] + 1].double()
        losses.append(-float(logits.log_softmax(-1)[ids[places[0]]]))
    return losses


def test_the_figures_are_those_of_stock(
    run: Path,
    model: BertForPreTraining,
    tokenizer: PreTrainedTokenizerBase,
    vocabulary: Vocabulary,
    sentences: list[list[int]],
) -> None:
    stock = transformers.BertForMaskedLM.from_pretrained(run).eval()
    special = [tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.mask_token_id]
    by_token, by_word, words = [], [], 0
    for ids in sentences:
        by_token += stock_losses(stock, ids, [[at] for at in range(len(ids))], special)
        goes_on = [piece.startswith("##") for piece in tokenizer.convert_ids_to_tokens(ids)]
        rests = []
        for at in range(len(ids)):
            end = at + 1
            while end < len(ids) and goes_on[end]:
                end += 1
            rests.append(list(range(at, end)))
        by_word += stock_losses(stock, ids, rests, special)
        words += len(ids) - sum(goes_on)
    found = pseudo_perplexity(model, vocabulary, sentences, max_length=64)
    assert found is not None
    assert found.nats_per_token == pytest.approx(np.mean(by_token), abs=1e-4)
    assert found.pseudo_perplexity == pytest.approx(math.exp(np.mean(by_token)), rel=1e-4)
    assert found.nats_per_word == pytest.approx(np.sum(by_word) / words, abs=1e-4)
    assert (found.sentences, found.tokens, found.words) == (4, len(by_token), words)
    assert words < len(by_token), "some words are divided"
    assert (found.unknown_tokens, found.cut_sentences) == (0, 0)


def test_a_model_that_knows_frequencies_alone_has_their_loss(
    vocabulary: Vocabulary, sentences: list[list[int]]
) -> None:
    """With zero vectors and log frequencies as biases, the loss of a token depends only on its frequency."""
    shares = np.random.default_rng(0).dirichlet(np.ones(vocabulary.size))
    config = transformers.BertConfig(
        vocab_size=vocabulary.size,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    model = BertForPreTraining(config)
    with torch.no_grad():
        model.bert.embeddings.word_embeddings.weight.zero_()
        model.cls.predictions.bias.copy_(torch.from_numpy(np.log(shares)))
    model.train()
    found = pseudo_perplexity(model, vocabulary, sentences, max_length=64)
    assert model.training
    every = [one for ids in sentences for one in ids]
    nats = -np.log(shares[every])
    words = sum(not vocabulary.continues[one] for one in every)
    assert found is not None
    assert found.nats_per_token == pytest.approx(nats.mean(), rel=1e-5)
    assert found.nats_per_word == pytest.approx(nats.sum() / words, rel=1e-5)


def test_company_and_order_change_nothing(
    model: BertForPreTraining, vocabulary: Vocabulary, sentences: list[list[int]]
) -> None:
    """More sentences than are converted at once, in a different order."""
    many = [sentences[0], sentences[2]] * 40
    found = pseudo_perplexity(model, vocabulary, many, max_length=64)
    turned = pseudo_perplexity(model, vocabulary, many[::-1], max_length=64)
    alone = pseudo_perplexity(model, vocabulary, many[:2], max_length=64)
    assert found is not None and turned is not None and alone is not None
    assert found.tokens == turned.tokens == 40 * alone.tokens
    for name in ("nats_per_token", "nats_per_word"):
        value = getattr(found, name)
        assert getattr(turned, name) == pytest.approx(value, rel=1e-5)
        assert getattr(alone, name) == pytest.approx(value, rel=1e-5)


def test_bf16_is_near(model: BertForPreTraining, vocabulary: Vocabulary, sentences: list[list[int]]) -> None:
    exact, near = (
        pseudo_perplexity(model, vocabulary, sentences, max_length=64, precision=precision)
        for precision in ("fp32", "bf16")
    )
    assert exact is not None and near is not None
    assert near.nats_per_token == pytest.approx(exact.nats_per_token, abs=0.05)
    assert near.nats_per_token != exact.nats_per_token


def test_unknown_tokens_are_seen_and_not_predicted(
    model: BertForPreTraining, vocabulary: Vocabulary, tokenizer: PreTrainedTokenizerBase, sentences: list[list[int]]
) -> None:
    unknown = tokenizer.unk_token_id
    found = pseudo_perplexity(model, vocabulary, [[unknown, *sentences[0]]], max_length=64)
    without = pseudo_perplexity(model, vocabulary, [sentences[0]], max_length=64)
    assert found is not None and without is not None
    assert (found.tokens, found.words, found.unknown_tokens) == (without.tokens, without.words, 1)
    assert found.nats_per_token != without.nats_per_token
    assert pseudo_perplexity(model, vocabulary, [[unknown], []], max_length=64) is None


def test_a_long_sentence_is_cut_before_a_word(
    model: BertForPreTraining, vocabulary: Vocabulary, sentences: list[list[int]]
) -> None:
    ids = sentences[2]
    inside = next(at for at in range(10, len(ids)) if vocabulary.continues[ids[at]])
    start = max(at for at in range(inside) if not vocabulary.continues[ids[at]])
    cut = pseudo_perplexity(model, vocabulary, [ids], max_length=inside + 2)
    short = pseudo_perplexity(model, vocabulary, [ids[:start]], max_length=64)
    assert cut is not None and short is not None
    assert (cut.cut_sentences, short.cut_sentences) == (1, 0)
    assert cut.tokens == short.tokens
    assert cut.nats_per_token == pytest.approx(short.nats_per_token, rel=1e-5)


def test_the_standard_error_of_equal_sentences_is_that_of_a_mean() -> None:
    """Sums 2, 4, 9 over two tokens each have means 1, 2, 4.5; a single sentence has no standard error."""
    means = np.array([1.0, 2.0, 4.5])
    assert _standard_error(2 * means, np.full(3, 2.0)) == pytest.approx(means.std(ddof=1) / math.sqrt(3))
    assert _standard_error(np.array([3.0]), np.array([2.0])) is None
