"""Options of `report`: STORE or RUN to report.html."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from bertsmith.config.options import Options


class ReportOptions(Options):
    """Write report.html of a STORE or a RUN again."""

    positional: ClassVar[tuple[str, ...]] = ("folder",)

    folder: Path = Field(description="a STORE or a RUN")
    watch: bool = Field(False, description="write the report of a RUN again and again while it trains")
