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
    "eval_every", "micro_batch_size", "auto_batch", "gradient_checkpointing", "patience", "tensorboard",
}  # fmt: skip
"""Options that a resumed run may be given anew: none of them changes what an update is."""

OF_ONE_CALL = {"overwrite", "resume", "dry_run"}
"""Options that say how a run is started, not what it is."""


def resumed_options(options: PretrainOptions, started: PretrainingRecord) -> PretrainOptions:
    """The options of the run that is resumed, with those that may change taken from the ones given now."""
    given = options.model_fields_set
    stored = PretrainOptions.build({key: value for key, value in started.options.items() if value is not None})
    for name in sorted(given - MAY_CHANGE_ON_RESUME):
        before, now = getattr(stored, name), getattr(options, name)
        if now != before:
            words = "without it" if before is None else f"with {before!r}"
            raise OptionError(
                f"--{external_name(name)}: {options.out} was started {words}, found {now!r}; leave it out to go on, "
                "or give another --out to start anew"
            )
    changed = {name: getattr(options, name) for name in given & MAY_CHANGE_ON_RESUME}
    dropped = set(OF_ONE_CALL)
    for rivals in ({"minutes", "steps", "epochs"}, {"micro_batch_size", "auto_batch"}):
        if any(changed.get(name) for name in rivals):
            dropped |= rivals
    kept = {name: getattr(stored, name) for name in PretrainOptions.model_fields if name not in dropped}
    return PretrainOptions.build({name: value for name, value in (kept | changed).items() if value is not None})


def is_done(components: Components, started: PretrainingRecord) -> bool:
    """Whether a finished run has nothing left to do under the options that are given now."""
    done, budget = started.result, components.budget
    if done is None:
        return False
    if done.stopped_early and components.options.patience == started.options.get("patience"):
        return True
    budget.tick(done.seconds)
    return budget.is_over(done.steps)


def checkpoint_to_resume(options: PretrainOptions, folder: RecordedRun[PretrainingRecord]) -> Path | None:
    """The newest checkpoint of a run that resumes. Raises OutputError if a finished run has none any more."""
    if not options.resume:
        return None
    checkpoint: Path | None = processes.broadcast_object(folder.newest_checkpoint() if processes.is_main() else None)
    if checkpoint is None and processes.broadcast_object(folder.finished):
        new = f"{options.out}-continued"
        further = ["bertsmith", "pretrain", str(options.store), "--out", new, "--from", str(options.out)]
        raise OutputError(
            f"--resume: {options.out} is finished and has no checkpoint any more, so it cannot be extended. Train it "
            f"further as a new run:\n  {runnable(shlex.join(further))}"
        )
    if checkpoint is not None:
        _check_shape(checkpoint, folder.record.model)
    return checkpoint


def _check_shape(checkpoint: Path, expected: ModelSize) -> None:
    """Raise ModelError if the shape of a checkpoint is not that of its run."""
    for name, value in shape_of(load_config(str(checkpoint))):
        if value != getattr(expected, name):
            raise ModelError(
                f"{checkpoint}: its {name.replace('_', ' ')} is {value:,}, this run has {getattr(expected, name):,}; "
                "the checkpoint is of another run. Remove it to go on from the one before, or start again with "
                "--overwrite"
            )


def interrupted(options: PretrainOptions, trainer: ExactTrainer) -> Interrupted:
    """What is raised if a run is stopped by a signal."""
    step = trainer.state.global_step
    return Interrupted(
        f"stopped by {trainer.stop.requested} after update {step}; everything is saved in "
        f"{options.out / 'checkpoints' / f'step-{step}'}. Go on with:\n"
        f"  {_resume_command(options)}"
    )


def _resume_command(options: PretrainOptions) -> str:
    """The command that resumes a run; its run.json has the other options."""
    launcher: list[str] = []
    local, world = processes.local_world_size(), processes.world_size()
    if world > 1:
        nodes = ["--nnodes", str(world // local)] if world > local else []
        launcher = ["torchrun", *nodes, "--nproc-per-node", str(local), "-m"]
    command = shlex.join(["bertsmith", "pretrain", str(options.store), "--out", str(options.out), "--resume"])
    return f"{shlex.join(launcher)} {command}" if launcher else runnable(command)
