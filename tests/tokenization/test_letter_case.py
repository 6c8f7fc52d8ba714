"""Capitals, accents and Chinese characters follow the files of a folder, or else its vocabulary."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from bertsmith.tokenization.folder import load_tokenizer, make_tokenizer
from bertsmith.tokenization.letter_case import settings_in_json, settings_of_vocabulary
from bertsmith.tokenization.wordpiece_entries import SPECIAL_TOKENS

CASED = ["The", "the", "Paris", "Émile", "paris", "##is", "émile", ",", "emile", "cafe", "café", "in"]
UNCASED = ["the", "paris", "emile", "cafe", "in", "##is", ","]
ACCENTED = ["the", "paris", "émile", "café", "cafe", "emile", "in", ","]
TEXT = "The Émile café in Paris"


def vocab_txt(folder: Path, entries: list[str], **config: Any) -> Path:
    """A folder with a vocab.txt, and optionally a tokenizer_config.json."""
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join([*SPECIAL_TOKENS, "[unused1]", *entries]) + "\n", encoding="utf-8")
    (folder / "config.json").write_text('{"model_type": "bert"}')
    if config:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("config", [{}, {"model_max_length": 512}], ids=["no file", "a file that does not say it"])
@pytest.mark.parametrize(
    ("entries", "tokens", "said"),
    [
        (
            CASED,
            ["The", "Émile", "café", "in", "Paris"],
            "3 of its 12 entries have capitals and 3 have accents, so cap",
        ),
        (UNCASED, ["the", "emile", "cafe", "in", "paris"], "0 of its 7 entries have capitals and 0 have accents"),
        (ACCENTED, ["the", "émile", "café", "in", "paris"], "text is lowercased and accents are kept"),
    ],
    ids=["cased", "uncased", "accented"],
)
def test_a_vocabulary_alone_shows_its_case(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, entries: list[str], tokens: list[str], said: str, config: Any
) -> None:
    folder = vocab_txt(tmp_path / "m", entries, **config)
    with caplog.at_level(logging.DEBUG, "bertsmith"):
        tokenizer = load_tokenizer(str(folder))
        load_tokenizer(str(folder))
    assert tokenizer.tokenize(TEXT) == tokens
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{folder}: no file states whether the tokenizer is cased; ")
    assert said in record.getMessage()
    tokenizer.save_pretrained(tmp_path / "saved")
    assert load_tokenizer(str(tmp_path / "saved")).tokenize(TEXT) == tokens


def test_a_file_that_says_the_case_is_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "bertsmith"):
        lower = load_tokenizer(str(vocab_txt(tmp_path / "a", CASED, do_lower_case=True)))
        upper = load_tokenizer(str(vocab_txt(tmp_path / "b", CASED, do_lower_case=False)))
    assert lower.tokenize(TEXT) == ["the", "emile", "cafe", "in", "paris"]
    assert upper.tokenize(TEXT) == ["The", "Émile", "café", "in", "Paris"]
    assert not caplog.records


def test_chinese_words_are_not_divided_if_the_vocabulary_holds_them(tmp_path: Path) -> None:
    assert load_tokenizer(str(vocab_txt(tmp_path / "a", ["東京", "東", "京"]))).tokenize("東京") == ["東京"]
    assert load_tokenizer(str(vocab_txt(tmp_path / "b", ["東", "京", "##京"]))).tokenize("東京") == ["東", "京"]


@pytest.mark.parametrize("stray", [0, 1])
def test_a_few_stray_entries_show_nothing(stray: int) -> None:
    """One entry in 200 is less than one in a hundred; special tokens do not count."""
    entries = [*SPECIAL_TOKENS, "[UNUSED]", *(["Stray"] * stray), *(f"word{number}" for number in range(200))]
    assert settings_of_vocabulary(entries).settings["do_lower_case"] is True
    assert settings_of_vocabulary([]).settings["do_lower_case"] is True


@pytest.mark.parametrize("removed", ["settings", "file"])
def test_the_normaliser_of_a_tokenizer_json_says_it(tmp_path: Path, removed: str) -> None:
    """transformers 5.23 lowercases here, whatever tokenizer.json contains."""
    make_tokenizer([*SPECIAL_TOKENS, *CASED], cased=True).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    file = tmp_path / "tokenizer_config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps({name: value for name, value in config.items() if name != "do_lower_case"}))
    if removed == "file":
        file.unlink()
    assert load_tokenizer(str(tmp_path)).tokenize(TEXT) == ["The", "Émile", "café", "in", "Paris"]


def test_accents_that_a_tokenizer_json_keeps_are_kept(tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.WordPiece({token: n for n, token in enumerate([*SPECIAL_TOKENS, *ACCENTED])}))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    assert load_tokenizer(str(tmp_path)).tokenize(TEXT) == ["the", "émile", "café", "in", "paris"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"model": {"type": "Unigram"}, "normalizer": {"type": "Lowercase"}}, {}),
        ({"model": {"type": "WordPiece"}, "normalizer": None}, (False, False, False)),
        (
            {
                "model": {"type": "WordPiece"},
                "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}]},
            },
            (False, True, False),
        ),
        (
            {
                "model": {"type": "WordPiece"},
                "normalizer": {
                    "type": "BertNormalizer",
                    "lowercase": True,
                    "strip_accents": None,
                    "handle_chinese_chars": True,
                },
            },
            (True, None, True),
        ),
    ],
)
def test_the_settings_in_a_tokenizer_json(content: dict[str, Any], expected: Any) -> None:
    names = ("do_lower_case", "strip_accents", "tokenize_chinese_chars")
    assert settings_in_json(content) == (dict(zip(names, expected, strict=True)) if expected else {})


def test_both_originals(shared_data: Path) -> None:
    found = {}
    for name in ("cased", "uncased"):
        entries = (shared_data / "golden" / f"bert-base-{name}-vocab.txt").read_text(encoding="utf-8").split()
        found[name] = settings_of_vocabulary(entries).settings
    assert found["cased"] == {"do_lower_case": False, "strip_accents": None, "tokenize_chinese_chars": True}
    assert found["uncased"] == {"do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True}


def test_a_model_in_the_cache_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "models--somebody--cased"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("abc")
    (place / "snapshots").mkdir()
    vocab_txt(place / "snapshots" / "abc", CASED)
    for module in (
        "huggingface_hub.constants",
        "huggingface_hub.file_download.constants",
        "transformers.utils.hub.constants",
    ):
        monkeypatch.setattr(f"{module}.HF_HUB_CACHE", str(tmp_path))
    assert load_tokenizer("somebody/cased").tokenize(TEXT) == ["The", "Émile", "café", "in", "Paris"]
