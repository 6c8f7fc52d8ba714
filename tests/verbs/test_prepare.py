"""SOURCE to STORE: counts, bytes, stages, and what is left where it fails."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertsmith.corpus import blocks, decisions, fingerprints, plan, shards
from bertsmith.corpus import store as store_module
from bertsmith.corpus.preparation import description, division, tokenizer
from bertsmith.corpus.preparation.tokenizer import default_vocab_size
from bertsmith.corpus.stages import clean, count, encode, read
from bertsmith.corpus.store import HELD_OUT, TRAIN, TokenStore
from bertsmith.errors import DataError, OptionError, OutputError, ResourceError
from bertsmith.tokenization.alphabet import Alphabet
from bertsmith.verbs import prepare as verb
from bertsmith.verbs.prepare import PrepareResult, prepare

PARTS = (TRAIN, HELD_OUT)
ALL_DOCUMENTS = "no-near-duplicates"
"""The shared corpus is made of few phrases: by chance two of its documents are alike enough to be taken for one."""


def make(source: Path, out: Path, **options: Any) -> PrepareResult:
    return prepare(source, out=out, **{"vocab_size": 256, "held_out": 0.2, "workers": 1} | options)


def write_lines(file: Path, records: list[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


def records_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def contents(store: Path) -> dict[str, str]:
    """The checksums of all that is made from text and options alone: every file but the manifest and the report."""
    files = {path.relative_to(store).as_posix(): path for path in store.rglob("*") if path.is_file()}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in files.items()
        if name not in ("manifest.json", "report.html")
    }


def manifest_of(store: Path) -> dict[str, Any]:
    """The manifest without how fast."""
    manifest = TokenStore(store).manifest.to_dict()
    for name in ("seconds", "stages"):
        manifest["result"].pop(name)
    return manifest


def facts(result: PrepareResult) -> dict[str, Any]:
    """A result without where and how fast."""
    return {name: value for name, value in result.to_dict().items() if name not in ("store", "seconds", "stages")}


def ids_of_documents(store: Path, part: str) -> dict[str, list[list[int]]]:
    """The ids of each document of a part, by its pieces."""
    opened = TokenStore(store).part(part)
    offsets = opened.sentence_offsets[opened.document_offsets].tolist()
    found: dict[str, list[list[int]]] = {}
    for index, name in enumerate(opened.document_ids):
        found.setdefault(name, []).append(opened.tokens(offsets[index], offsets[index + 1]).tolist())
    return found


@pytest.fixture
def notes(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """What was said so far."""
    caplog.set_level(logging.INFO, "bertsmith")
    return lambda: "\n".join(record.getMessage() for record in caplog.records)


# What comes out


def test_counts_and_manifest_agree_with_the_store(corpus_file: Path, tmp_path: Path) -> None:
    records = records_of(corpus_file)
    extra = [{"id": "again", "text": records[0]["text"]}, {"id": "blank", "text": " \x00 "}]
    extra.append({"id": "invisible", "text": "\u200b\u200d"})
    source = write_lines(tmp_path / "a.jsonl", records + extra)
    result = make(source, tmp_path / "store", clean="none,duplicates")
    assert result.documents_in == 123 == result.documents_kept + sum(result.dropped.values())
    assert result.dropped == {"duplicate": 1, "no tokens": 2}
    store = TokenStore(tmp_path / "store")
    train, held_out = (store.part(part) for part in PARTS)
    documents = [set(part.document_ids) for part in (train, held_out)]
    assert not documents[0] & documents[1]
    assert len(documents[0] | documents[1]) == result.documents_kept == 120
    assert len(documents[1]) == result.held_out_documents
    assert result.sentences == train.num_sentences + held_out.num_sentences == 120 * 12
    assert result.tokens == train.num_tokens + held_out.num_tokens
    assert result.vocab_size == 256
    manifest = store.manifest.to_dict()
    assert manifest["result"].items() >= {**facts(result), "seconds": result.seconds}.items()
    assert {"read and clean", "encode"} <= manifest["result"]["stages"].keys() <= result.stages.keys()
    assert manifest["held_out"]["by"] == "documents"
    assert manifest["parts"][TRAIN] == {
        "documents": train.num_fragments,
        "sentences": train.num_sentences,
        "tokens": train.num_tokens,
    }
    assert manifest["characters"] > 50_000
    assert manifest["versions"]["bertsmith"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "store"]


def test_every_checksum_is_true_and_every_file_is_listed(store: Path) -> None:
    manifest = TokenStore(store).manifest.to_dict()
    files = {path.relative_to(store).as_posix() for path in store.rglob("*") if path.is_file()}
    assert set(manifest["files"]) == files - {"manifest.json", "report.html"}
    for name, listed in manifest["files"].items():
        raw = (store / name).read_bytes()
        assert listed == {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
    assert manifest["result"]["tokenizer_sha256"] == manifest["files"]["tokenizer/tokenizer.json"]["sha256"]


def test_the_ids_are_those_of_transformers_sentence_by_sentence(store: Path, corpus_file: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(store / "tokenizer")
    found = ids_of_documents(store, TRAIN) | ids_of_documents(store, HELD_OUT)
    assert len(found) == TokenStore(store).manifest.result.documents_kept >= 115
    texts = {record["id"]: record["text"] for record in records_of(corpus_file)}
    for name, pieces in found.items():
        assert pieces == [tokenizer(texts[name], add_special_tokens=False)["input_ids"]]


def test_unigram_counts_are_those_of_the_training_part(store: Path) -> None:
    counts = np.zeros(256, np.int64)
    for pieces in ids_of_documents(store, TRAIN).values():
        for piece in pieces:
            np.add.at(counts, piece, 1)
    assert json.loads((store / "unigram.json").read_text()) == counts.tolist()


def test_the_tokenizer_learns_from_the_training_part_alone(tmp_path: Path, corpus_file: Path) -> None:
    # Near-duplicates stay: whether a text of the training part is one depends on those that are held out.
    first = make(corpus_file, tmp_path / "first", clean=ALL_DOCUMENTS)
    held_out = set(ids_of_documents(first.store, HELD_OUT))
    changed = [
        {**record, "text": record["text"].replace("the", "qzx")} if record["id"] in held_out else record
        for record in records_of(corpus_file)
    ]
    result = make(write_lines(tmp_path / "a.jsonl", changed), tmp_path / "store", clean=ALL_DOCUMENTS)
    assert result.tokenizer_sha256 == first.tokenizer_sha256
    assert contents(result.store) != contents(first.store)
    (tmp_path / "ids.txt").write_text("\n".join(f"document-{number}" for number in range(40)))
    other = make(corpus_file, tmp_path / "other", held_out=tmp_path / "ids.txt", clean=ALL_DOCUMENTS)
    assert other.tokenizer_sha256 != result.tokenizer_sha256


def test_the_name_of_a_special_token_is_read_as_characters(tmp_path: Path, corpus_file: Path) -> None:
    records = records_of(corpus_file)
    for record in records:
        record["text"] += " The [MASK] and [CLS] and [SEP] of [PAD]."
    make(write_lines(tmp_path / "a.jsonl", records), tmp_path / "store", vocab_size=300)
    store = TokenStore(tmp_path / "store")
    special = {0, 2, 3, 4}
    for part in map(store.part, PARTS):
        assert not special & set(part.tokens(0, part.num_tokens).tolist())
    vocabulary = json.loads((tmp_path / "store/tokenizer/tokenizer.json").read_text())["model"]["vocab"]
    assert {"[", "]", "mask"} <= set(vocabulary)


def test_cased_keeps_capitals_and_accents(tmp_path: Path, corpus_file: Path) -> None:
    for cased in (False, True):
        result = make(corpus_file, tmp_path / str(cased), cased=cased)
        vocabulary = json.loads((result.store / "tokenizer/tokenizer.json").read_text())["model"]["vocab"]
        assert any(token.islower() for token in vocabulary)
        assert any(token[0].isupper() for token in vocabulary if token[0] != "[") is cased


# The same every time


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shared corpus is 4 blocks. Workers are forked, so they see the same numbers."""
    monkeypatch.setattr(plan, "MIN_BLOCK", 30_000)
    monkeypatch.setattr(plan, "GROUP_BYTES", 40_000)


