"""Splitting paragraphs into sentences: length limits, and no text is lost."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.config.cleaning import choose_steps
from bertsmith.corpus.cleaning import CleaningCounts, CleaningOptions, clean_document
from bertsmith.corpus.document import Document
from bertsmith.corpus.sentences import MAX_CHARACTERS, check_language, split_sentences
from bertsmith.errors import OptionError


@pytest.mark.parametrize(
    ("language", "paragraph", "sentences"),
    [
        ("en", "Dr. Smith came at 4 a.m. today. He left!", ["Dr. Smith came at 4 a.m. today.", "He left!"]),
        ("de", "Er kam am 3. Mai z.B. zu Fuß. Sie ging.", ["Er kam am 3. Mai z.B. zu Fuß.", "Sie ging."]),
        ("zh", "他走了。她来了！天黑了．", ["他走了。", "她来了！", "天黑了．"]),
        ("en-US", "One went. Two came.", ["One went.", "Two came."]),
        ("hi", "मैं घर गया। वह आया? ठीक है।", ["मैं घर गया।", "वह आया?", "ठीक है।"]),
        ("ja", "私は行く。「本当？」君は来る！", ["私は行く。", "「本当？」", "君は来る！"]),
        ("my", "မင်္ဂလာပါ။ နေကောင်းလား။", ["မင်္ဂလာပါ။", "နေကောင်းလား။"]),
        ("ar", "ذهبت إلى البيت. هل جاء؟ نعم.", ["ذهبت إلى البيت.", "هل جاء؟", "نعم."]),
        ("ur", "میں گھر گیا۔ وہ آیا۔", ["میں گھر گیا۔", "وہ آیا۔"]),
        ("km", "ខ្ញុំទៅផ្ទះ។ គាត់មក៕ «ល្អ។» ហើយ", ["ខ្ញុំទៅផ្ទះ។", "គាត់មក៕", "«ល្អ។»", "ហើយ"]),
        ("bo", "ང་ནང་ལ་འགྲོ། ཁོང་ཡོང་།། བཀྲ་ཤིས། །", ["ང་ནང་ལ་འགྲོ།", "ཁོང་ཡོང་།།", "བཀྲ་ཤིས། །"]),
        # Thai sentences have no final mark: a long one is cut at a space between letters, not next to a number.
        ("th", f"{'ก' * 80} ขค 2 คน ง", ["ก" * 80, "ขค 2 คน ง"]),
        ("th", f"{'ก' * 79} ขค {'ง' * 90} 5 จ", [f"{'ก' * 79} ขค", f"{'ง' * 90} 5 จ"]),
        (
            "en",
            f"{'ຂ' * 81} ຄ. Then English words follow here",
            [f"{'ຂ' * 81}", "ຄ.", "Then English words follow here"],
        ),
    ],
)
def test_sentences_by_language(language: str, paragraph: str, sentences: list[str]) -> None:
    check_language(language)
    assert split_sentences(Document("a", (paragraph,)), language) == [sentences]


def test_paragraphs_stay_apart_and_lines_that_are_sentences_stay_whole() -> None:
    paragraphs = ("One went. Two came.", "Three.")
    assert split_sentences(Document("a", paragraphs), "en") == [["One went.", "Two came."], ["Three."]]
    assert split_sentences(Document("a", paragraphs, lines_are_sentences=True), "en") == [[paragraphs[0]], ["Three."]]


def test_a_run_without_an_end_is_cut_at_white_space() -> None:
    words = " ".join(f"word{number}" for number in range(1_000))
    ((first, *rest),) = split_sentences(Document("a", (words,), lines_are_sentences=True), "en")
    assert len(first) <= MAX_CHARACTERS < len(first) + len("word1000")
    assert " ".join((first, *rest)) == words
    ((*pieces,),) = split_sentences(Document("a", ("x" * 4_500,), lines_are_sentences=True), "en")
    assert [len(piece) for piece in pieces] == [2_000, 2_000, 500]


long_words = st.integers(1, 5_000).map("x".__mul__) | st.sampled_from(["word", "end.", "终。", "名" * 2_500])


@given(st.lists(long_words, min_size=1, max_size=12), st.sampled_from(["en", "zh"]), st.booleans())
@settings(max_examples=50)
def test_long_runs_are_bounded_and_words_are_cut_only_where_they_must(
    words: list[str], language: str, lines_are_sentences: bool
) -> None:
    paragraphs = (" ".join(words), "Short.")
    (long, short) = split_sentences(Document("a", paragraphs, lines_are_sentences), language)
    assert short == ["Short."]
    assert all(0 < len(sentence.strip()) == len(sentence) <= MAX_CHARACTERS for sentence in long)
    assert "".join(long).replace(" ", "") == "".join(words)
    found = Counter(word for sentence in long for word in sentence.split(" "))
    assert all(found[word] >= words.count(word) for word in words if len(word) <= MAX_CHARACTERS)


def test_the_longest_sentence_that_is_kept_whole() -> None:
    for text, count in ((f"{'a ' * 999}bc", 1), (f"{'a ' * 999}bcd", 2)):
        assert len(text) == MAX_CHARACTERS + count - 1
        ((*pieces,),) = split_sentences(Document("a", (text,), lines_are_sentences=True), "en")
        assert " ".join(pieces) == text
        assert len(pieces) == count


@given(st.lists(st.text(max_size=60), max_size=4), st.sampled_from(["en", "de", "zh", "hi", "xx"]), st.booleans())
@settings(max_examples=200)
def test_no_text_is_lost_and_nothing_is_empty(texts: list[str], language: str, lines_are_sentences: bool) -> None:
    options = CleaningOptions(choose_steps("none,unicode,controls"))
    document = clean_document(Document("a", tuple(texts), lines_are_sentences), options, CleaningCounts())
    if isinstance(document, str):
        return
    paragraphs = split_sentences(document, language)
    assert ["".join(" ".join(sentences).split()) for sentences in paragraphs] == [
        "".join(paragraph.split()) for paragraph in document.paragraphs
    ]
    assert all(0 < len(sentence.strip()) == len(sentence) for sentences in paragraphs for sentence in sentences)


@pytest.mark.parametrize("language", ["e", "english language", "12", "", "日本", "en_US"])
def test_a_language_that_is_no_code(language: str) -> None:
    with pytest.raises(OptionError, match=r"--language: found .*, expected a language code such as en"):
        check_language(language)
