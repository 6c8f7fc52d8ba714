"""The most probable tokens equal those of a full sort, for any number of logits and ties."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.tasks.fill_mask.predict import GROUP, _most_probable


@given(
    st.integers(1, 5 * GROUP + 1).flatmap(lambda size: st.tuples(st.just(size), st.integers(1, size))),
    st.integers(1, 1_000),
    st.integers(0, 2**32 - 1),
)
def test_the_most_probable_tokens_are_those_of_a_full_sort(
    size_and_count: tuple[int, int], values: int, seed: int
) -> None:
    """With few distinct values most logits are equal: lower ids come first."""
    size, count = size_and_count
    logits = (np.random.default_rng(seed).integers(0, values, size) / 100).astype(np.float32)
    tokens, probabilities = _most_probable(logits, count)
    expected = np.argsort(-logits, kind="stable")[:count]
    assert tokens.tolist() == expected.tolist()
    weights = np.exp(logits.astype(np.float64) - logits.max())
    np.testing.assert_allclose(probabilities, (weights / weights.sum())[expected], rtol=1e-5)
    assert probabilities.dtype == np.float32


def test_a_vocabulary_of_usual_size() -> None:
    logits = np.random.default_rng(0).standard_normal(30_522).astype(np.float32)
    for count in (1, 5, 2_000, 30_522):
        tokens, probabilities = _most_probable(logits, count)
        assert tokens.tolist() == np.argsort(-logits, kind="stable")[:count].tolist()
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_a_vocabulary_of_one_entry() -> None:
    tokens, probabilities = _most_probable(np.array([-3.5], dtype=np.float32), 1)
    assert (tokens.tolist(), probabilities.tolist()) == ([0], [1.0])


@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_extreme_logits_are_as_torch_has_them(scale: float) -> None:
    logits = (scale * np.random.default_rng(1).standard_normal(1_000)).astype(np.float32)
    logits[::7] = -np.inf
    tokens, probabilities = _most_probable(logits, 5)
    expected = torch.from_numpy(logits).softmax(-1).topk(5)
    assert tokens[:1].tolist() == expected.indices[:1].tolist()
    np.testing.assert_allclose(probabilities, expected.values.numpy(), rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("broken", [1, 500, 1_000])
def test_a_broken_model_has_tokens_without_a_probability(broken: int) -> None:
    """As in torch's softmax, a NaN logit makes all probabilities NaN."""
    logits = np.random.default_rng(2).standard_normal(1_000).astype(np.float32)
    logits[:broken] = np.nan
    tokens, probabilities = _most_probable(logits, 5)
    assert len(set(tokens.tolist())) == 5 and np.isnan(probabilities).all()
