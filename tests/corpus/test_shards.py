"""Shards: round trip, the same bytes for the same content, and errors that name a broken file."""

from __future__ import annotations

import gc
import warnings
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bertsmith.corpus.chunks import split_chunks
from bertsmith.corpus.shards import Shard, read_arrays, read_ids_of_shard, read_shard, write_shard
from bertsmith.errors import DataError

Texts = list[tuple[str, list[list[str]]]]

words = st.sampled_from(["the", "sea", "Sea,", "他", "e\u0301"]) | st.text(
    st.characters(exclude_characters=" \n", exclude_categories=("Cs",)), min_size=1, max_size=5
)
sentences = st.lists(words, min_size=1, max_size=5).map(" ".join)
# JSON allows lone surrogates in an id.
ids = st.text(st.characters(categories=None, codec=None), max_size=8) | st.sampled_from(
    ['a\n"b"\\', "\r\n", "\x00", ""]
)
texts = st.lists(st.tuples(ids, st.lists(st.lists(sentences, min_size=1, max_size=3), max_size=3)), max_size=5)


def shard_of(texts: Texts, seed: int = 0) -> Shard:
    """A shard of documents, each an id and its paragraphs of sentences, with arbitrary hashes."""
    draw = np.random.default_rng(seed)
    paragraphs = [paragraph for _, document in texts for paragraph in document]
    chunks = split_chunks([sentence for paragraph in paragraphs for sentence in paragraph])
    return Shard(
        ids=[name for name, _ in texts],
        held_out=draw.integers(0, 2, len(texts)).astype(bool),
        digests=draw.integers(0, 2**64, len(texts), np.uint64),
        paragraphs=np.array([len(document) for _, document in texts], np.int64),
        paragraph_hashes=draw.integers(0, 2**64, len(paragraphs), np.uint64),
        sentences=np.array([len(paragraph) for paragraph in paragraphs], np.int64),
        lengths=chunks.lengths,
        codes=chunks.codes,
        dictionary=chunks.dictionary,
    )


def values(shard: Shard) -> dict[str, Any]:
    """All content of a shard, for comparison."""
    found = {field.name: getattr(shard, field.name) for field in fields(shard)}
    return {
        name: (value.dtype, value.tolist()) if isinstance(value, np.ndarray) else value for name, value in found.items()
    }


@given(texts)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_shard_comes_back(tmp_path: Path, texts: Texts) -> None:
    shard, path = shard_of(texts), tmp_path / "new" / "00000.npz"
    write_shard(path, shard)
    found = read_shard(path)
    assert values(found) == values(shard)
    assert read_ids_of_shard(path) == shard.ids
    held_out, codes = read_arrays(path, "held_out", "codes")
    assert held_out.tolist() == shard.held_out.tolist()
    assert codes.tolist() == shard.codes.tolist()
    content = path.read_bytes()
    write_shard(path, found)
    assert path.read_bytes() == content
    assert [file.name for file in path.parent.iterdir()] == ["00000.npz"]


@given(texts)
def test_offsets_lead_to_the_text(texts: Texts) -> None:
    shard = shard_of(texts)
    found = [
        [shard.texts(start, stop) for start, stop in pairwise(shard.sentence_offsets[first : last + 1].tolist())]
        for first, last in pairwise(shard.paragraph_offsets.tolist())
    ]
    assert found == [document for _, document in texts]
    flat = [[sentence for paragraph in document for sentence in paragraph] for _, document in texts]
    assert [shard.texts(*bounds) for bounds in pairwise(shard.document_sentences.tolist())] == flat
    assert np.diff(shard.document_chunks).tolist() == [
        sum(len(sentence.split(" ")) for sentence in document) for document in flat
    ]
    sizes = np.array([len(chunk) for chunk in shard.dictionary], np.int64)
    assert shard.words_of_sentences(sizes).tolist() == [
        sum(map(len, sentence.split(" "))) for document in flat for sentence in document
    ]


def test_equal_shards_have_equal_bytes_wherever_and_whenever_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    texts: Texts = [("a", [["One went.", "Two came."]]), ("b", [["One went."], ["他走了。"]])]
    write_shard(tmp_path / "one.npz", shard_of(texts))
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    write_shard(tmp_path / "elsewhere" / "two.npz", shard_of(texts))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "elsewhere" / "two.npz").read_bytes()
    write_shard(tmp_path / "one.npz", shard_of(texts, seed=1))
    assert (tmp_path / "one.npz").read_bytes() != (tmp_path / "elsewhere" / "two.npz").read_bytes()


@pytest.mark.parametrize("part", [0.0, 0.001, 0.3, 0.5, 0.99, 0.9999])
def test_a_shard_that_is_cut_off_is_named(tmp_path: Path, part: float) -> None:
    path = tmp_path / "00007.npz"
    write_shard(path, shard_of([("a", [["One went.", "Two came."]] * 40)] * 20))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    for read in (read_shard, read_ids_of_shard):
        with pytest.raises(
            DataError, match=r"00007\.npz: cannot be read \(.+\)\. Try: run prepare again without --resume"
        ):
            read(path)


def test_a_shard_whose_bytes_changed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "00007.npz"
    write_shard(path, shard_of([("a", [["One went.", "Two came."]] * 40)] * 20))
    content = bytearray(path.read_bytes())
    content[content.index(b"went.")] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"00007\.npz: cannot be read \(.*CRC"):
        read_shard(path)


def test_a_shard_that_is_not_there_or_lacks_something_is_named(tmp_path: Path) -> None:
    path = tmp_path / "00007.npz"
    with pytest.raises(DataError, match=r"00007\.npz: cannot be read \(.*No such file"):
        read_shard(path)
    with path.open("wb") as file:
        np.savez(file, ids=np.zeros(0, np.uint8))
    with pytest.raises(DataError, match=r"00007\.npz: cannot be read \(.*dictionary"):
        read_shard(path)


def test_a_broken_shard_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "00007.npz"
    write_shard(path, shard_of([("a", [["One went."]])]))
    path.write_bytes(path.read_bytes()[:-1])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(DataError):
            read_shard(path)
        gc.collect()
    assert not [warning for warning in caught if warning.category is ResourceWarning]
