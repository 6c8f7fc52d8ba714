"""How a labelled file is read: shared by `finetune`, `evaluate` and `score`."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal

from pydantic import Field, field_validator

from bertsmith.config.encoding import Encoding
from bertsmith.config.options import Options
from bertsmith.config.separator import Separator


def parted(value: object) -> object:
    """Names in one text, parted by commas, or in a list; also numbers."""
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(str(part).strip() for part in parts) if isinstance(parts, (list, tuple)) else parts


class LabelledFileOptions(Options):
    """Where text and label stand in a labelled file."""

    text_column: str | None = Field(
        None, description="the column of the text (default: by its usual names; CoNLL: the first, 0; CoNLL-U: form)"
    )
    label_column: str | None = Field(
        None, description="the column of the label (default: by its usual names; CoNLL: the last; CoNLL-U: upos)"
    )
    choice_columns: tuple[str, ...] | None = Field(
        None,
        description="the columns of the choices, parted by commas (multiple-choice; default: by their usual names)",
    )
    labels_from: int | None = Field(
        None,
        ge=0,
        le=1,
        description="number of the first choice in the labels, 0 or 1 (multiple-choice; default: found from them)",
    )
    no_header: bool = Field(False, description="the file has no header; columns are given by number, from 0")
    format: Literal["csv", "tsv", "jsonl", "parquet", "conll", "conllu", "squad"] | None = Field(
        None, description="the file's form (default: by its ending; conll or conllu for token-classification)"
    )
    labels_are: Literal["plain", "entities"] | None = Field(
        None,
        description="kind of tags: plain labels (parts of speech) or entities (token-classification; default: the "
        "model's, or as they look)",
    )
    label_names: tuple[str, ...] | None = Field(
        None,
        description="names of tags that are numbers, from 0: O,B-PER,I-PER or a FILE with a name per line "
        "(token-classification)",
    )
    separator: Separator | None = Field(
        None, description="the character between the fields of CSV and TSV, or tab (default: by the first rows)"
    )
    encoding: Encoding = Field("utf-8", description="the file's encoding")
    skip_broken_rows: bool = Field(
        False,
        description="leave out the rows of CSV and TSV that have another number of fields than the header, and say how "
        "many (default: the first one is an error)",
    )

    @field_validator("text_column", "label_column", "pair_column", mode="before", check_fields=False)
    @classmethod
    def _by_number(cls, value: object) -> object:
        return str(value) if isinstance(value, int) else value

    @field_validator("choice_columns", "label_names", mode="before")
    @classmethod
    def _parted(cls, value: object) -> object:
        return parted(str(value) if isinstance(value, PurePath) else value)


class LabelledOptions(LabelledFileOptions):
    """The same for what a model reads: also where the second text of a pair stands."""

    pair_column: str | None = Field(None, description="the column of the second text, for pairs")
