"""Fine-tuning one head with one seed: the thin Trainer, the best weights by the dev file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bertsmith.errors import DivergedError, ModelError
from bertsmith.finetuning.batches import BudgetedBatches, HeadBatches, LabelledData
from bertsmith.finetuning.best_weights import BestWeights
from bertsmith.finetuning.lora import Lora, add_adapters, merge_adapters
from bertsmith.finetuning.losses import Distillation, loss_sums
from bertsmith.finetuning.parameters import freeze, rates_by_layer
from bertsmith.inference.batched import head_outputs
from bertsmith.models.fast.parts import in_float32
from bertsmith.models.fewer_layers import with_fewer_layers
from bertsmith.models.loading import check_model, explained, load_config, quiet_transformers, refuse_mismatches
from bertsmith.runtime.console import say
from bertsmith.tasks.base import AnyTask, task_class
from bertsmith.tasks.losses import head_of
from bertsmith.tasks.model_config import INPUT_LENGTH, forget_head, forget_labels, has_head
from bertsmith.tasks.registry import trainable_tasks
from bertsmith.training.budget import Budget
from bertsmith.training.course import Course
from bertsmith.training.plan import TrainingPlan
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.trainer import ExactTrainer

WARMUP = 0.06


@dataclass(frozen=True)
class HeadSettings:
    """What a head is trained with; see `config.finetune.FinetuneOptions`."""

    model: str
    labels: tuple[str, ...]
    problem_type: str
    steps: int
    batch_size: int
    eval_batch_size: int
    eval_every: int
    learning_rate: float
    weight_decay: float
    precision: str
    attention: str
    max_length: int
    micro_batch_tokens: int = 8_192
    """At most so many at once in training, after padding."""
    streams: int = 1
    """Micro-batches side by side."""
    patience: int | None = None
    """The training ends after so many evaluations without a better one."""
    layer_decay: float = 1.0
    freeze_layers: int | None = None
    save_every: int | None = None
    task: str = trainable_tasks()[0]
    class_weights: tuple[float, ...] | None = None
    metric: str | None = None
    """The figure that the best weights are chosen by; None for the head's main one."""
    lora: Lora | None = None
    """Adapters that learn in the place of the encoder's weights."""
    layers: int | None = None
    """So many of the MODEL's layers are kept."""
    distillation: Distillation | None = None
    """How a teacher's logits (`LabelledData.taught`) are learnt."""
    chosen: Mapping[str, Any] = field(default_factory=dict)
    """What the training file decides of the head besides its labels (`Task.chosen`)."""

    @property
    def head(self) -> AnyTask:
        """The task with these labels."""
        return task_class(self.task)(self.labels, self.problem_type).with_chosen(self.chosen)

    @property
    def eval_tokens(self) -> int:
        """At most so many at once in evaluation, after padding."""
        return self.eval_batch_size * self.max_length


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


def load_head(settings: HeadSettings) -> nn.Module:
    """The MODEL with a head of these labels; the head starts fresh unless the MODEL has one of the same labels.

    Raises ModelError where encoder weights are missing or of another shape.
    """
    import transformers

    check_model(settings.model)
    head = settings.head
    with explained(settings.model), quiet_transformers():
        loaded: Any = getattr(transformers, head.auto_class).from_pretrained(
            settings.model,
            dtype=torch.float32,
            use_safetensors=True,
            attn_implementation=settings.attention,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **head.config_values(),
        )
    model, info = loaded
    forget_head(model.config)
    model.config.problem_type = head.config_values().get("problem_type")
    if not head.labels and model.config.problem_type is None:
        forget_labels(model.config, model.config.num_labels)
    # Stored before training, so that checkpoints have it too.
    model.config.update({INPUT_LENGTH: settings.max_length, **settings.chosen})
    prefix = f"{model.base_model_prefix}."
    refuse_mismatches(settings.model, [item for item in info["mismatched_keys"] if item[0].startswith(prefix)])
    missing = [key for key in info["missing_keys"] if key.startswith(prefix) and "pooler" not in key]
    if missing:
        raise ModelError(
            f"{settings.model}: {len(missing)} weights of the encoder are missing, {missing[0]} among them"
        )
    if replaced_labels(load_config(settings.model), settings) is not None:
        _start_afresh(model)
    trained: nn.Module = model if settings.layers is None else with_fewer_layers(model, settings.layers)
    return trained


