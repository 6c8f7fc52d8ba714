"""The figures of the model before, for the verdict of a report: was it worth training again?

They are known if that model was measured on the very same file: it is the RUN that `--overwrite` replaces, or a RUN
with a head that the new one starts from.
"""

from __future__ import annotations

from pathlib import Path

from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.records.any_run import run_of_model
from bertsmith.records.finetuning import FinetuningRecord, MeanFigure, PreviousModel
from bertsmith.records.labelled_files import FinetuningFiles


def find_previous_model(options: FinetuneOptions, data: FinetuningFiles) -> PreviousModel | None:
    """The name and the figures of the model before; None without one on the same file."""
    replaced = [(options.out, f"{options.out}, now replaced")] if options.overwrite else []
    for folder, name in (*replaced, (Path(options.model), options.model)):
        record = run_of_model(folder)
        if isinstance(record, FinetuningRecord) and _is_comparable(record, options.task, data):
            found = {
                metric: MeanFigure(mean=figure.mean, low=figure.low, high=figure.high)
                for metric, figure in (record.metrics or {}).items()
            }
            return PreviousModel(name=name, metrics=found)
    return None


def _is_comparable(record: FinetuningRecord, task: str, data: FinetuningFiles) -> bool:
    """Whether a finished run of the same task has figures of the same file."""
    checksum = data.checksum_of_figures
    if record.task != task or not record.is_finished or record.metrics is None:
        return False
    return checksum is not None and record.data.checksum_of_figures == checksum
