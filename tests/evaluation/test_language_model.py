"""Evaluation on fixed masks: reproducible, independent of batch size, and equal to a naive computation."""

from __future__ import annotations

import dataclasses
import math
import random as python_random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch.nn import functional

from bertsmith import PretrainingCollator, PretrainingDataset, TokenStore
from bertsmith.corpus.store import HELD_OUT
from bertsmith.evaluation.language_model import FixedMaskEvaluation
from bertsmith.models.bert import BertForPreTraining
from bertsmith.models.loading import load_bert
from bertsmith.objectives.masks import Vocabulary
from bertsmith.records.language_model_figures import LanguageModelFigures
from bertsmith.tokenization.folder import load_tokenizer
from bertsmith.verbs.evaluate import evaluate

LENGTH = 48


@pytest.fixture(scope="module")
def model(run: Path) -> BertForPreTraining:
    return load_bert(str(run)).model


@pytest.fixture(scope="module")
def make(store: Path) -> Callable[..., FixedMaskEvaluation]:
    opened = TokenStore(store)
    vocabulary = Vocabulary.of(load_tokenizer(str(opened.tokenizer_folder)))

    def call(**options: Any) -> FixedMaskEvaluation:
        given = {
            "objective": "mlm+nsp",
            "sequence_length": LENGTH,
            "batch_size": 32,
            "unigram_counts": opened.unigram_counts(),
        }
        return FixedMaskEvaluation(opened.part(HELD_OUT), vocabulary, **{**given, **options})

    return call


def close(first: LanguageModelFigures, second: LanguageModelFigures) -> None:
    expected, found = first.to_dict(), second.to_dict()
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert found[name] == (value if value is None else pytest.approx(value, rel=1e-6)), name


def test_two_calls_and_two_evaluations_give_the_same(
    make: Callable[..., FixedMaskEvaluation], model: BertForPreTraining
) -> None:
    evaluation = make()
    first = evaluation(model)
    assert evaluation(model) == first
    assert make()(model) == first
    assert first.num_pairs > 100 and first.num_masked_tokens > 500
    assert make(seed=1)(model) != first


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_the_batch_size_does_not_change_the_figures(
    make: Callable[..., FixedMaskEvaluation], model: BertForPreTraining, batch_size: int
) -> None:
    close(make()(model), make(batch_size=batch_size)(model))


def test_random_states_are_neither_read_nor_changed(
    make: Callable[..., FixedMaskEvaluation], model: BertForPreTraining
) -> None:
    evaluation = make()
    first = evaluation(model)
    torch.manual_seed(7), np.random.seed(7), python_random.seed(7)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), python_random.getstate()  # type: ignore[index,union-attr]
    assert evaluation(model) == first
    assert make()(model) == first
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # type: ignore[index,union-attr]
    assert python_random.getstate() == before[2]


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_measured_without_dropout_and_left_as_it_was(
    make: Callable[..., FixedMaskEvaluation], run: Path, training: bool
) -> None:
    model = load_bert(str(run)).model
    assert model.config.hidden_dropout_prob > 0
    expected = make()(model)
    model.train(training)
    assert make()(model) == expected
    assert model.training == model.bert.training == training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_figures_are_those_of_a_naive_computation_with_stock(
    make: Callable[..., FixedMaskEvaluation], model: BertForPreTraining, run: Path, store: Path
) -> None:
    """One example at a time, all positions, with the public data set, collator and the stock model."""
    found = make()(model)
    stock = transformers.BertForPreTraining.from_pretrained(run).eval()
    dataset = PretrainingDataset(store, part=HELD_OUT, sequence_length=LENGTH)
    collator = PretrainingCollator.for_store(store, sequence_length=LENGTH)
    unigram = TokenStore(store).unigram_counts() + 1.0
    nats, correct, masked, baseline, correct_pairs, not_next, pair_nats = 0.0, 0, 0, 0.0, 0, 0, 0.0
    for index in range(len(dataset)):
        batch = collator([dataset[index]])
        labels, label = batch.pop("labels")[0], batch.pop("next_sentence_label")
        with torch.no_grad():
            output = stock(**batch)
        at = labels != -100
        logits = output.prediction_logits[0][at].double()
        nats += functional.cross_entropy(logits, labels[at], reduction="sum").item()
        correct += int((logits.argmax(-1) == labels[at]).sum())
        masked += int(at.sum())
        baseline -= sum(math.log(unigram[token] / unigram.sum()) for token in labels[at].tolist())
        pair_nats += functional.cross_entropy(output.seq_relationship_logits.double(), label).item()
        not_next += int(label)
        correct_pairs += int(output.seq_relationship_logits.argmax() == label)
    close(
        LanguageModelFigures(
            mlm_nats_per_masked_token=nats / masked,
            mlm_accuracy=correct / masked,
            perplexity=math.exp(nats / masked),
            unigram_nats_per_token=baseline / masked,
            next_sentence_accuracy=correct_pairs / len(dataset),
            next_sentence_majority=max(not_next, len(dataset) - not_next) / len(dataset),
            nsp_nats_per_pair=pair_nats / len(dataset),
            num_masked_tokens=masked,
            num_pairs=len(dataset),
        ),
        found,
    )


