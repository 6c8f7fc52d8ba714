"""How a new tokenizer reads words: which capitals and accents it keeps, and the maximum word length.

`prepare` and `train-tokenizer` choose these rules in the same way, from the words of the text as written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bertsmith.runtime.machine import AutomaticChoice
from bertsmith.tokenization.accents import NFC_REASON, choose_accents
from bertsmith.tokenization.folder import make_tokenizer
from bertsmith.tokenization.unspaced import is_unspaced
from bertsmith.tokenization.word_counts import LONGEST_WORD, words_of_chunks

LONGEST_RUN = 2_000
"""Characters; the maximum for texts in scripts without spaces. `corpus.sentences` has no longer sentences."""
TOO_LONG_SHARE = 0.001
"""Share of a text in runs of more than `LONGEST_WORD` letters from which `LONGEST_RUN` applies."""


@dataclass(frozen=True)
class WordRules:
    """The rules of a tokenizer, and the choices among them that are worth reporting."""

    cased: bool
    strip_accents: bool | None
    composed: bool
    longest: int
    choices: tuple[AutomaticChoice, ...]

    @classmethod
    def of_text(cls, as_written: Mapping[str, int], *, cased: bool, accents: str) -> WordRules:
        """Choose the rules for a text from its word counts; `accents` is as in `choose_accents`."""
        settings = choose_accents(as_written, cased=cased, accents=accents)
        longest, why_longest = longest_word(as_written)
        choices = []
        if settings.reason:
            choices.append(AutomaticChoice("accents", "kept" if settings.kept else "dropped", settings.reason))
        if settings.composed:
            choices.append(AutomaticChoice("Unicode form", "NFC", NFC_REASON))
        if why_longest:
            choices.append(AutomaticChoice("longest word", f"{longest:,} characters", why_longest))
        return cls(cased, settings.strip_accents, settings.composed, longest, tuple(choices))

    def words(self, as_written: Mapping[str, int]) -> dict[str, int]:
        """Return the words as the tokenizer reads them, with their counts."""
        return words_of_chunks(
            as_written,
            lowercase=not self.cased,
            strip_accents=self.strip_accents,
            composed=self.composed,
            longest=self.longest,
        )

    def tokenizer(self, vocabulary: list[str]) -> Any:
        """Build the tokenizer for a vocabulary that was trained on these words."""
        return make_tokenizer(
            vocabulary,
            cased=self.cased,
            strip_accents=self.strip_accents,
            composed=self.composed,
            longest=self.longest,
        )


def longest_word(words: Mapping[str, int]) -> tuple[int, str]:
    """Return the maximum word length for a tokenizer of this text, and the reason; BERT's maximum has no reason.

    A sentence of Thai can be a single run of letters. If a relevant part of the text is in runs too long for BERT,
    words may be as long as sentences of the corpus. `words` come from `words_of_chunks` without a maximum length.
    """
    lost = {word: count for word, count in words.items() if len(word) > LONGEST_WORD and is_unspaced(word)}
    total = sum(len(word) * count for word, count in words.items())
    share = sum(len(word) * count for word, count in lost.items()) / max(total, 1)
    if share < TOO_LONG_SHARE:
        return LONGEST_WORD, ""
    return LONGEST_RUN, (
        f"{share:.1%} of the characters are in runs of more than {LONGEST_WORD} letters without a space, such as "
        f"{min(lost)[:12]}..., which a BertTokenizer reads as [UNK]; so the class of the tokenizer is TokenizersBackend"
    )
