"""The work folder of an interrupted `prepare`: detect it, and decide whether its work can be reused."""

from __future__ import annotations

import shutil
from pathlib import Path

from bertsmith.corpus.work_folder import DIVIDED, STORE
from bertsmith.records.manifest import StoreOptions
from bertsmith.runtime.console import log_info
from bertsmith.runtime.files import disk_errors, read_json, write_json

OPTIONS = "options.json"


def same_options(a: StoreOptions, b: StoreOptions, *, files: bool = True) -> bool:
    """Return whether two STOREs have the same options (and files). Options that an older version lacks get defaults."""
    excluded = None if files else {"files_sha256"}
    return a.model_dump(exclude=excluded) == b.model_dump(exclude=excluded)


def is_interrupted(folder: Path) -> bool:
    """Return whether a work folder has unfinished work. After its STORE is published, only the folder is left over."""
    published = (folder / DIVIDED).is_file() and not (folder / STORE).exists()
    return folder.exists() and not published


def prepare_work_folder(folder: Path, identity: StoreOptions, *, out: Path, resume: bool) -> None:
    """Create the work folder; discard the work of a run with different options or files."""
    path = folder / OPTIONS
    try:
        same = path.is_file() and same_options(StoreOptions.model_validate(read_json(path)), identity)
    except ValueError:  # the file is truncated or was edited
        same = False
    if resume and not same:
        if folder.exists():
            reason = "the options or files have changed since the interrupted run"
        else:
            reason = "found no interrupted run"
        log_info(f"--resume: {reason}; starting from the beginning")
    elif resume:
        log_info("resuming the interrupted run")
    if folder.exists() and not (resume and same):
        shutil.rmtree(folder)
    with disk_errors(out):
        folder.mkdir(parents=True, exist_ok=True)
    write_json(path, identity.to_dict())
