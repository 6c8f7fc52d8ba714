"""Metrics of any sample of the examples, and after exchanging answers, equal the metric computed directly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.metrics import entities
from bertsmith.metrics.classification import NUMBER_METRICS, SET_METRICS, Metric, class_metrics, micro_f1, spearman
from bertsmith.metrics.measurements import Measurement

CLASS_METRICS = {**class_metrics(2), "micro_f1": micro_f1}
METRICS = {**CLASS_METRICS, **NUMBER_METRICS, **{f"{name}_of_sets": metric for name, metric in SET_METRICS.items()}}


def data(name: str, draw: np.random.Generator, examples: int) -> tuple[npt.NDArray[np.float64], ...]:
    """Labels and the answers of two models, as the metric expects them; with ties."""
    if name in CLASS_METRICS:
        return tuple(draw.integers(0, top, examples) for top in (4, 3, 5))  # type: ignore[return-value]
    if name in NUMBER_METRICS:
        return tuple(draw.integers(0, 8, examples) / 4 for _ in range(3))
    return tuple(draw.random((examples, 3)) < 0.4 for _ in range(3))  # type: ignore[return-value]


many = given(st.sampled_from(sorted(METRICS)), st.integers(1, 25), st.integers(0, 10_000))


@settings(max_examples=200)
@many
def test_over_a_choice_it_is_the_metric_of_the_chosen_examples(name: str, examples: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    gold, predicted, _ = data(name, draw, examples)
    metric: Metric = METRICS[name]
    times = draw.integers(0, 3, (4, examples))
    times[:, 0] += 1  # at least one example
    expected = [metric(np.repeat(gold, row, axis=0), np.repeat(predicted, row, axis=0)) for row in times]
    measured = metric.measure(gold, predicted)
    assert len(measured) == examples
    assert measured.over(times.astype(np.float64)) == pytest.approx(expected, abs=1e-9)
    assert measured.value == pytest.approx(metric(gold, predicted), abs=1e-9)


def swapped(
    a: Measurement, b: Measurement, draw: np.random.Generator, rows: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    where = a.differs(b)
    return where, draw.random((rows, int(where.sum()))) < 0.5


@settings(max_examples=200)
@many
def test_exchanged_answers_give_the_metric_of_what_each_then_says(name: str, examples: int, seed: int) -> None:
    """Except for correlations, whose answers are exchanged on a common scale."""
    if name in ("pearson", "spearman"):
        return
    draw = np.random.default_rng(seed)
    gold, *both = data(name, draw, examples)
    metric: Metric = METRICS[name]
    a, b = (metric.measure(gold, side) for side in both)
    where, swaps = swapped(a, b, draw, 4)
    found = a.exchanged(b, where, swaps)
    for number, swap in enumerate(swaps):
        chosen = np.zeros(examples, dtype=bool)
        chosen[where] = swap
        mixed = [side.copy() for side in both]
        mixed[0][chosen], mixed[1][chosen] = both[1][chosen], both[0][chosen]
        expected = [metric(gold, side) for side in mixed]
        assert [found[0][number], found[1][number]] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_nothing_exchanged_changes_nothing_and_all_exchanged_changes_sides(name: str) -> None:
    gold, *both = data(name, np.random.default_rng(3), 30)
    a, b = (METRICS[name].measure(gold, side) for side in both)
    where = a.differs(b)
    swaps = np.stack([np.zeros(int(where.sum()), dtype=bool), np.ones(int(where.sum()), dtype=bool)])
    of_a, of_b = a.exchanged(b, where, swaps)
    assert [*of_a, *of_b] == pytest.approx([a.value, b.value, b.value, a.value], abs=1e-9)


@pytest.mark.parametrize("name", ["pearson", "spearman"])
def test_correlations_do_not_see_the_scale_of_a_model(name: str) -> None:
    """A model whose answers are three times those of the other model plus one does not differ."""
    draw = np.random.default_rng(0)
    gold, answers = draw.random(40), draw.random(40)
    a, b, other = (METRICS[name].measure(gold, side) for side in (answers, 3 * answers + 1, draw.random(40)))
    assert a.value == pytest.approx(b.value, abs=1e-12)
    rows = np.random.default_rng(1).random((5, 40)) < 0.5
    everywhere = np.ones(40, dtype=bool)
    expected = a.exchanged(other, everywhere, rows)
    for side, found in zip(expected, b.exchanged(other, everywhere, rows), strict=True):
        assert found == pytest.approx(side, abs=1e-9)


def test_ranks_are_those_of_the_choice() -> None:
    """1, 2, 2, 9 have ranks 1, 2.5, 2.5, 4; without the last and with the first twice: 1.5, 3.5, 3.5."""
    gold, predicted = np.array([1.0, 2, 2, 9]), np.array([1.0, 2, 3, 4])
    times = np.array([[2.0, 1, 1, 0]])
    a, b = np.array([1.5, 1.5, 3.5, 3.5]), np.array([1.5, 1.5, 3, 4])
    assert spearman.measure(gold, predicted).over(times) == pytest.approx(np.corrcoef(a, b)[0, 1])


def test_entities_count_by_the_sentence() -> None:
    """Two sentences; the second, in which one model finds nothing, counts three times."""
    gold = [["B-X", "O"], ["B-X", "B-Y"]]
    a, b = (
        entities.measure(entities.count(gold, answers))
        for answers in ([["B-X", "O"], ["O", "O"]], [["B-X", "B-X"], ["B-X", "B-Y"]])
    )
    times = np.array([[1.0, 3.0]])
    assert a["recall"].over(times) == pytest.approx(1 / 7) and a["precision"].over(times) == 1
    assert b["precision"].over(times) == pytest.approx(7 / 8) and b["recall"].over(times) == 1
    assert a["f1"].differs(b["f1"]).tolist() == [True, True]
    of_a, of_b = a["f1"].exchanged(b["f1"], np.array([True, True]), np.array([[False, True]]))
    assert (of_a[0], of_b[0]) == pytest.approx((1.0, 2 / 5))  # B keeps one right of two predicted, of three
