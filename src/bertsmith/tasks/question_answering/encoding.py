"""Questions with their contexts as rows of tokens; long contexts are divided into overlapping windows.

A row is `[CLS] question [SEP] window of the context [SEP]`, with the special tokens that the tokenizer adds to a pair.
A question has at most 64 tokens, as in google-research/bert (`run_squad.py`, `max_query_length`), and at most half of a
row. Windows overlap by 128 tokens (`doc_stride` as in transformers' `run_qa.py`), at most by half. Every token of a
context is in a window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bertsmith.tasks.encoded_texts import EncodedTexts
from bertsmith.tasks.graphemes import whole_clusters
from bertsmith.tasks.values import Ints, Tokenizer

QUESTION_TOKENS, OVERLAP = 64, 128
AT_ONCE = 1_000


@dataclass(frozen=True)
class ContextTokens:
    """The tokens of a text: their ids, and the characters of each, `starts` to `ends` (exclusive); int32 of [tokens].

    The characters are whole grapheme clusters, so tokens that share a cluster have the same characters.
    """

    ids: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class PairTemplate:
    """The special tokens before, between and after the two texts of a pair, and the token types."""

    before: list[int]
    between: list[int]
    behind: list[int]
    types: tuple[int, int, int, int, int]

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> PairTemplate:
        """Find out how the tokenizer builds a pair."""
        pair = tokenizer("a", "b", return_token_type_ids=True)
        ids, types, sides = pair["input_ids"], pair["token_type_ids"], pair.sequence_ids(0)
        first, second = sides.index(0), sides.index(1)
        between, behind = first + sides.count(0), second + sides.count(1)
        places = (0, first, between, second, behind)
        return cls(ids[:first], ids[between:second], ids[behind:], tuple(types[place] for place in places))

    def __len__(self) -> int:
        return len(self.before) + len(self.between) + len(self.behind)

    def row(self, question: Sequence[int], context: Sequence[int]) -> tuple[list[int], list[int]]:
        """Return ids and token types of a row."""
        parts = (self.before, question, self.between, context, self.behind)
        ids = [token for part in parts for token in part]
        return ids, [kind for part, kind in zip(parts, self.types, strict=True) for _ in part]


@dataclass(frozen=True)
class EncodedQuestions:
    """Questions as rows. A row is assembled on request, so each context is stored once.

    Attributes:
        template: the special tokens of a row.
        questions: token ids of each question, truncated.
        contexts: the distinct contexts.
        context_of: index of each question's context.
        owners: int64 of [rows], the question of each row.
        firsts, counts: int64 of [rows], the first context token in a row, and the number of context tokens.
        full_lengths: tokens of each question with its whole context, including special tokens.
        truncated_tokens: tokens cut from each question.
    """

    template: PairTemplate
    questions: list[list[int]]
    contexts: list[ContextTokens]
    context_of: list[int]
    owners: Ints
    firsts: Ints
    counts: Ints
    full_lengths: list[int]
    truncated_tokens: list[int]
    offsets: Ints = field(init=False)
    """int64 of [rows]: the position of the first context token in the row."""

    def __post_init__(self) -> None:
        around = len(self.template.before) + len(self.template.between)
        lengths = np.array([len(question) for question in self.questions], dtype=np.int64)
        object.__setattr__(self, "offsets", lengths[self.owners] + around)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return self.row_lengths(range(len(self.owners)))

    def row_lengths(self, rows: Sequence[int]) -> list[int]:
        """Return the tokens of some rows."""
        chosen = np.asarray(rows, dtype=np.int64)
        found: list[int] = (self.offsets[chosen] + self.counts[chosen] + len(self.template.behind)).tolist()
        return found

    @property
    def windowed_examples(self) -> int:
        """Number of questions whose context is in several windows."""
        return int(np.sum(np.bincount(self.owners, minlength=len(self.questions)) > 1))

    def rows(self, numbers: Sequence[int]) -> EncodedTexts:
        """Return ids and token types of some rows."""
        made = EncodedTexts([], [], [0] * len(numbers))
        for number in numbers:
            owner, first = int(self.owners[number]), int(self.firsts[number])
            context = self.contexts[self.context_of[owner]].ids[first : first + int(self.counts[number])]
            ids, types = self.template.row(self.questions[owner], context.tolist())
            made.input_ids.append(ids)
            made.token_type_ids.append(types)
        return made

    def token_span(self, question: int, start: int, end: int) -> tuple[int, int]:
        """Return the first and last token (inclusive) of the characters `start` to `end` of a question's context.

        If the tokenizer drops these characters, both are the token after them.
        """
        context = self.contexts[self.context_of[question]]
        first = min(int(np.searchsorted(context.ends, start, side="right")), max(len(context) - 1, 0))
        return first, max(int(np.searchsorted(context.starts, end, side="left")) - 1, first)


def context_windows(count: int, room: int) -> list[tuple[int, int]]:
    """Return (first token, number of tokens) of the windows of a context of `count` tokens, at most `room` per window.

    Consecutive windows begin `room` minus the overlap apart, except that the last window is always full.
    """
    if count <= room:
        return [(0, count)]
    step = room - min(OVERLAP, room // 2)
    starts = [*range(0, count - room, step), count - room]
    return [(start, room) for start in starts]


def encode_questions(
    tokenizer: Tokenizer, questions: Sequence[str], contexts: Sequence[str], max_length: int
) -> EncodedQuestions:
    """Encode questions and their contexts as rows of at most `max_length` tokens."""
    template = PairTemplate.of(tokenizer)
    room = max_length - len(template)
    limit = max(min(QUESTION_TOKENS, room // 2), 1)
    number = {text: place for place, text in enumerate(dict.fromkeys(contexts))}
    pieces = _pieces(tokenizer, list(number))
    context_of = [number[text] for text in contexts]
    whole = [item.ids.tolist() for item in _pieces(tokenizer, questions)]
    question_ids = [ids[:limit] for ids in whole]
    rows = [
        (owner, first, count)
        for owner, (ids, context) in enumerate(zip(question_ids, context_of, strict=True))
        for first, count in context_windows(len(pieces[context]), room - len(ids))
    ]
    owners, firsts, counts = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    full = [len(ids) + len(pieces[context]) + len(template) for ids, context in zip(whole, context_of, strict=True)]
    cut = [len(ids) - len(kept) for ids, kept in zip(whole, question_ids, strict=True)]
    return EncodedQuestions(template, question_ids, pieces, context_of, owners, firsts, counts, full, cut)


def _pieces(tokenizer: Tokenizer, texts: Sequence[str]) -> list[ContextTokens]:
    found = []
    for at in range(0, len(texts), AT_ONCE):
        given = list(texts[at : at + AT_ONCE])
        part = tokenizer(
            given,
            add_special_tokens=False,
            return_token_type_ids=False,
            return_attention_mask=False,
            return_offsets_mapping=True,
            verbose=False,
        )
        for text, ids, offsets in zip(given, part["input_ids"], part["offset_mapping"], strict=True):
            starts, ends = np.array(offsets, dtype=np.int32).reshape(-1, 2).T.copy()
            # Byte-level tokenizers count the space before a word as part of the word.
            starts += np.array([text[start:end][:1].isspace() for start, end in offsets], dtype=np.int32)
            starts, ends = (place.astype(np.int32) for place in whole_clusters(text, starts, ends))
            found.append(ContextTokens(np.array(ids, dtype=np.int32), starts, ends))
    return found
