"""The work folder of an interrupted preparation: whether there is one, and whether its work can be used."""

from __future__ import annotations

import shutil
from pathlib import Path

from bertsmith.corpus.work_folder import DIVIDED, STORE
from bertsmith.records.manifest import StoreOptions
from bertsmith.runtime.console import log_info
from bertsmith.runtime.files import disk_errors, read_json, write_json

OPTIONS = "options.json"


def same_options(one: StoreOptions, two: StoreOptions, *, files: bool = True) -> bool:
    """Whether two STOREs are of the same options, and of the same files; what an older version lacks is the default."""
    excluded = None if files else {"files_sha256"}
    return one.model_dump(exclude=excluded) == two.model_dump(exclude=excluded)


def is_interrupted(folder: Path) -> bool:
    """Whether a work folder holds unfinished work; if its STORE has been published, it is only to be removed."""
    published = (folder / DIVIDED).is_file() and not (folder / STORE).exists()
    return folder.exists() and not published


def enter(folder: Path, identity: StoreOptions, *, out: Path, resume: bool) -> None:
    """Make the work folder; work of other options or other files is not used."""
    path = folder / OPTIONS
    try:
        same = path.is_file() and same_options(StoreOptions.model_validate(read_json(path)), identity)
    except ValueError:  # the file is cut off or was edited
        same = False
    if resume and not same:
        found = "the options or the files are others than those of" if folder.exists() else "there is no trace of"
        log_info(f"--resume: {found} an interrupted prepare; starting from the beginning")
    elif resume:
        log_info("going on with what was done already")
    if folder.exists() and not (resume and same):
        shutil.rmtree(folder)
    with disk_errors(out):
        folder.mkdir(parents=True, exist_ok=True)
    write_json(path, identity.to_dict())
