"""bertsmith report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.config.report import ReportOptions


def _run(options: ReportOptions) -> Iterable[Answer]:
    from bertsmith.verbs.report import report

    yield report(options)


def _show(result: Any) -> str:
    return str(result.report)


COMMAND = Command(
    "report",
    "Write report.html of a STORE, a RUN or a suite; with --watch, update it until the run ends.",
    ReportOptions,
    _run,
    _show,
    "bertsmith report runs/books",
)
