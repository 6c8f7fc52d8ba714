"""How well a tokenizer fits a text: tokens per word, share of unknown tokens, share of the vocabulary used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bertsmith.config.verb import Result

WORDS_AT_ONCE = 10_000


def fit(tokenizer: Any, words: Mapping[str, int]) -> dict[str, float]:
    """Measure a tokenizer on counted words (from `word_counts.words_of_chunks`).

    Returns `tokens_per_word`; `unknown_rate`, the share of unknown tokens; and `vocabulary_used`, the share of entries
    that occur at least once (special tokens are entries too, but never occur).
    """
    tokens = unknown = total = 0
    used: set[int] = set()
    items = list(words.items())
    for start in range(0, len(items), WORDS_AT_ONCE):
        batch = items[start : start + WORDS_AT_ONCE]
        # Byte-level tokenizers expect a space before a word; BERT's ignore it.
        texts = [f" {word}" for word, _ in batch]
        encodings = tokenizer.backend_tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        for (_, count), encoding in zip(batch, encodings, strict=True):
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
    """A row of a comparison: a tokenizer and its figures on the same words."""

    name: str
    vocab_size: int
    tokens_per_word: float
    unknown_rate: float
    vocabulary_used: float


def compare_tokenizers(tokenizers: Mapping[str, Any], words: Mapping[str, int]) -> list[TokenizerFit]:
    """Measure several tokenizers, by name, on the same counted words.

    If they differ in case or accents, pass the words as written (`words_of_chunks(chunks, lowercase=False,
    strip_accents=False)`), so that each tokenizer normalizes them itself.
    """
    return [TokenizerFit(name, len(tokenizer), **fit(tokenizer, words)) for name, tokenizer in tokenizers.items()]
