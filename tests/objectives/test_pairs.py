"""Pairs are those of google-research/bert: the same spans, labels and lengths, from random stores."""

from __future__ import annotations

import math
import random as python_random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.corpus.store import TokenPart, TokenStore, data_file, finish_part, write_rows
from bertsmith.errors import DataError
from bertsmith.objectives import pairs
from bertsmith.objectives.examples import EpochPlan
from bertsmith.objectives.masks import Vocabulary
from bertsmith.objectives.pairs import (
    OTHER_DOCUMENT,
    SAME_DOCUMENT,
    PairPlan,
    label_counts,
    plan_epoch,
    plan_pairs,
    plan_rows,
    truncation,
)
from bertsmith.runtime import random
from bertsmith.tokenization.folder import load_tokenizer

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


def truncated_by_the_loop(a: int, b: int, maximum: int) -> tuple[int, int]:
    """The lengths that `truncate_seq_pair` of google-research/bert leaves."""
    tokens_a, tokens_b = list(range(a)), list(range(b))
    while True:
        if len(tokens_a) + len(tokens_b) <= maximum:
            return len(tokens_a), len(tokens_b)
        (tokens_a if len(tokens_a) > len(tokens_b) else tokens_b).pop()


@settings(max_examples=40, deadline=None)
@given(any_corpus, lengths_of_examples, seeds)
def test_segments_are_inside_the_part_and_fit_the_example(pieces: list[PieceOf], length: int, seed: int) -> None:
    with part_of(pieces) as part:
        for a_start, a_stop, b_start, b_stop, label in rows_of(planned(part, length, seed=seed)):
            assert 0 <= a_start < a_stop <= part.num_tokens
            assert 0 <= b_start < b_stop <= part.num_tokens
            assert (a_stop - a_start) + (b_stop - b_start) <= length - 3
            assert label in (0, 1)


@settings(max_examples=40, deadline=None)
@given(any_corpus, lengths_of_examples, seeds)
def test_segments_are_whole_sentences_of_one_piece_before_truncation(
    pieces: list[PieceOf], length: int, seed: int
) -> None:
    with part_of(pieces) as part:
        sentence_ends = set(part.sentence_offsets.tolist())
        piece_ends = part.sentence_offsets[part.document_offsets]
        for a_start, a_stop, b_start, b_stop, label in rows_of(whole(part, length, seed=seed)):
            assert {a_start, a_stop, b_start, b_stop} <= sentence_ends
            for start, stop in ((a_start, a_stop), (b_start, b_stop)):
                first, last = np.searchsorted(piece_ends, (start, stop - 1), side="right")
                assert first == last, "a segment reaches over the end of its piece"
            if label == pairs.IS_NEXT:
                assert a_stop == b_start, "the next sentence does not begin where A ends"


@settings(max_examples=40, deadline=None)
@given(any_corpus, lengths_of_examples, seeds)
def test_unused_sentences_are_put_back_so_that_the_text_is_used_exactly_once(
    pieces: list[PieceOf], length: int, seed: int
) -> None:
    with part_of(pieces) as part:
        place = 0
        for a_start, a_stop, _, b_stop, label in rows_of(whole(part, length, seed=seed)):
            assert a_start == place
            place = b_stop if label == pairs.IS_NEXT else a_stop
        assert place == part.num_tokens


@settings(max_examples=40, deadline=None)
@given(any_corpus, lengths_of_examples, seeds)
def test_truncation_leaves_the_lengths_of_the_original_loop(pieces: list[PieceOf], length: int, seed: int) -> None:
    with part_of(pieces) as part:
        before, after = rows_of(whole(part, length, seed=seed)), rows_of(planned(part, length, seed=seed))
        for long, short in zip(before, after, strict=True):
            assert long[0] <= short[0] and short[1] <= long[1]
            assert long[2] <= short[2] and short[3] <= long[3]
            assert long[4] == short[4]
            expected = truncated_by_the_loop(long[1] - long[0], long[3] - long[2], length - 3)
            assert (short[1] - short[0], short[3] - short[2]) == expected


@given(st.integers(1, 200), st.integers(1, 200), st.integers(2, 300))
def test_the_closed_form_of_truncation_is_the_loop(a: int, b: int, maximum: int) -> None:
    from_a, from_b = truncation(a, b, max(a + b - maximum, 0))
    assert (a - from_a, b - from_b) == truncated_by_the_loop(a, b, maximum)


def test_tokens_are_cut_from_either_end_with_equal_probability() -> None:
    with part_of(documents_of([[40, 40]] * 400)) as part:
        long, short = whole(part, 35), planned(part, 35)
    lost_in_front = int((short.a_start - long.a_start).sum())
    lost = int(((long.a_stop - long.a_start) - (short.a_stop - short.a_start)).sum())
    assert lost > 5_000
    assert abs(lost_in_front - lost / 2) < 4 * math.sqrt(lost / 4)


@settings(max_examples=40, deadline=None)
@given(several_documents, lengths_of_examples, seeds)
def test_a_random_next_is_of_another_document(pieces: list[PieceOf], length: int, seed: int) -> None:
    with part_of(pieces) as part:
        ends = part.sentence_offsets[part.document_offsets]
        for a_start, _, b_start, _, label in rows_of(planned(part, length, seed=seed)):
            of_a, of_b = np.searchsorted(ends, (a_start, b_start), side="right") - 1
            same = part.document_ids[of_a] == part.document_ids[of_b]
            assert same == (label == pairs.IS_NEXT)


