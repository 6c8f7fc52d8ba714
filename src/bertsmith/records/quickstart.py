"""quickstart.json: the folders and results of `quickstart`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.config.verb import Result


@dataclass(frozen=True)
class QuickstartResult(Result):
    """The results of `quickstart` and their folders."""

    run: Path
    store: Path
    classifier: Path
    report: Path
    mlm_nats_before: float
    mlm_nats_after: float
    unigram_nats_per_token: float
    next_sentence_accuracy: float
    next_sentence_majority: float
    next_sentence: dict[str, Any]
    classifier_accuracy: float
    majority_accuracy: float
    documents: int
    tokens: int
    steps: int
    seconds: float
    next_commands: list[str]
