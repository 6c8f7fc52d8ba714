"""The settings of a training, with everything that options, data, MODEL and machine decide together."""

from __future__ import annotations

from dataclasses import dataclass

from bertsmith.finetuning.losses import Distillation
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.trainable_parameters import TrainableParameters
from bertsmith.tasks.base import AnyTask
from bertsmith.training.plan import Computation, Optimization


@dataclass(frozen=True)
class HeadSettings:
    """How a head is trained: the options as they were given, and what follows from them.

    Attributes:
        head: the task with its labels.
        class_weights: the weight of a loss of each label; None if each counts 1.
        max_length: tokens per row.
        steps: updates.
        eval_every: updates between evaluations.
        attention: the implementation of attention.
        distillation: how a teacher's logits (`LabelledData.taught`) are learnt.
    """

    options: FinetuneOptions
    head: AnyTask
    max_length: int
    steps: int
    eval_every: int
    optimization: Optimization
    computation: Computation
    attention: str
    parts: TrainableParameters = TrainableParameters()  # noqa: RUF009 - it is frozen
    distillation: Distillation | None = None
    class_weights: tuple[float, ...] | None = None

    @property
    def metric(self) -> str:
        """The figure on the dev file that checkpoints and seeds are chosen by."""
        return self.options.metric or self.head.main_metric

    @property
    def eval_tokens(self) -> int:
        """Tokens at once in evaluation, padding included."""
        return self.options.eval_batch_size * self.max_length
