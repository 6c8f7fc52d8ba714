"""Pairs are those of google-research/bert: the same spans, labels and lengths, from random stores."""

from __future__ import annotations

import math
import random as python_random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.corpus.store import TokenPart, data_file, finish_part, write_rows
from bertsmith.errors import DataError
from bertsmith.objectives import pairs
from bertsmith.objectives.pairs import PairPlan, label_counts, plan_epoch, plan_pairs, plan_rows, truncation

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
            np.arange(tokens, dtype=np.int64) % 70_000,
            np.array([length for _, _, lengths in pieces for length in lengths], dtype=np.int64),
            documents=np.array([place for place, piece in enumerate(pieces) for _ in piece[2]], dtype=np.int64),
            document_ids=[document for document, _, _ in pieces],
            sentences=np.array(
                [first + place for _, first, lengths in pieces for place in range(len(lengths))], dtype=np.int64
            ),
        )
        finish_part(part, [file], 70_000, tokens)
        yield TokenPart(part)


def documents_of(documents: Sequence[Lengths]) -> list[PieceOf]:
    return [(f"document-{number}", 0, lengths) for number, lengths in enumerate(documents)]


def rows_of(plan: PairPlan) -> list[tuple[int, int, int, int, int]]:
    columns = (plan.a_start, plan.a_stop, plan.b_start, plan.b_stop, plan.label)
    return [tuple(map(int, row)) for row in zip(*columns, strict=True)]  # type: ignore[misc]


def planned(part: TokenPart, length: int, *, seed: int = 0, epoch: int = 0, swap: bool = False) -> PairPlan:
    return plan_pairs(part, length, swap=swap, seed=seed, epoch=epoch)


def whole(part: TokenPart, length: int, **options: int) -> PairPlan:
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
    for piece in range(part.num_pieces):
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
