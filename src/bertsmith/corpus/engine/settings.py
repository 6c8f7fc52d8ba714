"""Where the tasks of `prepare` run: local processes, Ray, or Slurm."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from shutil import which
from typing import Literal

from bertsmith.config.extras import require_extra
from bertsmith.corpus.engine.slurm_options import slurm_options
from bertsmith.errors import OptionError


@dataclass(frozen=True)
class Engine:
    """Where tasks run, and how many run at the same time.

    `address` is for a cluster. Ray: "auto" (the default: RAY_ADDRESS, or a cluster on this machine), "HOST:PORT" or
    "ray://HOST:PORT". Slurm: a partition, or options of sbatch such as "partition=cpu,time=04:00:00,mem=4G".
    """

    name: Literal["local", "ray", "slurm"] = "local"
    workers: int = 1
    address: str | None = None


def check_engine(engine: Engine) -> None:
    """Raise OptionError if the engine cannot be used from this machine. Opens no connection."""
    if engine.workers < 1:
        raise OptionError(f"--workers {engine.workers}: expected 1 or more")
    if engine.name == "local":
        if engine.address is not None:
            raise OptionError(f"--engine-address {engine.address}: needs --engine ray or --engine slurm")
        return
    for package in ("datatrove", "ray") if engine.name == "ray" else ("datatrove",):
        require_extra("cluster", f"--engine {engine.name}", package)
    if engine.name == "slurm":
        slurm_options(engine.address)
        for program in ("sbatch", "squeue", "scancel"):
            if which(program) is None:
                raise OptionError(f"--engine slurm: {program} was not found. Try: run on a node that has it")
        try:
            queue = subprocess.run(["squeue", "--noheader"], capture_output=True, text=True, timeout=30, check=False)
        except subprocess.TimeoutExpired:
            raise OptionError("--engine slurm: squeue did not answer within 30 s; is slurmctld running?") from None
        if queue.returncode:
            raise OptionError(f"--engine slurm: squeue failed: {queue.stderr.strip()[:200]}")
