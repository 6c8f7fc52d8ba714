"""Lengths and labels are distributed as those of google-research/bert, and its sample text gives pairs of its form."""

from __future__ import annotations

import math
import random as python_random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import pytest

from bertsmith.corpus.store import TokenStore
from bertsmith.objectives import pairs
from bertsmith.objectives.examples import EpochPlan
from bertsmith.objectives.masks import Vocabulary
from bertsmith.tokenization.folder import load_tokenizer
from support.chance import chi_square_limit
from support.pairs import (
    Lengths,
    documents_of,
    documents_of_sentences,
    part_of,
    planned,
    rows_of,
    truncated_by_the_loop,
    whole,
)


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
