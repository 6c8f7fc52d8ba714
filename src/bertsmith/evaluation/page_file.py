"""The file of `--report`: it is checked before anything is measured."""

from __future__ import annotations

from pathlib import Path

from bertsmith.errors import OptionError


def check_page(report: Path) -> None:
    """Raises OptionError if no page can be written there."""
    if report.is_dir() or report.suffix.lower() != ".html":
        what = "is a folder, " if report.is_dir() else ""
        raise OptionError(f"--report {report}: {what}expected the name of an .html file to write")
    if not report.parent.is_dir():
        raise OptionError(
            f"--report {report}: there is no folder {report.parent}; make it first: mkdir -p {report.parent}"
        )
