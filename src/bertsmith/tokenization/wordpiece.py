"""A WordPiece vocabulary from counted words: the same texts give the same one, in every run and everywhere.

`tokenizers.trainers.WordPieceTrainer` does not: it walks hash maps, so each run over one corpus gives another
order of ids and now and then another set of pieces (tokenizers#1794, #668). Such a vocabulary can neither be
rebuilt nor checked. Here it is a function of the multiset of words: we count the words, and every tie is
broken by the text of the pieces. A smaller vocabulary is a prefix of a larger one from the same words.

What is learnt: the most frequent characters, then BPE merges, the pair of neighbouring pieces with the
largest count first, as `WordPieceTrainer` does (tokenizers#1777). This is not the likelihood score of the
original WordPiece (Schuster and Nakajima, 2012), whose code was never released. The merges themselves are not
kept: as in BERT, words are encoded by longest match over the set of pieces.

    chunks = count_chunks(texts)  # in worker processes, if wanted: the counters can be added
    words = words_of_chunks(chunks, lowercase=True)
    vocabulary = train_wordpiece(words, vocab_size=30_522)

Cost, one thread, 62 MB of English books (367 thousand distinct chunks, 81 thousand distinct words), 16,384
entries: 3.7 s to count chunks, 0.9 s to make words of them, 1.3 s to train, 5.9 s in all, or 4.7 s with the
chunks counted in two processes. `WordPieceTrainer` with the same normaliser took 16.4 s on two threads beside
it. Memory grows with the distinct words, not with the texts: about 70 bytes for each of their characters.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers.normalizers import NFC, BertNormalizer, Normalizer
from tokenizers.normalizers import Sequence as NormalizerSequence
from tokenizers.pre_tokenizers import BertPreTokenizer

from bertsmith.errors import DataError, OptionError
from bertsmith.tokenization.ascii_words import split_plain
from bertsmith.tokenization.unspaced import is_unspaced

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CONTINUING = "##"
LONGEST_WORD = 100
"""Characters; `BertTokenizer` makes a longer word [UNK] whatever the vocabulary holds."""

_REMOVED_NOT_SPACE = "\x0b\x0c\x1c\x1d\x1e\x1f\x85"
"""Where `str.split` splits, but `BertNormalizer` removes the character and joins what stood on both sides."""
_REMOVE_THEM = dict.fromkeys(map(ord, _REMOVED_NOT_SPACE))

_CHUNKS_AT_ONCE = 2_000
"""Chunks that go through `tokenizers` in one call, which spreads its cost; more of them gains nothing."""

_HORIZON = 8
"""Pairs with less than 1/8 of the largest count stay out of the queue until the counts have come down to
them. Most pairs never come up, so this keeps the queue and its places short, and saves a tenth to a quarter of
the time of training."""

_ADVANCE_EVERY = 256

ROWS = 64
"""A vocabulary has a multiple of so many entries."""

ALPHABET_SIZE = 1000
COVERAGE = 0.9995
"""The share of a text whose characters an alphabet should hold, as SentencePiece does for Chinese and Japanese:
there the most frequent thousand leave one character in eleven [UNK]."""

LONGEST_RUN = 2_000
"""Characters; the same for texts in scripts without spaces. `corpus.sentences` has no longer sentences."""
TOO_LONG_SHARE = 0.001
"""The share of a text in runs of more than `LONGEST_WORD` letters from which it is read by `LONGEST_RUN`."""

_Ints = npt.NDArray[Any]


def normalizer_of(*, lowercase: bool, strip_accents: bool | None = None, composed: bool = False) -> Normalizer:
    """BERT's normaliser, and behind it Unicode form NFC if `composed`."""
    bert = BertNormalizer(lowercase=lowercase, strip_accents=strip_accents)
    return NormalizerSequence([bert, NFC()]) if composed else bert


def count_chunks(texts: Iterable[str]) -> Counter[str]:
    """Count what stands between white space, 17 MB/s: counters of parts of the texts can be added.

    A text is split at once and needs about ten times its size in memory while it is counted.
    """
    chunks: Counter[str] = Counter()
    for text in texts:
        if any(character in text for character in _REMOVED_NOT_SPACE):
            text = text.translate(_REMOVE_THEM)
        chunks.update(text.split())
    return chunks


def words_of_chunks(
    chunks: Mapping[str, int],
    *,
    lowercase: bool,
    strip_accents: bool | None = None,
    composed: bool = False,
    longest: int | None = LONGEST_WORD,
) -> dict[str, int]:
    """Counts of the words that BERT's normaliser and pre-tokeniser make of `count_chunks(texts)`.

    They are exactly the words of the whole texts, because white space is a border for both steps. Words of
    more than `longest` characters are left out. `strip_accents=None` strips if `lowercase`, as in BERT; `composed` is
    that of `normalizer_of`.

    Printable ASCII, nine chunks in ten of English text, is cut with NumPy; of the rest chunks of equal count are
    joined and treated together.
    """
    counts = np.fromiter(chunks.values(), np.int64, len(chunks))
    return count_words_of(
        list(chunks), counts, lowercase=lowercase, strip_accents=strip_accents, composed=composed, longest=longest
    )