STARTS = (0, 30, 60, 90)


def in_files(corpus_file: Path, folder: Path) -> list[Path]:
    """The shared corpus as four files, of which the second group of the reading begins inside."""
    folder.mkdir()
    records = records_of(corpus_file)
    return [
        write_lines(folder / f"{name}.jsonl", records[at : at + 30]) for name, at in zip("abcd", STARTS, strict=True)
    ]


@pytest.mark.parametrize(
    "held_out", [pytest.param(0.2, id="documents"), pytest.param(0.02, id="paragraphs", marks=pytest.mark.slow)]
)
def test_the_same_bytes_for_any_number_of_workers_and_any_order_of_files(
    tmp_path: Path, corpus_file: Path, small_blocks: None, held_out: float
) -> None:
    files = in_files(corpus_file, tmp_path / "files")
    orders = {1: files, 2: files[::-1], 3: [*files[2:], tmp_path / "files"]}
    results = {}
    for workers, sources in orders.items():
        results[workers] = prepare(
            *map(str, sources), out=tmp_path / str(workers), vocab_size=256, held_out=held_out, workers=workers
        )
    first = results[1]
    assert len(list((first.store / TRAIN).glob("*.arrow"))) >= 4
    manifests = [manifest_of(result.store) for result in results.values()]
    for result, manifest in zip(results.values(), manifests, strict=True):
        assert contents(result.store) == contents(first.store)
        assert facts(result) == facts(first)
        manifest["options"].pop("sources")
    assert manifests[0] == manifests[1] == manifests[2]


def test_blocks_change_the_files_and_nothing_that_is_in_them(
    tmp_path: Path, corpus_file: Path, store: Path, small_blocks: None
) -> None:
    result = make(corpus_file, tmp_path / "store", workers=2)
    assert facts(result).items() <= TokenStore(store).manifest.result.to_dict().items()
    for part in PARTS:
        assert list(ids_of_documents(result.store, part).items()) == list(ids_of_documents(store, part).items())
    for name in ("unigram.json", "duplicates.jsonl", "tokenizer/tokenizer.json"):
        assert (result.store / name).read_bytes() == (store / name).read_bytes()


