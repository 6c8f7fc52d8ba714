"""Options of `quickstart` and `doctor`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from bertsmith.config.options import SEED_LIMIT, Options
from bertsmith.config.shared_options import OVERWRITE, WORKERS


class QuickstartOptions(Options):
    """Train and use a BERT on the documentation that is already on this machine."""

    minutes: float = Field(
        3.0, gt=0, description="pre-train for N minutes; preparation and fine-tuning take extra time"
    )
    out: Path = Field(Path("runs/quickstart"), description="folder to write everything to: STORE, RUNs and report.html")
    workers: int | None = Field(None, gt=0, description=WORKERS)
    seed: int = Field(
        0, ge=0, lt=SEED_LIMIT, description="random seed of weights, order, pairs, masks and held-out part"
    )
    overwrite: bool = Field(False, description=OVERWRITE)


class DoctorOptions(Options):
    """Print the machine, the versions, and each automatic choice with its reason."""
