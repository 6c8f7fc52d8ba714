"""The value of `--engine-address` for Slurm."""

from __future__ import annotations

import re

from bertsmith.errors import OptionError

_OURS = frozenset({"array", "job-name", "output", "error", "nodes", "ntasks", "dependency", "export", "chdir", "wrap"})
_OPTION = re.compile(r"([a-z][a-z-]*)=(.+)", re.DOTALL)


def slurm_options(address: str | None) -> dict[str, str]:
    """Parse long options of sbatch: a partition name, or comma-separated `key=value` pairs; values may contain commas.

    Options that are not given (partition, time, memory) keep the cluster's defaults.
    """
    if address is None:
        return {}
    if "=" not in address:
        return {"partition": address}
    options: dict[str, str] = {}
    for part in re.split(r",(?=[\w-]+=)", address):
        match = _OPTION.fullmatch(part)
        if match is None:
            raise OptionError(
                f"--engine-address {address}: found {part!r}, expected a partition or options of sbatch such as "
                "partition=cpu,time=04:00:00,mem=4G"
            )
        if match[1] in _OURS:
            raise OptionError(f"--engine-address {address}: bertsmith sets {match[1]} itself. Try: leave it out")
        options[match[1]] = match[2]
    return options
