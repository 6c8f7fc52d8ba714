"""The thin Trainer: transformers' own loop, with what it does wrongly or not at all for BERT put right.

- One update is the same for every division of its batch. A model's losses come as sums; they are divided by the
  counts of the whole update, over all micro-batches and processes. (Stock takes any model with **kwargs for one that
  normalises its own loss, and multiplies BERT's gradient by the number of accumulation steps.)
- Batches are found by their number, so a resumed run starts at its place at once and draws what an unbroken run draws.
- The learning rate follows updates or the clock; a signal ends the run with a checkpoint; every loss is logged.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from bertsmith.errors import BertsmithError
from bertsmith.models.loading import quiet_transformers
from bertsmith.runtime.console import progress
from bertsmith.runtime.files import read_json, write_json
from bertsmith.training.budget import Budget
from bertsmith.training.optimizers import make_optimizer
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.schedules import factor
from bertsmith.training.signals import StopRequest

KEEP_CHECKPOINTS = 2
PARTS_OF_A_RUN = 10
"""A run evaluates and saves so many times where nothing else is asked for."""
SECONDS_BETWEEN_CHECKPOINTS = 60.0
"""Where nothing else is asked for, a short run spends its time on training: a minute is what a crash may cost."""

Batch = dict[str, Any]


class UpdateBatches(Dataset[Batch]):
    """Micro-batches by number; the division of an update into them is theirs.

    Args:
        make: the batch of some examples, given their positions in the whole training (0, 1, 2, ... over all
            epochs). Besides the model's inputs it holds `loss_counts` (float32 of [losses]: what each loss sum is
            divided by) and `num_tokens`.
        batch_size: examples an update, over all processes.
        micro_batch_size: examples at once in one process.
    """

    def __init__(
        self,
        make: Callable[[Sequence[int]], Batch],
        *,
        batch_size: int,
        micro_batch_size: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.make, self.batch_size = make, batch_size
        self.micro_batch_size, self.rank, self.world_size = micro_batch_size, rank, world_size
        share = math.ceil(batch_size / world_size)
        self.start, self.stop = min(rank * share, batch_size), min((rank + 1) * share, batch_size)
        self.micro_batches = math.ceil(share / micro_batch_size)

    def __getitem__(self, number: int) -> Batch:
        update, micro = divmod(number, self.micro_batches)
        start = self.start + micro * self.micro_batch_size
        stop = min(start + self.micro_batch_size, self.stop)
        first = update * self.batch_size
        return self.make(range(first + start, first + stop))


class _From(Sampler[int]):
    """The numbers of the micro-batches from one update on."""

    def __init__(self, first: int, total: int) -> None:
        self.first, self.total = first, total

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.total))

    def __len__(self) -> int:
        return self.total


@dataclass
class TrainingPlan:
    """Everything that a run of the Trainer needs beside model and data."""

    budget: Budget
    loss_names: tuple[str, ...]
    loss_sums: Callable[[nn.Module, Batch], Tensor]
    """Gives float32 of [losses] for a batch, each loss summed, not averaged."""
    evaluate: Callable[[nn.Module], dict[str, Any]] | None
    optimizer: str
    schedule: str
    learning_rate: float
    warmup: float
    weight_decay: float
    max_grad_norm: float
    precision: str
    seed: int
    workers: int = 0
    save_every: int | None = None
    eval_every: int | None = None
    checkpoints: bool = True
    """Whether the run can be resumed in its middle."""
    title: str = "training"


class ExactTrainer(transformers.Trainer):
    """`transformers.Trainer` over `UpdateBatches`; see the module's text."""

    def __init__(
        self, model: nn.Module, tokenizer: Any, batches: UpdateBatches, folder: RunFolder, plan: TrainingPlan
    ) -> None:
        self.plan, self.folder, self.batches, self.trained = plan, folder, batches, model
        self.first_update = 0
        self.tokens_seen = 0
        self.loss_parts = torch.zeros(len(plan.loss_names))
        self.stop = StopRequest()
        self.conduct = _Conduct(self)
        args = TrainingArguments(
            output_dir=str(folder.path),
            max_steps=plan.budget.max_steps,
            per_device_train_batch_size=batches.micro_batch_size,
            gradient_accumulation_steps=batches.micro_batches,
            learning_rate=plan.learning_rate,
            max_grad_norm=plan.max_grad_norm,
            bf16=plan.precision == "bf16",
            use_cpu=not torch.cuda.is_available(),
            seed=plan.seed,
            dataloader_num_workers=plan.workers,
            dataloader_pin_memory=torch.cuda.is_available(),
            # The loader has a generator of its own, so the restored random state is not drawn from before the
            # first step; skipping is an offset of the sampler.
            ignore_data_skip=True,
            logging_steps=1,
            logging_nan_inf_filter=False,
            save_strategy="no",
            eval_strategy="no",
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            label_names=[],
        )
        args._n_gpu = min(args.n_gpu, 1)
        super().__init__(
            model=model,
            args=args,
            train_dataset=batches,
            processing_class=tokenizer,
            callbacks=[self.conduct],
        )
        self.remove_callback(transformers.PrinterCallback)
        self.loss_is_scaled_for_ga = True

    # Data

    def get_train_dataloader(self) -> DataLoader[Batch]:
        """Micro-batches from the first update that is not made yet."""
        per_update = self.batches.micro_batches
        return DataLoader(
            self.batches,
            batch_size=None,
            sampler=_From(self.first_update * per_update, self.plan.budget.max_steps * per_update),
            num_workers=self.plan.workers,
            pin_memory=self.args.dataloader_pin_memory,
            generator=torch.Generator().manual_seed(self.plan.seed),
        )

    # Losses

    def _get_num_items_in_batch(self, batch_samples: list[Batch], device: torch.device) -> Tensor:
        counts: Tensor = torch.stack([batch["loss_counts"] for batch in batch_samples]).sum(0).to(device)
        return cast(Tensor, self.accelerator.reduce(counts, "sum")) if self.args.world_size > 1 else counts

    def compute_loss(  # type: ignore[override]
        self,
        model: nn.Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Tensor | None = None,
    ) -> Tensor:
        """The micro-batch's share of the update's loss: sums over global counts.

        DistributedDataParallel averages gradients over processes, hence the factor.
        """
        inputs = {name: value for name, value in inputs.items() if name != "loss_counts"}
        self.tokens_seen += int(inputs.pop("num_tokens"))
        assert num_items_in_batch is not None
        parts = self.plan.loss_sums(model, inputs) / num_items_in_batch.clamp(min=1)
        self.loss_parts = self.loss_parts.to(parts.device) + parts.detach()
        return cast(Tensor, parts.sum() * self.args.world_size)

    # Optimizer and schedule

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """The plan's optimizer."""
        if self.optimizer is None:
            self.optimizer = make_optimizer(
                self.trained if model is None else model,
                self.plan.optimizer,
                learning_rate=self.plan.learning_rate,
                weight_decay=self.plan.weight_decay,
            )
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The plan's schedule, by updates or by the clock."""
        plan = self.plan
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
            self.create_optimizer() if optimizer is None else optimizer,
            lambda step: factor(plan.schedule, plan.budget.schedule_position(step), plan.warmup),
        )
        self._created_lr_scheduler = True
        return self.lr_scheduler

    def _clip_grad_norm(self, model: nn.Module) -> Any:
        self.gradient_norm: Tensor | float = super()._clip_grad_norm(model)  # type: ignore[no-untyped-call]
        return self.gradient_norm

    # Checkpoints

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        with self.folder.new_checkpoint(self.state.global_step, keep=KEEP_CHECKPOINTS) as aside:
            with quiet_transformers():
                self.save_model(str(aside), _internal_call=True)
            (aside / "training_args.bin").unlink(missing_ok=True)
            self._save_optimizer_and_scheduler(str(aside))
            self._save_rng_state(str(aside))
            self.state.save_to_json(str(aside / "trainer_state.json"))
            write_json(
                aside / "progress.json",
                {
                    "step": self.state.global_step,
                    "tokens_seen": self.tokens_seen,
                    "seconds": self.plan.budget.seconds(),
                },
            )

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        # transformers warns of the decoder, which is not in the file because it is tied to the embeddings.
        with quiet_transformers():
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Nothing: metrics.jsonl is written at each update, with both losses."""

    # The course of a run

    def run(self, checkpoint: Path | None) -> None:
        """Train to the end of the budget, or to a signal (then `self.stop.requested` names it)."""
        if checkpoint is not None:
            done = read_json(checkpoint / "progress.json")
            self.first_update, self.tokens_seen = done["step"], done["tokens_seen"]
            self.plan.budget.seconds_before = done["seconds"]
            self.folder.truncate_metrics(self.first_update)
        with (
            self.stop,
            self.folder.metrics_file.open("a", encoding="utf-8", buffering=1) as self.metrics,
            progress(self.plan.title, 1.0) as self.bar,
        ):
            self.train(resume_from_checkpoint=str(checkpoint) if checkpoint is not None else None)

    def _maybe_log_save_evaluate(
        self,
        tr_loss: Tensor,
        grad_norm: Tensor | float | None,
        model: nn.Module,
        trial: Any,
        epoch: float,
        ignore_keys_for_eval: list[str] | None,
        start_time: float,
        learning_rate: float | None = None,
    ) -> None:
        """After each update: its figures, an evaluation and a checkpoint where they are due, the end."""
        step, plan = self.state.global_step, self.plan
        if step == self._globalstep_last_logged:
            return
        self._globalstep_last_logged = step
        rate = self.conduct.tokens_per_second()
        self._write(
            {
                "step": step,
                "tokens_seen": self.tokens_seen * self.args.world_size,
                **self.conduct.losses,
                "grad_norm": float(grad_norm) if grad_norm is not None else None,
                "learning_rate": learning_rate,
                "tokens_per_second": round(rate, 1),
                "seconds": round(plan.budget.seconds(), 3),
            }
        )
        done = plan.budget.progress(step)
        words = "  ".join(f"{name.removesuffix('_loss')} {value:.3f}" for name, value in self.conduct.losses.items())
        self.bar.update(done, note=f"update {step:,}  {words}  {rate:,.0f} tokens/s")
        is_over, tenth = plan.budget.is_over(step), self.conduct.enters_new_part(done)
        # A run that is stopped here does not come back to this update: an evaluation that is due is made first.
        if plan.evaluate is not None and not is_over and _is_due(plan.eval_every, step, tenth):
            self._write({"step": step, "evaluation": plan.evaluate(self.trained)})
        if self.stop.requested is not None or is_over:
            self.control.should_training_stop = True
            if plan.checkpoints:
                self._save_checkpoint(model, trial)
            return
        if plan.checkpoints and _is_due(plan.save_every, step, tenth and self.conduct.may_save()):
            self._save_checkpoint(model, trial)

    def _write(self, line: dict[str, Any]) -> None:
        if self.is_world_process_zero():
            self.metrics.write(json.dumps(line) + "\n")


class _Conduct(TrainerCallback):
    """Watches the updates: their time, their losses, and in which tenth of the run they are."""

    def __init__(self, trainer: ExactTrainer) -> None:
        self.trainer = trainer
        self.losses: dict[str, float] = {}
        self.parts_done = 0
        self.saved = time.monotonic()

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """The clock starts, or goes on where a resumed run left it."""
        self.trainer.plan.budget.start()
        self.enters_new_part(self.trainer.plan.budget.progress(state.global_step))

    def on_step_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """A new update."""
        self.started, self.tokens_before = time.monotonic(), self.trainer.tokens_seen
        self.trainer.loss_parts = torch.zeros_like(self.trainer.loss_parts)

    def on_pre_optimizer_step(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """The losses are known and the weights not changed yet: a loss or gradient that is not finite ends the run."""
        parts = self.trainer.loss_parts
        if args.world_size > 1:
            parts = self.trainer.accelerator.reduce(parts, "sum")
        self.losses = dict(zip(self.trainer.plan.loss_names, parts.tolist(), strict=True))
        norm = float(self.trainer.gradient_norm)
        if not all(map(math.isfinite, (norm, *self.losses.values()))):
            raise BertsmithError(
                f"update {state.global_step + 1}: the loss is not finite ({self.losses}, gradient norm {norm}); the "
                "last checkpoint is kept. Lower --learning-rate, or give --precision fp32."
            )

    def tokens_per_second(self) -> float:
        """Of the update that has just been made, over all processes."""
        tokens = (self.trainer.tokens_seen - self.tokens_before) * self.trainer.args.world_size
        return float(tokens / max(time.monotonic() - self.started, 1e-9))

    def may_save(self) -> bool:
        """Whether the last checkpoint is a minute old; the next minute begins then."""
        now = time.monotonic()
        if now - self.saved < SECONDS_BETWEEN_CHECKPOINTS:
            return False
        self.saved = now
        return True

    def enters_new_part(self, done: float) -> bool:
        """Whether this share of the run lies in another tenth than the last one asked for."""
        part = int(done * PARTS_OF_A_RUN)
        entered, self.parts_done = part > self.parts_done, max(part, self.parts_done)
        return entered


def _is_due(every: int | None, step: int, tenth: bool) -> bool:
    return step % every == 0 if every is not None else tenth
