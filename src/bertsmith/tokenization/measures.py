"""How well a tokenizer fits a text: tokens a word, the share of unknown tokens, and of the vocabulary that is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bertsmith.config.verb import Result

WORDS_AT_ONCE = 10_000


def fit(tokenizer: Any, words: Mapping[str, int]) -> dict[str, float]:
    """How a tokenizer reads counted words (as `wordpiece.words_of_chunks` gives them).

    `tokens_per_word`; `unknown_rate`, the share of tokens that are unknown; `vocabulary_used`, the share of entries
    that occur at least once (special tokens are entries too and never do).
    """
    tokens = unknown = total = 0
    used: set[int] = set()
    items = list(words.items())
    for start in range(0, len(items), WORDS_AT_ONCE):
        some = items[start : start + WORDS_AT_ONCE]
        # Behind a space, where byte-level tokenizers expect a word; to BERT's it is nothing.
        texts = [f" {word}" for word, _ in some]
        encodings = tokenizer.backend_tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        for (_, count), encoding in zip(some, encodings, strict=True):
            ids = encoding.ids
            total += count
            tokens += count * len(ids)
            unknown += count * ids.count(tokenizer.unk_token_id)
            used.update(ids)
    used.discard(tokenizer.unk_token_id)
    return {
        "tokens_per_word": tokens / max(total, 1),
        "unknown_rate": unknown / max(tokens, 1),
        "vocabulary_used": len(used) / max(len(tokenizer), 1),
    }


@dataclass(frozen=True)
class TokenizerFit(Result):
    """A row of a comparison: a tokenizer and its figures over the same words."""

    name: str
    vocab_size: int
    tokens_per_word: float
    unknown_rate: float
    vocabulary_used: float


def compare_tokenizers(tokenizers: Mapping[str, Any], words: Mapping[str, int]) -> list[TokenizerFit]:
    """The figures of several tokenizers, by name, over the same counted words.

    Where they differ in case or accents the words must be as they are written
    (`words_of_chunks(chunks, lowercase=False, strip_accents=False)`): each tokenizer then makes of them what it makes.
    """
    return [TokenizerFit(name, len(tokenizer), **fit(tokenizer, words)) for name, tokenizer in tokenizers.items()]


def fit_table(rows: list[TokenizerFit]) -> list[str]:
    """The rows of a comparison as lines for people."""
    width = max((len(row.name) for row in rows), default=0)
    return [
        f"{row.name:<{width}}  {row.vocab_size:>7,} entries, {row.vocabulary_used:.1%} of them used  "
        f"{row.tokens_per_word:.3f} tokens a word, {row.unknown_rate:.3%} of them unknown"
        for row in rows
    ]
