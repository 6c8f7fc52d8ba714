"""The Trainer of Bertsmith: transformers' Trainer with a training loop that is exact for BERT.

`ExactTrainer.make_update` is one update from top to bottom. What it does differently from the loop of transformers:

- An update is the same however its batch is split. Each loss is a sum over labels, divided by the number of labels in
  the whole update, over all micro-batches and processes. (Stock assumes that any model with `**kwargs` normalises its
  own loss, and so multiplies BERT's gradient by the number of accumulation steps.)
- An update is one item of the data loader, found by its number. A resumed run starts at its place at once and draws
  what an uninterrupted run draws.
- The learning rate follows updates or the clock, a signal ends the run with a checkpoint, and every loss is logged.
- All processes see one clock and stop after the same update.

transformers still wraps the model for several processes, restores the weights of a checkpoint, and calls callbacks.
`Trainer.train` calls the methods of `ExactTrainer` in this order: `get_train_dataloader`, `create_optimizer`,
`create_scheduler`, `_load_optimizer_and_scheduler` (to resume), `_run_epoch`, `log`; to resume it first calls
`_load_from_checkpoint`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.utils.data import DataLoader

from bertsmith.models.fast.fast_bert import encoder_of
from bertsmith.models.loading import quiet_transformers
from bertsmith.runtime import processes, random
from bertsmith.runtime.computing import computing, deterministic
from bertsmith.runtime.console import log_info
from bertsmith.training import random_states, sharding, training_state
from bertsmith.training.agreement import agree_on_clock_and_stop, agree_on_stop
from bertsmith.training.arguments import training_arguments
from bertsmith.training.checkpointing import CheckpointWriter
from bertsmith.training.clipping import clip_gradients
from bertsmith.training.intervals import Tenths
from bertsmith.training.micro_batch_threads import MicroBatchThreads
from bertsmith.training.micro_batches import Batch, MicroBatchDataset, leave_process_group
from bertsmith.training.monitoring import Monitor
from bertsmith.training.non_finite import check_finite, has_finite_losses, name_non_finite_examples
from bertsmith.training.optimizers import make_optimizer
from bertsmith.training.periodic_evaluation import PeriodicEvaluation
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.signals import StopRequest
from bertsmith.training.training_operations import training_operations
from bertsmith.training.training_plan import TrainingPlan
from bertsmith.training.update_losses import global_loss_counts, global_totals, loss_shares
from bertsmith.training.update_sampler import Update


class ExactTrainer(transformers.Trainer):
    """`transformers.Trainer` over a `MicroBatchDataset`.

    Attributes:
        first_update: the number of updates that were done when this process started or resumed the run.
        tokens_seen: tokens without padding, over all processes, earlier parts of the run included.
        examples_taken: the number of examples taken from each phase.
        threads: compute several micro-batches at once on the CPU; None if micro-batches are computed one by one.
    """

    model: Any
    optimizer: Any
    lr_scheduler: Any

    def __init__(
        self, model: nn.Module, tokenizer: Any, dataset: MicroBatchDataset, *, folder: RunFolder, plan: TrainingPlan
    ) -> None:
        self.plan, self.folder, self.dataset = plan, folder, dataset
        self.first_update = 0
        self.tokens_seen = 0
        self.examples_taken = [0, 0]
        self.stop = StopRequest()
        self.tenths = Tenths()
        self.threads: MicroBatchThreads | None = None
        self.evaluation = PeriodicEvaluation(plan.evaluations)
        self.checkpoints = CheckpointWriter(folder, plan.saving, model=model, tokenizer=tokenizer)
        args = training_arguments(plan, folder.path, dataset.micro_batch_size)
        super().__init__(model=model, args=args, train_dataset=dataset, processing_class=tokenizer)
        self.remove_callback(transformers.PrinterCallback)
        if plan.computation.sharded:
            sharding.shard(model)
            # The Trainer then leaves wrapping and gradients to the model.
            self.is_distributed_loading_by_transformers = True

    def run(self, checkpoint: Path | None) -> None:
        """Train until the budget is used, a signal comes (`self.stop.requested` names it) or patience runs out."""
        if checkpoint is not None:
            self._resume(checkpoint)
        log_event = None
        if self.plan.tensorboard and processes.is_main():
            from bertsmith.training.tensorboard import events

            self.add_callback(events(self.folder.path / "tensorboard", self.first_update))
            log_event = partial(self._call_back, "on_log")
        self.monitor = Monitor(
            self.folder.metrics_file,
            title=self.plan.title,
            budget=self.plan.budget,
            step=self.first_update,
            work=self.plan.work,
            log_event=log_event,
        )
        with (
            self.stop,
            deterministic(known=encoder_of(self.model) is not None),
            training_operations(self.model, self.plan.computation) as self.threads,
            self.monitor,
        ):
            self.train(resume_from_checkpoint=str(checkpoint) if checkpoint is not None else None)
            # A signal during the last evaluation has not ended the loop, and may have reached one process only.
            if agree_on_stop(self.stop) and not self.evaluation.stopped_early:
                self._write_checkpoint()
        self.threads = None
        ended = self.stop.requested is None or self.evaluation.stopped_early
        if self.plan.evaluations.patience is not None and ended:
            self._return_to_best()

    def _resume(self, checkpoint: Path) -> None:
        progress = training_state.read_progress(checkpoint)
        self.first_update, self.tokens_seen = progress.step, progress.tokens_seen
        self.examples_taken = progress.taken
        self.plan.budget.seconds_before = self.plan.budget.seconds = progress.seconds
        if processes.is_main():
            self.folder.truncate_metrics(self.first_update)
        processes.barrier()
        self.evaluation.resume(self.folder)

    def _return_to_best(self) -> None:
        step = self.evaluation.best.step
        if step is not None and step != self.state.global_step:
            log_info(f"the weights are those of update {step}, where the held-out loss was lowest")
            self._load_from_checkpoint(str(self.folder.checkpoint(step)))

    # The training loop

    def _run_epoch(  # type: ignore[override]
        self, model: nn.Module, train_dataloader: DataLoader[Any], resume_from_checkpoint: str | None, **_: Any
    ) -> None:
        """Make updates until the run ends; this replaces the loop of transformers."""
        # accelerate's optimizer does nothing without this flag, which another training may have left unset.
        self.accelerator.gradient_state._set_sync_gradients(True)
        # Each process draws its own dropout.
        torch.manual_seed(random.key("dropout", self.plan.seed, self.dataset.rank, self.state.global_step) >> 1)
        if resume_from_checkpoint is not None:
            random_states.restore(Path(resume_from_checkpoint))
        self.plan.budget.start()
        self.tenths.advance(self.plan.budget.progress(self.state.global_step))
        updates = iter(train_dataloader)
        while not self.control.should_training_stop:
            self.monitor.start_update()
            update, batches = next(updates)
            self.make_update(model, update, batches)
        self._call_back("on_epoch_end")

    def make_update(self, model: Any, update: Update, batches: Sequence[Batch]) -> None:
        """Make one update of the weights, log it, then evaluate and save if that is due.

        Args:
            model: `self.model`, inside DistributedDataParallel if there are several processes.
            batches: the micro-batches of this process.
        """
        plan, device = self.plan, self.args.device
        self._call_back("on_step_begin")

        # Forward and backward passes. Gradients add up over micro-batches.
        counts = global_loss_counts(batches).to(device)
        shares_of = partial(loss_shares, losses=plan.losses, counts=counts)
        if self.threads is not None:
            shares = self.threads.backward(batches, shares_of)
        else:
            shares = []
            for number, batch in enumerate(batches, start=1):
                model.train()
                # Processes exchange gradients once per update, in the backward pass of the last micro-batch.
                with nullcontext() if number == len(batches) else _without_exchange(model):
                    with computing(plan.computation.precision, device.type):
                        share = shares_of(model, batch.to(device))
                    # The exchange averages gradients over processes; their sum is needed.
                    (share.sum() * self.dataset.world_size).backward()
                shares.append(share.detach())

        # Clip, and stop before a value that is not finite reaches the weights.
        gradient_norm = clip_gradients(model, plan.optimization.max_grad_norm)
        losses, tokens = global_totals(plan.losses.names, shares, batches)
        name_examples = partial(self._name_non_finite_examples, update, shares)
        check_finite(self.state.global_step + 1, losses, gradient_norm, name_examples=name_examples)

        # Change the weights. The clock ticks before the schedule, which may follow it.
        self._call_back("on_pre_optimizer_step")
        self.optimizer.step()
        self._call_back("on_optimizer_step")
        stop = agree_on_clock_and_stop(plan.budget, self.stop)
        self.monitor.stop_update()
        learning_rate = float(max(self.lr_scheduler.get_last_lr()))
        self.lr_scheduler.step()
        model.zero_grad()
        self.state.global_step += 1
        self.state.epoch = self.state.global_step / self.state.max_steps
        self._call_back("on_step_end")

        self.examples_taken[update.phase] = update.first + update.examples
        self.tokens_seen += tokens
        self.monitor.log_update(
            update,
            losses,
            step=self.state.global_step,
            tokens=tokens,
            tokens_seen=self.tokens_seen,
            gradient_norm=gradient_norm,
            learning_rate=learning_rate,
        )
        self._evaluate_and_save(stop=stop)

    def _evaluate_and_save(self, *, stop: bool) -> None:
        """Evaluate, write a checkpoint, and end the run, each if due after the update.

        Args:
            stop: whether a signal ends the run.
        """
        step, budget = self.state.global_step, self.plan.budget
        is_over, new_tenth = budget.is_over(step), self.tenths.advance(budget.progress(step))
        # Evaluate before a signal ends the run: the resumed run begins with the next update.
        if self.evaluation.is_due(step, new_tenth=new_tenth, is_over=is_over):
            figures = self.evaluation.measure(self.model)
            self.monitor.log_evaluation(step, figures)
            is_best = self.evaluation.best.consider(figures["evaluation"], step)
            if is_best and (self.plan.evaluations.patience is not None or self.checkpoints.minute_has_passed()):
                self._write_checkpoint()
            if not is_over:
                self.evaluation.check_patience(step)
        if stop or is_over or self.evaluation.stopped_early:
            self.control.should_training_stop = True
            if stop or self.plan.saving.at_end:
                self._write_checkpoint()
        elif self.checkpoints.is_due(step, new_tenth=new_tenth):
            self._write_checkpoint()

    def _write_checkpoint(self) -> None:
        progress = training_state.TrainingProgress(
            step=self.state.global_step,
            tokens_seen=self.tokens_seen,
            seconds=self.plan.budget.seconds,
            taken=self.examples_taken,
        )
        self.checkpoints.save(
            progress,
            optimizer=self.optimizer,
            scheduler=self.lr_scheduler,
            best_step=self.evaluation.best.step,
            write_trainer_state=lambda file: self.state.save_to_json(str(file)),
        )

    def _name_non_finite_examples(self, update: Update, shares: Sequence[Tensor]) -> str:
        def is_finite(number: int) -> bool:
            if self.plan.computation.sharded:  # every process would have to compute the example
                return False
            inputs = self.dataset.phases[update.phase]([number]).inputs
            precision, device = self.plan.computation.precision, self.args.device.type
            return has_finite_losses(self.model, self.plan.losses, inputs, precision=precision, device=device)

        return name_non_finite_examples(self.dataset, update, shares, is_finite=is_finite)

    def _call_back(self, event: str, *values: Any) -> None:
        """Call a method of transformers' callbacks."""
        self.control = getattr(self.callback_handler, event)(self.args, self.state, self.control, *values)

    # Methods that `Trainer.train` calls

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return the loader of the updates that are left."""
        plan = self.plan
        plan.updates.resume(self.first_update, self.examples_taken)
        return DataLoader(
            self.dataset,
            batch_size=None,
            sampler=plan.updates,
            num_workers=plan.computation.workers,
            # Forked workers share the plan of an epoch and the mapped tokens.
            multiprocessing_context="fork" if plan.computation.workers else None,
            worker_init_fn=leave_process_group,
            pin_memory=self.args.dataloader_pin_memory,
            # Without a generator the loader would draw a seed from the random state that dropout uses.
            generator=torch.Generator().manual_seed(plan.seed),
        )

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Return the optimizer of the plan."""
        if self.optimizer is None:
            self.optimizer = make_optimizer(self.model if model is None else model, self.plan.optimization)
        optimizer: torch.optim.Optimizer = self.optimizer
        return optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Return the learning-rate schedule of the plan, which follows updates or the clock."""
        optimizer = self.create_optimizer() if optimizer is None else optimizer
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self.plan.learning_rate_share)
        self._created_lr_scheduler = True
        return self.lr_scheduler

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        if self.plan.computation.sharded:
            sharding.load_weights(self.model, Path(resume_from_checkpoint))
            return
        # transformers warns of the decoder, which is not in the file because it is tied to the embeddings.
        with quiet_transformers():
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            share = self.plan.learning_rate_share(self.first_update)
            training_state.restore_optimizer(Path(checkpoint), self.model, self.optimizer)
            training_state.restore_schedule(Path(checkpoint), self.lr_scheduler, share=share)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Do nothing: `Monitor` writes the figures."""


@contextmanager
def _without_exchange(model: Any) -> Iterator[None]:
    """Keep the gradients of backward passes in this process."""
    with ExitStack() as restored:
        if sharding.is_sharded(model):
            model.set_requires_gradient_sync(False)
            restored.callback(model.set_requires_gradient_sync, True)
        elif processes.world_size() > 1:
            restored.enter_context(model.no_sync())
        yield
