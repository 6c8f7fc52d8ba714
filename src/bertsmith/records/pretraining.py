"""run.json of a pre-training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from bertsmith.config.verb import Result
from bertsmith.records.base import Part
from bertsmith.records.error_report import Figure
from bertsmith.records.language_model_figures import LanguageModelFigures
from bertsmith.records.run import RunRecord


class PairAudit(Part):
    """The pairs of an epoch, and baselines that do not read the text (`objectives.audit`)."""

    pairs: int
    is_next: int
    not_next: int
    forced_random: int
    same_document_negatives: int
    left_out_tokens: int
    swap: bool
    held_out_pairs: int
    majority: float | None
    length_only: Figure | None


class TrainingData(Part):
    """The training part of the STORE."""

    store: str = ""
    checksum: str = ""
    tokens: int = 0
    examples: int = 0
    pairs: PairAudit | Part | int | None = Field(None, union_mode="left_to_right")
    """None if the objective has no pairs; early versions recorded only counts."""

    @property
    def audit(self) -> PairAudit | None:
        """The audit of the pairs, if there is one."""
        return self.pairs if isinstance(self.pairs, PairAudit) else None


class MeasuredText(Part):
    """The text of `--general-text`."""

    source: str
    tokens: int
    objective: str = ""
    checksum: str = ""


class ModelShape(Part):
    """The dimensions that weights must have to fit a model."""

    layers: int
    hidden_size: int
    attention_heads: int
    intermediate_size: int
    max_positions: int
    vocab_size: int


class ModelSize(ModelShape):
    """The shape of the model and its number of parameters."""

    parameters: int


class Evaluated(Part):
    """An evaluation after `step` updates: a line of metrics.jsonl."""

    step: int
    evaluation: LanguageModelFigures | None = None
    general_evaluation: LanguageModelFigures | None = None


class HiddenWordPrediction(Part):
    """A token and its probability."""

    token: str
    probability: float


class Sample(Part):
    """A held-out sentence with a masked word, and the model's predictions."""

    before: str
    after: str
    predictions: list[HiddenWordPrediction]
    truth: str
    truth_rank: int | None = None
    truth_probability: float | None = None
    vocabulary: int | None = None


@dataclass(frozen=True, kw_only=True)
class PretrainingOutcome(Result):
    """The figures that `pretrain` returns and its run.json keeps.

    `evaluation` is on the held-out part of the STORE, `general_evaluation` on the text of `--general-text`, None
    without it. `forecast` is for dry runs: parameters, memory in bytes, updates, minutes, tokens, tokens per parameter.
    """

    steps: int = 0
    resumed_from_step: int = 0
    tokens_seen: int = 0
    seconds: float = 0.0
    tokens_per_second: float = 0.0
    evaluation: dict[str, Any] = field(default_factory=dict)
    evaluation_before: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    general_evaluation: dict[str, Any] | None = None
    general_evaluation_before: dict[str, Any] | None = None
    peak_share: float | None = None
    best_step: int | None = None
    stopped_early: bool = False
    forecast: dict[str, Any] = field(default_factory=dict)


class PretrainingRecord(RunRecord):
    """run.json of a pre-training. Evaluations, result and samples are added as they are measured."""

    kind: Literal["pretraining"]
    precision: str | None = None
    streams: int | None = None
    size: str | None = None
    """The named size of a model from scratch."""
    learning_rate: float = 0.0
    processes: int = 1
    matmul_peak_gflops: float | None = None
    memory_forecast_bytes: int | None = None
    data: TrainingData
    fresh_mlm_head: bool = True
    untrained_heads: list[Literal["mlm", "nsp"]] | None = None
    """Heads with random weights; early versions did not record them."""
    teacher: str | None = None
    """The checksum of the weights of `--teacher`."""
    general_text: MeasuredText | None = None
    model: ModelSize
    unigram_counts: list[int] | None = None
    """The count of each token id in the training part."""
    evaluation_before: LanguageModelFigures | None = None
    general_evaluation_before: LanguageModelFigures | None = None
    curve_ends: list[Evaluated] = Field(default_factory=list)
    """Evaluations before the first and after the last update, on the same examples as those during the run."""
    evaluation: LanguageModelFigures | None = None
    general_evaluation: LanguageModelFigures | None = None
    result: PretrainingOutcome | None = None
    samples: list[Sample] = Field(default_factory=list)
