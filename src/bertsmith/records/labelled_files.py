"""The labelled files of a fine-tuning and the report on them: the object `data` in run.json."""

from __future__ import annotations

from pydantic import Field, field_validator

from bertsmith.records.base import Part


class DataFile(Part):
    """A labelled file, as it was read and encoded."""

    name: str
    part: str
    """`train`, `unlabelled`, `dev` or `test`."""
    examples: int = 0
    longest: int = 0
    """Tokens of the longest example, before truncation."""
    truncated_texts: int = 0
    truncated_tokens: int = 0
    windowed_examples: int | None = None
    """Number of examples read in windows; unset if the task truncates texts instead."""
    left_out_examples: int | None = None
    """Number of examples that cannot be used for training."""
    drawn_from: int | None = None
    """Number of examples in the file, if only a random sample of them is used."""
    sha256: str | None = None
    """None for a dataset, which is compared by name."""


class LengthBin(Part):
    """The number of examples in a range of lengths in tokens; the last bin has no upper end."""

    low: int
    high: int | None
    count: int


class QuantityBin(Part):
    """The number of examples with a value between `low` and `high`."""

    low: float
    high: float
    count: int


class Quantity(Part):
    """The distribution of a numeric property of the examples, for tasks without labels."""

    name: str
    low: float
    mean: float
    high: float
    bins: list[QuantityBin]


class PlacedLabel(Part):
    """A label and its location in the file."""

    label: str
    place: str


class Contradiction(Part):
    """A text that occurs with different labels."""

    text: str
    labels: list[PlacedLabel]


class Contradictions(Part):
    """The number of texts that occur with different labels, and some of these texts."""

    texts: int
    examples: list[Contradiction]


class PartReport(Part):
    """The report on a file."""

    examples: int
    labels: dict[str, int]
    quantity: Quantity | None = None
    labels_of: int | None = None
    """The number of texts, if a text may have several labels."""
    repeated: int
    contradictions: Contradictions
    lengths: list[LengthBin]
    longest: int
    cut_examples: int
    cut_tokens: int
    tokens: int
    unknown_tokens: int
    unknown_words: dict[str, int]


class SharedText(Part):
    """A text that is in two files, and its location in each."""

    text: str
    places: list[str]


class Overlap(Part):
    """The number of examples of a file whose text is also in an earlier file, and some of them."""

    of: int
    examples_in_both: int
    examples: list[SharedText]


class DataReport(Part):
    """The report on all files (`evaluation.data_audit`)."""

    max_length: int
    parts: dict[str, PartReport]
    overlaps: dict[str, Overlap]
    warnings: list[str] = Field(default_factory=list)

    @field_validator("parts")
    @classmethod
    def _with_train(cls, parts: dict[str, PartReport]) -> dict[str, PartReport]:
        if "train" not in parts:
            raise ValueError("the part `train` is missing")
        return parts


class FinetuningFiles(Part):
    """The files, the label counts of the training file, and the report."""

    files: list[DataFile]
    labels: dict[str, int] = Field(default_factory=dict)
    report: DataReport | None = None

    @property
    def checksum_of_figures(self) -> str | None:
        """The checksum of the file on which the MODEL was measured: the test file, or the dev file if there is none."""
        checksums = {file.part: file.sha256 for file in self.files}
        return checksums.get("test", checksums.get("dev"))
