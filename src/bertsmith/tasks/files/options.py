"""How to read a labelled file: options that `finetune`, `evaluate`, `compare` and `score` share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from bertsmith.config import help_groups
from bertsmith.config.encoding import ENCODING, Encoding
from bertsmith.config.options import Options
from bertsmith.config.separator import SEPARATOR, Separator


def comma_separated(value: object) -> object:
    """Return the names of a comma-separated text or of a list, numbers as text; other values as they are."""
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(str(part).strip() for part in parts) if isinstance(parts, (list, tuple)) else parts


class LabelledFileOptions(Options):
    """Columns and format of a labelled file."""

    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {
        help_groups.DATA: (
            *("text_column", "pair_column", "label_column", "problem_type", "choice_columns", "labels_from"),
            *("labels_are", "label_names", "no_header", "format", "separator", "encoding", "skip_broken_rows"),
            "slice",
        )
    }

    text_column: str | None = Field(
        None,
        description="column of the text or prompt (not question-answering; default: a usual name such as text; "
        "CoNLL: 0, the first; CoNLL-U: form)",
    )
    label_column: str | None = Field(
        None,
        description="column of the label (not question-answering; default: a usual name such as label; CoNLL: the "
        "last; CoNLL-U: upos)",
    )
    choice_columns: tuple[str, ...] | None = Field(
        None,
        description="comma-separated columns of the choices, or one column of lists (multiple-choice; default: "
        "usual names such as choices or choice0,choice1)",
    )
    labels_from: int | None = Field(
        None,
        ge=0,
        le=1,
        description="label of the first choice if labels are positions, 0 or 1 (multiple-choice; default: detected "
        "from the labels)",
    )
    no_header: bool = Field(False, description="read a file without a header row; name columns by number, from 0")
    format: Literal["csv", "tsv", "jsonl", "parquet", "conll", "conllu", "squad"] | None = Field(
        None,
        description="file format (default: by file extension; conll and conllu for token-classification, squad for "
        "question-answering)",
    )
    labels_are: Literal["plain", "entities"] | None = Field(
        None,
        description="kind of tags: plain labels such as parts of speech, or entities such as B-PER "
        "(token-classification; default: as in the MODEL, else detected)",
    )
    label_names: tuple[str, ...] | None = Field(
        None,
        description="names of tags that are numbers, from 0: O,B-PER,I-PER or a FILE with one per line "
        "(token-classification; tags that are numbers need this or --labels-are plain)",
    )
    separator: Separator | None = Field(None, description=SEPARATOR)
    encoding: Encoding = Field("utf-8", description=ENCODING)
    skip_broken_rows: bool = Field(
        False,
        description="skip and count rows of CSV and TSV whose number of fields differs from the header (default: stop "
        "with an error)",
    )

    @field_validator("text_column", "label_column", "pair_column", mode="before", check_fields=False)
    @classmethod
    def _number_as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) else value

    @field_validator("choice_columns", "label_names", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        return comma_separated(str(value) if isinstance(value, PurePath) else value)


class LabelledOptions(LabelledFileOptions):
    """Columns and format of a labelled file that a model reads, which may have pairs of texts."""

    pair_column: str | None = Field(
        None,
        description="column of the second text (sequence-classification; default: a usual name such as sentence2 or "
        "hypothesis, else single texts)",
    )
