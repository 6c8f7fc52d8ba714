"""A loss below the unigram baseline is only called good if copying from the input cannot explain it."""

from __future__ import annotations

import pytest

from bertsmith.records.language_model_figures import LanguageModelFigures
from bertsmith.reporting.unigram import compared_with_unigram


def figures(nats: float | None, unigram: float | None) -> LanguageModelFigures:
    return LanguageModelFigures(mlm_nats_per_masked_token=nats, unigram_nats_per_token=unigram)


@pytest.mark.parametrize(
    ("nats", "kind", "words"),
    [
        (6.0, "warning", "is no better than the unigram baseline"),
        (5.4, "info", "does not show that the model learned anything at [MASK]"),
        (5.39, "good", "beats the unigram baseline by 0.61 nats"),
    ],
)
def test_the_three_cases(nats: float, kind: str, words: str) -> None:
    """A unigram model that copies the tenth that is shown has 0.9 of the baseline."""
    found = compared_with_unigram(figures(nats, 6.0))
    assert found is not None
    assert found[1] == kind and words in found[0]
    assert ("evaluate RUN STORE --details" in found[0]) == (kind != "warning")
    detailed = compared_with_unigram(figures(nats, 6.0), detailed=True)
    assert detailed is not None and words in detailed[0]
    assert "--details" not in detailed[0] and detailed[0].endswith(".")


def test_without_a_loss_or_a_baseline_nothing_is_said() -> None:
    assert compared_with_unigram(figures(None, 6.0)) is None
    assert compared_with_unigram(figures(5.0, None)) is None
