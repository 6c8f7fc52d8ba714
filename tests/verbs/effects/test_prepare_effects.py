"""The effect of each option of `prepare`."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from bertsmith.config.prepare import PrepareOptions
from bertsmith.errors import DataError, OptionError, OutputError
from support.bench import Bench, effect, workers_seen
from support.effect_files import table_with_stars, texts


@effect(PrepareOptions, "sources")
def test_prepare_sources(bench: Bench) -> None:
    other = bench.file("\n".join(texts(3)))
    assert bench.prepare(documents="line").documents_in == 120
    assert bench.prepare(bench.corpus, other, documents="line").documents_in == 123


@effect(PrepareOptions, "documents")
def test_prepare_documents(bench: Bench) -> None:
    source = bench.file("\n\n".join("\n".join([text, "And nothing else."]) for text in texts()))
    found = {form: bench.prepare(source, documents=form) for form in ("auto", "file", "blank-line", "line")}
    counts = {form: (result.documents_in, result.dropped) for form, result in found.items()}
    assert counts == {
        "auto": (120, {}),
        "file": (1, {}),
        "blank-line": (120, {}),
        "line": (240, {"duplicate": 119}),
    }


@effect(PrepareOptions, "text_column")
def test_prepare_text_column(bench: Bench) -> None:
    rows = [{"text": text, "other": f"{text} {text}"} for text in texts()]
    source = bench.file("\n".join(map(json.dumps, rows)), ".jsonl")
    once, twice = bench.prepare(source), bench.prepare(source, text_column="other")
    assert twice.sentences == 2 * once.sentences
    with pytest.raises(DataError, match="no key 'words'; the keys are 'text', 'other'"):
        bench.prepare(source, text_column="words")


@effect(PrepareOptions, "separator")
def test_prepare_separator(bench: Bench) -> None:
    source = table_with_stars(bench, *texts())
    with pytest.raises(DataError, match=r"no column|fields, expected"):
        bench.prepare(source, text_column="text")
    plain = bench.file("\n".join(texts()))
    assert bench.prepare(source, separator="*").sentences == bench.prepare(plain, documents="line").sentences


@effect(PrepareOptions, "encoding", "encoding_errors")
def test_prepare_encoding(bench: Bench) -> None:
    source = bench.file("\n".join(texts()).replace("winter", "été").encode("cp1252"))
    settings = {"documents": "line", "cased": True}
    with pytest.raises(DataError, match="is not utf-8"):
        bench.prepare(source, **settings)
    right = bench.prepare(source, encoding="cp1252", **settings)
    assert any("é" in entry for entry in bench.vocabulary(right.store))
    assert bench.manifest(right.store)["replaced_bytes"] == 0
    replaced = bench.prepare(source, encoding_errors="replace", **settings)
    assert not any("é" in entry for entry in bench.vocabulary(replaced.store))
    assert bench.manifest(replaced.store)["replaced_bytes"] == source.read_bytes().count(b"\xe9")


@effect(PrepareOptions, "language")
def test_prepare_language(bench: Bench) -> None:
    source = bench.file("\n".join(f"{text} Er kam am 3. Januar. Dann ging er." for text in texts()))
    english, german = (bench.prepare(source, documents="line", language=code) for code in ("en", "de"))
    assert english.sentences == german.sentences + 120, "only in German '3.' before a month ends no sentence"


@effect(PrepareOptions, "max_documents")
def test_prepare_max_documents(bench: Bench) -> None:
    assert bench.prepare(max_documents=100).documents_in == 100


@effect(PrepareOptions, "workers")
def test_prepare_workers(bench: Bench) -> None:
    seen = workers_seen(bench)
    results = [bench.prepare(workers=workers) for workers in (1, 2, 3)]
    assert seen == [2, 3]
    assert len({result.tokenizer_sha256 for result in results}) == 1
    files = [bench.manifest(result.store)["files"] for result in results]
    assert sum(name.startswith("train/data-") for name in files[0]) > 10, "there are blocks for several processes"
    assert all(facts == files[0][name] for some in files for name, facts in some.items() if name.endswith(".arrow"))


@effect(PrepareOptions, "out")
def test_prepare_out(bench: Bench) -> None:
    out = bench.place / "deep" / "store"
    assert bench.prepare(out=out).store == out
    assert (out / "manifest.json").is_file()
    assert [path.name for path in out.parent.iterdir()] == ["store"]


@effect(PrepareOptions, "vocab_size")
def test_prepare_vocab_size(bench: Bench) -> None:
    for size in (128, 192):
        result = bench.prepare(vocab_size=size)
        assert result.vocab_size == len(bench.vocabulary(result.store)) == size


@effect(PrepareOptions, "tokenizer")
def test_prepare_tokenizer(bench: Bench) -> None:
    result = bench.prepare(tokenizer=bench.run)
    assert bench.vocabulary(result.store) == bench.vocabulary(bench.run)
    assert bench.vocabulary(result.store) != bench.vocabulary(bench.prepare().store)


@effect(PrepareOptions, "add_words")
def test_prepare_add_words(bench: Bench) -> None:
    """Words that cost the tiny RUN's tokenizer most, behind its entries; no word more than there are."""
    base = bench.vocabulary(bench.run)
    for wanted in (1, 3):
        result = bench.prepare(tokenizer=bench.run, add_words=wanted)
        entries = bench.vocabulary(result.store)
        assert entries[: len(base)] == base
        assert len(entries) - len(base) == result.added_words == wanted
        assert all(entry.isalpha() for entry in entries[len(base) :])
    bench.listen()
    assert bench.prepare(tokenizer=bench.run).added_words == 0


