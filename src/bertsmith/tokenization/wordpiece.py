"""A WordPiece vocabulary from counted words: the same texts give the same one, in every run and everywhere.

`tokenizers.trainers.WordPieceTrainer` does not: it walks hash maps, so each run over one corpus gives a different
order of ids and now and then a different set of pieces (tokenizers#1794, #668). Such a vocabulary can neither be
rebuilt nor checked. Here it is a function of the multiset of words: we count the words, and every tie is
broken by the text of the pieces. A smaller vocabulary is a prefix of a larger one from the same words.

What is learnt: the most frequent characters, then BPE merges, the pair of neighbouring pieces with the
largest count first, as `WordPieceTrainer` does (tokenizers#1777). This is not the likelihood score of the
original WordPiece (Schuster and Nakajima, 2012), whose code was never released. The merges themselves are not
kept: as in BERT, words are encoded by longest match over the set of pieces.

    words = words_of_chunks(count_chunks(texts), lowercase=True)
    vocabulary = train_wordpiece(words, vocab_size=30_522)

Cost, one thread, 62 MB of English books (367 thousand distinct chunks, 81 thousand distinct words), 16,384
entries: 3.7 s to count chunks, 0.9 s to make words of them, 1.3 s to train, 5.9 s in all, or 4.7 s with the
chunks counted in two processes. `WordPieceTrainer` with the same normaliser took 16.4 s on two threads at the same
time. Memory grows with the distinct words, not with the texts: about 70 bytes for each of their characters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bertsmith.errors import DataError, OptionError
from bertsmith.tokenization.alphabet import ALPHABET_SIZE
from bertsmith.tokenization.merges import Segmentation
from bertsmith.tokenization.wordpiece_entries import SPECIAL_TOKENS

_ADVANCE_EVERY = 256


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

    `advance(entries so far, vocab_size)` is called every 256 entries and at the end. Raises `DataError` if there are
    more special tokens and characters than `vocab_size`, or if the words do not support that many entries.
    """
    if min_frequency < 1 or alphabet_size < 1:
        raise OptionError(
            f"min_frequency and alphabet_size must be at least 1, found {min_frequency} and {alphabet_size}"
        )
    counted = {word: count for word, count in words.items() if word and count > 0}
    vocabulary = dict.fromkeys(special_tokens)
    segmentation = Segmentation(counted, alphabet_size, capacity=vocab_size)
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
