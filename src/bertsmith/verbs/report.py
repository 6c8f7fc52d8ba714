"""report: write report.html of a STORE, a RUN or the results of a suite, once or repeatedly while a run trains."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bertsmith.config.report import ReportOptions
from bertsmith.config.verb import Result, verb
from bertsmith.corpus.store import is_store
from bertsmith.errors import InputError, Interrupted, OptionError
from bertsmith.records.any_run import read_run
from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.records.manifest import MANIFEST, Manifest
from bertsmith.records.pretraining import PretrainingRecord
from bertsmith.records.run import FILE as RUN_RECORD
from bertsmith.records.suite import FILE as SUITE_RECORD
from bertsmith.records.suite import SuiteRecord
from bertsmith.reporting.finetuning_report import finetuning_report
from bertsmith.reporting.pretraining_report import pretraining_report
from bertsmith.reporting.run_progress import RunProgress, run_progress
from bertsmith.reporting.store.report import store_report
from bertsmith.reporting.suite_report import suite_report
from bertsmith.runtime.console import log_info
from bertsmith.runtime.files import atomic_write
from bertsmith.runtime.program import runnable
from bertsmith.tasks.card_texts import card_texts
from bertsmith.training.run_folder import read_metrics

SECONDS_BETWEEN_PAGES = 5
"""The least time between two versions of a watched page, and between two loads of it by the browser."""


@dataclass(frozen=True)
class ReportResult(Result):
    """The path of the report."""

    report: Path


@verb(ReportOptions)
def report(options: ReportOptions) -> ReportResult:
    """Write report.html of a STORE or a RUN, from the current content of the folder.

    With `watch` the report is written again whenever a RUN has new figures, until the run is finished or interrupted.
    Control-C ends only the watching: the page stays as it is, and Interrupted is raised.
    """
    if not options.watch:
        return ReportResult(write_report(options.folder))
    if is_store(options.folder):
        raise OptionError(
            f"--watch: found a STORE in {options.folder}, expected a RUN that trains. Try: leave out --watch"
        )
    try:
        return ReportResult(_watch(options.folder))
    except KeyboardInterrupt:
        raise Interrupted(
            f"Stopped watching. The run continues, but {write_report(options.folder)} is no longer updated."
        ) from None


def _watch(run: Path) -> Path:
    """Write the page until the run has ended. The last page does not reload itself."""
    if (run / SUITE_RECORD).is_file():
        raise InputError(
            f"--watch: found the results of a suite in {run}, expected a RUN. Try:\n"
            f"  {runnable(f'bertsmith report {run}/TASK --watch')}"
        )
    if not _is_run(run):
        raise _nothing_to_report(run)
    path = run / "report.html"
    written: list[tuple[int, int]] = []
    while True:
        state = _state(run)
        if state != written and _is_run(run):  # while it is being replaced, a RUN has no record for a moment
            status, progress = _write_run(run, run.resolve().name, SECONDS_BETWEEN_PAGES)
            if status != "running":
                log_info(f"{path}: the run is {status}")
                return path
            log_info(f"{path}: {progress}")
            written = state
        time.sleep(SECONDS_BETWEEN_PAGES)


def _state(run: Path) -> list[tuple[int, int]]:
    """Return the times and sizes of the files that change when a run has new figures."""
    facts = [path.stat() for path in (run / "run.json", _metrics_folder(run) / "metrics.jsonl") if path.is_file()]
    return [(fact.st_mtime_ns, fact.st_size) for fact in facts]


def _is_run(folder: Path) -> bool:
    return (folder / "run.json").is_file()


def _metrics_folder(run: Path) -> Path:
    """Return the folder of metrics.jsonl; in an unfinished fine-tuning, that of its newest training."""
    found = [*run.glob("search/trial-*/metrics.jsonl"), *run.glob("seeds/seed-*/metrics.jsonl")]
    if not found or (run / "metrics.jsonl").is_file():
        return run
    return max(found, key=lambda path: path.stat().st_mtime_ns).parent


def write_report(folder: Path, title: str | None = None) -> Path:
    """Write report.html and return its path. Raises InputError if the folder has nothing to report."""
    name = title or folder.resolve().name
    if _is_run(folder):
        _write_run(folder, name)
    elif is_store(folder):
        _write(folder, store_report(name, Manifest.read(folder / MANIFEST)))
    elif (folder / SUITE_RECORD).is_file():
        _write(folder, suite_report(name, SuiteRecord.read(folder / SUITE_RECORD)))
    else:
        raise _nothing_to_report(folder)
    return folder / "report.html"


def _nothing_to_report(folder: Path) -> InputError:
    return InputError(
        f"{folder}: found nothing to report, expected a STORE (manifest.json), a RUN (run.json) or the results of a "
        f"suite ({SUITE_RECORD})"
    )


def _write_run(run: Path, name: str, refresh_seconds: int | None = None) -> tuple[str, RunProgress]:
    """Write the page of a RUN, which reloads itself during the training; return status and progress."""
    record, folder = read_run(run), _metrics_folder(run)
    updates, evaluations = read_metrics(folder)
    metrics, refresh, as_of = folder / "metrics.jsonl", None, ""
    if record.status == "running":
        refresh = refresh_seconds
        as_of = datetime.fromtimestamp(metrics.stat().st_mtime).strftime("%H:%M:%S") if metrics.is_file() else ""
    if isinstance(record, PretrainingRecord):
        page = pretraining_report(name, record, updates, evaluations=evaluations, refresh_seconds=refresh, as_of=as_of)
    elif isinstance(record, FinetuningRecord):
        if record.is_finished:
            record.check_finished(run / RUN_RECORD)
        texts = card_texts(record)
        page = finetuning_report(
            name, record, updates, texts=texts, evaluations=evaluations, refresh_seconds=refresh, as_of=as_of
        )
    else:
        raise _nothing_to_report(run)
    _write(run, page)
    return record.status, run_progress(record.budget, updates)


def _write(folder: Path, html: str) -> None:
    # A run that ends and its watcher may write the page at the same time: each uses its own temporary file.
    with atomic_write(folder / "report.html") as temporary:
        temporary.write_text(html, encoding="utf-8", errors="backslashreplace")