def test_the_pieces_of_one_document_are_not_other_documents() -> None:
    pieces = [("book", 0, [5] * 6), ("book", 40, [5] * 6), ("other", 0, [5] * 6)]
    with part_of(pieces) as part:
        other_starts = 60
        for seed in range(20):
            for a_start, _, b_start, _, label in rows_of(planned(part, 16, seed=seed)):
                if label == pairs.NOT_NEXT:
                    assert (a_start >= other_starts) != (b_start >= other_starts)


def positions_of(part: TokenPart) -> list[int]:
    """For each token of a part of one document, the position of its sentence in the document."""
    positions = []
    for piece in range(part.num_fragments):
        first, last = int(part.document_offsets[piece]), int(part.document_offsets[piece + 1])
        for sentence in range(first, last):
            length = int(part.sentence_offsets[sentence + 1] - part.sentence_offsets[sentence])
            positions += [int(part.first_sentences[piece]) + sentence - first] * length
    return positions


@settings(max_examples=40, deadline=None)
@given(one_document(), st.integers(8, 32), seeds)
def test_in_one_document_a_random_next_is_50_sentences_away(pieces: list[PieceOf], length: int, seed: int) -> None:
    with part_of(pieces) as part:
        positions = positions_of(part)
        found = 0
        for a_start, a_stop, b_start, b_stop, label in rows_of(whole(part, length, seed=seed)):
            if label == pairs.NOT_NEXT:
                of_a, of_b = positions[a_start:a_stop], positions[b_start:b_stop]
                assert max(of_b) <= min(of_a) - 50 or min(of_b) >= max(of_a) + 50
                found += 1
        assert found > 0


def test_in_one_document_a_random_next_comes_from_before_and_from_after() -> None:
    with part_of([("book", 0, [4] * 3000)]) as part:
        plan = planned(part, 32)
        middle = (plan.label == pairs.NOT_NEXT) & (plan.a_start > 4_000) & (plan.a_start < 8_000)
        before = int((plan.b_start[middle] < plan.a_start[middle]).sum())
        count = int(middle.sum())
    assert count > 50
    assert 0.2 * count < before < 0.8 * count


def test_a_document_too_short_for_random_nexts_is_an_error_that_says_what_to_do() -> None:
    with part_of([("note", 0, [6] * 60)]) as part:
        with pytest.raises(DataError, match=r"one document of 60 sentences.*50 away.*--objective mlm"):
            planned(part, 32)
        assert len(plan_rows(part, 32, seed=0, epoch=0)) > 0
        assert len(planned(part, 32, swap=True)) > 0


def test_one_long_document_or_two_short_ones_can_be_paired() -> None:
    with part_of([("book", 0, [6] * 151)]) as part:
        assert len(planned(part, 128)) > 0
    with part_of(documents_of([[6], [6]])) as part:
        assert label_counts(planned(part, 128)) == {"pairs": 2, "is_next": 0, "not_next": 2, "forced_random": 2}


def test_half_of_the_pairs_that_are_free_are_next() -> None:
    draw = python_random.Random(1)
    documents = [[draw.randint(3, 25) for _ in range(draw.randint(1, 40))] for _ in range(600)]
    with part_of(documents_of(documents)) as part:
        plan = planned(part, 64)
    counts = label_counts(plan)
    free = counts["pairs"] - counts["forced_random"]
    assert counts["pairs"] == counts["is_next"] + counts["not_next"] == len(plan)
    assert counts["forced_random"] > 0 and free > 2_000
    assert abs(counts["is_next"] - free / 2) < 4 * math.sqrt(free / 4)


def test_a_tenth_of_the_targets_is_short_and_those_are_uniform() -> None:
    """Sentences of one token make a chunk as long as its target, exactly."""
    length, maximum = 24, 21
    with part_of(documents_of([[1] * 4_000] * 30)) as part:
        plan = whole(part, length)
        ends = set(part.sentence_offsets[part.document_offsets].tolist())
    chosen = [row for row in rows_of(plan) if row[4] == pairs.IS_NEXT and row[3] not in ends]
    totals = Counter(b_stop - a_start for a_start, _, _, b_stop, _ in chosen)
    assert set(totals) <= set(range(2, maximum + 1))
    short = sum(count for total, count in totals.items() if total < maximum)
    expected = 0.1 * (1 - 1 / (maximum - 1))
    assert abs(short - expected * len(chosen)) < 4 * math.sqrt(len(chosen) * expected * (1 - expected))
    by_total = [totals[total] for total in range(2, maximum)]
    mean = short / len(by_total)
    chi_square = sum((count - mean) ** 2 / mean for count in by_total)
    assert chi_square < chi_square_limit(len(by_total) - 1)


def chi_square_limit(degrees: int) -> float:
    """What a chi-square of so many degrees exceeds with probability 3e-5 (Wilson and Hilferty 1931)."""
    return degrees * (1 - 2 / (9 * degrees) + 4 * math.sqrt(2 / (9 * degrees))) ** 3


@settings(max_examples=25, deadline=None)
@given(any_corpus, lengths_of_examples, seeds, st.sampled_from(["mlm+nsp", "mlm", "mlm+sop", "nsp"]))
def test_a_plan_is_a_function_of_seed_and_epoch(pieces: list[PieceOf], length: int, seed: int, objective: str) -> None:
    with part_of(pieces) as part:
        first = rows_of(plan_epoch(part, objective, length, seed=seed, epoch=3))
        plan_epoch(part, objective, length, seed=seed + 1, epoch=5)
        python_random.random(), np.random.random()
        assert rows_of(plan_epoch(part, objective, length, seed=seed, epoch=3)) == first


