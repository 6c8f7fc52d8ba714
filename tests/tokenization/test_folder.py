"""Tokenizer folders: loading returns what was saved, and the parts that BERT needs must be present."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest

from bertsmith.errors import ModelError, ResourceError
from bertsmith.tasks.graphemes import whole_clusters
from bertsmith.tokenization.folder import (
    attach_record,
    ids_of,
    load_tokenizer,
    make_tokenizer,
    model_of,
    save_tokenizer,
)
from bertsmith.tokenization.sentence_encoding import CachedSentenceEncoder
from bertsmith.tokenization.wordpiece_entries import SPECIAL_TOKENS

WORDS = ["the", "cafe", "café", "Café", "t", "##he", "The", "İ", "i", "東", "京", ".", "!", "[", "]"]
TEXT = "The Café — 東京! the café. THE"


def tokenizer_of(*words: str, cased: bool = False) -> Any:
    return make_tokenizer([*SPECIAL_TOKENS, *(words or WORDS)], cased=cased)


@pytest.mark.parametrize(
    ("cased", "tokens"),
    [
        (False, ["the", "cafe", "[UNK]", "東", "京", "!", "the", "cafe", ".", "the"]),
        (True, ["The", "Café", "[UNK]", "東", "京", "!", "the", "café", ".", "[UNK]"]),
    ],
)
def test_case_and_accents_survive_the_folder(tmp_path: Path, cased: bool, tokens: list[str]) -> None:
    made = tokenizer_of(cased=cased)
    save_tokenizer(made, tmp_path)
    loaded = load_tokenizer(str(tmp_path))
    for tokenizer in (made, loaded):
        assert tokenizer.tokenize(TEXT) == tokens
    assert loaded.get_vocab() == {token: index for index, token in enumerate([*SPECIAL_TOKENS, *WORDS])}
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["do_lower_case"] is not cased


@pytest.mark.parametrize(
    ("cased", "strip_accents", "tokens"),
    [(False, False, ["café", "café", "cafe"]), (True, True, ["[UNK]", "cafe", "cafe"])],
)
def test_accents_are_a_setting_of_their_own(
    tmp_path: Path, cased: bool, strip_accents: bool, tokens: list[str]
) -> None:
    made = make_tokenizer([*SPECIAL_TOKENS, *WORDS], cased=cased, strip_accents=strip_accents)
    save_tokenizer(made, tmp_path)
    for tokenizer in (made, load_tokenizer(str(tmp_path))):
        assert tokenizer.tokenize("Café café cafe") == tokens


def test_a_longer_word_is_read_after_loading_too(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    vocabulary = [*SPECIAL_TOKENS, "น้ำ", "##น้ำ"]
    made = make_tokenizer(vocabulary, cased=False, strip_accents=False, longest=2_000)
    save_tokenizer(made, tmp_path)
    text = "น้ำ" * 60
    for tokenizer in (made, load_tokenizer(str(tmp_path)), AutoTokenizer.from_pretrained(tmp_path)):
        assert tokenizer.tokenize(text) == ["น้ำ", *["##น้ำ"] * 59]
        assert tokenizer.tokenize("น้ำ" * 667) == ["[UNK]"]
        pair = tokenizer("น้ำ", "น้ำ")
        assert (pair["input_ids"], pair["token_type_ids"]) == ([2, 5, 3, 5, 3], [0, 0, 0, 1, 1])
    stock = make_tokenizer(vocabulary, cased=False, strip_accents=False)
    assert stock.tokenize(text) == ["[UNK]"]


@pytest.mark.parametrize("text", ["Zoë が 한국 में पुणे क़लम أ", "Ångström ế ใต้น้ำ"])
def test_letters_are_the_same_however_their_marks_are_written(tmp_path: Path, text: str) -> None:
    from transformers import AutoTokenizer

    composed = normalize("NFC", text.lower())
    made = make_tokenizer([*SPECIAL_TOKENS, *composed.split()], cased=False, strip_accents=False, composed=True)
    save_tokenizer(made, tmp_path)
    for tokenizer in (made, load_tokenizer(str(tmp_path)), AutoTokenizer.from_pretrained(tmp_path)):
        for form in ("NFC", "NFD"):
            written = normalize(form, text)
            found = tokenizer(written, add_special_tokens=False, return_offsets_mapping=True)
            assert tokenizer.convert_ids_to_tokens(found["input_ids"]) == composed.split()
            starts, ends = whole_clusters(written, *zip(*found["offset_mapping"], strict=True))
            assert [written[start:end] for start, end in zip(starts, ends, strict=True)] == written.split()
    encoder = CachedSentenceEncoder((tmp_path / "tokenizer.json").read_text())
    assert encoder.by_chunks
    chunks = [*normalize("NFD", text).split(), *text.split()]
    assert encoder.encode_chunks(chunks)[0].tolist() == [ids for chunk in chunks for ids in ids_of(made, chunk)]


def test_the_model_of_a_tokenizer(tmp_path: Path) -> None:
    tokenizer = tokenizer_of()
    assert model_of("bert-base-uncased", tokenizer) == "bert-base-uncased"
    (tmp_path / "tokenizer").mkdir()
    assert model_of(str(tmp_path / "tokenizer"), tokenizer) is None
    attach_record(tokenizer, {"model": "runs/base"})
    assert model_of(str(tmp_path / "tokenizer"), tokenizer) == "runs/base"
    (tmp_path / "tokenizer" / "config.json").write_text("{}")
    assert model_of(str(tmp_path / "tokenizer"), tokenizer) == str(tmp_path / "tokenizer")


def test_the_same_vocabulary_gives_the_same_file(tmp_path: Path) -> None:
    first, second = (save_tokenizer(tokenizer_of(), tmp_path / name) for name in "ab")
    assert first == second != save_tokenizer(tokenizer_of(cased=True), tmp_path / "c")


def test_truncation_and_padding_of_a_file_are_reset(tmp_path: Path) -> None:
    save_tokenizer(tokenizer_of(), tmp_path)
    file = tmp_path / "tokenizer.json"
    content = json.loads(file.read_text())
    content["truncation"] = {"direction": "Right", "max_length": 128, "strategy": "LongestFirst", "stride": 0}
    content["padding"] = {
        "strategy": {"Fixed": 128},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }
    file.write_text(json.dumps(content))
    loaded = load_tokenizer(str(tmp_path))
    assert len(loaded("the " * 300)["input_ids"]) == 302
    assert len(loaded("the")["input_ids"]) == 3
    assert len(ids_of(loaded, "the " * 300)) == 300
    save_tokenizer(loaded, tmp_path / "again")
    saved = json.loads((tmp_path / "again" / "tokenizer.json").read_text())
    assert (saved["truncation"], saved["padding"]) == (None, None)


@pytest.mark.parametrize("missing", SPECIAL_TOKENS)
@pytest.mark.parametrize("form", ["vocab.txt", "tokenizer.json"])
def test_a_special_token_that_the_vocabulary_lacks_is_named(tmp_path: Path, missing: str, form: str) -> None:
    vocabulary = [token for token in (*SPECIAL_TOKENS, *WORDS) if token != missing]
    if form == "vocab.txt":
        (tmp_path / "vocab.txt").write_text("\n".join(vocabulary))
        (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    else:
        save_tokenizer(tokenizer_of(), tmp_path)
        content = json.loads((tmp_path / form).read_text())
        content["model"]["vocab"] = {token: index for index, token in enumerate(vocabulary)}
        content["added_tokens"] = [token for token in content["added_tokens"] if token["content"] != missing]
        content["post_processor"] = None
        (tmp_path / form).write_text(json.dumps(content))
    with pytest.raises(ModelError, match=rf"{tmp_path}: the vocabulary lacks \{missing[:-1]}\]"):
        load_tokenizer(str(tmp_path))


def test_a_special_token_may_be_an_added_one(tmp_path: Path) -> None:
    tokenizer = tokenizer_of()
    tokenizer.add_special_tokens({"mask_token": "<mask>"})
    tokenizer.save_pretrained(tmp_path)
    loaded = load_tokenizer(str(tmp_path))
    assert loaded.mask_token_id == len(SPECIAL_TOKENS) + len(WORDS)


def test_a_vocab_txt_alone_is_enough(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join([*SPECIAL_TOKENS, *WORDS]) + "\n")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    assert load_tokenizer(str(tmp_path)).tokenize("The Café") == ["The", "Café"]


def test_the_tokenizer_inside_a_store_is_found(store: Path) -> None:
    assert load_tokenizer(str(store)).get_vocab() == load_tokenizer(str(store / "tokenizer")).get_vocab()


@pytest.mark.parametrize("content", ["", "{", '{"a": 1}', "[]"])
def test_a_broken_tokenizer_file(tmp_path: Path, content: str) -> None:
    save_tokenizer(tokenizer_of(), tmp_path)
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ModelError, match=rf"{tmp_path}: tokenizer.json cannot be read"):
        load_tokenizer(str(tmp_path))


def test_folders_without_a_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"found no tokenizer in this folder, expected tokenizer.json or vocab.txt"):
        load_tokenizer(str(tmp_path))
    with pytest.raises(ModelError, match=r"none: no such folder"):
        load_tokenizer(str(tmp_path / "none"))


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match=r"cannot be written"):
        save_tokenizer(tokenizer_of(), tmp_path / "file" / "tokenizer")
