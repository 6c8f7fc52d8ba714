"""Options of `quickstart` and `doctor`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from bertsmith.config.options import SEEDS, Options


class QuickstartOptions(Options):
    """The whole life cycle on the documentation that is already on this machine."""

    minutes: float = Field(3.0, gt=0, description="minutes of pre-training")
    out: Path = Field(Path("runs/quickstart"), description="the folder of everything that comes out")
    workers: int | None = Field(None, gt=0, description="processes that read and clean (default: one a core)")
    seed: int = Field(0, ge=0, lt=SEEDS, description="weights, order, pairs, masks and held-out part follow from it")
    overwrite: bool = Field(False, description="replace the folder at --out")


class DoctorOptions(Options):
    """Print the machine, the versions, and each automatic choice with its reason."""
