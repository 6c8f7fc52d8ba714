"""The defaults of a fine-tuning."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bertsmith.finetuning.defaults import choose_epochs, choose_learning_rate


@pytest.mark.parametrize(
    ("examples", "batch_size", "epochs"),
    [(1, 32, 10), (100, 32, 10), (1_920, 32, 5), (3_200, 32, 3), (100_000, 32, 3), (960, 16, 5)],
)
def test_small_files_are_passed_over_more_often(examples: int, batch_size: int, epochs: int) -> None:
    choice = choose_epochs(examples, batch_size)
    assert float(choice.value) == epochs
    assert choice.reason.endswith(f"; an epoch has {examples:,} row{'s' if examples > 1 else ''}")


def test_narrow_models_learn_faster() -> None:
    rates = [float(choose_learning_rate(SimpleNamespace(hidden_size=width)).value) for width in (768, 384, 128)]
    assert rates == [4e-5, 1.1e-4, 5.9e-4]
    assert float(choose_learning_rate(SimpleNamespace(dim=768)).value) == 4e-5
