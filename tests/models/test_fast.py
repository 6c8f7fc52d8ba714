"""The fast training step: the same numbers as stock, the same keys, and weights that are never stale."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from bertsmith.models.bert import BertForPreTraining, set_dropout
from bertsmith.models.fast.compute_weights import ComputeWeights
from bertsmith.models.fast.dropout import drop, keep_mask
from bertsmith.models.fast.fast_bert import fast, in_float32
from bertsmith.models.fast.operations import AddAndNorm, Attention, Dropout, Linear
from bertsmith.models.fast.vocabulary import EmbeddingSum, SharedGradient
from bertsmith.training.optimizers import make_optimizer
from bertsmith.training.training_plan import Optimization


def copies(precision: str) -> ComputeWeights:
    return ComputeWeights.for_precision(precision)


def small(vocab_size: int = 203, *, attention: str = "eager", types: int = 2) -> BertForPreTraining:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=vocab_size,
        hidden_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=40,
        type_vocab_size=types,
    )
    model: BertForPreTraining = BertForPreTraining._from_config(config, attn_implementation=attention)
    set_dropout(model, 0.0)
    # Weights that are not all small, so that attention and LayerNorm matter.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return model.train()


def batch(model: BertForPreTraining, *, padded: bool = True) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(1)
    entries, types = model.config.vocab_size, model.config.type_vocab_size
    ids = torch.randint(5, entries, (6, 32), generator=draw)
    ids[0, :8] = 7  # a word that stands there many times
    inputs = {
        "input_ids": ids,
        "token_type_ids": torch.randint(0, types, (6, 32), generator=draw),
        "masked_positions": torch.tensor([1, 5, 33, 66, 100, 3, 0, 0]),
        "masked_labels": torch.tensor([7, 8, 9, 10, 11, entries - 1, -100, -100]),
        "next_sentence_label": torch.tensor([0, 1, 0, 1, 1, 0]),
    }
    if padded:
        mask = torch.ones_like(ids)
        mask[2, 20:] = 0
        mask[4, 10:] = 0
        inputs["attention_mask"] = mask
    return inputs


def losses_and_gradients(model: BertForPreTraining, inputs: dict[str, Tensor]) -> tuple[list[float], dict[str, Tensor]]:
    model.zero_grad(set_to_none=True)
    output = model(**inputs)
    sums = [loss for loss in (output.mlm_loss_sum, output.nsp_loss_sum) if loss is not None]
    (sum(sums) / 6).backward()  # type: ignore[union-attr]
    return [float(loss.detach()) for loss in sums], {
        name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None
    }


def same(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float = 1e-5) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=tolerance, rtol=tolerance, msg=name)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize(("entries", "padded", "checkpointing"), [(203, True, False), (256, False, True)])
def test_losses_and_gradients_are_those_of_stock(
    attention: str, entries: int, padded: bool, checkpointing: bool
) -> None:
    model = small(entries, attention=attention)
    if checkpointing:
        model.activation_checkpointing_enable()
    inputs = batch(model, padded=padded)
    expected = losses_and_gradients(model, inputs)
    with fast(model, copies("fp32")):
        found = losses_and_gradients(model, inputs)
    assert found[0] == pytest.approx(expected[0], abs=1e-5, rel=1e-6)
    same(found[1], expected[1])


@pytest.mark.parametrize("left_out", [("next_sentence_label",), ("masked_positions", "masked_labels")])
def test_either_loss_alone(left_out: tuple[str, ...]) -> None:
    model = small()
    inputs = {name: value for name, value in batch(model).items() if name not in left_out}
    expected = losses_and_gradients(model, inputs)
    with fast(model, copies("fp32")):
        found = losses_and_gradients(model, inputs)
    assert found[0] == pytest.approx(expected[0], rel=1e-6)
    same(found[1], expected[1])


def test_three_types_of_tokens() -> None:
    model = small(types=3)
    inputs = batch(model)
    expected = losses_and_gradients(model, inputs)
    with fast(model, copies("fp32")):
        same(losses_and_gradients(model, inputs)[1], expected[1])


@pytest.mark.parametrize("frozen", ["bert.embeddings", "bert.encoder.layer.1", "cls.predictions"])
def test_what_is_frozen_gets_no_gradient_and_the_rest_the_same(frozen: str) -> None:
    model = small()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not name.startswith(frozen))
    inputs = batch(model)
    expected = losses_and_gradients(model, inputs)[1]
    assert not any(name.startswith(frozen) for name in expected)
    with fast(model, copies("fp32")):
        same(losses_and_gradients(model, inputs)[1], expected)


@pytest.mark.parametrize("targets", [["query", "value"], ["key", "output.dense"]])
def test_adapters_give_and_learn_as_by_peft(targets: list[str]) -> None:
    import peft

    model = small()
    config = peft.LoraConfig(r=3, lora_alpha=5, target_modules=targets, init_lora_weights=False)
    peft.inject_adapter_in_model(config, model)
    inputs = batch(model)
    expected = losses_and_gradients(model, inputs)
    assert expected[1] and all(".lora_" in name for name in expected[1])
    with fast(model, copies("fp32")):
        found = losses_and_gradients(model, inputs)
    assert found[0] == pytest.approx(expected[0], rel=1e-6)
    same(found[1], expected[1])
    with fast(model, copies("bf16")), torch.autocast("cpu", torch.bfloat16):
        rounded = losses_and_gradients(model, inputs)
    assert rounded[0] == pytest.approx(expected[0], rel=0.02)
    for name, gradient in expected[1].items():
        assert torch.cosine_similarity(rounded[1][name].flatten(), gradient.flatten(), dim=0) > 0.98


def test_embeddings_that_are_given_leave_the_decoder_its_gradient() -> None:
    """The decoder hands its gradient to the word embeddings only where these take part."""
    model = small()
    inputs = batch(model)
    inputs["inputs_embeds"] = torch.randn(6, 32, 64, generator=torch.Generator().manual_seed(2))
    del inputs["input_ids"]
    expected = losses_and_gradients(model, inputs)[1]
    with fast(model, copies("fp32")):
        same(losses_and_gradients(model, inputs)[1], expected)


def test_a_gradient_that_is_left_over_reaches_no_other_step() -> None:
    model = small()
    inputs = batch(model)
    expected = losses_and_gradients(model, inputs)[1]
    with fast(model, copies("fp32")):
        model(**inputs)  # a forward pass without a backward one
        same(losses_and_gradients(model, inputs)[1], expected)
        same(losses_and_gradients(model, inputs)[1], expected)


def test_bfloat16_is_as_near_as_autocast_is() -> None:
    model = small()
    inputs = batch(model)

    def whole(gradients: dict[str, Tensor]) -> Tensor:
        return torch.cat([gradient.flatten() for gradient in gradients.values()])

    exact_losses, exact = losses_and_gradients(model, inputs)
    with torch.autocast("cpu", torch.bfloat16):
        _, stock = losses_and_gradients(model, inputs)
        with fast(model, copies("bf16")):
            losses, found = losses_and_gradients(model, inputs)
    error = (whole(found) - whole(exact)).norm() / whole(exact).norm()
    stock_error = (whole(stock) - whole(exact)).norm() / whole(exact).norm()
    assert stock_error > 1e-3  # it is bfloat16 that is compared
    assert error < 3 * stock_error
    assert losses == pytest.approx(exact_losses, rel=0.01)


@pytest.mark.parametrize(("outer", "inner"), [(24, 96), (96, 24), (32, 32), (17, 40), (40, 17)])
def test_gradients_of_a_layer_are_rounded_once_whichever_side_is_transposed(outer: int, inner: int) -> None:
    draw, dtype = torch.Generator().manual_seed(0), torch.bfloat16
    rows, gradient = (torch.randn(50, width, generator=draw).to(dtype) for width in (inner, outer))
    weight, bias = (torch.randn(*shape, generator=draw).requires_grad_() for shape in ((outer, inner), (outer,)))
    result: Any = Linear.apply(rows, weight.detach().to(dtype), bias.detach().to(dtype), weight, bias)  # type: ignore[no-untyped-call]
    result.backward(gradient)
    expected = gradient.double().t() @ rows.double()
    relative = torch.finfo(dtype).eps
    for found, exact in ((weight.grad, expected), (bias.grad, gradient.double().sum(0))):
        assert found is not None and found.is_contiguous() and found.dtype == torch.float32
        torch.testing.assert_close(found.double(), exact, rtol=relative, atol=relative)


def test_an_improbable_label_has_a_finite_loss() -> None:
    """Shares below the smallest number: stock's logarithm of the softmax is finite there too."""
    model = small()
    with torch.no_grad():
        model.cls.predictions.bias[9] = -1000.0
    inputs = batch(model)
    inputs["masked_labels"] = torch.full_like(inputs["masked_labels"], 9)
    with fast(model, copies("fp32")):
        losses, gradients = losses_and_gradients(model, inputs)
    assert 80 < losses[0] / 8 < 90
    assert all(gradient.isfinite().all() for gradient in gradients.values())


