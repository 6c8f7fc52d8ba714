"""A text on which a language model is measured: read, cleaned and encoded as in `prepare`, without leaving text out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bertsmith.corpus.reading import ReadingOptions, find_files
from bertsmith.corpus.stages.encode import encode
from bertsmith.corpus.store import HELD_OUT, TokenPart
from bertsmith.corpus.text_source import read_text, refuse_separator
from bertsmith.errors import DataError
from bertsmith.evaluation.language_model import FixedMaskEvaluation
from bertsmith.objectives.masks import Vocabulary
from bertsmith.runtime.console import log_info
from bertsmith.tokenization.folder import save_tokenizer


def held_out_text(source: str, reading: ReadingOptions, tokenizer: Any, *, temporary_folder: Path) -> TokenPart:
    """Read the text of a SOURCE as a part, into an empty folder. Raises DataError if no text is left."""
    # No filters or de-duplication: the whole text is measured.
    files = find_files((source,), any_ending=True)
    refuse_separator(reading.separator, files)
    corpus = read_text(temporary_folder, files, reading, part=HELD_OUT, steps=("unicode", "controls"))
    save_tokenizer(tokenizer, temporary_folder / "store" / "tokenizer")
    encode(corpus, len(tokenizer), lambda done, total: None)
    return TokenPart(temporary_folder / "store" / HELD_OUT)


def fixed_evaluation_text(
    part: TokenPart, vocabulary: Vocabulary, *, objective: str, **settings: Any
) -> FixedMaskEvaluation:
    """Return the evaluation of a text (`settings` are those of FixedMaskEvaluation).

    If the text is too short for random next sentences, only masked language modelling is measured.
    """
    try:
        return FixedMaskEvaluation(part, vocabulary, objective=objective, **settings)
    except DataError:
        if objective in ("mlm", "nsp"):
            raise
    log_info("the text is too short for next-sentence prediction: only masked language modelling is measured")
    return FixedMaskEvaluation(part, vocabulary, objective="mlm", **settings)
