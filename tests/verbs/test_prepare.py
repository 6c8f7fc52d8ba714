"""SOURCE to STORE: counts, bytes, stages, and what is left where it fails."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import random
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertsmith.corpus import build, plan, stages
from bertsmith.corpus.store import HELD_OUT, TRAIN, TokenStore
from bertsmith.errors import BertsmithError, DataError, OptionError, OutputError, ResourceError
from bertsmith.verbs import prepare as verb
from bertsmith.verbs.prepare import PrepareResult, default_vocab_size, prepare

PARTS = (TRAIN, HELD_OUT)


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
    manifest = TokenStore(store).manifest
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
    result = make(write_lines(tmp_path / "a.jsonl", records + extra), tmp_path / "store")
    assert result.documents_in == 123 == result.documents_kept + sum(result.dropped.values())
    assert result.dropped == {"duplicate": 1, "empty": 1, "no tokens": 1}
    store = TokenStore(tmp_path / "store")
    train, held_out = (store.part(part) for part in PARTS)
    documents = [set(part.document_ids) for part in (train, held_out)]
    assert not documents[0] & documents[1]
    assert len(documents[0] | documents[1]) == result.documents_kept == 120
    assert len(documents[1]) == result.held_out_documents
    assert result.sentences == train.num_sentences + held_out.num_sentences == 120 * 12
    assert result.tokens == train.num_tokens + held_out.num_tokens
    assert result.vocab_size == 256
    manifest = store.manifest
    assert manifest["result"] == {**facts(result), "seconds": result.seconds}
    assert manifest["held_out"]["by"] == "documents"
    assert manifest["parts"][TRAIN] == {
        "documents": train.num_pieces,
        "sentences": train.num_sentences,
        "tokens": train.num_tokens,
    }
    assert manifest["characters"] > 50_000
    assert manifest["versions"]["bertsmith"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "store"]


def test_every_checksum_is_true_and_every_file_is_listed(store: Path) -> None:
    manifest = TokenStore(store).manifest
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
    for record in records_of(corpus_file):
        assert found[record["id"]] == [tokenizer(record["text"], add_special_tokens=False)["input_ids"]]


def test_unigram_counts_are_those_of_the_training_part(store: Path) -> None:
    counts = np.zeros(256, np.int64)
    for pieces in ids_of_documents(store, TRAIN).values():
        for piece in pieces:
            np.add.at(counts, piece, 1)
    assert json.loads((store / "unigram.json").read_text()) == counts.tolist()


def test_the_tokenizer_learns_from_the_training_part_alone(tmp_path: Path, corpus_file: Path, store: Path) -> None:
    held_out = set(ids_of_documents(store, HELD_OUT))
    changed = [
        {**record, "text": record["text"].replace("the", "qzx")} if record["id"] in held_out else record
        for record in records_of(corpus_file)
    ]
    result = make(write_lines(tmp_path / "a.jsonl", changed), tmp_path / "store")
    assert result.tokenizer_sha256 == TokenStore(store).manifest["result"]["tokenizer_sha256"]
    (tmp_path / "ids.txt").write_text("\n".join(f"document-{number}" for number in range(40)))
    other = make(corpus_file, tmp_path / "other", held_out=tmp_path / "ids.txt")
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


def test_two_runs_give_the_same_bytes_for_any_number_of_workers(
    tmp_path: Path, corpus_file: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "BATCH_CHARACTERS", 9_000)
    for workers in (1, 2, 3):
        result = make(corpus_file, tmp_path / str(workers), workers=workers)
        assert contents(result.store) == contents(store)
        assert facts(result).items() <= TokenStore(store).manifest["result"].items()


@pytest.mark.parametrize("held_out", [0.2, 0.02], ids=["documents", "paragraphs"])
def test_the_order_of_files_changes_the_order_of_documents_alone(
    tmp_path: Path, corpus_file: Path, held_out: float
) -> None:
    """Invariant: the tokenizer, each document's ids and side, all counts. Documents follow the sources."""
    records = records_of(corpus_file)
    for number, start in enumerate((0, 40, 80)):
        write_lines(tmp_path / f"{number}.jsonl", records[start : start + 40])
    results = []
    for order in ("012", "201"):
        files = tuple(str(tmp_path / f"{number}.jsonl") for number in order)
        results.append(prepare(*files, out=tmp_path / order, vocab_size=256, held_out=held_out, workers=1))
    assert facts(results[0]) == facts(results[1])
    for part in PARTS:
        first, second = (ids_of_documents(result.store, part) for result in results)
        assert first == second
        assert list(first) != list(second)
    assert (results[0].store / "unigram.json").read_bytes() == (results[1].store / "unigram.json").read_bytes()


