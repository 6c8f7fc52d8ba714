"""Monitoring during training: the clock, the losses, the signals, the speed, and how far the run is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState

from bertsmith.errors import DivergedError
from bertsmith.runtime import processes, random
from bertsmith.training.batches import UpdateBatches
from bertsmith.training.course import Update
from bertsmith.training.plan import TrainingPlan
from bertsmith.training.signals import StopRequest

PARTS_OF_A_RUN = 10
"""Without other instructions a run evaluates and saves this many times."""
SECONDS_BETWEEN_CHECKPOINTS = 60.0
"""Without other instructions a short run spends its time on training: a minute is what a crash may cost."""
SHOWN_EXAMPLES = 4


class Conduct(TrainerCallback):
    """Watches the updates: their time, their losses, and in which tenth of the run they are.

    Args:
        is_finite: whether the loss of one example by itself is finite, given its phase and number.
    """

    def __init__(
        self, plan: TrainingPlan, batches: UpdateBatches, *, stop: StopRequest, is_finite: Callable[[int, int], bool]
    ) -> None:
        self.plan, self.batches, self.stop, self.is_finite = plan, batches, stop, is_finite
        self.losses: dict[str, float] = {}
        self.parts: list[Tensor] = []
        self.tokens, self.seconds, self.started = 0, 0.0, 0.0
        self.gradient_norm = 0.0
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
        """Start the clock, or continue it in a resumed run; each process draws its own dropout."""
        torch.manual_seed(random.key("dropout", self.plan.seed, self.batches.rank, state.global_step) >> 1)
        self.plan.budget.start()
        self.enters_new_part(self.plan.budget.progress(state.global_step))

    def on_pre_optimizer_step(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """The losses are known and the weights not changed yet: a loss or gradient that is not finite ends the run."""
        *losses, tokens = processes.all_reduce_sum([*torch.stack(self.parts).sum(0).tolist(), self.tokens])
        self.losses, self.tokens = dict(zip(self.plan.losses.names, losses, strict=True)), int(tokens)
        norm = self.gradient_norm
        if not all(map(math.isfinite, (norm, *losses))):
            raise DivergedError(
                f"update {state.global_step + 1}: the loss is not finite ({self.losses}, gradient norm {norm}), "
                f"in {self._culprits()}. The last checkpoint is kept. Lower --learning-rate, or give --precision fp32."
            )

    def _culprits(self) -> str:
        """The examples whose losses are not finite; all of the update if only the gradient is not."""
        parts = self.batches.parts(self.update)
        bad = [part for part, loss in zip(parts, self.parts, strict=True) if not loss.isfinite().all()]
        chosen = [number for part in bad for number in part]
        chosen = [number for number in chosen if not self.is_finite(self.update.phase, number)] or chosen
        everywhere = [text for texts in processes.gather_objects(self._described(chosen)) for text in texts]
        if not everywhere:
            everywhere = self._described([number for part in parts for number in part])
        shown, more = everywhere[:SHOWN_EXAMPLES], len(everywhere) - SHOWN_EXAMPLES
        names = "this example: " if len(everywhere) == 1 else "one of these examples: "
        return names + "; ".join(shown) + (f"; and {more:,} more" if more > 0 else "")

    def _described(self, numbers: Sequence[int]) -> list[str]:
        return [self.batches.describe(self.update.phase, number) for number in numbers]

    def on_optimizer_step(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """The update is made: all processes take one time for it, and stop together."""
        budget = self.plan.budget
        seconds, stop = processes.all_reduce_max([budget.elapsed(), float(self.stop.requested is not None)])
        budget.tick(seconds)
        self.stop_requested = bool(stop)
        if self.stop_requested and self.stop.requested is None:
            self.stop.requested = "a signal to another process"
        self.seconds = max(time.monotonic() - self.started, 1e-9)

    @property
    def tokens_per_second(self) -> float:
        """The speed of the update."""
        return self.tokens / self.seconds

    def note(self, step: int) -> str:
        """The update for those who watch it. The end is left out first on a narrow terminal."""
        words = [f"{self.tokens_per_second:,.0f} tokens/s"]
        words += [f"{name.removesuffix('_loss')} {value:.3f}" for name, value in self.losses.items()]
        if self.plan.work is not None:
            flops = self.plan.work.flops(self.update)
            self.work, self.work_seconds = self.work + flops, self.work_seconds + self.seconds
            words.append(f"{flops / self.seconds / self.plan.work.peak:.0%} of peak")
        return f"update {step:,}  {'  '.join(words)}"

    def peak_share(self) -> float | None:
        """The share of the machine's matrix-product peak that the updates reached, forward and backward counted."""
        if self.plan.work is None or not self.work_seconds:
            return None
        return round(self.work / self.work_seconds / self.plan.work.peak, 3)

    def may_save(self) -> bool:
        """Whether the last checkpoint is a minute old; the next minute begins then."""
        now = time.monotonic()
        old = now - self.saved >= SECONDS_BETWEEN_CHECKPOINTS
        if bool(processes.broadcast_object(old)):
            self.saved = now
            return True
        return False

    def enters_new_part(self, done: float) -> bool:
        """Whether this share of the run lies in a later tenth than the last one asked for."""
        part = int(done * PARTS_OF_A_RUN)
        entered, self.parts_done = part > self.parts_done, max(part, self.parts_done)
        return entered
