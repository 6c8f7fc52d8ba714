"""Options of `pretrain`: STORE to RUN, from scratch or from a MODEL."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from bertsmith.config import help_groups, tutorial_names
from bertsmith.config.option_names import external_name
from bertsmith.config.options import SEED_LIMIT, Options
from bertsmith.config.shared_options import OVERWRITE, SAVE_EVERY, Precision, check_overwrite_or_resume

Size = Literal["tiny", "mini", "small", "medium", "base", "large"]
Objective = Literal["mlm+nsp", "mlm", "nsp", "mlm+sop"]

SHAPE_OPTIONS = (*("size", "hidden_size", "attention_heads", "intermediate_size", "max_positions", "initial_values"),)
"""Options of a new model; --from excludes them."""

_FORMER_NAMES = {"auto_batch": "auto_micro_batch"}
"""Options in a run.json of an earlier version, and their names now."""

_ONE_LENGTH = "at most one of --minutes, --steps, --epochs; default: 10 minutes"


class PretrainOptions(Options):
    """Pre-train a BERT with masked language modelling and next sentence prediction."""

    positional: ClassVar[tuple[str, ...]] = ("store",)
    names_in_other_tools: ClassVar[Mapping[str, str]] = tutorial_names.PRETRAIN
    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {
        help_groups.INPUT_OUTPUT: ("store", "out", "from_"),
        help_groups.MODEL: (
            *("size", "layers", "hidden_size", "attention_heads", "intermediate_size", "max_positions"),
            "initial_values",
        ),
        help_groups.LENGTH: ("minutes", "steps", "epochs", "patience", "overfit_one_batch"),
        help_groups.BATCHES: (
            *("batch_size", "sequence_length", "micro_batch_size", "auto_micro_batch", "batch_ramp", "short_phase"),
        ),
        help_groups.LEARNING: (
            *("learning_rate", "schedule", "warmup", "optimizer", "weight_decay", "max_grad_norm", "dropout", "seed"),
        ),
        help_groups.OBJECTIVE: ("objective", "negatives", "mask_rate", "mask_unit", "mask_split"),
        help_groups.EVALUATION: ("eval_every", "general_text", "tensorboard"),
        help_groups.DISTILLATION: ("teacher", "distil_weight", "distil_temperature"),
        help_groups.MACHINE: ("precision", "attention", "compile", "gradient_checkpointing", "workers", "fsdp"),
        help_groups.SAVING: ("save_every", "resume", "overwrite", "dry_run"),
    }

    store: Path = Field(description="STORE to train on, as written by `bertsmith prepare`")
    out: Path = Field(description="folder to write the RUN to: model, checkpoints, metrics, report.html")
    from_: str | None = Field(
        None, description="MODEL to continue training, instead of starting from scratch: RUN, model folder or hub name"
    )
    general_text: str | None = Field(
        None,
        description="text for measuring forgetting before, during and after training; not trained on (file, folder "
        "or hf:NAME; not a STORE)",
    )
    teacher: str | None = Field(
        None, description="MODEL to distil from: its predictions of masked tokens are learned along with the text"
    )
    distil_weight: float | None = Field(
        None,
        gt=0,
        le=1,
        description="teacher's share of the masked-token loss, above 0 and up to 1 (needs --teacher; default: 0.5)",
    )
    distil_temperature: float | None = Field(
        None,
        gt=0,
        description="temperature that divides the logits of teacher and student (needs --teacher; default: 2)",
    )
    size: Size | None = Field(
        None,
        description="preset of layers and width for a new model (not with --from; default: chosen by training time, "
        "text and machine)",
    )
    layers: int | None = Field(
        None,
        gt=0,
        description="number of layers (default: that of --size); with --from, keep N of its layers, evenly spaced",
    )
    hidden_size: int | None = Field(
        None, gt=0, description="width of the layers (not with --from; default: that of --size)"
    )
    attention_heads: int | None = Field(
        None, gt=0, description="attention heads per layer (not with --from; default: --hidden-size / 64)"
    )
    intermediate_size: int | None = Field(
        None, gt=0, description="width of the feed-forward part (not with --from; default: 4 x --hidden-size)"
    )
    max_positions: int | None = Field(
        None, ge=8, description="longest input of the model, in tokens (not with --from; default: 512)"
    )
    initial_values: Literal["neighbours", "random"] | None = Field(
        None,
        description="initial weights: random as in stock BERT, or half of each layer's heads attending to nearby "
        "tokens (not with --from; default: neighbours)",
    )
    objective: Objective = Field(
        "mlm+nsp",
        description="training objectives: masked language modelling (mlm), next sentence (nsp), sentence order (sop)",
    )
    negatives: Literal["other-document", "same-document"] = Field(
        "other-document", description="source of false next sentences (only objectives with nsp)"
    )
    minutes: float | None = Field(
        None,
        gt=0,
        description=f"train for N minutes; the learning rate follows the clock ({_ONE_LENGTH})",
    )
    steps: int | None = Field(None, gt=0, description=f"train for N updates ({_ONE_LENGTH})")
    epochs: float | None = Field(
        None,
        gt=0,
        description=f"train for N passes over the training part; may be fractional ({_ONE_LENGTH}; not with "
        "--short-phase or --batch-ramp)",
    )
    batch_size: int = Field(32, gt=0, description="examples per update, over all processes")
    micro_batch_size: int | None = Field(
        None,
        gt=0,
        description="examples per forward and backward pass of a process; changes memory and speed, not the result "
        "(with muon slightly; default: --batch-size / processes)",
    )
    auto_micro_batch: bool = Field(
        False,
        description="use the largest micro-batch that fits into memory, instead of stopping if memory is short "
        "(not with --micro-batch-size)",
    )
    batch_ramp: tuple[int, float] | None = Field(
        None,
        description="grow batches from N examples to --batch-size over the first SHARE (0 to 1) of the run "
        "(not with --epochs)",
    )
    sequence_length: int = Field(128, ge=8, description="tokens per example, special tokens included")
    short_phase: tuple[int, float] | None = Field(
        None,
        description="train on examples of N tokens for the first SHARE (0 to 1) of the run (not with --epochs)",
    )
    learning_rate: float | None = Field(
        None,
        gt=0,
        description="peak learning rate (default: by hidden width, 0.001 at 256 to 512; 0.3 times that with --from)",
    )
    optimizer: Literal["adamw", "muon"] = Field(
        "adamw", description="AdamW for all weights, or Muon for the layers' matrices and AdamW for the rest"
    )
    schedule: Literal["wsd", "cosine", "linear"] = Field(
        "wsd",
        description="learning rate after warmup; wsd: constant, then a linear fall to 0 over the last 30%",
    )
    warmup: float = Field(
        0.06, ge=0, lt=1, description="share of the run, from 0 to below 1, during which the learning rate rises"
    )
    weight_decay: float = Field(0.01, ge=0, description="weight decay of AdamW and Muon; none for biases and LayerNorm")
    mask_rate: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="share of tokens to predict, between 0 and 1 (default: 0.25; 0.15 with --from)",
    )
    mask_unit: Literal["token", "word", "span"] = Field(
        "token", description="unit of masking: single tokens, whole words, or spans of one to ten words"
    )
    mask_split: tuple[float, float, float] = Field(
        (80, 10, 10),
        description="percentages of predicted tokens that become [MASK], become a random token, or stay unchanged",
    )
    precision: Precision = "auto"
    attention: Literal["auto", "eager", "sdpa"] = Field(
        "auto",
        description="attention as separate operations (eager) or torch's fused kernel (sdpa); auto: sdpa on a GPU",
    )
    compile: bool = Field(False, description="compile the training step with torch.compile (needs a C++ compiler)")
    dropout: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="dropout during training, from 0 to below 1 (default: 0; with --from the MODEL's own)",
    )
    max_grad_norm: float = Field(1.0, gt=0, description="clip gradients to this norm")
    gradient_checkpointing: bool = Field(
        False, description="recompute activations instead of keeping them: less memory, a third more computation"
    )
    patience: int | None = Field(
        None,
        gt=0,
        description="stop after N evaluations in a row without a lower held-out loss, and keep the best weights "
        "(default: no early stop)",
    )
    overfit_one_batch: bool = Field(
        False,
        description="train on the first batch only, to check that its loss reaches zero (for 200 updates, unless "
        "--minutes or --steps is given)",
    )
    fsdp: bool = Field(
        False, description="shard weights and optimizer over the processes of torchrun (not with --optimizer muon)"
    )
    tensorboard: bool = Field(
        False, description="write TensorBoard events to RUN/tensorboard as well (needs the package tensorboard)"
    )
    save_every: int | None = Field(None, gt=0, description=SAVE_EVERY)
    eval_every: int | None = Field(None, gt=0, description="updates between evaluations (default: ten per run)")
    workers: int = Field(0, ge=0, description="processes that prepare batches; 0: the training process does it")
    seed: int = Field(0, ge=0, lt=SEED_LIMIT, description="random seed of weights, order, pairs, masks and dropout")
    overwrite: bool = Field(False, description=OVERWRITE)
    resume: bool = Field(
        False,
        description="continue the RUN at --out from its newest checkpoint, with its options; a longer --minutes, "
        "--steps or --epochs extends it; different training options are refused",
    )
    dry_run: bool = Field(False, description="estimate parameters, memory and time; train nothing")

    @classmethod
    def of_record(cls, options: Mapping[str, Any]) -> PretrainOptions:
        """Return the options that a run.json holds, also one of an earlier version."""
        return cls.build({_FORMER_NAMES.get(name, name): value for name, value in options.items() if value is not None})

    @field_validator("mask_split", mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        parts = [part.strip() for part in value.replace("/", ",").split(",")] if isinstance(value, str) else value
        if not isinstance(parts, (list, tuple)) or len(parts) != 3:
            raise ValueError(f"found {value!r}, expected three percentages such as 80,10,10")
        return tuple(parts)

    @field_validator("short_phase", "batch_ramp", mode="before")
    @classmethod
    def _number_and_share(cls, value: object) -> object:
        parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
        if parts is None:
            return None
        found = (0, 0.0)
        if isinstance(parts, (list, tuple)) and len(parts) == 2:
            with suppress(TypeError, ValueError):
                found = (int(parts[0]), float(parts[1]))
        if found[0] < 1 or not 0 < found[1] < 1:
            raise ValueError(f"found {value!r}, expected a whole number and a share between 0 and 1, such as 64,0.75")
        return found

    @field_validator("mask_split")
    @classmethod
    def _adds_up(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if any(part < 0 for part in value) or abs(sum(value) - 100) > 1e-6:
            raise ValueError(f"found {value}, expected three percentages that add up to 100, such as 80,10,10")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> PretrainOptions:
        given = [name for name in ("minutes", "steps", "epochs") if getattr(self, name) is not None]
        if len(given) > 1:
            flags = " and ".join("--" + name for name in given)
            raise ValueError(f"found {flags}, expected at most one of --minutes, --steps, --epochs")
        check_overwrite_or_resume(overwrite=self.overwrite, resume=self.resume)
        self._check_shape_with_from()
        self._check_teacher()
        self._check_phases()
        self._check_micro_batch()
        self._check_overfit_one_batch()
        if self.fsdp and self.optimizer == "muon":
            raise ValueError("--fsdp needs --optimizer adamw: Muon works on whole matrices, which --fsdp shards")
        return self

    def _check_shape_with_from(self) -> None:
        given = [external_name(name) for name in SHAPE_OPTIONS if getattr(self, name) is not None]
        if self.from_ is not None and given:
            flags = ", ".join(f"--{name}" for name in given)
            raise ValueError(
                f"found {flags} with --from, which keeps the shape of its MODEL. Try: leave out {flags}; --layers N "
                "keeps N of its layers"
            )

    def _check_teacher(self) -> None:
        for name in ("distil_weight", "distil_temperature"):
            if self.teacher is None and getattr(self, name) is not None:
                raise ValueError(f"--{external_name(name)} needs --teacher, which is missing")
        if self.teacher is not None and self.objective == "nsp":
            raise ValueError(
                "--teacher predicts masked tokens, and --objective nsp masks none. Try: --objective mlm+nsp"
            )

    def _check_phases(self) -> None:
        if self.short_phase is not None and not 8 <= self.short_phase[0] < self.sequence_length:
            raise ValueError(
                f"--short-phase: found {self.short_phase[0]} tokens, expected at least 8 and fewer than "
                f"--sequence-length, {self.sequence_length}"
            )
        if self.batch_ramp is not None and self.batch_ramp[0] >= self.batch_size:
            raise ValueError(
                f"--batch-ramp: found {self.batch_ramp[0]} examples, expected fewer than --batch-size, "
                f"{self.batch_size}"
            )
        if self.epochs is not None and (self.short_phase or self.batch_ramp):
            raise ValueError(
                "--epochs needs examples of one length and batches of one size. Try: --steps or --minutes with "
                "--short-phase and --batch-ramp"
            )

    def _check_micro_batch(self) -> None:
        if self.micro_batch_size is None:
            return
        if self.auto_micro_batch:
            raise ValueError("found --auto-micro-batch and --micro-batch-size, expected one of them")
        if self.micro_batch_size > self.batch_size:
            raise ValueError(
                f"--micro-batch-size: found {self.micro_batch_size}, expected at most --batch-size, {self.batch_size}"
            )

    def _check_overfit_one_batch(self) -> None:
        rivals = ("short_phase", "batch_ramp", "patience", "teacher")
        given = [external_name(name) for name in rivals if getattr(self, name) is not None]
        if self.overfit_one_batch and given:
            flags = ", ".join(f"--{name}" for name in given)
            raise ValueError(f"found --overfit-one-batch with {flags}, which it excludes. Try: leave out {flags}")
