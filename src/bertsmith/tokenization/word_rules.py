"""How a new tokenizer reads words: which capitals and marks they keep, and how long they may be.

`prepare` and `train-tokenizer` choose these rules in the same way, by the words of the text as they are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bertsmith.runtime.machine import AutomaticChoice
from bertsmith.tokenization.folder import make_tokenizer
from bertsmith.tokenization.marks import WHY_COMPOSED, choose_marks
from bertsmith.tokenization.unspaced import is_unspaced
from bertsmith.tokenization.word_counts import LONGEST_WORD, words_of_chunks

LONGEST_RUN = 2_000
"""Characters; the same for texts in scripts without spaces. `corpus.sentences` has no longer sentences."""
TOO_LONG_SHARE = 0.001
"""The share of a text in runs of more than `LONGEST_WORD` letters from which it is read by `LONGEST_RUN`."""


@dataclass(frozen=True)
class WordRules:
    """The rules of a tokenizer, and the choices among them that are worth printing."""

    cased: bool
    strip_accents: bool | None
    composed: bool
    longest: int
    choices: tuple[AutomaticChoice, ...]

    @classmethod
    def of_text(cls, as_written: Mapping[str, int], *, cased: bool, accents: str) -> WordRules:
        """The rules for a text by the counts of its words; `accents` is as in `choose_marks`."""
        marks = choose_marks(as_written, cased=cased, accents=accents)
        longest, why_longest = longest_word(as_written)
        choices = []
        if marks.reason:
            choices.append(AutomaticChoice("accents", "kept" if marks.kept else "dropped", marks.reason))
        if marks.composed:
            choices.append(AutomaticChoice("Unicode form", "NFC", WHY_COMPOSED))
        if why_longest:
            choices.append(AutomaticChoice("longest word", f"{longest:,} characters", why_longest))
        return cls(cased, marks.strip_accents, marks.composed, longest, tuple(choices))

    def words(self, as_written: Mapping[str, int]) -> dict[str, int]:
        """The words as the tokenizer reads them, with their counts."""
        return words_of_chunks(
            as_written,
            lowercase=not self.cased,
            strip_accents=self.strip_accents,
            composed=self.composed,
            longest=self.longest,
        )

    def tokenizer(self, vocabulary: list[str]) -> Any:
        """The tokenizer of a vocabulary that was trained on these words."""
        return make_tokenizer(
            vocabulary,
            cased=self.cased,
            strip_accents=self.strip_accents,
            composed=self.composed,
            longest=self.longest,
        )


def longest_word(words: Mapping[str, int]) -> tuple[int, str]:
    """The longest word that a tokenizer of this text should read, and why; without a reason it is that of BERT.

    A sentence of Thai can be one run of letters. If a part of the text that matters is in runs too long for BERT, words
    may be as long as sentences of the corpus. `words` are those of `words_of_chunks` without a limit of length.
    """
    lost = {word: count for word, count in words.items() if len(word) > LONGEST_WORD and is_unspaced(word)}
    total = sum(len(word) * count for word, count in words.items())
    share = sum(len(word) * count for word, count in lost.items()) / max(total, 1)
    if share < TOO_LONG_SHARE:
        return LONGEST_WORD, ""
    return LONGEST_RUN, (
        f"{share:.1%} of the characters are in runs of more than {LONGEST_WORD} letters without a space, such as "
        f"{min(lost)[:12]}..., each of which a BertTokenizer reads as [UNK]; so the tokenizer has the "
        "class TokenizersBackend"
    )
