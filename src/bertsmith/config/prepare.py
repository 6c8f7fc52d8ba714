"""Options of `prepare` and `train-tokenizer`: SOURCE to STORE, SOURCE to tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from bertsmith.config.cleaning import ALL_STEPS, choose_steps
from bertsmith.config.encoding import Encoding
from bertsmith.config.options import SEEDS, Options
from bertsmith.config.separator import Separator

DocumentForm = Literal["auto", "file", "blank-line", "line"]
Accents = Literal["auto", "keep", "strip"]
ACCENTS = (
    "keep or strip accents and other marks (auto: strip for Latin, Greek, Cyrillic and Hebrew unless --cased, keep for "
    "scripts in which they are part of letters)"
)


class SourceOptions(Options):
    """How text is read and cleaned: shared by every verb that takes a SOURCE."""

    positional: ClassVar[tuple[str, ...]] = ("sources",)
    non_utf8_fields: ClassVar[tuple[str, ...]] = ("sources",)

    sources: tuple[str, ...] = Field(
        min_length=1,
        description="files, folders, globs (.txt .jsonl .csv .tsv .parquet .md .html, also .gz .zst .xz), addresses "
        "such as s3://, or hf:NAME[/CONFIG][:SPLIT]",
    )
    documents: DocumentForm = Field(
        "auto", description="what a document of a .txt is: the file, a block between blank lines, or a line"
    )
    text_column: str | None = Field(
        None, description="the key or column that holds the text (found by its usual names otherwise)"
    )
    separator: Separator | None = Field(
        None, description="the character between the fields of .csv and .tsv, or tab (default: by the first rows)"
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
    clean: str = Field(
        "",
        description="cleaning steps to switch on, or off with no- before them, as in language,no-boilerplate "
        f"({', '.join(ALL_STEPS)}); none or all as the first word",
    )
    min_words: int = Field(3, ge=1, description="a document with fewer words is dropped as too short")
    near_duplicates: float = Field(
        0.5,
        ge=0.2,
        le=1,
        description="the Jaccard similarity on word pairs from which two documents are near-duplicates; 0.5 is about "
        "18 words in 100 changed, 0.7 about 9",
    )
    keep_dropped: bool = Field(False, description="write what was dropped, with its reason, to STORE/dropped")
    vocab_size: int | None = Field(
        None,
        ge=32,
        description="train a WordPiece tokenizer of so many entries, and [unused] ones up to a multiple of 64 "
        "(default: chosen by the corpus)",
    )
    tokenizer: str | None = Field(None, description="take the tokenizer of this MODEL instead of training one")
    add_words: int | None = Field(
        None, gt=0, description="add up to so many words of the corpus to the tokenizer of --tokenizer"
    )
    cased: bool = Field(False, description="keep capitals and accents when a tokenizer is trained")
    accents: Accents = Field("auto", description=ACCENTS)
    held_out: str = Field("0.02", description="the share of documents kept for evaluation, or a file of their ids")
    seed: int = Field(0, ge=0, lt=SEEDS, description="chooses which documents are held out")
    engine: Literal["local", "ray", "slurm"] = Field("local", description="where the tasks of the stages run")
    engine_address: str | None = Field(
        None, description="the address of a Ray cluster, or the partition and options of Slurm's sbatch"
    )
    overwrite: bool = Field(False, description="replace the folder at --out")
    resume: bool = Field(False, description="go on with an interrupted run from its last finished stage")
    dry_run: bool = Field(False, description="forecast size, time, memory and disk from a sample; write nothing")

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

    @field_validator("clean", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> object:
        return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value

    @field_validator("clean")
    @classmethod
    def _known_steps(cls, value: str) -> str:
        choose_steps(value)
        return value

    @model_validator(mode="after")
    def _address_of_an_engine(self) -> PrepareOptions:
        if self.engine == "local" and self.engine_address is not None:
            raise ValueError("--engine-address belongs to --engine ray or --engine slurm")
        return self

    @model_validator(mode="after")
    def _one_tokenizer(self) -> PrepareOptions:
        if self.tokenizer is not None and self.vocab_size is not None:
            raise ValueError("--vocab-size trains a tokenizer and --tokenizer takes one: give one of them")
        if self.tokenizer is None and self.add_words is not None:
            raise ValueError("--add-words extends the tokenizer of a MODEL: give --tokenizer MODEL as well")
        if self.tokenizer is not None and self.cased:
            raise ValueError("--cased belongs to a tokenizer that is trained; --tokenizer has its own setting")
        if self.tokenizer is not None and self.accents != "auto":
            raise ValueError("--accents belongs to a tokenizer that is trained; --tokenizer has its own setting")
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
    vocab_size: int = Field(
        ge=32, description="the number of entries; [unused] ones come on top, up to a multiple of 64"
    )
    cased: bool = Field(False, description="keep capitals and accents")
    accents: Accents = Field("auto", description=ACCENTS)
    compare: str | None = Field(None, description="show how the tokenizer of this MODEL reads the same text")
    overwrite: bool = Field(False, description="replace the folder at --out")