def outline(name: str, head: AnyTask, *, layers: int | None, freeze_layers: int | None, lora: Lora | None) -> nn.Module:
    """The MODEL of a name as `train_head` trains it, without weights: what learns in it, and how many numbers that is.

    Raises OptionError where the parts that are to learn do not fit it.
    """
    import transformers

    with explained(name), quiet_transformers(), torch.device("meta"):
        config = transformers.AutoConfig.from_pretrained(name, **head.config_values())
        model: nn.Module = getattr(transformers, head.auto_class).from_config(config)
        if layers is not None:
            model = with_fewer_layers(model, layers)
        return _learning(model, freeze_layers, lora)


def _learning(model: Any, freeze_layers: int | None, lora: Lora | None) -> nn.Module:
    """The model with the parts that learn."""
    frozen = -1 if freeze_layers is None else freeze_layers
    if lora is not None:
        add_adapters(model, lora, frozen_layers=frozen)
    else:
        freeze(model, model.config, frozen)
    learning: nn.Module = model
    return learning


def replaced_labels(config: Any, settings: HeadSettings) -> list[str] | None:
    """The labels of the head that a MODEL of this configuration has, where they are others than those to learn.

    The same names in another order are others: the weights of a head know its labels by their order.
    """
    if not settings.labels or not has_head(config, settings.task):
        return None
    own = [config.id2label[number] for number in sorted(config.id2label)]
    return own if own != list(settings.labels) else None


def _start_afresh(model: Any) -> None:
    """Draw the weights of everything but the encoder anew, as transformers draws those that a file lacks."""
    for name, part in model.named_children():
        if name == model.base_model_prefix:
            continue
        for item in (*part.modules(), *part.parameters()):
            item._is_hf_initialized = False
        part.apply(model._init_weights)


def train_head(
    settings: HeadSettings,
    tokenizer: Any,
    train: LabelledData,
    dev: LabelledData,
    folder: RunFolder,
    seed: int,
    title: str,
    checkpoint: Path | None = None,
) -> TrainedHead:
    """Train with one seed, from a checkpoint on where there is one; gives the head with its best weights.

    Raises DivergedError where the loss is not finite any more, or no evaluation gave a number.
    """
    torch.manual_seed(seed)
    model = _learning(load_head(settings), settings.freeze_layers, settings.lora)
    head, pad = settings.head, int(tokenizer.pad_token_id)
    losses = head_of(settings.task, head, settings.class_weights)
    metric = settings.metric or head.main_metric
    best = BestWeights()
    if checkpoint is not None:
        best.load(checkpoint)

    def evaluate(current: nn.Module) -> dict[str, float]:
        # In float32, whatever the training is in: what is chosen is what is reported, and what `evaluate` gives again.
        with in_float32(current):
            outputs = head_outputs(head, current, dev.encoded, pad, budget=settings.eval_tokens)
        settled = head.settled(outputs, dev.targets)
        value = settled.values(outputs, dev.targets)[metric]
        step = trainer.state.global_step
        best.consider(current, head.goodness(metric, value), step, settled.chosen)
        if settings.patience is not None and best.without_gain >= settings.patience and step < settings.steps:
            times = "evaluation" if settings.patience == 1 else "evaluations"
            say(f"update {step}: {settings.patience} {times} without a better {metric}, the training ends")
            trainer.stopped_early = True
        return {metric: value}

    budget = Budget(steps=settings.steps)
    plan = TrainingPlan(
        budget=budget,
        course=Course(budget, settings.batch_size),
        loss_names=("loss",),
        loss_sums=loss_sums(losses, settings.distillation),
        evaluate=evaluate,
        optimizer="adamw",
        schedule="linear",
        learning_rate=settings.learning_rate,
        warmup=WARMUP,
        weight_decay=settings.weight_decay,
        max_grad_norm=1.0,
        precision=settings.precision,
        streams=settings.streams,
        rate_of=rates_by_layer(model.config, settings.layer_decay),
        seed=seed,
        save_every=settings.save_every,
        eval_every=settings.eval_every,
        evaluate_at_end=True,
        checkpoint_at_end=False,
        keep_beside=best.save,
        title=title,
    )
    with_types = getattr(model.config, "type_vocab_size", 0) > 1
    rows = HeadBatches(train, losses, settings.batch_size, pad, with_types=with_types, seed=seed)
    batches = BudgetedBatches(rows, budget=settings.micro_batch_tokens, streams=settings.streams)
    trainer = ExactTrainer(model, tokenizer, batches, folder, plan)
    trainer.run(checkpoint)
    signal = None if trainer.stopped_early else trainer.stop.requested
    if signal is None:
        if not best.weights:
            raise DivergedError(f"no evaluation gave a number: {metric} on the dev file is not finite")
        best.give_to(model)
        if settings.lora is not None:
            merge_adapters(model)
        head.chosen = best.chosen
        config: Any = model.config
        config.update(best.chosen)
    return TrainedHead(model, head, best.step, trainer.state.global_step, signal)
