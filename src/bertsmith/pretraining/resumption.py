"""Interrupting and resuming a run: which options may change, from which checkpoint, and the command that resumes."""

from __future__ import annotations

import shlex
from pathlib import Path

from bertsmith.config.option_names import external_name
from bertsmith.config.pretrain import PretrainOptions
from bertsmith.errors import Interrupted, ModelError, OptionError, OutputError
from bertsmith.models.loading import load_config
from bertsmith.pretraining.components import Components
from bertsmith.pretraining.record import shape_of
from bertsmith.records.pretraining import ModelSize, PretrainingRecord
from bertsmith.runtime import processes
from bertsmith.runtime.program import runnable
from bertsmith.training.recorded_run import RecordedRun
from bertsmith.training.trainer import ExactTrainer

MAY_CHANGE_ON_RESUME = {
    "store", "out", "resume", "overwrite", "dry_run", "minutes", "steps", "epochs", "workers", "save_every",
    "eval_every", "micro_batch_size", "auto_micro_batch", "gradient_checkpointing", "patience", "tensorboard",
}  # fmt: skip
"""Options that can change when a run is resumed, because they do not change its updates."""

NOT_STORED = {"overwrite", "resume", "dry_run"}
"""Options of one call of `pretrain`, not settings of the run."""


def resumed_options(options: PretrainOptions, started: PretrainingRecord) -> PretrainOptions:
    """Return the options of a resumed run: those it was started with, changed by the options given now.

    Raises OptionError if an option that must not change differs.
    """
    given = options.model_fields_set
    stored = PretrainOptions.of_record(started.options)
    for name in sorted(given - MAY_CHANGE_ON_RESUME):
        before, now = getattr(stored, name), getattr(options, name)
        if now != before:
            words = "without it" if before is None else f"with {before!r}"
            raise OptionError(
                f"--{external_name(name)}: {options.out} was started {words}, found {now!r}. Try: leave the option out "
                "to resume, or a different --out to start a new run"
            )
    changed = {name: getattr(options, name) for name in given & MAY_CHANGE_ON_RESUME}
    dropped = set(NOT_STORED)
    for rivals in ({"minutes", "steps", "epochs"}, {"micro_batch_size", "auto_micro_batch"}):
        if any(changed.get(name) for name in rivals):
            dropped |= rivals
    unchanged = {name: getattr(stored, name) for name in PretrainOptions.model_fields if name not in dropped}
    return PretrainOptions.build({name: value for name, value in (unchanged | changed).items() if value is not None})


def is_done(components: Components, started: PretrainingRecord) -> bool:
    """Return whether a finished run has nothing left to do with the options given now."""
    result, budget = started.result, components.budget
    if result is None:
        return False
    if result.stopped_early and components.options.patience == started.options.get("patience"):
        return True
    budget.tick(result.seconds)
    return budget.is_over(result.steps)


def checkpoint_to_resume(options: PretrainOptions, folder: RecordedRun[PretrainingRecord]) -> Path | None:
    """Return the newest checkpoint of a resumed run. Raises OutputError if a finished run has none left."""
    if not options.resume:
        return None
    checkpoint: Path | None = processes.broadcast_object(folder.newest_checkpoint() if processes.is_main() else None)
    if checkpoint is None and processes.broadcast_object(folder.finished):
        new = f"{options.out}-continued"
        command = ["bertsmith", "pretrain", str(options.store), "--out", new, "--from", str(options.out)]
        raise OutputError(
            f"--resume: {options.out} is finished and its checkpoints have been removed, so it cannot be extended. "
            f"Try: continue in a new run:\n  {runnable(shlex.join(command))}"
        )
    if checkpoint is not None:
        _check_shape(checkpoint, folder.record.model)
    return checkpoint


def _check_shape(checkpoint: Path, expected: ModelSize) -> None:
    """Raise ModelError if the shape of a checkpoint differs from that of its run."""
    for name, value in shape_of(load_config(str(checkpoint))):
        if value != getattr(expected, name):
            raise ModelError(
                f"{checkpoint}: found {name.replace('_', ' ')} {value:,}, expected {getattr(expected, name):,}; the "
                "checkpoint belongs to a different run. Try: remove it to resume from the previous one, or start "
                "again with --overwrite"
            )


def interrupted(options: PretrainOptions, trainer: ExactTrainer) -> Interrupted:
    """Return the exception for a run that was stopped by a signal."""
    step = trainer.state.global_step
    return Interrupted(
        f"stopped by {trainer.stop.requested} after update {step}; the state is saved in "
        f"{options.out / 'checkpoints' / f'step-{step}'}. Resume with:\n"
        f"  {_resume_command(options)}"
    )


def _resume_command(options: PretrainOptions) -> str:
    """Return the command that resumes a run; run.json holds the other options."""
    launcher: list[str] = []
    local, world = processes.local_world_size(), processes.world_size()
    if world > 1:
        nodes = ["--nnodes", str(world // local)] if world > local else []
        launcher = ["torchrun", *nodes, "--nproc-per-node", str(local), "-m"]
    command = shlex.join(["bertsmith", "pretrain", str(options.store), "--out", str(options.out), "--resume"])
    return f"{shlex.join(launcher)} {command}" if launcher else runnable(command)
