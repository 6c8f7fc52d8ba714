"""Each cleaning step: what it changes and drops, that it counts this, and that it changes nothing else."""

from __future__ import annotations

import pickle
import unicodedata
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bertsmith.config.cleaning import ALL_STEPS, DEFAULT_STEPS, choose_steps
from bertsmith.corpus.cleaning import (
    CleaningCounts,
    CleaningOptions,
    DroppedText,
    clean_document,
    identify_language,
)
from bertsmith.corpus.document import Document

NONE = frozenset[str]()
PROSE = (
    "It was a bright cold day in April, and the clocks of the town were striking thirteen as she came down the hill."
)


def clean(*paragraphs: str, steps: str = "", language: str = "en") -> tuple[str, ...] | str:
    """Return the remaining paragraphs, or the reason why all are dropped."""
    cleaned = clean_document(
        Document("a", paragraphs), CleaningOptions(choose_steps(steps), language), CleaningCounts()
    )
    return cleaned if isinstance(cleaned, str) else cleaned.paragraphs


# Choosing the steps


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", set(DEFAULT_STEPS)),
        ("language", {*DEFAULT_STEPS, "language"}),
        ("language, no-boilerplate", {*DEFAULT_STEPS, "language"} - {"boilerplate"}),
        ("none", set()),
        ("none,short,unicode", {"short", "unicode"}),
        ("all,no-short", set(ALL_STEPS) - {"short"}),
        ("language,no-language", set(DEFAULT_STEPS)),
        (["none", "symbols"], {"symbols"}),
    ],
)
def test_steps_are_chosen_by_name(text: str | list[str], steps: set[str]) -> None:
    assert choose_steps(text) == steps


def test_only_the_language_is_off_by_default() -> None:
    assert set(DEFAULT_STEPS) == set(ALL_STEPS) - {"language"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("langage", "found 'langage', expected one of .*; did you mean 'language'"),
        ("no-symbol", "found 'no-symbol', expected .*; did you mean 'no-symbols'"),
        ("language,none", "found 'none' as word 2, expected it as the first word"),
        ("no-none", "found 'no-none'"),
        ("xyzzy", "found 'xyzzy', expected one of unicode, controls"),
    ],
)
def test_an_unknown_step_is_named_with_the_nearest(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose_steps(text)


# Steps that always run


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("  One\ttwo \u00a0 three\u3000four ", "One two three four"),
        ("One\r\ntwo\x0bthree\x0cfour\nfive", "One two three four five"),
        ("One\x85two\u2028three\x1cfour", "One two three four"),
        ("\ufeffOne\ud800 two\udfff\ufeff", "One two"),
        ("One \ud800 two", "One two"),
        ("“Quoted” — 5 ﬁ½ ² İ ß &lt; &amp; ‘a’", "“Quoted” — 5 ﬁ½ ² İ ß &lt; &amp; ‘a’"),
    ],
)
@pytest.mark.parametrize("steps", ["none", ""])
def test_white_space_is_plain_and_all_can_be_encoded(text: str, result: str, steps: str) -> None:
    assert clean(text, steps=steps + ",no-short") == (result,)


def test_the_white_space_is_that_of_python() -> None:
    from bertsmith.corpus.cleaning.characters import SPACES

    assert "".join(character for character in map(chr, range(0x110000)) if character.isspace()) == SPACES


def test_white_space_at_many_places_of_a_long_document() -> None:
    paragraphs = [PROSE] * 300
    spaced = [PROSE.replace(" ", "  ") if place % 7 == 0 else PROSE for place in range(300)]
    counts = CleaningCounts()
    cleaned = clean_document(Document("a", tuple(spaced)), CleaningOptions(NONE), counts)
    assert isinstance(cleaned, Document)
    assert list(cleaned.paragraphs) == paragraphs
    assert counts.paragraphs_repaired == {"white space": 43}
    assert counts.characters_removed == {"white space": 43 * PROSE.count(" ")}


# unicode

