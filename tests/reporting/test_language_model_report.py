"""The page of an evaluated language model: every figure that was measured, and a word where one was not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bertsmith.records.language_model_figures import LanguageModelFigures
from bertsmith.records.pretraining import PairAudit
from bertsmith.reporting.language_model_report import language_model_report, vectors_advice

FIGURES: dict[str, Any] = {
    "mlm_nats_per_masked_token": 5.87,
    "mlm_accuracy": 0.142,
    "perplexity": 354.2,
    "unigram_nats_per_token": 6.56,
    "next_sentence_accuracy": 0.6,
    "next_sentence_majority": 0.51,
    "nsp_nats_per_pair": 0.68,
    "num_masked_tokens": 100,
    "num_pairs": 50,
}


def group(name: str, count: int, nats: float, unigram: float | None = 6.5) -> dict[str, Any]:
    return {"group": name, "count": count, "nats": nats, "accuracy": 0.25, "unigram_nats": unigram}


BREAKDOWN: dict[str, Any] = {
    "frequency": [group("never", 4, 12.5), group("10,000 or more", 96, 3.25)],
    "piece": [group("whole word", 100, 5.87)],
    "place": [group("first third", 30, 5.9), group("last third", 70, 5.8)],
    "shown": [group("[MASK]", 80, 6.37), group("itself", 20, 0.67)],
}


def likeness(cosine: float = 0.66, share: float | None = 0.1) -> dict[str, Any]:
    centred = None if share is None else 0.0
    return {
        "mean_cosine": cosine,
        "cosine_5th_percentile": cosine - 0.1,
        "cosine_95th_percentile": cosine + 0.1,
        "centred_mean_cosine": centred,
        "centred_cosine_5th_percentile": None if share is None else -0.375,
        "centred_cosine_95th_percentile": None if share is None else 0.625,
        "first_component_share": share,
    }


VECTORS: dict[str, Any] = {
    "sentences": 900,
    "mean": likeness(),
    "cls": likeness(0.82),
    "by_layer": [{"layer": 0, "mean": 0.7, "cls": 1.0}, {"layer": 1, "mean": 0.66, "cls": 0.82}],
}
PSEUDO: dict[str, Any] = {
    "pseudo_perplexity": 632.6,
    "nats_per_token": 6.45,
    "nats_per_token_standard_error": 0.035,
    "nats_per_word": 7.057,
    "nats_per_word_standard_error": None,
    "sentences": 200,
    "tokens": 6_514,
    "words": 5_954,
    "unknown_tokens": 3,
    "cut_sentences": 0,
}
AUDIT: dict[str, Any] = {
    "pairs": 1_000,
    "is_next": 500,
    "not_next": 500,
    "forced_random": 7,
    "same_document_negatives": 0,
    "left_out_tokens": 12,
    "swap": False,
    "held_out_pairs": 50,
    "majority": 0.51,
    "length_only": {"value": 0.53, "low": 0.5, "high": 0.56},
}


def page(figures: dict[str, Any], audit: dict[str, Any] | None = None) -> str:
    of_model = {name: figures.get(name, value) for name, value in FIGURES.items()}
    html = language_model_report(
        "runs/books",
        "data/books",
        LanguageModelFigures(**of_model),
        details=figures,
        audit=None if audit is None else PairAudit(**audit),
        options={"seed": 0},
    )
    return re.sub(r"\s+", " ", html)


def test_everything_that_was_measured_is_on_the_page() -> None:
    html = page({"breakdown": BREAKDOWN, "pseudo_perplexity": PSEUDO, "sentence_vectors": VECTORS}, AUDIT)
    assert "books on books" in html
    for words in (
        "5.87",
        "14.2%",
        "12.500",
        "96.0%",
        "10,000 or more",
        "the loss is 6.37 nats, 0.13 below the unigram baseline",
        "visible in the input (0.67 nats)",
    ):
        assert words in html
    for words in ("632.6", "standard error 0.035", "7.057", "6,514 tokens", "Unknown tokens, not predicted: 3"):
        assert words in html
    for words in ("lengths alone", "53.0%", "The model beats", "0.660", "0.820", "0.625", "about 0.66"):
        assert words in html
    assert "standard error None" not in html and "were truncated" not in html
    # Four groupings, the accuracies, the layers.
    assert html.count("<svg") == 6 + html.count('<svg class="chart" overflow') + html.count('overflow="hidden"')


def test_details_that_are_on_the_page_are_not_advised() -> None:
    assert "--details" not in page({"breakdown": BREAKDOWN})


def test_what_was_not_measured_is_said() -> None:
    bare = {name: [{**item, "unigram_nats": None} for item in groups] for name, groups in BREAKDOWN.items()}
    html = page(
        {"breakdown": {**bare, "frequency": None}, "unigram_nats_per_token": None}, {**AUDIT, "length_only": None}
    )
    assert "the token counts of the training text are unknown" in html
    assert "the unigram baseline" not in html and "the loss is 6.37 nats. The total loss" in html
    assert "it needs the training pairs of a STORE" in html
    assert "lengths alone" not in html
    assert "this needs at least two sentences." in html
    assert "Pseudo-perplexity" not in html
    assert "Next sentence</h2>" not in page({"breakdown": BREAKDOWN})


@pytest.mark.parametrize(
    ("cosine", "share", "expected"),
    [
        (0.93, 0.1, "about 0.93, so a high cosine says little. Subtract the mean vector"),
        (0.35, 0.1, "compare cosines with each other, not with a fixed limit"),
        (0.03, 0.1, "you can compare the vectors as they are"),
        (0.93, 0.4, "One direction holds 40.0% of the rest"),
        (1.0, None, "All sentences have the same vector"),
    ],
)
def test_the_advice_follows_from_the_cosines(cosine: float, share: float | None, expected: str) -> None:
    advice = vectors_advice({"mean": likeness(cosine, share)})
    assert expected in advice
    assert ("One direction" in advice) == (share == 0.4)