def test_a_loss_that_is_not_finite_stays_so() -> None:
    model = small()
    with torch.no_grad():
        model.bert.embeddings.word_embeddings.weight[7] = float("nan")
    with fast(model, copies("fp32")):
        assert not model(**batch(model)).mlm_loss_sum.isfinite()


# Dropout


def test_dropout_has_its_rate_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    values, masks = torch.ones(1000, 1001), 400
    for probability in (0.1, 0.5):
        shares = []
        for _ in range(masks):
            dropped = Dropout.apply(values, keep_mask(values.shape, values.dtype, probability), 1 / (1 - probability))
            shares.append(float((dropped == 0).double().mean()))
            assert float(dropped.max()) == pytest.approx(1 / (1 - probability))
        # A mask's rate is one of two neighbouring multiples of 1/256, at most 1/512 of standard deviation.
        of_elements = (probability * (1 - probability) / values.numel()) ** 0.5
        assert abs(sum(shares) / masks - probability) < 4.9 * (of_elements + 1 / 512) / masks**0.5
        assert max(abs(share - probability) for share in shares) < 1 / 256 + 4.9 * of_elements


def test_every_place_is_dropped_as_often_and_by_itself() -> None:
    """Over many masks: the rate of each place, and of pairs of neighbours."""
    torch.manual_seed(0)
    like, masks, probability = torch.empty(8, 16, dtype=torch.bfloat16), 40_000, 0.3
    dropped = (
        1 - torch.stack([keep_mask(like.shape, like.dtype, probability) for _ in range(masks)]).flatten(1).double()
    )
    deviation = (probability * (1 - probability) / masks) ** 0.5
    assert (dropped.mean(0) - probability).abs().max() < 4.9 * deviation
    both = (dropped[:, 1:] * dropped[:, :-1]).mean(0)
    expected = probability**2
    assert (both - expected).abs().max() < 4.9 * (expected * (1 - expected) / masks) ** 0.5 + 1 / 512**2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_masks_follow_from_torchs_random_state(dtype: torch.dtype) -> None:
    like = torch.randn(7, 9).to(dtype)
    torch.manual_seed(3)
    first, second = (keep_mask(like.shape, dtype, 0.4) for _ in range(2))
    torch.manual_seed(3)
    assert torch.equal(keep_mask(like.shape, dtype, 0.4), first)
    assert not torch.equal(first, second)
    kept = drop(like, first)
    assert set(kept[first == 0].tolist()) == {0.0}
    assert torch.equal(kept[first == 1], like[first == 1])


