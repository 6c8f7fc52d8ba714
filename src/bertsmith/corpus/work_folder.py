"""The work folder of `prepare`: the names of its files, and dataclasses as JSON.

    FOLDER/
      plan.json              the files in groups, and every option that affects the result
      read/00000.json        done: group 0 is read;  read/00000-0000.arrow: its blocks
      blocks.json            all blocks, in order
      clean/00000.json       done: block 0 is cleaned;  00000.npz: its shard, next to its fingerprint files
      decide/00000.npz       the decision for each document and sentence of shard 0
      count/00000.json       done: the words of shard 0 are counted;  00000.arrow: the counts
      divided.json           done: duplicates are found, the held-out part is chosen, the tokenizer is ready
      encode/00000.json      done: shard 0 is in the STORE
      store/                 the unfinished STORE

Tasks share only this folder, so they can run in one process, in several, or on other machines that mount it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from bertsmith.runtime.files import read_json, write_json

PLAN, BLOCKS, DIVIDED, QUOTA = "plan.json", "blocks.json", "divided.json", "quota.json"
READ, CLEAN, DECIDE, COUNT, ENCODE = "read", "clean", "decide", "count", "encode"
STORE = "store"

Content = TypeVar("Content")


def stage_file(folder: Path, stage: str, number: int, *, suffix: str) -> Path:
    """Return the path of a task's file: `FOLDER/STAGE/00000SUFFIX`."""
    return folder / stage / f"{number:05d}{suffix}"


def shard_file(folder: Path, number: int) -> Path:
    """Return the path of a shard."""
    return stage_file(folder, CLEAN, number, suffix=".npz")


def write_as_json(path: Path, content: object) -> None:
    """Write a dataclass, or a list of dataclasses, as JSON atomically."""
    write_json(path, as_json(content))


def as_json(content: object) -> Any:
    """Convert a dataclass, or a list of dataclasses, to JSON values."""
    return _adapter(type(content)).dump_python(content, mode="json", exclude_unset=True, by_alias=True)


def read_as(kind: type[Content], path: Path) -> Content:
    """Read a dataclass, or a list of dataclasses, from a file of the work folder."""
    found: Content = _adapter(kind).validate_python(read_json(path))
    return found


_adapters: dict[Any, TypeAdapter[Any]] = {}
"""One adapter per type: creating one takes 2 ms, and a stage reads hundreds of records."""


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]
