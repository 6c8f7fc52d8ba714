"""The thin Trainer: transformers' own loop, with what it does wrongly or not at all for BERT put right.

- One update is the same for every division of its batch. A model's losses come as sums; they are divided by the
  counts of the whole update, over all micro-batches and processes. (Stock takes any model with **kwargs for one that
  normalises its own loss, and multiplies BERT's gradient by the number of accumulation steps.)
- An update is one item of the loader, found by its number, so a resumed run starts at its place at once and draws what
  an unbroken run draws.
- The learning rate follows updates or the clock; a signal ends the run with a checkpoint; every loss is logged.
- Several processes see one clock and one stop: they agree after each update.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.utils.data import DataLoader

from bertsmith.models.fast.parts import encoder_of
from bertsmith.models.loading import quiet_transformers
from bertsmith.runtime import processes
from bertsmith.runtime.computing import computing, deterministic
from bertsmith.runtime.console import log_info, progress
from bertsmith.training import checkpoints, random_states, sharding
from bertsmith.training.arguments import arguments_of
from bertsmith.training.batches import WITHOUT_WEIGHT, Batch, UpdateBatches, leave_process_group, model_inputs
from bertsmith.training.clipping import clip_gradients
from bertsmith.training.conduct import Conduct
from bertsmith.training.course import Update
from bertsmith.training.judge import Judge
from bertsmith.training.optimizers import make_optimizer
from bertsmith.training.plan import TrainingPlan
from bertsmith.training.run_folder import RunFolder, read_metrics, save_model
from bertsmith.training.signals import StopRequest
from bertsmith.training.step import step_of
from bertsmith.training.streams import Streams

KEEP_CHECKPOINTS = 2


class ExactTrainer(transformers.Trainer):
    """`transformers.Trainer` over `UpdateBatches`; see the module's text."""

    def __init__(
        self, model: nn.Module, tokenizer: Any, batches: UpdateBatches, *, folder: RunFolder, plan: TrainingPlan
    ) -> None:
        self.plan, self.folder, self.batches, self.trained = plan, folder, batches, model
        self.plain_class, self.tokenizer = type(model), tokenizer
        self.first_update = 0
        self.tokens_seen = 0
        self.taken = [0, 0]
        self.judge = Judge(plan.evaluations.judge)
        self.stopped_early = False
        self.stop = StopRequest()
        self.streams: Streams | None = None
        self.conduct = Conduct(plan, batches, stop=self.stop, is_finite=self.is_finite_alone)
        args = arguments_of(plan, folder.path, batches.micro_batch_size)
        super().__init__(
            model=model,
            args=args,
            train_dataset=batches,
            processing_class=tokenizer,
            callbacks=[self.conduct],
        )
        self.remove_callback(transformers.PrinterCallback)
        self.loss_is_scaled_for_ga = True
        if plan.computation.sharded:
            sharding.shard(model)
            # The Trainer then leaves wrapping and gradients to the model.
            self.is_distributed_loading_by_transformers = True

    # Data

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Updates from the first one on that is not made yet."""
        self.plan.course.resume(self.first_update, self.taken)
        return DataLoader(
            self.batches,
            batch_size=None,
            sampler=self.plan.course,
            num_workers=self.plan.computation.workers,
            # Forked workers share the plan of an epoch and the mapped tokens.
            multiprocessing_context="fork" if self.plan.computation.workers else None,
            worker_init_fn=leave_process_group,
            pin_memory=self.args.dataloader_pin_memory,
            generator=torch.Generator().manual_seed(self.plan.seed),
        )

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], Tensor]:
        """One update, and what each of its loss sums is divided by: counts over all micro-batches and processes."""
        self.conduct.started = time.monotonic()
        update, batches = next(epoch_iterator)
        counts = torch.stack([batch["loss_counts"] for batch in batches]).sum(0)
        everywhere = torch.tensor(processes.all_reduce_sum(counts.tolist()), dtype=counts.dtype)
        return [(update, batches)], everywhere.to(device)

    # Losses

    def training_step(  # type: ignore[override]
        self, model: nn.Module, inputs: tuple[Update, list[Batch]], num_items_in_batch: Tensor | None = None
    ) -> Tensor:
        """Forward and backward of all micro-batches; processes exchange gradients in the last one."""
        update, batches = inputs
        self.conduct.begin(update)
        if self.streams is not None:
            assert num_items_in_batch is not None
            shares = self.streams.backward(batches, partial(self._shares, counts=num_items_in_batch))
            for share, batch in zip(shares, batches, strict=True):
                self.conduct.add(share, int(batch["num_tokens"]))
            return torch.stack(shares).sum()
        losses = []
        for number, batch in enumerate(batches, start=1):
            alone = nullcontext() if number == len(batches) else self._without_exchange(model)
            with alone:
                losses.append(super().training_step(model, batch, num_items_in_batch))
        return torch.stack(losses).sum()

    @contextmanager
    def _without_exchange(self, model: Any) -> Iterator[None]:
        if self.plan.computation.sharded:
            model.set_requires_gradient_sync(False)
            try:
                yield
            finally:
                model.set_requires_gradient_sync(True)
        else:
            exchange: AbstractContextManager[Any] = self.accelerator.no_sync(model)
            with exchange:
                yield

    def compute_loss(  # type: ignore[override]
        self,
        model: nn.Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Tensor | None = None,
    ) -> Tensor:
        """The micro-batch's share of the update's loss. Gradients are averaged over processes, hence the factor."""
        assert num_items_in_batch is not None
        with computing(self.plan.computation.precision, self.args.device.type):
            shares = self._shares(model, inputs, num_items_in_batch)
        self.conduct.add(shares.detach(), int(inputs["num_tokens"]))
        return shares.sum() * self.batches.world_size

    def _shares(self, model: nn.Module, batch: Batch, counts: Tensor) -> Tensor:
        """The micro-batch's share of each of the update's losses: sums over global counts."""
        weight = 0.0 if batch.get(WITHOUT_WEIGHT) else 1.0
        # Counts of losses, or sums of weights, which may be below 1; nothing is divided by nothing.
        return weight * self.plan.losses.sums(model, model_inputs(batch)) / counts.where(counts > 0, 1)

    def is_finite_alone(self, phase: int, number: int) -> bool:
        """Whether the loss of one example by itself is finite; a sharded model is not asked, its processes wait."""
        if self.plan.computation.sharded:
            return False
        inputs = self._prepare_inputs(model_inputs(self.batches.phases[phase]([number])))
        with torch.no_grad(), computing(self.plan.computation.precision, self.args.device.type):
            return bool(self.plan.losses.sums(self.trained, inputs).isfinite().all())

    def floating_point_ops(self, inputs: Any) -> int:
        """Nothing: they are counted by the plan."""
        return 0

    # Optimizer and schedule

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """The plan's optimizer."""
        if self.optimizer is None:
            self.optimizer = make_optimizer(self.trained if model is None else model, self.plan.optimization)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The plan's schedule, by updates or by the clock."""
        plan = self.plan
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
            self.create_optimizer() if optimizer is None else optimizer,
            lambda step: plan.optimization.share(plan.budget.schedule_position(step)),
        )
        self._created_lr_scheduler = True
        return self.lr_scheduler

    def _get_learning_rate(self) -> float:
        """The highest of all parameters."""
        assert self.lr_scheduler is not None
        return float(max(self.lr_scheduler.get_last_lr()))

    def _clip_grad_norm(self, model: nn.Module) -> Any:
        self.conduct.gradient_norm = clip_gradients(model, self.plan.optimization.max_grad_norm)
        return self.conduct.gradient_norm

    # Checkpoints

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        step = self.state.global_step
        if self.conduct.saved_step == step:
            return
        assert self.optimizer is not None and self.lr_scheduler is not None
        states = processes.gather_objects(random_states.current())
        plain = self.plain_model()
        sharded = self.plan.computation.sharded
        optimizer = checkpoints.optimizer_state(self.trained, self.optimizer, sharded=sharded)
        self.conduct.saved_step = step
        if not processes.is_main():
            return
        best = self.judge.best[1] if self.judge.best is not None else None
        with self.folder.new_checkpoint(step, keep=KEEP_CHECKPOINTS, best=best) as aside:
            save_model(plain, self.tokenizer, aside)
            self.state.save_to_json(str(aside / "trainer_state.json"))
            if self.plan.saving.add_to is not None:
                self.plan.saving.add_to(aside)
            reached = checkpoints.Reached(
                step=step, tokens_seen=self.tokens_seen, seconds=self.plan.budget.seconds, taken=self.taken
            )
            schedule = self.lr_scheduler.state_dict()
            checkpoints.write_state(aside, optimizer=optimizer, schedule=schedule, states=states, reached=reached)

    def plain_model(self) -> Any:
        """The model as one process holds it; where it is sharded, a copy in the first process and None elsewhere."""
        if not self.plan.computation.sharded:
            return self.trained
        return sharding.whole_model(self.trained, self.plain_class)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        if self.plan.computation.sharded:
            sharding.load_weights(self.trained, Path(resume_from_checkpoint))
            return
        # transformers warns of the decoder, which is not in the file because it is tied to the embeddings.
        with quiet_transformers():
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        assert self.optimizer is not None and self.lr_scheduler is not None
        sharded = self.plan.computation.sharded
        checkpoints.restore_optimizer(Path(checkpoint), self.trained, self.optimizer, sharded=sharded)
        checkpoints.restore_schedule(Path(checkpoint), self.lr_scheduler)
        # The budget may differ from that of the run so far.
        share = self.plan.optimization.share(self.plan.budget.schedule_position(self.first_update))
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * share
        self.lr_scheduler._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            random_states.restore(Path(checkpoint))

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Nothing: metrics.jsonl is written at each update, with both losses."""

    # The course of a run

    def run(self, checkpoint: Path | None) -> None:
        """Train to the end of the budget, to a signal (then `self.stop.requested` names it), or to no further gain."""
        if checkpoint is not None:
            reached = checkpoints.reached_in(checkpoint)
            self.first_update, self.tokens_seen, self.taken = reached.step, reached.tokens_seen, reached.taken
            self.plan.budget.seconds_before = self.plan.budget.seconds = reached.seconds
            if processes.is_main():
                self.folder.truncate_metrics(self.first_update)
            processes.barrier()
            self._judge_again()
        if self.plan.tensorboard and processes.is_main():
            from bertsmith.training.tensorboard import events

            self.add_callback(events(self.folder.path / "tensorboard", self.first_update))
        with (
            self.stop,
            deterministic(known=encoder_of(self.trained) is not None),
            step_of(self.trained, self.plan.computation) as self.streams,
            self.folder.metrics_file.open("a", encoding="utf-8", buffering=1) as self.metrics,
            progress(self.plan.title, 1.0, already=self.plan.budget.progress(self.first_update)) as self.bar,
        ):
            self.train(resume_from_checkpoint=str(checkpoint) if checkpoint is not None else None)
        self.streams = None
        ended = self.stop.requested is None or self.stopped_early
        if self.plan.evaluations.patience is not None and ended and self.judge.best is not None:
            self._return_to_best(self.judge.best[1])

    def _judge_again(self) -> None:
        """Take up what earlier evaluations of a resumed run said, as the first process reads them."""
        if processes.is_main():
            for line in read_metrics(self.folder.path)[1]:
                self.judge.consider(line["evaluation"], line["step"])
            if self.judge.best is not None and not self._checkpoint_of(self.judge.best[1]).is_dir():
                self.judge = Judge(self.plan.evaluations.judge)
        self.judge = processes.broadcast_object(self.judge)

    def _return_to_best(self, step: int) -> None:
        if step != self.state.global_step:
            log_info(f"the weights are those of update {step}, where the held-out loss was lowest")
            self._load_from_checkpoint(str(self._checkpoint_of(step)))

    def _checkpoint_of(self, step: int) -> Path:
        return self.folder.path / "checkpoints" / f"step-{step}"

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
        step = self.state.global_step
        if step == self._globalstep_last_logged:
            return
        self._globalstep_last_logged = step
        update = self.conduct.update
        self.taken[update.phase] = update.first + update.examples
        self.tokens_seen += self.conduct.tokens
        done = self.plan.budget.progress(step)
        self._log_update(step, done, learning_rate)
        is_over, tenth = self.plan.budget.is_over(step), self.conduct.enters_new_part(done)
        # A run that is stopped here does not come back to this update: an evaluation that is due is made first.
        self._evaluate_where_due(step, tenth, is_over)
        if self.conduct.stop_requested or is_over or self.stopped_early:
            self.control.should_training_stop = True
            if self.conduct.stop_requested or self.plan.saving.at_end:
                self._save_checkpoint(model, trial)
        elif _is_due(self.plan.saving.every, step, tenth and self.conduct.may_save()):
            self._save_checkpoint(model, trial)

    def _log_update(self, step: int, done: float, learning_rate: float | None) -> None:
        """The figures of an update, to metrics.jsonl and to those who watch."""
        self._write(
            {
                "step": step,
                "tokens_seen": self.tokens_seen,
                **self.conduct.losses,
                "grad_norm": self.conduct.gradient_norm,
                "learning_rate": learning_rate,
                "tokens_per_second": round(self.conduct.tokens_per_second, 1),
                "seconds": round(self.plan.budget.seconds, 3),
            }
        )
        self.bar.update(done, note=self.conduct.note(step))

    def _evaluate_where_due(self, step: int, tenth: bool, is_over: bool) -> None:
        """Evaluate; the best weights so far are saved, and too many evaluations without better ones end the run.

        The last weights are judged here where the best ones are chosen; else the run is evaluated after its end.
        """
        plan = self.plan.evaluations
        wanted = plan.at_end if is_over else _is_due(plan.every, step, tenth)
        if plan.measure is None or not wanted:
            return
        evaluation = plan.measure(self.trained)
        general = {} if plan.general is None else {"general_evaluation": plan.general(self.trained)}
        self._write({"step": step, "evaluation": evaluation, **general})
        if self.judge.consider(evaluation, step) and (plan.patience is not None or self.conduct.may_save()):
            self._save_checkpoint(self.trained, None)
        if plan.patience is not None and self.judge.without_gain >= plan.patience and not is_over:
            times = "evaluation" if plan.patience == 1 else "evaluations"
            log_info(f"update {step}: {plan.patience} {times} without a lower held-out loss, the run ends here")
            self.stopped_early = True

    def _write(self, line: dict[str, Any]) -> None:
        if not processes.is_main():
            return
        self.metrics.write(json.dumps(line) + "\n")
        if self.plan.tensorboard:
            figures = {
                f"{kind}_{name}": value
                for kind, key in (("eval", "evaluation"), ("general", "general_evaluation"))
                for name, value in line.get(key, {}).items()
                if value is not None
            }
            line.pop("step")
            self.callback_handler.on_log(self.args, self.state, self.control, figures or line)


def _is_due(every: int | None, step: int, tenth: bool) -> bool:
    return step % every == 0 if every is not None else tenth
