"""The words that a tokenizer sees in a text, each with its token ids and its characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bertsmith.errors import ModelError
from bertsmith.tasks.graphemes import whole_clusters
from bertsmith.tasks.values import Tokenizer

WordTokenIds = list[list[int]]
"""The token ids of each word of a sentence."""
AT_ONCE = 1_000


def words_of_text(tokenizer: Tokenizer, texts: Sequence[str]) -> Iterator[tuple[WordTokenIds, list[tuple[int, int]]]]:
    """Yield for each text the token ids and the characters (end exclusive) of the words that the tokenizer sees.

    For BERT these are the words of its basic tokenizer. A word has whole grapheme clusters: a tokenizer word that
    begins inside a cluster, such as a lone combining mark, is added to the word before. So no two words share a
    character.
    """
    for at in range(0, len(texts), AT_ONCE):
        part = list(texts[at : at + AT_ONCE])
        found = tokenized_words(tokenizer, part, return_offsets_mapping=True)
        for number, text in enumerate(part):
            ids, words, offsets = found["input_ids"][number], found.word_ids(number), found["offset_mapping"][number]
            # Byte-level tokenizers count the space before a word as part of the word.
            stripped = [start + len(text[start:end]) - len(text[start:end].lstrip()) for start, end in offsets]
            starts, ends = whole_clusters(text, stripped, [end for _, end in offsets])
            pieces: WordTokenIds = []
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


def tokenized_words(tokenizer: Tokenizer, part: Sequence[Any], **options: Any) -> Any:
    """Encode texts or words without special tokens. Raises ModelError if the tokenizer cannot work on words."""
    try:
        return tokenizer(part, add_special_tokens=False, return_token_type_ids=False, **options)
    except (AssertionError, ValueError, NotImplementedError) as error:
        raise ModelError(f"{tokenizer.name_or_path}: the tokenizer cannot encode single words: {error}") from None
