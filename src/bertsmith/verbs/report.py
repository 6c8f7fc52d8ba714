"""report: write report.html of a STORE, a RUN or the results of a suite (again), once or while a run trains."""

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
from bertsmith.tasks.texts import texts_of
from bertsmith.training.run_folder import read_metrics

SECONDS_BETWEEN_PAGES = 5
"""How often a watched page is drawn at most, and how often the browser loads it."""


@dataclass(frozen=True)
class ReportResult(Result):
    """Where the report is."""

    report: Path


@verb(ReportOptions)
def report(options: ReportOptions) -> ReportResult:
    """Write report.html of a STORE or a RUN, from what the folder holds now.

    With `watch` it is written again whenever a RUN has new figures, and returns when the run is finished or
    interrupted. Control-C ends only the watching: the page is left as it is then, and Interrupted is raised.
    """
    if not options.watch:
        return ReportResult(write_report(options.folder))
    if is_store(options.folder):
        raise OptionError(f"--watch: {options.folder} is a STORE, which does not change; watch a RUN while it trains")
    try:
        return ReportResult(_watch(options.folder))
    except KeyboardInterrupt:
        raise Interrupted(
            f"no longer watched; the run itself goes on. {write_report(options.folder)} stays as it is now"
        ) from None


def _watch(run: Path) -> Path:
    """Draw the page until the run has ended; the last one does not load itself again."""
    if (run / SUITE_RECORD).is_file():
        raise InputError(
            f"--watch: {run} holds the results of a suite; watch one of its RUNs, such as:\n"
            f"  {runnable(f'bertsmith report {run}/TASK --watch')}"
        )
    if not _is_run(run):
        raise _nothing_to_report(run)
    path = run / "report.html"
    drawn: list[tuple[int, int]] = []
    while True:
        state = _state(run)
        if state != drawn and _is_run(run):  # one that is being replaced has no record for a moment
            status, progress = _write_run(run, run.resolve().name, SECONDS_BETWEEN_PAGES)
            if status != "running":
                log_info(f"{path}: the run is {status}")
                return path
            log_info(f"{path}: {progress}")
            drawn = state
        time.sleep(SECONDS_BETWEEN_PAGES)


def _state(run: Path) -> list[tuple[int, int]]:
    """What changes when a run has new figures: the times and sizes of their files."""
    facts = [path.stat() for path in (run / "run.json", _metrics_folder(run) / "metrics.jsonl") if path.is_file()]
    return [(fact.st_mtime_ns, fact.st_size) for fact in facts]


def _is_run(folder: Path) -> bool:
    return (folder / "run.json").is_file()


def _metrics_folder(run: Path) -> Path:
    """The folder of metrics.jsonl: for an unfinished fine-tuning that of its newest training."""
    found = [*run.glob("search/trial-*/metrics.jsonl"), *run.glob("seeds/seed-*/metrics.jsonl")]
    if not found or (run / "metrics.jsonl").is_file():
        return run
    return max(found, key=lambda path: path.stat().st_mtime_ns).parent


def write_report(folder: Path, title: str | None = None) -> Path:
    """Write report.html; returns its path. Raises InputError where the folder is neither a STORE nor a RUN."""
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
        f"{folder}: neither a STORE (manifest.json) nor a RUN (run.json) nor the results of a suite ({SUITE_RECORD}), "
        "so there is nothing to report"
    )


def _write_run(run: Path, name: str, refresh_seconds: int | None = None) -> tuple[str, RunProgress]:
    """Write the page of a RUN, which reloads itself while the run trains; returns its status and progress."""
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
        texts = texts_of(record)
        page = finetuning_report(
            name, record, updates, texts=texts, evaluations=evaluations, refresh_seconds=refresh, as_of=as_of
        )
    else:
        raise _nothing_to_report(run)
    _write(run, page)
    return record.status, run_progress(record.budget, updates)


def _write(folder: Path, html: str) -> None:
    # A run at its end and its watcher may write the page at the same time: each under its own name.
    with atomic_write(folder / "report.html") as aside:
        aside.write_text(html, encoding="utf-8", errors="backslashreplace")
