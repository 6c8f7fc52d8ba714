"""A folder of GLUE as people have it: which tasks are there, in which files, and how many rows they have.

Folders go by GLUE's names or those of the Hub (`SST-2`, `sst2`), files are .tsv, .csv, .jsonl or .parquet, also packed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bertsmith.corpus.reading.sources import COMPRESSIONS
from bertsmith.errors import DataError
from bertsmith.finetuning.glue.tasks import GLUE, NAMES, TRAIN, Further, GlueTask, Layout, plain
from bertsmith.runtime.console import log_info, quiet
from bertsmith.tasks.files.class_names import ClassNames
from bertsmith.tasks.files.labelled_file import Columns, in_order, labelled_records, rows_of
from bertsmith.tasks.files.records import ENDINGS, HiddenLabelsError, Record, form_of, is_table

_FILE_ENDINGS = tuple(f"{ending}{packed}" for ending in ENDINGS for packed in ("", *COMPRESSIONS))
_SHOWN = 12
"""The most names of a folder in a message."""
_NO_LABEL = ("-1", "-1.0", "")


@dataclass(frozen=True)
class TaskFiles:
    """A task and its files."""

    task: GlueTask
    train: Path
    dev: Path
    test: Path | None
    further: tuple[tuple[Further, Path], ...]


@dataclass(frozen=True)
class GlueFile:
    """A file that has been read once: its layout, its number of rows, and how often each label occurs."""

    path: Path
    layout: Layout
    rows: int
    labels: Mapping[str, int]
    skip_broken: bool = False
    """Whether broken rows were left out."""


def find_tasks(folder: Path, names: Sequence[str] | None) -> list[TaskFiles]:
    """The tasks of these names in a folder, in the order of GLUE; without names all that are there.

    Raises DataError if the folder holds none of them, lacks one that is named, or a task has no train or dev file.
    """
    if not folder.exists():
        raise DataError(f"--data {folder}: no such folder")
    if not folder.is_dir():
        raise DataError(f"--data {folder}: is a file, expected the folder of GLUE, with a folder for each task")
    folders = {plain(path.name): path for path in sorted(folder.iterdir(), reverse=True) if path.is_dir()}
    wanted = [task for task in GLUE if names is None or task.name in names]
    missing = [task.name for task in wanted if plain(task.name) not in folders]
    if len(missing) == len(wanted) or (names is not None and missing):
        raise DataError(_not_there(folder, missing if names is not None else None))
    return [_files_of(task, folders) for task in wanted if task.name not in missing]


def _files_of(task: GlueTask, folders: dict[str, Path]) -> TaskFiles:
    here = folders[plain(task.name)]
    train, dev = _file(here, TRAIN), _file(here, task.dev)
    for path, part, stems in ((train, "train", TRAIN), (dev, "dev", task.dev)):
        if path is None:
            raise DataError(
                f"{task.name}: no {part} file in {here}: looked for {' and '.join(f'{stem}.tsv' for stem in stems)}, "
                f"also .csv, .jsonl, .parquet or packed; there is {_listed(here)}. Leave the task out with --tasks"
            )
    assert train is not None and dev is not None
    further = []
    for one in task.further:
        places = (folders[plain(name)] for name in one.folders if plain(name) in folders)
        path = next((path for place in places if (path := _file(place, one.files)) is not None), None)
        if path is not None:
            further.append((one, path))
    return TaskFiles(task, train, dev, _file(here, task.test), tuple(further))


def _file(folder: Path, stems: Iterable[str]) -> Path | None:
    """The file of one of these names, an unpacked one before a packed one."""
    for stem in stems:
        for ending in _FILE_ENDINGS:
            for name in (stem, f"{stem}-00000-of-00001"):
                path = folder / f"{name}{ending}"
                if path.is_file():
                    return path
    return None


def _not_there(folder: Path, missing: Sequence[str] | None) -> str:
    wanted = f"no folder of {', '.join(missing)}" if missing else f"no task of GLUE ({', '.join(NAMES)})"
    own = next((task for task in GLUE if plain(task.name) == plain(folder.resolve().name)), None)
    if own is not None and _file(folder, TRAIN) is not None:
        return (
            f"--data {folder}: is the folder of {own.name} alone, expected the one that it stands in: give --data "
            f"{folder.resolve().parent} --tasks {own.name}"
        )
    return f"--data {folder}: {wanted} in it, looked for folders of these names; there is {_listed(folder)}"


def _listed(folder: Path) -> str:
    names = sorted(f"{path.name}/" if path.is_dir() else path.name for path in folder.iterdir())
    if not names:
        return "nothing"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def read_part(path: Path, task: GlueTask) -> GlueFile:
    """Read a labelled file in the first of the layouts that it has. Raises DataError at the first mistake."""
    layouts, skip_broken = task.layouts, task.broken_rows and is_table(form_of(path, None))
    layout = _layout_without_header(path, layouts)
    records = labelled_records(path, Columns(skip_broken=skip_broken, no_header=layout is not None))
    if layout is None:
        named = (one for one in layouts if not one.no_header)
        layout = next((one for one in named if set(one.columns) <= set(records[0].values)), None)
    if layout is None:
        expected = " or ".join(", ".join(map(repr, one.columns)) for one in layouts)
        raise DataError(
            f"{path}: no columns {expected}; the columns there are {', '.join(map(repr, records[0].values))}"
        )
    part = _part(path, layout, records, skip_broken=skip_broken)
    if task.positive is not None and ClassNames(part.labels)[task.positive] not in part.labels:
        raise DataError(
            f"{path}: the labels are {', '.join(in_order(part.labels)[:_SHOWN])}, expected 0 and 1: GLUE's F1 is of "
            f"the class {task.positive}. The Hub's Parquet files hold names of classes; take the task from a file that "
            "holds the numbers"
        )
    return part


def _layout_without_header(path: Path, layouts: Sequence[Layout]) -> Layout | None:
    """The layout of a table that has no header; None if its first row is one, or no layout goes without."""
    layout = next((one for one in layouts if one.no_header), None)
    if layout is None or not is_table(form_of(path, None)):
        return None
    with quiet():
        first = labelled_records(path, Columns(no_header=True))[0]
    names = {str(value).strip() for value in first.values.values()}
    return None if any(set(one.columns) <= names for one in layouts if not one.no_header) else layout


def read_test(path: Path, layouts: Sequence[Layout], *, skip_broken: bool = False) -> GlueFile | None:
    """The same of a test file; None if it has no labels: no such column, or -1 in each row, as GLUE gives it.

    That it has none is said.
    """
    part = _labelled_part(path, layouts, skip_broken)
    if part is None:
        log_info(f"{path}: has no labels, so nothing is measured on it")
    return part


def _labelled_part(path: Path, layouts: Sequence[Layout], skip_broken: bool) -> GlueFile | None:
    try:
        records = labelled_records(path, Columns(skip_broken=skip_broken))
    except HiddenLabelsError:
        return None
    layout = next((one for one in layouts if not one.no_header and set(one.columns) <= set(records[0].values)), None)
    if layout is None or all(str(record.values.get(layout.label)).strip() in _NO_LABEL for record in records):
        return None
    return _part(path, layout, records, skip_broken=skip_broken)


def _part(path: Path, layout: Layout, records: list[Record], *, skip_broken: bool) -> GlueFile:
    rows = rows_of(path, records, Columns(layout.text, layout.pair, layout.label, layout.no_header))
    return GlueFile(path, layout, len(rows), Counter(str(row.label) for row in rows), skip_broken)
