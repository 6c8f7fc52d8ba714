"""What cleaning changes, and that it changes nothing else."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bertsmith.corpus.cleaning import clean_document, clean_paragraph
from bertsmith.corpus.document import Document

any_text = st.text(st.characters(), max_size=40)
"""Lone surrogates, controls and unassigned characters included."""


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  One\ttwo \u00a0 three\u3000four ", "One two three four"),
        ("One\r\ntwo\x0bthree\x0cfour", "One two three four"),
        ("One\x85two\u2028three\x1cfour", "One two three four"),
        ("O\x00n\x07e\x9f \ufefftwo\ud800", "One two"),
        ("cafe\u0301", "café"),
        ("e\x00\u0301", "é"),
        ("\x00 \ufeff\udfff", ""),
        ("“Quoted” — 5 ﬁ½ ² İ ß \u00ad\u200b", "“Quoted” — 5 ﬁ½ ² İ ß \u00ad\u200b"),
    ],
)
def test_a_paragraph(text: str, clean: str) -> None:
    assert clean_paragraph(text) == clean


@given(any_text)
@example("e\x00\u0301")
def test_any_text_becomes_one_plain_line(text: str) -> None:
    clean = clean_paragraph(text)
    clean.encode()
    assert clean == clean_paragraph(clean) == unicodedata.normalize("NFC", clean)
    assert clean.split() == ([] if not clean else clean.split(" "))
    assert not any(unicodedata.category(character) == "Cc" for character in clean)


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=40))
def test_letters_numbers_and_signs_stay(text: str) -> None:
    assert clean_paragraph(text).split() == unicodedata.normalize("NFC", text).split()


def test_paragraphs_without_text_go_and_a_document_of_them_is_dropped() -> None:
    document = Document("a", (" One. ", "\x00", "Two."), lines_are_sentences=True)
    assert clean_document(document) == Document("a", ("One.", "Two."), lines_are_sentences=True)
    assert clean_document(Document("a", ("\x00", " "))) is None
    assert clean_document(Document("a", ())) is None
