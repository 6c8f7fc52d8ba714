"""How a tokenizer treats capitals, accents and Chinese characters if its tokenizer_config.json does not state it.

In that case transformers 5.23 lowercases and strips accents, even if the tokenizer.json in the same folder does not: it
looks up "paris" in a vocabulary that has "Paris". Here the order is tokenizer_config.json, tokenizer.json, and then the
entries of vocab.txt, because an entry that the normalizer would change can never be found.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

DECISIVE_SHARE = 0.01
"""Share of entries that shows how a vocabulary was built. In bert-base-cased, 29% of the entries have capitals and 2%
have accents; in bert-base-uncased none has either. Neither has entries with two Chinese characters."""

SETTINGS = ("do_lower_case", "strip_accents", "tokenize_chinese_chars")
"""Names of these settings in tokenizer_config.json."""


def settings_in_json(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings in the normalizer of a tokenizer.json; empty for models other than WordPiece."""
    if (content.get("model") or {}).get("type") != "WordPiece":
        return {}
    parts = _parts(content.get("normalizer"))
    for part in parts:
        if part.get("type") == "BertNormalizer":
            found = (part.get("lowercase"), part.get("strip_accents"), part.get("handle_chinese_chars"))
            return dict(zip(SETTINGS, found, strict=True))
    types = {part.get("type") for part in parts}
    return dict(zip(SETTINGS, ("Lowercase" in types, "StripAccents" in types, False), strict=True))


def _parts(normalizer: Any) -> list[Mapping[str, Any]]:
    if not isinstance(normalizer, Mapping):
        return []
    if normalizer.get("type") == "Sequence":
        return [part for inner in normalizer.get("normalizers") or [] for part in _parts(inner)]
    return [normalizer]


@dataclass(frozen=True)
class InferredSettings:
    """The settings inferred from a vocabulary, and the reason in words."""

    settings: dict[str, Any]
    reason: str


def settings_of_vocabulary(entries: Collection[str]) -> InferredSettings:
    """Infer the settings with which the entries of a vocabulary can be found in a text."""
    words = [entry.removeprefix("##") for entry in entries if not (entry.startswith("[") and entry.endswith("]"))]
    capitals = sum(word != word.lower() for word in words)
    accents = sum(_has_accent(word) for word in words)
    chinese = sum(sum(map(_is_chinese, word)) > 1 for word in words)
    cased, accented, joined = (number > DECISIVE_SHARE * len(words) for number in (capitals, accents, chinese))
    kept = "capitals and accents are kept" if cased else "text is lowercased and accents are dropped"
    if accented and not cased:
        kept = "text is lowercased and accents are kept"
    reason = f"{capitals:,} of its {len(words):,} entries have capitals and {accents:,} have accents, so {kept}"
    if joined:
        reason += f"; {chinese:,} have several Chinese characters, so Chinese characters are not split"
    return InferredSettings(
        {
            "do_lower_case": not cased,
            # None follows do_lower_case, as in published tokenizers.
            "strip_accents": False if accented and not cased else None,
            "tokenize_chinese_chars": not joined,
        },
        reason,
    )


def _has_accent(word: str) -> bool:
    """Return whether stripping accents as BERT does changes a word."""
    return any(unicodedata.category(character) == "Mn" for character in unicodedata.normalize("NFD", word))


def _is_chinese(character: str) -> bool:
    """Return whether BERT puts spaces around a character (the main blocks of ideographs)."""
    code = ord(character)
    blocks = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2CEAF))
    return any(first <= code <= last for first, last in blocks)
