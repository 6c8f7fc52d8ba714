"""The merges behind a WordPiece vocabulary: repeatedly merge the most frequent pair of neighbouring pieces.

Memory grows with the distinct words, not with the texts: about 70 bytes per character of the distinct words.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.tokenization.unspaced import is_unspaced
from bertsmith.tokenization.wordpiece_entries import CONTINUING

_HORIZON = 8
"""Pairs with less than 1/8 of the largest count stay out of the queue until the counts have dropped to their level.
Most pairs never reach it, so this keeps the queue and its positions short and saves 10% to 25% of the training time."""

_Ints = npt.NDArray[Any]


class Segmentation:
    """All distinct words split into pieces, in flat arrays: one merge is a few numpy calls over its positions.

    There is one cell per character, and an empty cell (0) around each word. A piece is a run of cells: `first` holds
    its symbol in the first cell, `last` in the last one, so both neighbours are found with one look-up; `first` is 0 in
    its other cells. A symbol is the index of a piece's text in `symbols`; 0 means no piece.

    `queue` is a heap of (-count, left text, right text, positions where the left piece starts). A count in it may be
    outdated, but is never too small, because later merges only remove occurrences of a pair. So the top entry is
    recounted when it comes up: if its count is still right, it is the next pair; otherwise it is queued again with its
    new count. Counts that are never needed are not updated.

    Merges only remove occurrences because no two pairs make the same piece. The text between two piece boundaries is
    split independently of the text around it: a boundary that is left was always one, and repeated pieces are merged
    from the left. So the same text is always merged in the same way.
    """

    def __init__(self, words: Mapping[str, int], alphabet_size: int, capacity: int) -> None:
        word_counts = np.fromiter(words.values(), np.int64, len(words))
        word_lengths = np.fromiter(map(len, words), np.int64, len(words))
        characters = "".join(words).encode("utf-32-le", "surrogatepass")
        code_points, character = np.unique(np.frombuffer(characters, np.uint32), return_inverse=True)
        word = np.repeat(np.arange(len(words)), word_lengths)
        cell = np.arange(len(word)) + word + 1
        begins = np.ones(len(word), bool)
        begins[1:] = word[1:] != word[:-1]

        self.weight: _Ints = np.zeros(len(word) + len(words) + 1, np.int64)
        """Per cell: the count of its word."""
        self.weight[cell] = word_counts[word]

        # float64 weights: exact for fewer than 2**53 characters
        totals = np.bincount(character, self.weight[cell], len(code_points))
        alphabet = np.lexsort((code_points, -totals))[:alphabet_size]
        occurs = np.zeros((2, len(code_points)), bool)  # as the beginning of a word, as a later character
        occurs[0, character[begins]] = True
        occurs[1, character[~begins]] = True
        occurs[:, [is_unspaced(chr(code)) for code in code_points.tolist()]] = True
        self.symbols = [""]
        symbol_of = np.zeros((2, len(code_points)), np.int64)
        for index in alphabet.tolist():
            for form, prefix in enumerate(("", CONTINUING)):
                if occurs[form, index]:
                    symbol_of[form, index] = len(self.symbols)
                    self.symbols.append(prefix + chr(code_points[index]))
        self.id_of = {text: symbol for symbol, text in enumerate(self.symbols) if symbol}

        # Each merge reduces the number of pieces, so there are never more new symbols than characters.
        size = len(self.symbols) + min(max(capacity, 0), len(word))
        self.length: _Ints = np.zeros(size, np.int32)
        """Per symbol: its number of characters."""
        self.length[1 : len(self.symbols)] = 1

        symbol = symbol_of[(~begins).astype(np.int64), character]
        # "##a" as the text of a word's first piece would be mistaken for the continuing piece
        takes_part = np.fromiter((not text.startswith(CONTINUING) for text in words), bool, len(words))
        takes_part[word[symbol == 0]] = False
        usable = takes_part[word]
        # 16 bits if they suffice, because numpy sorts 16-bit integers by radix
        self.first: _Ints = np.zeros(len(self.weight), np.uint16 if size <= 1 << 16 else np.int32)
        self.first[cell[usable]] = symbol[usable]
        self.last = self.first.copy()

        self.queue: list[tuple[int, str, str, _Ints]] = []

    def merges(self, min_frequency: int) -> Iterator[str]:
        """Merge pair by pair, yielding the text of each new piece, while a pair occurs `min_frequency` times."""
        threshold = self._enqueue_all(min_frequency)
        while self.queue or threshold > min_frequency:
            if not self.queue:
                threshold = self._enqueue_all(min_frequency)
                continue
            negative_count, left, right, positions = heapq.heappop(self.queue)
            left_symbol, right_symbol = self.id_of[left], self.id_of[right]
            here = self.first[positions] == left_symbol
            here &= self.first[positions + self.length[left_symbol]] == right_symbol
            positions = positions[here]
            count = int(np.add.reduce(self.weight[positions]))
            if count == -negative_count:
                yield self._merge(left, right, positions, threshold=threshold)
            elif count >= threshold:
                self._enqueue(left, right, positions, count=count)

    def _enqueue_all(self, min_frequency: int) -> int:
        """Count all pairs, queue the frequent ones, and return the threshold used."""
        positions = np.flatnonzero(self.first).astype(np.int32)
        left = self.first[positions]
        right = self.first[positions + self.length[left]]
        positions, left, right = positions[right != 0], left[right != 0], right[right != 0]
        if len(positions) == 0:
            return min_frequency
        order = right.argsort(kind="stable")
        order = order[left[order].argsort(kind="stable")]
        positions, left, right = positions[order], left[order], right[order]
        edges, totals = _runs((left[1:] != left[:-1]) | (right[1:] != right[:-1]), self.weight[positions])
        threshold = max(min_frequency, int(totals.max()) // _HORIZON)
        for run in (totals >= threshold).nonzero()[0].tolist():
            start, end = edges[run], edges[run + 1]
            pair = self.symbols[left[start]], self.symbols[right[start]]
            self._enqueue(*pair, positions[start:end].copy(), count=int(totals[run]))
        return threshold

    def _enqueue(self, left: str, right: str, positions: _Ints, *, count: int) -> None:
        heapq.heappush(self.queue, (-count, left, right, positions))

    def _merge(self, left: str, right: str, positions: _Ints, *, threshold: int) -> str:
        """Join the pieces at `positions`, queue new pairs whose count reaches `threshold`, and return the new text."""
        text = left + right.removeprefix(CONTINUING)
        left_length = int(self.length[self.id_of[left]])
        length = left_length + int(self.length[self.id_of[right]])
        if left == right:
            positions = _without_overlap(positions, left_length)
        symbol = len(self.symbols)
        self.symbols.append(text)
        self.id_of[text] = symbol
        self.length[symbol] = length
        self.first[positions] = symbol
        self.first[positions + left_length] = 0
        self.last[positions + (length - 1)] = symbol

        before = self.last[positions - 1]
        chosen = (before != 0) & (before != symbol)  # a pair of the new piece with itself is counted below
        before, starts = before[chosen], positions[chosen]
        for other, pair_positions, count in self._frequent(before, starts - self.length[before], threshold):
            self._enqueue(other, text, pair_positions, count=count)
        after = self.first[positions + length]
        chosen = after != 0
        for other, pair_positions, count in self._frequent(after[chosen], positions[chosen], threshold):
            self._enqueue(text, other, pair_positions, count=count)
        return text

    def _frequent(self, others: _Ints, positions: _Ints, threshold: int) -> Iterator[tuple[str, _Ints, int]]:
        """Yield each piece of `others` whose words count at least `threshold` in total: text, positions, count."""
        if len(others) == 0:
            return
        order = others.argsort(kind="stable")
        others, positions = others[order], positions[order]
        edges, totals = _runs(others[1:] != others[:-1], self.weight[positions])
        for run in (totals >= threshold).nonzero()[0].tolist():
            start, end = edges[run], edges[run + 1]
            yield self.symbols[others[start]], positions[start:end].copy(), int(totals[run])


def _runs(differs: _Ints, weights: _Ints) -> tuple[_Ints, _Ints]:
    """Return edges (runs + 1,) and sums (runs,) of the runs in weights (n,), which `differs` (n - 1,) separates."""
    edges = np.zeros(np.count_nonzero(differs) + 2, np.int64)
    edges[1:-1] = differs.nonzero()[0]
    edges[1:-1] += 1
    edges[-1] = len(weights)
    return edges, np.add.reduceat(weights, edges[:-1])


def _without_overlap(positions: _Ints, length: int) -> _Ints:
    """Return the positions, ascending, of a pair of two equal pieces that do not overlap, counted from the left."""
    chosen = []
    free_from = 0
    for position in positions.tolist():
        if position >= free_from:
            chosen.append(position)
            free_from = position + 2 * length
    return np.array(chosen, positions.dtype)
