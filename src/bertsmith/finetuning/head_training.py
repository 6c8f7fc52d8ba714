"""Fine-tuning one head with one seed: the Trainer, and the weights that are best on the dev file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bertsmith.errors import DivergedError
from bertsmith.finetuning.best_weights import BestWeights
from bertsmith.finetuning.head_batches import HeadBatches, LabelledData, TokenBudgetDataset
from bertsmith.finetuning.head_losses import head_loss_sums
from bertsmith.finetuning.head_model import load_head
from bertsmith.finetuning.lora import merge_adapters
from bertsmith.finetuning.parameters import rate_shares_by_layer
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.inference.head_outputs import head_outputs
from bertsmith.models.fast.fast_bert import in_float32
from bertsmith.runtime.console import log_info
from bertsmith.tasks.base import AnyTask
from bertsmith.tasks.task_losses import task_losses
from bertsmith.training.budget import Budget
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.trainer import ExactTrainer
from bertsmith.training.training_plan import Evaluations, Losses, Saving, TrainingPlan
from bertsmith.training.update_sampler import UpdateSampler


@dataclass(frozen=True)
class TrainedHead:
    """The result of one training.

    Attributes:
        model: has the best weights, unless a signal came.
        head: has the settings that were chosen on the dev file together with these weights.
        best_step: the update after which model and head were the best.
        signal: the signal that stopped the training before its end; None if it finished.
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
    """Train with one seed, or resume from a checkpoint.

    Raises DivergedError if the loss is no longer finite, or no evaluation gave a finite metric.
    """
    torch.manual_seed(seed)
    options, head, pad = settings.options, settings.head, int(tokenizer.pad_token_id)
    model = settings.trainable_parameters.apply_to(load_head(settings))
    losses = task_losses(options.task, head, settings.class_weights)
    best = BestWeights()
    if checkpoint is not None:
        best.load(checkpoint)

    def evaluate(current: nn.Module) -> dict[str, float]:
        # In float32, so that the weights are chosen by the figures that `evaluate` will report.
        with in_float32(current):
            outputs = head_outputs(head, current, dev.encoded, pad, budget=settings.eval_tokens)
        tuned_head = head.with_tuned_thresholds(outputs, dev.targets)
        value = tuned_head.values(outputs, dev.targets)[settings.metric]
        step = trainer.state.global_step
        best.consider(current, head.selection_score(settings.metric, value), step=step, chosen=tuned_head.fitted_values)
        if options.patience is not None and best.without_gain >= options.patience and step < settings.steps:
            times = "evaluation" if options.patience == 1 else "evaluations"
            log_info(
                f"update {step}: {options.patience} {times} without a better {settings.metric}, so the training ends"
            )
            trainer.evaluation.stopped_early = True
        return {settings.metric: value}

    plan = TrainingPlan(
        updates=UpdateSampler(Budget(steps=settings.steps), options.batch_size),
        losses=Losses(("loss",), head_loss_sums(losses, settings.distillation)),
        optimization=replace(settings.optimization, rate_share=rate_shares_by_layer(model.config, options.layer_decay)),
        computation=settings.computation,
        evaluations=Evaluations(evaluate, every=settings.eval_every, at_end=True),
        saving=Saving(options.save_every, at_end=False, add_to=best.save),
        seed=seed,
        title=title,
    )
    with_types = getattr(model.config, "type_vocab_size", 0) > 1
    batches = HeadBatches(train, losses, options.batch_size, pad_token_id=pad, with_types=with_types, seed=seed)
    dataset = TokenBudgetDataset(
        batches, budget=options.micro_batch_tokens, threads=settings.computation.micro_batch_threads
    )
    trainer = ExactTrainer(model, tokenizer, dataset, folder=folder, plan=plan)
    trainer.run(checkpoint)
    signal = None if trainer.evaluation.stopped_early else trainer.stop.requested
    if signal is None:
        _load_best(model, best, settings)
        head = head.with_fitted_values(best.chosen)
    return TrainedHead(model, head, best.step, trainer.state.global_step, signal)


def _load_best(model: Any, best: BestWeights, settings: HeadSettings) -> None:
    """Load the best weights, in the form of a stock model, and the settings that were chosen with them."""
    if not best.weights:
        raise DivergedError(f"{settings.metric} on the dev file was not finite in any evaluation")
    best.load_into(model)
    if settings.trainable_parameters.lora is not None:
        merge_adapters(model)
    model.config.update(best.chosen)
