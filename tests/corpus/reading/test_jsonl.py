"""Reading JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.corpus.document import Document, paragraphs_of
from bertsmith.errors import DataError

Read = Callable[..., list[Document]]
Pack = Callable[[bytes, str], bytes]


def to_json_lines(*records: object) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def test_an_id_that_no_file_could_hold_is_escaped(read: Read, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "\\ud800", "text": "One."}')
    assert read(tmp_path)[0].id == "\\ud800"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("One plain line.", r"a.jsonl: line 2: not JSON \(.* at column 1\); the line begins with 'One plain line\.'"),
        ('{"text": "One', r"line 2: not JSON \(Unterminated string"),
        ('["text"]', r"line 2: found a list, expected an object such as"),
        ('{"text": 5}', r"line 2: 'text': found a number, expected text"),
        ('{"text": ["a"]}', r"line 2: 'text': found a list, expected text"),
        ('{"story": "One."}', r"line 2: no key named text, .*; the keys are 'story'"),
        ('{"title": "T", "year": 1900}', r"line 2: no key named text, .*; the keys are 'title', 'year'"),
        ("{}", r"line 2: no key named"),
        ("[" * 200_000, r"line 2: this JSON cannot be read"),
        ('{"n": ' + "1" * 5_000 + "}", r"line 2: this JSON cannot be read"),
    ],
    ids=["text", "cut", "list", "number", "texts", "one key", "keys", "empty", "deep", "digits"],
)
def test_what_is_wrong_with_a_line(read: Read, tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"text": "One."}}\n{line}\n')
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_the_text_column(read: Read, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(to_json_lines({"text": "no", "story": "Yes."}))
    assert read(tmp_path, text_column="story")[0].paragraphs == ("Yes.",)
    with pytest.raises(DataError, match=r"no key 'tale'; the keys are 'text', 'story'.*--text-column"):
        read(tmp_path, text_column="tale")
    (tmp_path / "a.jsonl").write_bytes(to_json_lines({"n": 1, "content": "Yes."}))
    assert read(tmp_path)[0].paragraphs == ("Yes.",)


def test_blank_lines_between_json_lines_are_no_documents(read: Read, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "One."}\r\n\r\n{"text": "Two."}')
    assert [document.id for document in read(tmp_path)] == ["a.jsonl#0", "a.jsonl#1"]


def test_a_text_that_is_null_or_empty_is_a_document_without_paragraphs(read: Read, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(to_json_lines({"text": None}, {"text": "", "id": "x"}, {"text": " \n\n "}))
    assert read(tmp_path) == [Document(name, ()) for name in ("a.ndjson#0", "x", "a.ndjson#2")]


@pytest.mark.parametrize("content", [b"", b"\n \n\t\n"])
def test_a_file_without_text_is_one_document_without_paragraphs(read: Read, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    assert read(tmp_path) == [Document("a.jsonl#0", ())]


def test_a_few_nuls_are_left_in(read: Read, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(to_json_lines({"text": "x" * 2_000}) + b'{"text": "T\0wo\\u0000"}')
    assert read(tmp_path)[1].paragraphs == ("T\0wo\0",)


@given(
    st.lists(st.text(max_size=20) | st.none(), min_size=1, max_size=8), st.booleans(), st.sampled_from(["\n", "\r\n"])
)
def test_every_text_comes_back(
    read: Read, tmp_path_factory: pytest.TempPathFactory, texts: list[str | None], ascii_only: bool, end: str
) -> None:
    file = tmp_path_factory.mktemp("any") / "a.jsonl"
    lines = [json.dumps({"text": text}, ensure_ascii=ascii_only) for text in texts]
    file.write_bytes(end.join(lines).encode(errors="replace"))
    kept = [text if ascii_only or text is None else text.encode(errors="replace").decode() for text in texts]
    assert [document.paragraphs for document in read(file)] == [paragraphs_of(text or "") for text in kept]


@given(st.text(st.characters(categories=["Cs", "Lu", "Cc"]), max_size=10))
def test_lone_surrogates_in_escapes_are_read(read: Read, tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.mktemp("any") / "a.jsonl"
    file.write_bytes(to_json_lines({"text": text}))
    # JSON joins two escapes of a surrogate pair into one character
    assert read(file)[0].paragraphs == paragraphs_of(json.loads(json.dumps(text)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv", "a.txt", "a.jsonl.xz"])
def test_a_line_of_fifty_megabytes(read: Read, tmp_path: Path, packed: Pack, name: str) -> None:
    text = "words and more " * 3_400_000
    content = json.dumps({"text": text}) if "jsonl" in name else text if name == "a.txt" else f"text\n{text}\n"
    (tmp_path / name).write_bytes(packed(content.encode(), ".xz" if name.endswith("xz") else ""))
    (document,) = read(tmp_path / name)
    assert document.paragraphs == (text.strip(),)
