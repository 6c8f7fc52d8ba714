"""Add words of a new domain to the vocabulary of an existing model.

An added token of `tokenizers` is cut out of a text before tokenization, which is slow, and starts with a random vector
(transformers#1413, tokenizers#615). Here a word becomes an entry at the end of the WordPiece vocabulary, and a record
stores the pieces that spelled it before: `pretrain --from` starts its vector from theirs.

A new whole word also changes words that begin with it, because WordPiece takes the longest entry first: with `stoic` in
the vocabulary, `stoical` becomes `stoic ##al`, whatever it was before. So the sum of the savings only serves to choose
words; the gain is measured with the new tokenizer on text set aside for validation.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from tokenizers.models import WordPiece
from tokenizers.normalizers import NFC, BertNormalizer
from tokenizers.normalizers import Sequence as NormalizerSequence
from tokenizers.pre_tokenizers import BertPreTokenizer

from bertsmith.errors import ModelError
from bertsmith.records.extension import FORMAT, VERSION, AddedWord, Extension
from bertsmith.runtime import random
from bertsmith.tokenization.folder import RECORD_FILE, attach_record, extension_record
from bertsmith.tokenization.measures import WORDS_AT_ONCE
from bertsmith.tokenization.word_counts import LONGEST_WORD, words_of_chunks
from bertsmith.tokenization.wordpiece_entries import CONTINUING

VALIDATION_SHARE = 0.1
"""Share of a text on which an extension is measured; no words are taken from it."""


def extension_of(tokenizer: Any, name: str) -> Extension | None:
    """Return the record that a tokenizer was loaded with, or None. Raises ModelError if it is invalid."""
    record = extension_record(tokenizer)
    if record is None:
        return None
    if record.get("format", FORMAT) != FORMAT:
        raise ModelError(f"{name}: found format {record['format']} in {RECORD_FILE}, expected {FORMAT}")
    try:
        return Extension.model_validate(record)
    except ValidationError:
        raise ModelError(
            f"{name}: {RECORD_FILE} is not the record of an extension, expected the file that bertsmith "
            "extend-tokenizer writes"
        ) from None


# Reading text as the model does


def check_wordpiece(tokenizer: Any, name: str) -> None:
    """Raise ModelError if a tokenizer is not BERT's: WordPiece with BertNormalizer and BertPreTokenizer."""
    parts = _parts(tokenizer)
    if parts is None:
        backend = tokenizer.backend_tokenizer
        found = [type(part).__name__ for part in (backend.model, backend.normalizer, backend.pre_tokenizer)]
        raise ModelError(
            f"{name}: found a tokenizer of {', '.join(found)}, expected WordPiece, BertNormalizer, BertPreTokenizer: "
            "only tokenizers of the BertTokenizer family can be extended. "
            "Try: bertsmith train-tokenizer SOURCE --out DIR --vocab-size N"
        )


def _parts(tokenizer: Any) -> tuple[WordPiece, BertNormalizer] | None:
    backend = tokenizer.backend_tokenizer
    model, normalizer = backend.model, backend.normalizer
    if is_composed(tokenizer):
        normalizer = normalizer[0]
    if not (
        isinstance(model, WordPiece)
        and model.continuing_subword_prefix == CONTINUING
        and isinstance(normalizer, BertNormalizer)
        and isinstance(backend.pre_tokenizer, BertPreTokenizer)
    ):
        return None
    return model, normalizer


def is_composed(tokenizer: Any) -> bool:
    """Return whether a tokenizer applies Unicode form NFC after BERT's normalizer."""
    normalizer = tokenizer.backend_tokenizer.normalizer
    if not isinstance(normalizer, NormalizerSequence):
        return False
    parts: Any = normalizer  # its type stubs lack __iter__
    return [type(part) for part in parts] == [BertNormalizer, NFC]


def settings_of(tokenizer: Any) -> dict[str, Any] | None:
    """Return everything but the vocabulary that determines how BERT's tokenizer reads; None for other kinds."""
    parts = _parts(tokenizer)
    if parts is None:
        return None
    model, normalizer = parts
    strip = normalizer.lowercase if normalizer.strip_accents is None else normalizer.strip_accents
    return {
        "lowercase": normalizer.lowercase,
        "strip_accents": strip,
        "split_chinese_characters": normalizer.handle_chinese_chars,
        "clean_text": normalizer.clean_text,
        "unknown": model.unk_token,
        "longest_word": model.max_input_chars_per_word,
        # Present only if true, so that the fingerprints of other tokenizers do not change.
        **({"composed": True} if is_composed(tokenizer) else {}),
    }


