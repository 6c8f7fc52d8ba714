"""How a new tokenizer reads words: which capitals and marks they keep, and how long they may be.

`prepare` and `train-tokenizer` choose these rules in the same way, by the words of the text as they are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bertsmith.runtime.machine import Choice
from bertsmith.tokenization.folder import make_tokenizer
from bertsmith.tokenization.marks import WHY_COMPOSED, choose_marks
from bertsmith.tokenization.wordpiece import longest_word, words_of_chunks


@dataclass(frozen=True)
class WordRules:
    """The rules of a tokenizer, and the choices among them that are worth printing."""

    cased: bool
    strip_accents: bool | None
    composed: bool
    longest: int
    choices: tuple[Choice, ...]

    @classmethod
    def of_text(cls, as_written: Mapping[str, int], *, cased: bool, accents: str) -> WordRules:
        """The rules for a text by the counts of its words; `accents` is as in `choose_marks`."""
        marks = choose_marks(as_written, cased=cased, accents=accents)
        longest, why_longest = longest_word(as_written)
        choices = []
        if marks.reason:
            choices.append(Choice("accents", "kept" if marks.kept else "dropped", marks.reason))
        if marks.composed:
            choices.append(Choice("Unicode form", "NFC", WHY_COMPOSED))
        if why_longest:
            choices.append(Choice("longest word", f"{longest:,} characters", why_longest))
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
