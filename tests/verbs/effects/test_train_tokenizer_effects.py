"""The effect of each option of `train-tokenizer`."""

from __future__ import annotations

import json

import pytest

from bertsmith.config.prepare import TrainTokenizerOptions
from bertsmith.errors import DataError, OutputError
from support.bench import Bench, effect, workers_seen
from support.effect_files import table_with_stars, texts


@effect(TrainTokenizerOptions, "sources")
def test_tokenizer_sources(bench: Bench) -> None:
    other = bench.file("\n".join(texts()).replace("the", "zyx"))
    assert "zyx" in bench.vocabulary(bench.tokenizer(bench.corpus, other).tokenizer)
    assert "zyx" not in bench.vocabulary(bench.tokenizer(bench.corpus).tokenizer)


@effect(TrainTokenizerOptions, "documents")
def test_tokenizer_documents(bench: Bench) -> None:
    """By lines, the lines of two words are documents, and dropped as too short."""
    source = bench.file("\n".join([*texts(5), *(f"Abracadabra {number}." for number in range(100))]))
    settings = {"vocab_size": 100}
    assert "abracadabra" in bench.vocabulary(bench.tokenizer(source, documents="file", **settings).tokenizer)
    assert "abracadabra" not in bench.vocabulary(bench.tokenizer(source, documents="line", **settings).tokenizer)


@effect(TrainTokenizerOptions, "text_column")
def test_tokenizer_text_column(bench: Bench) -> None:
    source = bench.file(
        json.dumps({"text": " ".join(texts(5)), "other": " ".join(texts(5)).replace("number", "zyx")}), ".jsonl"
    )
    settings = {"vocab_size": 80}
    assert "zyx" not in bench.vocabulary(bench.tokenizer(source, **settings).tokenizer)
    assert "zyx" in bench.vocabulary(bench.tokenizer(source, text_column="other", **settings).tokenizer)


@effect(TrainTokenizerOptions, "separator")
def test_tokenizer_separator(bench: Bench) -> None:
    source = table_with_stars(bench, *(f"{text} zyx" for text in texts()))
    assert "zyx" in bench.vocabulary(bench.tokenizer(source, separator="*", vocab_size=128).tokenizer)


@effect(TrainTokenizerOptions, "encoding", "encoding_errors")
def test_tokenizer_encoding(bench: Bench) -> None:
    source = bench.file(" ".join(texts(10)).replace("number", "été").encode("cp1252"))
    settings = {"cased": True, "vocab_size": 80}
    with pytest.raises(DataError, match="is not utf-8"):
        bench.tokenizer(source, **settings)
    assert "été" in bench.vocabulary(bench.tokenizer(source, encoding="cp1252", **settings).tokenizer)
    replaced = bench.tokenizer(source, encoding_errors="replace", **settings)
    assert not any("é" in entry for entry in bench.vocabulary(replaced.tokenizer))


@effect(TrainTokenizerOptions, "max_documents")
def test_tokenizer_max_documents(bench: Bench) -> None:
    source = bench.file("\n".join([*texts(5), *(text.replace("number", "zyx") for text in texts(10))]))
    settings = {"documents": "line", "vocab_size": 80}
    assert "zyx" in bench.vocabulary(bench.tokenizer(source, **settings).tokenizer)
    assert "zyx" not in bench.vocabulary(bench.tokenizer(source, max_documents=5, **settings).tokenizer)


@effect(TrainTokenizerOptions, "workers")
def test_tokenizer_workers(bench: Bench) -> None:
    seen = workers_seen(bench)
    assert len({bench.tokenizer(workers=workers).sha256 for workers in (1, 2, 3)}) == 1
    assert seen == [2, 3]


@effect(TrainTokenizerOptions, "out")
def test_tokenizer_out(bench: Bench) -> None:
    out = bench.place / "deep" / "tokenizer"
    assert bench.tokenizer(out=out).tokenizer == out
    assert (out / "tokenizer.json").is_file()
    assert [path.name for path in out.parent.iterdir()] == ["tokenizer"]


@effect(TrainTokenizerOptions, "vocab_size")
def test_tokenizer_vocab_size(bench: Bench) -> None:
    small, large = (bench.tokenizer(vocab_size=size) for size in (100, 192))
    assert (small.vocab_size, large.vocab_size) == (128, 192)
    assert "[unused27]" in bench.vocabulary(small.tokenizer)
    assert small.tokens_per_word > large.tokens_per_word


@effect(TrainTokenizerOptions, "cased")
def test_tokenizer_cased(bench: Bench) -> None:
    uncased, cased = (bench.vocabulary(bench.tokenizer(cased=value).tokenizer) for value in (False, True))
    assert not any(entry[0].isupper() for entry in uncased)
    assert "The" in cased


@effect(TrainTokenizerOptions, "accents")
def test_tokenizer_accents(bench: Bench) -> None:
    source = bench.file("\n".join(f"{text} Grüße {'かぎ, かき. ' * 6}" for text in texts()))
    for asked, kept in (("auto", True), ("keep", True), ("strip", False)):
        vocabulary = bench.vocabulary(bench.tokenizer(source, accents=asked).tokenizer)
        assert any("ü" in entry for entry in vocabulary) is kept
        assert any("ぎ" in entry for entry in vocabulary) is kept


@effect(TrainTokenizerOptions, "overwrite")
def test_tokenizer_overwrite(bench: Bench) -> None:
    out = bench.tokenizer().tokenizer
    with pytest.raises(OutputError, match="not empty"):
        bench.tokenizer(out=out, vocab_size=192)
    assert len(bench.vocabulary(out)) == 128
    bench.tokenizer(out=out, vocab_size=192, overwrite=True)
    assert len(bench.vocabulary(out)) == 192


@effect(TrainTokenizerOptions, "compare")
def test_tokenizer_compare(bench: Bench) -> None:
    assert bench.tokenizer().comparison == []
    own, other = bench.tokenizer(compare=str(bench.run)).comparison
    assert (own.vocab_size, other.vocab_size) == (128, 256)
    assert own.tokens_per_word > other.tokens_per_word
    out = ("--out", bench.fresh(), "--vocab-size", 120)
    answer = bench.bertsmith("train-tokenizer", bench.corpus, *out, "--compare", bench.run)
    (line,) = [line for line in answer.stdout.splitlines() if line.strip().startswith(f"{bench.run} ")]
    assert line.split()[1] == "256"