def fingerprint(vocabulary: Mapping[str, int], settings: Mapping[str, Any] | None) -> str:
    """Return the sha256 of a vocabulary in id order and of the settings that it is read with.

    It does not depend on the file that holds the tokenizer (vocab.txt, tokenizer.json of any version).
    """
    entries = sorted(vocabulary.items(), key=lambda item: (item[1], item[0]))
    text = json.dumps([settings, entries], ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def embedding_rows(vocabulary: Mapping[str, int]) -> int:
    """Return the number of embedding rows that the ids of a vocabulary need."""
    return max(vocabulary.values(), default=-1) + 1


def words_of(tokenizer: Any, chunks: Mapping[str, int]) -> dict[str, int]:
    """Count the words that a tokenizer of the BERT family makes of `word_counts.count_chunks(texts)`."""
    normalizer, pre_tokenizer = tokenizer.backend_tokenizer.normalizer, tokenizer.backend_tokenizer.pre_tokenizer
    composed = is_composed(tokenizer)
    bert = normalizer[0] if composed else normalizer
    if bert.clean_text and bert.handle_chinese_chars:
        return words_of_chunks(chunks, lowercase=bert.lowercase, strip_accents=bert.strip_accents, composed=composed)
    words: dict[str, int] = {}
    for chunk, count in chunks.items():
        for word, _ in pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(chunk)):
            if len(word) <= LONGEST_WORD:
                words[word] = words.get(word, 0) + count
    return words


def is_validation_text(text: str) -> bool:
    """Return whether a text belongs to the tenth on which an extension is measured; depends only on the text."""
    return random.key("extension", text) < VALIDATION_SHARE * 2.0**64


# Choosing and adding words


def choose_words(
    tokenizer: Any, words: Mapping[str, int], *, add: int, min_count: int
) -> list[tuple[str, tuple[int, ...], int]]:
    """Return up to `add` words that save the most tokens, best first: their text, old pieces and count.

    A word saves its count times the number of its pieces minus one. A word that is [UNK] today saves no token but
    becomes readable: it counts like a word of two pieces. Ties go to the smaller text.
    """
    unknown, longest = tokenizer.unk_token_id, tokenizer.backend_tokenizer.model.max_input_chars_per_word
    frequent = [(word, count) for word, count in words.items() if count >= min_count and len(word) <= longest]
    ranked: list[tuple[int, str, tuple[int, ...], int]] = []
    for start in range(0, len(frequent), WORDS_AT_ONCE):
        batch = frequent[start : start + WORDS_AT_ONCE]
        encodings = tokenizer.backend_tokenizer.encode_batch_fast([word for word, _ in batch], add_special_tokens=False)
        for (word, count), encoding in zip(batch, encodings, strict=True):
            pieces = tuple(encoding.ids)
            if unknown in pieces:
                ranked.append((-count, word, (unknown,), count))
            elif len(pieces) > 1:
                ranked.append((-count * (len(pieces) - 1), word, pieces, count))
    ranked.sort()
    chosen: list[tuple[str, tuple[int, ...], int]] = []
    reserved = [entry.content for entry in tokenizer.backend_tokenizer.get_added_tokens_decoder().values()]
    for _, word, pieces, count in ranked:
        if len(chosen) == add:
            break
        if _is_read_as_one_word(tokenizer, word, reserved):
            chosen.append((word, pieces, count))
    return chosen


def _is_read_as_one_word(tokenizer: Any, word: str, reserved: Sequence[str]) -> bool:
    """Return whether a word reaches the vocabulary look-up whole and unchanged."""
    backend = tokenizer.backend_tokenizer
    return (
        not word.startswith(CONTINUING)
        and not any(content in word for content in reserved)
        and backend.normalizer.normalize_str(word).strip() == word  # the normalizer puts spaces around ideographs
        and [text for text, _ in backend.pre_tokenizer.pre_tokenize_str(word)] == [word]
    )


