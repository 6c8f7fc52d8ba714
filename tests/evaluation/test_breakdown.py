"""The breakdown of masked predictions: its means are the whole figures, its groups those of a naive computation."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import PreTrainedTokenizerBase

from bertsmith import PretrainingCollator, TokenStore
from bertsmith.corpus.reading import ReadingOptions
from bertsmith.corpus.store import HELD_OUT, TokenPart
from bertsmith.evaluation.breakdown import GROUPS, Breakdown, _kinds_of_whole_pieces, frequency_groups, third_of
from bertsmith.evaluation.language_model import FixedMaskEvaluation
from bertsmith.evaluation.text import part_of_text
from bertsmith.models.bert import BertForPreTraining
from bertsmith.models.loading import load_bert
from bertsmith.objectives.masks import Vocabulary
from bertsmith.tokenization.folder import load_tokenizer

LENGTH = 48

Make = Callable[..., FixedMaskEvaluation]


@pytest.fixture(scope="module")
def model(run: Path) -> BertForPreTraining:
    return load_bert(str(run)).model


@pytest.fixture(scope="module")
def tokenizer(store: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(str(TokenStore(store).tokenizer_folder))


@pytest.fixture(scope="module")
def make(store: Path, tokenizer: PreTrainedTokenizerBase) -> Make:
    opened = TokenStore(store)

    def call(part: TokenPart | None = None, **options: Any) -> FixedMaskEvaluation:
        given = {
            "objective": "mlm+nsp",
            "sequence_length": LENGTH,
            "batch_size": 32,
            "unigram_counts": opened.unigram_counts(),
        }
        return FixedMaskEvaluation(part or opened.part(HELD_OUT), Vocabulary.of(tokenizer), **{**given, **options})

    return call


@pytest.mark.parametrize("objective", ["mlm", "mlm+nsp", "mlm+sop"])
def test_the_weighted_means_of_each_division_are_the_whole_figures(
    make: Make, model: BertForPreTraining, tokenizer: PreTrainedTokenizerBase, store: Path, objective: str
) -> None:
    evaluation = make(objective=objective)
    breakdown = Breakdown(evaluation, tokenizer, TokenStore(store).unigram_counts())
    whole = evaluation(model, observe=breakdown)
    found = breakdown.to_dict()
    assert list(found) == list(GROUPS)
    for name, groups in found.items():
        assert groups is not None and len(groups) > 1, name
        counts = np.array([group["count"] for group in groups])
        assert counts.sum() == whole.num_masked_tokens

        def mean(figure: str, groups: Any = groups, counts: Any = counts) -> float:
            return float(np.dot([group[figure] for group in groups], counts) / counts.sum())

        assert mean("accuracy") == pytest.approx(whole.mlm_accuracy, rel=1e-12)
        assert mean("unigram_nats") == pytest.approx(whole.unigram_nats_per_token, rel=1e-12)
        # The whole figure adds float32 sums of batches.
        assert mean("nats") == pytest.approx(whole.mlm_nats_per_masked_token, rel=1e-6)


def test_looking_changes_no_figure(make: Make, model: BertForPreTraining, tokenizer: PreTrainedTokenizerBase) -> None:
    evaluation = make()
    assert evaluation(model, observe=Breakdown(evaluation, tokenizer)) == evaluation(model)


def test_without_counts_there_is_no_frequency_and_no_baseline(
    make: Make, model: BertForPreTraining, tokenizer: PreTrainedTokenizerBase
) -> None:
    evaluation = make(unigram_counts=None, max_examples=40)
    breakdown = Breakdown(evaluation, tokenizer)
    evaluation(model, observe=breakdown)
    found = breakdown.to_dict()
    assert found["frequency"] is None
    assert {group["unigram_nats"] for name in ("piece", "place", "shown") for group in found[name] or ()} == {None}


def test_bf16_has_the_same_groups(make: Make, model: BertForPreTraining, tokenizer: PreTrainedTokenizerBase) -> None:
    counts = []
    for precision in ("fp32", "bf16"):
        evaluation = make(max_examples=40)
        breakdown = Breakdown(evaluation, tokenizer)
        whole = evaluation(model, precision=precision, observe=breakdown)
        places = breakdown.to_dict()["place"]
        assert places is not None
        nats = sum(group["nats"] * group["count"] for group in places) / whole.num_masked_tokens
        assert nats == pytest.approx(whole.mlm_nats_per_masked_token, rel=1e-6)
        counts.append([(group["group"], group["count"]) for group in places])
    assert counts[0] == counts[1]


WORDS = 'The three sailors, many of them, admired horses (unbelievable) and zephyrs - "quickly"! It rained. No'


@pytest.mark.parametrize("objective", ["mlm", "mlm+nsp"])
def test_the_groups_are_those_of_a_naive_computation(
    make: Make,
    model: BertForPreTraining,
    tokenizer: PreTrainedTokenizerBase,
    store: Path,
    tmp_path: Path,
    objective: str,
) -> None:
    """Word by word through the text: the ids of every sentence, and which tokens each example holds of it."""
    text = tmp_path / "text.txt"
    text.write_text(
        "\n\n".join(f"{WORDS} {'many ' * (number % 5)} voyages were made, by the captain." for number in range(60))
    )
    work = tmp_path / "work"
    work.mkdir()
    part = part_of_text(str(text), ReadingOptions(), tokenizer, aside=work)
    counts = TokenStore(store).unigram_counts()
    evaluation = make(part, objective=objective)
    breakdown = Breakdown(evaluation, tokenizer, counts)
    evaluation(model, observe=breakdown)

    pieces = tokenizer.convert_ids_to_tokens(part.tokens(0, part.num_tokens).astype(int).tolist())
    kind, third = {}, {}
    bounds = part.sentence_offsets.tolist()
    for start, stop in itertools.pairwise(bounds):
        for at in range(start, stop):
            piece = pieces[at]
            if piece.startswith("##"):
                kind[at] = "later piece of a word"
            elif at + 1 < stop and pieces[at + 1].startswith("##"):
                kind[at] = "first piece of a word"
            else:
                kind[at] = "whole word" if piece.isalpha() else "punctuation"
            middle = (at + 0.5 - start) / (stop - start)
            third[at] = "first third" if middle < 1 / 3 else "middle third" if middle < 2 / 3 else "last third"
    collator = PretrainingCollator(Vocabulary.of(tokenizer), sequence_length=LENGTH, objective=objective)
    expected: dict[str, Counter[str]] = {name: Counter() for name in GROUPS}
    for index in range(evaluation.plan.size):
        a_start, a_stop, b_start, b_stop, _ = evaluation.plan.spans(0, index)
        at_column = [None, *range(a_start, a_stop), None, *range(b_start, b_stop)]
        batch = collator([evaluation.plan.example(0, index, evaluation.vocabulary)])
        labels, inputs = batch["labels"][0].tolist(), batch["input_ids"][0].tolist()
        for column, label in enumerate(labels):
            if label == -100:
                continue
            at = at_column[column]
            assert at is not None and tokenizer.convert_ids_to_tokens(label) == pieces[at]
            expected["piece"][kind[at]] += 1
            expected["place"][third[at]] += 1
            shown = inputs[column]
            expected["shown"][
                "[MASK]" if shown == tokenizer.mask_token_id else "itself" if shown == label else "another token"
            ] += 1
            rate = 1e6 * counts[label] / counts.sum()
            names = ("never", "below 1", "1 to 10", "10 to 100", "100 to 1,000", "1,000 to 10,000", "10,000 or more")
            above = sum(rate >= bound for bound in (1, 10, 100, 1_000, 10_000))
            expected["frequency"][names[0] if not counts[label] else names[1 + above]] += 1
    for name, groups in breakdown.to_dict().items():
        assert {group["group"]: group["count"] for group in groups or ()} == expected[name], name
    assert len(expected["piece"]) == 4, "this tokenizer knows no figures"
    assert expected["frequency"]["never"] > 0


def test_kinds_of_pieces_by_hand() -> None:
    pieces = ["the", "1999", "1st", "½", "-", "...", "é"]

    class Known:
        def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
            return [pieces[one] for one in ids]

    kinds = [GROUPS["piece"][kind] for kind in _kinds_of_whole_pieces(Known(), len(pieces))]  # type: ignore[arg-type]
    assert kinds == ["whole word", "number", "whole word", "number", "punctuation", "punctuation", "whole word"]


def test_groups_by_frequency_by_hand() -> None:
    """Of ten million: 0, then 9, 10, 99, 100, 12,345, 100,000 and the rest."""
    counts = np.array([0, 9, 10, 99, 100, 12_345, 100_000, 10_000_000 - 112_563])
    assert counts.sum() == 10_000_000
    names = [GROUPS["frequency"][group] for group in frequency_groups(counts)]
    assert names == [
        "never",
        "below 1",
        "1 to 10",
        "1 to 10",
        "10 to 100",
        "1,000 to 10,000",
        "10,000 or more",
        "10,000 or more",
    ]


def test_thirds_by_hand() -> None:
    def thirds(length: int) -> str:
        positions = np.arange(length)
        return "".join(map(str, third_of(positions, np.full(length, length))))

    assert [thirds(length) for length in (1, 2, 3, 4, 5, 6, 7)] == [
        "1",
        "02",
        "012",
        "0112",
        "00122",
        "001122",
        "0011122",
    ]
