"""Atomic files and folders: written under a temporary name, flushed to the disk, then renamed.

A model, a manifest or a checkpoint appears under its name only when it is complete. Output folders are checked before
work starts, so that a mistake in `--out` costs no time.
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
    """Write a file completely or not at all. Anything but a regular file (/dev/stdout, a pipe) is written directly.

    Raises ResourceError if the disk refuses, OutputError if the path is a folder.
    """
    if path.is_dir():
        raise OutputError(f"{path}: found a folder, expected the name of a file to write")
    temporary = path.with_name(f".{path.name}.partial")
    with disk_errors(path):
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary path for a large file. At the end of the block it is flushed and renamed to `path`.

    After an error nothing is left.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            _flush_file(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, content: str) -> None:
    """Write a text as UTF-8, completely or not at all."""
    write_bytes(path, content.encode("utf-8", errors="backslashreplace"))


def write_json(path: Path, content: Any) -> None:
    """Write a value as indented JSON, completely or not at all."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """Return the JSON value in a file that bertsmith wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 checksum of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk or a refused write into a ResourceError with the path."""
    try:
        yield
    except OSError as error:
        free = _free_space(path)
        raise ResourceError(
            f"{path}: cannot be written: {error.strerror or error} ({free}). Try: free some space, or another --out"
        ) from error


@contextmanager
def folder_lock(folder: Path, verb: str) -> Iterator[None]:
    """Lock an output folder for this process. Raises OutputError if another process holds the lock.

    The lock ends with the process, even if it is killed; a lock file that is left over does no harm.
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
                f"--out {folder}: another {verb} is writing there. Try: wait for it, or another --out"
            ) from None
    try:
        yield
    finally:
        # Removed before the release: filelock does not lock a file that has been deleted in the meantime.
        path.unlink(missing_ok=True)
        lock.release()


@contextmanager
def work_folder(folder: Path, *, overwrite: bool, verb: str) -> Iterator[Path]:
    """Give an empty temporary folder next to an output folder, for a verb that cannot be resumed.

    It is removed at the end. Raises OutputError if the output folder must not be replaced, or if another process
    writes there.
    """
    claim_folder(folder, overwrite=overwrite, resume=False, verb=verb)
    temporary = folder.parent / f".{folder.name}.{verb}"
    with folder_lock(folder, verb):
        shutil.rmtree(temporary, ignore_errors=True)
        with disk_errors(folder):
            temporary.mkdir(parents=True)
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def exists(path: str | Path) -> bool:
    """Whether a path exists and can be reached.

    `Path.exists` raises for a name that is too long, and below a folder that the user may not enter.
    """
    try:
        return Path(path).exists()
    except OSError:
        return False


def folder_bytes(folder: Path) -> int:
    """Return the total size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def free_bytes(path: Path) -> int:
    """Return the free bytes on the disk of a path, which need not exist yet."""
    absolute = path.absolute()
    return shutil.disk_usage(next(parent for parent in (absolute, *absolute.parents) if parent.exists())).free


def _free_space(path: Path) -> str:
    try:
        return f"{free_bytes(path) / 1e9:.2f} GB free on that disk"
    except OSError:
        return "free space unknown"


def _flush_file(path: Path) -> None:
    """Set the mode of a file by the umask, and flush it to the disk.

    safetensors writes files with mode 0600 and ignores the umask, so that nobody else could read a shared model.
    """
    umask = os.umask(0)
    os.umask(umask)
    path.chmod(0o666 & ~umask)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Set the mode of every file below a folder by the umask, and flush the files and the folder to the disk."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            _flush_file(path)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def publish_folder(temporary: Path, folder: Path) -> None:
    """Rename a finished folder to its final name. An older folder of that name is replaced only now."""
    with disk_errors(folder):
        flush_folder(temporary)
        old = move_to_replaced(folder) if folder.exists() else None
        try:
            temporary.rename(folder)
        except OSError:
            if old is not None:
                old.rename(folder)
            raise
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)


def is_occupied(folder: Path) -> bool:
    """Whether a folder exists and holds anything but the unfinished files of a killed process."""
    if not folder.is_dir():
        return False
    return any(not (path.name.startswith(".") and path.name.endswith(".partial")) for path in folder.iterdir())


def move_to_replaced(folder: Path) -> Path:
    """Rename a folder that is about to be replaced, in one step. The caller removes it."""
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
"""The file by which a verb recognises a folder that it wrote."""


def claim_folder(folder: Path, *, overwrite: bool, resume: bool, verb: str) -> None:
    """Check before any work that an output folder may be written.

    Raises OutputError if it is not empty and neither `overwrite` nor `resume` is given, or if it is a file. Even with
    `overwrite` a folder that bertsmith did not write is refused, so that a mistyped `--out` deletes no other files.
    """
    if not folder.name or folder.name == "..":
        raise OutputError(f"--out {folder}: expected the name of a new folder, such as runs/{verb.split()[-1]}")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"--out {folder}: found a file, expected a folder that does not exist yet")
    if not is_occupied(folder):
        return
    if not overwrite and not resume:
        resumable = verb in ("prepare", "pretrain", "finetune", "finetune glue")
        resume_hint = f"--resume to continue an interrupted {verb}, " if resumable else ""
        raise OutputError(
            f"--out {folder}: the folder is not empty. Try: --overwrite to replace it, {resume_hint}or another --out"
        )
    marker = MARKERS[verb]
    if overwrite and (
        not (folder / marker).exists() or (verb == "train-tokenizer" and (folder / "config.json").exists())
    ):
        raise OutputError(
            f"--out {folder}: --overwrite replaces only folders that bertsmith {verb} wrote, and found no {marker} of "
            "it. Try: delete the folder yourself, or another --out"
        )
