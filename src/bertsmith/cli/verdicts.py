"""Verdicts for the terminal: whether a model is good, and compared with what.

The thresholds are those of report.html and the model card (`reporting.unigram`, `reporting.pair_baselines`,
`reporting.verdict`), so that all three always agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.records.language_model_figures import LanguageModelFigures
from bertsmith.records.pretraining import PairAudit
from bertsmith.reporting.numbers import percent
from bertsmith.reporting.pair_baselines import LENGTHS, MAJORITY, best_baseline, compared_with_baseline
from bertsmith.reporting.unigram import compared_with_unigram
from bertsmith.runtime.console import wrapped

LEARNED, UNCERTAIN, NOT_LEARNED = "learned", "uncertain", "not learned"
BASELINES = {LENGTHS: "segment lengths alone", MAJORITY: "always giving the same answer"}
UNIGRAM = "the unigram baseline, which knows only how frequent each token is,"


def language_model_lines(
    after: Mapping[str, Any], before: Mapping[str, Any] | None = None, audit: PairAudit | None = None
) -> list[str]:
    """Return a verdict for each objective of a language model, then an empty line and its other figures.

    `before` holds the figures before training, `audit` the accuracy that the lengths of the segments give alone.
    """
    figures = _figures(after)
    earlier = None if before is None else before["mlm_nats_per_masked_token"]
    lines = []
    if figures.mlm_nats_per_masked_token is not None:
        lines.append(wrapped(f"Masked tokens: {_masked_tokens(figures, earlier)}"))
    if figures.next_sentence_accuracy is not None:
        name = "Segment order" if audit is not None and audit.swap else "Next sentence"
        lines.append(wrapped(f"{name}: {_pairs(figures, audit)}"))
    if figures.mlm_accuracy is not None and figures.perplexity is not None:
        right = f"{percent(figures.mlm_accuracy)} of {figures.num_masked_tokens:,} predicted correctly"
        return [*lines, "", f"  {'masked tokens':<17} {right}, perplexity {figures.perplexity:,.1f}"]
    return [*lines, ""]


def _figures(values: Mapping[str, Any]) -> LanguageModelFigures:
    names = {field.name for field in fields(LanguageModelFigures)}
    return LanguageModelFigures(**{name: value for name, value in values.items() if name in names})


def _masked_tokens(figures: LanguageModelFigures, earlier: float | None) -> str:
    nats, unigram = figures.mlm_nats_per_masked_token, figures.unigram_nats_per_token
    assert nats is not None
    was = "" if earlier is None else f" Before training it was {earlier:.3f}."
    compared = compared_with_unigram(figures, detailed=True)
    if compared is None or unigram is None:
        return f"held-out loss {nats:.3f} nats.{was}"
    baseline = f"{UNIGRAM} has {unigram:.3f}."
    if compared[1] == "warning":
        return (
            f"{NOT_LEARNED}. The held-out loss of {nats:.3f} nats is no better than {UNIGRAM} with {unigram:.3f}.{was}"
        )
    if earlier is not None and earlier < unigram and nats >= earlier:
        return f"no better than before training. Held-out loss {nats:.3f} nats; it was {earlier:.3f}."
    if compared[1] == "info":
        seen = "Copying tokens that are visible in the input could explain this."
        return f"{UNCERTAIN}. Held-out loss {nats:.3f} nats; {baseline} {seen}{was}"
    word = "improved" if earlier is not None and earlier < unigram else LEARNED
    return f"{word}. Held-out loss {nats:.3f} nats; {baseline}{was}"


def _pairs(figures: LanguageModelFigures, audit: PairAudit | None) -> str:
    accuracy, baseline = figures.next_sentence_accuracy, best_baseline(figures, audit)
    assert accuracy is not None
    right = f"right on {percent(accuracy)} of {figures.num_pairs:,} held-out pairs"
    compared = compared_with_baseline(figures, audit)
    if compared is None or baseline is None:
        return f"{right}."
    other = f"{BASELINES[baseline.name]} ({percent(baseline.accuracy)})"
    if compared[1] == "warning":
        return f"no better than {other}. The model is {right}."
    if compared[1] == "info":
        return f"{UNCERTAIN}. The model is {right}: too few pairs to show that it beats {other}."
    return f"{LEARNED}. The model is {right} and beats {other}."


def head_verdict(record: FinetuningRecord) -> list[str]:
    """Return the verdict on a finished RUN of `finetune`: how often it is wrong, and how good the baseline is."""
    from bertsmith.reporting.verdict import verdict
    from bertsmith.tasks.card_texts import card_texts

    headline, sentences, tone = verdict(record, card_texts(record))
    word = LEARNED if tone == "good" else NOT_LEARNED if record.learnt_nothing else UNCERTAIN
    return [wrapped(f"{word.capitalize()}: {headline[0].lower()}{headline[1:]}."), *map(wrapped, sentences)]
