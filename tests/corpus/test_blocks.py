"""Blocks: documents are read as they were written."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bertsmith.corpus.blocks import read_block, write_block
from bertsmith.corpus.document import Document
from bertsmith.errors import DataError

ids = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | st.sampled_from(
    ['a\n"b"\\', "\r\n", "\x00", "名"]
)
paragraphs = st.text(st.characters(exclude_characters="\n", categories=None, codec=None), max_size=30)
documents = st.lists(
    st.builds(
        Document,
        ids,
        # A single empty paragraph and no paragraph give the same text.
        st.lists(paragraphs, max_size=4).map(tuple).filter(lambda texts: texts != ("",)),
        st.booleans(),
    ),
    max_size=6,
)


@given(documents)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_documents_come_back(tmp_path: Path, documents: list[Document]) -> None:
    write_block(tmp_path / "block.arrow", documents)
    assert list(read_block(tmp_path / "block.arrow")) == documents
    content = (tmp_path / "block.arrow").read_bytes()
    write_block(tmp_path / "again.arrow", documents)
    assert (tmp_path / "again.arrow").read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.arrow", "block.arrow"]


def test_lone_surrogates_are_kept(tmp_path: Path) -> None:
    texts = ("a\ud800b", "\udfff", "\ud83d\ude00", "\U0001f600")
    write_block(tmp_path / "block.arrow", [Document("a", texts)])
    (found,) = read_block(tmp_path / "block.arrow")
    assert found.paragraphs == texts


def test_only_a_line_feed_parts_paragraphs(tmp_path: Path) -> None:
    texts = ("a\rb\r", "\u2028c\x0b\x0c\x1c\x85", "", " d ")
    write_block(tmp_path / "block.arrow", [Document("a", texts)])
    (found,) = read_block(tmp_path / "block.arrow")
    assert found.paragraphs == texts


def test_a_line_feed_within_a_paragraph_becomes_a_space(tmp_path: Path) -> None:
    write_block(tmp_path / "block.arrow", [Document("a", ("one\ntwo", "three")), Document("b", ("",))])
    assert [document.paragraphs for document in read_block(tmp_path / "block.arrow")] == [("one two", "three"), ()]


def test_documents_outlive_their_file_and_what_does_not_compress_comes_back(tmp_path: Path) -> None:
    draw = Random(0)
    noise = "".join(chr(draw.randrange(0x4E00, 0x9FFF)) for _ in range(50_000))
    write_block(tmp_path / "block.arrow", [Document("noise", (noise,)), Document("plain", ("x " * 100_000,))])
    assert (tmp_path / "block.arrow").stat().st_size < 200_000
    reader = read_block(tmp_path / "block.arrow")
    assert next(reader).paragraphs == (noise,)
    (tmp_path / "block.arrow").unlink()
    assert next(reader).paragraphs == ("x " * 100_000,)


@pytest.mark.parametrize("kept", ["nothing", "the schema", "half", "all but the last value"])
def test_a_block_that_is_cut_off_is_named(tmp_path: Path, kept: str) -> None:
    path = tmp_path / "block.arrow"
    write_block(path, [Document(f"d{number}", ("some text",)) for number in range(100)])
    content = path.read_bytes()
    size = {
        "nothing": 0,
        "the schema": 16 + int.from_bytes(content[12:16], "little"),
        "half": len(content) // 2,
        "all but the last value": len(content) - 24,
    }[kept]
    path.write_bytes(content[:size])
    with pytest.raises(DataError, match=r"block\.arrow"):
        list(read_block(path))


def test_a_block_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"block\.arrow"):
        list(read_block(tmp_path / "block.arrow"))