CORRECT = [
    "Größe, Übermut und »Äpfel« – „Ja“, sagte sie… Straße 5 €",
    "Ça alors ! « Où est l’hôtel ? » — déjà vu, naïveté, À bientôt…",
    "从前有座山，山里有座庙。《红楼梦》“一”……",
    "Ἐν ἀρχῇ ἦν ὁ λόγος· Καλημέρα, τι κάνεις;",
    "👩‍👩‍👧 family, 🏴󠁧󠁢󠁥󠁮󠁧󠁿 flag, ❤️ heart, 👍🏽 thumb",
    "Привет, как дела? «Хорошо» — №5",
    "می‌خواهم کتاب بخوانم",
    "क्षत्रिय र्‍य हिन्दी में",
    "İstanbul’da ŞİŞLİ ağaç, Łódź, žluťoučký kůň, Ångström Å 5",
    "x ≤ 5 × 3 ± ½ °C ¼ § 12 ¶ † ‡ © ® ™",
]


@pytest.mark.parametrize("text", CORRECT)
def test_correct_text_is_unchanged(text: str) -> None:
    assert clean(text, steps="no-short") == (text,)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
@pytest.mark.parametrize(
    "text",
    [
        "Größe und Übermut",
        "L’été, déjà vu",
        "Don’t say “no” — please…",
        "naïve café",
        "从前有座山",
        "Καλημέρα",
        "👍 good",
    ],
)
def test_utf8_that_was_read_in_another_encoding_is_repaired(text: str, encoding: str) -> None:
    # The five bytes that are undefined in Windows-1252 become controls, as in browsers.
    wrong = "".join(
        bytes([byte]).decode(encoding) if encoding == "latin-1" or byte not in b"\x81\x8d\x8f\x90\x9d" else chr(byte)
        for byte in text.encode()
    )
    assert wrong != text
    assert clean(f"Before. {wrong} After.", "Another.") == (f"Before. {text} After.", "Another.")
    assert clean(wrong, steps="none") != (text,)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ("â€śNoâ€ť, he said", "“No”, he said"),  # Windows-1250
        ("GrĂ¶Ăźe und mehr", "Größe und mehr"),
        ("‚ÄúNo‚Äù, he said", "“No”, he said"),  # Mac Roman
        ("It\x92s \x93here\x94 today", "It’s “here” today"),  # Windows-1252 as Latin-1
        ("women Ã la mode", "women à la mode"),  # the no-break space became a plain space
        ("AT&amp;T writes &lt;b&gt; Ã©", "AT&amp;T writes &lt;b&gt; é"),
    ],
)
def test_other_wrong_encodings_are_repaired(wrong: str, text: str) -> None:
    assert clean(wrong) == (text,)
    assert clean(wrong, steps="no-unicode,no-controls") == (wrong,)


def test_one_wrong_paragraph_among_right_ones() -> None:
    counts = CleaningCounts()
    document = Document("a", ("Größe “eins” – hier", "GrÃ¶ÃŸe zwei – hier", "Größe drei – hier"))
    cleaned = clean_document(document, CleaningOptions(), counts)
    assert cleaned == Document("a", ("Größe “eins” – hier", "Größe zwei – hier", "Größe drei – hier"))
    assert counts.paragraphs_repaired == {"unicode": 1}
    assert counts.characters_removed == {"unicode": 2}


@pytest.mark.parametrize(
    ("text", "result"), [("cafe\u0301", "café"), ("e\x00\u0301", "é"), ("\u1f71 \u2126", "ά Ω"), ("\uf900", "豈")]
)
def test_text_is_composed(text: str, result: str) -> None:
    assert clean(text, steps="no-short") == (result,)
    assert clean(text, steps="no-short,no-unicode") != (result,)


def test_the_characters_that_are_taken_for_composed_are() -> None:
    from bertsmith.corpus.cleaning.characters import _NFC_SAFE

    all_characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    decompositions = [unicodedata.normalize("NFD", character) for character in all_characters]
    second = {character for text in decompositions if len(text) > 1 for character in text[1:]}
    for character in filter(_NFC_SAFE.fullmatch, all_characters):
        assert unicodedata.normalize("NFC", character) == character
        assert unicodedata.combining(character) == 0
        assert character not in second


# controls


def test_controls_and_what_is_invisible_go() -> None:
    text = "O\x00n\x07e soft\xad \u200bhy\u200ephen\u2060\u202a x\x7f\ufffe"
    assert clean(text) == ("One soft hyphen x",)
    assert clean(text, steps="no-controls") == (text,)


# boilerplate


