"""Interrupting and resuming a run: the checkpoint to resume from, and the message when a run is stopped."""

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
    """Return the command that repeats a RUN or a suite."""
    return options.command_line(options.verb, leave_out=("overwrite", "resume", "dry_run"))


def resume_command(options: HeadTrainingOptions, out: Path) -> str:
    """Return the command that resumes a run; the options come from its record."""
    return shlex.join(["bertsmith", *options.verb.split(), "--resume", "--out", str(out)])


def find_checkpoint(folder: RunFolder, title: str) -> Path | None:
    """Return the checkpoint to resume from; without one, empty the folder for a new training."""
    checkpoint = folder.newest_checkpoint()
    if checkpoint is None:
        shutil.rmtree(folder.path, ignore_errors=True)
        folder.path.mkdir(parents=True)
    else:
        log_info(f"{title}: resuming after update {checkpoint.name.removeprefix('step-')}")
    return checkpoint


def stop_message(signal: str, *, steps: int, of: int, title: str) -> str:
    """Return where a training was stopped: during its updates, or before its evaluation."""
    if steps < of:
        return f"stopped by {signal} after update {steps} of {title}"
    return f"stopped by {signal} after the last update ({steps}) of {title}, before the evaluation"


def record_interruption(run: FinetuningRun, message: str, options: FinetuneOptions) -> Interrupted:
    """Record that a RUN was stopped; return the exception to raise, which says how to resume."""
    run.record.status = "interrupted"
    run.save_record()
    resume = runnable(resume_command(options, options.out))
    return Interrupted(f"{message}; the work so far is kept. {RESUME_WITH}\n  {resume}")
