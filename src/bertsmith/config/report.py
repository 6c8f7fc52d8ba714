"""Options of `report`: STORE, RUN or suite to report.html."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from bertsmith.config.options import Options


class ReportOptions(Options):
    """Write report.html of a STORE, a RUN or a suite."""

    positional: ClassVar[tuple[str, ...]] = ("folder",)

    folder: Path = Field(description="folder of a STORE, a RUN or a suite (`finetune glue`)")
    watch: bool = Field(
        False, description="update the report while the RUN trains; Control-C stops watching, not training"
    )
