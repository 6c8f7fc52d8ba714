"""The effect of each option of `extend-tokenizer`."""

from __future__ import annotations

import json

import pytest

from bertsmith.config.extend_tokenizer import ExtendTokenizerOptions
from bertsmith.errors import DataError, OutputError
from support.bench import Bench, effect, workers_seen
from support.effect_files import table_with_stars, text_with, texts


@effect(ExtendTokenizerOptions, "model")
def test_extend_model(bench: Bench) -> None:
    """The word that is an entry of one tokenizer is new to the other."""
    own = bench.tokenizer(bench.file(text_with("zyxzyx zyxzyx")), vocab_size=200, documents="line").tokenizer
    assert "zyxzyx" in bench.vocabulary(own)
    source = bench.file(text_with("zyxzyx wow"))
    found = [bench.added(source, model=model, add=40, documents="line") for model in (bench.run, own)]
    assert [("zyxzyx" in words, "wow" in words) for words in found] == [(True, True), (False, True)]


@effect(ExtendTokenizerOptions, "sources")
def test_extend_sources(bench: Bench) -> None:
    other = bench.file(text_with("zyx"))
    settings = {"add": 400, "documents": "line"}
    assert "zyx" in bench.added(bench.corpus, other, **settings)
    assert "zyx" not in bench.added(bench.corpus, **settings)


@effect(ExtendTokenizerOptions, "documents")
def test_extend_documents(bench: Bench) -> None:
    """What is kept apart is whole documents where there are enough of them."""
    source = bench.file("\n".join(texts()))
    for form, level in (("line", "documents"), ("file", "paragraphs")):
        out = bench.extend(source, documents=form).tokenizer
        assert json.loads((out / "extension.json").read_text())["measured_on"] == f"a tenth of the text, by {level}"


@effect(ExtendTokenizerOptions, "text_column")
def test_extend_text_column(bench: Bench) -> None:
    rows = ({"text": text, "other": f"{text} And zyx."} for text in texts())
    source = bench.file("".join(json.dumps(row) + "\n" for row in rows), ".jsonl")
    assert "zyx" not in bench.added(source, add=400)
    assert "zyx" in bench.added(source, add=400, text_column="other")


@effect(ExtendTokenizerOptions, "separator")
def test_extend_separator(bench: Bench) -> None:
    source = table_with_stars(bench, *(f"{text} And zyx." for text in texts()))
    assert "zyx" in bench.added(source, add=400, separator="*")


@effect(ExtendTokenizerOptions, "encoding", "encoding_errors")
def test_extend_encoding(bench: Bench) -> None:
    source = bench.file(text_with("łódź").encode("cp1250"))
    settings = {"add": 400, "documents": "line"}
    with pytest.raises(DataError, match="is not utf-8"):
        bench.extend(source, **settings)
    assert "łodz" in bench.added(source, encoding="cp1250", **settings)
    replaced = bench.added(source, encoding_errors="replace", **settings)
    assert "łodz" not in replaced
    assert "number" in replaced


@effect(ExtendTokenizerOptions, "max_documents")
def test_extend_max_documents(bench: Bench) -> None:
    source = bench.file("\n".join([*texts(80), *[f"{text} And zyx." for text in texts()[80:]]]))
    settings = {"add": 400, "documents": "line"}
    assert "zyx" in bench.added(source, **settings)
    assert "zyx" not in bench.added(source, max_documents=80, **settings)


@effect(ExtendTokenizerOptions, "workers")
def test_extend_workers(bench: Bench) -> None:
    seen = workers_seen(bench)
    assert len({bench.extend(workers=workers).sha256 for workers in (1, 2, 3)}) == 1
    assert seen == [2, 3]


@effect(ExtendTokenizerOptions, "add")
def test_extend_add(bench: Bench) -> None:
    one, three = (bench.extend(add=number) for number in (1, 3))
    assert (one.vocab_size, three.vocab_size) == (257, 259)
    assert one.tokens_per_word["before"] == three.tokens_per_word["before"]
    assert one.tokens_per_word["after"] > three.tokens_per_word["after"]


@effect(ExtendTokenizerOptions, "out")
def test_extend_out(bench: Bench) -> None:
    out = bench.place / "deep" / "tokenizer"
    assert bench.extend(out=out).tokenizer == out
    assert (out / "tokenizer.json").is_file()
    assert [path.name for path in out.parent.iterdir()] == ["tokenizer"]


@effect(ExtendTokenizerOptions, "min_count")
def test_extend_min_count(bench: Bench) -> None:
    source = bench.file("\n".join([*texts(119), f"{texts()[119]} And zyx zyx."]))
    settings = {"add": 400, "documents": "line"}
    assert "zyx" in bench.added(source, min_count=2, **settings)
    assert "zyx" not in bench.added(source, **settings)


@effect(ExtendTokenizerOptions, "overwrite")
def test_extend_overwrite(bench: Bench) -> None:
    out = bench.extend().tokenizer
    with pytest.raises(OutputError, match="not empty"):
        bench.extend(out=out, add=2)
    assert len(bench.vocabulary(out)) == 257
    bench.extend(out=out, add=2, overwrite=True)
    assert len(bench.vocabulary(out)) == 258