@pytest.mark.parametrize(
    "text",
    [
        "This website uses cookies to improve your experience. Accept",
        "We use cookies to give you the best experience on our website.",
        "By continuing to browse the site you agree to our use of cookies.",
        "Diese Website verwendet Cookies.",
        "En poursuivant votre navigation, vous acceptez l’utilisation de cookies.",
        "Este sitio web utiliza cookies propias y de terceros.",
        "All rights reserved.",
        "ALL RIGHTS RESERVED",
        "Copyright © 2019 Example Inc. All rights reserved.",
        "© 2019 Example Inc.",
        "Tous droits réservés.",
        "Click here to subscribe to our newsletter!",
        "Click to share on Twitter (Opens in new window)",
        "Sign up for our free weekly newsletter",
        "Share this article on Facebook",
        "Facebook | Twitter | LinkedIn",
        "Please enable JavaScript to view the comments.",
        "Your browser does not support the video tag.",
        "Skip to main content",
        "Page 3 of 10",
        "Seite 3 von 10",
        "Página 12",
        "*** START OF THE PROJECT GUTENBERG EBOOK 12, ULYSSES ***",
        "End of the Project Gutenberg EBook of Emma, by Jane Austen",
        "E-text prepared by John Smith",
    ],
)
def test_boilerplate_goes(text: str) -> None:
    assert clean(PROSE, text) == (PROSE,)
    assert clean(text) == "boilerplate"
    assert clean(PROSE, text, steps="no-boilerplate,no-symbols") == (PROSE, text)


@pytest.mark.parametrize(
    "text",
    [
        "We use cookies for the dough, and a pinch of salt.",
        "Share this with him, she said.",
        "All rights reserved to the crown were lost in the war.",
        "Page 3 of the letter was missing.",
        "Page turned to the king.",
        "Click here and there went the beetles.",
        "Copyright is a right of authors.",
        "Read more books, my son.",
        "Follow us on foot, he cried.",
        "Subscribe to our cause or perish.",
        "Project Gutenberg was begun in 1971.",
        "1984",
        "CHAPTER I",
    ],
)
def test_text_that_resembles_it_stays(text: str) -> None:
    assert clean(PROSE, text) == (PROSE, text)


def test_phrases_begin_with_what_they_are_looked_up_by() -> None:
    from bertsmith.corpus.cleaning.boilerplate import PHRASES

    for phrase in PHRASES:
        head = phrase.replace("\\", "")[:3]
        assert head == head.lower()
        assert not set("?[+|{") & set(phrase.replace("\\", "")[:4]), phrase


# symbols


@pytest.mark.parametrize(
    "text", ["* * *", "-----", "— — — — —”", "_ _ _", "?!", "| - | a | - | b |", "。。。", "…", "1 . . . . . . 2"]
)
def test_paragraphs_of_symbols_go(text: str) -> None:
    assert clean(PROSE, text) == (PROSE,)
    assert clean(text) == "mostly symbols"
    assert clean(PROSE, text, steps="no-symbols") == (PROSE, text)


@pytest.mark.parametrize(
    "text",
    [
        "1984",
        "x = 3 + 4;",
        "“No.”",
        '"Oh! Oh!----"',
        "从前。",
        "कीं कीं कीं",
        "ภาษาไทย",
        "a =- b",
        "IV.",
        "* * * Part * * *",
    ],
)
def test_paragraphs_with_text_stay(text: str) -> None:
    assert clean(PROSE, text) == (PROSE, text)


def test_lead_bytes_of_letters_lead_letters() -> None:
    from bertsmith.corpus.cleaning.symbols import _LETTER_LEADS, _SIGN

    for code in range(0x80, 0x10000):
        if not 0xD800 <= code < 0xE000 and chr(code).encode()[0] in _LETTER_LEADS and _SIGN.match(chr(code)):
            assert unicodedata.category(chr(code)) in ("Mn", "Me", "Cn") or chr(code) == "\u0482", hex(code)


# Whole documents


@pytest.mark.parametrize(
    ("text", "short"),
    [("Two words", True), ("Three words here", False), ("从前", True), ("从前有", False), ("ภาษาไทยภาษาไทย", False)],
)
def test_short_documents_go(text: str, short: bool) -> None:
    assert (clean(text) == "too short") == short
    assert clean(text, steps="no-short") == (text,)


def test_min_words() -> None:
    for words, kept in ((17, True), (24, False)):
        result = clean_document(Document("a", ("a b c " * 6,)), CleaningOptions(min_words=words), CleaningCounts())
        assert isinstance(result, Document) == kept


