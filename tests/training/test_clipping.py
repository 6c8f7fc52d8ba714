"""Gradients are clipped by their true norm, also where there are millions of them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bertsmith.training.clipping import clip_gradients

LARGE = 8_000_000


def with_gradients(*gradients: torch.Tensor) -> nn.ParameterList:
    """A model with these gradients."""
    parameters = nn.ParameterList(nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    return parameters


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def double_norm(*gradients: torch.Tensor) -> float:
    return float(torch.cat([gradient.double().reshape(-1) for gradient in gradients]).norm())


def test_the_norm_of_large_gradients_is_that_in_double_precision() -> None:
    gradient = noise(2000, 4000)
    assert gradient.numel() == LARGE
    expected = double_norm(gradient)
    assert clip_gradients(with_gradients(gradient), 1e9) == pytest.approx(expected, rel=1e-6)
    stock = float(nn.utils.get_total_norm([gradient]))
    assert abs(stock / expected - 1) > 1e-5, "torch sums as well now: CHUNK is no longer needed"


def test_the_norm_is_that_of_all_gradients_whatever_their_shapes() -> None:
    gradients = [noise(300, 700, seed=1), noise(5, seed=2), noise(64, 2, 3, seed=3), torch.zeros(9)]
    model = with_gradients(*gradients)
    model.append(nn.Parameter(torch.ones(4)))  # one without a gradient
    assert clip_gradients(model, 1e9) == pytest.approx(double_norm(*gradients), rel=1e-6)


def test_gradients_above_the_norm_are_scaled_down_to_it() -> None:
    gradients = [noise(300, 700, seed=1), noise(5, seed=2)]
    model = with_gradients(*gradients)
    before = clip_gradients(model, 2.0)
    after = [parameter.grad for parameter in model if parameter.grad is not None]
    assert before == pytest.approx(double_norm(*gradients), rel=1e-6)
    assert double_norm(*after) == pytest.approx(2.0, rel=1e-5)
    for gradient, scaled in zip(gradients, after, strict=True):
        torch.testing.assert_close(scaled, gradient * (2.0 / before), rtol=1e-5, atol=0)


@pytest.mark.parametrize("factor", [1.0 + 1e-3, 10.0])
def test_gradients_below_the_norm_stay_as_they_are(factor: float) -> None:
    gradient = noise(300, 700)
    model = with_gradients(gradient)
    norm = clip_gradients(model, factor * double_norm(gradient))
    assert norm == pytest.approx(double_norm(gradient), rel=1e-6)
    assert model[0].grad is not None and torch.equal(model[0].grad, gradient)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_shows_in_the_norm(bad: float) -> None:
    gradient = noise(30)
    gradient[7] = bad
    norm = clip_gradients(with_gradients(gradient), 1.0)
    assert norm != norm or norm == float("inf")
