"""The plan of a corpus: everything its tasks need to know, saved in the work folder."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bertsmith.corpus.cleaning import CleaningOptions
from bertsmith.corpus.reading import ReadingOptions, SourceFile
from bertsmith.corpus.work_folder import BLOCKS, PLAN, as_json, read_as
from bertsmith.runtime.files import write_json

MIN_BLOCK, MAX_BLOCK = 1 << 23, 1 << 26
TARGET_BLOCKS = 512
GROUP_BYTES = 1 << 24
FILES_PER_GROUP = 4_096


@dataclass(frozen=True)
class CorpusPlan:
    """Settings for the tasks that read and clean a corpus; see `config.prepare` for the options."""

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


def write_plan(folder: Path, plan: CorpusPlan) -> CorpusPlan:
    """Group the files and write the plan. If the folder already has a plan (an interrupted run), keep that one."""
    if not (folder / PLAN).is_file():
        # With --max-documents one task reads all files, so that it stops at the limit.
        groups = group_files(plan.files) if plan.max_documents is None else [(0, len(plan.files))]
        plan = replace(plan, groups=groups, block_characters=block_characters(plan.files))
        content = as_json(plan)
        content["cleaning"]["steps"] = sorted(plan.cleaning.steps)
        write_json(folder / PLAN, content)
    return load_plan(folder)


def load_plan(folder: Path) -> CorpusPlan:
    """Load the plan of a work folder. Each process reads it once; forked workers inherit it."""
    facts = (folder / PLAN).stat()
    return _read_plan(folder / PLAN, facts.st_ino, facts.st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _read_plan(path: Path, inode: int, modified: int) -> CorpusPlan:
    """Read a plan; `inode` and `modified` distinguish it from the plan of an earlier run in the same folder."""
    return read_as(CorpusPlan, path)


@dataclass(frozen=True)
class FileBlock:
    """The file of a block, relative to the work folder, and its number of documents."""

    file: str
    documents: int


def group_files(files: Sequence[SourceFile]) -> list[tuple[int, int]]:
    """Group files into at least 16 MB per group, or more if that would make over 512 groups.

    So a hundred thousand small files are not a task each, and a whole corpus is not a single task.
    """
    total = sum(file.size or 0 for file in files)
    enough = max(GROUP_BYTES, total // TARGET_BLOCKS)
    groups: list[tuple[int, int]] = []
    first, size = 0, 0
    for number, file in enumerate(files):
        size += file.size if file.size is not None else GROUP_BYTES
        if size >= enough or number + 1 - first >= FILES_PER_GROUP:
            groups.append((first, number + 1))
            first, size = number + 1, 0
    if first < len(files):
        groups.append((first, len(files)))
    return groups


def block_characters(files: Sequence[SourceFile]) -> int:
    """Return the size of a block: 8 MB of text, or more if that would make over 512 blocks; at most 64 MB."""
    total = sum(file.size or 0 for file in files)
    return min(MAX_BLOCK, max(MIN_BLOCK, total // TARGET_BLOCKS))


def read_blocks(folder: Path) -> list[FileBlock]:
    """Read the list of all blocks of a work folder."""
    return read_as(list[FileBlock], folder / BLOCKS)
