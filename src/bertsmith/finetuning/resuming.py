"""Interrupting and resuming a run: from which checkpoint, and what is printed when a run is stopped."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from bertsmith.errors import Interrupted
from bertsmith.finetuning.options import FinetuneOptions, HeadTrainingOptions
from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.runtime.console import log_info
from bertsmith.runtime.program import runnable
from bertsmith.training.recorded_run import RecordedRun
from bertsmith.training.run_folder import RunFolder

FinetuningRun = RecordedRun[FinetuningRecord]

RESUME_WITH = "Resume with:"


def command(options: HeadTrainingOptions) -> str:
    """The command that makes a RUN, or a suite, again."""
    return options.command_line(options.verb, leave_out=("overwrite", "resume", "dry_run"))


def resume_command(options: HeadTrainingOptions, out: Path) -> str:
    """The command that resumes a run; its record has the options."""
    return shlex.join(["bertsmith", *options.verb.split(), "--resume", "--out", str(out)])


def checkpoint_of(folder: RunFolder, called: str) -> Path | None:
    """The checkpoint that a training resumes from; without one the folder is empty and the training begins."""
    checkpoint = folder.newest_checkpoint()
    if checkpoint is None:
        shutil.rmtree(folder.path, ignore_errors=True)
        folder.path.mkdir(parents=True)
    else:
        log_info(f"{called} goes on after update {checkpoint.name.removeprefix('step-')}")
    return checkpoint


def stopped_by(signal: str, *, steps: int, of: int, called: str) -> str:
    """Where a training was stopped; if all its updates were made, it was stopped before its figures were measured."""
    if steps < of:
        return f"stopped by {signal} after update {steps} of {called}"
    return f"stopped by {signal} after the last update ({steps}) of {called}, before it was measured"


def interrupted(run: FinetuningRun, stopped: str, options: FinetuneOptions) -> Interrupted:
    """What is raised if a RUN is stopped: its record says so, and the message how to resume it."""
    run.record.status = "interrupted"
    run.save_record()
    resume = runnable(resume_command(options, options.out))
    return Interrupted(f"{stopped}; the work so far is kept. {RESUME_WITH}\n  {resume}")
