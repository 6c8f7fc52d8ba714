"""A folder of GLUE: its tasks, their files, and the number of rows.

Folders have GLUE's names or those of the Hub (`SST-2`, `sst2`). Files are .tsv, .csv, .jsonl or .parquet, also
compressed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bertsmith.corpus.reading.sources import COMPRESSIONS
from bertsmith.errors import DataError
from bertsmith.finetuning.glue.tasks import GLUE, NAMES, TRAIN, ExtraFile, GlueTask, Layout, normalized_task_name
from bertsmith.runtime.console import log_info, quiet
from bertsmith.tasks.files.class_names import ClassNames
from bertsmith.tasks.files.labelled_file import Columns, labelled_records, labelled_rows, sort_labels
from bertsmith.tasks.files.table_records import ENDINGS, FileRecord, HiddenLabelsError, detect_format, is_table

_FILE_ENDINGS = tuple(f"{ending}{packed}" for ending in ENDINGS for packed in ("", *COMPRESSIONS))
_SHOWN = 12
"""At most this many file names in a message."""
_NO_LABEL = ("-1", "-1.0", "")


@dataclass(frozen=True)
class TaskFiles:
    """A task and its files."""

    task: GlueTask
    train: Path
    dev: Path
    test: Path | None
    extra_files: tuple[tuple[ExtraFile, Path], ...]


@dataclass(frozen=True)
class GlueFile:
    """A labelled file: its layout, its number of rows, and the count of each label."""

    path: Path
    layout: Layout
    rows: int
    labels: Mapping[str, int]
    skip_broken: bool = False
    """Whether broken rows were left out."""


def find_tasks(folder: Path, names: Sequence[str] | None) -> list[TaskFiles]:
    """Find tasks by name in a folder, in the order of GLUE; without names, all tasks of the folder.

    Raises DataError if the folder has no task, if a named task is missing, or if a task has no train or dev file.
    """
    if not folder.exists():
        raise DataError(f"--data {folder}: no such folder, expected the folder of GLUE, with one folder per task")
    if not folder.is_dir():
        raise DataError(f"--data {folder}: found a file, expected the folder of GLUE, with one folder per task")
    folders = {
        normalized_task_name(path.name): path for path in sorted(folder.iterdir(), reverse=True) if path.is_dir()
    }
    wanted = [task for task in GLUE if names is None or task.name in names]
    missing = [task.name for task in wanted if normalized_task_name(task.name) not in folders]
    if len(missing) == len(wanted) or (names is not None and missing):
        raise DataError(_missing_task_message(folder, missing if names is not None else None))
    return [_files_of(task, folders) for task in wanted if task.name not in missing]


def _files_of(task: GlueTask, folders: dict[str, Path]) -> TaskFiles:
    here = folders[normalized_task_name(task.name)]
    train, dev = _file(here, TRAIN), _file(here, task.dev)
    for path, part, stems in ((train, "train", TRAIN), (dev, "dev", task.dev)):
        if path is None:
            raise DataError(
                f"{task.name}: found no {part} file in {here}, expected {' or '.join(f'{stem}.tsv' for stem in stems)} "
                f"(or .csv, .jsonl, .parquet, also compressed). The folder holds {_listed(here)}. Try: --tasks, to "
                "leave this task out"
            )
    assert train is not None and dev is not None
    extra_files = []
    for one in task.extra_files:
        places = (folders[normalized_task_name(name)] for name in one.folders if normalized_task_name(name) in folders)
        path = next((path for place in places if (path := _file(place, one.files)) is not None), None)
        if path is not None:
            extra_files.append((one, path))
    return TaskFiles(task, train, dev, _file(here, task.test), tuple(extra_files))


def _file(folder: Path, stems: Iterable[str]) -> Path | None:
    """Return the file with one of these names, an uncompressed file first."""
    for stem in stems:
        for ending in _FILE_ENDINGS:
            for name in (stem, f"{stem}-00000-of-00001"):
                path = folder / f"{name}{ending}"
                if path.is_file():
                    return path
    return None


def _missing_task_message(folder: Path, missing: Sequence[str] | None) -> str:
    wanted = f"no folder of {', '.join(missing)}" if missing else f"no task of GLUE ({', '.join(NAMES)})"
    single_task = next(
        (task for task in GLUE if normalized_task_name(task.name) == normalized_task_name(folder.resolve().name)), None
    )
    if single_task is not None and _file(folder, TRAIN) is not None:
        return (
            f"--data {folder}: found the folder of {single_task.name} only, expected its parent folder. Try: --data "
            f"{folder.resolve().parent} --tasks {single_task.name}"
        )
    return f"--data {folder}: found {wanted}, expected folders with these names. It holds {_listed(folder)}"


def _listed(folder: Path) -> str:
    names = sorted(f"{path.name}/" if path.is_dir() else path.name for path in folder.iterdir())
    if not names:
        return "nothing"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def read_part(path: Path, task: GlueTask) -> GlueFile:
    """Read a labelled file with the first layout that fits. Raises DataError at the first mistake."""
    layouts, skip_broken = task.layouts, task.broken_rows and is_table(detect_format(path, None))
    layout = _layout_without_header(path, layouts)
    records = labelled_records(path, Columns(skip_broken=skip_broken, no_header=layout is not None))
    if layout is None:
        named = (one for one in layouts if not one.no_header)
        layout = next((one for one in named if set(one.columns) <= set(records[0].values)), None)
    if layout is None:
        expected = " or ".join(", ".join(map(repr, one.columns)) for one in layouts)
        raise DataError(f"{path}: found the columns {', '.join(map(repr, records[0].values))}, expected {expected}")
    part = _part(path, layout, records, skip_broken=skip_broken)
    if task.positive is not None and ClassNames(part.labels)[task.positive] not in part.labels:
        raise DataError(
            f"{path}: found the labels {', '.join(sort_labels(part.labels)[:_SHOWN])}, expected 0 and 1, because "
            f"GLUE's F1 is for the class {task.positive}. Parquet files of the Hub hold class names. Try: a file "
            "with the numbers"
        )
    return part


def _layout_without_header(path: Path, layouts: Sequence[Layout]) -> Layout | None:
    """Return the layout of a table without a header; None if the first row is a header or no layout fits."""
    layout = next((one for one in layouts if one.no_header), None)
    if layout is None or not is_table(detect_format(path, None)):
        return None
    with quiet():
        first = labelled_records(path, Columns(no_header=True))[0]
    names = {str(value).strip() for value in first.values.values()}
    return None if any(set(one.columns) <= names for one in layouts if not one.no_header) else layout


def read_test(path: Path, layouts: Sequence[Layout], *, skip_broken: bool = False) -> GlueFile | None:
    """Read a test file; None, with a note, if it has no labels (no label column, or -1 in every row, as in GLUE)."""
    part = _labelled_part(path, layouts, skip_broken)
    if part is None:
        log_info(f"{path}: has no labels, so it is not used")
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


def _part(path: Path, layout: Layout, records: list[FileRecord], *, skip_broken: bool) -> GlueFile:
    rows = labelled_rows(path, records, Columns(layout.text, layout.pair, layout.label, layout.no_header))
    return GlueFile(path, layout, len(rows), Counter(str(row.label) for row in rows), skip_broken)
