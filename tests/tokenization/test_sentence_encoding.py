"""Ids equal those of transformers: 552 texts and 8 pairs for each of the two published vocabularies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.tokenization import sentence_encoding
from bertsmith.tokenization.folder import ids_of, make_tokenizer, save_tokenizer
from bertsmith.tokenization.sentence_encoding import CHUNK_SEPARATOR, CachedSentenceEncoder, ChunkEncoder
from bertsmith.tokenization.wordpiece_entries import SPECIAL_TOKENS

MODELS = ("bert-base-uncased", "bert-base-cased")


def encoder_of(tokenizer: Any) -> CachedSentenceEncoder:
    return CachedSentenceEncoder(tokenizer.backend_tokenizer.to_str())


def by_chunks(encoder: CachedSentenceEncoder, sentences: list[str]) -> tuple[list[int], list[int]]:
    """Ids and lengths computed from a dictionary of chunks; sentences have single spaces only."""
    places: dict[str, int] = {}
    codes = [places.setdefault(chunk, len(places)) for text in sentences for chunk in text.split(" ") if text]
    lengths = np.array([len(text.split(" ")) if text else 0 for text in sentences], np.int64)
    ids, counts = ChunkEncoder(encoder, list(places)).encode(np.array(codes, np.int32), lengths)
    return ids.tolist(), counts.tolist()


def stock(encoder: CachedSentenceEncoder, sentences: list[str]) -> tuple[list[int], list[int]]:
    ids, lengths = encoder.encode(sentences)
    return ids.tolist(), lengths.tolist()


@pytest.fixture(scope="module", params=MODELS)
def golden(request: pytest.FixtureRequest, shared_data: Path) -> tuple[Any, dict[str, Any]]:
    """Our tokenizer for a published vocabulary, and its test cases."""
    cases = json.loads((shared_data / "golden" / "hf_bert_cases.json").read_text())["models"][request.param]
    vocabulary = (shared_data / "golden" / f"{request.param}-vocab.txt").read_text(encoding="utf-8").split("\n")
    assert vocabulary.pop() == ""
    return make_tokenizer(vocabulary, cased=not cases["do_lower_case"]), cases


def test_every_text_has_the_tokens_and_ids_of_transformers(golden: tuple[Any, dict[str, Any]]) -> None:
    tokenizer, expected = golden
    assert len(expected["cases"]) == 552
    wrong = [
        case["text"]
        for case in expected["cases"]
        if tokenizer.tokenize(case["text"]) != case["tokens"] or tokenizer(case["text"])["input_ids"] != case["ids"]
    ]
    assert wrong == []


def test_every_pair_has_the_ids_and_types_of_transformers(golden: tuple[Any, dict[str, Any]]) -> None:
    tokenizer, expected = golden
    assert len(expected["pairs"]) == 8
    for pair in expected["pairs"]:
        encoded = tokenizer(pair["a"], pair["b"])
        assert (encoded["input_ids"], encoded["token_type_ids"]) == (pair["ids"], pair["token_type_ids"]), pair


def test_the_encoder_gives_the_ids_without_special_tokens(golden: tuple[Any, dict[str, Any]]) -> None:
    tokenizer, expected = golden
    cases = expected["cases"]
    wanted = [
        tokenizer.convert_tokens_to_ids(case["plain_tokens"]) if "plain_tokens" in case else case["ids"][1:-1]
        for case in cases
    ]
    assert sum("plain_tokens" in case for case in cases) >= 3
    ids, lengths = encoder_of(tokenizer).encode([case["text"] for case in cases])
    assert lengths.tolist() == [len(item) for item in wanted]
    ends = np.cumsum(lengths)[:-1]
    found = [part.tolist() for part in np.split(ids, ends)]
    assert [case["text"] for case, one, two in zip(cases, found, wanted, strict=True) if one != two] == []
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    assert not special & set(ids.tolist())


def tiny() -> Any:
    return make_tokenizer([*SPECIAL_TOKENS, *"abc[]", "##a", "##b", "##c", "mask"], cased=False)


def test_the_encoder_leaves_the_tokenizer_as_it_was() -> None:
    tokenizer = tiny()
    ids, lengths = encoder_of(tokenizer).encode(["[MASK]", "", "abc"])
    assert tokenizer.convert_ids_to_tokens(ids.tolist()) == ["[", "mask", "]", "a", "##b", "##c"]
    assert lengths.tolist() == [3, 0, 3]
    assert ids_of(tokenizer, "[MASK]") == [tokenizer.mask_token_id]


def test_no_sentences_have_no_ids() -> None:
    ids, lengths = encoder_of(tiny()).encode([])
    assert (ids.tolist(), lengths.tolist(), ids.dtype, lengths.dtype) == ([], [], np.uint32, np.uint32)


TINY = tiny()
ENCODER = encoder_of(TINY)


@given(st.lists(st.text(st.characters(codec="utf-8") | st.sampled_from("abc "), max_size=20), max_size=6))
@settings(max_examples=60)
def test_many_at_a_time_is_one_by_one(sentences: list[str]) -> None:
    ids, lengths = ENCODER.encode(sentences)
    assert lengths.sum() == len(ids)
    assert ids.tolist() == [token for sentence in sentences for token in ids_of(TINY, sentence)]


# The fast path: chunks


def test_chunks_give_the_golden_ids(golden: tuple[Any, dict[str, Any]]) -> None:
    """Every golden text, with white space normalized as in cleaning, all at once and one by one."""
    encoder = encoder_of(golden[0])
    assert encoder.by_chunks
    texts = [" ".join(case["text"].split()) for case in golden[1]["cases"]]
    plain = sum(text == case["text"] for text, case in zip(texts, golden[1]["cases"], strict=True))
    assert plain >= 400
    assert by_chunks(encoder, texts) == stock(encoder, texts)
    for text in texts:
        assert by_chunks(encoder, [text]) == stock(encoder, [text]), text


@pytest.fixture(scope="module")
def encoders(shared_data: Path) -> list[CachedSentenceEncoder]:
    """For both published vocabularies, the uncased one also without stripping accents."""
    found = []
    for name, cased in (("bert-base-uncased", False), ("bert-base-cased", True)):
        lines = (shared_data / "golden" / f"{name}-vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
        found.append(encoder_of(make_tokenizer(lines, cased=cased)))
    content = json.loads(found[0]._tokenizer.to_str())
    content["normalizer"] |= {"strip_accents": False, "handle_chinese_chars": False, "clean_text": False}
    return [*found, CachedSentenceEncoder(json.dumps(content))]


plain_word = st.text(st.sampled_from("abcdeINTH019.,-'()[]#"), min_size=1, max_size=14)
any_word = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
odd_word = st.sampled_from(
    [CHUNK_SEPARATOR, f"a{CHUNK_SEPARATOR}b", "東京都", "naïve", "İstanbul", "ΟΔΟΣ", "ﬁ", "\u200b", "e\u0301",
     "x" * 100, "y" * 101, "\u037e", "[MASK]", "##ing", "\x00", "a\x00b", "\u00ad", "\ue000", "\U00020000", "👩‍🚀", "½",
     "\x7f", "“I", "don’t"]
)  # fmt: skip


@given(st.lists(st.lists(plain_word | any_word | odd_word, max_size=8), max_size=6))
@settings(max_examples=300, deadline=None)
def test_chunks_of_any_text_give_the_ids_of_the_stock_tokenizer(
    encoders: list[CachedSentenceEncoder], sentences: list[list[str]]
) -> None:
    texts = [" ".join(" ".join(words).split()) for words in sentences]
    for encoder in encoders:
        assert by_chunks(encoder, texts) == stock(encoder, texts)


def test_what_was_learnt_is_bounded_and_forgetting_changes_nothing(
    encoders: list[CachedSentenceEncoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentence_encoding, "CACHE_ENTRIES", 50)
    texts = [f"word{number} and überwort{number}, {CHUNK_SEPARATOR}{number}" for number in range(300)]
    expected = stock(encoders[0], texts)
    sizes = []
    found: tuple[list[int], list[int]] = ([], [])
    for start in range(0, 300, 20):
        ids, lengths = by_chunks(encoders[0], texts[start : start + 20])
        found[0].extend(ids)
        found[1].extend(lengths)
        sizes.append(len(encoders[0]._index_of))
    assert found == expected
    assert max(sizes) <= 50 + 4 * 20


def test_a_tokenizer_that_sees_more_than_chunks_is_left_to_itself(encoders: list[CachedSentenceEncoder]) -> None:
    content = json.loads(encoders[0]._tokenizer.to_str())
    added = {"id": 1, "content": "new york", "special": False, "single_word": False, "lstrip": False, "rstrip": False}
    for change in (
        {"added_tokens": [*content["added_tokens"], {**added, "normalized": True}]},
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"normalizer": None},
    ):
        encoder = CachedSentenceEncoder(json.dumps({**content, **change}))
        assert not encoder.by_chunks
        texts = ["to new york, New York!", "", "naïve"]
        assert by_chunks(encoder, texts) == stock(encoder, texts)


def test_truncation_and_padding_in_the_file_cut_nothing() -> None:
    content = json.loads(tiny().backend_tokenizer.to_str())
    content["truncation"] = {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}
    content["padding"] = {
        "strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": None,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]",
    }  # fmt: skip
    encoder = CachedSentenceEncoder(json.dumps(content))
    assert stock(encoder, ["abcabc"])[1] == [6] == by_chunks(encoder, ["abcabc"])[1]


def test_a_saved_tokenizer_is_that_of_transformers(tmp_path: Path, store: Path) -> None:
    from transformers import AutoTokenizer, BertTokenizer

    save_tokenizer(tiny(), tmp_path)
    for folder in (tmp_path, store / "tokenizer"):
        loaded = AutoTokenizer.from_pretrained(folder)
        assert isinstance(loaded, BertTokenizer)
        assert loaded.convert_ids_to_tokens(range(5)) == list(SPECIAL_TOKENS)
        assert (loaded.truncation_side, loaded.backend_tokenizer.truncation) == ("right", None)
    texts = ["A baC [MASK] ab.", "", "[abc] CÀB", "  b\tc "]
    assert [AutoTokenizer.from_pretrained(tmp_path)(text)["input_ids"] for text in texts] == [
        tiny()(text)["input_ids"] for text in texts
    ]
