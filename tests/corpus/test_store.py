"""The token store: what is written is what is read, by us without copies and by `datasets`."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.corpus import store as store_module
from bertsmith.corpus.store import (
    HELD_OUT,
    TRAIN,
    TokenPart,
    TokenStore,
    data_file,
    finish_part,
    id_dtype,
    write_rows,
)
from bertsmith.errors import DataError, ResourceError

DATA_FILE = data_file(0, 1)
Row = tuple[str, int, list[list[int]]]
"""The id of a document, its first sentence, and the ids of each sentence."""


def write(folder: Path, rows: list[Row], vocab_size: int = 100, files: int = 1) -> tuple[TokenPart, int]:
    """The rows as a part of so many files, and the number of rows written."""
    names, written = [], 0
    for number in range(files):
        some = rows[number * len(rows) // files : (number + 1) * len(rows) // files]
        names.append(data_file(number, files))
        written += write_rows(
            folder / TRAIN / names[-1],
            vocab_size,
            ids=np.array([token for *_, sentences in some for sentence in sentences for token in sentence], np.uint32),
            lengths=np.array([len(sentence) for *_, sentences in some for sentence in sentences], np.int64),
            documents=np.array([place for place, row in enumerate(some) for _ in row[2]], np.int64),
            document_ids=[document for document, *_ in some],
            sentences=np.array(
                [first + place for _, first, sentences in some for place in range(len(sentences))], np.int64
            ),
        )
    finish_part(folder / TRAIN, names, vocab_size=vocab_size, tokens=0)
    return TokenPart(folder / TRAIN), written


ROWS: list[Row] = [("a", 0, [[5, 6], [7]]), ("a", 4, [[8, 9, 10]]), ("b", 0, [[], [11]]), ("empty", 0, [[], []])]


def test_tokens_sentences_and_documents_are_numbered_through(tmp_path: Path) -> None:
    part, written = write(tmp_path, ROWS)
    assert written == 3
    assert (part.num_fragments, part.num_sentences, part.num_tokens) == (3, 4, 7)
    assert part.tokens(0, 7).tolist() == [5, 6, 7, 8, 9, 10, 11]
    assert part.sentence_offsets.tolist() == [0, 2, 3, 6, 7]
    assert part.document_offsets.tolist() == [0, 2, 3, 4]
    assert part.document_ids == ["a", "a", "b"]
    assert part.document_of_fragment.tolist() == [0, 0, 1]
    assert part.first_sentences.tolist() == [0, 4, 0]


def test_two_documents_of_one_id_side_by_side_are_two(tmp_path: Path) -> None:
    part, _ = write(tmp_path, [("a", 0, [[5], [6]]), ("a", 3, [[7]]), ("a", 0, [[8]]), ("a", 0, [[9]])])
    assert part.document_of_fragment.tolist() == [0, 0, 1, 2]


def test_a_part_without_rows(tmp_path: Path) -> None:
    part, written = write(tmp_path, [])
    assert written == 0
    assert (part.num_fragments, part.num_sentences, part.num_tokens) == (0, 0, 0)
    assert part.tokens(0, 0).tolist() == part.document_of_fragment.tolist() == []


sentences_of_ids = st.lists(st.lists(st.integers(0, 99), max_size=7), max_size=6)


@given(
    rows=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), sentences_of_ids), max_size=12),
    batch=st.integers(1, 20),
    files=st.integers(1, 3),
    vocab_size=st.sampled_from([100, 70_000]),
)
@settings(max_examples=80, deadline=None)
def test_any_slice_across_batches_is_that_of_all_tokens(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], batch: int, files: int, vocab_size: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "TOKENS_A_BATCH", batch)
        part, written = write(tmp_path_factory.mktemp("any"), rows, vocab_size, files)
    sentences = [sentence for _, _, row in rows for sentence in row if sentence]
    tokens = [token for sentence in sentences for token in sentence]
    assert (part.num_tokens, part.num_sentences) == (len(tokens), len(sentences))
    assert written == part.num_fragments
    assert np.diff(part.sentence_offsets).tolist() == [len(sentence) for sentence in sentences]
    assert np.diff(part.document_offsets).tolist() == [count for _, _, row in rows if (count := sum(map(bool, row)))]
    for start in range(len(tokens) + 1):
        for stop in range(start, len(tokens) + 1):
            found = part.tokens(start, stop)
            assert found.dtype == id_dtype(vocab_size)
            assert found.tolist() == tokens[start:stop]


def test_tokens_of_one_batch_are_a_view_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "TOKENS_A_BATCH", 1_000)
    part, _ = write(tmp_path, [("a", 0, [list(range(100))] * 10), ("b", 0, [list(range(100))] * 10)])
    whole = part.tokens(0, 1_000)
    some = part.tokens(300, 500)
    assert not some.flags.owndata
    assert not some.flags.writeable
    assert np.shares_memory(whole, some)
    assert not np.shares_memory(whole, part.tokens(1_000, 2_000))
    assert part.tokens(900, 1_100).tolist() == [*range(100), *range(100)]


@pytest.mark.parametrize(("vocab_size", "dtype"), [(32, "uint16"), (65_536, "uint16"), (65_537, "uint32")])
def test_the_narrowest_type_holds_the_last_id(tmp_path: Path, vocab_size: int, dtype: str) -> None:
    part, _ = write(tmp_path, [("a", 0, [[0, vocab_size - 1]])], vocab_size)
    assert (part.tokens(0, 2).dtype, part.tokens(0, 2).tolist()) == (dtype, [0, vocab_size - 1])


def test_two_bytes_a_token(tmp_path: Path) -> None:
    write(tmp_path, [(f"document {number}", 0, [[7] * 50] * 10) for number in range(100)])
    assert (tmp_path / TRAIN / DATA_FILE).stat().st_size < 2.2 * 50_000


def test_datasets_opens_both_parts_with_the_same_ids(store: Path) -> None:
    import datasets

    opened = datasets.load_from_disk(str(store))
    assert set(opened) == {TRAIN, HELD_OUT}
    ours = TokenStore(store)
    for name in (TRAIN, HELD_OUT):
        part, rows = ours.part(name), opened[name]
        assert [token for row in rows for token in row["input_ids"]] == part.tokens(0, part.num_tokens).tolist()
        lengths = [length for row in rows for length in row["sentence_lengths"]]
        assert lengths == np.diff(part.sentence_offsets).tolist()
        assert rows["document_id"][:] == part.document_ids
        assert rows["first_sentence"][:] == part.first_sentences.tolist()
        assert rows.features["input_ids"].feature.dtype == "uint16"


def test_datasets_opens_wide_ids(tmp_path: Path) -> None:
    import datasets

    write(tmp_path, [("a", 0, [[69_999, 5]])], 70_000)
    assert datasets.load_from_disk(str(tmp_path / TRAIN))[0]["input_ids"] == [69_999, 5]


# Stores that are not whole


@pytest.fixture
def copy(store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(store, tmp_path / "copy"))


def change_manifest(folder: Path, **values: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | values))


def test_a_file_cut_off_or_missing_is_named_with_both_sizes(copy: Path) -> None:
    path = copy / TRAIN / DATA_FILE
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[: size // 2])
    with pytest.raises(DataError, match=rf"{path}: has {size // 2:,} bytes, the manifest says {size:,}; prepare"):
        TokenStore(copy)
    path.unlink()
    with pytest.raises(DataError, match=rf"{path}: is missing, the manifest says {size:,}"):
        TokenStore(copy)


def test_a_part_cut_off_after_the_store_was_opened(copy: Path) -> None:
    opened = TokenStore(copy)
    path = copy / HELD_OUT / DATA_FILE
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=rf"{path}: cannot be read as an Arrow stream"):
        opened.part(HELD_OUT)
    path.unlink()
    with pytest.raises(DataError, match=rf"{path}: cannot be read as an Arrow stream"):
        opened.part(HELD_OUT)


@pytest.mark.parametrize("found", [1, None])
def test_another_format(copy: Path, found: int | None) -> None:
    change_manifest(copy, format=found)
    with pytest.raises(DataError, match=rf"format {found}, this version reads 2; prepare it again"):
        TokenStore(copy)


def test_a_manifest_that_is_no_json(copy: Path) -> None:
    (copy / "manifest.json").write_text('{"format": 1,')
    with pytest.raises(DataError, match=r"manifest.json: not JSON"):
        TokenStore(copy)


def test_folders_that_are_no_store(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such folder; `bertsmith prepare SOURCE --out"):
        TokenStore(tmp_path / "none")
    with pytest.raises(DataError, match=r"not a STORE \(no manifest.json\)"):
        TokenStore(tmp_path)


def test_a_part_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / TRAIN).write_text("a file where the folder belongs")
    with pytest.raises(ResourceError, match=r"cannot be written"):
        write(tmp_path, ROWS)


def test_the_checksum_and_counts_of_a_store(store: Path) -> None:
    opened = TokenStore(store)
    listed = opened.manifest.files[f"{TRAIN}/{DATA_FILE}"].sha256
    assert opened.checksum() == hashlib.sha256(listed.encode()).hexdigest()
    part = opened.part(TRAIN)
    recounted = np.bincount(part.tokens(0, part.num_tokens), minlength=256)
    assert opened.unigram_counts().tolist() == recounted.tolist()
