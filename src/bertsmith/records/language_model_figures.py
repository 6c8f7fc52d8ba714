"""The metrics of a language model, as printed by `evaluate`, stored by a run, and shown in reports and cards."""

from __future__ import annotations

from dataclasses import dataclass

from bertsmith.config.verb import Result


@dataclass(frozen=True)
class LanguageModelFigures(Result):
    """The metrics of a language model on held-out text; None if the model lacks the head or there are no counts.

    Attributes:
        mlm_nats_per_masked_token: cross-entropy of the correct tokens at the masked positions, in nats.
        perplexity: its exponential.
        unigram_nats_per_token: the same cross-entropy for the unigram baseline.
        next_sentence_majority: accuracy of always giving the more frequent answer. It may exceed 0.5, because short
            documents give more random pairs than consecutive pairs.
    """

    mlm_nats_per_masked_token: float | None = None
    mlm_accuracy: float | None = None
    perplexity: float | None = None
    unigram_nats_per_token: float | None = None
    next_sentence_accuracy: float | None = None
    next_sentence_majority: float | None = None
    nsp_nats_per_pair: float | None = None
    num_masked_tokens: int = 0
    num_pairs: int = 0