def count_words_of(
    chunks: Sequence[str],
    counts: _Ints,
    *,
    lowercase: bool,
    strip_accents: bool | None = None,
    composed: bool = False,
    longest: int | None = LONGEST_WORD,
) -> dict[str, int]:
    """`words_of_chunks` of chunks and their counts side by side; chunks that are counted 0 times are left out."""
    occurring = counts > 0
    if not occurring.all():
        chunks = [chunks[place] for place in np.flatnonzero(occurring).tolist()]
        counts = counts[occurring]
    plain, found, words_of_chunk = split_plain(chunks, lowercase=lowercase)
    totals = np.zeros(len(found.dictionary), np.int64)
    np.add.at(totals, found.indices.to_numpy(), np.repeat(counts[plain], words_of_chunk))
    words: dict[str, int] = dict(zip(found.dictionary.to_pylist(), totals.tolist(), strict=True))
    normalizer = normalizer_of(lowercase=lowercase, strip_accents=strip_accents, composed=composed)
    pre_tokenizer = BertPreTokenizer()
    other_by_count: dict[int, list[str]] = {}
    for place in np.flatnonzero(~plain).tolist():
        other_by_count.setdefault(int(counts[place]), []).append(chunks[place])
    for count, group in other_by_count.items():
        for start in range(0, len(group), _CHUNKS_AT_ONCE):
            joined = normalizer.normalize_str(" ".join(group[start : start + _CHUNKS_AT_ONCE]))
            for word, _ in pre_tokenizer.pre_tokenize_str(joined):
                words[word] = words.get(word, 0) + count
    return words if longest is None else {word: count for word, count in words.items() if len(word) <= longest}


@dataclass(frozen=True)
class Alphabet:
    """The most frequent characters of a text, each of which is an entry of its vocabulary, or two.

    Attributes:
        size: how many characters it may hold (`alphabet_size` of `train_wordpiece`); 1,000 or more.
        characters: how many occur.
        entries: the entries of those that it holds, special tokens included.
        left_out: the share of the text that other characters make up.
    """

    size: int
    characters: int
    entries: int
    left_out: float


def covering_alphabet(words: Mapping[str, int], vocab_size: int | None = None) -> Alphabet:
    """The alphabet that holds 99.95% of the text, as far as that fits a vocabulary; of 1,000 characters or more."""
    totals: Counter[str] = Counter()
    forms: set[tuple[str, bool]] = set()
    for word, count in words.items():
        for place, character in enumerate(word):
            totals[character] += count
            forms.add((character, place > 0))
    left = totals.total()
    covered = COVERAGE * left
    entries = len(SPECIAL_TOKENS)
    ordered = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    for size, (character, count) in enumerate(ordered):
        added = 2 if is_unspaced(character) else ((character, False) in forms) + ((character, True) in forms)
        full = vocab_size is not None and entries + added > vocab_size
        if size >= ALPHABET_SIZE and (covered <= 0 or full):
            return Alphabet(size, len(totals), entries, left / totals.total())
        entries += added
        covered -= count
        left -= count
    return Alphabet(max(len(totals), ALPHABET_SIZE), len(totals), entries, 0.0)


def longest_word(words: Mapping[str, int]) -> tuple[int, str]:
    """The longest word that a tokenizer of this text should read, and why; without a reason it is that of BERT.

    A sentence of Thai can be one run of letters. If a part of the text that matters is in runs too long for BERT, words
    may be as long as sentences of the corpus. `words` are those of `words_of_chunks` without a limit of length.
    """
    lost = {word: count for word, count in words.items() if len(word) > LONGEST_WORD and is_unspaced(word)}
    total = sum(len(word) * count for word, count in words.items())
    share = sum(len(word) * count for word, count in lost.items()) / max(total, 1)
    if share < TOO_LONG_SHARE:
        return LONGEST_WORD, ""
    return LONGEST_RUN, (
        f"{share:.1%} of the characters are in runs of more than {LONGEST_WORD} letters without a space, such as "
        f"{min(lost)[:12]}..., each of which a BertTokenizer reads as [UNK]; so the tokenizer has the "
        "class TokenizersBackend"
    )


