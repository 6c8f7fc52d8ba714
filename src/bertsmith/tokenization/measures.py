"""How well a tokenizer fits a text: tokens a word, and the share of unknown tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WORDS_AT_ONCE = 10_000


def fit(tokenizer: Any, words: Mapping[str, int]) -> dict[str, float]:
    """Tokens a word and unknown rate over counted words (as `wordpiece.words_of_chunks` gives them)."""
    tokens = unknown = total = 0
    items = list(words.items())
    for start in range(0, len(items), WORDS_AT_ONCE):
        some = items[start : start + WORDS_AT_ONCE]
        encodings = tokenizer.backend_tokenizer.encode_batch_fast([word for word, _ in some], add_special_tokens=False)
        for (_, count), encoding in zip(some, encodings, strict=True):
            total += count
            tokens += count * len(encoding.ids)
            unknown += count * encoding.ids.count(tokenizer.unk_token_id)
    return {"tokens_per_word": tokens / max(total, 1), "unknown_rate": unknown / max(tokens, 1)}
