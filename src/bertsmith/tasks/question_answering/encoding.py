"""Questions with their contexts as rows of pieces; long contexts in overlapping windows, each piece with its place.

A row is `[CLS] question [SEP] window of the context [SEP]`, in whatever form the tokenizer gives to a pair. A question
has at most 64 pieces, as in google-research/bert (`run_squad.py`, `max_query_length`), and at most half of a row;
windows overlap by 128 pieces (its `doc_stride`, read as transformers' `run_qa.py` does), at most by half. No piece of a
context is ever left out.
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
    """A text as pieces: their ids, and the characters of each, `starts` to `ends` (exclusive); int32 of [pieces].

    The characters are whole grapheme clusters, so pieces that share a cluster have the same characters.
    """

    ids: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class PairTemplate:
    """The special tokens before, between and behind the two texts of a pair, and the types."""

    before: list[int]
    between: list[int]
    behind: list[int]
    types: tuple[int, int, int, int, int]

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> PairTemplate:
        """As the tokenizer makes a pair."""
        pair = tokenizer("a", "b", return_token_type_ids=True)
        ids, types, sides = pair["input_ids"], pair["token_type_ids"], pair.sequence_ids(0)
        first, second = sides.index(0), sides.index(1)
        between, behind = first + sides.count(0), second + sides.count(1)
        places = (0, first, between, second, behind)
        return cls(ids[:first], ids[between:second], ids[behind:], tuple(types[place] for place in places))

    def __len__(self) -> int:
        return len(self.before) + len(self.between) + len(self.behind)

    def row(self, question: Sequence[int], context: Sequence[int]) -> tuple[list[int], list[int]]:
        """Ids and types of a row."""
        parts = (self.before, question, self.between, context, self.behind)
        ids = [token for part in parts for token in part]
        return ids, [kind for part, kind in zip(parts, self.types, strict=True) for _ in part]


@dataclass(frozen=True)
class EncodedQuestions:
    """Questions as rows; the ids of a row are put together when it is asked for, so a context is kept once.

    Attributes:
        template: what a row is made of.
        questions: for each question its pieces, cut.
        contexts: the different contexts; `context_of` says which is that of a question.
        owners: int64 of [rows], the question of each row.
        firsts, counts: int64 of [rows], the first piece of the context in a row, and how many are there.
        full_lengths: tokens of each question with its whole context, special ones included.
        truncated_tokens: pieces of each question that no row holds: those beyond the limit.
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
    """int64 of [rows]: the position in the row of its first piece of the context."""

    def __post_init__(self) -> None:
        around = len(self.template.before) + len(self.template.between)
        lengths = np.array([len(question) for question in self.questions], dtype=np.int64)
        object.__setattr__(self, "offsets", lengths[self.owners] + around)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return self.lengths_of(range(len(self.owners)))

    def lengths_of(self, rows: Sequence[int]) -> list[int]:
        """Tokens of some rows."""
        chosen = np.asarray(rows, dtype=np.int64)
        found: list[int] = (self.offsets[chosen] + self.counts[chosen] + len(self.template.behind)).tolist()
        return found

    @property
    def windowed_examples(self) -> int:
        """How many questions have a context in several windows."""
        return int(np.sum(np.bincount(self.owners, minlength=len(self.questions)) > 1))

    def rows(self, numbers: Sequence[int]) -> EncodedTexts:
        """The ids and types of some rows."""
        made = EncodedTexts([], [], [0] * len(numbers))
        for number in numbers:
            owner, first = int(self.owners[number]), int(self.firsts[number])
            context = self.contexts[self.context_of[owner]].ids[first : first + int(self.counts[number])]
            ids, types = self.template.row(self.questions[owner], context.tolist())
            made.input_ids.append(ids)
            made.token_type_ids.append(types)
        return made

    def token_span(self, question: int, start: int, end: int) -> tuple[int, int]:
        """The first and the last piece (inclusive) of the characters `start` to `end` of a question's context.

        Where the tokenizer drops these characters it is the piece that follows.
        """
        context = self.contexts[self.context_of[question]]
        first = min(int(np.searchsorted(context.ends, start, side="right")), max(len(context) - 1, 0))
        return first, max(int(np.searchsorted(context.starts, end, side="left")) - 1, first)


def context_windows(count: int, room: int) -> list[tuple[int, int]]:
    """First piece and number of pieces of the windows of a context of `count` pieces; a row has room for `room`.

    Each begins `room` minus the overlap behind the one before it; the last one is as full as it can be.
    """
    if count <= room:
        return [(0, count)]
    step = room - min(OVERLAP, room // 2)
    starts = [*range(0, count - room, step), count - room]
    return [(start, room) for start in starts]


def encode_questions(
    tokenizer: Tokenizer, questions: Sequence[str], contexts: Sequence[str], max_length: int
) -> EncodedQuestions:
    """Questions and their contexts as rows of at most `max_length` tokens."""
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
            # Byte-level tokenizers count the blank before a word to it.
            starts += np.array([text[start:end][:1].isspace() for start, end in offsets], dtype=np.int32)
            starts, ends = (place.astype(np.int32) for place in whole_clusters(text, starts, ends))
            found.append(ContextTokens(np.array(ids, dtype=np.int32), starts, ends))
    return found
