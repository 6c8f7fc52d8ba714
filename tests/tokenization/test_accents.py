"""Marks are kept if they are letters, dropped if bert-base-uncased drops them, and the loss is reported."""

from __future__ import annotations

import unicodedata

import pytest
from tokenizers.normalizers import BertNormalizer

from bertsmith.tokenization.accents import choose_accents, script_of, without_marks
from bertsmith.tokenization.word_counts import count_chunks, words_of_chunks


def words(text: str) -> dict[str, int]:
    return words_of_chunks(count_chunks([text]), lowercase=False, strip_accents=False, longest=None)


# Each script with a word that loses a letter if its marks are dropped.
KEPT = {
    "Devanagari": "मैं पुणे में रहता हूं",
    "Bengali": "সূর্য ও কুমার",
    "Tamil": "நான் தமிழ் படி",
    "Telugu": "నేను తెలుగు",
    "Malayalam": "ക്ഷേമം മലയാളം",
    "Gurmukhi": "ਮੈਂ ਪੰਜਾਬੀ ਹਾਂ",
    "Sinhala": "මම සිංහල",
    "Thai": "น้ำเย็นมาก ที่นี่",
    "Lao": "ຂ້ອຍກິນເຂົ້າ",
    "Khmer": "ខ្ញុំទៅផ្ទះ",
    "Burmese": "မင်္ဂလာပါ",
    "Tibetan": "བོད་སྐད་ཡིག",
    "Javanese": "ꦥꦶꦠꦸ",
    "kana": "バイル ハイル かぎ かき",
    "Hangul": "한국 사람",
    "Arabic": "سأل قرأ مسؤول آخر",
    "Thaana": "ދިވެހި ބަސް",
}


@pytest.mark.parametrize(("script", "text"), KEPT.items())
def test_marks_that_are_letters_are_kept(script: str, text: str) -> None:
    found = choose_accents(words(text), cased=False, accents="auto")
    assert (found.kept, found.strip_accents) == (True, False)
    assert f"part of the letters in {script}, which is 100% of the text" in found.reason
    # A tokenizer with this setting distinguishes them from their forms without marks.
    kept, stripped = (
        BertNormalizer(lowercase=True, strip_accents=value).normalize_str(text) for value in (False, True)
    )
    assert kept == text.lower() != stripped


@pytest.mark.parametrize(
    ("text", "example"),
    [
        ("schon schon schön Tag", "schon and schön are both read as schon"),
        ("мой мои мой все всё", "мой and мои are both read as мои"),
        ("El año pasado", "año is read as ano"),
        ("Ήταν μία ήταν", "ήταν is read as ηταν"),
        ("ba bà bá bả bạ má ma ma", "ba and bà are both read as ba"),
        ("שָׁלוֹם", "שָׁלוֹם is read as שלום"),
    ],
)
def test_what_is_dropped_is_shown_by_an_example_of_the_text(text: str, example: str) -> None:
    found = choose_accents(words(text), cased=False, accents="auto")
    assert (found.kept, found.strip_accents) == (False, None)
    assert found.reason.startswith("as in bert-base-uncased; --accents keep keeps them; ")
    assert "of the words change" in found.reason
    if "both" in example:
        assert "are both read as" in found.reason
        one, two = found.reason.split(": ")[-1].split(" are both")[0].split(" and ")
        assert {one, two} <= {word.lower() for word in words(text)} and without_marks(one) == without_marks(two)
    else:
        assert found.reason.endswith(example)


def test_the_example_is_the_most_frequent_pair() -> None:
    found = choose_accents(words("à a à a à a ou où ou où été"), cased=False, accents="auto")
    assert found.reason.endswith("54.5% of the words change: a and à are both read as a")


def test_a_few_foreign_words_decide_nothing() -> None:
    english = "The cat sat on the mat and read the news again. " * 60
    assert choose_accents(words(english), cased=False, accents="auto").reason == ""
    for foreign in ("かぎ", "हिंदी", "한국"):
        found = choose_accents(words(english + foreign), cased=False, accents="auto")
        assert (found.kept, found.strip_accents) == (False, None)
    many = english + "かぎはここにあります。 " * 10
    assert choose_accents(words(many), cased=False, accents="auto").kept


@pytest.mark.parametrize("text", ["中文没有标记", "中文 naïve", "The plain text", "❤️❤️ ok", ""])
def test_a_script_without_marks_decides_nothing(text: str) -> None:
    assert choose_accents(words(text), cased=False, accents="auto").strip_accents is None


@pytest.mark.parametrize(
    ("cased", "accents", "kept", "setting"),
    [
        (True, "auto", True, None),
        (True, "keep", True, None),
        (True, "strip", False, True),
        (False, "keep", True, False),
        (False, "strip", False, None),
    ],
)
def test_what_is_asked_for_is_done(cased: bool, accents: str, kept: bool, setting: bool | None) -> None:
    for text in ("schön", "में", "plain"):
        found = choose_accents(words(text), cased=cased, accents=accents)
        assert (found.kept, found.strip_accents) == (kept, setting)
        strips = BertNormalizer(lowercase=not cased, strip_accents=setting).normalize_str("schön") != "schön"
        assert strips is not kept


def test_hangul_loses_no_letter_but_falls_apart() -> None:
    found = choose_accents(words("한국 한국"), cased=False, accents="auto")
    assert found.reason.endswith("without marks, the 2 characters of 한국 are read as 6")


@pytest.mark.parametrize(
    ("character", "script"),
    [
        ("a", "LATIN"),
        ("ü", "LATIN"),
        ("ｶ", "KANA"),
        ("か", "KANA"),
        ("\u3099", "KANA"),
        ("ก", "THAI"),
        ("က", "BURMESE"),
    ],
)
def test_scripts(character: str, script: str) -> None:
    assert script_of(character) == script


@pytest.mark.parametrize(
    ("text", "cased", "accents", "composed"),
    [
        ("में", False, "auto", True),
        ("한국", False, "auto", True),
        ("schön", False, "auto", False),
        ("schön", False, "keep", True),
        ("schön", True, "auto", True),
        ("schön", True, "strip", False),
        ("plain", True, "auto", False),
        ("plain", False, "keep", False),
    ],
)
def test_a_tokenizer_composes_letters_if_the_text_has_marks_that_it_keeps(
    text: str, cased: bool, accents: str, composed: bool
) -> None:
    found = choose_accents(words(text), cased=cased, accents=accents)
    assert found.composed is composed
    assert choose_accents(words(unicodedata.normalize("NFD", text)), cased=cased, accents=accents) == found