def test_max_documents_takes_the_first_by_the_names_of_the_files(
    tmp_path: Path, corpus_file: Path, small_blocks: None
) -> None:
    files = in_files(corpus_file, tmp_path / "files")
    results = [
        prepare(
            *map(str, sources),
            out=tmp_path / name,
            vocab_size=256,
            held_out=0.2,
            workers=workers,
            max_documents=70,
            clean=ALL_DOCUMENTS,
        )
        for name, workers, sources in (("one", 1, files), ("two", 2, files[::-1]))
    ]
    assert [result.documents_in for result in results] == [70, 70]
    assert contents(results[0].store) == contents(results[1].store)
    found = {name for part in PARTS for name in ids_of_documents(results[0].store, part)}
    assert found == {f"document-{number}" for number in range(70)}


def test_max_documents_reads_no_further_in_a_file(tmp_path: Path, corpus_file: Path) -> None:
    source = tmp_path / "a.jsonl"
    source.write_text(corpus_file.read_text() + "this is not JSON\n")
    result = make(source, tmp_path / "store", max_documents=120)
    assert result.documents_in == 120
    with pytest.raises(DataError, match="line 121: not JSON"):
        make(source, tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "store"]


def test_max_documents_reads_no_further_in_later_files(tmp_path: Path, corpus_file: Path, small_blocks: None) -> None:
    in_files(corpus_file, tmp_path / "files")
    (tmp_path / "files/z.jsonl").write_text("this is not JSON\n")
    assert make(tmp_path / "files", tmp_path / "store", max_documents=110).documents_in == 110


def test_documents_stay_on_their_side_when_the_corpus_grows(tmp_path: Path, corpus_file: Path) -> None:
    records = records_of(corpus_file)
    # Which of two near-duplicates stays may change with the corpus: one that is held out comes before all others.
    small = make(write_lines(tmp_path / "small.jsonl", records[:80]), tmp_path / "small", clean=ALL_DOCUMENTS)
    large = make(corpus_file, tmp_path / "large", clean=ALL_DOCUMENTS)
    for part in PARTS:
        assert set(ids_of_documents(small.store, part)) <= set(ids_of_documents(large.store, part))


# The held-out part


def test_few_documents_give_runs_of_paragraphs_and_it_is_said(
    tmp_path: Path, corpus_file: Path, notes: Callable[[], str]
) -> None:
    result = make(corpus_file, tmp_path / "store", held_out=0.02)
    assert "held out: runs of paragraphs of all documents: " in notes()
    store = TokenStore(tmp_path / "store")
    assert store.manifest.held_out.by == "paragraphs"
    assert store.part(HELD_OUT).num_tokens >= 2_000
    whole = {name: [token for piece in pieces for token in piece] for name, pieces in _joined(result.store).items()}
    assert len(whole) == result.documents_kept
    assert sum(map(len, whole.values())) == result.tokens


def _joined(store: Path) -> dict[str, list[list[int]]]:
    """The pieces of both parts of each document, in the order of its sentences."""
    pieces: dict[str, list[tuple[int, list[int]]]] = {}
    for part in PARTS:
        opened = TokenStore(store).part(part)
        offsets = opened.sentence_offsets[opened.document_offsets].tolist()
        for index, name in enumerate(opened.document_ids):
            place = int(opened.first_sentences[index])
            pieces.setdefault(name, []).append((place, opened.tokens(offsets[index], offsets[index + 1]).tolist()))
    return {name: [ids for _, ids in sorted(found)] for name, found in pieces.items()}


def test_one_book(tmp_path: Path, shared_data: Path, notes: Callable[[], str]) -> None:
    result = prepare(shared_data / "corpora" / "meditations.txt", out=tmp_path / "store", workers=1)
    assert (result.documents_in, result.documents_kept, result.held_out_documents) == (1, 1, 1)
    assert "no blank lines: one document, its lines are paragraphs" in notes()
    assert "runs of paragraphs of all documents: a hash would hold out 0 of 1 documents" in notes()
    assert "vocabulary size: 1024 (about 1,000 characters an entry" in notes()
    store = TokenStore(tmp_path / "store")
    held_out = store.part(HELD_OUT)
    assert 2_000 <= held_out.num_tokens <= 0.08 * result.tokens
    assert 4 <= held_out.num_fragments <= 8
    train = store.part(TRAIN)
    assert train.document_of_fragment.tolist() == [0] * train.num_fragments
    covered = sorted(
        (int(first), int(first + count))
        for part in (train, held_out)
        for first, count in zip(part.first_sentences, np.diff(part.document_offsets), strict=True)
    )
    assert covered[0][0] == 0
    assert all(one[1] == two[0] for one, two in pairwise(covered))
    assert covered[-1][1] == result.sentences


def test_a_file_of_ids(tmp_path: Path, corpus_file: Path, notes: Callable[[], str]) -> None:
    (tmp_path / "ids.txt").write_text("document-3\ndocument-77\nnobody\n")
    result = make(corpus_file, tmp_path / "store", held_out=tmp_path / "ids.txt")
    assert set(ids_of_documents(result.store, HELD_OUT)) == {"document-3", "document-77"}
    assert "held out: 2 documents that ids.txt lists (1 ids were not found, or their documents were dropped)" in notes()
    (tmp_path / "ids.txt").write_text("nobody\n")
    with pytest.raises(DataError, match=r"0 of its 1 ids are among the \d+ documents \(the first of these is 'docu"):
        make(corpus_file, tmp_path / "other", held_out=tmp_path / "ids.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ids.txt", "store"]