@pytest.mark.parametrize(
    "paragraphs",
    [
        ("Buy cheap watches now! " * 60,),
        (", ".join(f"cheap hotels {town:03}" for town in range(80)),),
        ("Buy cheap watches now at our shop, the best of the town and of the whole wide world. " * 12,),
        tuple(f"Contact us today about your new kitchen in {town}." for town in "abcdefghijklmnopqrst") * 2,
        (PROSE,) * 8,
        (
            "从前有座山山里有座庙庙里有个老和尚正在给小和尚讲一个故事讲的是什么呢讲的是从前有座山山里有座庙庙里有个老和尚",
        )
        * 14,
    ],
)
def test_repetitive_documents_go(paragraphs: tuple[str, ...]) -> None:
    assert clean(*paragraphs) == "repetitive"
    assert isinstance(clean(*paragraphs, steps="no-repetitive"), tuple)


VILLANELLE = """The dusk comes slowly to the eastern wall
And all the swallows gather in the light
We keep the names of those we could not call
The orchard drops its apples in the fall
The lanterns on the harbour burn all night
The dusk comes slowly to the eastern wall
My mother folded linen in the hall
And hummed a tune she never got quite right
We keep the names of those we could not call
A fisherman goes home without his haul
The gulls above him vanish out of sight
The dusk comes slowly to the eastern wall
The letters that we wrote were far too small
To hold what later winters would rewrite
We keep the names of those we could not call
So let the shutters close, the shadows sprawl
The kettle sings, the kitchen lamp is bright
The dusk comes slowly to the eastern wall
We keep the names of those we could not call"""


@pytest.mark.parametrize(
    "paragraphs",
    [
        tuple(VILLANELLE.split("\n")),
        (VILLANELLE.replace("\n", ", "),),
        (PROSE, PROSE),
        (
            "Row, row, row your boat, gently down the stream.",
            "Merrily, merrily, merrily, merrily, life is but a dream.",
        ),
        ("ROMEO.", "He jests at scars that never felt a wound.", "JULIET.", "Ay me, and what of it, my gentle lord?")
        * 2,
    ],
)
def test_poems_and_short_texts_are_not_repetitive(paragraphs: tuple[str, ...]) -> None:
    assert clean(*paragraphs) == paragraphs


GERMAN = "Im Frühling gingen die Kinder jeden Morgen durch den Wald zur Schule und sangen dabei ihre alten Lieder."
CHINESE = "从前有座山，山里有座庙，庙里有个老和尚正在给小和尚讲故事，讲的是很久以前的一件事情。"


def test_other_languages_go_when_it_is_asked_for() -> None:
    assert clean(GERMAN) == (GERMAN,)
    for text, language in ((GERMAN, "de"), (CHINESE, "zh"), (PROSE, "en")):
        for wanted in ("de", "zh", "en", "en-GB"):
            right = wanted[:2] == language
            assert clean(text, steps="language", language=wanted) == ((text,) if right else "other language")
        assert identify_language(text) == language
    assert clean("Guten Morgen, liebe Kinder, wie geht es?", steps="language") == (
        "Guten Morgen, liebe Kinder, wie geht es?",
    ), "too short to tell"
    assert identify_language("1, 2") == "und"
    with pytest.raises(ValueError, match="py3langid does not know the language 'tlh'"):
        clean(GERMAN, steps="language", language="tlh")


# Counts


def test_a_document_without_text_is_empty() -> None:
    assert clean() == clean("") == clean(" ", "\x00\u3000", "\ufeff") == "empty"


def test_the_reason_of_a_document_is_the_one_that_took_most_of_it() -> None:
    assert clean("* * *", "Page 3") == "boilerplate"
    assert clean("* * * * * * *", "Page 3", "") == "mostly symbols"
    assert clean("", "***") == "mostly symbols"