def test_the_unigram_baseline_by_hand(make: Callable[..., FixedMaskEvaluation], store: Path) -> None:
    """With add-one smoothing, the counts 7, 0, 1 and 0 for the rest of 256 entries become 8/264, 1/264, 2/264."""
    counts = np.zeros(len(TokenStore(store).unigram_counts()), dtype=np.int64)
    counts[:3] = 7, 0, 1
    nats = make(unigram_counts=counts).unigram_nats
    assert nats is not None
    assert nats[:4] == pytest.approx([-math.log(share / (8 + len(counts))) for share in (8, 1, 2, 1)])


def test_a_model_that_knows_the_unigram_distribution_alone_has_its_loss(
    make: Callable[..., FixedMaskEvaluation], store: Path
) -> None:
    """With zero vectors and log counts as biases, the loss equals the baseline for every token."""
    counts = torch.from_numpy(TokenStore(store).unigram_counts()).double() + 1
    config = transformers.BertConfig(
        vocab_size=len(counts),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    model = BertForPreTraining(config)
    with torch.no_grad():
        model.bert.embeddings.word_embeddings.weight.zero_()
        model.cls.predictions.bias.copy_((counts / counts.sum()).log())
    figures = make()(model)
    assert figures.unigram_nats_per_token == pytest.approx(figures.mlm_nats_per_masked_token, rel=1e-5)
    assert figures.unigram_nats_per_token is not None
    assert 3 < figures.unigram_nats_per_token < math.log(len(counts))


@pytest.mark.parametrize("objective", ["mlm", "nsp", "mlm+sop"])
def test_what_an_objective_does_not_have_is_none(
    make: Callable[..., FixedMaskEvaluation], model: BertForPreTraining, objective: str
) -> None:
    figures = make(objective=objective, unigram_counts=None)(model).to_dict()
    assert figures.pop("unigram_nats_per_token") is None
    of_mlm = {"mlm_nats_per_masked_token", "mlm_accuracy", "perplexity", "num_masked_tokens"}
    for name, value in figures.items():
        has = "mlm" in objective if name in of_mlm else objective != "mlm"
        assert bool(value) == has, name


def test_at_most_so_many_examples_the_same_each_time(
    make: Callable[..., FixedMaskEvaluation], model: BertForPreTraining
) -> None:
    figures = make(max_examples=20)(model)
    assert figures.num_pairs == 20
    assert make(max_examples=20)(model) == figures
    assert make(max_examples=10**6)(model) == make()(model)


def test_an_untrained_model_is_near_a_uniform_guess(make: Callable[..., FixedMaskEvaluation], store: Path) -> None:
    torch.manual_seed(0)
    size = len(TokenStore(store).unigram_counts())
    config = transformers.BertConfig(
        vocab_size=size, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=64
    )
    figures = make()(BertForPreTraining(config))
    assert figures.mlm_nats_per_masked_token == pytest.approx(math.log(size), abs=0.1)
    assert figures.nsp_nats_per_pair == pytest.approx(math.log(2), abs=0.1)
    assert figures.mlm_accuracy < 0.1
    # Its answers do not depend on the pair, so it is right about as often as one of the two labels occurs.
    assert abs(figures.next_sentence_accuracy - 0.5) < figures.next_sentence_majority - 0.5 + 0.1


# The verb


def test_evaluate_gives_what_the_run_reported(run: Path, store: Path) -> None:
    from bertsmith.runtime.files import read_json

    result = evaluate(run, store)
    reported = read_json(run / "run.json")["evaluation"]
    assert reported["num_pairs"] < 1024, "the report is of a sample"
    for name, value in result.to_dict().items():
        assert value == pytest.approx(reported[name], rel=1e-6), name


def test_evaluate_on_a_text_has_the_baseline_of_the_run(run: Path, store: Path, corpus_file: Path) -> None:
    """The counts of the RUN's training text: the baseline is near that of the held-out part of the same corpus."""
    result = evaluate(run, corpus_file).to_dict()
    of_the_run = evaluate(run, store).to_dict()
    assert result["unigram_nats_per_token"] == pytest.approx(of_the_run["unigram_nats_per_token"], rel=0.01)
    assert result["num_pairs"] > 4 * of_the_run["num_pairs"], "the held-out part is a fifth of the corpus"


def test_evaluate_on_a_text_with_a_stock_folder_has_no_baseline(run: Path, corpus_file: Path, tmp_path: Path) -> None:
    transformers.BertForMaskedLM.from_pretrained(run).save_pretrained(tmp_path)
    load_tokenizer(str(run)).save_pretrained(tmp_path)
    result = evaluate(tmp_path, corpus_file, sequence_length=32).to_dict()
    assert result["unigram_nats_per_token"] is None
    assert result["next_sentence_accuracy"] is None and result["num_pairs"] == 0
    of_the_run = evaluate(run, corpus_file, sequence_length=32).to_dict()
    assert result["num_masked_tokens"] > 0.9 * of_the_run["num_masked_tokens"]
    assert result["mlm_nats_per_masked_token"] == pytest.approx(of_the_run["mlm_nats_per_masked_token"], rel=0.03)


def test_evaluate_gives_no_more_than_it_is_asked_for(
    bertsmith: Callable[..., Any], run: Path, store: Path, tmp_path: Path
) -> None:
    names = [field.name for field in dataclasses.fields(LanguageModelFigures)]
    plain = bertsmith("evaluate", run, store, "--json").json
    assert list(plain) == names
    page = tmp_path / "page.html"
    with_page = bertsmith("evaluate", run, store, "--report", page, "--json").json
    assert with_page == {**plain, "report": str(page)}
    detailed = bertsmith("evaluate", run, store, "--details", "--json").json
    assert {name: detailed[name] for name in names} == plain
    recorded = run_audit(run)["length_only"]
    assert detailed["next_sentence_length_only"] == recorded, "what the RUN itself reports"
    assert sum(group["count"] for group in detailed["breakdown"]["place"]) == plain["num_masked_tokens"]


def run_audit(run: Path) -> dict[str, Any]:
    """The audit of the pairs in run.json."""
    from bertsmith.runtime.files import read_json

    found: dict[str, Any] = read_json(run / "run.json")["data"]["pairs"]
    return found


def test_a_text_has_no_guess_from_lengths_and_a_stock_folder_no_frequencies(
    bertsmith: Callable[..., Any], run: Path, corpus_file: Path, tmp_path: Path
) -> None:
    asked = ("--details", "--pseudo-perplexity", "--max-sentences", 5, "--sequence-length", 32)
    answer = bertsmith("evaluate", run, corpus_file, *asked)
    assert answer.code == 0
    assert "it is fitted on training pairs, which only a STORE has" in answer.stderr
    assert "segment lengths alone (" not in answer.stdout
    for words in (
        "pseudo-perplexity",
        "Masked tokens by the position in the sentence",
        "10,000 or more",
        "The cosine of any",
    ):
        assert words in answer.stdout
    stock = tmp_path / "stock"
    transformers.BertForMaskedLM.from_pretrained(run).save_pretrained(stock)
    load_tokenizer(str(run)).save_pretrained(stock)
    found = bertsmith("evaluate", stock, corpus_file, *asked, "--json", "--report", tmp_path / "page.html").json
    assert found["breakdown"]["frequency"] is None
    assert "next_sentence_length_only" not in found
    assert found["pseudo_perplexity"]["sentences"] == 5
    assert "the token counts of the training text are unknown" in (tmp_path / "page.html").read_text()
