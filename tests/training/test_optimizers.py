"""Which weights are decayed, which are Muon's, and that the step is AdamW's."""

from __future__ import annotations

import copy

import pytest
import torch

from bertsmith.models.bert import BertForPreTraining
from bertsmith.models.sizes import bert_shape, make_config
from bertsmith.training.optimizers import MuonWithAdamW, make_optimizer
from bertsmith.training.training_plan import Optimization


@pytest.fixture
def model() -> BertForPreTraining:
    torch.manual_seed(0)
    return BertForPreTraining(make_config(bert_shape("tiny", layers=1, hidden_size=64), 40, 0))


def names_of(model: torch.nn.Module, parameters: list[torch.nn.Parameter]) -> set[str]:
    wanted = {id(parameter) for parameter in parameters}
    return {name for name, parameter in model.named_parameters() if id(parameter) in wanted}


def fill_gradients(model: torch.nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_biases_and_layer_norms_are_not_decayed_and_all_else_is(model: BertForPreTraining, name: str) -> None:
    optimizer = make_optimizer(model, Optimization(name, learning_rate=1e-3, weight_decay=0.1))
    decayed, plain = set(), set()
    for group in optimizer.param_groups:
        (decayed if group["weight_decay"] else plain).update(names_of(model, group["params"]))
    every = {name for name, _ in model.named_parameters()}
    assert decayed | plain == every and not decayed & plain
    assert plain == {name for name in every if name.endswith("bias") or "LayerNorm" in name}


def test_muon_has_the_matrices_of_the_layers_alone(model: BertForPreTraining) -> None:
    optimizer = make_optimizer(model, Optimization("muon", learning_rate=1e-3, weight_decay=0.1))
    assert isinstance(optimizer, MuonWithAdamW)
    muon = {name for group in optimizer.muon.param_groups for name in names_of(model, group["params"])}
    assert muon == {
        name for name, value in model.named_parameters() if name.startswith("bert.encoder.layer") and value.ndim == 2
    }
    assert len(muon) == 6


def test_what_is_frozen_is_not_trained(model: BertForPreTraining) -> None:
    model.cls.seq_relationship.requires_grad_(False)
    optimizer = make_optimizer(model, Optimization("adamw", learning_rate=1e-3, weight_decay=0.1))
    trained = {name for group in optimizer.param_groups for name in names_of(model, group["params"])}
    assert not any("seq_relationship" in name for name in trained)


def test_the_step_is_that_of_plain_adamw(model: BertForPreTraining) -> None:
    """Against the formula (Loshchilov and Hutter 2019), written out for one weight."""
    optimizer = make_optimizer(model, Optimization("adamw", learning_rate=1e-2, weight_decay=0.1))
    weight = model.bert.encoder.layer[0].intermediate.dense.weight
    expected = weight.detach().double().clone()
    first, second = torch.zeros_like(expected), torch.zeros_like(expected)
    for step in range(1, 4):
        fill_gradients(model, step)
        assert weight.grad is not None
        gradient = weight.grad.double()
        first = 0.9 * first + 0.1 * gradient
        second = 0.98 * second + 0.02 * gradient**2
        expected *= 1 - 1e-2 * 0.1
        expected -= 1e-2 * (first / (1 - 0.9**step)) / ((second / (1 - 0.98**step)).sqrt() + 1e-6)
        optimizer.step()
    torch.testing.assert_close(weight.detach().double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_the_state_is_restored(model: BertForPreTraining, name: str) -> None:
    other = copy.deepcopy(model)
    optimizer = make_optimizer(model, Optimization(name, learning_rate=1e-2, weight_decay=0.1))
    for step in range(2):
        fill_gradients(model, step)
        optimizer.step()
    other.load_state_dict(model.state_dict())
    restored = make_optimizer(other, Optimization(name, learning_rate=5.0, weight_decay=0.9))
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for one, current in ((optimizer, model), (restored, other)):
        fill_gradients(current, 7)
        for group in one.param_groups:
            group["lr"] *= 0.5  # as a schedule does
        one.step()
    for key, value in model.state_dict().items():
        assert torch.equal(value, other.state_dict()[key]), key


def test_the_rate_of_a_schedule_reaches_both_parts_of_muon(model: BertForPreTraining) -> None:
    optimizer = make_optimizer(model, Optimization("muon", learning_rate=1e-2, weight_decay=0.0))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    fill_gradients(model, 0)
    optimizer.step()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
