"""Plain texts to documents: what a document is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.corpus.document import Document, paragraphs_of
from bertsmith.corpus.reading import ReadingNotes, detect_documents

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
    assert "blank lines between 3 documents" in notes.detected[0]


def test_meditations_is_one_document_of_a_paragraph_a_line(read_noting: ReadNoting, shared_data: Path) -> None:
    documents, notes = read_noting(shared_data / "corpora" / "meditations.txt")
    assert [len(document.paragraphs) for document in documents] == [507]
    assert not documents[0].lines_are_sentences
    assert notes.detected == ["meditations.txt: no blank lines: one document, its lines are paragraphs"]


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