# Tokenizers


def test_a_tokenizer_that_exists_is_taken_as_it_is(tmp_path: Path, corpus_file: Path, store: Path) -> None:
    result = make(corpus_file, tmp_path / "other", vocab_size=None, tokenizer=str(store))
    # transformers notes in its configuration that the tokenizer was loaded from a folder
    settings = {"tokenizer/tokenizer_config.json"}
    assert contents(result.store).items() ^ contents(store).items() <= {
        (name, contents(folder)[name]) for name in settings for folder in (result.store, store)
    }
    assert TokenStore(tmp_path / "other").manifest.choices == []


def size_that_was_said(notes: str) -> int:
    """The entries of a vocabulary that was trained; there can be rows more, up to a multiple of 64."""
    found = re.search(r"vocabulary size: ([\d,]+) \(", notes)
    assert found is not None, notes
    return int(found[1].replace(",", ""))


def test_chinese_gets_an_alphabet_that_covers_it(tmp_path: Path, notes: Callable[[], str]) -> None:
    draw = random.Random(0)
    characters = [chr(0x4E00 + number) for number in range(1_500)]
    sentences = ["".join(draw.choices(characters, k=20)) + "。" for _ in range(2_000)]
    (tmp_path / "zh.txt").write_text("\n".join(sentences))
    result = prepare(tmp_path / "zh.txt", out=tmp_path / "store", language="zh", workers=1)
    assert 1_490 <= size_that_was_said(notes()) <= 1_506
    assert size_that_was_said(notes()) <= result.vocab_size < size_that_was_said(notes()) + 64
    part = TokenStore(tmp_path / "store").part(TRAIN)
    assert np.mean(part.tokens(0, part.num_tokens) == 1) < 0.001
    with pytest.raises(DataError, match=r"a vocabulary of 8,000 entries was asked for, but .* support"):
        prepare(tmp_path / "zh.txt", out=tmp_path / "other", language="zh", workers=1, vocab_size=8_000)


def test_a_vocabulary_larger_than_the_text_supports_is_refused_when_asked_for(
    tmp_path: Path, corpus_file: Path, notes: Callable[[], str]
) -> None:
    with pytest.raises(DataError, match=r"a vocabulary of 20,000 entries was asked for, but"):
        make(corpus_file, tmp_path / "store", vocab_size=20_000)
    assert list(tmp_path.iterdir()) == []
    result = make(corpus_file, tmp_path / "store", vocab_size=None)
    size = size_that_was_said(notes())
    assert size <= result.vocab_size < min(size + 64, 1_024)
    assert f"vocabulary size: {size} (all that the text supports; 1,024 was aimed at" in notes()


@pytest.mark.parametrize(
    ("characters", "entries", "size"),
    [
        (10, 512, 1_024),
        (10, 513, 2_048),  # more than half of it would be characters
        (2_048_000, 513, 2_048),
        (2_047_999, 512, 1_024),
        (9_000_000, 4_096, 8_192),
        (9_000_000, 4_097, 16_384),
        (10**12, 1_000, 30_528),
        (1_500_000, 4_616, 16_384),
        (10**9, 4_616, 30_528),
        (10, 40_000, 30_528),
    ],
)
def test_the_size_that_is_chosen(characters: int, entries: int, size: int) -> None:
    assert default_vocab_size(characters, Alphabet(1_000, entries, entries, 0.0))[0] == size


# Interrupted, resumed, refused


def _raise(error: BaseException) -> Any:
    raise error