@pytest.mark.parametrize("objective", ["mlm+nsp", "mlm", "mlm+sop", "nsp"])
def test_epochs_and_seeds_differ(objective: str) -> None:
    with part_of(documents_of([[7, 9, 4, 12, 6] * 4] * 20)) as part:
        plans = [
            tuple(rows_of(plan_epoch(part, objective, 32, seed=seed, epoch=epoch)))
            for seed in range(3)
            for epoch in range(3)
        ]
    # Rows of mlm differ by where the first one ends, one of 30 places here: some of nine agree.
    assert len(set(plans)) == len(plans) if objective != "mlm" else len(set(plans)) > 4


@settings(max_examples=40, deadline=None)
@given(any_corpus, lengths_of_examples, seeds)
def test_rows_of_mlm_hold_every_token_exactly_once(pieces: list[PieceOf], length: int, seed: int) -> None:
    with part_of(pieces) as part:
        plan = plan_rows(part, length, seed=seed, epoch=1)
        assert plan.a_start[0] == 0 and plan.a_stop[-1] == part.num_tokens
        assert (plan.a_start[1:] == plan.a_stop[:-1]).all()
        sizes = plan.a_stop - plan.a_start
        assert (sizes > 0).all() and (sizes <= length - 2).all()
        assert (sizes[1:-1] == length - 2).all()
        assert (plan.b_stop == plan.b_start).all()


@settings(max_examples=40, deadline=None)
@given(any_corpus, lengths_of_examples, seeds)
def test_sentence_order_swaps_consecutive_segments(pieces: list[PieceOf], length: int, seed: int) -> None:
    with part_of(pieces) as part:
        place = 0
        singles = set(np.flatnonzero(np.ones(part.num_sentences)).tolist())
        starts = part.sentence_offsets.tolist()
        for a_start, a_stop, b_start, b_stop, label in rows_of(whole(part, length, seed=seed, swap=True)):
            if label == 0:
                assert a_stop == b_start
            else:
                assert b_stop == a_start
            begin, end = min(a_start, b_start), max(a_stop, b_stop)
            assert begin >= place, "text is used twice"
            place = end
            singles -= set(range(starts.index(begin), starts.index(end)))
        # What no pair holds are chunks of one sentence: it is as long as a target, or the last of its piece.
        for sentence in singles:
            is_last = sentence + 1 in part.document_offsets
            assert is_last or starts[sentence + 1] - starts[sentence] >= 2


def test_sentence_order_is_swapped_half_of_the_time() -> None:
    with part_of(documents_of([[7, 9, 4, 12, 6] * 4] * 800)) as part:
        labels = planned(part, 40, swap=True).label
    assert len(labels) > 2_000
    assert abs(int(labels.sum()) - len(labels) / 2) < 4 * math.sqrt(len(labels) / 4)


def literal_instances(
    documents: Sequence[Lengths],
    document_index: int,
    max_seq_length: int,
    short_seq_prob: float,
    rng: python_random.Random,
) -> list[tuple[int, int, bool]]:
    """google-research/bert's `create_instances_from_document`, tokens replaced by their number.

    One line differs, as this project documents: the target length is drawn anew after each pair.
    """

    def draw_target() -> int:
        max_num_tokens = max_seq_length - 3
        return rng.randint(2, max_num_tokens) if rng.random() < short_seq_prob else max_num_tokens

    document = documents[document_index]
    target_seq_length = draw_target()
    instances = []
    current_chunk: list[int] = []
    current_length = 0
    i = 0
    while i < len(document):
        segment = document[i]
        current_chunk.append(segment)
        current_length += segment
        if i == len(document) - 1 or current_length >= target_seq_length:
            if current_chunk:
                a_end = 1
                if len(current_chunk) >= 2:
                    a_end = rng.randint(1, len(current_chunk) - 1)
                tokens_a = sum(current_chunk[:a_end])
                tokens_b = 0
                is_random_next = False
                if len(current_chunk) == 1 or rng.random() < 0.5:
                    is_random_next = True
                    target_b_length = target_seq_length - tokens_a
                    for _ in range(10):
                        random_document_index = rng.randint(0, len(documents) - 1)
                        if random_document_index != document_index:
                            break
                    random_document = documents[random_document_index]
                    random_start = rng.randint(0, len(random_document) - 1)
                    for j in range(random_start, len(random_document)):
                        tokens_b += random_document[j]
                        if tokens_b >= target_b_length:
                            break
                    num_unused_segments = len(current_chunk) - a_end
                    i -= num_unused_segments
                else:
                    tokens_b = sum(current_chunk[a_end:])
                instances.append((*truncated_by_the_loop(tokens_a, tokens_b, max_seq_length - 3), is_random_next))
                target_seq_length = draw_target()
            current_chunk = []
            current_length = 0
        i += 1
    return instances


@pytest.mark.parametrize("short_probability", [0.0, 0.1])
def test_lengths_and_labels_are_distributed_as_those_of_the_original(short_probability: float) -> None:
    """Without short targets the literal code is the original itself, for either code draws nothing then."""
    draw = python_random.Random(2)
    documents = [[draw.randint(2, 22) for _ in range(draw.randint(1, 30))] for _ in range(900)]
    rng = python_random.Random(3)
    theirs = [
        instance
        for _ in range(3)
        for number in range(len(documents))
        for instance in literal_instances(documents, number, 64, short_probability, rng)
    ]
    with (
        part_of(documents_of(documents)) as part,
        mock.patch.object(pairs, "SHORT_PROBABILITY", short_probability),
    ):
        ours = [
            (a_stop - a_start, b_stop - b_start, label == pairs.NOT_NEXT)
            for epoch in range(3)
            for a_start, a_stop, b_start, b_stop, label in rows_of(planned(part, 64, epoch=epoch))
        ]
    assert len(ours) > 10_000
    assert abs(len(ours) - len(theirs)) < 0.01 * len(theirs)
    for name, measure in {
        "A": lambda pair: pair[0],
        "B": lambda pair: pair[1],
        "A + B": lambda pair: pair[0] + pair[1],
        "label": lambda pair: pair[2],
        "A of the next": lambda pair: -1 if pair[2] else pair[0],
        "B of the random": lambda pair: pair[1] if pair[2] else -1,
    }.items():
        mine, original = Counter(map(measure, ours)), Counter(map(measure, theirs))
        chi_square, degrees = two_samples(mine, original)
        assert chi_square < chi_square_limit(degrees), f"{name}: {chi_square:.1f} at {degrees} degrees of freedom"


