"""The results of the previous model, for the verdict of a report: was it worth training again?

The previous model is the RUN that `--overwrite` replaces, or the RUN that the new model starts from, if it was measured
on the same file.
"""

from __future__ import annotations

from pathlib import Path

from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.records.any_run import run_of_model
from bertsmith.records.finetuning import FinetuningRecord, MeanFigure, PreviousModel
from bertsmith.records.labelled_files import FinetuningFiles


def find_previous_model(options: FinetuneOptions, data: FinetuningFiles) -> PreviousModel | None:
    """Return the name and results of the previous model; None if no model was measured on the same file."""
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
    """Return whether a run is finished, has the same task and was measured on the same file."""
    checksum = data.checksum_of_figures
    if record.task != task or not record.is_finished or record.metrics is None:
        return False
    return checksum is not None and record.data.checksum_of_figures == checksum
