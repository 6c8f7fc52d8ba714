"""The Predictor gives the same answers as stock transformers in tutorials, for one text and for many."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import bertsmith
from bertsmith.errors import InputError, ModelError, OptionError
from bertsmith.inference.predictor import Predictor
from support.stock import Stock, assert_same

MOVIE = "I really [MASK] the movie. It was quite interesting."
TEXTS = [
    "Hello, how are you?",
    "The man went to the store. He bought a gallon of milk.",
    "Penguins are flightless birds!",
    "a",
    "He opened the door, and the room was dark. It was not very good, and she hated the time.",
    "!",
]


@pytest.fixture(scope="module")
def model(bert: Path) -> Predictor:
    return bertsmith.load(bert)


@pytest.fixture(scope="module")
def tokenizer(bert: Path) -> Any:
    return transformers.AutoTokenizer.from_pretrained(bert)


@pytest.fixture(scope="module")
def stock_encoder(bert: Path) -> Stock:
    return Stock(bert, "BertModel", unused=True)


# Vectors


def test_hidden_states_are_the_last_hidden_state(model: Predictor, stock_encoder: Stock) -> None:
    found = model.hidden_states("Hello, how are you?")
    assert found.shape == (1, 8, 32)
    assert_same(found, stock_encoder("Hello, how are you?").last_hidden_state)


@pytest.mark.parametrize("layer", [0, 1, 2, 3, -1, -2, -4])
def test_hidden_states_of_every_layer(model: Predictor, stock_encoder: Stock, layer: int) -> None:
    output = stock_encoder(TEXTS[1], output_hidden_states=True)
    assert_same(model.hidden_states(TEXTS[1], layer), output.hidden_states[layer])


@pytest.mark.parametrize("layer", [4, -5])
def test_a_layer_that_is_not_there(model: Predictor, layer: int) -> None:
    with pytest.raises(InputError, match=rf"--layer: found {layer}, expected 0 \(the embeddings\) to 3"):
        model.hidden_states("hello", layer)
    with pytest.raises(InputError, match="--layer"):
        model.embed("hello", layer=layer)


NOTHING = ("", " ", "\t\n", "\u200b", "\x00", "\xad\ufeff")
"""Texts of which the tokenizer leaves no token."""


def test_a_text_without_a_token_has_no_answer(
    model: Predictor, classifier: Path, caplog: pytest.LogCaptureFixture
) -> None:
    texts = ["hello", *NOTHING, "a"]
    said = f"warning: {len(NOTHING)} of {len(texts)} texts are empty (no token) and get no"
    classified = bertsmith.load(classifier)
    with caplog.at_level(logging.WARNING, logger="bertsmith"):
        vectors = [answer.embedding for answer in model.embed(texts)]
        labels = classified.classify(texts)
        filled = model.fill_mask([MOVIE, *NOTHING, MOVIE])
    assert caplog.messages == [f"{said} {what}" for what in ("vector", "label", "answer")]
    assert [vector is None for vector in vectors] == [text in NOTHING for text in texts]
    assert [(answer.text, answer.label is None) for answer in labels] == [(text, text in NOTHING) for text in texts]
    assert labels[1].to_dict() == {**labels[0].to_dict(), "text": "", "label": None, "probabilities": None}
    assert [(len(answer.masks), answer.text) for answer in filled] == [
        (1, MOVIE),
        *((0, it) for it in NOTHING),
        (1, MOVIE),
    ]
    # The others are answered as if the empty ones were not there.
    assert [labels[0], labels[-1]] == classified.classify(["hello", "a"])
    assert model.embed(["hello", "a"]) == [model.embed(texts)[place] for place in (0, -1)]


def test_an_empty_text_by_itself_has_no_answer(
    model: Predictor, classifier: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="bertsmith"):
        assert model.embed("").embedding is None
        assert model.next_sentence("", "a").to_dict() == {"is_next_probability": None, "label": None, "logits": None}
        assert model.next_sentence("a", " ").label is None
        assert bertsmith.load(classifier).classify(["", "a"], ["b", ""])[0].label is None
        assert bertsmith.load(classifier).classify("a", "").label is not None, "as in labelled files"
    assert [message.removeprefix("warning: ") for message in caplog.messages] == [
        "1 of 1 text is empty (no token) and gets no vector",
        *["1 of 1 pair is empty (no token) and gets no label"] * 2,
        "1 of 2 texts is empty (no token) and gets no label",
    ]


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
@pytest.mark.parametrize("layer", [-1, 1])
def test_embeddings_are_the_pooled_states_of_stock(
    model: Predictor, stock_encoder: Stock, pooling: str, layer: int
) -> None:
    """Many texts of mixed length at once, compared with the stock model text by text."""
    found = model.embed(TEXTS, pooling=pooling, layer=layer)
    for text, answer in zip(TEXTS, found, strict=True):
        states = stock_encoder(text, output_hidden_states=True).hidden_states[layer][0]
        assert_same(answer.embedding, {"mean": states.mean(0), "cls": states[0], "max": states.amax(0)}[pooling])
        assert (answer.text, answer.truncated_tokens) == (text, 0)


def test_one_text_gives_one_embedding(model: Predictor) -> None:
    (listed,) = model.embed([TEXTS[0]])
    assert model.embed(TEXTS[0]) == listed
    assert model.embed([]) == []


def test_a_pooling_that_there_is_not(model: Predictor) -> None:
    with pytest.raises(InputError, match="found 'median', expected mean, cls or max"):
        model.embed("hello", pooling="median")


def test_a_text_beyond_the_model_is_cut_with_a_warning_and_a_count(
    model: Predictor, stock_encoder: Stock, caplog: pytest.LogCaptureFixture
) -> None:
    long = " ".join(["milk"] * 60)
    with caplog.at_level(logging.WARNING, "bertsmith"):
        short, cut = model.embed(["milk", long])
    assert (short.truncated_tokens, cut.truncated_tokens) == (0, 62 - 48)
    assert "1 of 2 texts (50.0%) is longer than 48 tokens and was cut (14 tokens in total)" in caplog.text
    states = stock_encoder(long, truncation=True, max_length=48).last_hidden_state
    assert states.shape[1] == 48
    assert_same(cut.embedding, states[0].mean(0))
    assert len(model.tokenize(long).input_ids) == 62, "the tokenizer is left truncating"


# Masks


def test_fill_mask_is_the_sorted_logits_at_the_mask(model: Predictor, tokenizer: Any, bert: Path) -> None:
    inputs = tokenizer(MOVIE, return_tensors="pt")
    at = int((inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero())
    logits = Stock(bert, "BertForMaskedLM", unused=True)(MOVIE).logits[0, at]
    order = logits.argsort(descending=True)[:5].tolist()
    answer = model.fill_mask(MOVIE, top_k=5)
    (mask,) = answer.masks
    assert mask.position == at == 3
    assert [entry.id for entry in mask.predictions] == order
    assert [entry.token for entry in mask.predictions] == tokenizer.convert_ids_to_tokens(order)
    assert_same([entry.probability for entry in mask.predictions], logits.softmax(-1)[order])
    for entry in mask.predictions:
        filled = inputs["input_ids"][0].clone()
        filled[at] = entry.id
        assert entry.text == tokenizer.decode(filled[1:-1])


def test_several_masks_each_by_itself(model: Predictor, bert: Path) -> None:
    text = "[MASK] man [MASK] to the [MASK]."
    answer = model.fill_mask(text, top_k=3)
    assert [mask.position for mask in answer.masks] == [1, 3, 6]
    logits = Stock(bert, "BertForMaskedLM", unused=True)(text).logits[0]
    for mask in answer.masks:
        assert [entry.id for entry in mask.predictions] == logits[mask.position].topk(3).indices.tolist()
        assert all(entry.text.count("[MASK]") == 2 + (entry.token == "[MASK]") for entry in mask.predictions)


def test_many_texts_give_what_they_give_alone(model: Predictor) -> None:
    texts = [MOVIE, "[MASK]", "The [MASK] was dark and [MASK] was not very good, he really [MASK] it.", "a [MASK] milk"]
    together = model.fill_mask(texts * 3, top_k=4)
    assert [answer.text for answer in together] == texts * 3
    for text, answer in zip(texts * 3, together, strict=True):
        alone = model.fill_mask(text, top_k=4)
        assert len(answer.masks) == len(alone.masks) == text.count("[MASK]")
        for found, expected in zip(answer.masks, alone.masks, strict=True):
            assert found.position == expected.position
            assert [entry.id for entry in found.predictions] == [entry.id for entry in expected.predictions]
            for one, other in zip(found.predictions, expected.predictions, strict=True):
                assert one.probability == pytest.approx(other.probability, abs=1e-5)


def test_batches_within_the_budget_of_tokens_change_nothing(model: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    from bertsmith.inference import predictor

    expected = [answer.embedding for answer in model.embed(TEXTS * 5)]
    original, sizes = predictor.batches, []

    def small(*arguments: Any) -> Any:
        for numbers, batch in original(*arguments, budget=30):
            sizes.append(batch["input_ids"].numel())
            yield numbers, batch

    monkeypatch.setattr(predictor, "batches", small)
    found = [answer.embedding for answer in model.embed(TEXTS * 5)]
    assert len(sizes) > 5 and max(sizes) <= 30
    assert_same(found, expected)


def test_all_tokens_may_be_asked_for(model: Predictor) -> None:
    (mask,) = model.fill_mask(MOVIE, top_k=10**6).masks
    assert len(mask.predictions) == model.config.vocab_size
    assert sum(entry.probability for entry in mask.predictions) == pytest.approx(1, abs=1e-5)


def test_a_top_k_below_1_is_an_error(model: Predictor) -> None:
    for wrong in (0, -1):
        with pytest.raises(InputError, match=f"top_k: found {wrong}, expected at least 1"):
            model.fill_mask(MOVIE, top_k=wrong)


def test_no_mask_in_the_text(model: Predictor) -> None:
    with pytest.raises(InputError, match=r"no \[MASK\] in the text 'hello'"):
        model.fill_mask([MOVIE, "hello"])
    assert model.fill_mask([]) == []


def test_a_masked_text_beyond_the_model_is_refused_with_both_lengths(model: Predictor) -> None:
    with pytest.raises(InputError, match=r"fill-mask: found a text of 63 tokens, expected at most 48"):
        model.fill_mask("[MASK] " + "milk " * 60)


# Pairs


@pytest.mark.parametrize(("a", "b"), [("He opened the door.", "The room was dark."), (TEXTS[1], TEXTS[2]), ("a", "b")])
def test_next_sentence_is_stocks(model: Predictor, bert: Path, a: str, b: str) -> None:
    logits = Stock(bert, "BertForNextSentencePrediction", unused=True)(a, b).logits[0]
    answer = model.next_sentence(a, b)
    assert_same(answer.logits, logits)
    assert_same(answer.is_next_probability, logits.softmax(-1)[0])
    assert answer.label == {0: "IsNext", 1: "NotNext"}[int(logits.argmax())]
    assert (answer.label == "IsNext") == (answer.is_next_probability > 0.5)


def test_both_labels_can_be_answered(bert: Path, tmp_path: Path) -> None:
    """Index 0 is IsNext, in the logits and in the label."""
    for bias, label in (([5.0, -5.0], "IsNext"), ([-5.0, 5.0], "NotNext")):
        stock = transformers.BertForPreTraining.from_pretrained(bert)
        with torch.no_grad():
            stock.cls.seq_relationship.weight.zero_()
            stock.cls.seq_relationship.bias.copy_(torch.tensor(bias))
        stock.save_pretrained(tmp_path / label)
        transformers.AutoTokenizer.from_pretrained(bert).save_pretrained(tmp_path / label)
        answer = bertsmith.load(tmp_path / label).next_sentence("a", "b")
        assert answer.label == label
        assert answer.is_next_probability == pytest.approx(torch.tensor(bias).softmax(-1)[0].item())


def test_a_pair_beyond_the_model_is_refused_with_both_lengths(model: Predictor) -> None:
    with pytest.raises(InputError, match=r"next-sentence: found a text of 64 tokens, expected at most 48"):
        model.next_sentence("milk " * 60, "a")


# Classes


def test_classify_is_stocks_softmax(classifier: Path) -> None:
    stock = Stock(classifier, "AutoModelForSequenceClassification")
    found = bertsmith.load(classifier).classify(TEXTS)
    for text, answer in zip(TEXTS, found, strict=True):
        assert answer.probabilities is not None
        assert list(answer.probabilities) == ["good", "bad", "neither"]
        assert_same(list(answer.probabilities.values()), stock.probabilities(text))
        assert answer.label == max(answer.probabilities, key=answer.probabilities.__getitem__)


def test_classify_pairs(classifier: Path) -> None:
    stock, model = Stock(classifier, "AutoModelForSequenceClassification"), bertsmith.load(classifier)
    answers = model.classify(TEXTS[:3], TEXTS[1:4])
    for a, b, answer in zip(TEXTS[:3], TEXTS[1:4], answers, strict=True):
        assert answer.probabilities is not None
        assert_same(list(answer.probabilities.values()), stock.probabilities(a, b))
    assert model.classify(TEXTS[0], TEXTS[1]) == model.classify([TEXTS[0]], [TEXTS[1]])[0]
    with pytest.raises(InputError, match="2 texts and 1 second texts"):
        model.classify(["a", "b"], ["c"])
    assert model.classify([]) == model.classify([], []) == []


def test_a_long_pair_is_cut_from_the_longer_text(classifier: Path, caplog: pytest.LogCaptureFixture) -> None:
    a, b = "milk " * 50, "the room was dark"
    answer = bertsmith.load(classifier).classify(a, b)
    assert answer.truncated_tokens == 50 + 4 + 3 - 48
    assert "was cut" in caplog.text
    stock = Stock(classifier, "AutoModelForSequenceClassification")
    assert answer.probabilities is not None
    expected = stock.probabilities(a, b, truncation="longest_first", max_length=48)
    assert_same(list(answer.probabilities.values()), expected)


# Ids


def test_tokenize_is_the_tokenizer(model: Predictor, tokenizer: Any) -> None:
    answer = model.tokenize("Hello, how are you? [MASK] penguinsx")
    expected = tokenizer("Hello, how are you? [MASK] penguinsx", return_token_type_ids=True)
    assert answer.input_ids == expected["input_ids"]
    assert answer.token_type_ids == expected["token_type_ids"]
    assert answer.attention_mask == expected["attention_mask"]
    assert answer.tokens == tokenizer.convert_ids_to_tokens(expected["input_ids"])
    assert answer.tokens[:3] == ["[CLS]", "hello", ","]
    assert answer.mask_token_id == tokenizer.mask_token_id
    assert list(answer.to_dict()) == [
        "text",
        "tokens",
        "input_ids",
        "token_type_ids",
        "attention_mask",
        "mask_token_id",
    ]


def test_a_tokenizer_that_cuts_and_pads_by_itself_does_neither_here(bert: Path, tmp_path: Path) -> None:
    """The tokenizer file of all-MiniLM sets truncation and padding to 128."""
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(bert, folder)
    from tokenizers import Tokenizer

    backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    backend.enable_truncation(6)
    backend.enable_padding(length=6)
    backend.save(str(folder / "tokenizer.json"))
    model = bertsmith.load(folder)
    assert len(model.tokenize("the man went to the store").input_ids) == 8
    assert len(model.tokenize("a").input_ids) == 3
    assert model.embed("the man went to the store") == bertsmith.load(bert).embed("the man went to the store")


# What a model does not have


def test_an_encoder_without_heads_embeds_and_refuses_the_rest(encoder: Path) -> None:
    model = bertsmith.load(encoder)
    assert len(model.embed("hello").embedding) == 32
    assert model.hidden_states("hello").shape == (1, 3, 32)
    with pytest.raises(ModelError, match=r"has no trained MLM head. Try: bertsmith pretrain STORE --from"):
        model.fill_mask(MOVIE)
    with pytest.raises(ModelError, match=r"has no trained NSP head. Try: bertsmith pretrain STORE --from"):
        model.next_sentence("a", "b")
    with pytest.raises(ModelError, match=r"no classification head \(it is a BertModel\)\. Try: bertsmith finetune"):
        model.classify("a")


def test_a_pretrained_model_has_no_classes(model: Predictor) -> None:
    with pytest.raises(ModelError, match="no classification head"):
        model.classify("a")


def test_a_classifier_embeds_but_fills_no_masks(classifier: Path) -> None:
    model = bertsmith.load(classifier)
    stock = transformers.BertModel.from_pretrained(classifier).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(classifier)
    with torch.no_grad():
        expected = stock(**tokenizer("hello", return_tensors="pt")).last_hidden_state
    torch.testing.assert_close(model.hidden_states("hello"), expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(ModelError, match="no trained MLM head"):
        model.fill_mask(MOVIE)


def test_a_distilbert_fills_masks_as_stock(bert: Path, tmp_path: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(bert)
    torch.manual_seed(0)
    config = transformers.DistilBertConfig(
        vocab_size=len(tokenizer), dim=32, n_layers=1, n_heads=2, hidden_dim=48, max_position_embeddings=48
    )
    stock = transformers.DistilBertForMaskedLM(config).eval()
    stock.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = bertsmith.load(tmp_path)
    inputs = tokenizer(MOVIE, return_tensors="pt")
    inputs.pop("token_type_ids", None)
    with torch.no_grad():
        logits, states = stock(**inputs).logits[0, 3], stock.distilbert(**inputs).last_hidden_state
    (mask,) = model.fill_mask(MOVIE).masks
    assert [entry.id for entry in mask.predictions] == logits.topk(5).indices.tolist()
    torch.testing.assert_close(model.hidden_states(MOVIE), states, rtol=1e-5, atol=1e-5)
    with pytest.raises(ModelError, match="which has an NSP head"):
        model.next_sentence("a", "b")


@pytest.mark.parametrize("words", [40, 46, 47, 60])
def test_a_roberta_has_fewer_places_than_rows_of_positions(bert: Path, tmp_path: Path, words: int) -> None:
    """RoBERTa's positions begin after the id of the padding token: 50 embeddings are 49 positions here."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(bert)
    config = transformers.RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=50,
        type_vocab_size=1,
        pad_token_id=tokenizer.pad_token_id,
    )
    stock = transformers.RobertaForMaskedLM(config).eval()
    stock.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    text = "milk " * words
    answer = bertsmith.load(tmp_path).embed(text)
    assert answer.truncated_tokens == max(words + 2 - 49, 0)
    inputs = tokenizer(text, truncation=True, max_length=49, return_tensors="pt", return_token_type_ids=False)
    with torch.no_grad():
        expected = stock.roberta(**inputs).last_hidden_state[0].mean(0)
    torch.testing.assert_close(torch.tensor(answer.embedding), expected, rtol=1e-5, atol=1e-5)


def test_random_states_are_left_alone(model: Predictor) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = model.fill_mask(MOVIE)
    model.embed(TEXTS)
    assert torch.equal(before, torch.get_rng_state())
    assert model.fill_mask(MOVIE) == first


def test_bf16_is_near_fp32(bert: Path, model: Predictor) -> None:
    rough = bertsmith.load(bert, precision="bf16").embed(TEXTS[:3])
    for answer, exact in zip(rough, model.embed(TEXTS[:3]), strict=True):
        one, other = torch.tensor(answer.embedding), torch.tensor(exact.embedding)
        assert torch.cosine_similarity(one, other, dim=0) > 0.999
        assert not torch.equal(one, other)


def test_a_precision_that_there_is_not(bert: Path) -> None:
    with pytest.raises(OptionError, match="precision: found 'fp8', expected auto, bf16 or fp32"):
        bertsmith.load(bert, precision="fp8")
