"""The settings of a training, which follow from options, data, MODEL and machine."""

from __future__ import annotations

from dataclasses import dataclass

from bertsmith.finetuning.head_losses import Distillation
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.trainable_parameters import TrainableParameters
from bertsmith.tasks.base import AnyTask
from bertsmith.training.training_plan import Computation, Optimization


@dataclass(frozen=True)
class HeadSettings:
    """The settings of a training: the given options and the values that follow from them.

    Attributes:
        head: the task with its labels.
        class_weights: the weight of each label in the loss; None if all weights are 1.
        max_length: tokens per row.
        steps: updates.
        eval_every: updates between evaluations.
        attention: the implementation of attention.
        distillation: how to train on a teacher's logits (`LabelledData.teacher_logits`).
    """

    options: FinetuneOptions
    head: AnyTask
    max_length: int
    steps: int
    eval_every: int
    optimization: Optimization
    computation: Computation
    attention: str
    trainable_parameters: TrainableParameters = TrainableParameters()  # noqa: RUF009 (it is frozen)
    distillation: Distillation | None = None
    class_weights: tuple[float, ...] | None = None

    @property
    def metric(self) -> str:
        """The metric on the dev file that selects checkpoints and seeds."""
        return self.options.metric or self.head.main_metric

    @property
    def eval_tokens(self) -> int:
        """Tokens per batch in evaluation, including padding."""
        return self.options.eval_batch_size * self.max_length
