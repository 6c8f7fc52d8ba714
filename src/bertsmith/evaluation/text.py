"""A text to measure a language model on: read, cleaned and encoded as `prepare` does, all of it measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bertsmith.corpus.reading import ReadingOptions, find_files
from bertsmith.corpus.stages.encode import encode
from bertsmith.corpus.store import HELD_OUT, TokenPart
from bertsmith.corpus.text import read_text, refuse_separator
from bertsmith.errors import DataError
from bertsmith.evaluation.language_model import FixedMaskEvaluation
from bertsmith.objectives.masks import Vocabulary
from bertsmith.runtime.console import log_info
from bertsmith.tokenization.folder import save_tokenizer


def part_of_text(source: str, reading: ReadingOptions, tokenizer: Any, *, aside: Path) -> TokenPart:
    """The text of a SOURCE as a part, in an empty work folder. Raises DataError where nothing of it is left."""
    # Nothing of the text is left out: what is measured on it is measured on all of it.
    files = find_files((source,), any_ending=True)
    refuse_separator(reading.separator, files)
    corpus = read_text(aside, files, reading, part=HELD_OUT, steps=("unicode", "controls"))
    save_tokenizer(tokenizer, aside / "store" / "tokenizer")
    encode(corpus, len(tokenizer), lambda done, total: None)
    return TokenPart(aside / "store" / HELD_OUT)


def frozen_text(part: TokenPart, vocabulary: Vocabulary, *, objective: str, **settings: Any) -> FixedMaskEvaluation:
    """The frozen examples (`settings` are those of FixedMaskEvaluation).

    Of a text too short for random next sentences they are those of masked language modelling alone.
    """
    try:
        return FixedMaskEvaluation(part, vocabulary, objective=objective, **settings)
    except DataError:
        if objective in ("mlm", "nsp"):
            raise
    log_info("the text is too short for random next sentences: only masked language modelling is measured")
    return FixedMaskEvaluation(part, vocabulary, objective="mlm", **settings)
