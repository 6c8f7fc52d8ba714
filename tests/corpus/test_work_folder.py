"""Dataclasses as JSON in the work folder, and the plan that each process reads once."""

from __future__ import annotations

import json
from pathlib import Path

from bertsmith.corpus import plan as module
from bertsmith.corpus.cleaning import CleaningCounts, CleaningOptions
from bertsmith.corpus.plan import CorpusPlan, FileBlock, load_plan, write_plan
from bertsmith.corpus.reading import ReadingOptions, SourceFile
from bertsmith.corpus.stages.clean import CleanedShard
from bertsmith.corpus.work_folder import PLAN, read_as, write_as_json

NOT_UTF8 = b"caf\xe9.txt".decode("utf-8", "surrogateescape")


def some_plan(**options: object) -> CorpusPlan:
    files = [SourceFile("a.txt", NOT_UTF8, ".txt", size=9, modified="x"), SourceFile("b", "hf:b", "hf", modified=3)]
    return CorpusPlan(files, ReadingOptions(), CleaningOptions(frozenset({"unicode", "short"})), **options)  # type: ignore[arg-type]


def test_a_plan_comes_back_with_its_types(tmp_path: Path) -> None:
    asked = some_plan(max_documents=5, held_out_share=0.1, seed=7)
    written = write_plan(tmp_path, asked)
    assert written.groups == [(0, 2)]
    assert (written.files, written.reading, written.cleaning) == (asked.files, asked.reading, asked.cleaning)
    assert json.loads((tmp_path / PLAN).read_text())["cleaning"]["steps"] == ["short", "unicode"]


def test_the_plan_of_an_interrupted_preparation_is_kept(tmp_path: Path) -> None:
    first = write_plan(tmp_path, some_plan(seed=1))
    assert write_plan(tmp_path, some_plan(seed=2)) == first


def test_a_process_reads_the_plan_once_and_a_new_one_in_the_same_folder_again(tmp_path: Path) -> None:
    module._read_plan.cache_clear()
    first = write_plan(tmp_path, some_plan(seed=1))
    assert all(load_plan(tmp_path) is first for _ in range(5))
    assert module._read_plan.cache_info().misses == 1
    (tmp_path / PLAN).unlink()
    assert write_plan(tmp_path, some_plan(seed=2)).seed == 2
    assert load_plan(tmp_path).seed == 2


def test_records_and_lists_of_them_come_back(tmp_path: Path) -> None:
    counts = CleaningCounts()
    counts.paragraphs_dropped["short"] += 2
    record = CleanedShard(3, 2, 1, {"empty": 1}, counts, 99, NOT_UTF8, {"document_characters": {"4": 2}})
    write_as_json(tmp_path / "record.json", record)
    assert read_as(CleanedShard, tmp_path / "record.json") == record
    write_as_json(tmp_path / "blocks.json", [FileBlock("read/00000-0000.arrow", 3)])
    assert read_as(list[FileBlock], tmp_path / "blocks.json") == [FileBlock("read/00000-0000.arrow", 3)]
