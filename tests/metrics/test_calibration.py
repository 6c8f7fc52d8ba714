"""ECE, Brier score, log-likelihood and temperature, compared with hand calculations and independent code."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch.nn import functional

from bertsmith.metrics.calibration import BINS, calibration, fitted_temperature
from bertsmith.metrics.probabilities import log_softmax

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def logits_of(probabilities: list[list[float]]) -> Floats:
    with np.errstate(divide="ignore"):
        found: Floats = np.log(np.array(probabilities))
    return found


def cases(seed: int, *, sharpness: float = 1.0, count: int = 400, classes: int = 4) -> tuple[Floats, Ints]:
    """Logits, and labels drawn from their probabilities; then the logits are scaled (above 1: over-confident)."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(0, 2, (count, classes))
    probabilities = np.exp(log_softmax(logits))
    gold = np.array([draw.choice(classes, p=row) for row in probabilities])
    return sharpness * logits, gold


def test_by_hand() -> None:
    """Bins of width 1/15: 0.6 is the upper end of (8/15, 9/15]; 0.9 and 0.92 are in (13/15, 14/15]."""
    found = calibration(logits_of([[0.6, 0.4], [0.9, 0.1], [0.08, 0.92], [0.3, 0.7]]), np.array([0, 0, 0, 1]))
    assert [(bin_.count, round(bin_.low * BINS)) for bin_ in found.bins if bin_.count] == [(1, 8), (1, 10), (2, 13)]
    assert found.ece == pytest.approx((1 * (1 - 0.6) + 1 * (1 - 0.7) + 2 * abs(0.5 - 0.91)) / 4)
    assert found.brier == pytest.approx((2 * 0.4**2 + 2 * 0.1**2 + 2 * 0.92**2 + 2 * 0.3**2) / 4)
    assert found.nll == pytest.approx(-(math.log(0.6) + math.log(0.9) + math.log(0.08) + math.log(0.7)) / 4)
    assert found.cases == 4
    assert found.bins[13].confidence == pytest.approx(0.91) and found.bins[13].accuracy == 0.5
    assert math.isnan(found.bins[0].accuracy)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("seed", [0, 1])
def test_random_cases_equal_another_computation(seed: int, temperature: float) -> None:
    logits, gold = cases(seed, sharpness=2.0)
    found = calibration(logits, gold, temperature)
    scaled = torch.from_numpy(logits) / temperature
    probabilities, target = scaled.softmax(1), torch.from_numpy(gold)
    assert found.nll == pytest.approx(functional.cross_entropy(scaled, target).item(), rel=1e-12)
    brier = ((probabilities - functional.one_hot(target, 4)) ** 2).sum(1).mean().item()
    assert found.brier == pytest.approx(brier, rel=1e-12)
    top, said = probabilities.max(1)
    ece = 0.0
    for number in range(15):
        inside = (top > number / 15) & (top <= (number + 1) / 15)
        if inside.any():
            gap = (said[inside] == target[inside]).double().mean() - top[inside].mean()
            ece += inside.double().mean().item() * abs(gap.item())
    assert found.ece == pytest.approx(ece, rel=1e-12)


def test_certainty_is_in_the_last_bin() -> None:
    found = calibration(np.array([[1000.0, 0.0]]), np.array([0]))
    assert found.bins[-1].count == 1
    assert (found.ece, found.brier, found.nll) == (0, 0, 0)


def test_a_class_that_a_case_lacks_counts_for_nothing() -> None:
    three = np.array([[1.0, -0.5, -np.inf], [0.2, 0.1, 1.5]])
    found = calibration(three, np.array([0, 2]), 1.7)
    apart = [calibration(three[:1, :2], np.array([0]), 1.7), calibration(three[1:], np.array([2]), 1.7)]
    for name, value in found.figures().items():
        if name != "ece":
            assert value == pytest.approx(np.mean([each.figures()[name] for each in apart]))
    assert np.isfinite(found.ece)


@pytest.mark.parametrize("sharpness", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_temperature_is_the_best_of_a_fine_grid(seed: int, sharpness: float) -> None:
    logits, gold = cases(seed, sharpness=sharpness)
    temperature = fitted_temperature(logits, gold)
    assert temperature is not None
    grid = np.exp(np.linspace(math.log(0.1), math.log(10), 4001))
    losses = [calibration(logits, gold, float(each)).nll for each in grid]
    best = float(grid[int(np.argmin(losses))])
    assert temperature == pytest.approx(best, rel=2e-3)
    assert calibration(logits, gold, temperature).nll <= min(losses)


def test_the_temperature_equals_that_of_lbfgs() -> None:
    logits, gold = cases(3, sharpness=2.5)
    tensor, target = torch.from_numpy(logits), torch.from_numpy(gold)
    inverse = torch.ones((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([inverse], max_iter=200, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(tensor * inverse, target)
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    assert fitted_temperature(logits, gold) == pytest.approx(1 / inverse.item(), rel=1e-6)


def test_the_temperature_with_lacking_classes_is_the_best_of_a_grid() -> None:
    logits, gold = cases(4, sharpness=2.0)
    lacking = np.arange(len(gold)) % 3 == 0
    gold[lacking] = np.minimum(gold[lacking], 2)
    logits[lacking, 3] = -np.inf
    temperature = fitted_temperature(logits, gold)
    assert temperature is not None
    losses = [calibration(logits, gold, each).nll for each in np.linspace(0.2, 10, 4000)]
    assert calibration(logits, gold, temperature).nll <= min(losses)


@pytest.mark.parametrize("seed", range(5))
def test_over_confident_logits_are_mended_on_data_that_nothing_was_fitted_on(seed: int) -> None:
    logits, gold = cases(seed, sharpness=3.0, count=2000)
    temperature = fitted_temperature(logits[:1000], gold[:1000])
    assert temperature == pytest.approx(3.0, rel=0.15), "what they were multiplied by"
    before, after = (calibration(logits[1000:], gold[1000:], each) for each in (1.0, temperature))
    assert after.ece < before.ece / 3
    assert after.brier < before.brier and after.nll < before.nll


def test_there_is_no_best_temperature_where_all_is_right_or_nothing_is_known() -> None:
    logits, gold = cases(5)
    assert fitted_temperature(logits, logits.argmax(axis=1)) is None
    assert fitted_temperature(logits, logits.argmin(axis=1)) is None
    assert fitted_temperature(np.zeros((10, 3)), gold[:10] % 3) is None


def test_one_small_mistake_among_great_certainties_has_a_temperature() -> None:
    logits = np.array([[400.0, 0.0]] * 50 + [[1e-3, 0.0]])
    temperature = fitted_temperature(logits, np.array([0] * 50 + [1]))
    assert temperature is not None and 0 < temperature < math.inf
