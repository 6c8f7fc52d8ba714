"""Similarity of vectors: known cases, and a comparison of every pair."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from bertsmith.metrics.anisotropy import anisotropy, mean_cosine


def drawn(count: int, size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, size))


def test_the_figures_are_those_of_every_pair_one_by_one() -> None:
    vectors = drawn(40, 5) + 0.7
    found = anisotropy(vectors)

    def cosines(given: np.ndarray) -> list[float]:
        return [float(a @ b / np.sqrt((a @ a) * (b @ b))) for a, b in combinations(given, 2)]

    plain, centred = cosines(vectors), cosines(vectors - vectors.mean(axis=0))
    assert found.mean_cosine == pytest.approx(np.mean(plain))
    assert found.cosine_5th_percentile == pytest.approx(np.quantile(plain, 0.05))
    assert found.cosine_95th_percentile == pytest.approx(np.quantile(plain, 0.95))
    assert found.centred_mean_cosine == pytest.approx(np.mean(centred))
    assert found.centred_cosine_5th_percentile == pytest.approx(np.quantile(centred, 0.05))
    assert found.centred_cosine_95th_percentile == pytest.approx(np.quantile(centred, 0.95))
    variances = np.linalg.eigvalsh(np.cov(vectors.T))
    assert found.first_component_share == pytest.approx(variances.max() / variances.sum())


def test_vectors_in_all_directions_have_no_cosine() -> None:
    found = anisotropy(drawn(800, 64))
    assert found.mean_cosine == pytest.approx(0, abs=0.005)
    assert found.first_component_share == pytest.approx(1 / 64, abs=0.02)


def test_a_constant_and_noise_are_alike_until_the_mean_is_subtracted() -> None:
    found = anisotropy(10 + drawn(500, 32))
    assert found.mean_cosine == pytest.approx(1 / (1 + 0.01), abs=1e-3), "noise of 1 on 10: 100 / 101"
    assert found.centred_mean_cosine == pytest.approx(0, abs=0.01)


def test_vectors_on_one_line_have_one_component() -> None:
    found = anisotropy(np.outer([1.0, 2.0, 3.0, 7.0], [3.0, 4.0]))
    assert found.mean_cosine == pytest.approx(1)
    assert found.first_component_share == pytest.approx(1)


def test_four_vectors_by_hand() -> None:
    """Two pairs of opposite vectors: of six pairs, two have cosine -1 and four have cosine 0."""
    found = anisotropy(np.array([[2.0, 0], [-2, 0], [0, 1], [0, -1]]))
    assert found.mean_cosine == pytest.approx(-1 / 3) == found.centred_mean_cosine
    assert found.first_component_share == pytest.approx(8 / 10)


def test_equal_vectors_have_nothing_around_their_mean() -> None:
    found = anisotropy(np.full((5, 3), 0.1, np.float32))
    assert found.mean_cosine == pytest.approx(1)
    assert found.centred_mean_cosine is found.centred_cosine_95th_percentile is found.first_component_share is None


def test_a_vector_of_zeros_is_like_none() -> None:
    assert mean_cosine(np.array([[0.0, 0], [1, 0], [1, 0]])) == pytest.approx(1 / 3)


def test_neither_scale_nor_order_changes_the_cosines() -> None:
    vectors = drawn(30, 8, seed=1)
    scales = np.random.default_rng(2).uniform(0.1, 9, (30, 1))
    assert mean_cosine(vectors) == pytest.approx(mean_cosine((vectors * scales)[::-1]))
