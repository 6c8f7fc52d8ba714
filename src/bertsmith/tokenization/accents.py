"""Choose the accents and other marks that an uncased tokenizer keeps: by default, those that are part of the letters.

BERT's uncased normalizer decomposes a text (NFD) and drops all nonspacing marks. That works for English but damages
most other scripts: Devanagari में becomes म, kana かぎ (key) and かき (oyster) become the same word, and a Hangul
syllable is split into its letters. The tokenizer has only one setting for all scripts, so it depends on the scripts in
the text:

| script | marks | by default | why |
| --- | --- | --- | --- |
| Latin, Greek, Cyrillic | accents, also ü, ñ, й, ё | dropped | as bert-base-uncased; most words stay readable |
| Hebrew, Syriac | vowel points | dropped | ordinary text is written without them |
| Chinese | none | - | nothing changes |
| Devanagari, Bengali, Tamil and all other Indic scripts | vowel signs, virama, nukta | kept | they are the vowels |
| Thai, Lao, Khmer, Burmese, Tibetan, Javanese, ... | vowels, tones, subjoined letters | kept | they are the vowels |
| kana | voicing (dakuten, handakuten) | kept | they change the consonant |
| Hangul | none, but NFD splits syllables | kept | a syllable stays one character, also in answers |
| Arabic | vowel points; hamza and madda on their carriers | kept | the hamza is a letter (Urdu, Uyghur: everywhere) |

All other scripts keep their marks. A kept mark can be encoded in two ways: as part of the letter (é, が, the syllables
of Hangul, as in almost every text) or as a separate character after it (texts from macOS, from PDF files). A vocabulary
contains the first form, so the second would be [UNK]. If a relevant part of the text has marks that are kept, the
tokenizer therefore converts its input to Unicode form NFC.

The authors of BERT recommend their cased multilingual model, which drops nothing, for most languages, because the
uncased model damages scripts other than Latin.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from tokenizers.normalizers import BertNormalizer

DROPPED_BY_DEFAULT = frozenset({"LATIN", "GREEK", "CYRILLIC", "HEBREW", "SYRIAC", "CJK"})
"""Scripts whose marks are dropped by default in uncased tokenizers, as the first word of their characters' Unicode
names."""
MIN_SHARE = 0.01
"""Share of the letters from which a script decides, so that a few foreign names have no effect."""
MIN_REPORTED_SHARE = 0.005
"""Share of words with marks from which dropping them is reported, or, if they are kept, text is converted to NFC. It is
0.002 in English novels and 0.14 in French news."""

NFC_REASON = "é is one character, however a text encodes it; the class of the tokenizer is TokenizersBackend"
"""The reason for Unicode form NFC."""

_WITHOUT_MARKS = BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
_SPELLINGS = {"HIRAGANA": "KANA", "KATAKANA": "KANA", "KATAKANA-HIRAGANA": "KANA", "MYANMAR": "BURMESE"}


@dataclass(frozen=True)
class AccentSettings:
    """Whether a tokenizer keeps the marks of a text, and why.

    `strip_accents` is the setting of `BertTokenizer`; None follows the case, as in BERT. `reason` contains an example
    from the text; it is empty if the choice makes no relevant difference. With `composed` the tokenizer reads a letter
    and its mark as one character (Unicode form NFC), however a text encodes them.
    """

    kept: bool
    strip_accents: bool | None
    reason: str = ""
    composed: bool = False


def choose_accents(words: Mapping[str, int], *, cased: bool, accents: str) -> AccentSettings:
    """Choose whether a tokenizer for this text keeps its marks.

    Args:
        words: count of each word as written (`words_of_chunks` without lowercasing and stripping).
        cased: whether the tokenizer keeps capitals; then it also keeps marks by default, as in BERT.
        accents: `keep`, `strip`, or `auto` to follow the scripts of the text.
    """
    words = _composed(words)
    changed = [word for word in words if not word.isascii() and any(map(_changes, word))]
    share = sum(words[word] for word in changed) / max(sum(words.values()), 1)
    if accents == "keep" or (cased and accents == "auto"):
        return AccentSettings(True, None if cased else False, composed=share >= MIN_REPORTED_SHARE)
    if accents == "auto" and (found := _deciding_script(words)):
        script, of_letters = found
        theirs = [word for word in changed if any(script_of(character) == script for character in word)]
        name = script.title() if script != "KANA" else "kana"
        return AccentSettings(
            True,
            False,
            f"marks are part of the letters in {name}, which is {of_letters:.0%} of the text: without marks, "
            f"{_example(theirs, words)}",
            composed=True,
        )
    strip = True if cased else None
    if share < MIN_REPORTED_SHARE:
        return AccentSettings(False, strip)
    why = "set by --accents strip" if accents == "strip" else "as in bert-base-uncased; --accents keep keeps them"
    return AccentSettings(False, strip, f"{why}; {share:.1%} of the words change: {_example(changed, words)}")


def _composed(words: Mapping[str, int]) -> Counter[str]:
    """Return the counts of words in Unicode form NFC, because letters of decomposed Hangul have no marks."""
    counts: Counter[str] = Counter()
    for word, count in words.items():
        counts[word if word.isascii() else unicodedata.normalize("NFC", word)] += count
    return counts


def _deciding_script(words: Mapping[str, int]) -> tuple[str, float] | None:
    """Return the most frequent script with marks that are kept and occur in the text, and its share of the letters."""
    characters: Counter[str] = Counter()
    total = 0
    for word, count in words.items():
        if word.isascii():
            total += len(word) * count
        else:
            for character in word:
                characters[character] += count
    letters: Counter[str] = Counter()
    affected: set[str] = set()
    for character, count in characters.items():
        if unicodedata.category(character)[0] in "LM":
            # Only letters count for a script: variation selectors and accents have none.
            letters[script_of(character)] += count if character.isalpha() else 0
            if _changes(character):
                affected.add(script_of(character))
    total += letters.total()
    keeping = affected - DROPPED_BY_DEFAULT
    shares = [(letters[script] / max(total, 1), script) for script in keeping]
    share, script = max(shares, default=(0.0, ""))
    return (script, share) if share >= MIN_SHARE else None


@cache
def script_of(character: str) -> str:
    """Return the script of a letter or mark from its Unicode name, such as DEVANAGARI; all kana are KANA."""
    name = unicodedata.name(character, "")
    for prefix in ("HALFWIDTH ", "FULLWIDTH ", "COMBINING "):
        name = name.removeprefix(prefix)
    word = name.split(" ")[0]
    return _SPELLINGS.get(word, word)


def without_marks(text: str) -> str:
    """Return the text as read by a BERT tokenizer that strips accents."""
    return str(_WITHOUT_MARKS.normalize_str(text))


@cache
def _changes(character: str) -> bool:
    return without_marks(character) != character


def _example(changed: Sequence[str], words: Mapping[str, int]) -> str:
    """Describe the most frequent two words that become the same, or else the most frequent word that changes."""
    counts: Counter[str] = Counter()
    for word, count in words.items():
        counts[word.lower()] += count
    groups: dict[str, set[str]] = {}
    for word in {word.lower() for word in changed}:
        groups.setdefault(without_marks(word), set()).add(word)
    best: tuple[int, int, list[str]] = (0, 0, [])
    for bare, spellings in sorted(groups.items()):
        found = sorted(spellings | ({bare} & counts.keys()), key=lambda word: (-counts[word], word))[:2]
        second = counts[found[1]] if len(found) > 1 else 0
        if (second, counts[found[0]]) > best[:2]:
            best = (second, counts[found[0]], found)
    *_, found = best
    bare = without_marks(found[0])
    if bare != found[0] and unicodedata.normalize("NFC", bare) == found[0]:  # Hangul, which loses nothing
        return f"the {len(found[0])} characters of {found[0]} are read as {len(bare)}"
    return f"{' and '.join(found)} {'are both' if len(found) > 1 else 'is'} read as {bare}"
