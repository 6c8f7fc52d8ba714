"""The figures of the model before, for the verdict of a report: was it worth training again?

They are known if that model was measured on the very same file: it is the RUN that `--overwrite` replaces, or a RUN
with a head that the new one starts from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bertsmith.errors import BertsmithError
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.records.any_run import run_of_model

Files = Sequence[Mapping[str, Any]]


def model_before(options: FinetuneOptions, files: Files) -> dict[str, Any] | None:
    """`name` and `metrics` (`mean`, `low`, `high`) of the model before; None without one on the same file."""
    replaced = [(options.out, f"{options.out}, now replaced")] if options.overwrite else []
    for folder, name in (*replaced, (Path(options.model), options.model)):
        found = _figures(folder, options.task, _reported(files))
        if found is not None:
            return {"name": name, "metrics": found}
    return None


def _figures(folder: Path, task: str, checksum: str | None) -> dict[str, Any] | None:
    try:
        found = run_of_model(folder)
        record = {} if found is None else found.to_dict()
        if record.get("task") != task or record["status"] != "finished" or checksum is None:
            return None
        if _reported(record["data"]["files"]) != checksum:
            return None
        ends = ("mean", "low", "high")
        return {name: {end: figure[end] for end in ends} for name, figure in record["metrics"].items()}
    except (BertsmithError, LookupError, OSError):  # a damaged record tells nothing, and is no reason to stop
        return None


def _reported(files: Files) -> str | None:
    """The checksum of the file that figures are of: the test file if there is one, else the dev file."""
    checksums = {file["part"]: file["sha256"] for file in files}
    found = checksums.get("test", checksums.get("dev"))
    return None if found is None else str(found)
