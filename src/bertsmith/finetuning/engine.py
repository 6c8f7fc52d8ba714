"""Fine-tuning one head with one seed: the thin Trainer, the best weights by the dev file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bertsmith.errors import DivergedError
from bertsmith.finetuning.batches import BudgetedBatches, HeadBatches, LabelledData
from bertsmith.finetuning.best_weights import BestWeights
from bertsmith.finetuning.head_model import load_head
from bertsmith.finetuning.lora import merge_adapters
from bertsmith.finetuning.losses import loss_sums
from bertsmith.finetuning.parameters import rates_by_layer
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.inference.batched import head_outputs
from bertsmith.models.fast.parts import in_float32
from bertsmith.runtime.console import log_info
from bertsmith.tasks.base import AnyTask
from bertsmith.tasks.losses import losses_of
from bertsmith.training.budget import Budget
from bertsmith.training.course import Course
from bertsmith.training.plan import Evaluations, Losses, Saving, TrainingPlan
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.trainer import ExactTrainer


@dataclass(frozen=True)
class TrainedHead:
    """A model with its best weights, the head with what was settled on the dev file, and the update that both are of.

    `signal` names what stopped the training before its end.
    """

    model: nn.Module
    head: AnyTask
    best_step: int
    steps: int
    signal: str | None


def train_head(
    settings: HeadSettings,
    train: LabelledData,
    dev: LabelledData,
    *,
    tokenizer: Any,
    folder: RunFolder,
    seed: int,
    title: str,
    checkpoint: Path | None = None,
) -> TrainedHead:
    """Train with one seed, from a checkpoint if there is one; gives the head with its best weights.

    Raises DivergedError if the loss is not finite any more, or no evaluation gave a number.
    """
    torch.manual_seed(seed)
    options, head, pad = settings.options, settings.head, int(tokenizer.pad_token_id)
    model = settings.parts.apply_to(load_head(settings))
    losses = losses_of(options.task, head, settings.class_weights)
    best = BestWeights()
    if checkpoint is not None:
        best.load(checkpoint)

    def evaluate(current: nn.Module) -> dict[str, float]:
        # In float32, whatever the training is in: what is chosen is what is reported, and what `evaluate` gives again.
        with in_float32(current):
            outputs = head_outputs(head, current, dev.encoded, pad, budget=settings.eval_tokens)
        with_tuned_thresholds = head.with_tuned_thresholds(outputs, dev.targets)
        value = with_tuned_thresholds.values(outputs, dev.targets)[settings.metric]
        step = trainer.state.global_step
        best.consider(
            current, head.selection_score(settings.metric, value), step=step, chosen=with_tuned_thresholds.chosen
        )
        if options.patience is not None and best.without_gain >= options.patience and step < settings.steps:
            times = "evaluation" if options.patience == 1 else "evaluations"
            log_info(f"update {step}: {options.patience} {times} without a better {settings.metric}, the training ends")
            trainer.stopped_early = True
        return {settings.metric: value}

    plan = TrainingPlan(
        course=Course(Budget(steps=settings.steps), options.batch_size),
        losses=Losses(("loss",), loss_sums(losses, settings.distillation)),
        optimization=replace(settings.optimization, rate_of=rates_by_layer(model.config, options.layer_decay)),
        computation=settings.computation,
        evaluations=Evaluations(evaluate, every=settings.eval_every, at_end=True),
        saving=Saving(options.save_every, at_end=False, add_to=best.save),
        seed=seed,
        title=title,
    )
    with_types = getattr(model.config, "type_vocab_size", 0) > 1
    rows = HeadBatches(train, losses, options.batch_size, pad_token_id=pad, with_types=with_types, seed=seed)
    batches = BudgetedBatches(rows, budget=options.micro_batch_tokens, streams=settings.computation.streams)
    trainer = ExactTrainer(model, tokenizer, batches, folder=folder, plan=plan)
    trainer.run(checkpoint)
    signal = None if trainer.stopped_early else trainer.stop.requested
    if signal is None:
        _take_best(model, best, settings)
        head = head.with_fitted_values(best.chosen)
    return TrainedHead(model, head, best.step, trainer.state.global_step, signal)


def _take_best(model: Any, best: BestWeights, settings: HeadSettings) -> None:
    """Give a model the best weights as a stock model has them, and its configuration what was settled with them."""
    if not best.weights:
        raise DivergedError(f"no evaluation gave a number: {settings.metric} on the dev file is not finite")
    best.restore_into(model)
    if settings.parts.lora is not None:
        merge_adapters(model)
    model.config.update(best.chosen)
