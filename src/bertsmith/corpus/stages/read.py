"""Reading: turn groups of files into blocks of documents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bertsmith.corpus.blocks import write_block
from bertsmith.corpus.document import Document
from bertsmith.corpus.engine import Engine, completion_marker, run_tasks
from bertsmith.corpus.plan import CorpusPlan, FileBlock, load_plan
from bertsmith.corpus.reading import ReadingNotes, read_documents
from bertsmith.corpus.work_folder import BLOCKS, READ, read_as, stage_file, write_as_json


@dataclass(frozen=True)
class ReadGroup:
    """Record of a reading task: the blocks made from a group of files."""

    blocks: list[FileBlock]
    documents: int
    detected: list[str]
    replaced_bytes: int


@dataclass(frozen=True)
class ReadCounts:
    """Notes and counts from reading all files."""

    documents_in: int
    detected: list[str]
    replaced_bytes: int


def read(plan: CorpusPlan, folder: Path, *, engine: Engine, advance: Callable[[int, int], None]) -> ReadCounts:
    """Read all files into blocks."""
    run_tasks(engine, READ, read_task, folder=folder, count=len(plan.groups), advance=advance)
    return arrange_blocks(folder, len(plan.groups))


def read_task(folder: Path, number: int) -> None:
    """Read a group of files into blocks."""
    plan = load_plan(folder)
    first, last = plan.groups[number]
    notes = ReadingNotes()
    blocks: list[FileBlock] = []
    waiting: list[Document] = []
    size = taken = 0

    def write_waiting() -> None:
        nonlocal size
        path = stage_file(folder, READ, number, suffix=f"-{len(blocks):04d}.arrow")
        write_block(path, waiting)
        blocks.append(FileBlock(path.relative_to(folder).as_posix(), len(waiting)))
        waiting.clear()
        size = 0

    for file in plan.files[first:last]:
        remaining = None if plan.max_documents is None else plan.max_documents - taken
        if remaining == 0:
            break
        for document in islice(read_documents(file, plan.reading, notes), remaining):
            waiting.append(document)
            size += sum(map(len, document.paragraphs))
            taken += 1
            if size >= plan.block_characters:
                write_waiting()
    if waiting:
        write_waiting()
    write_as_json(
        completion_marker(folder, READ, number),
        ReadGroup(blocks, taken, detected=notes.detected, replaced_bytes=notes.replaced_bytes),
    )


def arrange_blocks(folder: Path, groups: int) -> ReadCounts:
    """Number all blocks; return the notes and counts."""
    records = [read_as(ReadGroup, completion_marker(folder, READ, number)) for number in range(groups)]
    blocks = [block for record in records for block in record.blocks]
    write_as_json(folder / BLOCKS, blocks)
    return ReadCounts(
        documents_in=sum(block.documents for block in blocks),
        detected=[line for record in records for line in record.detected],
        replaced_bytes=sum(record.replaced_bytes for record in records),
    )
