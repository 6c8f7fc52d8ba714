"""Questions and contexts as rows: every token of a context is in a row, and its characters are exact."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.tasks.question_answering.encoding import QUESTION_TOKENS, context_windows, encode_questions
from bertsmith.tokenization.folder import load_tokenizer

CONTEXT = "The old baker sold 😀 some bread\u200b near the river, and nobody noticed. " * 6
QUESTION = "What was sold near the river?"


@given(count=st.integers(0, 2_000), room=st.integers(1, 400))
def test_windows_hold_every_piece_and_overlap(count: int, room: int) -> None:
    found = context_windows(count, room)
    assert sorted({piece for first, size in found for piece in range(first, first + size)}) == list(range(count))
    assert all(size <= room for _, size in found)
    if len(found) > 1:
        assert {size for _, size in found} == {room} and found[-1][0] + room == count
        for (before, _), (first, _) in pairwise(found):
            assert before < first and before + room - first >= min(128, room // 2)


def test_a_row_is_the_pair_of_the_tokenizer(run: Path) -> None:
    tokenizer = load_tokenizer(str(run))
    inputs = encode_questions(tokenizer, [QUESTION, "Who?"], [CONTEXT, "The baker."], 1_000)
    rows = inputs.rows([0, 1])
    for number, pair in enumerate(((QUESTION, CONTEXT), ("Who?", "The baker."))):
        stock = tokenizer(*pair, return_token_type_ids=True)
        assert rows.input_ids[number] == stock["input_ids"]
        assert rows.token_type_ids[number] == stock["token_type_ids"]
    assert inputs.lengths == inputs.full_lengths == [len(ids) for ids in rows.input_ids]
    assert inputs.windowed_examples == 0 and inputs.truncated_tokens == [0, 0]


@pytest.mark.parametrize("length", [24, 40, 64])
def test_windows_of_a_context(run: Path, length: int) -> None:
    tokenizer = load_tokenizer(str(run))
    inputs = encode_questions(tokenizer, [QUESTION, QUESTION], [CONTEXT, "The baker."], length)
    assert max(inputs.lengths) == length and inputs.windowed_examples == 1
    rows = inputs.rows(range(len(inputs.owners)))
    stock = tokenizer(CONTEXT, add_special_tokens=False)["input_ids"]
    seen = {}
    for row, ids in enumerate(rows.input_ids):
        if inputs.owners[row] == 0:
            first, count, offset = (int(part[row]) for part in (inputs.firsts, inputs.counts, inputs.offsets))
            seen |= dict(zip(range(first, first + count), ids[offset : offset + count], strict=True))
            assert len(ids) == offset + count + 1
    assert [seen[place] for place in range(len(stock))] == stock


def test_a_long_question_is_cut_and_counted(run: Path) -> None:
    tokenizer = load_tokenizer(str(run))
    question = "bread " * 300
    pieces = len(tokenizer(question, add_special_tokens=False)["input_ids"])
    inputs = encode_questions(tokenizer, [question], ["The baker sold it."], 384)
    assert inputs.truncated_tokens == [pieces - QUESTION_TOKENS]
    assert len(inputs.questions[0]) == QUESTION_TOKENS
    (short,) = encode_questions(tokenizer, [question], ["The baker sold it."], 23).truncated_tokens
    assert short == pieces - 10, "at most half of a row"


@pytest.mark.parametrize("answer", ["😀", "some bread", "bread\u200b near", "The", "noticed. ", "river, and"])
def test_characters_and_pieces(run: Path, answer: str) -> None:
    inputs = encode_questions(load_tokenizer(str(run)), [QUESTION], [CONTEXT], 32)
    start = CONTEXT.index(answer)
    first, last = inputs.token_span(0, start, start + len(answer))
    context = inputs.contexts[0]
    assert CONTEXT[int(context.starts[first]) : int(context.ends[last])] == answer.strip()


def test_an_answer_that_the_tokenizer_drops_is_the_piece_behind_it(run: Path) -> None:
    inputs = encode_questions(load_tokenizer(str(run)), [QUESTION], ["bread\u200b near \u200b"], 32)
    context = inputs.contexts[0]
    assert inputs.token_span(0, 5, 6) == (place := context.starts.tolist().index(7), place)
    assert inputs.token_span(0, 12, 13) == (len(context) - 1, len(context) - 1)


def test_a_context_without_pieces(run: Path) -> None:
    inputs = encode_questions(load_tokenizer(str(run)), [QUESTION], ["\u200b"], 32)
    assert inputs.lengths == [len(inputs.questions[0]) + 3]
