"""The pre-training model is stock's: the same keys, logits and losses, and its folder opens as any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional

from bertsmith.inference.predictor import Predictor
from bertsmith.models.bert import BertForPreTraining, parameter_count, set_dropout
from support.stock import assert_same, assert_same_model, load_stock

VOCABULARY, BATCH, LENGTH = 50, 6, 24


def config_of(**values: Any) -> transformers.BertConfig:
    return transformers.BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=32,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **values,
    )


@pytest.fixture(scope="module")
def models() -> tuple[transformers.BertForPreTraining, BertForPreTraining]:
    """Stock's model and ours with the same weights."""
    torch.manual_seed(0)
    stock, own = transformers.BertForPreTraining(config_of()), BertForPreTraining(config_of())
    # Biases and LayerNorms start at 0 and 1; a test of equality must see all of them.
    with torch.no_grad():
        for parameter in stock.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    own.load_state_dict(stock.state_dict())
    return stock.eval(), own.eval()


def batch_of(masked: int = 9) -> dict[str, Tensor]:
    """A batch with padding, and so many masked positions, unevenly over its examples."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([24, 20, 11, 24, 7, 15])
    ids = torch.randint(5, VOCABULARY, (BATCH, LENGTH), generator=generator)
    mask = (torch.arange(LENGTH) < lengths[:, None]).long()
    valid = (mask.flatten() == 1).nonzero().flatten()
    positions = valid[torch.randperm(len(valid), generator=generator)[:masked]].sort().values
    return {
        "input_ids": ids * mask,
        "token_type_ids": (torch.arange(LENGTH) > lengths[:, None] // 2).long() * mask,
        "attention_mask": mask,
        "masked_positions": positions,
        "masked_labels": torch.randint(5, VOCABULARY, (masked,), generator=generator),
        "next_sentence_label": torch.tensor([0, 1, 1, 0, 0, 1]),
    }


def stock_form(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    labels = torch.full((BATCH, LENGTH), -100)
    labels.view(-1)[batch["masked_positions"]] = batch["masked_labels"]
    kept = {name: value for name, value in batch.items() if not name.startswith("masked")}
    return kept | {"labels": labels}


def test_the_keys_are_those_of_stock(models: tuple[Any, Any]) -> None:
    stock, own = models
    assert list(own.state_dict()) == list(stock.state_dict())
    assert [name for name, _ in own.named_parameters()] == [name for name, _ in stock.named_parameters()]
    assert parameter_count(own) == stock.num_parameters()
    assert own.cls.predictions.decoder.weight is own.bert.embeddings.word_embeddings.weight


def test_losses_are_stocks_means_times_their_counts(models: tuple[Any, Any]) -> None:
    stock, own = models
    batch = batch_of()
    with torch.no_grad():
        expected, found = stock(**stock_form(batch)), own(**batch)
    logits = expected.prediction_logits.flatten(0, 1)[batch["masked_positions"]]
    assert_same(found.prediction_logits, logits)
    assert_same(found.seq_relationship_logits, expected.seq_relationship_logits)
    mlm = functional.cross_entropy(logits, batch["masked_labels"])
    nsp = expected.loss - mlm
    assert_same(found.mlm_loss_sum, 9 * mlm)
    assert_same(found.nsp_loss_sum, 6 * nsp)


def test_losses_of_parts_of_a_batch_add_up(models: tuple[Any, Any]) -> None:
    _, own = models
    batch = batch_of(masked=20)
    total = torch.zeros(2)
    with torch.no_grad():
        whole = own(**batch)
        for start, stop in ((0, 1), (1, 4), (4, 6)):
            inside = (batch["masked_positions"] >= start * LENGTH) & (batch["masked_positions"] < stop * LENGTH)
            part = {name: value[start:stop] for name, value in batch.items() if not name.startswith("masked")}
            part["masked_positions"] = batch["masked_positions"][inside] - start * LENGTH
            part["masked_labels"] = batch["masked_labels"][inside]
            output = own(**part)
            total += torch.stack([output.mlm_loss_sum, output.nsp_loss_sum])
    torch.testing.assert_close(total, torch.stack([whole.mlm_loss_sum, whole.nsp_loss_sum]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("left_out", ["masked", "next_sentence_label"])
def test_either_objective_alone_gives_the_same_loss_as_together(models: tuple[Any, Any], left_out: str) -> None:
    """Stock answers None where one of the labels is missing."""
    stock, own = models
    batch = batch_of()
    alone = {name: value for name, value in batch.items() if not name.startswith(left_out)}
    with torch.no_grad():
        together, found = own(**batch), own(**alone)
    kept, gone = ("nsp", "mlm") if left_out == "masked" else ("mlm", "nsp")
    assert getattr(found, f"{gone}_loss_sum") is None
    assert torch.equal(getattr(found, f"{kept}_loss_sum"), getattr(together, f"{kept}_loss_sum"))
    in_stock = {
        name: value
        for name, value in stock_form(batch).items()
        if name != left_out and (left_out, name) != ("masked", "labels")
    }
    with torch.no_grad():
        assert stock(**in_stock).loss is None


def test_a_batch_without_masked_positions_has_a_loss_of_zero_and_finite_gradients(models: tuple[Any, Any]) -> None:
    """Stock answers NaN."""
    stock, own = models
    batch = batch_of(masked=0)
    with torch.no_grad():
        assert stock(**stock_form(batch)).loss.isnan()
    own.zero_grad()
    output = own(**batch)
    assert output.mlm_loss_sum.item() == 0
    (output.mlm_loss_sum + output.nsp_loss_sum).backward()
    assert all(parameter.grad.isfinite().all() for parameter in own.parameters() if parameter.grad is not None)
    own.zero_grad()


def test_called_as_stock_it_answers_as_stock(models: tuple[Any, Any]) -> None:
    stock, own = models
    batch = stock_form(batch_of())
    for inputs in (batch, {"input_ids": batch["input_ids"]}):
        assert_same_model(own, stock, inputs, exactly=True)


def test_losses_are_float32_under_autocast(models: tuple[Any, Any]) -> None:
    _, own = models
    batch = batch_of()
    with torch.no_grad():
        exact = own(**batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = own(**batch)
    assert rough.mlm_loss_sum.dtype == rough.nsp_loss_sum.dtype == torch.float32
    assert rough.mlm_loss_sum.item() == pytest.approx(exact.mlm_loss_sum.item(), rel=0.02)


def test_dropout_of_every_layer_is_set_and_the_configuration_kept() -> None:
    model = BertForPreTraining(config_of())
    set_dropout(model, 0.25)
    found = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    assert found == {0.25}
    assert model.config.hidden_dropout_prob == 0.0
    model.train()
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        assert not torch.equal(model(ids).prediction_logits, model(ids).prediction_logits)


# A RUN in stock's hands


def test_a_run_says_that_it_is_stocks_model(run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    assert config["architectures"] == ["BertForPreTraining"]
    assert config["model_type"] == "bert"
    assert not any("bertsmith" in str(value) for value in config.values())


@pytest.mark.parametrize("auto_class", ["BertForPreTraining", "AutoModelForPreTraining"])
def test_stock_loads_a_run_without_a_missing_or_unexpected_key(run: Path, auto_class: str) -> None:
    model, info = getattr(transformers, auto_class).from_pretrained(run, output_loading_info=True)
    assert type(model) is transformers.BertForPreTraining
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
    with safe_open(run / "model.safetensors", "pt") as file:
        saved = set(file.keys())
    tied = {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}
    assert saved | tied == set(transformers.BertForPreTraining(model.config).state_dict()) | tied


@pytest.mark.parametrize(
    ("name", "fresh"),
    [
        ("BertModel", []),
        ("BertForMaskedLM", []),
        ("BertForNextSentencePrediction", []),
        ("BertForSequenceClassification", ["classifier.bias", "classifier.weight"]),
        ("BertForTokenClassification", ["classifier.bias", "classifier.weight"]),
        ("BertForQuestionAnswering", ["qa_outputs.bias", "qa_outputs.weight"]),
    ],
)
def test_every_stock_head_starts_from_a_run(run: Path, name: str, fresh: list[str]) -> None:
    _, info = getattr(transformers, name).from_pretrained(run, output_loading_info=True)
    assert sorted(info["missing_keys"]) == fresh
    assert not info["mismatched_keys"]


def test_stock_computes_the_same_logits_from_a_run(run: Path) -> None:
    from bertsmith.models.loading import load_bert

    stock = load_stock(run, "BertForPreTraining")
    ids = torch.randint(5, stock.config.vocab_size, (3, 20), generator=torch.Generator().manual_seed(0))
    assert_same_model(load_bert(str(run)).model, stock, {"input_ids": ids}, exactly=True)


def test_the_tokenizer_of_a_run_is_its_stores(run: Path, store: Path) -> None:
    ours = transformers.AutoTokenizer.from_pretrained(run)
    theirs = transformers.AutoTokenizer.from_pretrained(store / "tokenizer")
    assert type(ours).__name__.startswith("Bert")
    assert ours.get_vocab() == theirs.get_vocab()
    text = "The baker found a wooden boat near the river."
    assert ours(text)["input_ids"] == theirs(text)["input_ids"]


def test_the_fill_mask_pipeline_gives_what_fill_mask_gives(run: Path) -> None:
    texts = [
        "The baker [MASK] a wooden boat near the river.",
        "[MASK] old teacher found some bread.",
        "The queen sold the silver bell on the [MASK].",
    ]
    pipeline = transformers.pipeline("fill-mask", str(run), device=-1)
    model = Predictor(str(run))
    for text in texts:
        expected = pipeline(text, top_k=5)
        (mask,) = model.fill_mask(text, top_k=5).masks
        assert [entry.token for entry in mask.predictions] == [
            pipeline.tokenizer.convert_ids_to_tokens(entry["token"]) for entry in expected
        ]
        for entry, theirs in zip(mask.predictions, expected, strict=True):
            assert entry.id == theirs["token"]
            assert entry.probability == pytest.approx(theirs["score"], abs=1e-4)
            assert entry.text == theirs["sequence"]
