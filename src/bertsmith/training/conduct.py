"""What is watched while a run goes on: its clock, its losses, its signals, and in which part of the run it is."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState

from bertsmith.errors import DivergedError
from bertsmith.runtime import processes, random
from bertsmith.training.course import Update

if TYPE_CHECKING:
    from bertsmith.training.trainer import ExactTrainer

PARTS_OF_A_RUN = 10
"""A run evaluates and saves so many times where nothing else is asked for."""
SECONDS_BETWEEN_CHECKPOINTS = 60.0
"""Where nothing else is asked for, a short run spends its time on training: a minute is what a crash may cost."""
SHOWN_EXAMPLES = 4


class Conduct(TrainerCallback):
    """Watches the updates: their time, their losses, and in which tenth of the run they are."""

    def __init__(self, trainer: ExactTrainer) -> None:
        self.trainer = trainer
        self.losses: dict[str, float] = {}
        self.parts: list[Tensor] = []
        self.tokens, self.seconds, self.started = 0, 0.0, 0.0
        self.update = Update(0, 0, 0)
        self.work, self.work_seconds = 0.0, 0.0
        self.stop_requested = False
        self.parts_done = 0
        self.saved = time.monotonic()
        self.saved_step = -1

    def begin(self, update: Update) -> None:
        """The micro-batches of an update come."""
        self.update, self.parts, self.tokens = update, [], 0

    def add(self, parts: Tensor, tokens: int) -> None:
        """A micro-batch's share of each loss, and its tokens."""
        self.parts.append(parts)
        self.tokens += tokens

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """The clock starts, or goes on where a resumed run left it; each process draws a dropout of its own."""
        trainer = self.trainer
        torch.manual_seed(random.key("dropout", trainer.plan.seed, trainer.batches.rank, state.global_step) >> 1)
        trainer.plan.budget.start()
        self.enters_new_part(trainer.plan.budget.progress(state.global_step))

    def on_pre_optimizer_step(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """The losses are known and the weights not changed yet: a loss or gradient that is not finite ends the run."""
        names = self.trainer.plan.loss_names
        *losses, tokens = processes.sums([*torch.stack(self.parts).sum(0).tolist(), self.tokens])
        self.losses, self.tokens = dict(zip(names, losses, strict=True)), int(tokens)
        norm = self.trainer.gradient_norm
        if not all(map(math.isfinite, (norm, *losses))):
            raise DivergedError(
                f"update {state.global_step + 1}: the loss is not finite ({self.losses}, gradient norm {norm}), "
                f"in {self._culprits()}. The last checkpoint is kept. Lower --learning-rate, or give --precision fp32."
            )

    def _culprits(self) -> str:
        """The examples whose losses are not finite; those of all the update where only the gradient is not."""
        batches = self.trainer.batches
        parts = batches.parts(self.update)
        bad = [part for part, loss in zip(parts, self.parts, strict=True) if not loss.isfinite().all()]
        chosen = [number for part in bad for number in part]
        chosen = [number for number in chosen if not self.trainer.is_finite_alone(self.update.phase, number)] or chosen
        everywhere = [text for texts in processes.from_all(self._described(chosen)) for text in texts]
        if not everywhere:
            everywhere = self._described([number for part in parts for number in part])
        shown, more = everywhere[:SHOWN_EXAMPLES], len(everywhere) - SHOWN_EXAMPLES
        names = "this example: " if len(everywhere) == 1 else "one of these examples: "
        return names + "; ".join(shown) + (f"; and {more:,} more" if more > 0 else "")

    def _described(self, numbers: Sequence[int]) -> list[str]:
        return [self.trainer.batches.describe(self.update.phase, number) for number in numbers]

    def on_optimizer_step(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """The update is made: all processes take one time for it, and stop together."""
        trainer = self.trainer
        requested = float(trainer.stop.requested is not None)
        seconds, stop = processes.largest([trainer.plan.budget.elapsed(), requested])
        trainer.plan.budget.tick(seconds)
        self.stop_requested = bool(stop)
        if self.stop_requested and trainer.stop.requested is None:
            trainer.stop.requested = "a signal to another process"
        self.seconds = time.monotonic() - self.started

    def may_save(self) -> bool:
        """Whether the last checkpoint is a minute old; the next minute begins then."""
        now = time.monotonic()
        old = now - self.saved >= SECONDS_BETWEEN_CHECKPOINTS
        if bool(processes.from_main(old)):
            self.saved = now
            return True
        return False

    def enters_new_part(self, done: float) -> bool:
        """Whether this share of the run lies in another tenth than the last one asked for."""
        part = int(done * PARTS_OF_A_RUN)
        entered, self.parts_done = part > self.parts_done, max(part, self.parts_done)
        return entered