def test_documents_stay_on_their_side_when_the_corpus_grows(tmp_path: Path, corpus_file: Path) -> None:
    records = records_of(corpus_file)
    small = make(write_lines(tmp_path / "small.jsonl", records[:80]), tmp_path / "small")
    large = make(corpus_file, tmp_path / "large")
    for part in PARTS:
        assert set(ids_of_documents(small.store, part)) <= set(ids_of_documents(large.store, part))


# The held-out part


def test_few_documents_give_runs_of_paragraphs_and_it_is_said(
    tmp_path: Path, corpus_file: Path, notes: Callable[[], str]
) -> None:
    result = make(corpus_file, tmp_path / "store", held_out=0.02)
    assert "held out: runs of paragraphs of all documents: " in notes()
    store = TokenStore(tmp_path / "store")
    assert store.manifest["held_out"]["by"] == "paragraphs"
    assert store.part(HELD_OUT).num_tokens >= 2_000
    whole = {name: [token for piece in pieces for token in piece] for name, pieces in _joined(result.store).items()}
    assert len(whole) == 120
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
    assert 4 <= held_out.num_pieces <= 8
    train = store.part(TRAIN)
    assert train.group_of_piece.tolist() == [0] * train.num_pieces
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
    assert "held out: 2 documents that ids.txt lists (1 ids were not found)" in notes()
    (tmp_path / "ids.txt").write_text("nobody\n")
    with pytest.raises(DataError, match=r"0 of its 1 ids are among the 120 documents \(the first of these is 'docu"):
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
    assert TokenStore(tmp_path / "other").manifest["choices"] == []


def test_chinese_gets_an_alphabet_that_covers_it(tmp_path: Path, notes: Callable[[], str]) -> None:
    draw = random.Random(0)
    characters = [chr(0x4E00 + number) for number in range(1_500)]
    sentences = ["".join(draw.choices(characters, k=20)) + "。" for _ in range(2_000)]
    (tmp_path / "zh.txt").write_text("\n".join(sentences))
    result = prepare(tmp_path / "zh.txt", out=tmp_path / "store", language="zh", workers=1)
    assert 1_490 <= result.vocab_size <= 1_506
    assert "vocabulary size: 15" in notes() or "vocabulary size: 149" in notes()
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
    assert result.vocab_size < 1_024
    assert f"vocabulary size: {result.vocab_size} (all that the text supports; 1,024 was aimed at" in notes()


@pytest.mark.parametrize(
    ("characters", "alphabet", "size"),
    [
        (10, 1_000, 1_024),
        (2_048_000, 1_000, 2_048),
        (2_047_999, 1_000, 1_024),
        (9_000_000, 1_000, 8_192),
        (10**12, 1_000, 30_528),
        (1_500_000, 4_616, 16_384),
        (10**9, 4_616, 30_528),
        (10, 40_000, 30_528),
    ],
)
def test_the_size_that_is_chosen(characters: int, alphabet: int, size: int) -> None:
    assert default_vocab_size(characters, alphabet)[0] == size


# Interrupted, resumed, refused


