"""Options of `extend-tokenizer`: MODEL and SOURCE to tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from bertsmith.config.prepare import SourceOptions

MIN_COUNT = 5
"""A word of the corpus that occurs fewer times is not worth a row of a model."""


class ExtendTokenizerOptions(SourceOptions):
    """Add the words of a domain to the vocabulary of a MODEL: a Hugging Face tokenizer folder comes out."""

    positional: ClassVar[tuple[str, ...]] = ("model", "sources")

    model: str = Field(description="the MODEL whose WordPiece tokenizer is extended")
    add: int = Field(gt=0, description="the number of words to add")
    out: Path = Field(description="the folder of the new tokenizer")
    min_count: int = Field(MIN_COUNT, gt=0, description="a word that occurs fewer times is not added")
    overwrite: bool = Field(False, description="replace the folder at --out")