def test_what_is_dropped_is_counted_and_kept() -> None:
    counts, dropped = CleaningCounts(), list[DroppedText]()
    paragraphs = (PROSE, "* * *", " ", "Page  3", "Last\x00 words are here.")
    cleaned = clean_document(Document("a", paragraphs, True), CleaningOptions(), counts, dropped=dropped)
    assert cleaned == Document("a", (PROSE, "Last words are here."), True)
    assert dropped == [DroppedText("mostly symbols", "* * *", 1), DroppedText("boilerplate", "Page 3", 3)]
    assert counts == CleaningCounts(
        paragraphs_dropped=Counter({"mostly symbols": 1, "empty": 1, "boilerplate": 1}),
        characters_dropped=Counter({"mostly symbols": 5, "boilerplate": 6, "empty": 0}),
        paragraphs_repaired=Counter({"controls": 1, "white space": 2}),
        characters_removed=Counter({"controls": 1, "white space": 2}),
    )
    dropped.clear()
    assert clean_document(Document("b", ("One", "word", "***")), CleaningOptions(min_words=4), counts, dropped=dropped)
    assert dropped == [DroppedText("mostly symbols", "***", 2), DroppedText("too short", "One\nword", None)]
    assert counts.paragraphs_dropped["too short"] == 2
    assert counts.characters_dropped["too short"] == 7


def test_counts_add_up_and_travel() -> None:
    one = CleaningCounts(Counter(a=1), Counter(a=9), Counter(unicode=1), Counter(unicode=-2))
    both = one + pickle.loads(pickle.dumps(one))
    assert both == CleaningCounts(Counter(a=2), Counter(a=18), Counter(unicode=2), Counter(unicode=-4))
    assert one.paragraphs_dropped == {"a": 1}


def test_a_clean_document_is_itself() -> None:
    document = Document("a", (PROSE, "“Größe”, sagte er."))
    assert clean_document(document, CleaningOptions(), CleaningCounts()) is document


# Any text

any_text = st.text(st.characters(), max_size=30)
"""Lone surrogates, controls and unassigned characters included."""
nasty_text = st.text(
    st.one_of(
        st.sampled_from("ÂÃâäéðï€™œ\x9d\xa0\xad\x80\x85\x99©¶¤ aé\u0301\u0303\u200b\u200d\ufeff\ud800\n\t*-\x00вЂ一。"),
        st.sampled_from(["â€™", "Ã©", "ðŸ‘", "Ã ", "Page 3", "* * *"]).flatmap(lambda text: st.sampled_from(text)),
    ),
    max_size=12,
)
documents = st.lists(st.one_of(any_text, nasty_text), max_size=4).map(lambda texts: Document("a", tuple(texts)))
step_sets = st.frozensets(st.sampled_from(DEFAULT_STEPS))


@settings(max_examples=400)
@given(documents, st.one_of(st.just(frozenset(DEFAULT_STEPS)), step_sets))
@example(Document("a", ("A\u0303\u00a9 and more",)), frozenset(DEFAULT_STEPS))
@example(Document("a", ("\u00c3\u200b\u00a9 and more",)), frozenset(DEFAULT_STEPS))
@example(Document("a", ("\ud83d\udc4d ab c",)), frozenset(DEFAULT_STEPS))
@example(Document("a", ("a\nb", "", "c\n")), NONE)
def test_any_document(document: Document, steps: frozenset[str]) -> None:
    counts, dropped = CleaningCounts(), list[DroppedText]()
    options = CleaningOptions(steps)
    result = clean_document(document, options, counts, dropped=dropped)
    kept = () if isinstance(result, str) else result.paragraphs

    # Every lost character is counted.
    characters = sum(map(len, document.paragraphs))
    removed, lost = sum(counts.characters_removed.values()), sum(counts.characters_dropped.values())
    assert characters == sum(map(len, kept)) + removed + lost
    assert len(document.paragraphs) == len(kept) + sum(counts.paragraphs_dropped.values())
    in_documents = [entry.text.replace("\n", "") if entry.paragraph is None else entry.text for entry in dropped]
    assert lost == sum(map(len, in_documents))
    if isinstance(result, str):
        assert result in {"empty", *counts.paragraphs_dropped}
        return

    assert kept
    for text in kept:
        assert text
        assert text.encode().decode() == text
        assert text == " ".join(text.split())
        if "controls" in steps:
            assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)
        if "unicode" in steps:
            assert unicodedata.is_normalized("NFC", text)
    again = CleaningCounts()
    assert clean_document(result, options, again) is result
    assert again == CleaningCounts()


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=40))
def test_letters_numbers_and_signs_stay(text: str) -> None:
    result = clean(text, steps="none")
    assert (text.split() if isinstance(result, tuple) else []) == (result[0].split() if result != "empty" else [])
