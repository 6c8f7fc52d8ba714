"""The spool: everything that was read is on it once or is counted, whatever the text and the number of workers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bertsmith.corpus import spool
from bertsmith.corpus.reading import ReadingOptions, find_files
from bertsmith.corpus.spool import (
    SPOOL_FILE,
    SpooledDocument,
    finished_spool,
    read_spool,
    write_spool,
)
from bertsmith.errors import DataError, ResourceError


def spooled(
    folder: Path, *sources: Path, workers: int = 1, max_documents: int | None = None, **reading: Any
) -> tuple[dict[str, Any], list[SpooledDocument]]:
    folder.mkdir(exist_ok=True)
    counts = write_spool(
        folder,
        find_files(tuple(map(str, sources))),
        ReadingOptions(**reading),
        language="en",
        max_documents=max_documents,
        workers=workers,
        advance=lambda done, total: None,
    )
    return counts, list(read_spool(folder))


def write_lines(file: Path, *texts: str) -> Path:
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return file


def test_what_is_counted(tmp_path: Path) -> None:
    file = write_lines(
        tmp_path / "a.jsonl", "One went. Two came.\n\nThree.", "\x00 ", "Four.", " One went.  Two came.\n\nThree."
    )
    counts, documents = spooled(tmp_path / "s", file)
    assert documents == [
        SpooledDocument("a.jsonl#0", ["One went.", "Two came.", "Three."], [2, 1]),
        SpooledDocument("a.jsonl#2", ["Four."], [1]),
    ]
    assert counts == {
        "documents_in": 4,
        "documents_kept": 2,
        "dropped": {"duplicate": 1, "empty": 1},
        "sentences": 4,
        "characters": 29,
        "replaced_bytes": 0,
        "detected": [],
    }
    assert finished_spool(tmp_path / "s") == counts


any_text = st.text(st.characters(), max_size=30) | st.sampled_from(
    ["", " ", "\r", "\ud800", "A. B.\r\n\r\nC.\n\rD.", "\0"]
)


@given(texts=st.lists(any_text, min_size=1, max_size=12))
@example(texts=["\ud800\0\r\n\x85", "e\u0301. \ufeff", "é.", "\r"])
@settings(max_examples=150, deadline=None)
def test_any_text_is_kept_or_counted(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("any")
    counts, documents = spooled(folder, write_lines(folder / "a.jsonl", *texts))
    assert counts["documents_in"] == len(texts) == counts["documents_kept"] + sum(counts["dropped"].values())
    assert counts["documents_kept"] == len(documents)
    assert counts["sentences"] == sum(len(document.sentences) for document in documents)
    for document in documents:
        assert sum(document.paragraph_lengths) == len(document.sentences) > 0
        assert all(document.sentences) and all(document.paragraph_lengths)
    contents = [(document.sentences, document.paragraph_lengths) for document in documents]
    assert all(content not in contents[:index] for index, content in enumerate(contents))


def test_the_same_bytes_for_any_number_of_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "BATCH_CHARACTERS", 300)
    texts = [f"Sentence {number % 90} is here. It has a second one.\n\nAnd a paragraph." for number in range(100)]
    file = write_lines(tmp_path / "a.jsonl", *texts, "")
    results = [spooled(tmp_path / str(workers), file, workers=workers)[0] for workers in (1, 2, 3)]
    assert results[0] == results[1] == results[2]
    assert results[0]["dropped"] == {"duplicate": 10, "empty": 1}
    contents = [(tmp_path / str(workers) / SPOOL_FILE).read_bytes() for workers in (1, 2, 3)]
    assert contents[0] == contents[1] == contents[2]


def test_max_documents_counts_what_is_read_and_reads_no_further(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "a.jsonl", "One.", "One.", "Two.")
    file.write_bytes(file.read_bytes() + b"this is not JSON\n")
    counts, documents = spooled(tmp_path / "s", file, max_documents=3)
    assert (counts["documents_in"], [document.id for document in documents]) == (3, ["a.jsonl#0", "a.jsonl#2"])
    with pytest.raises(DataError, match="line 4: not JSON"):
        spooled(tmp_path / "t", file)
    assert finished_spool(tmp_path / "t") is None


def test_a_worker_that_is_killed_is_a_shortage_not_a_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "BATCH_CHARACTERS", 5)
    monkeypatch.setattr(spool, "clean_batch", _die)
    file = write_lines(tmp_path / "a.jsonl", *(f"Text {number}." for number in range(9)))
    with pytest.raises(ResourceError, match=r"a worker process was killed.*--workers"):
        spooled(tmp_path / "s", file, workers=2)
    assert finished_spool(tmp_path / "s") is None


def _die(*_: object) -> None:
    os._exit(9)


def test_progress_is_in_bytes_of_the_files(tmp_path: Path) -> None:
    files = [write_lines(tmp_path / f"{name}.jsonl", f"One {name}.", f"Two {name}.") for name in "ab"]
    (tmp_path / "s").mkdir()
    seen: list[tuple[float, float]] = []
    write_spool(
        tmp_path / "s",
        find_files(tuple(map(str, files))),
        ReadingOptions(),
        language="en",
        max_documents=None,
        workers=1,
        advance=lambda done, total: seen.append((done, total)),
    )
    total = sum(file.stat().st_size for file in files)
    assert {of for _, of in seen} == {total}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == total
