"""Words of a text with their counts equal those of BERT's normalizer and pre-tokenizer."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from bertsmith.tokenization.word_counts import count_chunks, words_of_chunks

PREAMBLE = (
    "We hold these truths to be self-evident, that all men are created equal, that they are endowed by their "
    "Creator with certain unalienable Rights, that among these are Life, Liberty and the pursuit of "
    "Happiness. That to secure these rights, Governments are instituted among Men, deriving their just powers "
    "from the consent of the governed. Ça dépend: où l'été naïf s'achève, 東京 commence."
)


def words_of(*texts: str, lowercase: bool = True) -> dict[str, int]:
    return words_of_chunks(count_chunks(texts), lowercase=lowercase)


def words_by_tokenizers(text: str, *, lowercase: bool, strip_accents: bool | None) -> dict[str, int]:
    """The reference: both steps on the whole text, without chunks."""
    normalized = BertNormalizer(lowercase=lowercase, strip_accents=strip_accents).normalize_str(text)
    counts = Counter(word for word, _ in BertPreTokenizer().pre_tokenize_str(normalized))
    return {word: count for word, count in counts.items() if len(word) <= 100}


def test_chunks_are_counted_between_white_space() -> None:
    assert count_chunks(["a b\ta\n", "b\u3000a\u2028c"]) == {"a": 3, "b": 2, "c": 1}


def test_words_are_lower_cased_stripped_of_accents_and_parted_at_punctuation() -> None:
    assert words_of("Don't! Élan élan (don't)") == {
        "don": 2, "'": 2, "t": 2, "!": 1, "elan": 2, "(": 1, ")": 1,
    }  # fmt: skip
    assert words_of("Élan élan Don", lowercase=False) == {"Élan": 1, "élan": 1, "Don": 1}
    assert words_of_chunks({"Élan": 1}, lowercase=True, strip_accents=False) == {"élan": 1}
    assert words_of_chunks({"Élan": 1}, lowercase=False, strip_accents=True) == {"Elan": 1}


def test_counts_of_chunks_are_kept() -> None:
    assert words_of_chunks({"a,": 3, "A": 4, "東京": 5}, lowercase=True) == {"a": 7, ",": 3, "東": 5, "京": 5}


def test_a_word_of_more_than_100_characters_is_left_out() -> None:
    assert words_of("a" * 100 + " " + "b" * 101 + " " + "é" * 101) == {"a" * 100: 1}


def test_separators_that_bert_removes_join_their_neighbours() -> None:
    assert words_of("page\x0cbreak one\x85two three\x1cfour") == {"pagebreak": 1, "onetwo": 1, "threefour": 1}


def test_split_counting_gives_the_same_words() -> None:
    texts = PREAMBLE.split(", ")
    whole = words_of(*texts)
    parts = sum((count_chunks(texts[start::3]) for start in range(3)), Counter())
    assert words_of_chunks(parts, lowercase=True) == whole


any_text = st.text(
    st.one_of(
        st.sampled_from("aAbéÉñ'#.,-東ー한\u0301\u0345\x00\x07\x0b\x0c\x1d\x85\xa0\xad\u200b\u2028\u3000\ufffd \t\n"),
        st.characters(exclude_categories=["Cs"]),
    )
)


@given(text=any_text, lowercase=st.booleans(), strip_accents=st.sampled_from([None, True, False]))
@settings(deadline=None)
def test_words_of_chunks_are_the_words_of_the_text(text: str, lowercase: bool, strip_accents: bool | None) -> None:
    ours = words_of_chunks(count_chunks([text]), lowercase=lowercase, strip_accents=strip_accents)
    assert ours == words_by_tokenizers(text, lowercase=lowercase, strip_accents=strip_accents)


def test_every_character_of_the_basic_plane_parts_words_as_in_tokenizers() -> None:
    for first in range(0, 0x10000, 0x800):
        if first == 0xD800:  # surrogates cannot be encoded
            continue
        text = "".join(f"a{chr(code_point)}B " for code_point in range(first, first + 0x800))
        expected = words_by_tokenizers(text, lowercase=True, strip_accents=None)
        assert words_of(text) == expected, f"from U+{first:04X}"


def test_words_are_composed_as_the_tokenizer_composes_them() -> None:
    chunks = count_chunks(["cafe\u0301 café caf\u00e9. か\u3099 plain"])
    found = words_of_chunks(chunks, lowercase=True, strip_accents=False, composed=True)
    assert found == {"café": 3, ".": 1, "が": 1, "plain": 1}
    apart = words_of_chunks(chunks, lowercase=True, strip_accents=False)
    assert apart == {"cafe\u0301": 1, "café": 2, ".": 1, "か\u3099": 1, "plain": 1}
