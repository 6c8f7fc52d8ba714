"""report: write report.html of a STORE or a RUN (again)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bertsmith.config.quickstart import ReportOptions
from bertsmith.config.verb import Result, verb
from bertsmith.corpus.store import is_store
from bertsmith.errors import InputError
from bertsmith.reporting.run_report import run_report
from bertsmith.reporting.store_report import store_report
from bertsmith.runtime.files import read_json, write_text
from bertsmith.training.run_folder import read_metrics


@dataclass(frozen=True)
class ReportResult(Result):
    """Where the report is."""

    report: Path


@verb(ReportOptions)
def report(options: ReportOptions) -> ReportResult:
    """Write report.html of a STORE or a RUN, from what the folder holds now."""
    return ReportResult(write_report(options.folder))


def write_report(folder: Path, title: str | None = None) -> Path:
    """Write report.html; returns its path. Raises InputError where the folder is neither a STORE nor a RUN."""
    name = title or folder.resolve().name
    if (folder / "run.json").is_file():
        html = run_report(name, read_json(folder / "run.json"), *read_metrics(folder))
    elif is_store(folder):
        html = store_report(name, read_json(folder / "manifest.json"))
    else:
        raise InputError(
            f"{folder}: neither a STORE (manifest.json) nor a RUN (run.json), so there is nothing to report"
        )
    path = folder / "report.html"
    write_text(path, html)
    return path
