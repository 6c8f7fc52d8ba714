"""Files to documents: forms, compression, ids, encodings, and what is said where a file is not as expected."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.corpus.document import Document, paragraphs_of
from bertsmith.corpus.readers import (
    ReadingNotes,
    ReadingOptions,
    detect_documents,
    find_files,
    read_documents,
)
from bertsmith.errors import DataError

TWO_TALKS = "One came in.\nHe sat down.\n\nTwo went out.\nShe ran.\n"


def read(*sources: Path | str, **options: Any) -> list[Document]:
    return read_noting(*sources, **options)[0]


def read_noting(*sources: Path | str, **options: Any) -> tuple[list[Document], ReadingNotes]:
    notes = ReadingNotes()
    asked = ReadingOptions(**options)
    documents = [
        document for file in find_files(tuple(map(str, sources))) for document in read_documents(file, asked, notes)
    ]
    return documents, notes


def packed(content: bytes, ending: str) -> bytes:
    # zstd frames carry a checksum only where it is asked for, as the program `zstd` does
    zstd = zstandard.ZstdCompressor(write_checksum=True).compress
    return {"": bytes, ".gz": gzip.compress, ".zst": zstd}[ending](content)


def json_lines(*records: object) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_plain_and_compressed_files_hold_the_same(tmp_path: Path, ending: str) -> None:
    text, lines = tmp_path / f"a.txt{ending}", tmp_path / f"b.jsonl{ending}"
    text.write_bytes(packed(TWO_TALKS.encode(), ending))
    lines.write_bytes(packed(json_lines({"id": "x", "text": "One.\n\nTwo."}, {"text": "Three."}), ending))
    assert read(text, lines) == [
        Document(f"a.txt{ending}#0", ("One came in.", "He sat down."), lines_are_sentences=True),
        Document(f"a.txt{ending}#1", ("Two went out.", "She ran."), lines_are_sentences=True),
        Document("x", ("One.", "Two.")),
        Document(f"b.jsonl{ending}#1", ("Three.",)),
    ]


def test_several_frames_and_members_are_all_read(tmp_path: Path) -> None:
    for ending in (".gz", ".zst"):
        whole = b"".join(packed(part, ending) for part in (b'{"text": "on', b'e"}\n', b'{"text": "two"}'))
        (tmp_path / f"a.jsonl{ending}").write_bytes(whole)
        assert [document.paragraphs for document in read(tmp_path / f"a.jsonl{ending}")] == [("one",), ("two",)]


def test_the_ending_may_be_in_capitals(tmp_path: Path) -> None:
    (tmp_path / "A.TXT").write_text("One.")
    (tmp_path / "B.JSONL.GZ").write_bytes(gzip.compress(b'{"text": "Two."}'))
    assert [document.paragraphs for document in read(tmp_path)] == [("One.",), ("Two.",)]


def test_folders_are_sorted_and_walked_and_other_files_left_out(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.txt", "a.txt", "sub/c.txt", "notes.md", "table.csv"):
        (tmp_path / name).write_text(f"{name}.")
    assert [document.id for document in read(tmp_path)] == ["a.txt#0", "b.txt#0", "sub/c.txt#0"]


def test_sources_keep_their_order_and_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text("One.")
    found = find_files((str(tmp_path / "c.txt"), str(tmp_path / "?.txt"), str(tmp_path)))
    assert [file.name for file in found] == ["c.txt", "a.txt", "b.txt"]


def test_globs_also_through_folders(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a.txt").write_text("One.")
    (tmp_path / "b.txt").write_text("Two.")
    assert len(find_files((str(tmp_path / "**" / "*.txt"),))) == 2


def test_files_of_one_name_have_names_of_their_own(tmp_path: Path) -> None:
    for folder in ("x/d", "y/d", "z/d", "z"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "a.txt").write_text("One.")
    found = find_files(tuple(str(tmp_path / folder / "a.txt") for folder in ("x/d", "y/d", "z/d", "z")))
    assert [file.name for file in found] == ["a.txt", "d/a.txt", "z/d/a.txt", "z/a.txt"]


def test_ids_do_not_change_when_the_corpus_grows(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(json_lines({"text": "One."}, {"id": 7, "text": "Two."}, {"id": None, "text": "Three."}))
    before = read(file)
    assert [document.id for document in before] == ["a.jsonl#0", "7", "a.jsonl#2"]
    file.write_bytes(file.read_bytes() + json_lines({"text": "Four."}))
    (tmp_path / "0.txt").write_text("Five.")
    assert {document.id for document in before} < {document.id for document in read(tmp_path)}


def test_an_id_that_no_file_could_hold_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "\\ud800", "text": "One."}')
    assert read(tmp_path)[0].id == "\\ud800"


# What a document is


def test_the_sample_of_the_original_code_is_three_documents_of_sentences(shared_data: Path) -> None:
    documents, notes = read_noting(shared_data / "golden" / "sample_text.txt")
    assert [len(document.paragraphs) for document in documents] == [3, 13, 15]
    assert all(document.lines_are_sentences for document in documents)
    assert "blank lines between 3 documents" in notes.detected[0]


def test_meditations_is_one_document_of_a_paragraph_a_line(shared_data: Path) -> None:
    documents, notes = read_noting(shared_data / "corpora" / "meditations.txt")
    assert [len(document.paragraphs) for document in documents] == [507]
    assert not documents[0].lines_are_sentences
    assert notes.detected == ["meditations.txt: no blank lines: one document, its lines are paragraphs"]


WRAPPED = "The first paragraph goes\nover two lines. It ends.\n\n\nThe second goes\nover more\nlines.\n"


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        (WRAPPED, "auto", [("The first paragraph goes over two lines. It ends.", "The second goes over more lines.")]),
        (WRAPPED, "file", [("The first paragraph goes over two lines. It ends.", "The second goes over more lines.")]),
        (
            WRAPPED,
            "blank-line",
            [("The first paragraph goes over two lines. It ends.",), ("The second goes over more lines.",)],
        ),
        (TWO_TALKS, "auto", [("One came in.", "He sat down."), ("Two went out.", "She ran.")]),
        (TWO_TALKS, "file", [("One came in. He sat down.", "Two went out. She ran.")]),
        (TWO_TALKS, "blank-line", [("One came in.", "He sat down."), ("Two went out.", "She ran.")]),
        (TWO_TALKS, "line", [("One came in.",), ("He sat down.",), ("Two went out.",), ("She ran.",)]),
        ("One.\n\nTwo.\n\nThree.\n", "auto", [("One.", "Two.", "Three.")]),
        ("\n\nOne line\nand one more\n \n", "auto", [("One line", "and one more")]),
        ("One line", "line", [("One line",)]),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_each_form(tmp_path: Path, text: str, form: str, expected: list[tuple[str, ...]], line_end: str) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(text.replace("\n", line_end).encode())
    assert [document.paragraphs for document in read(file, documents=form)] == expected
    assert [document.id for document in read(file, documents=form)] == [f"a.txt#{n}" for n in range(len(expected))]


@pytest.mark.parametrize(("sentences", "form"), [(8, "blank-line"), (7, "file")])
def test_four_lines_of_five_must_end_a_sentence(sentences: int, form: str) -> None:
    lines = ["So it is."] * sentences + ["so it was"] * (10 - sentences)
    assert detect_documents([*lines[:5], "", *lines[5:]])[0] == form


def test_sentences_that_end_in_quotes_and_brackets_or_another_script() -> None:
    lines = ['"Yes!"', "(It is.)", "“So?”", "他走了。", "」他说．」", "वह गया।", "هل هو؟", "«Oui.»"]
    assert detect_documents([*lines, "", *lines])[0] == "blank-line"


lines_of_text = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12), max_size=12)


@given(lines_of_text, st.sampled_from(["auto", "file", "blank-line", "line"]))
def test_no_text_is_lost_in_any_form(tmp_path_factory: pytest.TempPathFactory, lines: list[str], form: str) -> None:
    text = "\n".join(lines)
    file = tmp_path_factory.mktemp("any") / "a.txt"
    file.write_bytes(text.encode())
    words = text.removeprefix("\ufeff").split()
    if not words:
        with pytest.raises(DataError, match=r"is empty|nothing but white space"):
            read(file, documents=form)
        return
    found = [word for document in read(file, documents=form) for text in document.paragraphs for word in text.split()]
    assert found == words


@given(lines_of_text)
def test_no_paragraph_is_empty(lines: list[str]) -> None:
    paragraphs = paragraphs_of("\n".join(lines))
    assert all(paragraph.strip() == paragraph != "" for paragraph in paragraphs)
    assert " ".join(paragraphs).split() == "\n".join(lines).split()


# Encodings


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf_8", "U8"])
def test_a_byte_order_mark_is_no_text(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfOne.")
    (tmp_path / "b.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "Two."}\n')
    assert [document.paragraphs for document in read(tmp_path, encoding=encoding)] == [("One.",), ("Two.",)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_utf_16_and_32_also_in_json_lines(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeffĊne ਊ.".encode(encoding))
    (tmp_path / "b.jsonl").write_bytes('{"text": "Twoਊ."}\r\n{"text": "Three."}\n'.encode(encoding))
    documents = read(tmp_path, encoding=encoding)
    assert [document.paragraphs for document in documents] == [("Ċne ਊ.",), ("Twoਊ.",), ("Three.",)]


def test_cp1252(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"caf\xe9 \x93yes\x94 wait\x85")
    (tmp_path / "b.jsonl").write_bytes(b'{"text": "caf\xe9"}')
    assert [document.paragraphs for document in read(tmp_path, encoding="cp1252")] == [("café “yes” wait…",), ("café",)]


def test_film_reviews_in_cp1252(shared_data: Path, tmp_path: Path) -> None:
    raw = (shared_data / "classification" / "sentence-polarity" / "rt-polarity.neg").read_bytes()
    (tmp_path / "a.txt").write_bytes(raw)
    assert len(read(tmp_path, documents="line", encoding="cp1252")) == 5_331
    with pytest.raises(DataError, match=rf"a.txt: byte {_first_bad(raw)} \(0x"):
        read(tmp_path)


def _first_bad(raw: bytes) -> int:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return error.start
    raise AssertionError("all of it is UTF-8")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_a_byte_that_is_not_utf8_is_named_by_its_place(tmp_path: Path, mark: bytes, ending: str) -> None:
    text, lines = tmp_path / f"a.txt{ending}", tmp_path / f"b.jsonl{ending}"
    content = mark + b"One.\nTw\xe9.\n"
    text.write_bytes(packed(content, ending))
    with pytest.raises(DataError, match=rf"a.txt{ending}: byte {content.index(0xE9)} \(0xe9\) is not utf-8.*cp1252"):
        read(text)
    content = mark + b'{"text": "One."}\n{"text": "Tw\xe9."}\n'
    lines.write_bytes(packed(content, ending))
    with pytest.raises(DataError, match=rf"b.jsonl{ending}: line 2, byte {content.index(0xE9)} \(0xe9\)"):
        read(lines)
    content = mark + b'{"text": "On\xe9."}\n'
    lines.write_bytes(packed(content, ending))
    with pytest.raises(DataError, match=rf"line 1, byte {content.index(0xE9)} \(0xe9\)"):
        read(lines)


def test_replaced_bytes_are_counted_one_by_one(tmp_path: Path) -> None:
    # \xe2\x82 is the beginning of a euro sign: one replacement for two bytes; a true U+FFFD is no replacement.
    (tmp_path / "a.txt").write_bytes(b"a\xe9b \xe2\x82 c \xef\xbf\xbd")
    (tmp_path / "b.jsonl").write_bytes(b'{"text": "\xff\xff"}')
    documents, notes = read_noting(tmp_path, encoding_errors="replace")
    assert [document.paragraphs for document in documents] == [("a\ufffdb \ufffd c \ufffd",), ("\ufffd\ufffd",)]
    assert notes.replaced_bytes == 5


# Files that are damaged, or something else


@pytest.mark.parametrize("ending", [".gz", ".zst"])
@pytest.mark.parametrize("kept", [0.5, 0.98])
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_a_compressed_file_that_is_cut_off(tmp_path: Path, name: str, ending: str, kept: float) -> None:
    line = json.dumps({"text": "".join(chr(33 + (n * n) % 89) for n in range(5_000))})
    content = packed("\n".join([line] * 20).encode(), ending)
    (tmp_path / f"{name}{ending}").write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(DataError, match=rf"{name}{ending}: cannot be read to its end.*cut off"):
        read(tmp_path)


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_compressed_file_that_is_damaged_or_none(tmp_path: Path, ending: str) -> None:
    whole = packed("".join(f"Line {number * number}.\n" for number in range(500)).encode(), ending)
    damaged = [whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :] for at in (10, 40, len(whole) // 2)]
    for number, bad in enumerate((*damaged, whole + b"This is no frame.", b"This is plain text.")):
        file = tmp_path / f"{number}.txt{ending}"
        file.write_bytes(bad)
        with pytest.raises(DataError, match=r"cannot be read to its end|is not utf-8"):
            read(file)


def test_binary_files_are_refused_with_the_place_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"One.\x00")
    (tmp_path / "b.jsonl").write_bytes(b'{"text": "One."}\n{"text": "T\x00"}\n')
    with pytest.raises(DataError, match=r"a.txt: byte 4 is NUL.*--encoding utf-16"):
        read(tmp_path / "a.txt")
    with pytest.raises(DataError, match=r"b.jsonl: byte 28 is NUL"):
        read(tmp_path / "b.jsonl")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("One plain line.", r"a.jsonl: line 2: not JSON \(.* at column 1\); the line begins with 'One plain line\.'"),
        ('{"text": "One', r"line 2: not JSON \(Unterminated string"),
        ('["text"]', r"line 2: found list, expected an object such as"),
        ('{"text": 5}', r"line 2: the text is int, expected a JSON string"),
        ('{"text": null}', r"line 2: the text is NoneType, expected a JSON string"),
        ('{"title": "T", "year": 1900}', r"line 2: no key any of text, .*; the keys there are 'title', 'year'"),
        ("{}", r"line 2: no key any of"),
        ("[" * 200_000, r"line 2: JSON that cannot be read"),
        ('{"n": ' + "1" * 5_000 + "}", r"line 2: JSON that cannot be read"),
    ],
    ids=["text", "cut", "list", "number", "null", "keys", "empty", "deep", "digits"],
)
def test_what_is_wrong_with_a_line(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"text": "One."}}\n{line}\n')
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_the_text_column(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(json_lines({"text": "no", "story": "Yes."}))
    assert read(tmp_path, text_column="story")[0].paragraphs == ("Yes.",)
    with pytest.raises(DataError, match=r"no key 'tale'; the keys there are 'text', 'story'.*--text-column"):
        read(tmp_path, text_column="tale")
    (tmp_path / "a.jsonl").write_bytes(json_lines({"n": 1, "content": "Yes."}))
    assert read(tmp_path)[0].paragraphs == ("Yes.",)


def test_blank_lines_between_json_lines_are_no_documents(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "One."}\r\n\r\n{"text": "Two."}')
    assert [document.id for document in read(tmp_path)] == ["a.jsonl#0", "a.jsonl#1"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "a.txt: the file is empty"),
        ("a.txt", b" \n\t\r\n", "nothing but white space"),
        ("a.jsonl", b"\n\n", "no JSON line"),
        ("a.pdf", b"%PDF", r"a.pdf: the ending is not one that is read; expected .txt or .jsonl"),
        ("a.txt.gz", gzip.compress(b""), "nothing but white space"),
    ],
)
def test_files_without_text(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path / name)


def test_sources_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file or folder"):
        read(tmp_path / "none")
    with pytest.raises(DataError, match=r"no \.txt or \.jsonl file"):
        read(tmp_path)


def test_the_position_grows_to_the_size_of_the_file(tmp_path: Path) -> None:
    lines = json_lines(*({"text": "One and two and three. " * 50} for _ in range(3_000)))
    (tmp_path / "a.jsonl").write_bytes(lines)
    notes = ReadingNotes()
    positions = [notes.position for _ in read_documents(find_files((str(tmp_path),))[0], ReadingOptions(), notes)]
    assert positions == sorted(positions)
    assert positions[0] < len(lines) / 2
    assert positions[-1] == len(lines)
