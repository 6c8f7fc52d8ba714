"""Probabilities and losses in NumPy equal those of torch, for logits of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch.nn import functional

from bertsmith.metrics.probabilities import binary_cross_entropies, log_softmax, sigmoid, softmax

Array = npt.NDArray[Any]
TOLERANCE = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-12}


def logits_of(dtype: type) -> st.SearchStrategy[Array]:
    """Logits of [cases, classes], up to 10,000 and with ties."""
    values = st.one_of(st.integers(-5, 5).map(float), st.floats(-1e4, 1e4, width=32))
    return arrays.arrays(dtype, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=values)


either = st.one_of(logits_of(np.float32), logits_of(np.float64))


@given(either, st.sampled_from([1.0, 0.05, 3.0]))
def test_softmax(logits: Array, temperature: float) -> None:
    found, expected = softmax(logits, temperature), (torch.from_numpy(logits) / temperature).softmax(-1).numpy()
    assert found.dtype == logits.dtype
    # Of float32 a quotient of thousands is rounded to 1e-3, which is an error of as much in the logits.
    rounding = np.abs(logits).max() / temperature * np.finfo(logits.dtype).eps
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE[logits.dtype] + 4 * rounding, atol=1e-30)
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=TOLERANCE[logits.dtype])
    highest = np.take_along_axis(found, logits.argmax(axis=-1, keepdims=True), -1)
    assert (highest == found.max(axis=-1, keepdims=True)).all()


@given(either, st.sampled_from([1.0, 0.05, 3.0]))
def test_log_softmax(logits: Array, temperature: float) -> None:
    found, expected = log_softmax(logits, temperature), (torch.from_numpy(logits) / temperature).log_softmax(-1)
    assert found.dtype == logits.dtype
    tolerance = TOLERANCE[logits.dtype]
    np.testing.assert_allclose(found, expected.numpy(), rtol=tolerance, atol=tolerance)


@given(either)
def test_sigmoid(logits: Array) -> None:
    found, expected = sigmoid(logits), torch.from_numpy(logits).sigmoid().numpy()
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE[logits.dtype], atol=1e-37)
    assert found.dtype == logits.dtype and ((found >= 0) & (found <= 1)).all()


@given(logits_of(np.float64), st.integers(0, 2**32 - 1))
def test_binary_cross_entropies_down_to_the_least(logits: Array, seed: int) -> None:
    """Also for confident correct answers, which a difference of large numbers would lose (torch loses some)."""
    targets = np.random.default_rng(seed).integers(0, 2, logits.shape).astype(np.float64)
    found = binary_cross_entropies(logits, targets)
    exact = -functional.logsigmoid(torch.from_numpy(np.where(targets > 0, logits, -logits)))
    np.testing.assert_allclose(found, exact.numpy(), rtol=1e-12)
    given_ = torch.from_numpy(logits), torch.from_numpy(targets)
    loss = functional.binary_cross_entropy_with_logits(*given_, reduction="none")
    np.testing.assert_allclose(found, loss.numpy(), rtol=1e-12, atol=1e-11)


def test_half_is_the_probability_of_a_logit_of_zero() -> None:
    assert sigmoid(np.zeros(1)).item() == 0.5
    assert (sigmoid(np.array([1e-15, 1e-7])) > 0.5).all()


def test_infinite_logits_have_their_limits() -> None:
    assert sigmoid(np.array([-np.inf, np.inf])).tolist() == [0.0, 1.0]
    assert softmax(np.array([0.0, -np.inf, 0.0])).tolist() == [0.5, 0.0, 0.5]
    assert log_softmax(np.array([[0.0, -np.inf]])).tolist() == [[0.0, -np.inf]]
    assert binary_cross_entropies(np.array([np.inf, -np.inf]), np.array([1.0, 0.0])).tolist() == [0.0, 0.0]
    assert binary_cross_entropies(np.array([np.inf, -np.inf]), np.array([0.0, 1.0])).tolist() == [np.inf, np.inf]


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_broken_model_gives_nan_without_a_warning(broken: float) -> None:
    """Warnings are errors here."""
    logits = np.array([[broken, 0.0, 1.0]])
    expected = torch.from_numpy(logits)
    np.testing.assert_array_equal(np.isnan(softmax(logits)), expected.softmax(-1).isnan().numpy())
    assert np.isnan(log_softmax(logits)).any() and expected.log_softmax(-1).isnan().any()
    assert np.isnan(sigmoid(np.array([np.nan]))).all()