@effect(PrepareOptions, "cased")
def test_prepare_cased(bench: Bench) -> None:
    uncased, cased = (bench.vocabulary(bench.prepare(cased=value).store) for value in (False, True))
    assert not any(entry[0].isupper() for entry in uncased)
    assert "The" in cased


@effect(PrepareOptions, "accents")
def test_prepare_accents(bench: Bench) -> None:
    """What the text asks for, and the opposite of it."""
    german = bench.file("\n".join(f"{text} Schöne Grüße." for text in texts()))
    hindi = bench.file("\n".join(f"{text} {'मैं पुणे में हूं। ' * 6}" for text in texts()))
    for source, asked, mark, kept in (
        (german, "auto", "ü", False),
        (german, "keep", "ü", True),
        (hindi, "auto", "े", True),
        (hindi, "strip", "े", False),
    ):
        vocabulary = bench.vocabulary(bench.prepare(source, documents="line", accents=asked).store)
        assert any(mark in entry for entry in vocabulary) is kept


@effect(PrepareOptions, "held_out")
def test_prepare_held_out(bench: Bench) -> None:
    few, many = (bench.held_out(bench.prepare(held_out=share).store) for share in (0.2, 0.4))
    assert few < many, "a larger share holds out the same documents and others"
    ids = bench.file("document-3\ndocument-5\ndocument-77\n")
    assert bench.held_out(bench.prepare(held_out=ids).store) == {"document-3", "document-5", "document-77"}


@effect(PrepareOptions, "seed")
def test_prepare_seed(bench: Bench) -> None:
    first, same, other = (bench.held_out(bench.prepare(seed=seed).store) for seed in (0, 0, 1))
    assert first == same != other


@effect(PrepareOptions, "overwrite")
def test_prepare_overwrite(bench: Bench) -> None:
    out = bench.prepare().store
    with pytest.raises(OutputError, match="not empty"):
        bench.prepare(out=out, vocab_size=128)
    assert bench.manifest(out)["result"]["vocab_size"] == 192
    bench.prepare(out=out, vocab_size=128, overwrite=True)
    assert bench.manifest(out)["result"]["vocab_size"] == 128


