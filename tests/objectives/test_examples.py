"""Examples: [CLS] A [SEP] B [SEP] of the text, each once an epoch, found by number in any order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bertsmith import PretrainingDataset, TokenStore
from bertsmith.corpus import store as store_module
from bertsmith.corpus.store import HELD_OUT, TokenPart, data_file, finish_part, write_rows
from bertsmith.errors import DataError
from bertsmith.objectives.examples import EpochPlan, Example
from bertsmith.objectives.masks import Vocabulary
from bertsmith.objectives.pairs import plan_epoch
from bertsmith.tokenization.folder import load_tokenizer


@pytest.fixture(scope="module")
def opened(store: Path) -> TokenStore:
    return TokenStore(store)


@pytest.fixture(scope="module")
def vocabulary(opened: TokenStore) -> Vocabulary:
    return Vocabulary.of(load_tokenizer(str(opened.tokenizer_folder)))


def content(example: Example) -> tuple[bytes, bytes, int]:
    return example.input_ids.tobytes(), example.token_type_ids.tobytes(), example.next_sentence_label


@pytest.mark.parametrize("objective", ["mlm+nsp", "mlm", "mlm+sop"])
@pytest.mark.parametrize("epoch", [0, 2])
def test_an_epoch_holds_each_planned_example_once(opened: TokenStore, objective: str, epoch: int) -> None:
    part = opened.part("train")
    plan = EpochPlan(part, objective, 32, seed=4)
    rows = plan_epoch(part, objective, 32, seed=4, epoch=epoch)
    columns = (rows.a_start, rows.a_stop, rows.b_start, rows.b_stop, rows.label)
    planned = {tuple(map(int, row)) for row in zip(*columns, strict=True)}
    taken = [plan.spans(epoch, index) for index in range(plan.size)]
    assert set(taken) <= planned
    assert len(set(taken)) == min(plan.size, len(rows)), "an example comes twice while another is left out"
    assert abs(plan.size - len(rows)) <= 0.05 * len(rows)
    assert taken != sorted(taken), "the order is that of the text"


def test_the_form_of_an_example(opened: TokenStore, vocabulary: Vocabulary) -> None:
    part = opened.part("train")
    plan = EpochPlan(part, "mlm+nsp", 32, seed=0)
    for index in range(50):
        a_start, a_stop, b_start, b_stop, label = plan.spans(1, index)
        example = plan.example(1, index, vocabulary)
        a, b = part.tokens(a_start, a_stop).tolist(), part.tokens(b_start, b_stop).tolist()
        assert example.input_ids.tolist() == [vocabulary.cls, *a, vocabulary.sep, *b, vocabulary.sep]
        assert example.token_type_ids.tolist() == [0] * (len(a) + 2) + [1] * (len(b) + 1)
        assert (example.next_sentence_label, example.epoch, example.index) == (label, 1, index)


def test_the_form_of_a_single_segment(opened: TokenStore, vocabulary: Vocabulary) -> None:
    part = opened.part("train")
    plan = EpochPlan(part, "mlm", 32, seed=0)
    a_start, a_stop, _, _, _ = plan.spans(0, 7)
    example = plan.example(0, 7, vocabulary)
    assert example.input_ids.tolist() == [vocabulary.cls, *part.tokens(a_start, a_stop), vocabulary.sep]
    assert not example.token_type_ids.any()


def test_examples_are_found_in_any_order(opened: TokenStore, vocabulary: Vocabulary) -> None:
    asked = [(3, 5), (0, 0), (1, 9), (3, 5), (0, 1), (1, 9), (0, 0)]
    plan = EpochPlan(opened.part("train"), "mlm+nsp", 32, seed=0)
    for epoch, index in asked:
        fresh = EpochPlan(opened.part("train"), "mlm+nsp", 32, seed=0)
        assert content(plan.example(epoch, index, vocabulary)) == content(fresh.example(epoch, index, vocabulary))


def test_the_dataset_follows_set_epoch_and_python_conventions(store: Path) -> None:
    dataset = PretrainingDataset(store, sequence_length=32, seed=1)
    first = [content(dataset[index]) for index in range(20)]
    dataset.set_epoch(1)
    second = [content(dataset[index]) for index in range(20)]
    assert not set(first) & set(second)
    dataset.set_epoch(0)
    assert [content(dataset[index]) for index in range(20)] == first
    assert len(list(dataset)) == len(dataset)
    for wrong in (len(dataset), -1):
        with pytest.raises(IndexError):
            dataset[wrong]


def test_the_dataset_of_the_held_out_part(store: Path) -> None:
    held_out = PretrainingDataset(store, part=HELD_OUT, objective="mlm", sequence_length=32)
    part = TokenStore(store).part(HELD_OUT)
    tokens = np.concatenate([held_out[index].input_ids[1:-1] for index in range(len(held_out))])
    assert sorted(tokens.tolist()) == sorted(part.tokens(0, part.num_tokens).tolist())


DOCUMENTS = 30


@pytest.fixture(scope="module")
def in_batches(tmp_path_factory: pytest.TempPathFactory) -> TokenPart:
    """A part of three files, of several Arrow batches each: thirty documents of 1 to 12 sentences, one with a hole."""
    folder, names = tmp_path_factory.mktemp("batches") / "train", [data_file(number, 3) for number in range(3)]
    generator = np.random.default_rng(7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "TOKENS_A_BATCH", 120)
        for number, name in enumerate(names):
            counts = generator.integers(1, 13, DOCUMENTS // 3)
            documents = np.repeat(np.arange(len(counts)), counts)
            sentences = np.concatenate([np.arange(count) for count in counts])
            sentences[(documents == 4) & (sentences >= 1)] += 5
            lengths = generator.integers(1, 15, len(documents))
            write_rows(
                folder / name,
                100,
                ids=generator.integers(5, 100, lengths.sum()),
                lengths=lengths,
                documents=documents,
                document_ids=[f"document-{DOCUMENTS // 3 * number + place}" for place in range(len(counts))],
                sentences=sentences,
            )
    finish_part(folder, names, vocab_size=100, tokens=0)
    part = TokenPart(folder)
    assert len(part._chunks) >= 9, "the part has few batches"
    assert len(set(part.document_ids)) == DOCUMENTS < part.num_fragments
    return part


SMALL = Vocabulary(100, 0, 2, 3, 4, (0, 1, 2, 3, 4), np.arange(5, 100, dtype=np.int64), np.zeros(100, bool))


@pytest.mark.parametrize("objective", ["mlm+nsp", "mlm", "mlm+sop", "nsp"])
@pytest.mark.parametrize("length", [16, 64])
def test_padded_examples_are_those_one_by_one(in_batches: TokenPart, objective: str, length: int) -> None:
    """Across the ends of epochs and of batches; and both are the spans of the plan, between special tokens."""
    part, plan = in_batches, EpochPlan(in_batches, objective, length, seed=2)
    one_by_one = EpochPlan(in_batches, objective, length, seed=2)
    text, size = part.tokens(0, part.num_tokens).tolist(), plan.size
    borders = {int(start) for start in part._chunk_starts[1:-1]}
    crossed, epochs = set[int](), set[int]()
    for first, last in ((0, size), (size - 5, size + 5), (2 * size - 1, 4 * size + 1), (7, 8)):
        rows = plan.padded(np.arange(first, last), SMALL)
        assert len(rows) == last - first and rows.input_ids.shape == rows.token_type_ids.shape == (len(rows), length)
        for row, number in enumerate(range(first, last)):
            epoch, index = divmod(number, size)
            epochs.add(epoch)
            a_start, a_stop, b_start, b_stop, label = one_by_one.spans(epoch, index)
            ids = [SMALL.cls, *text[a_start:a_stop], SMALL.sep]
            types = [0] * len(ids)
            if objective != "mlm":
                ids += [*text[b_start:b_stop], SMALL.sep]
                types += [1] * (b_stop - b_start + 1)
            rest = [0] * (length - len(ids))
            assert rows.input_ids[row].tolist() == ids + rest and rows.token_type_ids[row].tolist() == types + rest
            assert (rows.lengths[row], rows.next_sentence_label[row]) == (len(ids), label)
            assert (rows.epochs[row], rows.indices[row]) == (epoch, index)
            example = one_by_one.example(epoch, index, SMALL)
            assert example.input_ids.tolist() == ids and example.token_type_ids.tolist() == types
            assert (example.next_sentence_label, example.epoch, example.index) == (label, epoch, index)
            crossed |= {border for border in borders if a_start < border < a_stop or b_start < border < b_stop}
    assert epochs == {0, 1, 2, 3, 4}
    # A batch ends with a document, which a row of mlm does not.
    assert (len(crossed) > 3) == (objective == "mlm")


def test_runs_of_tokens_are_joined(in_batches: TokenPart) -> None:
    """In any order, empty or not, and across the ends of batches and files."""
    part, generator = in_batches, np.random.default_rng(0)
    text = part.tokens(0, part.num_tokens)
    starts = np.append(generator.integers(0, part.num_tokens, 200), [0, 5, part.num_tokens, part._chunk_starts[3]])
    stops = np.minimum(starts + generator.integers(0, 40, 204), part.num_tokens)
    starts, stops = np.append(starts, 0), np.append(stops, part.num_tokens)
    found = part.runs(starts, stops)
    assert found.dtype == text.dtype
    assert found.tolist() == [
        token
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
        for token in text[start:stop].tolist()
    ]
    borders = part._chunk_starts[1:-1]
    assert (np.searchsorted(borders, starts, side="right") < np.searchsorted(borders, stops)).sum() > 10
    assert part.runs(starts[:0], stops[:0]).tolist() == []


@pytest.mark.parametrize("objective", ["mlm+nsp", "mlm", "mlm+sop"])
@pytest.mark.parametrize("negatives", ["other-document", "same-document"])
def test_the_documents_of_an_example(in_batches: TokenPart, objective: str, negatives: str) -> None:
    part = in_batches
    plan = EpochPlan(part, objective, 64, negatives=negatives, seed=3)
    of_token: list[str] = []
    for piece, name in enumerate(part.document_ids):
        first, last = part.sentence_offsets[part.document_offsets[piece : piece + 2]].tolist()
        of_token += [name] * (last - first)
    counts = set[int]()
    for epoch in (0, 2):
        for index in range(plan.size):
            a_start, a_stop, b_start, b_stop, label = plan.spans(epoch, index)
            expected = list(dict.fromkeys(of_token[a_start:a_stop] + of_token[b_start:b_stop]))
            assert plan.documents(epoch, index) == expected
            counts.add(len(expected))
            if objective == "mlm+nsp":
                assert len(expected) == 1 + label
    assert counts == {"mlm+nsp": {1, 2}, "mlm+sop": {1}}.get(objective, counts) and 1 in counts
    if objective == "mlm":
        assert max(counts) > 1, "no row is of several documents"


def test_the_plan_takes_its_negatives(store: Path) -> None:
    part = TokenStore(store).part("train")
    for negatives in ("other-document", "same-document"):
        plan = EpochPlan(part, "mlm+nsp", 32, negatives=negatives, seed=0)
        rows = plan_epoch(part, "mlm+nsp", 32, negatives=negatives, seed=0, epoch=1)
        columns = (rows.a_start, rows.a_stop, rows.b_start, rows.b_stop, rows.label)
        assert {plan.spans(1, index) for index in range(plan.size)} <= set(
            zip(*(column.tolist() for column in columns), strict=True)
        )


def test_text_that_gives_no_pair_is_an_error(tmp_path: Path) -> None:
    """One sentence has no order; two have one, but not in an epoch that draws a short target."""
    for sentences in (1, 2):
        folder = tmp_path / f"{sentences}"
        write_rows(
            folder / data_file(0, 1),
            100,
            ids=np.arange(5, 5 + 4 * sentences),
            lengths=np.full(sentences, 4),
            documents=np.zeros(sentences, np.int64),
            document_ids=["note"],
            sentences=np.arange(sentences),
        )
        finish_part(folder, [data_file(0, 1)], vocab_size=100, tokens=0)
    with pytest.raises(DataError, match=r"no example can be made of the 4 tokens there for mlm\+sop"):
        EpochPlan(TokenPart(tmp_path / "1"), "mlm+sop", 16, seed=0)
    part = TokenPart(tmp_path / "2")
    found = {epoch: len(plan_epoch(part, "mlm+sop", 16, seed=0, epoch=epoch)) for epoch in range(1_000)}
    empty = next(epoch for epoch, pairs in found.items() if pairs == 0)
    plan = EpochPlan(part, "mlm+sop", 16, seed=0)
    for _ in range(2):
        with pytest.raises(DataError, match=rf"no example can be made .* for mlm\+sop in epoch {empty}"):
            plan.spans(empty, 0)
    assert plan.spans(0, 0)[:2] in ((0, 4), (4, 8)), "the plan of another epoch is spoilt"
