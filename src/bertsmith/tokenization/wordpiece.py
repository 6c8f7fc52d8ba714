"""Train a WordPiece vocabulary from counted words: the same texts always give the same vocabulary.

`tokenizers.trainers.WordPieceTrainer` is not reproducible: it iterates over hash maps, so each run over the same corpus
gives a different order of ids and sometimes different pieces (tokenizers#1794, #668). Such a vocabulary can neither be
rebuilt nor verified. Here the vocabulary is a function of the word counts, and ties are broken by the text of the
pieces. A smaller vocabulary is a prefix of a larger one from the same words.

The vocabulary consists of the most frequent characters and then BPE merges, always of the pair of neighbouring pieces
with the largest count, as in `WordPieceTrainer` (tokenizers#1777). This is not the likelihood score of the original
WordPiece (Schuster and Nakajima, 2012), whose code was never released. The merges themselves are not saved: as in BERT,
words are encoded by longest match over the set of pieces.

    words = words_of_chunks(count_chunks(texts), lowercase=True)
    vocabulary = train_wordpiece(words, vocab_size=30_522)

Cost on one thread for 62 MB of English books (367 thousand distinct chunks, 81 thousand distinct words) and 16,384
entries: 3.7 s to count chunks, 0.9 s to split them into words, 1.3 s to train; 5.9 s in total, or 4.7 s with two
processes counting chunks. `WordPieceTrainer` with the same normalizer took 16.4 s on two threads on the same machine.
Memory grows with the distinct words, not with the texts: about 70 bytes per character of the distinct words.
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
    """Return a vocabulary of exactly `vocab_size` entries in id order; with `fewer`, of at most that many.

    1. `special_tokens`.
    2. The `alphabet_size` most frequent characters (ties: the smaller code point), each in the forms that
       occur: `c` at the start of a word, `##c` inside a word. Letters of scripts without spaces get both forms, because
       a run of them may start with any letter, for example if a user separates the words. A word with any other
       character would be [UNK] as a whole and is ignored from here on; so is a word that itself begins with `##`, which
       BERT's pre-tokenizer never produces.
    3. Merges: the pair of neighbouring pieces with the largest count becomes one piece, in all words, from
       the left (ties: the smaller text of the left piece, then of the right one), as long as a pair occurs
       `min_frequency` times.

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
            f"--vocab-size {vocab_size}: too small, expected at least {len(vocabulary)} for the special tokens and "
            "single characters"
        )
    merged = segmentation.merges(min_frequency)
    while len(vocabulary) < vocab_size:
        piece = next(merged, None)
        if piece is None and fewer:
            break
        if piece is None:
            left = "is left" if min_frequency == 1 else f"occurs {min_frequency} times"
            raise DataError(
                f"--vocab-size {vocab_size}: too large, expected at most {len(vocabulary)} for the "
                f"{len(counted):,} distinct words of this text, because no other pair of pieces {left}. "
                "Try: a smaller --vocab-size, or more text"
            )
        vocabulary[piece] = None
        if advance is not None and len(vocabulary) % _ADVANCE_EVERY == 0:
            advance(len(vocabulary), vocab_size)
    if advance is not None:
        advance(len(vocabulary), len(vocabulary))
    return list(vocabulary)
