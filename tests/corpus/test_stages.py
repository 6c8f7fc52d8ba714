"""The stages between text and STORE.

Every loss is counted, no copy of a held-out text is trained on, and the order of files, the number of workers and kills
do not change a byte.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from bertsmith.config.cleaning import DEFAULT_STEPS
from bertsmith.corpus import plan, preparation_estimate
from bertsmith.corpus.cleaning import CleaningOptions
from bertsmith.corpus.engine import Engine
from bertsmith.corpus.plan import CorpusPlan, block_characters, group_files, load_plan, read_blocks, write_plan
from bertsmith.corpus.preparation_estimate import PreparationEstimate
from bertsmith.corpus.reading import ReadingNotes, ReadingOptions, SourceFile, find_files, read_documents
from bertsmith.corpus.splitting import is_held_out
from bertsmith.corpus.stages import count
from bertsmith.corpus.stages.cleaned_corpus import Corpus, build_corpus
from bertsmith.corpus.stages.count import count_corpus_words
from bertsmith.corpus.stages.duplicates import find_all_duplicates
from bertsmith.corpus.stages.encode import encode
from bertsmith.corpus.stages.split import split_corpus
from bertsmith.corpus.store import HELD_OUT, TRAIN, TokenPart, TokenStore
from bertsmith.corpus.text_source import iterate_texts
from bertsmith.errors import ResourceError
from bertsmith.verbs.prepare import PrepareResult, prepare

PARTS = (TRAIN, HELD_OUT)
SHARE = 0.2
SYLLABLES = "ba de fi go lu ma ne pi ro su ta ve wi ko ju sha cre dro ple ston ing ter al en"


def _words() -> tuple[list[str], list[float]]:
    draw = random.Random(1)
    words = sorted({"".join(draw.choices(SYLLABLES.split(), k=draw.randint(1, 4))) for _ in range(6_000)})
    draw.shuffle(words)
    return words, list(accumulate(1 / (rank + 10) for rank in range(len(words))))


WORDS, CUMULATIVE_WEIGHTS = _words()


@cache
def varied(number: int, paragraphs: int = 3) -> str:
    """A document of about 35 words per paragraph, unlike the others; the same number gives the same document."""
    draw = random.Random(number)
    return "\n\n".join(
        " ".join(
            " ".join(draw.choices(WORDS, cum_weights=CUMULATIVE_WEIGHTS, k=draw.randint(9, 14))).capitalize() + "."
            for _ in range(3)
        )
        for _ in range(paragraphs)
    )


def changed(text: str, share: float, seed: int, vocabulary: list[str] | None = None) -> str:
    """The text with a share of its words replaced from a vocabulary, with the same paragraphs."""
    draw = random.Random(seed)
    paragraphs = [paragraph.split(" ") for paragraph in text.split("\n\n")]
    places = [(row, place) for row, words in enumerate(paragraphs) for place in range(len(words))]
    for row, place in draw.sample(places, round(len(places) * share)):
        paragraphs[row][place] = draw.choice(vocabulary or WORDS)
    return "\n\n".join(" ".join(words) for words in paragraphs)


def record(name: str, text: str) -> dict[str, str]:
    return {"id": name, "text": text}


def write_lines(file: Path, records: list[dict[str, Any]]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in records), encoding="utf-8")
    return file


def some_documents(count: int = 100, first: int = 0) -> list[dict[str, str]]:
    return [record(f"v{number}", varied(number)) for number in range(first, first + count)]


def make(source: Path, out: Path, **options: Any) -> PrepareResult:
    result = prepare(source, out=out, **{"vocab_size": 300, "held_out": SHARE, "workers": 1} | options)
    assert isinstance(result, PrepareResult)
    assert result.documents_in == result.documents_kept + sum(result.dropped.values())
    return result


def ids_of(store: Path, part: str) -> set[str]:
    return set(TokenStore(store).part(part).document_ids)


def to_json_lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def contents(store: Path) -> dict[str, str]:
    """The checksums of all files except the manifest and the report."""
    return {
        path.relative_to(store).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in store.rglob("*")
        if path.is_file() and path.name not in ("manifest.json", "report.html")
    }


def manifest_of(store: Path) -> dict[str, Any]:
    """The manifest without timings."""
    manifest = TokenStore(store).manifest.to_dict()
    for name in ("seconds", "stages"):
        manifest["result"].pop(name)
    return manifest


def nobody(done: int, total: int) -> None:
    """Nobody watches."""


def cleaned(
    folder: Path,
    *sources: Path,
    workers: int = 1,
    advance: Callable[[int, int], None] = nobody,
    steps: tuple[str, ...] = DEFAULT_STEPS,
    **options: Any,
) -> Corpus:
    """Read and clean the sources in an empty folder."""
    folder.mkdir(exist_ok=True)
    files = find_files(tuple(map(str, sources)))
    cleaning = CleaningOptions(frozenset(steps))
    asked = write_plan(folder, CorpusPlan(files=files, reading=ReadingOptions(), cleaning=cleaning, **options))
    return build_corpus(folder, asked, Engine(workers=workers), reading=advance, cleaning=advance)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty documents per block. Workers are forked, so they use the same settings."""
    monkeypatch.setattr(plan, "MIN_BLOCK", 16_000)
    monkeypatch.setattr(plan, "GROUP_BYTES", 25_000)


