"""Fine-tuning one head with one seed: length-grouped batches, the thin Trainer, the best weights by the dev file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from bertsmith.config.tasks import TASKS
from bertsmith.errors import ModelError
from bertsmith.inference.batched import head_outputs
from bertsmith.models.loading import check_model, explained, quiet_transformers, refuse_mismatches
from bertsmith.runtime import random
from bertsmith.tasks.head import AnyHead, Inputs, head_class
from bertsmith.training.batches import UpdateBatches
from bertsmith.training.budget import FAR, Budget
from bertsmith.training.course import Course
from bertsmith.training.plan import TrainingPlan
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.trainer import ExactTrainer

BATCHES_A_WINDOW = 50
WARMUP = 0.06


@dataclass(frozen=True)
class LabelledData:
    """An encoded labelled file: the head's inputs, and what is true of them."""

    encoded: Inputs
    gold: Any


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
    streams: int = 1
    """Micro-batches side by side."""
    task: str = TASKS[0]

    @property
    def head(self) -> AnyHead:
        """The head of the task with these labels."""
        return head_class(self.task)(self.labels, self.problem_type)


@dataclass(frozen=True)
class TrainedHead:
    """A head with its best weights, the update that they are of, and what was chosen with them on the dev file."""

    model: nn.Module
    best_step: int
    head: AnyHead


class HeadBatches:
    """Makes the batch of given examples of the whole training; an example is a row of the head's inputs.

    The order of an epoch is a pure function of (seed, epoch): random, but within windows of fifty batches sorted by
    length, so that little is computed on padding.
    """

    def __init__(self, data: LabelledData, settings: HeadSettings, config: Any, pad_token_id: int, seed: int) -> None:
        self.data, self.batch_size, self.seed, self.pad = data, settings.batch_size, seed, pad_token_id
        self.head = settings.head
        self.with_types = getattr(config, "type_vocab_size", 0) > 1
        self.lengths = np.array(data.encoded.lengths)
        self._epoch = -1
        self._order: npt.NDArray[np.int64]

    def order(self, epoch: int) -> npt.NDArray[np.int64]:
        """int64 of [rows]: which row of the inputs stands where in an epoch."""
        if epoch != self._epoch:
            generator = random.generator("order", self.seed, epoch)
            shuffled = generator.permutation(len(self.lengths))
            window = self.batch_size * BATCHES_A_WINDOW
            groups: list[npt.NDArray[np.int64]] = []
            for start in range(0, len(shuffled), window):
                part = shuffled[start : start + window]
                part = part[np.argsort(self.lengths[part], kind="stable")]
                groups += [part[at : at + self.batch_size] for at in range(0, len(part), self.batch_size)]
            full = [group for group in groups if len(group) == self.batch_size]
            rest = [group for group in groups if len(group) < self.batch_size]
            mixed = [full[number] for number in generator.permutation(len(full))]
            self._order, self._epoch = np.concatenate([*mixed, *rest]), epoch
        return self._order

    def __call__(self, numbers: Sequence[int]) -> dict[str, Any]:
        """The micro-batch, with the number of its losses to divide their sum by."""
        size = len(self.lengths)
        chosen = [int(self.order(number // size)[number % size]) for number in numbers]
        batch: dict[str, Any] = self.head.batch(self.data.encoded, chosen, self.pad, with_types=self.with_types)
        batch["gold"] = self.head.gold(self.data.encoded, self.data.gold, chosen)
        batch["loss_counts"] = torch.tensor([float(self.head.loss_count(batch["gold"]))])
        batch["num_tokens"] = int(self.lengths[chosen].sum())
        return batch


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
    prefix = f"{model.base_model_prefix}."
    refuse_mismatches(settings.model, [item for item in info["mismatched_keys"] if item[0].startswith(prefix)])
    missing = [key for key in info["missing_keys"] if key.startswith(prefix) and "pooler" not in key]
    if missing:
        raise ModelError(
            f"{settings.model}: {len(missing)} weights of the encoder are missing, {missing[0]} among them"
        )
    trained: nn.Module = model
    return trained


def train_head(
    settings: HeadSettings,
    tokenizer: Any,
    train: LabelledData,
    dev: LabelledData,
    folder: RunFolder,
    seed: int,
    title: str,
) -> tuple[TrainedHead, str | None]:
    """Train with one seed; returns the head with its best weights, and the signal that stopped it, if one did."""
    torch.manual_seed(seed)
    model = load_head(settings)
    head, pad = settings.head, int(tokenizer.pad_token_id)
    best: dict[str, Any] = {"value": -float("inf"), "step": 0, "weights": None, "head": head}
    budget_tokens = settings.eval_batch_size * settings.max_length

    def evaluate(current: nn.Module, step: int) -> dict[str, float]:
        outputs = head_outputs(head, current, dev.encoded, pad, precision=settings.precision, budget=budget_tokens)
        chosen = head.choose(outputs, dev.gold)
        value = chosen.main_value(outputs, dev.gold)
        if value > best["value"]:
            weights = {name: tensor.detach().clone() for name, tensor in current.state_dict().items()}
            best.update(value=value, step=step, weights=weights, head=chosen)
        return {head.main_metric: value}

    budget = Budget(steps=settings.steps)
    plan = TrainingPlan(
        budget=budget,
        course=Course(budget, settings.batch_size),
        loss_names=("loss",),
        loss_sums=_loss_sums(head),
        evaluate=lambda current: evaluate(current, trainer.state.global_step),
        optimizer="adamw",
        schedule="linear",
        learning_rate=settings.learning_rate,
        warmup=WARMUP,
        weight_decay=settings.weight_decay,
        max_grad_norm=1.0,
        precision=settings.precision,
        streams=settings.streams,
        seed=seed,
        save_every=FAR,
        eval_every=settings.eval_every,
        checkpoints=False,
        title=title,
    )
    batches = UpdateBatches(
        [HeadBatches(train, settings, model.config, pad, seed)],
        micro_batch_size=math.ceil(settings.batch_size / settings.streams),
    )
    trainer = ExactTrainer(model, tokenizer, batches, folder, plan)
    trainer.run(None)
    if trainer.stop.requested is None:
        evaluate(model, settings.steps)
        model.load_state_dict(best["weights"])
        config: Any = model.config
        config.update(best["head"].chosen)
    return TrainedHead(model, best["step"], best["head"]), trainer.stop.requested


def _loss_sums(head: AnyHead) -> Callable[[nn.Module, dict[str, Any]], Tensor]:
    def compute(model: nn.Module, batch: dict[str, Any]) -> Tensor:
        inputs = {name: value for name, value in batch.items() if name != "gold"}
        return head.loss_sum(model(**inputs), batch["gold"])[None]

    return compute