def extend(tokenizer: Any, chosen: Sequence[tuple[str, tuple[int, ...], int]]) -> tuple[Any, Extension]:
    """Return a copy of the tokenizer with these words at new ids after all others, and the record of the extension.

    All old entries keep their ids, including `[unusedN]`.
    """
    base = tokenizer.get_vocab()
    first = embedding_rows(base)
    added = tuple(
        AddedWord(token=word, id=first + number, pieces=pieces, count=count)
        for number, (word, pieces, count) in enumerate(chosen)
    )
    extended = copy.deepcopy(tokenizer)
    old = tokenizer.backend_tokenizer.model
    # Added tokens of the base become vocabulary entries: otherwise loading the saved file would give them new ids,
    # because new entries follow them.
    extended.backend_tokenizer.model = WordPiece(
        vocab={**base, **{word.token: word.id for word in added}},
        unk_token=old.unk_token,
        max_input_chars_per_word=old.max_input_chars_per_word,
        continuing_subword_prefix=old.continuing_subword_prefix,
    )
    record = Extension(
        version=VERSION,
        format=FORMAT,
        base_vocab_size=first,
        base_tokenizer_sha256=fingerprint(base, settings_of(tokenizer)),
        unknown_id=int(tokenizer.unk_token_id),
        added=added,
    )
    attach_record(extended, record.to_dict())
    return extended, record


# Using an extension


def extension_between(model_tokenizer: Any, model: str, *, tokenizer: Any, store: str) -> Extension | None:
    """Return None if both tokenizers are the same, or the record if the STORE's is a recorded extension of the MODEL's.

    Raises ModelError with the difference and the next command for every other pair.
    """
    theirs, ours = model_tokenizer.get_vocab(), tokenizer.get_vocab()
    settings, our_settings = settings_of(model_tokenizer), settings_of(tokenizer)
    if theirs == ours:
        if settings is not None and our_settings is not None and settings != our_settings:
            names = {**settings, **our_settings}
            name = next(name for name in names if settings.get(name) != our_settings.get(name))
            raise ModelError(
                f"{model}: its tokenizer has the same entries as the tokenizer of {store}, but different settings "
                f"({name}: {settings.get(name)!r} in the MODEL, {our_settings.get(name)!r} in the STORE). {_own(model)}"
            )
        return None
    record = extension_of(tokenizer, store)
    differs = f"{model}: its tokenizer ({len(theirs):,} entries) differs from that of {store} ({len(ours):,})"
    if record is None:
        text = f"{differs}: {_difference(theirs, ours)}. {_own(model)}"
        if ours.items() >= theirs.items():
            text += (
                f"\nFor new words, use extend-tokenizer: it writes {RECORD_FILE}, from which pretrain initializes "
                f"their vectors. Try: bertsmith extend-tokenizer {model} SOURCE --add N --out DIR, then bertsmith "
                "prepare SOURCE --out STORE --tokenizer DIR"
            )
        raise ModelError(text)
    if record.base_tokenizer_sha256 != fingerprint(theirs, settings):
        raise ModelError(
            f"{differs}, and according to {RECORD_FILE} the STORE extends a different tokenizer (of "
            f"{record.base_vocab_size:,} entries). Try: --from with the model whose tokenizer was extended, or extend "
            f"the tokenizer of {model}: bertsmith extend-tokenizer {model} SOURCE --add N --out DIR"
        )
    new = {word.token: word.id for word in record.added}
    rest = {token: index for token, index in ours.items() if token not in new}
    if (
        {token: ours.get(token) for token in new} != new
        or sorted(new.values()) != list(range(record.base_vocab_size, record.base_vocab_size + len(record.added)))
        or fingerprint(rest, our_settings) != record.base_tokenizer_sha256
        or any(not word.pieces or not set(word.pieces) <= set(theirs.values()) for word in record.added)
    ):
        raise ModelError(
            f"{store}: {RECORD_FILE} does not match the tokenizer in the same folder (different words, ids or "
            f"settings). Try: bertsmith extend-tokenizer {model} SOURCE --add N --out DIR"
        )
    return record


def _own(model: str) -> str:
    return f"Try: prepare the text with its tokenizer, bertsmith prepare SOURCE --out STORE --tokenizer {model}"


def _difference(theirs: Mapping[str, int], ours: Mapping[str, int]) -> str:
    """Describe the difference between two vocabularies, with an example."""
    parts = []
    for entries, other, where in ((theirs, ours, "the model"), (ours, theirs, "the STORE")):
        only_entries = sorted(entries.keys() - other.keys(), key=lambda token: entries[token])
        if only_entries:
            parts.append(f"{len(only_entries):,} entries only in {where} ({only_entries[0]!r})")
    moved = [token for token in theirs.keys() & ours.keys() if theirs[token] != ours[token]]
    if moved:
        first = min(moved, key=lambda token: theirs[token])
        parts.append(f"{len(moved):,} with a different id ({first!r}: {theirs[first]} and {ours[first]})")
    return ", ".join(parts)
