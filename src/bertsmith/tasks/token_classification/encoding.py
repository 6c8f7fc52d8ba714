"""Words as rows of pieces, in overlapping windows if a sentence is longer than a row.

Every word has a piece: a word that the tokenizer drops (a zero-width space) has the unknown token. The first piece
represents the word. Windows hold whole words and overlap by half; each word is predicted once, in the window in which
it is furthest from a border (Devlin et al. 2019 do so for answers; the ends of the sentence itself are no borders).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bertsmith.tasks.encoded_texts import Encoded
from bertsmith.tasks.values import Ints, Tokenizer
from bertsmith.tasks.words_of_text import AT_ONCE, Pieces, tokenized_words


@dataclass(frozen=True)
class Window:
    """A part of a sentence that is a row.

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
    """The windows of a sentence by the pieces of its words, each from 1 to `room`; a row holds `room` pieces."""
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
    """First and last word (exclusive) of each window; each begins half a row behind the one before it."""
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


def tokenize_words(tokenizer: Tokenizer, sentences: Sequence[Sequence[str]]) -> Iterator[Pieces]:
    """The pieces of each word, sentence by sentence; each word is read by itself, as between white space."""
    unknown = [int(tokenizer.unk_token_id)]
    for at in range(0, len(sentences), AT_ONCE):
        part = [list(words) for words in sentences[at : at + AT_ONCE]]
        found = tokenized_words(tokenizer, part, is_split_into_words=True)
        for number, words in enumerate(part):
            pieces: Pieces = [[] for _ in words]
            for token, word in zip(found["input_ids"][number], found.word_ids(number), strict=True):
                if word is not None:
                    pieces[word].append(token)
            yield [ids or unknown for ids in pieces]


def encode_words(tokenizer: Tokenizer, sentences: Iterator[Pieces], max_length: int) -> EncodedWords:
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