@pytest.mark.parametrize("stage", ["divide_by_documents", "training_words", "encode_parts"])
def test_a_killed_run_goes_on_from_its_text_and_ends_in_the_same_bytes(
    tmp_path: Path,
    corpus_file: Path,
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    notes: Callable[[], str],
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(build, stage, stop)
        with pytest.raises(KeyboardInterrupt):
            make(corpus_file, tmp_path / "store")
    assert [path.name for path in tmp_path.iterdir()] == [".store.preparing"]
    with monkeypatch.context() as patch:
        patch.setattr(verb, "write_spool", stop)
        result = make(corpus_file, tmp_path / "store", resume=True)
    assert "going on from the text that was read already" in notes()
    assert contents(result.store) == contents(store)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


@pytest.mark.parametrize("change", ["options", "source"])
def test_stages_of_other_options_or_other_text_are_not_taken_over(
    tmp_path: Path, corpus_file: Path, monkeypatch: pytest.MonkeyPatch, change: str, notes: Callable[[], str]
) -> None:
    source = Path(shutil.copy(corpus_file, tmp_path / "a.jsonl"))
    with monkeypatch.context() as patch:
        patch.setattr(build, "encode_parts", lambda *_: _raise(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            make(source, tmp_path / "store")
    if change == "source":
        write_lines(source, records_of(corpus_file)[:110])
    result = make(source, tmp_path / "store", resume=True, seed=int(change == "options"))
    assert result.documents_in == (110 if change == "source" else 120)
    assert "others than those of an interrupted prepare; starting from the beginning" in notes()
    assert "going on" not in notes()


def _raise(error: BaseException) -> None:
    raise error


def test_resume_of_a_finished_store(tmp_path: Path, corpus_file: Path, notes: Callable[[], str]) -> None:
    first = make(corpus_file, tmp_path / "store")
    before = contents(first.store)
    assert make(corpus_file, tmp_path / "store", resume=True, workers=2) == first
    assert "is finished already" in notes()
    with pytest.raises(OptionError, match=r"finished and was prepared with other options"):
        make(corpus_file, tmp_path / "store", resume=True, seed=1)
    assert contents(first.store) == before


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
        patch.setattr(verb, "write_report", lambda *_: _raise(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            make(corpus_file, tmp_path / "store", overwrite=True, seed=1)
    assert contents(tmp_path / "store") == before
    make(corpus_file, tmp_path / "store", overwrite=True, seed=1)
    assert contents(tmp_path / "store") != before
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_dry_run_writes_nothing(tmp_path: Path, corpus_file: Path, notes: Callable[[], str]) -> None:
    make(corpus_file, tmp_path / "store", dry_run=True)
    assert list(tmp_path.iterdir()) == []
    assert "1 files of " in notes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"text": "One."}\nnot JSON\n', r"line 2: not JSON"),
        (b'{"text": "On\xe9."}\n', r"byte 12 \(0xe9\) is not utf-8"),
        (b'{"text": " "}\n{"text": ""}\n', r"no document is left: 2 were read, dropped: \{'empty': 2\}"),
        (b'{"text": "One sentence."}\n', r"too small for a held-out part: 2 words.*10,500 words are needed"),
    ],
)
def test_nothing_is_left_behind_by_a_wrong_corpus(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=message):
        make(tmp_path / "a.jsonl", tmp_path / "deep" / "store")
    assert not (tmp_path / "deep").exists() or list((tmp_path / "deep").iterdir()) == []


def test_the_sample_of_the_original_code_is_too_small(tmp_path: Path, shared_data: Path) -> None:
    with pytest.raises(DataError, match=r"too small for a held-out part: 7\d\d words"):
        prepare(shared_data / "golden" / "sample_text.txt", out=tmp_path / "store")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("full", ["spool.arrow", DATA_FILE, "manifest.json", "rename"])
def test_a_full_disk(
    tmp_path: Path, corpus_file: Path, store: Path, monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    real_file, real_replace = pa.OSFile, Path.replace
    no_space = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def file(path: str, mode: str) -> Any:
        return real_file("/dev/full" if Path(path).name == full else path, mode)

    def replace(path: Path, target: Path) -> Path:
        if Path(target).name == full:
            raise no_space
        return real_replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(pa, "OSFile", file)
        patch.setattr(Path, "replace", replace)
        if full == "rename":
            patch.setattr(os, "fsync", _fail_for_folders(no_space))
        with pytest.raises(ResourceError, match=r"cannot be written: .*[Nn]o space left on device.*GB free") as caught:
            make(corpus_file, tmp_path / "store")
    assert isinstance(caught.value, BertsmithError)
    assert caught.value.exit_code == 3
    # A text that was read to its end is kept for --resume; nothing else, and nothing at --out.
    kept = [] if full == "spool.arrow" else [".store.preparing"]
    assert [path.name for path in tmp_path.iterdir()] == kept
    result = make(corpus_file, tmp_path / "store", resume=True)
    assert contents(result.store) == contents(store)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def _fail_for_folders(error: OSError) -> Callable[[int], None]:
    def fsync(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").resolve().is_dir():
            raise error

    return fsync


def test_a_disk_that_is_full_from_the_start(tmp_path: Path, corpus_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: _raise(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(ResourceError, match=r"No space left on device"):
        make(corpus_file, tmp_path / "store")
    assert list(tmp_path.iterdir()) == []
