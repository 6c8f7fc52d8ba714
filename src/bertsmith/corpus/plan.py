"""The plan of a preparation: what every task of it needs to know, in a file of the work folder.

    FOLDER/
      plan.json              the files in groups, and every option that decides what comes out
      read/00000.json        done: group 0 is read;  read/00000-0000.arrow: its blocks
      blocks.json            all blocks, in order
      clean/00000.json       done: block 0 is cleaned;  00000.npz: its shard, with the sidecars of its fingerprints
      decide/00000.npz       what becomes of each document and sentence of shard 0
      count/00000.json       done: the words of shard 0 are counted;  00000.npz: the counts
      encode/00000.json      done: shard 0 is in the STORE
      store/                 the STORE that is being made

Tasks share nothing but this folder, so they run in one process, in several, or on other machines that mount it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bertsmith.corpus.cleaning import CleaningOptions
from bertsmith.corpus.reading import ReadingOptions, SourceFile
from bertsmith.runtime.files import read_json, write_json

PLAN, BLOCKS, QUOTA = "plan.json", "blocks.json", "quota.json"
READ, CLEAN, DECIDE, COUNT, ENCODE = "read", "clean", "decide", "count", "encode"

MIN_BLOCK, MAX_BLOCK = 1 << 23, 1 << 26
BLOCKS_AIMED_AT = 512
GROUP_BYTES = 1 << 24
FILES_A_GROUP = 4_096


@dataclass(frozen=True)
class Plan:
    """What the tasks of a preparation need to know; see `config.prepare` for the options."""

    files: list[SourceFile]
    reading: ReadingOptions
    cleaning: CleaningOptions
    max_documents: int | None = None
    block_characters: int = MIN_BLOCK
    fingerprints: bool = False
    held_out_share: float = 0.0
    held_out_file: str | None = None
    seed: int = 0
    keep_dropped: bool = False
    statistics: bool = False
    groups: list[tuple[int, int]] = field(default_factory=list)
    """The files of each reading task: first and last + 1."""

    def save(self, folder: Path) -> None:
        """Write plan.json."""
        content = asdict(self)
        content["cleaning"]["steps"] = sorted(self.cleaning.steps)
        write_json(folder / PLAN, content)

    @staticmethod
    def load(folder: Path) -> Plan:
        """Read plan.json."""
        content: dict[str, Any] = read_json(folder / PLAN)
        cleaning = content.pop("cleaning")
        return Plan(
            files=[SourceFile(**file) for file in content.pop("files")],
            reading=ReadingOptions(**content.pop("reading")),
            cleaning=CleaningOptions(**{**cleaning, "steps": frozenset(cleaning["steps"])}),
            groups=[(first, last) for first, last in content.pop("groups")],
            **content,
        )


@dataclass(frozen=True)
class Block:
    """A block: its file below the work folder, and how many documents it holds."""

    file: str
    documents: int


def group_files(files: Sequence[SourceFile]) -> list[tuple[int, int]]:
    """Files in groups of 16 MB, more where there would be over 512 of them.

    So neither a hundred thousand small files are a task each, nor is all of a corpus one task.
    """
    total = sum(file.size or 0 for file in files)
    enough = max(GROUP_BYTES, total // BLOCKS_AIMED_AT)
    groups: list[tuple[int, int]] = []
    first, size = 0, 0
    for number, file in enumerate(files):
        size += file.size if file.size is not None else GROUP_BYTES
        if size >= enough or number + 1 - first >= FILES_A_GROUP:
            groups.append((first, number + 1))
            first, size = number + 1, 0
    if first < len(files):
        groups.append((first, len(files)))
    return groups


def block_characters(files: Sequence[SourceFile]) -> int:
    """The size of a block: 8 MB of text, more where there would be over 512 of them, at most 64 MB."""
    total = sum(file.size or 0 for file in files)
    return min(MAX_BLOCK, max(MIN_BLOCK, total // BLOCKS_AIMED_AT))


def read_blocks(folder: Path) -> list[Block]:
    """All blocks of a work folder."""
    return [Block(**block) for block in read_json(folder / BLOCKS)]


def numbered(folder: Path, stage: str, number: int, suffix: str) -> Path:
    """The file of a task's own: `FOLDER/STAGE/00000SUFFIX`."""
    return folder / stage / f"{number:05d}{suffix}"
