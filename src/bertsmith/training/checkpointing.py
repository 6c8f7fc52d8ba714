"""Writing checkpoints during training: when one is due, and its contents."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from bertsmith.runtime import processes
from bertsmith.training import random_states, sharding
from bertsmith.training.intervals import is_due
from bertsmith.training.run_folder import RunFolder, save_model
from bertsmith.training.training_plan import Saving
from bertsmith.training.training_state import TrainingProgress, optimizer_state, write_state

KEPT_CHECKPOINTS = 2

MIN_SECONDS_BETWEEN = 60.0
"""Checkpoints that no option asks for are at least this far apart: a short run spends its time on training, and a crash
costs at most a minute."""


class CheckpointWriter:
    """Writes the checkpoints of a run into its folder. All processes call it, and the first one writes."""

    def __init__(self, folder: RunFolder, saving: Saving, *, model: nn.Module, tokenizer: Any) -> None:
        self.folder, self.saving, self.model, self.tokenizer = folder, saving, model, tokenizer
        self.last_step = -1
        self.last_time = time.monotonic()

    def is_due(self, step: int, *, new_tenth: bool) -> bool:
        """Return whether a checkpoint is due after `step` updates, before the end of the run."""
        if self.saving.every is None:
            return new_tenth and self.minute_has_passed()
        return is_due(self.saving.every, step, new_tenth=new_tenth)

    def minute_has_passed(self) -> bool:
        """Return whether the last checkpoint is a minute old, by the clock of the first process."""
        return bool(processes.broadcast_object(time.monotonic() - self.last_time >= MIN_SECONDS_BETWEEN))

    def save(
        self,
        progress: TrainingProgress,
        *,
        optimizer: Any,
        scheduler: Any,
        best_step: int | None,
        write_trainer_state: Callable[[Path], None],
    ) -> None:
        """Write a checkpoint, unless this update has one already.

        Args:
            best_step: the update with the best evaluation; its checkpoint is kept together with the newest ones.
            write_trainer_state: writes transformers' own state to a file.
        """
        if self.last_step == progress.step:
            return
        random_state = processes.gather_objects(random_states.current())
        plain = sharding.plain_model(self.model)
        optimizer = optimizer_state(self.model, optimizer)
        self.last_step, self.last_time = progress.step, time.monotonic()
        if not processes.is_main():
            return
        with self.folder.new_checkpoint(progress.step, keep=KEPT_CHECKPOINTS, best=best_step) as staging:
            save_model(plain, self.tokenizer, staging)
            write_trainer_state(staging / "trainer_state.json")
            if self.saving.add_to is not None:
                self.saving.add_to(staging)
            write_state(
                staging,
                optimizer=optimizer,
                scheduler=scheduler.state_dict(),
                random_state=random_state,
                progress=progress,
            )
