"""`train-tokenizer`: SOURCE to a tokenizer folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from bertsmith.errors import DataError, OutputError
from bertsmith.verbs.train_tokenizer import train_tokenizer


def test_the_same_text_in_any_order_gives_the_same_file(tmp_path: Path, corpus_file: Path) -> None:
    lines = corpus_file.read_text().splitlines(keepends=True)
    for number, start in enumerate((0, 60)):
        (tmp_path / f"{number}.jsonl").write_text("".join(lines[start : start + 60]))
    whole = train_tokenizer(corpus_file, out=tmp_path / "whole", vocab_size=256, workers=1)
    parts = train_tokenizer(
        tmp_path / "1.jsonl", tmp_path / "0.jsonl", out=tmp_path / "parts", vocab_size=256, workers=2
    )
    assert whole.sha256 == parts.sha256
    assert whole.sha256 == hashlib.sha256((tmp_path / "whole" / "tokenizer.json").read_bytes()).hexdigest()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.jsonl", "1.jsonl", "parts", "whole"]


def test_the_measures_are_those_of_transformers_on_the_text(tmp_path: Path, corpus_file: Path) -> None:
    from transformers import AutoTokenizer

    result = train_tokenizer(corpus_file, out=tmp_path / "tokenizer", vocab_size=192, workers=1)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
    assert len(tokenizer) == result.vocab_size == 192
    texts = [json.loads(line)["text"] for line in corpus_file.read_text().splitlines()]
    tokens = [token for text in texts for token in tokenizer.tokenize(text)]
    words = sum(not token.startswith("##") for token in tokens)
    assert result.tokens_per_word == pytest.approx(len(tokens) / words)
    assert result.unknown_rate == 0.0


def test_it_learns_from_all_of_the_text(tmp_path: Path, corpus_file: Path) -> None:
    text = corpus_file.read_text()
    (tmp_path / "a.jsonl").write_text(text + '{"text": "Zyzzyva zyzzyva zyzzyva."}\n')
    train_tokenizer(tmp_path / "a.jsonl", out=tmp_path / "tokenizer", vocab_size=300, cased=True, workers=1)
    vocabulary = json.loads((tmp_path / "tokenizer" / "tokenizer.json").read_text())["model"]["vocab"]
    assert {"Z", "##z"} <= set(vocabulary)


def test_a_failure_leaves_nothing_and_a_folder_in_the_way_is_kept(tmp_path: Path, corpus_file: Path) -> None:
    with pytest.raises(DataError, match=r"--vocab-size 50000: too large, expected at most"):
        train_tokenizer(corpus_file, out=tmp_path / "tokenizer", vocab_size=50_000, workers=1)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    for overwrite in (False, True):
        with pytest.raises(OutputError):
            train_tokenizer(corpus_file, out=tmp_path / "mine", vocab_size=256, overwrite=overwrite)
    train_tokenizer(corpus_file, out=tmp_path / "tokenizer", vocab_size=256, workers=1)
    train_tokenizer(corpus_file, out=tmp_path / "tokenizer", vocab_size=192, workers=1, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "tokenizer"]
