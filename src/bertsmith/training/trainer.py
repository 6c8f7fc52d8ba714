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
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import TrainingArguments

from bertsmith.models.fast.parts import encoder_of, fast
from bertsmith.models.fast.working import WorkingCopies
from bertsmith.models.loading import quiet_transformers
from bertsmith.runtime import processes
from bertsmith.runtime.computing import computing, deterministic
from bertsmith.runtime.console import progress, say
from bertsmith.runtime.files import read_json, write_json
from bertsmith.training import random_states, sharding
from bertsmith.training.batches import WITHOUT_WEIGHT, Batch, UpdateBatches, leave_process_group, model_inputs
from bertsmith.training.clipping import clip_gradients
from bertsmith.training.compiled import compiled
from bertsmith.training.conduct import Conduct
from bertsmith.training.course import Update
from bertsmith.training.judge import Judge
from bertsmith.training.optimizers import make_optimizer
from bertsmith.training.plan import TrainingPlan
from bertsmith.training.run_folder import RunFolder, read_metrics, save_model
from bertsmith.training.schedules import factor
from bertsmith.training.signals import StopRequest
from bertsmith.training.streams import Streams

KEEP_CHECKPOINTS = 2


class ExactTrainer(transformers.Trainer):
    """`transformers.Trainer` over `UpdateBatches`; see the module's text."""

    def __init__(
        self, model: nn.Module, tokenizer: Any, batches: UpdateBatches, folder: RunFolder, plan: TrainingPlan
    ) -> None:
        self.plan, self.folder, self.batches, self.trained = plan, folder, batches, model
        self.plain_class, self.tokenizer = type(model), tokenizer
        self.first_update = 0
        self.tokens_seen = 0
        self.taken = [0, 0]
        self.judge = Judge(plan.judge)
        self.stopped_early = False
        self.stop = StopRequest()
        self.streams: Streams | None = None
        self.conduct = Conduct(self)
        args = TrainingArguments(
            output_dir=str(folder.path),
            max_steps=plan.budget.max_steps,
            per_device_train_batch_size=batches.micro_batch_size,
            learning_rate=plan.learning_rate,
            max_grad_norm=plan.max_grad_norm,
            use_cpu=not torch.cuda.is_available(),
            seed=plan.seed,
            ddp_find_unused_parameters=False,
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
        # accelerate's would be that of every forward pass of the model, evaluations and what comes after a run too.
        args.mixed_precision = "no"
        super().__init__(
            model=model,
            args=args,
            train_dataset=batches,
            processing_class=tokenizer,
            callbacks=[self.conduct],
        )
        self.remove_callback(transformers.PrinterCallback)
        self.loss_is_scaled_for_ga = True
        if plan.sharded:
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
            num_workers=self.plan.workers,
            # Forked workers share the plan of an epoch and the mapped tokens.
            multiprocessing_context="fork" if self.plan.workers else None,
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
        everywhere = torch.tensor(processes.sums(counts.tolist()), dtype=counts.dtype)
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
        if self.plan.sharded:
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
        with computing(self.plan.precision, self.args.device.type):
            shares = self._shares(model, inputs, num_items_in_batch)
        self.conduct.add(shares.detach(), int(inputs["num_tokens"]))
        return shares.sum() * self.batches.world_size

    def _shares(self, model: nn.Module, batch: Batch, counts: Tensor) -> Tensor:
        """The micro-batch's share of each of the update's losses: sums over global counts."""
        weight = 0.0 if batch.get(WITHOUT_WEIGHT) else 1.0
        # Counts of losses, or sums of weights, which may be below 1; nothing is divided by nothing.
        return weight * self.plan.loss_sums(model, model_inputs(batch)) / counts.where(counts > 0, 1)

    def is_finite_alone(self, phase: int, number: int) -> bool:
        """Whether the loss of one example by itself is finite; a sharded model is not asked, its processes wait."""
        if self.plan.sharded:
            return False
        inputs = self._prepare_inputs(model_inputs(self.batches.phases[phase]([number])))
        with torch.no_grad(), computing(self.plan.precision, self.args.device.type):
            return bool(self.plan.loss_sums(self.trained, inputs).isfinite().all())

    def floating_point_ops(self, inputs: Any) -> int:
        """Nothing: they are counted by the plan."""
        return 0

    # Optimizer and schedule

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """The plan's optimizer."""
        if self.optimizer is None:
            self.optimizer = make_optimizer(
                self.trained if model is None else model,
                self.plan.optimizer,
                learning_rate=self.plan.learning_rate,
                weight_decay=self.plan.weight_decay,
                rate_of=self.plan.rate_of,
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

    def _get_learning_rate(self) -> float:
        """The highest of all parameters."""
        assert self.lr_scheduler is not None
        return float(max(self.lr_scheduler.get_last_lr()))

    def _clip_grad_norm(self, model: nn.Module) -> Any:
        self.gradient_norm = clip_gradients(model, self.plan.max_grad_norm)
        return self.gradient_norm

    # Checkpoints

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        step = self.state.global_step
        if self.conduct.saved_step == step:
            return
        assert self.optimizer is not None and self.lr_scheduler is not None
        states = processes.from_all(random_states.current())
        plain = self.plain_model()
        if self.plan.sharded:
            optimizer = sharding.optimizer_state(self.trained, self.optimizer)
        else:
            optimizer = self.optimizer.state_dict()
        self.conduct.saved_step = step
        if not processes.is_main():
            return
        best = self.judge.best[1] if self.judge.best is not None else None
        with self.folder.new_checkpoint(step, keep=KEEP_CHECKPOINTS, best=best) as aside:
            save_model(plain, self.tokenizer, aside)
            torch.save(optimizer, aside / "optimizer.pt")
            torch.save(self.lr_scheduler.state_dict(), aside / "scheduler.pt")
            torch.save(states, aside / random_states.FILE)
            self.state.save_to_json(str(aside / "trainer_state.json"))
            if self.plan.keep_beside is not None:
                self.plan.keep_beside(aside)
            write_json(
                aside / "progress.json",
                {
                    "step": step,
                    "tokens_seen": self.tokens_seen,
                    "seconds": self.plan.budget.seconds,
                    "taken": self.taken,
                },
            )

    def plain_model(self) -> Any:
        """The model as one process holds it; where it is sharded, a copy in the first process and None elsewhere."""
        if not self.plan.sharded:
            return self.trained
        return sharding.whole_model(self.trained, self.plain_class)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        if self.plan.sharded:
            sharding.load_weights(self.trained, Path(resume_from_checkpoint))
            return
        # transformers warns of the decoder, which is not in the file because it is tied to the embeddings.
        with quiet_transformers():
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        folder = Path(checkpoint)
        assert self.optimizer is not None and self.lr_scheduler is not None
        state = torch.load(folder / "optimizer.pt", map_location="cpu", weights_only=True)
        if self.plan.sharded:
            sharding.load_optimizer_state(self.trained, self.optimizer, state)
        else:
            self.optimizer.load_state_dict(state)
        self.lr_scheduler.load_state_dict(torch.load(folder / "scheduler.pt", weights_only=True))
        # The budget may be another one than that of the run so far.
        share = factor(self.plan.schedule, self.plan.budget.schedule_position(self.first_update), self.plan.warmup)
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
            done = read_json(checkpoint / "progress.json")
            self.first_update, self.tokens_seen, self.taken = done["step"], done["tokens_seen"], done["taken"]
            self.plan.budget.seconds_before = self.plan.budget.seconds = done["seconds"]
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
            self._step(),
            self.folder.metrics_file.open("a", encoding="utf-8", buffering=1) as self.metrics,
            progress(self.plan.title, 1.0, already=self.plan.budget.progress(self.first_update)) as self.bar,
        ):
            self.train(resume_from_checkpoint=str(checkpoint) if checkpoint is not None else None)
        ended = self.stop.requested is None or self.stopped_early
        if self.plan.patience is not None and ended and self.judge.best is not None:
            self._return_to_best(self.judge.best[1])

    @contextmanager
    def _step(self) -> Iterator[None]:
        """What the model computes with: the fast operations, or what torch.compile makes of the stock parts."""
        plan = self.plan
        if plan.compiled:
            with compiled(self.trained):
                yield
            return
        copies = WorkingCopies.for_precision(plan.precision, kept=not plan.sharded)
        with ExitStack() as entered:
            if plan.streams > 1:  # they copy the model as it is by itself
                streams = Streams(self.trained, plan.streams, copies, precision=plan.precision)
                self.streams = entered.enter_context(streams)
            entered.enter_context(fast(self.trained, copies))
            yield
        self.streams = None

    def _judge_again(self) -> None:
        """Take up what earlier evaluations of a resumed run said, as the first process reads them."""
        if processes.is_main():
            for line in read_metrics(self.folder.path)[1]:
                self.judge.consider(line["evaluation"], line["step"])
            if self.judge.best is not None and not self._checkpoint_of(self.judge.best[1]).is_dir():
                self.judge = Judge(self.plan.judge)
        self.judge = processes.from_main(self.judge)

    def _return_to_best(self, step: int) -> None:
        if step != self.state.global_step:
            say(f"the weights are those of update {step}, where the held-out loss was lowest")
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
        self._tell(step, done, learning_rate)
        is_over, tenth = self.plan.budget.is_over(step), self.conduct.enters_new_part(done)
        # A run that is stopped here does not come back to this update: an evaluation that is due is made first.
        self._evaluate_where_due(step, tenth, is_over)
        if self.conduct.stop_requested or is_over or self.stopped_early:
            self.control.should_training_stop = True
            if self.conduct.stop_requested or self.plan.checkpoint_at_end:
                self._save_checkpoint(model, trial)
        elif _is_due(self.plan.save_every, step, tenth and self.conduct.may_save()):
            self._save_checkpoint(model, trial)

    def _tell(self, step: int, done: float, learning_rate: float | None) -> None:
        """The figures of an update, to metrics.jsonl and to whoever watches."""
        plan, conduct = self.plan, self.conduct
        seconds = max(conduct.seconds, 1e-9)
        rate = conduct.tokens / seconds
        self._write(
            {
                "step": step,
                "tokens_seen": self.tokens_seen,
                **conduct.losses,
                "grad_norm": self.gradient_norm,
                "learning_rate": learning_rate,
                "tokens_per_second": round(rate, 1),
                "seconds": round(plan.budget.seconds, 3),
            }
        )
        # What is last is left out first on a narrow terminal.
        words = [f"{rate:,.0f} tokens/s"]
        words += [f"{name.removesuffix('_loss')} {value:.3f}" for name, value in conduct.losses.items()]
        if plan.flops is not None and plan.peak:
            flops = plan.flops(conduct.update)
            conduct.work, conduct.work_seconds = conduct.work + flops, conduct.work_seconds + seconds
            words.append(f"{flops / seconds / plan.peak:.0%} of peak")
        self.bar.update(done, note=f"update {step:,}  {'  '.join(words)}")

    def _evaluate_where_due(self, step: int, tenth: bool, is_over: bool) -> None:
        """Evaluate; the best weights so far are saved, and too many evaluations without better ones end the run.

        The last weights are judged here where the best ones are chosen; else the run is evaluated after its end.
        """
        plan = self.plan
        wanted = plan.evaluate_at_end if is_over else _is_due(plan.eval_every, step, tenth)
        if plan.evaluate is None or not wanted:
            return
        evaluation = plan.evaluate(self.trained)
        general = {} if plan.evaluate_general is None else {"general_evaluation": plan.evaluate_general(self.trained)}
        self._write({"step": step, "evaluation": evaluation, **general})
        if self.judge.consider(evaluation, step) and (plan.patience is not None or self.conduct.may_save()):
            self._save_checkpoint(self.trained, None)
        if plan.patience is not None and self.judge.without_gain >= plan.patience and not is_over:
            times = "evaluation" if plan.patience == 1 else "evaluations"
            say(f"update {step}: {plan.patience} {times} without a lower held-out loss, the run ends here")
            self.stopped_early = True

    def peak_share(self) -> float | None:
        """The share of the machine's matrix-product peak that the updates reached, forward and backward counted."""
        if not self.plan.peak or not self.conduct.work_seconds:
            return None
        return round(self.conduct.work / self.conduct.work_seconds / self.plan.peak, 3)

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
