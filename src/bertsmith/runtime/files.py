"""Files that are whole or not there: written aside, flushed to the disk, renamed.

A name that a reader may open (a model, a manifest, a checkpoint) appears only when everything behind it is written.
Folders are claimed before work starts, so that a mistake in `--out` costs nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bertsmith.errors import OutputError, ResourceError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; what is no file (/dev/stdout, a pipe) is written into.

    Raises ResourceError where the disk does not take it, OutputError for a folder.
    """
    if path.is_dir():
        raise OutputError(f"{path}: is a folder, expected the name of a file to write")
    aside = path.with_name(f".{path.name}.partial")
    with disk_errors(path):
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with aside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A name to write a large file under; it is flushed and takes its own name when the block ends.

    Where that fails nothing is left.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield aside
            _settle(aside)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


def write_text(path: Path, content: str) -> None:
    """Write a text as UTF-8, whole or not at all."""
    write_bytes(path, content.encode("utf-8", errors="backslashreplace"))


def write_json(path: Path, content: Any) -> None:
    """Write a value as indented JSON, whole or not at all."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """The JSON value in a file of ours."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256_of(path: Path) -> str:
    """The checksum of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk or a refused write into a ResourceError that names the place."""
    try:
        yield
    except OSError as error:
        free = _free_space(path)
        raise ResourceError(
            f"{path}: cannot be written: {error.strerror or error} ({free}). Free some space or choose another --out."
        ) from error


@contextmanager
def folder_lock(folder: Path, verb: str) -> Iterator[None]:
    """Hold the work next to an output folder for this process. Raises OutputError if a different process works there.

    The lock ends with the process, however it ends; a lock file that a killed process left is used again.
    """
    from filelock import FileLock, Timeout

    path = folder.with_name(f".{folder.name}.lock")
    lock = FileLock(path, blocking=False)
    with disk_errors(folder):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            raise OutputError(
                f"--out {folder}: another {verb} is working there; wait for it, or choose another --out"
            ) from None
    try:
        yield
    finally:
        # Removed while it is held: filelock refuses a lock on a file that has lost its name in the meantime.
        path.unlink(missing_ok=True)
        lock.release()


@contextmanager
def work_folder(folder: Path, *, overwrite: bool, verb: str) -> Iterator[Path]:
    """An empty folder beside an output folder, for a verb that cannot be resumed; it is removed at the end.

    Raises OutputError where the output folder is in the way, or another process works there.
    """
    claim_folder(folder, overwrite=overwrite, resume=False, verb=verb)
    aside = folder.parent / f".{folder.name}.{verb}"
    with folder_lock(folder, verb):
        shutil.rmtree(aside, ignore_errors=True)
        with disk_errors(folder):
            aside.mkdir(parents=True)
        try:
            yield aside
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def exists(path: str | Path) -> bool:
    """Whether something stands there that can be reached.

    `Path.exists` raises for a name that is too long for the disk, and below a folder that may not be entered.
    """
    try:
        return Path(path).exists()
    except OSError:
        return False


def folder_bytes(folder: Path) -> int:
    """The size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def free_bytes(path: Path) -> int:
    """Bytes that are free on the disk on which a path lies or will lie."""
    whole = path.absolute()
    return shutil.disk_usage(next(parent for parent in (whole, *whole.parents) if parent.exists())).free


def _free_space(path: Path) -> str:
    try:
        return f"{free_bytes(path) / 1e9:.2f} GB free on that disk"
    except OSError:
        return "free space unknown"


def _settle(path: Path) -> None:
    """Give a file that a library wrote the mode that the umask asks for, and flush it to the disk.

    safetensors writes with mode 0600, whatever the umask is: nobody else could read a shared model.
    """
    umask = os.umask(0)
    os.umask(umask)
    path.chmod(0o666 & ~umask)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Give every file below a folder the mode that the umask asks for; flush all files and the folder to the disk."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            _settle(path)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def publish_folder(aside: Path, folder: Path) -> None:
    """Give a finished folder its name; a folder of that name makes room only now."""
    with disk_errors(folder):
        flush_folder(aside)
        old = move_to_replaced(folder) if folder.exists() else None
        try:
            aside.rename(folder)
        except OSError:
            if old is not None:
                old.rename(folder)
            raise
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)


def is_occupied(folder: Path) -> bool:
    """Whether a folder exists and has anything in it but files that a killed process did not write to their end."""
    if not folder.is_dir():
        return False
    return any(not (path.name.startswith(".") and path.name.endswith(".partial")) for path in folder.iterdir())


def move_to_replaced(folder: Path) -> Path:
    """Give a folder that is about to be replaced another name, in one step; removing it is left to the caller."""
    old = folder.with_name(f".{folder.name}.replaced")
    shutil.rmtree(old, ignore_errors=True)
    folder.rename(old)
    return old


MARKERS = {
    "prepare": "manifest.json",
    "train-tokenizer": "tokenizer.json",
    "extend-tokenizer": "extension.json",
    "pretrain": "run.json",
    "finetune": "run.json",
    "finetune glue": "suite.json",
    "quickstart": "quickstart.json",
}
"""The file by which a verb knows a folder of its own."""


def claim_folder(folder: Path, *, overwrite: bool, resume: bool, verb: str) -> None:
    """Check that an output folder is free, before any work.

    Raises OutputError where it holds something and neither `overwrite` nor `resume` is given, or where it is a file.
    `overwrite` refuses a folder that bertsmith did not write, so that a mistyped `--out` deletes nobody's files.
    """
    if not folder.name or folder.name == "..":
        raise OutputError(f"--out {folder}: expected a folder with a name of its own, such as runs/{verb.split()[-1]}")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"--out {folder}: is a file, expected a folder that does not exist yet")
    if not is_occupied(folder):
        return
    if not overwrite and not resume:
        resumable = verb in ("prepare", "pretrain", "finetune", "finetune glue")
        resume_hint = f"--resume to go on with an interrupted {verb}, " if resumable else ""
        raise OutputError(
            f"--out {folder}: the folder is not empty. Give --overwrite to replace it, {resume_hint}or another --out."
        )
    marker = MARKERS[verb]
    if overwrite and (
        not (folder / marker).exists() or (verb == "train-tokenizer" and (folder / "config.json").exists())
    ):
        raise OutputError(
            f"--out {folder}: --overwrite replaces only what bertsmith {verb} wrote (no {marker} of its own is in this "
            "folder). Delete it yourself, or choose another --out."
        )
