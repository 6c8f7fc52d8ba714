"""Claiming the folder of a run: it is free, or holds the same run, which is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bertsmith.config.options import Options
from bertsmith.errors import OptionError
from bertsmith.finetuning.data import FinetuningData
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.resuming import FinetuningRun
from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.reporting.numbers import counted
from bertsmith.training.run_folder import check_inputs_outside


def claim(run: FinetuningRun, options: FinetuneOptions, data: FinetuningData) -> FinetuningRecord | None:
    """Claim the folder for this run. Returns the record of the resumed run, or None.

    Raises OptionError if the folder holds an input of this run, or a run with different options, files or more seeds.
    """
    check_inputs_outside(
        options.out,
        {
            "the MODEL": options.model,
            "the teacher": options.teacher,
            "--train": options.train,
            "--unlabelled": options.unlabelled,
            "--dev": options.dev,
            "--test": options.test,
        },
    )
    record = run.claim(overwrite=options.overwrite, resume=options.resume, verb=options.verb)
    if record is None:
        return None
    check_same_options(options.out, record.options, identity(options))
    for then, found in zip(record.data.files, data.files, strict=True):
        if then.sha256 != found.sha256:
            raise OptionError(
                f"--resume: {found.name} has changed since {options.out} was started. Try: --overwrite or a different "
                "--out"
            )
    if run.finished and record.seeds > options.seeds:
        trained = record.seeds
        raise OptionError(
            f"--seeds {options.seeds}: {options.out} already has {counted(trained, 'seed')}; expected at least "
            f"{trained}"
        )
    return record


def identity(options: Options) -> dict[str, Any]:
    """Return the options that must not change when a run is resumed."""
    return {
        name: value
        for name, value in options.to_dict().items()
        if name not in ("overwrite", "resume", "dry_run", "out", "seeds", "save_every")
    }


def check_same_options(out: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise OptionError if an option of `identity` has changed since the run was started."""
    changed = [name for name in now if before.get(name) != now[name]]
    if changed:
        name = changed[0]
        raise OptionError(
            f"--resume: {out} was started with --{name.replace('_', '-')} {_written(before.get(name))}, found "
            f"{_written(now[name])}. Try: the same options, --overwrite, or a different --out"
        )


def _written(value: Any) -> str:
    """Return the value of an option as on the command line."""
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
