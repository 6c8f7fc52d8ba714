"""Options of `pretrain`: STORE to RUN, from scratch or from a MODEL."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from bertsmith.config import tutorial_names
from bertsmith.config.option_names import external_name
from bertsmith.config.options import SEEDS, Options

Size = Literal["tiny", "mini", "small", "medium", "base", "large"]
Objective = Literal["mlm+nsp", "mlm", "nsp", "mlm+sop"]


class PretrainOptions(Options):
    """Pre-train a BERT with masked language modelling and next sentence prediction."""

    positional: ClassVar[tuple[str, ...]] = ("store",)
    names_in_other_tools: ClassVar[Mapping[str, str]] = tutorial_names.PRETRAIN

    store: Path = Field(description="the STORE that `prepare` wrote")
    out: Path = Field(description="the folder of the RUN")
    from_: str | None = Field(None, description="continue from this MODEL instead of starting from scratch")
    general_text: str | None = Field(
        None, description="a text to measure on as well, before, during and after: what is forgotten of it is seen"
    )
    teacher: str | None = Field(
        None, description="a MODEL whose answers at masked positions are learnt beside the text (distillation)"
    )
    distil_weight: float | None = Field(
        None, gt=0, le=1, description="the share of the teacher's answers in the loss of masked tokens (default: 0.5)"
    )
    distil_temperature: float | None = Field(
        None, gt=0, description="what softens the answers of teacher and student (default: 2)"
    )
    size: Size | None = Field(
        None, description="the model's size (default: by time, text and machine, or that of --from)"
    )
    layers: int | None = Field(
        None,
        gt=0,
        description="number of layers, over what --size says; with --from so many of its own are kept, evenly spaced",
    )
    hidden_size: int | None = Field(None, gt=0, description="width of the layers, over what --size says")
    attention_heads: int | None = Field(None, gt=0, description="attention heads a layer, over what --size says")
    intermediate_size: int | None = Field(None, gt=0, description="width of the feed-forward part (default: 4x)")
    max_positions: int | None = Field(None, ge=8, description="rows of the position table (default: 512)")
    initial_values: Literal["neighbours", "random"] | None = Field(
        None,
        description="what a model from scratch begins with: heads that look at the tokens next to them, or the random "
        "values of stock BERT (default: neighbours)",
    )
    objective: Objective = Field("mlm+nsp", description="what is learnt")
    negatives: Literal["other-document", "same-document"] = Field(
        "other-document", description="where the second segment of a random pair comes from"
    )
    minutes: float | None = Field(None, gt=0, description="train for so long; the learning rate falls by the clock")
    steps: int | None = Field(None, gt=0, description="train for so many updates")
    epochs: float | None = Field(None, gt=0, description="train for so many passes over the STORE")
    batch_size: int = Field(32, gt=0, description="examples an update, over all processes")
    micro_batch_size: int | None = Field(
        None, gt=0, description="examples at once in one process; the result does not depend on it"
    )
    auto_batch: bool = Field(False, description="find the largest micro-batch that fits into the memory")
    batch_ramp: tuple[int, float] | None = Field(
        None, description="begin with so many examples an update; the share of the run over which they rise"
    )
    sequence_length: int = Field(128, ge=8, description="tokens an example, special tokens included")
    short_phase: tuple[int, float] | None = Field(
        None, description="begin with examples of so many tokens; the share of the run that has them"
    )
    learning_rate: float | None = Field(None, gt=0, description="the highest learning rate (default: by size)")
    optimizer: Literal["adamw", "muon"] = Field("adamw", description="AdamW, or Muon on the hidden matrices")
    schedule: Literal["wsd", "cosine", "linear"] = Field("wsd", description="the learning rate's course")
    warmup: float = Field(0.06, ge=0, lt=1, description="the share of the run in which the learning rate rises")
    weight_decay: float = Field(0.01, ge=0, description="AdamW's weight decay")
    mask_rate: float | None = Field(
        None, gt=0, lt=1, description="the share of tokens that are predicted (default: 0.25, with --from 0.15)"
    )
    mask_unit: Literal["token", "word", "span"] = Field(
        "token", description="what is masked together: a token, a whole word, one to ten words"
    )
    mask_split: tuple[float, float, float] = Field(
        (80, 10, 10), description="percent of these that become [MASK], a random token, or stay"
    )
    precision: Literal["auto", "bf16", "fp32"] = Field("auto", description="number format of the matrix products")
    attention: Literal["auto", "eager", "sdpa"] = Field(
        "auto", description="how attention is computed: two products and a softmax, or torch's fused kernel"
    )
    compile: bool = Field(False, description="let torch.compile make the training step; needs a C++ compiler")
    dropout: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="dropout while training (default: 0 from scratch, the model's own with --from)",
    )
    max_grad_norm: float = Field(1.0, gt=0, description="gradients are clipped to this norm")
    gradient_checkpointing: bool = Field(
        False, description="compute activations twice instead of keeping them: less memory, a third more work"
    )
    patience: int | None = Field(
        None,
        gt=0,
        description="end after so many evaluations without a lower held-out loss, with the weights of the lowest",
    )
    overfit_one_batch: bool = Field(
        False, description="train on the first batch alone, to see that its loss goes to zero (default: 200 updates)"
    )
    fsdp: bool = Field(False, description="divide weights and optimizer over the processes of torchrun")
    tensorboard: bool = Field(False, description="write TensorBoard events to RUN/tensorboard")
    save_every: int | None = Field(
        None, gt=0, description="updates between checkpoints (default: a tenth of the run, at most one a minute)"
    )
    eval_every: int | None = Field(None, gt=0, description="updates between evaluations (default: a tenth of the run)")
    workers: int = Field(0, ge=0, description="processes that assemble batches beside the training process")
    seed: int = Field(0, ge=0, lt=SEEDS, description="weights, order, pairs, masks and dropout follow from it")
    overwrite: bool = Field(False, description="replace the folder at --out")
    resume: bool = Field(False, description="go on from the newest checkpoint in --out")
    dry_run: bool = Field(False, description="forecast parameters, memory and time; train nothing")

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
            raise ValueError(f"{' and '.join('--' + name for name in given)} contradict each other: give one of them")
        if self.overwrite and self.resume:
            raise ValueError("--overwrite starts again and --resume goes on: give one of them")
        fresh = (
            "size", "hidden_size", "attention_heads", "intermediate_size", "max_positions", "initial_values",
        )  # fmt: skip
        given = [name for name in fresh if getattr(self, name) is not None]
        if self.from_ is not None and given:
            flags = ", ".join(f"--{external_name(name)}" for name in given)
            raise ValueError(
                f"{flags}: a model that continues keeps shape and weights; leave {'it' if len(given) == 1 else 'them'} "
                "out, or --from. Fewer layers may be taken: --layers N keeps N of its"
            )
        for name in ("distil_weight", "distil_temperature"):
            if self.teacher is None and getattr(self, name) is not None:
                raise ValueError(f"--{external_name(name)} belongs to --teacher, which is missing")
        if self.teacher is not None and self.objective == "nsp":
            raise ValueError("--teacher says what stands at masked positions, and --objective nsp masks none")
        if self.short_phase is not None and not 8 <= self.short_phase[0] < self.sequence_length:
            raise ValueError(
                f"--short-phase: found {self.short_phase[0]} tokens, expected from 8 to less than the "
                f"{self.sequence_length} of --sequence-length"
            )
        if self.batch_ramp is not None and self.batch_ramp[0] >= self.batch_size:
            raise ValueError(
                f"--batch-ramp: found {self.batch_ramp[0]} examples, expected less than the {self.batch_size} of "
                "--batch-size"
            )
        if self.epochs is not None and (self.short_phase or self.batch_ramp):
            raise ValueError(
                "--epochs counts passes with examples of one length and batches of one size; give --steps or --minutes "
                "with --short-phase and --batch-ramp"
            )
        if self.fsdp and self.optimizer == "muon":
            raise ValueError("--fsdp needs --optimizer adamw: Muon works on whole matrices")
        if self.auto_batch and self.micro_batch_size is not None:
            raise ValueError("--auto-batch finds the micro-batch that --micro-batch-size gives: give one of them")
        if self.overfit_one_batch and (self.short_phase or self.batch_ramp or self.patience):
            raise ValueError("--overfit-one-batch takes one batch: leave out --short-phase, --batch-ramp, --patience")
        if self.overfit_one_batch and self.teacher is not None:
            raise ValueError("--overfit-one-batch sees whether the loss of labels goes to zero: leave out --teacher")
        if self.micro_batch_size is not None and self.micro_batch_size > self.batch_size:
            raise ValueError(
                f"--micro-batch-size {self.micro_batch_size} is larger than --batch-size {self.batch_size}"
            )
        return self
