"""Options of `prepare` and `train-tokenizer`: SOURCE to STORE, SOURCE to tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from bertsmith.config import help_groups
from bertsmith.config.cleaning import ALL_STEPS, choose_steps
from bertsmith.config.encoding import ENCODING, Encoding
from bertsmith.config.options import SEED_LIMIT, Options
from bertsmith.config.separator import SEPARATOR, Separator
from bertsmith.config.shared_options import OVERWRITE, WORKERS, check_overwrite_or_resume

DocumentForm = Literal["auto", "file", "blank-line", "line"]
Accents = Literal["auto", "keep", "strip"]
ACCENTS = (
    "accents and other marks of letters; auto: strip them in Latin, Greek, Cyrillic and Hebrew script unless --cased, "
    "keep them in other scripts"
)


class SourceOptions(Options):
    """How text is read: shared by every verb that takes a SOURCE."""

    positional: ClassVar[tuple[str, ...]] = ("sources",)
    non_utf8_fields: ClassVar[tuple[str, ...]] = ("sources",)
    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {
        help_groups.INPUT_OUTPUT: ("sources", "out"),
        help_groups.DATA: ("documents", "text_column", "separator", "encoding", "encoding_errors", "max_documents"),
        help_groups.MACHINE: ("workers",),
    }

    sources: tuple[str, ...] = Field(
        min_length=1,
        description="files, folders, globs or URLs of .txt .jsonl .csv .tsv .parquet .md .html, also in .gz .zst .xz; "
        "or hf:NAME[/CONFIG][:SPLIT]",
    )
    documents: DocumentForm = Field(
        "auto", description="document of a .txt file: the file, a block between blank lines, or a line (auto: detected)"
    )
    text_column: str | None = Field(
        None, description="column or JSON key of the text (default: by usual names such as text or content)"
    )
    separator: Separator | None = Field(None, description=SEPARATOR)
    encoding: Encoding = Field("utf-8", description=ENCODING)
    encoding_errors: Literal["strict", "replace"] = Field(
        "strict",
        description="bytes that are invalid in --encoding: stop with an error, or replace and count them",
    )
    max_documents: int | None = Field(None, gt=0, description="read at most N documents (default: all)")
    workers: int | None = Field(None, gt=0, description=WORKERS)

    @field_validator("sources", mode="before")
    @classmethod
    def _one_source(cls, value: object) -> object:
        return (str(value),) if isinstance(value, (str, Path)) else value

    @field_validator("sources", mode="before")
    @classmethod
    def _paths(cls, value: object) -> object:
        return tuple(str(item) for item in value) if isinstance(value, (list, tuple)) else value


class PrepareOptions(SourceOptions):
    """Read, clean, de-duplicate, split into sentences and tokenize text, and write a STORE."""

    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {
        help_groups.CLEANING: ("language", "clean", "min_words", "near_duplicates", "keep_dropped"),
        help_groups.TOKENIZER: ("vocab_size", "cased", "accents", "tokenizer", "add_words"),
        help_groups.EVALUATION: ("held_out", "seed"),
        help_groups.MACHINE: ("workers", "engine", "engine_address"),
        help_groups.SAVING: ("resume", "overwrite", "dry_run"),
    }

    out: Path = Field(description="folder to write the STORE to")
    language: str = Field(
        "en", description="language code of the text, such as en or de; decides how sentences are split"
    )
    clean: str = Field(
        "",
        description="cleaning steps to add or remove, such as language,no-short or none,unicode (default: all but "
        f"language): {', '.join(ALL_STEPS)}",
    )
    min_words: int = Field(3, ge=1, description="drop documents of fewer than N words")
    near_duplicates: float = Field(
        0.5,
        ge=0.2,
        le=1,
        description="drop documents at least this similar (Jaccard, word pairs, 0.2 to 1); 0.5 is about 18 words in "
        "100 changed, 0.7 about 9",
    )
    keep_dropped: bool = Field(False, description="also write dropped texts, with reasons, to STORE/dropped")
    vocab_size: int | None = Field(
        None,
        ge=32,
        description="vocabulary size of the new tokenizer, padded with [unused] entries to a multiple of 64 (not with "
        "--tokenizer; default: chosen for the text)",
    )
    tokenizer: str | None = Field(
        None, description="use the tokenizer of this MODEL instead of training one (RUN, model folder or hub name)"
    )
    add_words: int | None = Field(
        None, gt=0, description="add up to N words of the text to the tokenizer (needs --tokenizer)"
    )
    cased: bool = Field(False, description="keep capitals and accents (not with --tokenizer)")
    accents: Accents = Field("auto", description=f"{ACCENTS} (not with --tokenizer)")
    held_out: str = Field(
        "0.02", description="documents held out for evaluation: a share above 0 and up to 0.5, or a file of their ids"
    )
    seed: int = Field(0, ge=0, lt=SEED_LIMIT, description="random seed that selects the held-out documents")
    engine: Literal["local", "ray", "slurm"] = Field("local", description="run on this machine, a Ray cluster or Slurm")
    engine_address: str | None = Field(
        None,
        description="address of the Ray cluster, or Slurm partition or sbatch options (needs --engine ray or slurm)",
    )
    overwrite: bool = Field(False, description=OVERWRITE)
    resume: bool = Field(
        False, description="continue an interrupted preparation at --out after its last finished stage"
    )
    dry_run: bool = Field(False, description="estimate size, time, memory and disk space from a sample; write nothing")

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
            raise ValueError("--engine-address needs --engine ray or --engine slurm, found --engine local")
        return self

    @model_validator(mode="after")
    def _one_tokenizer(self) -> PrepareOptions:
        if self.tokenizer is not None and self.vocab_size is not None:
            raise ValueError(
                "found --vocab-size and --tokenizer, expected one of them: a new tokenizer, or that of a MODEL"
            )
        if self.tokenizer is None and self.add_words is not None:
            raise ValueError("--add-words needs --tokenizer MODEL, the tokenizer to extend, which is missing")
        if self.tokenizer is not None and self.cased:
            raise ValueError(
                "found --cased and --tokenizer, expected one of them: the tokenizer of a MODEL has its own setting"
            )
        if self.tokenizer is not None and self.accents != "auto":
            raise ValueError(
                "found --accents and --tokenizer, expected one of them: the tokenizer of a MODEL has its own setting"
            )
        check_overwrite_or_resume(overwrite=self.overwrite, resume=self.resume)
        return self

    def held_out_share(self) -> float | None:
        """Return the share, or None if --held-out names a file of ids."""
        try:
            return float(self.held_out)
        except ValueError:
            return None


class TrainTokenizerOptions(SourceOptions):
    """Train a WordPiece tokenizer, and write a Hugging Face tokenizer folder."""

    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {
        help_groups.TOKENIZER: ("vocab_size", "cased", "accents", "compare"),
        help_groups.SAVING: ("overwrite",),
    }

    out: Path = Field(description="folder to write the tokenizer to")
    vocab_size: int = Field(ge=32, description="vocabulary size, padded with [unused] entries to a multiple of 64")
    cased: bool = Field(False, description="keep capitals and accents")
    accents: Accents = Field("auto", description=ACCENTS)
    compare: str | None = Field(
        None, description="MODEL whose tokenizer to compare with on the same text (RUN, model folder or hub name)"
    )
    overwrite: bool = Field(False, description=OVERWRITE)
