"""Ids are those of transformers: 552 texts and 8 pairs for each of the two published vocabularies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.tokenization.encoding import SentenceEncoder
from bertsmith.tokenization.folder import SPECIAL_TOKENS, ids_of, make_tokenizer, save_tokenizer

MODELS = ("bert-base-uncased", "bert-base-cased")


@pytest.fixture(scope="module", params=MODELS)
def golden(request: pytest.FixtureRequest, shared_data: Path) -> tuple[Any, dict[str, Any]]:
    """Our tokenizer of a published vocabulary, and the cases for it."""
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
    ids, lengths = SentenceEncoder(tokenizer).encode([case["text"] for case in cases])
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
    ids, lengths = SentenceEncoder(tokenizer).encode(["[MASK]", "", "abc"])
    assert tokenizer.convert_ids_to_tokens(ids.tolist()) == ["[", "mask", "]", "a", "##b", "##c"]
    assert lengths.tolist() == [3, 0, 3]
    assert ids_of(tokenizer, "[MASK]") == [tokenizer.mask_token_id]


def test_no_sentences_have_no_ids() -> None:
    ids, lengths = SentenceEncoder(tiny()).encode([])
    assert (ids.tolist(), lengths.tolist(), ids.dtype, lengths.dtype) == ([], [], np.uint32, np.uint32)


TINY = tiny()
ENCODER = SentenceEncoder(TINY)


@given(st.lists(st.text(st.characters(codec="utf-8") | st.sampled_from("abc "), max_size=20), max_size=6))
@settings(max_examples=60)
def test_many_at_a_time_is_one_by_one(sentences: list[str]) -> None:
    ids, lengths = ENCODER.encode(sentences)
    assert lengths.sum() == len(ids)
    assert ids.tolist() == [token for sentence in sentences for token in ids_of(TINY, sentence)]


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
