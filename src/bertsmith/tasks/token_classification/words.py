"""Words as rows of pieces: which piece stands for a word, and what is longer than the model in overlapping windows.

Every word has a piece: one that the tokenizer drops (a zero-width space) has the unknown token. The first piece stands
for the word. What is longer than a row is divided into windows of whole words that overlap by half; each word is
predicted once, in the window in which it stands furthest from a border (Devlin et al. 2019 do so for answers; the ends
of the sentence itself are no borders).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerBase

from bertsmith.errors import ModelError
from bertsmith.tasks.encoded_texts import Encoded
from bertsmith.tasks.graphemes import whole_clusters

Ints = npt.NDArray[np.int64]
Pieces = list[list[int]]
"""The ids of each word of a sentence."""
AT_ONCE = 1_000


@dataclass(frozen=True)
class Window:
    """A part of a sentence that stands in a row.

    Attributes:
        start, end: the words in it; `end` is exclusive.
        predicted: int64, in order: which of them are predicted in it.
    """

    start: int
    end: int
    predicted: Ints


@dataclass(frozen=True)
class EncodedWords:
    """Sentences of words as rows.

    Attributes:
        rows: the ids; a row is a window.
        sentences: the number of each row's sentence.
        words, places: for each row int64 of [its words]: the words that are predicted in it, and the position in the
            row of each one's first piece.
        num_words: of each sentence.
        full_lengths: tokens of each sentence, special ones included, before it is divided.
        truncated_tokens: tokens of each sentence that no row holds: pieces of a word that is longer than a row.
    """

    rows: Encoded
    sentences: list[int]
    words: list[Ints]
    places: list[Ints]
    num_words: list[int]
    full_lengths: list[int]
    truncated_tokens: list[int]

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return self.rows.lengths

    @property
    def windowed(self) -> int:
        """How many sentences are divided."""
        return int(np.sum(np.bincount(self.sentences, minlength=len(self.num_words)) > 1))


def windows(lengths: Sequence[int], room: int) -> list[Window]:
    """The windows of a sentence whose words have so many pieces, each from 1 to `room`; a row has room for `room`."""
    count = len(lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    if offsets[-1] <= room:
        return [Window(0, count, np.arange(count))]
    spans = _spans(offsets, room)
    furthest, owner = np.full(count, -1, dtype=np.int64), np.zeros(count, dtype=np.int64)
    for number, (start, end) in enumerate(spans):
        left = offsets[start:end] - offsets[start] if start else np.full(end - start, room)
        right = offsets[end] - offsets[start + 1 : end + 1] if end < count else np.full(end - start, room)
        distance = np.minimum(left, right)
        better = np.flatnonzero(distance > furthest[start:end]) + start
        furthest[better], owner[better] = distance[better - start], number
    return [Window(start, end, np.flatnonzero(owner == number)) for number, (start, end) in enumerate(spans)]


def _spans(offsets: Ints, room: int) -> list[tuple[int, int]]:
    """First and last word (exclusive) of each window; one begins half a row behind the one before it."""
    count, spans, start = len(offsets) - 1, [], 0
    while True:
        end = int(np.searchsorted(offsets, offsets[start] + room, side="right")) - 1
        if end == count:
            # The last one is as full as it can be.
            spans.append((int(np.searchsorted(offsets, offsets[count] - room)), count))
            return spans
        spans.append((start, end))
        half = int(np.searchsorted(offsets, offsets[start] + room // 2))
        start = min(max(half, start + 1), end)


def pieces_of_words(tokenizer: PreTrainedTokenizerBase, sentences: Sequence[Sequence[str]]) -> Iterator[Pieces]:
    """The pieces of each word, sentence by sentence; each word is read by itself, as between white space."""
    unknown = [int(tokenizer.unk_token_id)]
    for at in range(0, len(sentences), AT_ONCE):
        part = [list(words) for words in sentences[at : at + AT_ONCE]]
        found = _tokenized(tokenizer, part, is_split_into_words=True)
        for number, words in enumerate(part):
            pieces: Pieces = [[] for _ in words]
            for token, word in zip(found["input_ids"][number], found.word_ids(number), strict=True):
                if word is not None:
                    pieces[word].append(token)
            yield [ids or unknown for ids in pieces]


def words_of_text(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]
) -> Iterator[tuple[Pieces, list[tuple[int, int]]]]:
    """The words that the tokenizer itself sees in each text (for BERT those of its basic tokenizer): their pieces, and
    where each stands, in characters, the end exclusive.

    A word holds whole grapheme clusters: what the tokenizer takes for a word but begins inside a cluster, such as a
    mark by itself, belongs to the word before. So no two words share a character.
    """
    for at in range(0, len(texts), AT_ONCE):
        part = list(texts[at : at + AT_ONCE])
        found = _tokenized(tokenizer, part, return_offsets_mapping=True)
        for number, text in enumerate(part):
            ids, words, offsets = found["input_ids"][number], found.word_ids(number), found["offset_mapping"][number]
            # Byte-level tokenizers count the blank before a word to it.
            stripped = [start + len(text[start:end]) - len(text[start:end].lstrip()) for start, end in offsets]
            starts, ends = whole_clusters(text, stripped, [end for _, end in offsets])
            pieces: Pieces = []
            spans: list[tuple[int, int]] = []
            before = None
            for token, word, start, end in zip(ids, words, starts.tolist(), ends.tolist(), strict=True):
                if not spans or ((word is None or word != before) and start >= spans[-1][1]):
                    pieces.append([])
                    spans.append((start, end))
                    before = word
                pieces[-1].append(token)
                spans[-1] = (spans[-1][0], max(spans[-1][1], end))
            yield pieces, spans


def _tokenized(tokenizer: Any, part: Sequence[Any], **options: Any) -> Any:
    try:
        return tokenizer(part, add_special_tokens=False, return_token_type_ids=False, **options)
    except (AssertionError, ValueError, NotImplementedError) as error:
        raise ModelError(f"{tokenizer.name_or_path}: the tokenizer cannot read single words: {error}") from None


def encode_words(tokenizer: PreTrainedTokenizerBase, sentences: Iterator[Pieces], max_length: int) -> EncodedWords:
    """The words of sentences, at least one in each, as rows of at most `max_length` tokens."""
    first, last, room = int(tokenizer.cls_token_id), int(tokenizer.sep_token_id), max_length - 2
    found = EncodedWords(Encoded([], [], []), [], [], [], [], [], [])
    for number, whole in enumerate(sentences):
        pieces = [ids[:room] for ids in whole]
        lengths = [len(ids) for ids in pieces]
        starts = np.cumsum([0, *lengths])
        for window in windows(lengths, room):
            ids = [first, *(token for word in pieces[window.start : window.end] for token in word), last]
            found.rows.input_ids.append(ids)
            found.rows.token_type_ids.append([0] * len(ids))
            found.rows.truncated_tokens.append(0)
            found.sentences.append(number)
            found.words.append(window.predicted)
            found.places.append(1 + starts[window.predicted] - starts[window.start])
        full = sum(map(len, whole))
        found.num_words.append(len(whole))
        found.full_lengths.append(full + 2)
        found.truncated_tokens.append(full - sum(lengths))
    return found