# Reading and cleaning


def test_what_is_counted(tmp_path: Path) -> None:
    texts = ["One went. Two came.\n\nThree.", "\0 ", "Four.", " One went.  Two came.\n\nThree."]
    file = write_lines(tmp_path / "a.jsonl", [{"text": text} for text in texts])
    corpus = cleaned(tmp_path / "w", file, steps=(), statistics=True)
    assert list(iterate_texts(corpus)) == [
        [["One went.", "Two came."], ["Three."]],
        [["\0"]],
        [["Four."]],
        [["One went.", "Two came."], ["Three."]],
    ]
    assert corpus.counts.documents_in == 4 == sum(corpus.documents)
    corpus = cleaned(tmp_path / "x", file, statistics=True)
    assert list(iterate_texts(corpus)) == [[["One went.", "Two came."], ["Three."]]] * 2
    counts = corpus.counts
    assert (counts.documents_in, corpus.dropped) == (4, {"empty": 1, "too short": 1})
    assert corpus.characters == 2 * len("One went. Two came.Three.")
    assert corpus.statistics["document_characters"] == {"4": 2}
    assert (counts.detected, counts.replaced_bytes, corpus.first_id) == ([], 0, "a.jsonl#0")


def test_files_are_read_in_groups_and_cleaned_in_blocks(tmp_path: Path, small_blocks: None) -> None:
    files = [write_lines(tmp_path / f"{name}.jsonl", some_documents(30, first)) for name, first in FOUR.items()]
    seen: list[tuple[int, int]] = []
    corpus = cleaned(tmp_path / "w", *files, advance=lambda done, total: seen.append((done, total)))
    assert load_plan(tmp_path / "w").groups == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert corpus.shards == len(read_blocks(tmp_path / "w")) == 8
    assert sum(corpus.documents) == 120
    assert list(iterate_texts(corpus))[31][0][0] == varied(31).split(".")[0] + "."
    assert not list((tmp_path / "w" / "read").glob("*.arrow"))  # a block is removed after cleaning
    turn = seen.index((4, 4)) + 1
    assert seen[:turn] == sorted(seen[:turn]) and seen[turn:] == sorted(seen[turn:])
    assert seen[-1] == (corpus.shards, corpus.shards)


FOUR = {"a": 0, "b": 30, "c": 60, "d": 90}


def test_the_sizes_of_groups_and_blocks() -> None:
    def files(*sizes: int | None) -> list[SourceFile]:
        return [SourceFile(f"{place}", "", ".txt", size=size) for place, size in enumerate(sizes)]

    large = plan.GROUP_BYTES
    assert group_files([]) == []
    assert group_files(files(0, 0, 0)) == [(0, 3)]
    assert group_files(files(large, 1, large - 1, 5, None, 7)) == [(0, 1), (1, 3), (3, 5), (5, 6)]
    assert group_files(files(*[1] * 10_000)) == [(0, 4_096), (4_096, 8_192), (8_192, 10_000)]
    assert block_characters(files(1, 2, None)) == plan.MIN_BLOCK
    assert block_characters(files(20 << 30)) == (20 << 30) // 512
    assert block_characters(files(1 << 40)) == plan.MAX_BLOCK


