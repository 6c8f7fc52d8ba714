"""What stock's BertForPreTraining does, ours does: the same gradients, resizing, tying, saving, copying and casting.

A masked batch is compared in two forms: as many predictions as there are, and filled up to a fixed number with
position 0 and the label -100.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors import safe_open
from torch import Tensor

from bertsmith.config.pretrain import PretrainOptions
from bertsmith.models.bert import BertForPreTraining
from bertsmith.models.loading import quiet_transformers
from bertsmith.objectives.collator import PretrainingCollator
from bertsmith.objectives.examples import PretrainingDataset
from bertsmith.pretraining.objective_losses import LOSSES, loss_sums
from bertsmith.pretraining.setup import make_model
from bertsmith.tokenization.folder import load_tokenizer

VOCABULARY, LENGTH = 200, 24
LENGTHS = (24, 20, 11, 24, 7, 15, 24)
MASKED = (4, 1, 2, 7, 1, 0, 3)
"""Predictions of each row: unequal, and none in one of them."""
FILLED = 32
"""More than the 18 predictions that there are."""


def config_of(layers: int = 3) -> transformers.BertConfig:
    return transformers.BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=32,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


def made(model_class: Any, attention: str = "sdpa", layers: int = 3) -> Any:
    """A model of this class with the same weights every time, none of them at the 0 or 1 where it would start."""
    torch.manual_seed(0)
    source = transformers.BertForPreTraining(config_of(layers))
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model = model_class._from_config(config_of(layers), attn_implementation=attention)
    left = model.load_state_dict(source.state_dict(), strict=False)
    assert not left.missing_keys
    return model.train()


def stock_batch() -> dict[str, Tensor]:
    """Rows of unequal length and number of labels, the very first position among them; one pair has no label."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor(LENGTHS)
    mask = (torch.arange(LENGTH) < lengths[:, None]).long()
    ids = torch.randint(5, VOCABULARY, mask.shape, generator=generator) * mask
    labels = torch.full_like(ids, -100)
    for row, (length, masked) in enumerate(zip(LENGTHS, MASKED, strict=True)):
        places = torch.randperm(length, generator=generator)[:masked]
        if row == 0:
            places[0] = 0
        labels[row, places] = torch.randint(5, VOCABULARY, (masked,), generator=generator)
    return {
        "input_ids": ids,
        "token_type_ids": (torch.arange(LENGTH) > lengths[:, None] // 2).long() * mask,
        "attention_mask": mask,
        "labels": labels,
        "next_sentence_label": torch.tensor([0, 1, 1, -100, 0, 1, 0]),
    }


def own_form(batch: dict[str, Tensor], filled: bool = False) -> dict[str, Tensor]:
    """A batch of stock's in our form."""
    labels = batch["labels"].flatten()
    positions = (labels != -100).nonzero().flatten()
    values = labels[positions]
    if filled:
        positions = torch.cat([positions, torch.zeros(FILLED - len(positions), dtype=torch.int64)])
        values = torch.cat([values, torch.full((FILLED - len(values),), -100)])
    kept = {name: value for name, value in batch.items() if name != "labels"}
    return kept | {"masked_positions": positions, "masked_labels": values}


def own_batch(filled: bool = False) -> dict[str, Tensor]:
    return own_form(stock_batch(), filled)


def means(model: Any, batch: dict[str, Tensor]) -> Tensor:
    """Both losses of our model, each divided by its count, together."""
    output = model(**batch)
    mlm = output.mlm_loss_sum / (batch["masked_labels"] != -100).sum()
    nsp = output.nsp_loss_sum / (batch["next_sentence_label"] != -100).sum()
    return mlm + nsp


def gradients(model: Any, loss: Tensor) -> dict[str, Tensor]:
    """The gradient of every parameter that has one."""
    model.zero_grad()
    loss.backward()
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """The same gradients, each to 1e-5 of its largest entry, or of 1 where that is less."""
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        difference = (found[name] - gradient).abs().max().item()
        assert difference <= 1e-5 * max(1.0, gradient.abs().max().item()), name


# The same numbers


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("layers", [2, 4])
@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_loss_and_every_gradient_are_stocks(attention: str, layers: int, filled: bool, checkpointing: bool) -> None:
    stock, own = (made(kind, attention, layers) for kind in (transformers.BertForPreTraining, BertForPreTraining))
    if checkpointing:
        own.activation_checkpointing_enable()
    expected, found = stock(**stock_batch()).loss, means(own, own_batch(filled))
    assert found.item() == pytest.approx(expected.item(), abs=1e-5)
    of_stock = gradients(stock, expected)
    assert set(of_stock) == {name for name, _ in stock.named_parameters()}
    assert all(gradient.abs().max() > 1e-4 for name, gradient in of_stock.items() if not name.endswith("key.bias"))
    assert_same(gradients(own, found), of_stock)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize(
    ("stock_class", "kept"),
    [("BertForMaskedLM", ("masked_positions", "masked_labels")), ("BertForNextSentencePrediction", ())],
)
def test_one_objective_alone_has_the_loss_and_gradients_of_stocks_class_for_it(
    attention: str, filled: bool, stock_class: str, kept: tuple[str, ...]
) -> None:
    stock, own = made(getattr(transformers, stock_class), attention), made(BertForPreTraining, attention)
    inputs = {name: value for name, value in stock_batch().items() if "label" not in name}
    batch = own_batch(filled)
    if kept:
        expected = stock(**inputs, labels=stock_batch()["labels"]).loss
        output = own(**inputs, **{name: batch[name] for name in kept})
        found = output.mlm_loss_sum / sum(MASKED)
        assert output.nsp_loss_sum is None
    else:
        expected = stock(**inputs, labels=batch["next_sentence_label"]).loss
        output = own(**inputs, next_sentence_label=batch["next_sentence_label"])
        found = output.nsp_loss_sum / (len(LENGTHS) - 1)
        assert output.mlm_loss_sum is None
    assert found.item() == pytest.approx(expected.item(), abs=1e-5)
    assert_same(gradients(own, found), gradients(stock, expected))


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_predictions_that_fill_a_batch_up_change_no_loss_sum_and_no_gradient(attention: str) -> None:
    own = made(BertForPreTraining, attention)
    assert len(own_batch()["masked_labels"]) == sum(MASKED) < FILLED == len(own_batch(filled=True)["masked_labels"])
    sums, found = [], []
    for filled in (False, True):
        output = own(**own_batch(filled))
        sums.append((output.mlm_loss_sum.item(), output.nsp_loss_sum.item()))
        found.append(gradients(own, output.mlm_loss_sum + output.nsp_loss_sum))
    assert sums[1] == pytest.approx(sums[0], rel=1e-6)
    assert_same(found[1], found[0])


def test_a_batch_of_nothing_but_filling_has_losses_and_gradients_of_zero() -> None:
    own = made(BertForPreTraining)
    batch = own_batch(filled=True)
    batch["masked_labels"].fill_(-100)
    batch["next_sentence_label"].fill_(-100)
    output = own(**batch)
    assert output.mlm_loss_sum.item() == output.nsp_loss_sum.item() == 0
    for name, gradient in gradients(own, output.mlm_loss_sum + output.nsp_loss_sum).items():
        assert not gradient.any(), name


def test_activation_checkpointing_computes_layers_twice_and_gives_the_same_gradients() -> None:
    own = made(BertForPreTraining)
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    own.bert.encoder.layer[1].attention.register_forward_pre_hook(count)
    found = {}
    for name, switch in (
        ("before", lambda: None),
        ("enabled", own.activation_checkpointing_enable),
        ("disabled", own.activation_checkpointing_disable),
    ):
        switch()
        calls = 0
        found[name] = gradients(own, means(own, own_batch(filled=True)))
        assert calls == (2 if name == "enabled" else 1)
    assert_same(found["enabled"], found["before"])
    assert_same(found["disabled"], found["before"])


def test_attention_can_be_switched_and_gives_the_same() -> None:
    own = made(BertForPreTraining, "eager")
    logits, found = [], []
    for attention in ("eager", "sdpa", "eager"):
        own.set_attn_implementation(attention)
        assert own.config._attn_implementation == own.bert.config._attn_implementation == attention
        output = own(**own_batch())
        logits.append((output.prediction_logits.detach(), output.seq_relationship_logits.detach()))
        found.append(gradients(own, output.mlm_loss_sum + output.nsp_loss_sum))
    for other in (1, 2):
        torch.testing.assert_close(logits[other], logits[0], rtol=1e-5, atol=1e-5)
        assert_same(found[other], found[0])


# Resizing, tying, saving


def assert_tied(model: Any) -> None:
    """Vectors and output share one matrix, and the head has one bias; both ways of asking find them."""
    predictions = model.cls.predictions
    assert model.get_input_embeddings() is model.bert.embeddings.word_embeddings
    assert model.get_output_embeddings() is predictions.decoder
    assert predictions.decoder.weight is model.bert.embeddings.word_embeddings.weight
    assert predictions.decoder.bias is predictions.bias
    names = {name for name, _ in model.named_parameters()}
    assert not names & {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}


def saved_and_loaded(model: Any, folder: Path) -> Any:
    with quiet_transformers():
        model.save_pretrained(folder)
        return BertForPreTraining.from_pretrained(folder).train()


def resized(model: Any, folder: Path) -> Any:
    model.resize_token_embeddings(VOCABULARY + 9)
    return model


def given_weights(model: Any, folder: Path) -> Any:
    """Another model with these weights, by stock's dictionary, where every tied weight stands under both names."""
    weights = model.state_dict()
    assert {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"} <= set(weights)
    other = BertForPreTraining(config_of()).train()
    other.load_state_dict(weights)
    return other


def copied(model: Any, folder: Path) -> Any:
    return copy.deepcopy(model)


@pytest.mark.parametrize("way", [saved_and_loaded, resized, given_weights, copied], ids=lambda way: way.__name__)
def test_weights_stay_tied(tmp_path: Path, way: Callable[[Any, Path], Any]) -> None:
    model = made(BertForPreTraining)
    assert_tied(model)
    expected = means(model, own_batch()).item()
    model = way(model, tmp_path)
    assert_tied(model)
    if way is not resized:
        assert means(model, own_batch()).item() == pytest.approx(expected, abs=1e-6)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    before = means(model, own_batch())
    gradients(model, before)
    optimizer.step()
    assert_tied(model)
    assert means(model, own_batch()).item() < before.item()


@pytest.mark.parametrize("size", [VOCABULARY + 57, VOCABULARY - 50])
def test_embeddings_are_resized_as_in_stock_and_heads_follow(size: int) -> None:
    stock, own = made(transformers.BertForPreTraining), made(BertForPreTraining)
    old = {name: tensor.clone() for name, tensor in own.state_dict().items()}
    for model in (stock, own):
        torch.manual_seed(5)
        model.resize_token_embeddings(size)
    predictions = own.cls.predictions
    assert own.config.vocab_size == size
    assert own.bert.embeddings.word_embeddings.weight.shape == predictions.decoder.weight.shape == (size, 32)
    assert predictions.decoder.bias.shape == predictions.bias.shape == (size,)
    assert_tied(own)
    kept = min(size, VOCABULARY)
    for name, tensor in own.state_dict().items():
        assert torch.equal(tensor, stock.state_dict()[name])
        assert torch.equal(tensor[:kept], old[name][:kept])
    batch, for_stock = own_batch(filled=True), stock_batch()
    for values in (batch["input_ids"], batch["masked_labels"], for_stock["input_ids"], for_stock["labels"]):
        values.clamp_(max=kept - 1)
    assert own(**batch).prediction_logits.shape == (FILLED, size)
    expected, found = stock(**for_stock).loss, means(own, batch)
    assert found.item() == pytest.approx(expected.item(), abs=1e-5)
    assert_same(gradients(own, found), gradients(stock, expected))


def test_stock_saves_and_ours_saves_are_the_same_files(tmp_path: Path) -> None:
    stock, own = made(transformers.BertForPreTraining), made(BertForPreTraining)
    folders = {"stock": tmp_path / "stock", "own": tmp_path / "own"}
    with quiet_transformers():
        stock.save_pretrained(folders["stock"])
        own.save_pretrained(folders["own"])
    assert json.loads((folders["own"] / "config.json").read_text())["architectures"] == ["BertForPreTraining"]
    for file in folders["stock"].iterdir():
        if file.suffix == ".json":
            assert file.read_text() == (folders["own"] / file.name).read_text()
    contents = []
    for folder in folders.values():
        with safe_open(folder / "model.safetensors", "pt") as weights:
            contents.append({key: weights.get_tensor(key) for key in weights.keys()})  # noqa: SIM118
    assert contents[0].keys() == contents[1].keys()
    assert all(torch.equal(contents[1][key], tensor) for key, tensor in contents[0].items())


@pytest.mark.parametrize(
    ("saver", "loader"),
    [(BertForPreTraining, transformers.BertForPreTraining), (transformers.BertForPreTraining, BertForPreTraining)],
    ids=["stock loads ours", "ours loads stock's"],
)
def test_either_class_loads_the_save_of_the_other(tmp_path: Path, saver: Any, loader: Any) -> None:
    model = made(saver).eval()
    with quiet_transformers():
        model.save_pretrained(tmp_path)
        loaded, info = loader.from_pretrained(tmp_path, output_loading_info=True)
    assert type(loaded) is loader
    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert list(loaded.state_dict()) == list(model.state_dict())
    inputs = {name: value for name, value in stock_batch().items() if "label" not in name}
    with torch.no_grad():
        expected, found = model(**inputs), loaded(**inputs)
    assert torch.equal(found.prediction_logits, expected.prediction_logits)
    assert torch.equal(found.seq_relationship_logits, expected.seq_relationship_logits)


# Copies and casts


def test_a_copy_is_a_model_of_its_own() -> None:
    model = made(BertForPreTraining)
    expected = means(model, own_batch()).item()
    other = copy.deepcopy(model)
    assert type(other) is BertForPreTraining
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.5)
    assert means(model, own_batch()).item() == expected
    assert abs(means(other, own_batch()).item() - expected) > 0.1


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_model_cast_to_bfloat16_runs_in_both_forms_and_sums_in_float32(attention: str) -> None:
    exact = made(BertForPreTraining, attention)
    expected = exact(**own_batch(filled=True))
    cast = made(BertForPreTraining, attention).to(torch.bfloat16)
    assert_tied(cast)
    assert {parameter.dtype for parameter in cast.parameters()} == {torch.bfloat16}
    found = cast(**own_batch(filled=True))
    assert found.prediction_logits.dtype == found.seq_relationship_logits.dtype == torch.bfloat16
    for name in ("mlm_loss_sum", "nsp_loss_sum"):
        assert getattr(found, name).dtype == torch.float32
        assert getattr(found, name).item() == pytest.approx(getattr(expected, name).item(), rel=0.05)
    in_stock = cast(**stock_batch()).loss
    assert in_stock.item() == pytest.approx(means(exact, own_batch()).item(), rel=0.05)
    assert all(gradient.isfinite().all() for gradient in gradients(cast, means(cast, own_batch(True))).values())


# Every objective trains every parameter that is not frozen

UNUSED = {
    "mlm+nsp": set[str](),
    "mlm+sop": set[str](),
    "mlm": {
        f"{module}.{kind}" for module in ("bert.pooler.dense", "cls.seq_relationship") for kind in ("weight", "bias")
    },
    "nsp": {
        "cls.predictions.bias",
        *(
            f"cls.predictions.transform.{module}.{kind}"
            for module in ("dense", "LayerNorm")
            for kind in ("weight", "bias")
        ),
    },
}
"""The parameters that a loss of the objective does not reach."""


@pytest.mark.parametrize("objective", list(UNUSED))
@pytest.mark.parametrize("continued", [False, True])
def test_an_objective_leaves_no_parameter_without_gradient(
    store: Path, run: Path, tiny: dict[str, Any], objective: str, continued: bool
) -> None:
    shape = ("layers", "hidden_size", "attention_heads", "intermediate_size", "max_positions")
    values = {name: value for name, value in tiny.items() if not (continued and name in shape)}
    if continued:
        values["from_"] = str(run)
    options = PretrainOptions.build({"store": store, "out": Path("nowhere"), "objective": objective, **values})
    tokenizer = load_tokenizer(str(store / "tokenizer"))
    model = make_model(options, tokenizer, np.ones(len(tokenizer), dtype=np.int64), attention="sdpa").model.train()
    length = options.sequence_length
    dataset = PretrainingDataset(store, sequence_length=length, objective=objective)
    collator = PretrainingCollator.for_store(store, sequence_length=length, objective=objective)
    batch = collator([dataset[index] for index in range(8)])
    if "labels" in batch:
        batch = own_form(batch)
    loss_sums(LOSSES[objective])(model, batch).sum().backward()
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    reached = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert reached == trained
    assert {name for name, _ in model.named_parameters()} - trained == UNUSED[objective]
