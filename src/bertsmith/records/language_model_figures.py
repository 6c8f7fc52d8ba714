"""The figures of a language model: what `evaluate` prints, a run records, and reports and cards show."""

from __future__ import annotations

from dataclasses import dataclass

from bertsmith.config.verb import Result


@dataclass(frozen=True)
class LanguageModelFigures(Result):
    """The figures of a language model on a held-out part; None where the model has no such head or counts lack.

    `mlm_nats_per_masked_token` is the cross-entropy of the true tokens at the masked positions, in nats;
    `perplexity` its exponential. `next_sentence_majority` is what always giving the more frequent answer reaches: short
    documents give more random pairs than true ones.
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