any_character = st.characters() | st.sampled_from("\0\r\n\t \x85\u2028\u200b\u200d\ufeff\ud800\udfff.é中ต\U0001f389")
any_text = st.text(any_character, max_size=40) | st.sampled_from(
    ["", " ", "\r", "\ud800", "A. B.\r\n\r\nC.\n\rD.", "\0", "[MASK] [SEP] ##ing", "One two three four. " * 3]
)


@given(
    texts=st.lists(any_text, min_size=1, max_size=8),
    names=st.lists(st.text(any_character, max_size=5), min_size=8, max_size=8),
    steps=st.sampled_from([DEFAULT_STEPS, (), ("controls",), ("unicode", "symbols")]),
)
@example(texts=["\ud800\0\r\n\x85", "e\u0301. \ufeff", "é.", "\r"], names=["\ud800", "\0", "\n", '"'] * 2, steps=())
@settings(max_examples=30, deadline=None)
def test_any_text_is_kept_or_counted_and_encoded_as_the_stock_tokenizer_does(
    tmp_path_factory: pytest.TempPathFactory, store: Path, texts: list[str], names: list[str], steps: tuple[str, ...]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    file = write_lines(folder / "a.jsonl", [record(name, text) for name, text in zip(names, texts, strict=False)])
    corpus = cleaned(folder / "w", file, steps=steps, fingerprints=True)
    assert corpus.counts.documents_in == len(texts)
    split_summary = split_corpus(corpus, find_all_duplicates(corpus, exact=True, near=None, paragraphs=True))
    dropped = Counter(corpus.dropped) + Counter(split_summary.dropped)
    assert len(texts) == split_summary.kept + dropped.total()
    kept = list(iterate_texts(corpus))
    assert all(kept) and all(paragraph for text in kept for paragraph in text)
    assert all(sentence and sentence == sentence.strip() for text in kept for row in text for sentence in row)
    distinct = [text for place, text in enumerate(kept) if text not in kept[:place]]
    assert split_summary.kept == len(distinct)
    shutil.copytree(store / "tokenizer", folder / "w" / "store" / "tokenizer")
    encoded = encode(corpus, 256, nobody)
    stock = Tokenizer.from_file(str(store / "tokenizer" / "tokenizer.json"))
    stock.encode_special_tokens = True  # the names of special tokens are ordinary characters in a text
    ids = [[stock.encode(text, add_special_tokens=False).ids for row in rows for text in row] for rows in distinct]
    part = TokenPart(folder / "w" / "store" / TRAIN)
    found = [part.tokens(start, stop).tolist() for start, stop in pairwise(part.sentence_offsets.tolist())]
    assert found == [sentence for sentences in ids for sentence in sentences if sentence]
    assert encoded.without_tokens == sum(not any(sentences) for sentences in ids)
    assert encoded.unigram.sum() == sum(map(len, found)) == encoded.parts.train.tokens
    shutil.rmtree(folder)


def test_an_id_may_hold_anything(tmp_path: Path) -> None:
    names = ["\ud800", "\0", "a\nb", '"', "é", " ", "\u2028"]
    rows = [record(name, varied(number)) for number, name in enumerate(names)]
    rows += some_documents(60, first=50)
    result = make(write_lines(tmp_path / "a.jsonl", rows), tmp_path / "store", keep_dropped=True)
    assert result.documents_kept == len(rows)
    found = {name for part in PARTS for name in ids_of(result.store, part)}
    assert len(found) == len(rows) and set(names[1:5]) <= found


def test_the_tokens_of_a_chunk_that_is_a_document_are_its_own(tmp_path: Path) -> None:
    """One shard of one-chunk documents, all with different numbers of tokens."""
    rows = [record(str(number), WORDS[number] * (number + 1)) for number in range(12)] + some_documents(60)
    result = make(write_lines(tmp_path / "a.jsonl", rows), tmp_path / "store", clean="none")
    assert (result.dropped, result.documents_kept) == ({}, 72)
    stock = Tokenizer.from_file(str(result.store / "tokenizer" / "tokenizer.json"))
    for part in map(TokenStore(result.store).part, PARTS):
        bounds = part.sentence_offsets[part.document_offsets].tolist()
        for name, (start, stop) in zip(part.document_ids, pairwise(bounds), strict=True):
            text = next(row["text"] for row in rows if row["id"] == name)
            assert part.tokens(start, stop).tolist() == stock.encode(text, add_special_tokens=False).ids


# Dropped texts and reasons


def dropping() -> list[dict[str, str]]:
    """One document per reason for dropping, among sixty others."""
    refrain = "The rain fell on the quiet roofs of the town again."
    long_line = varied(900, paragraphs=1)
    return [
        *some_documents(60),
        record("exact", varied(3)),
        record("near", changed(varied(4), 0.1, seed=4)),
        record("one word", "Alone."),
        record("nothing", " \t\n "),
        record("no text", ""),
        record("signs", "-----=====-----\n\n***+++***"),
        record("signs inside", f"{varied(901)}\n\n*** --- *** --- ***"),
        record("again and again", "\n\n".join([refrain] * 40)),
        record("first with the line", f"{varied(902)}\n\n{long_line}"),
        record("second with the line", f"{varied(903)}\n\n{long_line}\n\n{varied(904, 1)}"),
        record("only the line", long_line),
    ]


def test_every_reason_is_counted(tmp_path: Path) -> None:
    result = make(write_lines(tmp_path / "a.jsonl", dropping()), tmp_path / "store")
    assert result.dropped == {
        "duplicate": 1,
        "duplicate paragraphs": 1,
        "empty": 2,
        "mostly symbols": 1,
        "near-duplicate": 1,
        "repetitive": 1,
        "too short": 1,
    }
    assert result.documents_kept == 63
    assert result.dropped_paragraphs["duplicate paragraphs"] == 1
    assert result.dropped_paragraphs["mostly symbols"] == 3
    kept = {name for part in PARTS for name in ids_of(result.store, part)}
    assert {"signs inside", "first with the line", "second with the line"} <= kept


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_what_was_dropped_can_be_read(tmp_path: Path, small_blocks: None, workers: int) -> None:
    rows = dropping()
    texts = {row["id"]: row["text"] for row in rows}
    result = make(write_lines(tmp_path / "a.jsonl", rows), tmp_path / "store", keep_dropped=True, workers=workers)
    files = sorted((result.store / "dropped").iterdir())
    assert [file.name for file in files] == [f"{number:05d}.jsonl" for number in range(len(files))]
    lines = [line for file in files for line in to_json_lines(file)]
    assert all(set(line) == {"id", "reason", "text", "paragraph"} for line in lines)
    kept = {name for part in PARTS for name in ids_of(result.store, part)}
    gone = texts.keys() - kept
    assert len(gone) == sum(result.dropped.values())
    # A document that is dropped completely is listed with all its text, as a whole or paragraph by paragraph.
    for name in gone - {"nothing", "no text"}:
        said = " ".join(line["text"] for line in lines if line["id"] == name)
        assert said.split() == texts[name].split()
    assert {line["id"] for line in lines} & kept == {"signs inside"} | {
        line["id"] for line in lines if line["reason"] == "duplicate paragraphs" and line["paragraph"] is not None
    }
    whole = Counter(line["reason"] for line in lines if line["paragraph"] is None)
    assert whole == result.dropped
    paragraphs: Counter[str] = Counter()
    for line in lines:
        if line["paragraph"] is not None:
            paragraphs[line["reason"]] += 1
        elif line["reason"] in ("too short", "repetitive"):
            paragraphs[line["reason"]] += len(line["text"].split("\n"))
    assert paragraphs == result.dropped_paragraphs
    listed = TokenStore(result.store).manifest.files
    assert {f"dropped/{file.name}" for file in files} <= listed.keys()
    duplicates = to_json_lines(result.store / "duplicates.jsonl")
    pairs = {(row["kind"], frozenset((row["kept"], *row["dropped"]))) for row in duplicates}
    assert pairs == {("duplicate", frozenset({"v3", "exact"})), ("near-duplicate", frozenset({"v4", "near"}))}


def test_a_document_without_tokens_can_be_read_too(tmp_path: Path) -> None:
    rows = [*some_documents(60), record("joiners", "\u200d\u200d")]
    source = write_lines(tmp_path / "a.jsonl", rows)
    result = make(source, tmp_path / "store", keep_dropped=True, clean="no-symbols,no-short")
    assert result.dropped == {"no tokens": 1}
    lines = [line for file in (result.store / "dropped").iterdir() for line in to_json_lines(file)]
    assert [(line["id"], line["reason"]) for line in lines] == [("joiners", "no tokens")]


def test_nothing_is_written_of_what_is_dropped_unless_asked(tmp_path: Path) -> None:
    result = make(write_lines(tmp_path / "a.jsonl", dropping()), tmp_path / "store")
    assert not (result.store / "dropped").exists()


@pytest.mark.parametrize(
    ("options", "dropped"),
    [
        ({"clean": "none"}, {"empty": 2}),
        ({"clean": "none,duplicates"}, {"duplicate": 1, "empty": 2}),
        ({"clean": "none,near-duplicates"}, {"empty": 2, "near-duplicate": 2}),
        ({"clean": "none,short", "min_words": 40}, {"empty": 2, "too short": 3}),
        ({"clean": "none,near-duplicates", "near_duplicates": 0.95}, {"empty": 2, "near-duplicate": 1}),
        ({"clean": "none,paragraphs"}, {"duplicate paragraphs": 2, "empty": 2}),
        ({"clean": "none,repetitive,symbols"}, {"empty": 2, "mostly symbols": 1, "repetitive": 1}),
    ],
    ids=str,
)
def test_the_steps_that_are_on(tmp_path: Path, options: dict[str, Any], dropped: dict[str, int]) -> None:
    rows = dropping()
    result = make(write_lines(tmp_path / "a.jsonl", rows), tmp_path / "store", **options)
    assert result.dropped == dropped
    kept = {name for part in PARTS for name in ids_of(result.store, part)}
    if options["clean"] == "none":
        assert kept == {row["id"] for row in rows} - {"nothing", "no text"}
        assert not (result.store / "duplicates.jsonl").exists()


def test_files_without_text_and_blocks_without_documents(tmp_path: Path, small_blocks: None) -> None:
    folder = tmp_path / "texts"
    write_lines(folder / "a.jsonl", some_documents(40))
    (folder / "b.txt").write_bytes(b"")
    (folder / "c.txt").write_text(" \n\n\t\r\n" * 5)
    write_lines(folder / "d.jsonl", [record(f"word{number}", "Word. " + "-" * 1_000) for number in range(40)])
    (folder / "e.jsonl").write_text("\n\n")
    write_lines(folder / "f.jsonl", some_documents(40, first=40))
    for workers in (1, 2):
        result = make(folder, tmp_path / str(workers), workers=workers)
        assert result.documents_in == 40 + 1 + 1 + 40 + 1 + 40
        assert result.dropped == {"empty": 3, "too short": 40}
        assert result.documents_kept == 80
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    names = [name for part in PARTS for name in TokenStore(tmp_path / "1").part(part).document_ids]
    assert sorted(names) == sorted(row["id"] for row in some_documents(80))


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_corpus_of_which_nothing_is_left(
    tmp_path: Path, bertsmith: Callable[..., Any], small_blocks: None, workers: int
) -> None:
    rows = [record(str(number), f"{WORDS[number]}.") for number in range(5)] + [record("empty", "")]
    source = write_lines(tmp_path / "in" / "a.jsonl", rows)
    answer = bertsmith("prepare", source, "--out", tmp_path / "out" / "store", "--workers", workers)
    assert answer.code == 2
    assert "a.jsonl: no document is left after cleaning; read 6, dropped: 5 too short, 1 empty" in answer.stderr
    assert not list(tmp_path.glob("out/*"))
    answer = bertsmith("prepare", source, "--out", tmp_path / "out" / "store", "--dry-run")
    assert answer.code == 0 and "6 documents" in answer.stdout and "about 0 tokens" in answer.stdout
    assert not list(tmp_path.glob("out/*"))


# Duplicates and the held-out part


def pairs_of_words(text: str) -> set[tuple[str, str]]:
    words = "".join(sign.lower() if sign.isalnum() else " " if sign.isspace() else "" for sign in text).split()
    return set(pairwise(words))


@pytest.mark.parametrize("by", ["share", "file"])
def test_no_copy_of_a_held_out_document_is_trained_on(tmp_path: Path, small_blocks: None, by: str) -> None:
    originals = some_documents(120)
    if by == "share":
        held_out = {row["id"] for row in originals if is_held_out(row["id"], SHARE, 0)}
        free = (name for name in (f"copy{number}" for number in range(10_000)) if not is_held_out(name, SHARE, 0))
    else:
        held_out = {f"v{number}" for number in range(0, 120, 5)}
        free = (f"copy{number}" for number in range(10_000))
    copied = [row for row in originals if row["id"] in held_out][:12]
    copies = [record(next(free), row["text"]) for row in copied[:4]]
    copies += [record(next(free), changed(row["text"], 0.1, seed=place)) for place, row in enumerate(copied[4:8])]
    line = copied[8]["text"].split("\n\n")[1]
    quoting = record(next(free), f"{varied(801)}\n\n{line}\n\n{varied(802)}")
    # The copies come first, in a separate file and separate blocks.
    write_lines(tmp_path / "in" / "a.jsonl", [*copies, quoting])
    write_lines(tmp_path / "in" / "b.jsonl", originals)
    options: dict[str, Any] = {}
    if by == "file":
        (tmp_path / "ids.txt").write_text("\n".join(sorted(held_out)))
        options["held_out"] = tmp_path / "ids.txt"
    result = make(tmp_path / "in", tmp_path / "store", workers=2, **options)
    assert result.dropped == {"duplicate": 4, "near-duplicate": 4}
    assert result.dropped_paragraphs == {"duplicate paragraphs": 1}
    assert ids_of(result.store, HELD_OUT) == held_out
    train = ids_of(result.store, TRAIN)
    assert not train & {row["id"] for row in copies} and quoting["id"] in train
    part = TokenStore(result.store).part(TRAIN)
    pieces = [place for place, name in enumerate(part.document_ids) if name == quoting["id"]]
    assert len(pieces) == 2, "the quoted paragraph is cut out of the middle"
    texts = {row["id"]: pairs_of_words(row["text"]) for row in (*originals, *copies)}
    for name in train - {quoting["id"]}:
        for other in held_out:
            assert len(texts[name] & texts[other]) < 0.4 * len(texts[name] | texts[other])


def planted(texts: list[str], vocabulary: list[str]) -> tuple[list[dict[str, str]], dict[str, str]]:
    """960 of the texts, 20 copies, and 20 with one word in ten changed; also returns which is a copy of which."""
    draw = random.Random(5)
    chosen = draw.sample(range(960), 40)
    rows = [record(f"d{number}", text) for number, text in enumerate(texts[:960])]
    copies = {f"copy{number}": f"d{number}" for number in chosen}
    for place, number in enumerate(chosen):
        text = texts[number] if place < 20 else changed(texts[number], 0.1, number, vocabulary)
        rows.append(record(f"copy{number}", text))
    draw.shuffle(rows)
    assert len(rows) == 1_000
    return rows, copies


def assert_planted_are_found(rows: list[dict[str, str]], copies: dict[str, str], folder: Path) -> None:
    result = make(write_lines(folder / "a.jsonl", rows), folder / "store", workers=2)
    clusters = [{row["kept"], *row["dropped"]} for row in to_json_lines(folder / "store" / "duplicates.jsonl")]
    for copy, original in copies.items():
        assert any({copy, original} <= cluster for cluster in clusters), f"{copy} is not found"
    kept = {name for part in PARTS for name in ids_of(folder / "store", part)}
    assert not [copy for copy, original in copies.items() if {copy, original} <= kept]
    assert result.documents_kept >= 1_000 - 40 - 2
    assert result.dropped["duplicate"] == 20


def test_planted_duplicates_are_found(tmp_path: Path, small_blocks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "MIN_BLOCK", 250_000)
    assert_planted_are_found(*planted([varied(number) for number in range(960)], WORDS), tmp_path)


@pytest.mark.slow
def test_planted_duplicates_are_found_among_pages_of_books(tmp_path: Path, shared_data: Path) -> None:
    folder = shared_data / "corpora" / "books"
    if not folder.is_dir():
        pytest.skip("the books (../shared/data/corpora/books) are not on this machine")
    pages = []
    for file in find_files((str(folder / "003.jsonl.zst"),)):
        for book in read_documents(file, ReadingOptions(), ReadingNotes()):
            text = [" ".join(paragraph.split()) for paragraph in book.paragraphs if paragraph.strip()]
            pages += ["\n\n".join(text[start : start + 8]) for start in range(0, len(text) - 8, 8)]
    random.Random(0).shuffle(pages)
    pages = [page for page in pages if len(page.split()) >= 60][:960]
    assert_planted_are_found(*planted(pages, " ".join(pages[:100]).split()), tmp_path)


# Counting words


def test_a_sample_of_words_is_a_part_of_the_training_part_and_every_shard_gives_some(
    tmp_path: Path, small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lines(tmp_path / "a.jsonl", [record(f"v{number}", f"{varied(number)} Own{number}.") for number in range(100)])
    counts = {}
    for name, limit, workers in (("all", 10**9, 1), ("some", 12_000, 1), ("again", 12_000, 2)):
        monkeypatch.setattr(count, "SAMPLE_CHARACTERS", limit)
        corpus = cleaned(tmp_path / name, tmp_path / "a.jsonl", workers=workers, held_out_share=SHARE)
        split_corpus(corpus, None)
        counts[name] = count_corpus_words(corpus, nobody)
    assert corpus.shards >= 5 and corpus.characters > 60_000
    whole, some = Counter(counts["all"]), Counter(counts["some"])
    assert counts["again"] == counts["some"]
    assert some <= whole and some.total() < whole.total()
    # Every document has a word of its own: none of the held-out part, some of each shard, whole documents but the last.
    own = {f"Own{number}" for number in range(100)}
    held_out = {f"Own{number}" for number in range(100) if is_held_out(f"v{number}", SHARE, 0)}
    assert own & whole.keys() == own - held_out
    characters = sum(len(word) * count for word, count in some.items())
    assert 0.6 * 12_000 < characters < 12_000
    for number in range(corpus.shards):
        record_of = json.loads((corpus.folder / "count" / f"{number:05d}.json").read_text())
        assert record_of["sentences"] > 0
    assert 5 <= len(own & some.keys()) <= 30


@pytest.mark.slow
def test_a_tokenizer_is_trained_on_the_sample(
    tmp_path: Path, small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_lines(tmp_path / "a.jsonl", some_documents(100))
    monkeypatch.setattr(count, "SAMPLE_CHARACTERS", 30_000)
    results = [make(source, tmp_path / str(workers), workers=workers) for workers in (1, 2)]
    assert contents(results[0].store) == contents(results[1].store)
    monkeypatch.setattr(count, "SAMPLE_CHARACTERS", 10**9)
    whole = make(source, tmp_path / "whole")
    assert whole.tokenizer_sha256 != results[0].tokenizer_sha256
    assert whole.documents_kept == results[0].documents_kept


# Estimates


@pytest.mark.parametrize("form", [".jsonl", pytest.param(".jsonl.gz", marks=pytest.mark.slow), ".txt"])
def test_a_dry_run_writes_nothing_and_is_about_right(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for part in range(3):
        rows = some_documents(60, first=part * 60)
        if form == ".txt":
            for row in rows:
                (folder / f"{row['id']}.txt").write_text(row["text"])
        else:
            raw = "".join(json.dumps(row) + "\n" for row in rows).encode()
            name = folder / f"{part}{form}"
            name.write_bytes(gzip.compress(raw, mtime=0) if form.endswith(".gz") else raw)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    expected = prepare(folder, out=tmp_path / "store", vocab_size=None, held_out=SHARE, dry_run=True)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    assert isinstance(expected, PreparationEstimate)
    result = make(folder, tmp_path / "store", vocab_size=None)
    assert expected.files == (180 if form == ".txt" else 3)
    characters = sum(len(varied(number)) for number in range(180))
    assert result.documents_in == 180
    if form == ".txt":  # only a few of many files are read
        assert 170 < expected.documents < 190
    else:
        assert expected.documents == 180
    assert 0.9 * characters < expected.text_bytes < 1.1 * characters
    assert result.tokens / 2 < expected.tokens < result.tokens * 2
    size = sum(path.stat().st_size for path in result.store.rglob("*.arrow"))
    assert size / 2 < expected.store_bytes < size * 2
    assert expected.fits and expected.free_bytes > expected.disk_bytes > expected.store_bytes
    assert expected.seconds > 0 and expected.memory_bytes > 100e6


def test_a_forecast_of_the_first_documents_alone(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "a.jsonl", some_documents(300))
    whole = prepare(source, out=tmp_path / "store", dry_run=True)
    few = prepare(source, out=tmp_path / "store", dry_run=True, max_documents=50)
    assert (whole.documents, few.documents) == (300, 50)
    assert few.tokens < whole.tokens / 5


def test_a_forecast_from_the_beginning_of_a_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation_estimate, "SAMPLE_CHARACTERS", 100_000)
    source = write_lines(tmp_path / "a.jsonl", some_documents(900))
    expected = prepare(source, out=tmp_path / "store", dry_run=True)
    assert 600 < expected.documents < 1_350
    assert expected.disk_bytes > source.stat().st_size


def test_a_disk_that_would_fill_is_refused_before_anything_is_written(
    tmp_path: Path, bertsmith: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_lines(tmp_path / "in" / "a.jsonl", some_documents(100))
    monkeypatch.setattr(preparation_estimate, "free_bytes", lambda _: 50_000)
    expected = prepare(source, out=tmp_path / "out" / "store", dry_run=True)
    assert (expected.fits, expected.free_bytes) == (False, 50_000)
    with pytest.raises(
        ResourceError, match=r"the disk would fill up: found .*[kMG]B free, expected about .* [MG]B .* --max-documents"
    ):
        prepare(source, out=tmp_path / "out" / "store")
    answer = bertsmith("prepare", source, "--out", tmp_path / "out" / "store")
    assert answer.code == 3 and "the disk would fill up" in answer.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
    monkeypatch.setattr(
        preparation_estimate, "free_bytes", lambda _: 300_000
    )  # enough space, but only a sample of the text shows it
    monkeypatch.setattr(preparation_estimate, "has_ample_space", lambda *_: False)
    make(source, tmp_path / "out" / "store")


# A kill

DRIVER = """
import sys

from bertsmith.corpus import plan
from bertsmith.verbs import prepare
import bertsmith.tokenization.folder, rensa, sentencex, transformers

plan.MIN_BLOCK, plan.GROUP_BYTES = 100_000, 400_000
if __name__ == "__main__":
    from bertsmith.cli import app

    print("ready", flush=True)
    sys.exit(app.run(sys.argv[1:]))
"""
KILLS = 10


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_and_ends_in_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "driver.py").write_text(DRIVER)
    folder = tmp_path / "in"
    for part in range(5):
        write_lines(folder / f"{part}.jsonl", some_documents(400, first=part * 400))
    write_lines(folder / "x.jsonl", dropping())
    unbroken = tmp_path / "unbroken" / "store"
    process, started = _started(tmp_path, folder, unbroken)
    assert process.wait() == 0
    whole = time.monotonic() - started
    assert len(list((unbroken / TRAIN).glob("*.arrow"))) >= 15
    draw = random.Random(7)
    moments = [whole * (number + draw.random()) / KILLS for number in range(KILLS)]
    draw.shuffle(moments)
    attempt = 0
    while moments:
        attempt += 1
        out = tmp_path / f"killed{attempt}" / "store"
        before, done = len(moments), False
        while not done:
            process, started = _started(tmp_path, folder, out, "--resume")
            try:
                process.wait(max(0.0, started + moments[-1] - time.monotonic()) if moments else None)
            except subprocess.TimeoutExpired:
                moments.pop()
                # Kill all processes, or only the parent, whose workers must then end.
                _kill(process, alone=len(moments) % 2 == 0)
            done = process.wait() == 0
        assert contents(out) == contents(unbroken)
        assert manifest_of(out) == manifest_of(unbroken)
        assert [path.name for path in out.parent.iterdir()] == ["store"]
        if len(moments) == before:  # a run from the beginning had finished by then
            moments[-1] *= 0.8


def _started(work: Path, source: Path, out: Path, *more: str) -> tuple[subprocess.Popen[str], float]:
    """Start a run in a separate session; return it after its imports, with the time of that."""
    options = ("--vocab-size", "500", "--held-out", "0.1", "--workers", "2", "--keep-dropped", *more)
    process = subprocess.Popen(
        [sys.executable, str(work / "driver.py"), "prepare", str(source), "--out", str(out), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdout.close()
    return process, time.monotonic()


def _kill(process: subprocess.Popen[str], *, alone: bool) -> None:
    """Kill a run, and check that no process of it is left."""
    if alone:
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    give_up = time.monotonic() + 20
    while left := [number for number in _processes() if _session(number) == process.pid]:
        assert time.monotonic() < give_up, f"processes still run: {left}"
        time.sleep(0.02)


def _processes() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _session(process: int) -> int | None:
    """The session of a running process."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[3]) if fields[0] != "Z" else None
