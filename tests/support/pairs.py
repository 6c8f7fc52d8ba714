"""Parts of a STORE with sentences of given lengths, and the plans of pairs made from them."""

from __future__ import annotations

import random as python_random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from hypothesis import strategies as st

from bertsmith.corpus.store import TokenPart, data_file, finish_part, write_rows
from bertsmith.objectives import pairs
from bertsmith.objectives.pairs import (
    OTHER_DOCUMENT,
    PairPlan,
    plan_pairs,
)

Lengths = Sequence[int]


PieceOf = tuple[str, int, Lengths]
"""A piece: its document, its first sentence there, and the lengths of its sentences."""


@contextmanager
def part_of(pieces: Sequence[PieceOf]) -> Iterator[TokenPart]:
    """A part on disk with sentences of these lengths; the ids count up."""
    with tempfile.TemporaryDirectory() as folder, mock.patch("os.fsync"):
        part, file = Path(folder) / "train", data_file(0, 1)
        tokens = sum(sum(lengths) for _, _, lengths in pieces)
        write_rows(
            part / file,
            70_000,
            ids=np.arange(tokens, dtype=np.int64) % 70_000,
            lengths=np.array([length for _, _, lengths in pieces for length in lengths], dtype=np.int64),
            documents=np.array([place for place, piece in enumerate(pieces) for _ in piece[2]], dtype=np.int64),
            document_ids=[document for document, _, _ in pieces],
            sentences=np.array(
                [first + place for _, first, lengths in pieces for place in range(len(lengths))], dtype=np.int64
            ),
        )
        finish_part(part, [file], vocab_size=70_000, tokens=tokens)
        yield TokenPart(part)


def documents_of(documents: Sequence[Lengths]) -> list[PieceOf]:
    return [(f"document-{number}", 0, lengths) for number, lengths in enumerate(documents)]


def rows_of(plan: PairPlan) -> list[tuple[int, int, int, int, int]]:
    columns = (plan.a_start, plan.a_stop, plan.b_start, plan.b_stop, plan.label)
    return [tuple(map(int, row)) for row in zip(*columns, strict=True)]  # type: ignore[misc]


def planned(
    part: TokenPart,
    length: int,
    *,
    seed: int = 0,
    epoch: int = 0,
    swap: bool = False,
    negatives: str = OTHER_DOCUMENT,
) -> PairPlan:
    return plan_pairs(part, length, swap=swap, negatives=negatives, seed=seed, epoch=epoch)


def whole(part: TokenPart, length: int, **options: Any) -> PairPlan:
    """The same plan before truncation: the same rows, whose segments end where sentences do."""
    with mock.patch.object(pairs, "truncation", lambda a, b, excess: (0, 0)):
        return planned(part, length, **options)


several_documents = st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=12), min_size=2, max_size=6).map(
    documents_of
)


@st.composite
def one_document(draw: st.DrawFn) -> list[PieceOf]:
    """One document of 220 to 300 sentences, sometimes with a run in its middle held out."""
    lengths = draw(st.lists(st.integers(1, 9), min_size=220, max_size=300))
    if draw(st.booleans()):
        return [("book", 0, lengths)]
    start = draw(st.integers(10, 150))
    return [("book", 0, lengths[:start]), ("book", start + draw(st.integers(1, 20)), lengths[start:])]


any_corpus = st.one_of(several_documents, one_document())


lengths_of_examples = st.integers(8, 64)


seeds = st.integers(0, 1000)


@st.composite
def mixed_documents(draw: st.DrawFn) -> list[PieceOf]:
    """Two to five documents of 1 to 200 sentences, some with one or two runs of sentences held out."""
    generator = python_random.Random(draw(st.integers(0, 10**6)))
    pieces: list[PieceOf] = []
    for number, size in enumerate(draw(st.lists(st.sampled_from([1, 2, 5, 20, 60, 120, 200]), min_size=2, max_size=5))):
        longest = generator.choice([1, 3, 9, 30])
        lengths = [generator.randint(1, longest) for _ in range(size)]
        cuts = sorted(generator.sample(range(1, size), generator.randint(0, min(2, size - 1)))) if size > 1 else []
        first = 0
        for start, stop in zip([0, *cuts], [*cuts, size], strict=True):
            pieces.append((f"document-{number}", first + start, lengths[start:stop]))
            first += generator.randint(1, 30)
    return pieces


def truncated_by_the_loop(a: int, b: int, maximum: int) -> tuple[int, int]:
    """The lengths that `truncate_seq_pair` of google-research/bert leaves."""
    tokens_a, tokens_b = list(range(a)), list(range(b))
    while True:
        if len(tokens_a) + len(tokens_b) <= maximum:
            return len(tokens_a), len(tokens_b)
        (tokens_a if len(tokens_a) > len(tokens_b) else tokens_b).pop()


def documents_of_sentences(part: TokenPart) -> list[str]:
    """The document of each sentence."""
    counts = np.diff(part.document_offsets).tolist()
    return [name for name, count in zip(part.document_ids, counts, strict=True) for _ in range(count)]