def train_wordpiece(
    words: Mapping[str, int],
    *,
    vocab_size: int,
    min_frequency: int = 2,
    alphabet_size: int = ALPHABET_SIZE,
    special_tokens: Sequence[str] = SPECIAL_TOKENS,
    fewer: bool = False,
    advance: Callable[[int, int], None] | None = None,
) -> list[str]:
    """The vocabulary of exactly `vocab_size` entries, in the order of ids; with `fewer`, of as many as there are.

    1. `special_tokens`.
    2. The `alphabet_size` most frequent characters (ties: the smaller code point), each in the forms that
       occur: `c` where it begins a word, `##c` where it continues one. Letters of scripts without spaces have both
       forms, because a run of them may begin with any letter, for example if a user parts the words. A word with any
       other character would be [UNK] as a whole and takes no part in what follows; nor does a word that itself
       begins with `##`, which BERT's pre-tokeniser never makes.
    3. Merges: the pair of neighbouring pieces with the largest count becomes one piece, in all words, from
       the left (ties: the smaller text of the left piece, then of the right one), as long as a pair is left
       that occurs `min_frequency` times.

    `advance(entries so far, vocab_size)` is called every 256 entries and at the end. Raises `DataError` if
    special tokens and characters alone are more than `vocab_size`, or if the words do not support that many.
    """
    if min_frequency < 1 or alphabet_size < 1:
        raise OptionError(
            f"min_frequency and alphabet_size must be at least 1, found {min_frequency} and {alphabet_size}"
        )
    counted = {word: count for word, count in words.items() if word and count > 0}
    vocabulary = dict.fromkeys(special_tokens)
    segmentation = _Segmentation(counted, alphabet_size, capacity=vocab_size)
    vocabulary.update(dict.fromkeys(segmentation.symbols[1:]))
    if len(vocabulary) > vocab_size:
        raise DataError(
            f"a vocabulary of {vocab_size:,} entries was asked for, but special tokens and single characters "
            f"alone are {len(vocabulary):,}: set --vocab-size to at least {len(vocabulary)}"
        )
    merged = segmentation.merges(min_frequency)
    while len(vocabulary) < vocab_size:
        piece = next(merged, None)
        if piece is None and fewer:
            break
        if piece is None:
            left = "is left" if min_frequency == 1 else f"occurs {min_frequency} times"
            raise DataError(
                f"a vocabulary of {vocab_size:,} entries was asked for, but {len(counted):,} distinct words "
                f"support {len(vocabulary):,} at most, because no other pair of pieces {left}: "
                f"set --vocab-size to {len(vocabulary)} or less, or give more text"
            )
        vocabulary[piece] = None
        if advance is not None and len(vocabulary) % _ADVANCE_EVERY == 0:
            advance(len(vocabulary), vocab_size)
    if advance is not None:
        advance(len(vocabulary), len(vocabulary))
    return list(vocabulary)


def with_unused_rows(vocabulary: Sequence[str]) -> list[str]:
    """The vocabulary with entries `[unused0]`, `[unused1]` and so on behind it, up to a multiple of 64.

    Matrix products over such a number of rows are faster, and the rows can take words later. No text gives one of them:
    BERT's pre-tokeniser parts the brackets from the name.
    """
    missing = -len(vocabulary) % ROWS
    return [*vocabulary, *(f"[unused{number}]" for number in range(missing))]


