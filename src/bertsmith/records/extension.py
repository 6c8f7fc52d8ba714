"""extension.json, next to an extended tokenizer: the words added to the vocabulary of a MODEL."""

from __future__ import annotations

from pydantic import Field

from bertsmith.records.base import Part, Record

FORMAT = 1
VERSION = 1


class AddedWord(Part):
    """A new entry: its text and id, the ids of the pieces that spelled it before, its count in the text.

    `pieces` contains only the id of [UNK] if the old vocabulary could not spell the word.
    """

    token: str
    id: int
    pieces: tuple[int, ...]
    count: int


class Extension(Record):
    """The record of an extension; `base_vocab_size` is the number of embedding rows that the base needs.

    The fields from `model` to `vocabulary_used_after` record the source of the words and the gain.
    """

    format: int
    base_vocab_size: int
    base_tokenizer_sha256: str
    unknown_id: int
    model: str | None = None
    sources: list[str] = Field(default_factory=list)
    measured_on: str | None = None
    tokens_per_word_before: float | None = None
    tokens_per_word_after: float | None = None
    unknown_rate_before: float | None = None
    unknown_rate_after: float | None = None
    vocabulary_used_before: float | None = None
    vocabulary_used_after: float | None = None
    added: tuple[AddedWord, ...]
