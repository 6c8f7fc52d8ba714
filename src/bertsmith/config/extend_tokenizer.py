"""Options of `extend-tokenizer`: MODEL and SOURCE to tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from bertsmith.config import help_groups
from bertsmith.config.prepare import SourceOptions
from bertsmith.config.shared_options import OVERWRITE

MIN_COUNT = 5
"""Fewer occurrences than this cannot train the row of a new word."""


class ExtendTokenizerOptions(SourceOptions):
    """Add words of a domain to the vocabulary of a MODEL, and write a Hugging Face tokenizer folder."""

    positional: ClassVar[tuple[str, ...]] = ("model", "sources")
    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {
        help_groups.INPUT_OUTPUT: ("model", "sources", "out"),
        help_groups.TOKENIZER: ("add", "min_count"),
        help_groups.SAVING: ("overwrite",),
    }

    model: str = Field(description="MODEL with the WordPiece tokenizer to extend: RUN, model folder or hub name")
    add: int = Field(gt=0, description="number of words to add")
    out: Path = Field(description="folder to write the new tokenizer to")
    min_count: int = Field(MIN_COUNT, gt=0, description="add only words that occur at least N times")
    overwrite: bool = Field(False, description=OVERWRITE)
