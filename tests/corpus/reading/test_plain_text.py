"""Reading plain text: what counts as a document."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.corpus.document import Document, line_blocks, paragraphs_of
from bertsmith.corpus.reading import (
    ReadingNotes,
    ReadingOptions,
    decoding,
    detect_documents,
    find_files,
    long_documents,
    plain_text,
    read_documents,
    unpacking,
)
from bertsmith.corpus.reading.plain_text import lines_end_sentences
from bertsmith.errors import DataError

Read = Callable[..., list[Document]]
ReadNoting = Callable[..., tuple[list[Document], ReadingNotes]]

TWO_TALKS = "One came in.\nHe sat down.\n\nTwo went out.\nShe ran.\n"
WRAPPED = "The first paragraph goes\nover two lines. It ends.\n\n\nThe second goes\nover more\nlines.\n"


lines_of_text = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12), max_size=12)


def test_the_sample_of_the_original_code_is_three_documents_of_sentences(
    read_noting: ReadNoting, shared_data: Path
) -> None:
    documents, notes = read_noting(shared_data / "golden" / "sample_text.txt")
    assert [len(document.paragraphs) for document in documents] == [3, 13, 15]
    assert all(document.lines_are_sentences for document in documents)
    assert "3 documents between blank lines" in notes.detected[0]


def test_meditations_is_one_document_of_a_paragraph_a_line(read_noting: ReadNoting, shared_data: Path) -> None:
    documents, notes = read_noting(shared_data / "corpora" / "meditations.txt")
    assert [len(document.paragraphs) for document in documents] == [507]
    assert not documents[0].lines_are_sentences
    assert notes.detected == ["meditations.txt: no blank lines: one document, with a paragraph per line"]


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
def test_each_form(
    read: Read, tmp_path: Path, text: str, form: str, expected: list[tuple[str, ...]], line_end: str
) -> None:
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


@given(lines_of_text, st.sampled_from(["auto", "file", "blank-line", "line"]))
def test_no_text_is_lost_in_any_form(
    read: Read, tmp_path_factory: pytest.TempPathFactory, lines: list[str], form: str
) -> None:
    text = "\n".join(lines)
    file = tmp_path_factory.mktemp("any") / "a.txt"
    file.write_bytes(text.encode())
    words = text.removeprefix("\ufeff").split()
    if not words:
        assert read(file, documents=form) == [Document("a.txt#0", ())]
        return
    found = [word for document in read(file, documents=form) for text in document.paragraphs for word in text.split()]
    assert found == words


@pytest.mark.parametrize(
    ("lines", "ends"),
    [
        (["मैं घर गया।", "वह आया।"], True),
        (["میں گھر گیا۔", "وہ آیا۔"], True),
        (["ខ្ញុំទៅ។", "គាត់មក។"], True),
        (["མི་འགྲོ།", "ཁོང་ཡོང་།"], True),
        (["私は行く。」", "君は来る！"], True),
        (["ผมไปบ้าน", "เขามาที่บ้านของผมเมื่อวานนี้", "ใช่ไหม"], True),
        (["ผมไปบ้านของเขาเมื่อวาน", "เขามาที่บ้านของผมวันนี้", "ใช่ไหม"], False),  # equal lengths: wrapped lines
        (["ผมไปบ้าน"], False),
        (["one line", "another line"], False),
    ],
)
def test_the_ends_of_sentences_in_other_scripts(lines: list[str], ends: bool) -> None:
    assert lines_end_sentences([lines]) is ends


@given(lines_of_text)
def test_no_paragraph_is_empty(lines: list[str]) -> None:
    paragraphs = paragraphs_of("\n".join(lines))
    assert all(paragraph.strip() == paragraph != "" for paragraph in paragraphs)
    assert " ".join(paragraphs).split() == "\n".join(lines).split()


@pytest.mark.parametrize("form", ["auto", "file", "blank-line", "line"])
@pytest.mark.parametrize("content", [b"", b" \n\t\r\n\n", b"\xef\xbb\xbf"])
def test_a_file_without_text_is_one_document_without_paragraphs(
    read: Read, tmp_path: Path, form: str, content: bytes
) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    assert read(tmp_path, documents=form) == [Document("a.txt#0", ())]


FORMS = st.sampled_from(["auto", "file", "blank-line", "line"])
any_text = st.lists(
    st.sampled_from(["a", "So.", " ", "\n", "\n\n", "\r", "\r\n", "é", "あ", "😀", "\u2028", "\ufeff"]), max_size=40
).map("".join)


@contextmanager
def sizes(*, piece: int = 1 << 20, first_part: int = 4_000_000, longest: int = 8_000_000) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unpacking, "BUFFER_BYTES", piece)
        patch.setattr(decoding, "HEAD_BYTES", min(piece, decoding.HEAD_BYTES))
        patch.setattr(plain_text, "FIRST_PART", first_part)
        patch.setattr(long_documents, "LONGEST_PART", longest)
        yield


def read_whole(text: str, form: str) -> list[Document]:
    """Read the documents of a text that is in memory as a whole."""
    lines = [line.strip() for line in re.split("\r\n|\r|\n", text.removeprefix("\ufeff"))]
    blocks = line_blocks(lines)
    if form == "auto" and blocks:
        form = detect_documents(lines)[0]
    sentences = form == "blank-line" and lines_end_sentences(blocks)
    if form == "line":
        found = [(line,) for line in lines if line]
    elif sentences:
        found = [tuple(block) for block in blocks]
    elif form == "blank-line":
        found = [(" ".join(block),) for block in blocks]
    else:
        found = [paragraphs_of("\n".join(lines))]
    return [
        Document(f"a.txt#{number}", paragraphs, bool(blocks) and sentences)
        for number, paragraphs in enumerate(found or [()])
    ]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plain") / "a.txt"


@given(any_text, FORMS, st.integers(1, 9))
def test_the_size_of_the_pieces_changes_nothing(
    read_noting: ReadNoting, file: Path, text: str, form: str, piece: int
) -> None:
    file.write_bytes(text.encode())
    whole, notes = read_noting(file, documents=form)
    assert whole == read_whole(text, form)
    with sizes(piece=piece):
        assert read_noting(file, documents=form) == (whole, notes)


@given(any_text, FORMS, st.integers(1, 9), st.integers(0, 9))
def test_a_short_first_part_loses_no_text_whatever_the_pieces(
    read_noting: ReadNoting, file: Path, text: str, form: str, piece: int, first_part: int
) -> None:
    file.write_bytes(text.encode())
    with sizes(first_part=first_part):
        whole, notes = read_noting(file, documents=form)
    with sizes(piece=piece, first_part=first_part):
        assert read_noting(file, documents=form) == (whole, notes)
    words = text.removeprefix("\ufeff").split()
    assert [word for document in whole for paragraph in document.paragraphs for word in paragraph.split()] == words
    assert [document.id for document in whole] == [f"a.txt#{number}" for number in range(len(whole))]
    if words:
        assert all(document.paragraphs and all(document.paragraphs) for document in whole)


@given(any_text, FORMS, st.integers(1, 9), st.integers(1, 12))
def test_parts_one_after_another_are_the_document(
    read_noting: ReadNoting, file: Path, text: str, form: str, piece: int, longest: int
) -> None:
    file.write_bytes(text.encode())
    whole, noted = read_noting(file, documents=form)
    with sizes(piece=piece, longest=longest):
        cut, notes = read_noting(file, documents=form)
    said = []
    for document in whole:
        own = [part for part in cut if part.id.partition("+")[0] == document.id]
        assert [part.id for part in own] == [document.id, *(f"{document.id}+{n}" for n in range(1, len(own)))]
        assert tuple(paragraph for part in own for paragraph in part.paragraphs) == document.paragraphs
        assert {part.lines_are_sentences for part in own} == {document.lines_are_sentences}
        lengths = [sum(map(len, part.paragraphs)) for part in own]
        assert all(size <= longest or len(part.paragraphs) == 1 for size, part in zip(lengths, own, strict=True)), (
            lengths
        )
        assert len(own) == 1 or sum(lengths) > longest
        if len(own) > 1:
            said.append(f"a.txt: one document of {sum(lengths)} characters, read in {len(own)} parts")
    assert notes.detected == noted.detected + said
    assert len({part.id for part in cut}) == len(cut)
    assert {part.id.partition("+")[0] for part in cut} == {document.id for document in whole}


@pytest.mark.parametrize(
    ("text", "expected", "said"),
    [
        (
            TWO_TALKS + "\nthree\nfour\n",
            [("One came in.", "He sat down."), ("Two went out.", "She ran."), ("three", "four")],
            "2 documents between blank lines, with one sentence per line "
            "(4 lines; --documents file reads the file as one document)",
        ),
        ("a title\n" * 6 + "\nso it\ngoes\n", [("a title",) * 6 + ("so it", "goes")], "no blank lines: one document,"),
        ("one line\n\n" * 5 + "so it\ngoes\n", [("one line",) * 5 + ("so it goes",)], "one document of 5 paragraphs"),
    ],
)
def test_what_follows_the_first_part_may_be_of_another_form(
    read_noting: ReadNoting, file: Path, text: str, expected: list[tuple[str, ...]], said: str
) -> None:
    file.write_bytes(text.encode())
    with sizes(first_part=48):
        documents, notes = read_noting(file)
    assert [document.paragraphs for document in documents] == expected
    (line,) = notes.detected
    assert line.startswith(f"a.txt: detected from the first 48 characters: {said}")


def test_a_file_no_longer_than_the_first_part_is_detected_from_all_of_it(read_noting: ReadNoting, file: Path) -> None:
    file.write_bytes(TWO_TALKS.encode())
    for length, partly in ((len(TWO_TALKS), False), (len(TWO_TALKS) - len("\nShe ran.\n"), True)):
        with sizes(first_part=length - 1):
            assert ("detected from the first" in read_noting(file)[1].detected[0]) == partly


@pytest.mark.parametrize("form", ["file", "blank-line", "line"])
def test_text_comes_before_a_bad_byte_that_follows_it(file: Path, form: str) -> None:
    file.write_bytes(b"One.\n\nTwo.\n\n" * 10 + b"\xff")
    with sizes(piece=5, first_part=12, longest=8):
        documents = read_documents(find_files((str(file),))[0], ReadingOptions(form), ReadingNotes())  # type: ignore[arg-type]
        first = list(islice(documents, 2))
        paragraphs = [paragraph for document in first for paragraph in document.paragraphs]
        assert paragraphs == (["One.", "Two."] * 2)[: len(paragraphs)]
        with pytest.raises(DataError, match=r"a\.txt: byte 120 \(0xff\) is not utf-8"):
            list(documents)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "end", "blank"), [("auto", "", ""), ("file", "", "\n"), ("blank-line", ".", ""), ("line", "", "")]
)
def test_memory_does_not_grow_with_the_file(tmp_path: Path, form: str, end: str, blank: str) -> None:
    lines = [
        f"the {number} stones lay at the foot of the wall where the water had left them{end}\n" for number in range(900)
    ]
    block = ("".join(lines[:450]) + blank + "".join(lines[450:]) + blank).encode()
    with (tmp_path / "a.txt").open("wb") as text:
        for _ in range(60_000_000 // len(block)):
            text.write(block)
    (source,) = find_files((str(tmp_path),))
    tracemalloc.start()
    try:
        characters = 0
        for document in read_documents(source, ReadingOptions(form), ReadingNotes()):  # type: ignore[arg-type]
            characters += sum(map(len, document.paragraphs))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert characters > 55_000_000
    assert peak < 60_000_000