def two_samples(first: Counter[int], second: Counter[int]) -> tuple[float, int]:
    """Chi-square of two histograms being drawn from one distribution, rare values taken together."""
    bins: list[tuple[int, int]] = []
    rare = (0, 0)
    for value in sorted({*first, *second}):
        counts = first[value], second[value]
        if sum(counts) < 20:
            rare = (rare[0] + counts[0], rare[1] + counts[1])
        else:
            bins.append(counts)
    if sum(rare) >= 20:
        bins.append(rare)
    ratio = math.sqrt(sum(second.values()) / sum(first.values()))
    chi_square = sum((ratio * a - b / ratio) ** 2 / (a + b) for a, b in bins)
    return chi_square, len(bins) - 1


def test_the_comparison_of_distributions_can_fail() -> None:
    """Two-sample chi-square sees a shift of the shares that the tests above must see."""
    first, second = Counter({0: 5_000, 1: 5_000}), Counter({0: 4_800, 1: 5_200})
    chi_square, degrees = two_samples(first, second)
    assert degrees == 1
    assert 7 < chi_square < 9
    assert chi_square_limit(1) > 10
    chi_square, _ = two_samples(first, Counter({0: 4_600, 1: 5_400}))
    assert chi_square > chi_square_limit(1)


# The rules once more, chunk by chunk


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


@dataclass
class Literal:
    """An epoch's pairs, and what is counted beside them."""

    rows: list[tuple[int, int, int, int, int]]
    forced: int = 0
    same_document: int = 0
    left_out: int = 0


