"""Check of the file of `--report`, before anything is measured."""

from __future__ import annotations

from pathlib import Path

from bertsmith.errors import OptionError


def check_page(report: Path) -> None:
    """Raise OptionError if no page can be written there."""
    if report.is_dir() or report.suffix.lower() != ".html":
        what = "found a folder, " if report.is_dir() else ""
        raise OptionError(f"--report {report}: {what}expected the name of an .html file to write")
    if not report.parent.is_dir():
        raise OptionError(
            f"--report {report}: the folder {report.parent} does not exist. Try: mkdir -p {report.parent}"
        )
