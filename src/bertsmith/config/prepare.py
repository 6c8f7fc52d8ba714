"""Options of `prepare` and `train-tokenizer`: SOURCE to STORE, SOURCE to tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from bertsmith.config.encoding import Encoding
from bertsmith.config.options import SEEDS, Options

DocumentForm = Literal["auto", "file", "blank-line", "line"]


class SourceOptions(Options):
    """How text is read and cleaned: shared by every verb that takes a SOURCE."""

    positional: ClassVar[tuple[str, ...]] = ("sources",)

    sources: tuple[str, ...] = Field(
        min_length=1, description="files, folders or globs of .txt and .jsonl, plain, .gz or .zst"
    )
    documents: DocumentForm = Field(
        "auto", description="what a document of a .txt is: the file, a block between blank lines, or a line"
    )
    text_column: str | None = Field(
        None, description="the key of a .jsonl line that holds the text (found by its usual names otherwise)"
    )
    encoding: Encoding = Field("utf-8", description="the encoding of the files")
    encoding_errors: Literal["strict", "replace"] = Field(
        "strict",
        description="what is done with bytes that are not in the encoding: stop, or replace and count",
    )
    max_documents: int | None = Field(None, gt=0, description="read at most so many documents")
    workers: int | None = Field(None, gt=0, description="processes that read and clean (default: one a core)")

    @field_validator("sources", mode="before")
    @classmethod
    def _one_source(cls, value: object) -> object:
        return (str(value),) if isinstance(value, (str, Path)) else value

    @field_validator("sources", mode="before")
    @classmethod
    def _paths(cls, value: object) -> object:
        return tuple(str(item) for item in value) if isinstance(value, (list, tuple)) else value


class PrepareOptions(SourceOptions):
    """Read, clean, de-duplicate, split into sentences, tokenize: a STORE comes out."""

    out: Path = Field(description="the folder of the STORE")
    language: str = Field("en", description="the language code that sentences are split by")
    vocab_size: int | None = Field(
        None,
        ge=32,
        description="train a WordPiece tokenizer of so many entries (default: chosen by the corpus)",
    )
    tokenizer: str | None = Field(None, description="take the tokenizer of this MODEL instead of training one")
    cased: bool = Field(False, description="keep capitals and accents when a tokenizer is trained")
    held_out: str = Field("0.02", description="the share of documents kept for evaluation, or a file of their ids")
    seed: int = Field(0, ge=0, lt=SEEDS, description="chooses which documents are held out")
    overwrite: bool = Field(False, description="replace the folder at --out")
    resume: bool = Field(False, description="go on with an interrupted run from its last finished stage")
    dry_run: bool = Field(False, description="read and report what would be used; write nothing")

    @field_validator("held_out", mode="before")
    @classmethod
    def _share_or_file(cls, value: object) -> object:
        return str(value) if isinstance(value, (int, float, Path)) else value

    @field_validator("held_out")
    @classmethod
    def _share_in_range(cls, value: str) -> str:
        try:
            share = float(value)
        except ValueError:
            if not Path(value).is_file():
                raise ValueError(f"found {value!r}, expected a share such as 0.02 or a file of document ids") from None
            return value
        if not 0 < share <= 0.5:
            raise ValueError(f"found {value}, expected a share above 0 and at most 0.5")
        return value

    @model_validator(mode="after")
    def _one_tokenizer(self) -> PrepareOptions:
        if self.tokenizer is not None and self.vocab_size is not None:
            raise ValueError("--vocab-size trains a tokenizer and --tokenizer takes one: give one of them")
        if self.tokenizer is not None and self.cased:
            raise ValueError("--cased belongs to a tokenizer that is trained; --tokenizer has its own setting")
        if self.overwrite and self.resume:
            raise ValueError("--overwrite starts again and --resume goes on: give one of them")
        return self

    def held_out_share(self) -> float | None:
        """The share, or None where --held-out names a file of ids."""
        try:
            return float(self.held_out)
        except ValueError:
            return None


class TrainTokenizerOptions(SourceOptions):
    """Train a WordPiece tokenizer: a Hugging Face tokenizer folder comes out."""

    out: Path = Field(description="the folder of the tokenizer")
    vocab_size: int = Field(ge=32, description="the number of entries")
    cased: bool = Field(False, description="keep capitals and accents")
    overwrite: bool = Field(False, description="replace the folder at --out")