class _Segmentation:
    """All distinct words cut into pieces, in flat arrays: one merge is a few numpy calls over its places.

    One cell a character, and an empty cell (0) around each word. A piece is a run of cells: `first` holds its
    symbol in its first cell, `last` in its last one, so that both neighbours are one look-up away; `first` is
    0 in its other cells. A symbol is the index of a piece's text in `symbols`; 0 is no piece.

    `queue` is a heap of (-count, left text, right text, places where the left piece starts). An entry may be
    out of date, but never too small, because later merges only take occurrences of a pair away. So the top is
    recounted when it comes up: it is the true next pair if its count still holds, and goes back with what is
    left of it if not. No count is kept up to date that is never asked for.

    They only take away because no two pairs make the same piece. How the text between two borders of pieces is
    cut depends on nothing outside it (a border that is seen has always been one, and runs of one piece are
    merged from the left), so the same text is put together in the same way everywhere.
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
        """Per cell: how often its word occurs."""
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

        # A merge lowers the number of pieces, so there are never more new symbols than characters.
        size = len(self.symbols) + min(max(capacity, 0), len(word))
        self.length: _Ints = np.zeros(size, np.int32)
        """Per symbol: its characters."""
        self.length[1 : len(self.symbols)] = 1

        symbol = symbol_of[(~begins).astype(np.int64), character]
        # "##a" as the text of a word's first piece would be mistaken for the continuing piece
        takes_part = np.fromiter((not text.startswith(CONTINUING) for text in words), bool, len(words))
        takes_part[word[symbol == 0]] = False
        usable = takes_part[word]
        # 16 bits where they suffice: numpy sorts those by radix
        self.first: _Ints = np.zeros(len(self.weight), np.uint16 if size <= 1 << 16 else np.int32)
        self.first[cell[usable]] = symbol[usable]
        self.last = self.first.copy()

        self.queue: list[tuple[int, str, str, _Ints]] = []

    def merges(self, min_frequency: int) -> Iterator[str]:
        """Merge pair by pair, yielding the new piece's text, while a pair occurs `min_frequency` times."""
        threshold = self._enqueue_all(min_frequency)
        while self.queue or threshold > min_frequency:
            if not self.queue:
                threshold = self._enqueue_all(min_frequency)
                continue
            negative_count, left, right, places = heapq.heappop(self.queue)
            left_symbol, right_symbol = self.id_of[left], self.id_of[right]
            here = self.first[places] == left_symbol
            here &= self.first[places + self.length[left_symbol]] == right_symbol
            places = places[here]
            count = int(np.add.reduce(self.weight[places]))
            if count == -negative_count:
                yield self._merge(left, right, places, threshold)
            elif count >= threshold:
                self._enqueue(left, right, places, count)

    def _enqueue_all(self, min_frequency: int) -> int:
        """Count all pairs, queue the frequent ones and return the threshold that parts them from the rest."""
        places = np.flatnonzero(self.first).astype(np.int32)
        left = self.first[places]
        right = self.first[places + self.length[left]]
        places, left, right = places[right != 0], left[right != 0], right[right != 0]
        if len(places) == 0:
            return min_frequency
        order = right.argsort(kind="stable")
        order = order[left[order].argsort(kind="stable")]
        places, left, right = places[order], left[order], right[order]
        edges, totals = _runs((left[1:] != left[:-1]) | (right[1:] != right[:-1]), self.weight[places])
        threshold = max(min_frequency, int(totals.max()) // _HORIZON)
        for run in (totals >= threshold).nonzero()[0].tolist():
            start, end = edges[run], edges[run + 1]
            pair = self.symbols[left[start]], self.symbols[right[start]]
            self._enqueue(*pair, places[start:end].copy(), int(totals[run]))
        return threshold

    def _enqueue(self, left: str, right: str, places: _Ints, count: int) -> None:
        heapq.heappush(self.queue, (-count, left, right, places))

    def _merge(self, left: str, right: str, places: _Ints, threshold: int) -> str:
        """Join the pieces at `places`, queue new pairs whose count reaches `threshold`, return the text."""
        text = left + right.removeprefix(CONTINUING)
        left_length = int(self.length[self.id_of[left]])
        length = left_length + int(self.length[self.id_of[right]])
        if left == right:
            places = _without_overlap(places, left_length)
        symbol = len(self.symbols)
        self.symbols.append(text)
        self.id_of[text] = symbol
        self.length[symbol] = length
        self.first[places] = symbol
        self.first[places + left_length] = 0
        self.last[places + (length - 1)] = symbol

        before = self.last[places - 1]
        chosen = (before != 0) & (before != symbol)  # a pair of the new piece with itself is counted below
        before, starts = before[chosen], places[chosen]
        for other, pair_places, count in self._frequent(before, starts - self.length[before], threshold):
            self._enqueue(other, text, pair_places, count)
        after = self.first[places + length]
        chosen = after != 0
        for other, pair_places, count in self._frequent(after[chosen], places[chosen], threshold):
            self._enqueue(text, other, pair_places, count)
        return text

    def _frequent(self, others: _Ints, places: _Ints, threshold: int) -> Iterator[tuple[str, _Ints, int]]:
        """Each piece of `others` whose words count `threshold` together: its text, its places, this count."""
        if len(others) == 0:
            return
        order = others.argsort(kind="stable")
        others, places = others[order], places[order]
        edges, totals = _runs(others[1:] != others[:-1], self.weight[places])
        for run in (totals >= threshold).nonzero()[0].tolist():
            start, end = edges[run], edges[run + 1]
            yield self.symbols[others[start]], places[start:end].copy(), int(totals[run])


def _runs(differs: _Ints, weights: _Ints) -> tuple[_Ints, _Ints]:
    """Edges (runs + 1,) and sums (runs,) of the runs in weights (n,): `differs` (n - 1,) parts neighbours."""
    edges = np.zeros(np.count_nonzero(differs) + 2, np.int64)
    edges[1:-1] = differs.nonzero()[0]
    edges[1:-1] += 1
    edges[-1] = len(weights)
    return edges, np.add.reduceat(weights, edges[:-1])


def _without_overlap(places: _Ints, length: int) -> _Ints:
    """The places, ascending, of a pair of two equal pieces: from the left, those that do not overlap."""
    chosen = []
    free_from = 0
    for place in places.tolist():
        if place >= free_from:
            chosen.append(place)
            free_from = place + 2 * length
    return np.array(chosen, places.dtype)