@effect(PrepareOptions, "resume")
def test_prepare_resume(bench: Bench) -> None:
    """Interrupted after the text is read; `resume` does not read it again, and without it it is read again."""
    from bertsmith.corpus.preparation import tokenizer
    from bertsmith.corpus.stages import read as stage

    def interrupt(*args: Any, **values: Any) -> None:
        raise KeyboardInterrupt

    read: list[Any] = []
    bench.watch(stage, "read_task", lambda *args, **values: read.append(args))
    stores = []
    for resume in (False, True):
        out = bench.fresh()
        with bench.monkeypatch.context() as patch:
            patch.setattr(tokenizer, "train_wordpiece", interrupt)
            with pytest.raises(KeyboardInterrupt):
                bench.prepare(out=out)
        assert not out.exists()
        read.clear()
        stores.append(bench.prepare(out=out, resume=resume).store)
        assert len(read) == (0 if resume else 1)
    first, second = (bench.manifest(store) for store in stores)
    assert first["files"]["train/data-00000-of-00001.arrow"] == second["files"]["train/data-00000-of-00001.arrow"]


@effect(PrepareOptions, "dry_run")
def test_prepare_dry_run(bench: Bench) -> None:
    found = bench.prepare(dry_run=True)
    assert (found.files, found.documents, found.fits) == (1, 120, True)
    assert 0 < found.store_bytes < found.disk_bytes < found.free_bytes
    assert list(bench.place.iterdir()) == []


@effect(PrepareOptions, "clean")
def test_prepare_clean(bench: Bench) -> None:
    source = bench.file("\n".join(["* * * * *", *texts(200)]))
    with_symbols = bench.prepare(source, clean="no-symbols,no-near-duplicates")
    assert bench.prepare(source).dropped_paragraphs == {"mostly symbols": 1}
    assert with_symbols.dropped_paragraphs == {}


@effect(PrepareOptions, "min_words")
def test_prepare_min_words(bench: Bench) -> None:
    source = bench.file("\n".join(["One two three four.", *texts(200)]))
    for words, dropped in ((3, {}), (5, {"too short": 1})):
        found = bench.prepare(source, documents="line", min_words=words).dropped
        assert {name: count for name, count in found.items() if name == "too short"} == dropped


@effect(PrepareOptions, "near_duplicates")
def test_prepare_near_duplicates(bench: Bench) -> None:
    words = [f"word{number}" for number in range(100)]
    like = [*words[:92], *(f"other{number}" for number in range(8))]  # 91 of 107 pairs in both: 0.85 or so
    others = np.random.default_rng(0).choice([f"item{number}" for number in range(500)], (200, 100))
    lines = [words, like, *others.tolist()]
    source = bench.file("\n".join(" ".join(line) + "." for line in lines))
    for threshold, dropped in ((0.5, 1), (1.0, 0)):
        found = bench.prepare(source, documents="line", near_duplicates=threshold, clean="none,near-duplicates")
        assert found.dropped.get("near-duplicate", 0) == dropped


@effect(PrepareOptions, "keep_dropped")
def test_prepare_keep_dropped(bench: Bench) -> None:
    source = bench.file("\n".join(["* * * * *", *texts(200)]))
    assert not (bench.prepare(source).store / "dropped").exists()
    lines = (bench.prepare(source, keep_dropped=True).store / "dropped" / "00000.jsonl").read_text().splitlines()
    assert [(json.loads(line)["reason"], json.loads(line)["text"]) for line in lines] == [
        ("mostly symbols", "* * * * *")
    ]


@effect(PrepareOptions, "engine", "engine_address")
def test_prepare_engine(bench: Bench) -> None:
    """The real clusters are in tests/corpus/test_engine.py; here: which engine is given the stages."""
    from bertsmith.corpus.engine import cluster

    seen: list[tuple[str, str | None]] = []

    def refuse(engine: Any, *rest: Any) -> None:
        seen.append((engine.name, engine.address))
        raise OptionError("no cluster")

    bench.monkeypatch.setattr(cluster, "run_on_cluster", refuse)
    with pytest.raises(OptionError, match="no cluster"):
        bench.prepare(engine="ray", engine_address="10.0.0.1:6379")
    assert seen == [("ray", "10.0.0.1:6379")]