def literal_plan(
    pieces: Sequence[PieceOf], length: int, *, swap: bool, negatives: str, seed: int, epoch: int
) -> Literal:
    """The rules of the module, one chunk after the other, in plain Python, fed with the same draws."""
    lengths = [tokens for _, _, of_piece in pieces for tokens in of_piece]
    piece_of = [number for number, piece in enumerate(pieces) for _ in piece[2]]
    document = [pieces[number][0] for number in piece_of]
    position = [first + place for _, first, of_piece in pieces for place in range(len(of_piece))]
    sentences = range(len(lengths))
    begin_of = [0, *accumulate(lengths)]
    first_of = [piece_of.index(number) for number in range(len(pieces))]
    in_documents = {name: [one for one in sentences if document[one] == name] for name in set(document)}
    maximum = length - 3
    result = Literal([])

    @cache
    def draws(purpose: str) -> list[int]:
        return random.bits(random.key("pairs", purpose, seed, epoch), np.arange(len(lengths))).tolist()

    def draw(purpose: str, sentence: int) -> float:
        return (draws(purpose)[sentence] >> 11) / 2**53

    @cache
    def coins(segment: str, sentence: int, first: int) -> int:
        return int(random.bits(random.key("coins", segment, seed, epoch), sentence, first))

    def coin(segment: str, sentence: int, number: int) -> int:
        return coins(segment, sentence, number // 64 * 64) >> (number % 64) & 1

    def other_document(start: int) -> int:
        others = [number for number in range(len(pieces)) if pieces[number][0] != document[start]]
        number = others[int(draw("document", start) * len(others))]
        return first_of[number] + int(draw("sentence", start) * len(pieces[number][2]))

    def add(start: int, a: range, b: range, label: int, own_b: bool) -> None:
        """Take tokens from the longer segment, at a random end, until both fit."""
        span_a, span_b = [begin_of[a.start], begin_of[a.stop]], [begin_of[b.start], begin_of[b.stop]]
        taken = {"a": 0, "b": 0}
        while span_a[1] - span_a[0] + span_b[1] - span_b[0] > maximum:
            segment, span = ("a", span_a) if span_a[1] - span_a[0] > span_b[1] - span_b[0] else ("b", span_b)
            if coin(segment, start, taken[segment]):
                span[0] += 1
            else:
                span[1] -= 1
            taken[segment] += 1
            result.left_out += segment == "a" or own_b
        result.rows.append((*span_a, *span_b, label))

    start = 0
    while start < len(lengths):
        target = maximum
        if draw("short", start) < 0.1:
            target = 2 + int(draw("length", start) * (maximum - 1))
        chunk = [start]
        while sum(lengths[one] for one in chunk) < target:
            following = chunk[-1] + 1
            if following == len(lengths) or piece_of[following] != piece_of[start]:
                break
            chunk.append(following)
        stop = chunk[-1] + 1
        a_end = start + 1 + int(draw("cut", start) * (len(chunk) - 1))
        tails = draw("next", start) < 0.5
        if swap:
            if len(chunk) == 1:
                result.left_out += lengths[start]
            else:
                a, b = range(start, a_end), range(a_end, stop)
                add(start, *((b, a) if tails else (a, b)), int(tails), True)
            start = stop
        elif len(chunk) > 1 and not tails:
            add(start, range(start, a_end), range(a_end, stop), 0, True)
            start = stop
        else:
            result.forced += len(chunk) == 1
            far = []
            if negatives == SAME_DOCUMENT or len(in_documents) == 1:
                far = [
                    one
                    for one in in_documents[document[start]]
                    if position[one] <= position[start] - 50 or position[one] >= position[chunk[-1]] + 50
                ]
            if far:
                begin = far[int(draw("sentence", start) * len(far))]
                result.same_document += 1
            else:
                begin = other_document(start)
            wanted = target - (begin_of[a_end] - begin_of[start])
            end = begin + 1
            while begin_of[end] - begin_of[begin] < wanted:
                if end == len(lengths) or piece_of[end] != piece_of[begin] or (far and end not in far):
                    break
                end += 1
            add(start, range(start, a_end), range(begin, end), 1, False)
            start = a_end
    return result


def check_against_the_literal_plan(part: TokenPart, pieces: Sequence[PieceOf], length: int, **options: Any) -> Literal:
    expected = literal_plan(pieces, length, **options)
    found = plan_pairs(part, length, **options)
    assert rows_of(found) == expected.rows
    assert (found.forced, found.same_document, found.left_out) == (
        *(expected.forced, expected.same_document, expected.left_out),
    )
    for size in (1, 7, 40):
        with mock.patch.object(pairs, "SENTENCES_AT_ONCE", size):
            in_blocks = plan_pairs(part, length, **options)
        assert rows_of(in_blocks) == expected.rows, f"blocks of {size} sentences"
        assert (in_blocks.forced, in_blocks.same_document, in_blocks.left_out) == (
            *(found.forced, found.same_document, found.left_out),
        )
    return expected


@pytest.mark.parametrize("negatives", [OTHER_DOCUMENT, SAME_DOCUMENT])
@pytest.mark.parametrize("swap", [False, True])
@settings(max_examples=40, deadline=None)
@given(
    pieces=st.one_of(several_documents, mixed_documents(), one_document()),
    # A last one so long that its truncation takes more coins than a word of bits has.
    length=st.one_of(lengths_of_examples, st.sampled_from([128, 200])),
    seed=seeds,
    epoch=st.integers(0, 3),
    stretched=st.sampled_from([1, 1, 1, 12]),
)
def test_a_plan_is_that_of_the_rules_one_after_the_other(
    negatives: str, swap: bool, pieces: list[PieceOf], length: int, seed: int, epoch: int, stretched: int
) -> None:
    pieces = [(name, first, [stretched * tokens for tokens in lengths]) for name, first, lengths in pieces]
    with part_of(pieces) as part:
        options: dict[str, Any] = {"swap": swap, "negatives": negatives, "seed": seed, "epoch": epoch}
        try:
            check_against_the_literal_plan(part, pieces, length, **options)
        except DataError:
            assert len({name for name, _, _ in pieces}) == 1 and not swap
            assert length > 100, "220 sentences are enough for short examples"


def test_the_literal_plan_meets_every_case() -> None:
    """Forced pairs, far ones of the same document and others for want of them, cut tokens and whole pairs."""
    draw = python_random.Random(5)
    pieces = [
        (f"document-{number}", first, [draw.randint(1, 20) for _ in range(size)])
        for number, first, size in [(0, 0, 90), (0, 130, 40), (1, 0, 30), (2, 0, 1), (3, 5, 160)]
    ]
    with part_of(pieces) as part:
        found = check_against_the_literal_plan(part, pieces, 32, swap=False, negatives=SAME_DOCUMENT, seed=0, epoch=0)
    not_next = sum(label for *_, label in found.rows)
    assert 0 < found.forced < not_next and 0 < found.same_document < not_next < len(found.rows)
    sizes = [a_stop - a_start + b_stop - b_start for a_start, a_stop, b_start, b_stop, _ in found.rows]
    assert found.left_out > 0 and min(sizes) < max(sizes) == 29


# Plans by hand


class FixedDraws:
    """Stands in for `runtime.random`: the draw of a purpose is one number, or one for each sentence.

    Coins are words of bits, the first coin the lowest bit; 1 takes a token from the front.
    """

    uniform = staticmethod(random.uniform)

    def __init__(self, coins: dict[str, int], **draws: float | dict[int, float]) -> None:
        self.coins, self.draws = coins, draws

    @staticmethod
    def key(*coordinates: Any) -> Any:
        return coordinates

    def bits(self, base: Any, sentences: Any, *_: Any) -> random.Bits:
        if base[0] == "coins":
            return np.full(np.shape(sentences), self.coins[base[1]], np.uint64)
        draw = self.draws[base[1]]
        values = [draw if isinstance(draw, float) else draw.get(one, 0.9) for one in np.asarray(sentences).tolist()]
        return np.array([int(value * 2**53) << 11 for value in values], np.uint64)


def by_hand(pieces: Sequence[PieceOf], maximum: int, *, coins: tuple[int, int] = (0, 0), **options: Any) -> PairPlan:
    """The plan where all draws are 0.9, so that no target is short and no B random, except those that are given."""
    draws = {name: options.pop(name, 0.9) for name in ("short", "length", "cut", "next", "document", "sentence")}
    fixed = FixedDraws(dict(zip("ab", coins, strict=True)), **draws)
    with part_of(pieces) as part, mock.patch.object(pairs, "random", fixed):
        return planned(part, maximum + 3, **options)


TWO = [("x", 0, [3, 4, 2, 5]), ("y", 0, [6, 3])]
"""Sentences 0 to 3 are tokens 0-3, 3-7, 7-9 and 9-14; 4 and 5 are tokens 14-20 and 20-23."""


def test_next_sentences_by_hand() -> None:
    # x: 3 + 4 + 2 + 5 reach 10; half of three cuts is one: A = 3 + 4, B = 2 + 5. Four too many: B, A, B, A lose one.
    plan = by_hand(TWO, 10, cut=0.5, coins=(0b01, 0b00))
    assert rows_of(plan) == [(1, 6, 7, 12, 0), (14, 20, 20, 23, 0)]
    assert (plan.forced, plan.same_document, plan.left_out) == (0, 0, 4)


def test_random_nexts_by_hand() -> None:
    plan = by_hand(TWO, 10, cut=0.5, next=0.2, sentence=0.6, coins=(0b0, 0b10))
    assert rows_of(plan) == [
        (0, 7, 20, 23, 1),  # 0 and 1, then 3 more tokens from y's second sentence; 2 and 3 are put back
        (7, 9, 20, 23, 1),  # 2 of 2 and 3, y has no more than 3 tokens
        (9, 14, 20, 23, 1),  # 3 is alone
        (14, 19, 8, 13, 1),  # 4 and, for 4 tokens, 2 and 3: 6 + 7; B loses its end, A its end, B its front
        (20, 23, 7, 14, 1),  # 5 is alone, 7 tokens from 2 on
    ]
    assert (plan.forced, plan.same_document, plan.left_out) == (2, 0, 1)


def test_short_targets_by_hand() -> None:
    # 2 + 0.4 x 9 = 5 tokens: 3 + 4 reach them; then 2 + 5; then 6 alone, which takes 1 token at least; then 3 alone.
    plan = by_hand(TWO, 10, short=0.05, length=0.4, sentence=0.0)
    assert rows_of(plan) == [(0, 3, 3, 7, 0), (7, 9, 9, 14, 0), (14, 20, 0, 3, 1), (20, 23, 0, 3, 1)]
    assert (plan.forced, plan.same_document, plan.left_out) == (2, 0, 0)
    # A draw of 0.1 and a little is not short.
    assert rows_of(by_hand(TWO, 10, short=0.1000001, cut=0.5)) == rows_of(by_hand(TWO, 10, cut=0.5))


def test_sentence_order_by_hand() -> None:
    pieces = [*TWO, ("z", 0, [4])]
    plan = by_hand(pieces, 10, swap=True, cut=0.5, next={0: 0.2}, coins=(0b01, 0b00))
    assert rows_of(plan) == [(8, 13, 0, 5, 1), (14, 20, 20, 23, 0)]
    assert (plan.forced, plan.same_document, plan.left_out) == (0, 0, 4 + 4)


def test_far_sentences_by_hand() -> None:
    # Sentences of 2 tokens at 0 to 59 and 100 to 159; chunks of four, A is one of them, and B wants three.
    pieces = [("book", 0, [2] * 60), ("book", 100, [2] * 60)]
    for sentence, begin, end in (
        (0.0, 0, 3),  # the first one; of 55 to 58 those up to 5 are far, and those from 108 on
        (0.09, 5, 6),  # 0.09 x (6 + 52) = 5: the next one is too near
        (0.11, 68, 71),  # 0.11 x 58 = 6: 108
        (0.99, 119, 120),  # the last one
    ):
        plan = by_hand(pieces, 8, next=0.2, cut=0.0, sentence=sentence)
        rows = {a_start: row for a_start, *row in rows_of(plan)}
        assert rows[110] == [112, 2 * begin, 2 * end, 1]
        assert plan.same_document == len(plan) == 120 and plan.forced == 2 and plan.left_out == 0


# Draws in large numbers, with bounds that chance passes once in a million runs

STANDARD_DEVIATIONS = 4.8916
"""The normal distribution is farther out on either side with probability 10^-6."""


def check_share(what: str, count: int, total: int, share: float) -> None:
    away = (count - total * share) / math.sqrt(total * share * (1 - share))
    assert abs(away) <= STANDARD_DEVIATIONS, f"{what}: {count} of {total}, {away:.1f} standard deviations from {share}"


def check_uniform(what: str, counts: Sequence[int]) -> None:
    mean, degrees = sum(counts) / len(counts), len(counts) - 1
    statistic = sum((count - mean) ** 2 / mean for count in counts)
    third = 2 / (9 * degrees)
    low, high = (degrees * max(0.0, 1 - third + side * STANDARD_DEVIATIONS * math.sqrt(third)) ** 3 for side in (-1, 1))
    assert low <= statistic <= high, f"{what}: chi-square {statistic:.1f} at {degrees} degrees of freedom"


def equal_sentences(documents: int, sentences: int, tokens: int) -> Any:
    """What a plan reads of a part: so many documents of so many sentences of so many tokens."""
    total = documents * sentences
    return SimpleNamespace(
        sentence_offsets=np.arange(total + 1) * tokens,
        document_offsets=np.arange(documents + 1) * sentences,
        document_of_fragment=np.arange(documents),
        first_sentences=np.zeros(documents, np.int64),
        num_sentences=total,
        num_fragments=documents,
        num_tokens=total * tokens,
    )


def check_targets_and_swaps(pairs_at_least: int) -> None:
    """Sentences of one token: a chunk is as long as its target, and sentence order shows all of it."""
    part = equal_sentences(10, pairs_at_least // 10 * 4, 1)
    plan = plan_pairs(part, 7, swap=True, seed=0, epoch=0)  # at most 4 tokens
    begin, end = np.minimum(plan.a_start, plan.b_start), np.maximum(plan.a_stop, plan.b_stop)
    whole_chunks = end % (part.num_tokens // 10) != 0
    assert whole_chunks.sum() >= len(plan) - 10 and len(plan) >= pairs_at_least
    targets = (end - begin)[whole_chunks]
    counts = np.bincount(targets, minlength=5)
    assert counts[:2].sum() == 0 and len(counts) == 5
    # A third of the short targets is the maximum itself.
    check_share("short", int(counts[2:4].sum()), len(targets), 0.1 * 2 / 3)
    check_uniform("short lengths", counts[2:4].tolist())
    check_share("swapped", int(plan.label.sum()), len(plan), 0.5)
    first = np.where(plan.label == 1, plan.b_stop - plan.b_start, plan.a_stop - plan.a_start)[whole_chunks]
    check_uniform("cuts", np.bincount(first[targets == 4], minlength=4)[1:].tolist())


def check_nexts(free_at_least: int) -> None:
    """Sentences of two tokens, and targets of three: two sentences, or one by force where the target is short."""
    plan = plan_pairs(equal_sentences(10, free_at_least * 16 // 100, 2), 6, swap=False, seed=0, epoch=0)
    free = len(plan) - plan.forced
    assert free >= free_at_least and plan.forced > 0
    check_share("next", label_counts(plan)["is_next"], free, 0.5)


def check_coins(coins_at_least: int) -> None:
    """Pairs of two sentences of 300 tokens lose 148 and 149 of them; from which end is one coin for each."""
    plan = plan_pairs(equal_sentences(coins_at_least // 125, 2, 300), 306, swap=True, seed=0, epoch=0)
    for start, stop in ((plan.a_start, plan.a_stop), (plan.b_start, plan.b_stop)):
        front = start % 300
        lost = front + 299 - (stop - 1) % 300
        assert set(lost.tolist()) < {148, 149} and lost.sum() >= coins_at_least
        check_share("front", int(front.sum()), int(lost.sum()), 0.5)
        # Each coin on its own: the fronts of pairs vary as sums of so many coins do.
        variance = float(((front - lost / 2) ** 2).mean()) / (float(lost[0]) / 4)
        assert abs(variance - 1) <= STANDARD_DEVIATIONS * math.sqrt(2 / len(plan)), f"variance {variance:.3f}"


def test_a_million_targets_cuts_and_swaps() -> None:
    check_targets_and_swaps(1_000_000)


def test_a_million_random_nexts() -> None:
    check_nexts(1_000_000)


def test_a_million_ends_of_truncation() -> None:
    check_coins(1_000_000)


def test_the_checks_of_draws_fail_for_other_shares() -> None:
    for name, value, check, message in (
        ("SHORT_PROBABILITY", 0.11, lambda: check_targets_and_swaps(200_000), "short: "),
        ("SHORT_PROBABILITY", 0.09, lambda: check_targets_and_swaps(200_000), "short: "),
        ("RANDOM_NEXT_PROBABILITY", 0.48, lambda: check_targets_and_swaps(100_000), "swapped: "),
        ("RANDOM_NEXT_PROBABILITY", 0.48, lambda: check_nexts(100_000), "next: "),
        ("RANDOM_NEXT_PROBABILITY", 0.52, lambda: check_nexts(100_000), "next: "),
    ):
        with mock.patch.object(pairs, name, value), pytest.raises(AssertionError, match=message):
            check()
    true_bits = random.bits
    with (
        mock.patch.object(random, "bits", lambda *arguments: true_bits(*arguments) | np.uint64(1)),
        pytest.raises(AssertionError, match="front: "),
    ):
        check_coins(1_000_000)
    with (
        mock.patch.object(random, "bits", lambda base, one, *_: true_bits(base, one)),
        pytest.raises(AssertionError, match="variance"),
    ):
        check_coins(1_000_000)


# Where B comes from, and what is left out, counted anew


def documents_of_sentences(part: TokenPart) -> list[str]:
    """The document of each sentence."""
    counts = np.diff(part.document_offsets).tolist()
    return [name for name, count in zip(part.document_ids, counts, strict=True) for _ in range(count)]


@settings(max_examples=60, deadline=None)
@given(mixed_documents(), lengths_of_examples, seeds)
def test_same_document_negatives_are_far_away_in_it_where_they_can_be(
    pieces: list[PieceOf], length: int, seed: int
) -> None:
    with part_of(pieces) as part, mock.patch.object(pairs, "SHORT_PROBABILITY", 0.0):
        plan = whole(part, length, seed=seed, negatives=SAME_DOCUMENT)
        cut = planned(part, length, seed=seed, negatives=SAME_DOCUMENT)
        documents = documents_of_sentences(part)
        offsets, ends = part.sentence_offsets.tolist(), part.document_offsets.tolist()
        positions = [first + place for _, first, lengths in pieces for place in range(len(lengths))]
        number = {offset: sentence for sentence, offset in enumerate(offsets)}
        same = 0
        for a_start, _, b_start, b_stop, label in rows_of(plan):
            if label == pairs.IS_NEXT:
                continue
            # Without short targets the chunk of A is known: up to the sentence that reaches the maximum.
            first = number[a_start]
            last = next(
                one for one in range(first, len(offsets)) if one + 1 in ends or offsets[one + 1] - a_start >= length - 3
            )

            def far(sentence: int, low: int = positions[first], high: int = positions[last]) -> bool:
                return positions[sentence] <= low - 50 or positions[sentence] >= high + 50

            of_b = range(number[b_start], number[b_stop])
            if any(far(one) for one in range(len(documents)) if documents[one] == documents[first]):
                assert all(documents[one] == documents[first] and far(one) for one in of_b)
                same += 1
            else:
                assert all(documents[one] != documents[first] for one in of_b)
        assert plan.same_document == cut.same_document == same


def test_same_document_negatives_are_both_found_and_not_found() -> None:
    """Of three documents one is too short: its random pairs come from the others."""
    with part_of([("long", 0, [5] * 400), ("short", 0, [5] * 40), ("longer", 0, [5] * 500)]) as part:
        plan = planned(part, 32, negatives=SAME_DOCUMENT)
        other = planned(part, 32)
    short = (plan.a_start >= 2_000) & (plan.a_start < 2_200) & (plan.label == pairs.NOT_NEXT)
    assert short.sum() > 0 and plan.same_document == plan.label.sum() - short.sum() > 50
    assert other.same_document == 0 and other.label.sum() > 50


@pytest.mark.parametrize("objective", ["mlm+nsp", "mlm+sop", "nsp", "mlm"])
@pytest.mark.parametrize("negatives", [OTHER_DOCUMENT, SAME_DOCUMENT])
@settings(max_examples=20, deadline=None)
@given(pieces=st.one_of(several_documents, mixed_documents(), one_document()), length=lengths_of_examples, seed=seeds)
def test_what_is_left_out_is_what_no_chunk_holds_of_its_own(
    objective: str, negatives: str, pieces: list[PieceOf], length: int, seed: int
) -> None:
    with part_of(pieces) as part:
        plan = plan_epoch(part, objective, length, negatives=negatives, seed=seed, epoch=1)
        held = [0] * part.num_tokens
        for a_start, a_stop, b_start, b_stop, label in rows_of(plan):
            own_b = label == pairs.IS_NEXT or objective == "mlm+sop"
            for token in [*range(a_start, a_stop), *(range(b_start, b_stop) if own_b else ())]:
                held[token] += 1
        assert set(held) <= {0, 1}, "text is used twice"
        assert plan.left_out == held.count(0)
        if objective == "mlm":
            assert plan.left_out == 0
        same = 0
        documents = documents_of_sentences(part)
        for a_start, _, b_start, _, label in rows_of(plan):
            a, b = np.searchsorted(part.sentence_offsets, (a_start, b_start), side="right") - 1
            same += label == pairs.NOT_NEXT and documents[a] == documents[b]
        assert plan.same_document == (0 if objective == "mlm+sop" else same)


def test_a_part_without_text_has_no_pairs() -> None:
    with part_of([]) as part:
        for swap in (False, True):
            plan = planned(part, 32, swap=swap)
            assert len(plan) == plan.forced == plan.same_document == plan.left_out == 0


# The sample of the original code


@pytest.fixture(scope="module")
def sample(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[str]]]:
    """A STORE of google-research/bert's sample_text.txt, and the lines of its documents."""
    from bertsmith.verbs.prepare import prepare

    folder, file = tmp_path_factory.mktemp("sample"), shared_data / "golden" / "sample_text.txt"
    (folder / "ids.txt").write_text("sample_text.txt#0\n")  # the one that says what the text is
    prepare(file, out=folder / "store", vocab_size=256, held_out=str(folder / "ids.txt"), workers=1)
    blocks = file.read_text(encoding="utf-8").split("\n\n")
    return folder / "store", [[line for line in block.splitlines() if line] for block in blocks if block.strip()]


@pytest.mark.parametrize("length", [64, 128, 512])
def test_the_pairs_of_the_sample_text_have_the_form_of_the_original(
    sample: tuple[Path, list[list[str]]], length: int
) -> None:
    store = TokenStore(sample[0])
    part, tokenizer = store.part("train"), load_tokenizer(str(store.tokenizer_folder))
    vocabulary = Vocabulary.of(tokenizer)
    texts = [[tokenizer.tokenize(line) for line in lines] for lines in sample[1][1:]]
    assert len(texts) == part.num_fragments == 2
    names = documents_of_sentences(part)
    sentences = [
        tokenizer.convert_ids_to_tokens(part.tokens(start, stop).tolist())
        for start, stop in zip(part.sentence_offsets[:-1].tolist(), part.sentence_offsets[1:].tolist(), strict=True)
    ]
    for name, lines in zip(part.document_ids, texts, strict=True):
        tokens = [token for sentence, of in zip(sentences, names, strict=True) if of == name for token in sentence]
        assert tokens == [token for line in lines for token in line], "the store is not the text"

    plan, labels = EpochPlan(part, "mlm+nsp", length, seed=1), Counter[int]()
    for epoch in range(4):
        before = rows_of(whole(part, length, seed=1, epoch=epoch))
        after = rows_of(planned(part, length, seed=1, epoch=epoch))
        number = {int(offset): place for place, offset in enumerate(part.sentence_offsets)}
        for a_start, a_stop, b_start, b_stop, label in before:
            a, b = range(number[a_start], number[a_stop]), range(number[b_start], number[b_stop])
            assert len(a) > 0 and len(b) > 0
            assert len({names[one] for one in a}) == len({names[one] for one in b}) == 1
            follows = a.stop == b.start and names[a.start] == names[b.start]
            assert follows == (label == 0)
            assert (names[a.start] != names[b.start]) == (label == 1)
        found = []
        for index in range(plan.size):
            spans = plan.spans(epoch, index)
            found.append(spans)
            a, b = part.tokens(*spans[:2]).tolist(), part.tokens(*spans[2:4]).tolist()
            example = plan.example(epoch, index, vocabulary)
            words = tokenizer.convert_ids_to_tokens(example.input_ids.tolist())
            assert words[0] == "[CLS]" and words[-1] == "[SEP]" and words.count("[SEP]") == 2
            middle = words.index("[SEP]")
            assert example.input_ids[1:middle].tolist() == a and example.input_ids[middle + 1 : -1].tolist() == b
            assert example.token_type_ids.tolist() == [0] * (middle + 1) + [1] * (len(words) - middle - 1)
            assert len(words) <= length and a and b
            assert example.next_sentence_label == spans[4]
            labels[spans[4]] += 1
        assert set(found) <= set(after)
        for long, short in zip(before, after, strict=True):
            sizes = truncated_by_the_loop(long[1] - long[0], long[3] - long[2], length - 3)
            assert (short[1] - short[0], short[3] - short[2]) == sizes
    assert min(labels[0], labels[1]) >= 3