def interrupt(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


STOPS: list[tuple[Any, str, int]] = [
    (read, "write_block", 3),
    (read, "arrange_blocks", 1),
    (clean, "write_shard", 3),
    (division, "find_all_duplicates", 1),
    (division, "divide", 1),
    (count, "count_words_of", 3),
    (tokenizer, "train_wordpiece", 1),
    (tokenizer, "save_tokenizer", 1),
    (encode, "encode", 1),
    (encode, "write_rows", 4),
    (encode, "finish_part", 2),
    (description, "sha256_of", 3),
    (description, "store_report", 1),
    (verb, "publish_folder", 1),
]
"""Where a run is stopped: at which call of which function."""
QUICK_STOPS = {"write_shard", "save_tokenizer", "write_rows", "store_report"}


@pytest.fixture(scope="module")
def expected(corpus_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared corpus in four blocks, never interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "MIN_BLOCK", 30_000)
        folder = tmp_path_factory.mktemp("expected") / "store"
        make(corpus_file, folder, keep_dropped=True)
    return folder


def stop_at(patch: pytest.MonkeyPatch, module: Any, name: str, call: int, then: Callable[..., Any] = interrupt) -> None:
    real, calls = getattr(module, name), [0]

    def counted(*arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        return (then if calls[0] == call else real)(*arguments, **options)

    patch.setattr(module, name, counted)


@pytest.mark.parametrize(
    ("module", "name", "call"),
    [
        pytest.param(
            *stop,
            id=stop[1],
            marks=[
                *([] if stop[1] in QUICK_STOPS else [pytest.mark.slow]),
            ],
        )
        for stop in STOPS
    ],
)
def test_an_interrupted_run_goes_on_and_ends_in_the_same_bytes(
    tmp_path: Path,
    corpus_file: Path,
    expected: Path,
    monkeypatch: pytest.MonkeyPatch,
    small_blocks: None,
    notes: Callable[[], str],
    module: Any,
    name: str,
    call: int,
) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, module, name, call)
        with pytest.raises(KeyboardInterrupt):
            make(corpus_file, tmp_path / "store", keep_dropped=True)
    assert [path.name for path in tmp_path.iterdir()] == [".store.preparing"]
    with monkeypatch.context() as patch:
        # What is done is not done again.
        place = [stop[1] for stop in STOPS].index(name)
        if place > 0:
            patch.setattr(read, "read_task", interrupt)
        if place > 2:
            patch.setattr(clean, "clean_task", interrupt)
        if place > 7:
            patch.setattr(division, "find_all_duplicates", interrupt)
            patch.setattr(tokenizer, "train_wordpiece", interrupt)
        if place > 9:
            patch.setattr(encode, "encode_task", interrupt)
        result = make(corpus_file, tmp_path / "store", keep_dropped=True, resume=True, workers=2)
    assert "going on with what was done already" in notes()
    assert contents(result.store) == contents(expected)
    assert manifest_of(result.store) == manifest_of(expected)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_store_that_was_published_before_its_work_was_removed(
    tmp_path: Path, corpus_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = verb.publish_folder

    def publish(*arguments: Any) -> None:
        real(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(verb, "publish_folder", publish)
        with pytest.raises(KeyboardInterrupt):
            make(corpus_file, tmp_path / "store")
    make(corpus_file, tmp_path / "store", resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


@pytest.mark.parametrize("change", ["options", "source"])
def test_stages_of_other_options_or_other_text_are_not_taken_over(
    tmp_path: Path, corpus_file: Path, monkeypatch: pytest.MonkeyPatch, change: str, notes: Callable[[], str]
) -> None:
    source = Path(shutil.copy(corpus_file, tmp_path / "a.jsonl"))
    with monkeypatch.context() as patch:
        patch.setattr(encode, "encode", interrupt)
        with pytest.raises(KeyboardInterrupt):
            make(source, tmp_path / "store")
    if change == "source":
        write_lines(source, records_of(corpus_file)[:110])
    result = make(source, tmp_path / "store", resume=True, seed=int(change == "options"))
    assert result.documents_in == (110 if change == "source" else 120)
    assert "others than those of an interrupted prepare; starting from the beginning" in notes()
    assert "going on" not in notes()


def test_ids_to_hold_out_that_changed_are_not_mixed_with_the_old_ones(
    tmp_path: Path, corpus_file: Path, monkeypatch: pytest.MonkeyPatch, small_blocks: None
) -> None:
    (tmp_path / "ids.txt").write_text("document-3\ndocument-77\n")
    with monkeypatch.context() as patch:
        stop_at(patch, clean, "write_shard", 3)
        with pytest.raises(KeyboardInterrupt):
            make(corpus_file, tmp_path / "store", held_out=tmp_path / "ids.txt")
    (tmp_path / "ids.txt").write_text("document-5\ndocument-78\n")
    result = make(corpus_file, tmp_path / "store", held_out=tmp_path / "ids.txt", resume=True)
    assert set(ids_of_documents(result.store, HELD_OUT)) == {"document-5", "document-78"}


@pytest.mark.slow
def test_a_second_run_without_resume_starts_from_the_beginning(
    tmp_path: Path, corpus_file: Path, expected: Path, monkeypatch: pytest.MonkeyPatch, small_blocks: None
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(encode, "encode", interrupt)
        with pytest.raises(KeyboardInterrupt):
            make(corpus_file, tmp_path / "store", keep_dropped=True)
    (tmp_path / ".store.preparing/divided.json").write_text("{}")
    make(corpus_file, tmp_path / "store", keep_dropped=True)
    assert contents(tmp_path / "store") == contents(expected)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_plan_is_read_once(tmp_path: Path, corpus_file: Path, small_blocks: None, workers: int) -> None:
    plan._read_plan.cache_clear()
    make(corpus_file, tmp_path / "store", workers=workers)
    assert plan._read_plan.cache_info().misses == 1


def test_resume_of_nothing(tmp_path: Path, corpus_file: Path, store: Path, notes: Callable[[], str]) -> None:
    result = make(corpus_file, tmp_path / "store", resume=True)
    assert "there is no trace of an interrupted prepare; starting from the beginning" in notes()
    assert contents(result.store) == contents(store)


def test_resume_of_a_finished_store(tmp_path: Path, corpus_file: Path, notes: Callable[[], str]) -> None:
    first = make(corpus_file, tmp_path / "store")
    before = contents(first.store)
    assert facts(make(corpus_file, tmp_path / "store", resume=True, workers=2)) == facts(first)
    assert "is finished already" in notes()
    with pytest.raises(OptionError, match=r"finished and was prepared with other options"):
        make(corpus_file, tmp_path / "store", resume=True, seed=1)
    assert contents(first.store) == before


def test_resume_of_a_finished_store_answers_what_the_first_run_answered(tmp_path: Path, corpus_file: Path) -> None:
    first = make(corpus_file, tmp_path / "store")
    assert make(corpus_file, tmp_path / "store", resume=True) == first


def test_folders_that_are_in_the_way(tmp_path: Path, corpus_file: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    for options in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(OutputError):
            make(corpus_file, mine, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (mine / "thesis.txt").read_text() == "years of work"


def test_overwrite_replaces_a_store_only_when_the_new_one_is_whole(
    tmp_path: Path, corpus_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(corpus_file, tmp_path / "store")
    before = contents(tmp_path / "store")
    with monkeypatch.context() as patch:
        patch.setattr(description, "store_report", interrupt)
        with pytest.raises(KeyboardInterrupt):
            make(corpus_file, tmp_path / "store", overwrite=True, seed=1)
    assert contents(tmp_path / "store") == before
    make(corpus_file, tmp_path / "store", overwrite=True, seed=1)
    assert contents(tmp_path / "store") != before
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_resume_after_an_interrupted_overwrite_is_not_answered_with_the_old_store(
    tmp_path: Path, corpus_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_lines(tmp_path / "a.jsonl", records_of(corpus_file)[:100])
    make(source, tmp_path / "store")
    write_lines(source, records_of(corpus_file))
    with monkeypatch.context() as patch:
        patch.setattr(encode, "encode", interrupt)
        with pytest.raises(KeyboardInterrupt):
            make(source, tmp_path / "store", overwrite=True)
    try:
        assert make(source, tmp_path / "store", resume=True).documents_in == 120
    except OptionError as refused:  # to be told to give --overwrite again would do too
        assert "--overwrite" in str(refused)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"text": "One."}\nnot JSON\n', r"line 2: not JSON"),
        (b'{"text": "On\xe9."}\n', r"byte 12 \(0xe9\) is not utf-8"),
        (b'{"text": " "}\n{"text": ""}\n', r"a.jsonl: no document is left of 2 that were read; dropped: 2 empty"),
        (b'{"text": "One short sentence."}\n', r"too small for a held-out part: 3 words.*10,500 words are needed"),
    ],
)
def test_nothing_is_left_behind_by_a_wrong_corpus(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    for workers in (1, 2):
        with pytest.raises(DataError, match=message):
            make(tmp_path / "a.jsonl", tmp_path / "deep" / "store", workers=workers)
        assert not (tmp_path / "deep").exists() or list((tmp_path / "deep").iterdir()) == []


def test_the_sample_of_the_original_code_is_too_small(tmp_path: Path, shared_data: Path) -> None:
    with pytest.raises(DataError, match=r"too small for a held-out part: 7\d\d words"):
        prepare(shared_data / "golden" / "sample_text.txt", out=tmp_path / "store")
    assert list(tmp_path.iterdir()) == []


# A full disk

KINDS = (
    *("options.json", "plan.json", "read/N-N.arrow", "read/N.json", "blocks.json"),
    *("clean/N.npz", "clean/N.documents.npy", "clean/N.signatures.npy", "clean/N.bands.npy", "clean/N.paragraphs.npy"),
    *("clean/N.dropped.jsonl", "clean/N.json", "store/duplicates.jsonl", "decide/N.npz", "count/quota.json"),
    *("count/N.arrow", "count/N.json", "store/tokenizer/tokenizer.json", "store/tokenizer/tokenizer_config.json"),
    *("store", "divided.json", "encode/vocabulary.json", "store/train/data-N-of-N.arrow"),
    *("encode/N.unigram.npy", "store/held_out/data-N-of-N.arrow", "store/dropped/N.jsonl", "encode/N.json"),
    *("store/train/dataset_info.json", "store/train/state.json", "store/held_out/dataset_info.json"),
    *("store/held_out/state.json", "store/unigram.json", "store/dataset_dict.json", "store/manifest.json"),
    "store/report.html",
)
"""Every kind of file that is flushed to the disk, in its order; `store` is the folder."""
QUICK = {"decide/N.npz", "store/train/data-N-of-N.arrow", "store"}
KEPT_FROM = KINDS.index("clean/N.json") + 1


def kind_of(handle: int, aside: Path) -> str:
    """What kind of file a handle writes."""
    path = Path(f"/proc/self/fd/{handle}").readlink()
    name = re.sub(r"^\.(.+?)(\.\d+)?\.partial$", r"\1", path.name)
    return re.sub(r"\d{4,}", "N", path.with_name(name).relative_to(aside).as_posix())


def test_every_kind_of_file_is_flushed_and_known_here(
    tmp_path: Path, corpus_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        kinds.append(kind_of(handle, tmp_path / ".store.preparing"))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    make(corpus_file, tmp_path / "store", keep_dropped=True)
    assert set(kinds) == set(KINDS)
    assert list(dict.fromkeys(kinds)) == list(KINDS)


@pytest.mark.parametrize(
    "full",
    [
        pytest.param(
            kind,
            marks=[
                *([] if kind in QUICK else [pytest.mark.slow]),
            ],
        )
        for kind in KINDS
    ],
)
def test_a_full_disk(
    tmp_path: Path,
    corpus_file: Path,
    expected: Path,
    monkeypatch: pytest.MonkeyPatch,
    small_blocks: None,
    full: str,
) -> None:
    real = os.fsync

    def fsync(handle: int) -> None:
        if kind_of(handle, tmp_path / ".store.preparing") == full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(ResourceError, match=r"cannot be written: .*[Nn]o space left on device.*GB free") as caught:
            make(corpus_file, tmp_path / "store", keep_dropped=True)
    assert caught.value.exit_code == 3
    # What was cleaned is kept for --resume; before that nothing is, and never anything at --out.
    kept = [".store.preparing"] if KINDS.index(full) >= KEPT_FROM else []
    assert [path.name for path in tmp_path.iterdir()] == kept
    assert not list(tmp_path.rglob("*.partial"))
    result = make(corpus_file, tmp_path / "store", keep_dropped=True, resume=True)
    assert contents(result.store) == contents(expected)
    assert manifest_of(result.store) == manifest_of(expected)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


@pytest.mark.parametrize(
    "full", ["clean/N.signatures.npy", pytest.param("store/held_out/data-N-of-N.arrow", marks=pytest.mark.slow)]
)
def test_a_disk_that_is_full_in_a_worker(
    tmp_path: Path, corpus_file: Path, expected: Path, monkeypatch: pytest.MonkeyPatch, small_blocks: None, full: str
) -> None:
    real, calls = os.fsync, [0]

    def fsync(handle: int) -> None:
        calls[0] += kind_of(handle, tmp_path / ".store.preparing") == full
        if calls[0] == 2:  # the second of a worker
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(ResourceError, match=r"cannot be written: .*[Nn]o space left on device.*GB free"):
            make(corpus_file, tmp_path / "store", keep_dropped=True, workers=2)
    assert [path.name for path in tmp_path.iterdir()] == [".store.preparing"]
    result = make(corpus_file, tmp_path / "store", keep_dropped=True, workers=2, resume=True)
    assert contents(result.store) == contents(expected)
    assert manifest_of(result.store) == manifest_of(expected)


def test_a_worker_that_is_killed_is_a_shortage_not_a_bug(
    tmp_path: Path, corpus_file: Path, expected: Path, monkeypatch: pytest.MonkeyPatch, small_blocks: None
) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, clean, "write_shard", 2, then=lambda *_: os._exit(9))
        with pytest.raises(ResourceError, match=r"clean: a worker process was killed.*--workers.*--resume"):
            make(corpus_file, tmp_path / "store", keep_dropped=True, workers=2)
    make(corpus_file, tmp_path / "store", keep_dropped=True, workers=2, resume=True)
    assert contents(tmp_path / "store") == contents(expected)


def test_a_disk_that_is_full_from_the_start(tmp_path: Path, corpus_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: _raise(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(ResourceError, match=r"No space left on device"):
        make(corpus_file, tmp_path / "store")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_at_all(
    tmp_path: Path, corpus_file: Path, expected: Path, monkeypatch: pytest.MonkeyPatch, small_blocks: None
) -> None:
    """The data do not even reach the file: what NumPy and Arrow make of /dev/full."""
    real = count.atomic_write

    @contextmanager
    def onto_a_full_disk(path: Path) -> Iterator[Path]:
        with real(path) as aside:
            aside.symlink_to("/dev/full")
            yield aside

    for module in (shards, blocks, fingerprints, decisions, count, store_module):
        with monkeypatch.context() as patch:
            patch.setattr(module, "atomic_write", onto_a_full_disk)
            with pytest.raises(ResourceError, match=r"cannot be written: .*[Nn]o space left on device.*GB free"):
                make(corpus_file, tmp_path / "store", keep_dropped=True, resume=True)
        assert not list(tmp_path.rglob("*.partial"))
    make(corpus_file, tmp_path / "store", keep_dropped=True, resume=True)
    assert contents(tmp_path / "store") == contents(expected)


def test_what_a_run_that_was_killed_at_its_end_left_is_removed(tmp_path: Path, corpus_file: Path) -> None:
    make(corpus_file, tmp_path / "store")
    (tmp_path / ".store.lock").touch()
    make(corpus_file, tmp_path / "store", resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_unigram_tokenizer(corpus_file: Path, tmp_path: Path) -> None:
    """Its vocabulary is a list of entries with scores, and the unknown one has an id, no name."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    roles = {
        "cls_token": "<s>",
        "pad_token": "<pad>",
        "sep_token": "</s>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
    }
    letters = [chr(code) for code in range(97, 123) if chr(code) != "b"]
    entries = [*roles.values(), "▁the", "▁", "er", *letters, *(letter.upper() for letter in letters), "."]
    unigram = Tokenizer(models.Unigram([(entry, -float(place)) for place, entry in enumerate(entries)], unk_id=3))
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    unigram.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    PreTrainedTokenizerFast(tokenizer_object=unigram, **roles).save_pretrained(tmp_path / "tokenizer")
    result = prepare(corpus_file, out=tmp_path / "store", tokenizer=str(tmp_path / "tokenizer"), workers=1)
    store = TokenStore(tmp_path / "store")
    assert result.vocab_size == len(entries)
    statistics = store.manifest.statistics
    counts = store.unigram_counts()
    assert counts[3] > 0, "the text has words with a b, the vocabulary has none"
    assert statistics.unknown_rate == counts[3] / counts.sum()
    assert statistics.frequent_words == {"the": int(counts[5])}


# Scripts other than Latin


def syllables(draw: random.Random, first: list[str], last: list[str], count: int) -> list[str]:
    """Words of two or three syllables; the frequent ones first."""
    return ["".join(draw.choice(first) + draw.choice(last) for _ in range(draw.randint(2, 3))) for _ in range(count)]


def test_japanese_with_the_defaults(tmp_path: Path, notes: Callable[[], str]) -> None:
    """Fewer than a thousand characters, some in two forms, are more entries than the smallest usual vocabulary has."""
    draw = random.Random(0)
    kana = [chr(code + shift) for shift in (0, 0x60) for code in range(0x3042, 0x3094)]
    kanji = [chr(0x4E00 + number) for number in range(800)]
    lines = []
    for _ in range(1_500):
        parts = [draw.choice(kanji) + "".join(draw.choices(kana, k=draw.randint(2, 4))) for _ in range(5)]
        lines.append("".join(parts) + "。")
    (tmp_path / "ja.txt").write_text("\n".join(["かぎ。かき。", *lines]), encoding="utf-8")
    result = prepare(tmp_path / "ja.txt", out=tmp_path / "store", language="ja", workers=1)
    assert 2_000 < size_that_was_said(notes()) <= result.vocab_size < 4_096
    assert "accents: kept (marks are part of the letters in kana, 75% of the text" in notes()
    assert "4,096 was aimed at, twice the 1,134 entries of the 965 characters that make up" in notes()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "store" / "tokenizer")
    key, oyster = (tokenizer("".join(word))["input_ids"] for word in ("かぎ", "かき"))
    assert key != oyster and tokenizer.unk_token_id not in (*key, *oyster)
    assert tokenizer("かき\u3099")["input_ids"] == key, "the voicing mark as a character behind the letter"
    assert "Unicode form: NFC" in notes()
    with pytest.raises(
        DataError, match=r"a vocabulary of 1,024 entries was asked for.* single characters alone are 1,134"
    ):
        prepare(tmp_path / "ja.txt", out=tmp_path / "other", language="ja", workers=1, vocab_size=1_024)


def test_thai_loses_no_document_and_no_run_of_letters(tmp_path: Path, notes: Callable[[], str]) -> None:
    """Different documents of 4,000 characters of Thai stay; a copy with a word in twelve changed goes."""
    draw = random.Random(1)
    first = [a + b for a in ("", "เ", "แ", "โ") for b in "กขคจชดตทนบปพมยรลวสห"]
    words = syllables(draw, first, ["", "า", "ี", "ุ", "่า", "้ว", "็น", "ัน"], 3_000)
    weights = [1 / (number + 10) for number in range(len(words))]
    documents = [draw.choices(words, weights, k=650) for _ in range(30)]
    copy = [word if draw.random() > 1 / 12 else draw.choice(words) for word in documents[3]]
    records = []
    for number, document in enumerate([*documents, copy]):
        # Runs of a hundred letters and more without a space.
        text = " ".join("".join(document[start : start + 30]) for start in range(0, len(document), 30))
        records.append({"id": str(number), "text": text})
    result = prepare(write_lines(tmp_path / "th.jsonl", records), out=tmp_path / "store", language="th", workers=1)
    assert sum(map(len, documents[0])) > 3_000
    assert (result.documents_in, result.documents_kept, result.dropped) == (31, 30, {"near-duplicate": 1})
    assert "longest word: 2,000 characters (" in notes()
    manifest = json.loads((tmp_path / "store" / "manifest.json").read_text())
    assert manifest["statistics"]["unknown_rate"] < 0.001


@pytest.mark.parametrize("language", ["th", "hi", "fr"])
def test_real_sentences_of_other_languages_are_kept(language: str, tmp_path: Path, shared_data: Path) -> None:
    import gzip

    with gzip.open(shared_data / "ud" / f"{language}_pud-ud-test.conllu.gz", "rt", encoding="utf-8") as file:
        sentences = [line[9:].strip() for line in file if line.startswith("# text = ")]
    blocks = ["\n".join(sentences[start : start + 10]) for start in range(0, len(sentences), 10)]
    (tmp_path / "a.txt").write_text("\n\n".join(blocks), encoding="utf-8")
    result = prepare(tmp_path / "a.txt", out=tmp_path / "store", language=language, workers=1)
    assert (result.documents_in, result.documents_kept, result.sentences) == (100, 100, 1_000)
    assert (result.dropped, result.dropped_paragraphs) == ({}, {})
    manifest = json.loads((tmp_path / "store" / "manifest.json").read_text())
    assert manifest["statistics"]["unknown_rate"] < 0.001
    # Each word comes back from its ids, with its marks; French loses them, as with bert-base-uncased.
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "store" / "tokenizer")
    word = {"th": "ที่", "hi": "में", "fr": "été"}[language]
    assert tokenizer.decode(tokenizer(word, add_special_tokens=False)["input_ids"]) == (
        word if language != "fr" else "ete"
    )


def test_resume_of_a_store_of_an_older_version(tmp_path: Path, corpus_file: Path) -> None:
    first = make(corpus_file, tmp_path / "store")
    file = tmp_path / "store" / "manifest.json"
    manifest = json.loads(file.read_text())
    del manifest["version"], manifest["options"]["accents"], manifest["options"]["separator"]
    del manifest["result"]["model"]
    file.write_text(json.dumps(manifest))
    assert make(corpus_file, tmp_path / "store", resume=True) == first
    with pytest.raises(OptionError, match="with other options"):
        make(corpus_file, tmp_path / "store", resume=True, accents="keep")
