"""Long documents are split into parts, in all file formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.corpus.document import Document
from bertsmith.corpus.reading import ReadingNotes, long_documents
from bertsmith.corpus.reading.long_documents import StreamedDocument, split_document, split_long_documents

Read = Callable[..., list[Document]]
ReadNoting = Callable[..., tuple[list[Document], ReadingNotes]]

PARAGRAPHS = ("One and two.", "Three.", "Four.", "Five and six and seven.", "Eight.")
CUT = [PARAGRAPHS[:2], PARAGRAPHS[2:3], PARAGRAPHS[3:4], PARAGRAPHS[4:]]
"""Its parts where a document has eighteen characters at most."""
SHORT = "Nine."


def write(folder: Path, name: str) -> None:
    text = "\n\n".join(PARAGRAPHS)
    rows = [{"id": "x", "text": text}, {"id": "y", "text": SHORT}]
    quote = {"csv": ",", "tsv": "\t"}
    _, _, form = name.rpartition(".")
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), folder / name)
    elif form == "jsonl":
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif form in quote:
        table = [["id", "text"], *(list(row.values()) for row in rows)]
        lines = (quote[form].join(f'"{field}"' for field in row) + "\n" for row in table)
        (folder / name).write_text("".join(lines))
    elif form == "html":
        (folder / name).write_text("<body>" + "".join(f"<p>{paragraph}</p>" for paragraph in PARAGRAPHS))
    else:
        (folder / name).write_text(text)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv", "a.parquet", "a.md", "a.html", "a.txt", "hf"])
def test_every_reader_gives_long_documents_in_parts(
    read_noting: ReadNoting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write(tmp_path, "train.jsonl" if name == "hf" else name)
    source = f"hf:{tmp_path}" if name == "hf" else tmp_path
    whole, noted = read_noting(source)
    assert whole[0].paragraphs == PARAGRAPHS
    monkeypatch.setattr(long_documents, "LONGEST_PART", 18)
    documents, notes = read_noting(source)
    first = whole[0].id
    ids = [first, f"{first}+1", f"{first}+2", f"{first}+3"]
    assert documents[:4] == [Document(name, part) for name, part in zip(ids, CUT, strict=True)]
    assert documents[4:] == whole[1:]
    said = "one document of 52 characters, read in 4 parts"
    assert [line.partition(": ")[2] for line in notes.detected if line not in noted.detected] == [said]


def test_a_document_of_eight_million_characters_is_one(read_noting: ReadNoting, tmp_path: Path) -> None:
    half = "a" * 4_000_000
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": "x", "text": f"{half}\n{half}"}))
    (tmp_path / "b.jsonl").write_text(json.dumps({"id": "y", "text": f"{half}\n{half}b"}))
    documents, notes = read_noting(tmp_path)
    assert [(document.id, len(document.paragraphs)) for document in documents] == [("x", 2), ("y", 1), ("y+1", 1)]
    assert notes.detected == ["b.jsonl: one document of 8,000,001 characters, read in 2 parts"]


def test_a_paragraph_is_never_cut(read: Read, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("One.\n" + "a " * 4_500_000 + "\nTwo.\n")
    documents = read(tmp_path)
    assert [document.id for document in documents] == ["a.txt#0", "a.txt#0+1", "a.txt#0+2"]
    assert [sum(map(len, document.paragraphs)) for document in documents] == [4, 8_999_999, 4]


@given(st.lists(st.text(min_size=1, max_size=9)), st.integers(1, 20), st.booleans())
def test_parts_are_as_few_as_can_be_and_the_same_streamed(paragraphs: list[str], longest: int, sentences: bool) -> None:
    document = Document("x", tuple(paragraphs), sentences)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_documents, "LONGEST_PART", longest)
        found = list(split_document(document, "a.txt", ReadingNotes()))
        assert list(split_long_documents(iter([document]), "a.txt", ReadingNotes())) == found
        assert (
            list(split_document(StreamedDocument("x", iter(paragraphs), sentences), "a.txt", ReadingNotes())) == found
        )
        assert [part for one in found for part in split_document(one, "a.txt", ReadingNotes())] == found
    assert [paragraph for part in found for paragraph in part.paragraphs] == paragraphs
    for part, following in pairwise(found):
        assert sum(map(len, part.paragraphs)) + len(following.paragraphs[0]) > longest