def test_masks_are_dropped_in_both_directions() -> None:
    """Attention and residuals with dropout against the same formulas, written out, with the same masks."""
    torch.manual_seed(0)
    projected = torch.randn(2, 6, 3 * 8, requires_grad=True)
    bias = torch.zeros(2, 1, 1, 6)
    bias[1, ..., 4:] = -1e9
    masks = [keep_mask(shape, torch.float32, 0.3) for shape in ((4, 6, 6), (5, 8))]
    found = Attention.apply(projected, bias, 2, masks[0], 1 / 0.7)
    query, key, value = projected.view(2, 6, 3, 2, 4).permute(2, 0, 3, 1, 4)
    shares = torch.softmax(query @ key.transpose(2, 3) / 2 + bias, -1)
    expected = ((shares * masks[0].view(2, 2, 6, 6) / 0.7) @ value).transpose(1, 2).reshape(2, 6, 8)
    torch.testing.assert_close(found, expected)
    weights = torch.randn_like(found)
    torch.testing.assert_close(
        *(torch.autograd.grad((result * weights).sum(), projected)[0] for result in (found, expected))
    )

    rows, residual = torch.randn(5, 8, requires_grad=True), torch.randn(5, 8, requires_grad=True)
    scale, offset = torch.randn(8, requires_grad=True), torch.randn(8, requires_grad=True)
    of = (rows, residual, scale, offset)
    normal = AddAndNorm.apply(rows, residual, scale, offset, 1e-12, masks[1], 1 / 0.7)
    written = torch.nn.functional.layer_norm(residual + rows * masks[1] / 0.7, (8,), scale, offset, 1e-12)
    torch.testing.assert_close(normal, written)
    weights = torch.randn_like(normal)
    for one, other in zip(
        torch.autograd.grad((normal * weights).sum(), of),
        torch.autograd.grad((written * weights).sum(), of),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_dropout_is_of_training_alone() -> None:
    model = small()
    set_dropout(model, 0.5)
    inputs = batch(model)
    with fast(model, copies("fp32")), torch.no_grad():
        assert losses(model, inputs) != pytest.approx(losses(model, inputs), rel=1e-3)
        model.eval()
        assert losses(model, inputs) == pytest.approx(losses(model, inputs), rel=1e-6)


def losses(model: BertForPreTraining, inputs: dict[str, Tensor]) -> list[float]:
    output = model(**inputs)
    return [float(loss.detach()) for loss in (output.mlm_loss_sum, output.nsp_loss_sum)]


# Derivatives


def doubles(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def test_derivatives_are_those_of_differences() -> None:
    torch.manual_seed(0)
    check: Callable[..., bool] = torch.autograd.gradcheck
    first, second, one, two = doubles(3, 4), doubles(2, 4), doubles(3), doubles(2)

    def linear(rows: Tensor, *parameters: Tensor) -> Any:
        weight, bias = torch.cat(parameters[:2]).detach(), torch.cat(parameters[2:]).detach()
        return Linear.apply(rows, weight, bias, *parameters)

    assert check(linear, (doubles(5, 4), first, second, one, two))
    assert check(
        lambda *of: AddAndNorm.apply(*of, 1e-12, None, 1.0), (doubles(5, 8), doubles(5, 8), doubles(8), doubles(8))
    )
    assert check(lambda projected: Attention.apply(projected, None, 2, None, 1.0), (doubles(2, 5, 24),))
    ids, types = torch.tensor([[1, 1, 3], [0, 1, 2]]), torch.tensor([[0, 0, 1], [0, 1, 1]])
    assert check(
        lambda *of: EmbeddingSum.apply(*of, ids, types, SharedGradient()), (doubles(4, 3), doubles(2, 3), doubles(6, 3))
    )


# Weights that change


@pytest.mark.parametrize("name", ["adamw", "muon"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_each_step_computes_with_the_weights_of_the_one_before(name: str, precision: str) -> None:
    """torch's fused AdamW writes weights without raising their version counters; copies are made anew all the same."""
    model = small()
    twin = copy.deepcopy(model)
    inputs = batch(model)
    optimizer = make_optimizer(model, Optimization(name, learning_rate=0.01, weight_decay=0.01))

    def computed(of: BertForPreTraining, what: Callable[..., Any] = losses) -> Any:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            return what(of, inputs)

    with fast(model, copies(precision)):
        for _ in range(3):
            computed(model, losses_and_gradients)
            optimizer.step()
            found = computed(model)
            twin.load_state_dict(model.state_dict())
            with fast(twin, copies(precision)):
                # A step moves the losses by a tenth; products can depend on where in memory their operands lie.
                assert computed(twin) == pytest.approx(found, rel=1e-3)


def test_copies_are_made_once_an_update() -> None:
    weight, other = torch.randn(3, 4, requires_grad=True), torch.randn(2, 4, requires_grad=True)
    made = ComputeWeights(torch.bfloat16)
    joined = made.joined(weight, other)
    assert torch.equal(joined, torch.cat([weight, other]).bfloat16())
    assert made.joined(weight, other) is joined
    with torch.no_grad():
        other.mul_(2)
    assert torch.equal(made.joined(weight, other), torch.cat([weight, other]).bfloat16())
    padded = made.padded_vocabulary(weight, 7.0)
    assert padded.shape == (64, 4)
    assert (padded[3:] == 7.0).all()
    fresh = ComputeWeights(torch.bfloat16, cached=False)
    assert fresh.joined(weight) is not fresh.joined(weight)


def test_the_model_is_stock_before_and_after(tmp_path: Path) -> None:
    model = small()
    inputs, keys = batch(model), list(model.state_dict())
    before = losses(model, inputs)
    with pytest.raises(RuntimeError, match="stopped"), fast(model, copies("bf16")):
        assert list(model.state_dict()) == keys
        model.save_pretrained(tmp_path)
        raise RuntimeError("stopped")
    assert model.fast is None
    assert all("forward" not in vars(module) for module in model.modules())
    assert losses(model, inputs) == before
    stock = transformers.BertForPreTraining.from_pretrained(tmp_path)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in stock.state_dict().items())


def test_stock_heads_train_on_a_fast_encoder() -> None:
    """A head of transformers, whose own forward pass is stock."""
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=99, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64
    )
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    model = transformers.BertForSequenceClassification(config).train()
    ids = torch.randint(5, 99, (4, 12))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0

    def gradients() -> dict[str, Tensor]:
        model.zero_grad()
        model(input_ids=ids, attention_mask=mask, labels=torch.tensor([0, 1, 0, 1])).loss.backward()
        return {
            name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None
        }

    expected = gradients()
    with fast(model, copies("fp32")):
        same(gradients(), expected)


def test_a_model_without_a_bert_is_left_alone() -> None:
    model = torch.nn.Linear(2, 2)
    with fast(model, copies("bf16")):
        assert "forward" not in vars(model)


def test_a_model_that_trains_in_bfloat16_answers_in_float32_where_it_is_asked_to() -> None:
    model = small()
    inputs = batch(model)
    expected, _ = losses_and_gradients(model.eval(), inputs)
    with fast(model, copies("bf16")):
        with in_float32(model):
            assert losses_and_gradients(model, inputs)[0] == pytest.approx(expected, rel=1e-6)
        with torch.autocast("cpu", torch.bfloat16):
            assert losses_and_gradients(model, inputs)[0] != pytest.approx(expected, rel=1e-6)


def test_copies_that_a_prediction_makes_are_for_training_as_well() -> None:
    model = small()
    inputs = batch(model)
    with fast(model, copies("bf16")), torch.autocast("cpu", torch.bfloat16):
        with torch.inference_mode():
            model.eval()(**inputs)
        assert losses_and_gradients(model.train(), inputs)[0]


def test_checkpointing_computes_each_layer_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small()
    model.activation_checkpointing_enable()
    set_dropout(model, 0.1)
    inputs = batch(model)
    computed: list[int] = []
    attend = Attention.forward
    monkeypatch.setattr(Attention, "forward", staticmethod(lambda *of: (computed.append(1), attend(*of))[1]))
    with fast(model, copies("fp32")):
        torch.manual_seed(5)
        found = losses_and_gradients(model, inputs)
        assert len(computed) == 2 * 3
        model.activation_checkpointing_disable()
        torch.manual_seed(5)
        same(found[1], losses_and_gradients(model, inputs)[1])  # the same masks of dropout
        assert len(computed) == 3 * 3
