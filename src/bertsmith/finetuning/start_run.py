"""Starting a RUN: write its record into an empty folder or into the folder of a resumed run."""

from __future__ import annotations

from bertsmith.finetuning.claim import identity
from bertsmith.finetuning.data import FinetuningData
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.previous_model import find_previous_model
from bertsmith.finetuning.resuming import FinetuningRun, command
from bertsmith.finetuning.seed_models import restore_best_seed_model
from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.records.run import VERSION, Machine
from bertsmith.runtime.machine import AutomaticChoice, describe_machine, versions


def start_run(
    run: FinetuningRun,
    options: FinetuneOptions,
    data: FinetuningData,
    *,
    choices: list[AutomaticChoice],
    resumed: FinetuningRecord | None,
) -> None:
    """Write the record of an unfinished run; a finished model is withdrawn until more seeds are trained."""
    # When a run is resumed, --out is the run itself: its record has the previous model.
    previous = (resumed and resumed.model_before) or find_previous_model(options, data.file_report)
    if resumed is not None and run.finished and resumed.best_seed is not None:
        restore_best_seed_model(run.path, resumed.best_seed)
    record = FinetuningRecord(
        version=VERSION,
        kind="finetuning",
        task=options.task,
        status="running",
        command=command(options),
        options=identity(options) | {"save_every": options.save_every},
        given=[name for name in options.explicit_defaults if name in options.model_fields_set],
        seeds=options.seeds,
        choices=choices,
        machine=Machine(**describe_machine()),
        versions=versions(),
        data=data.file_report,
        warnings=list(data.report.warnings),
    )
    if previous is not None:
        record.model_before = previous
    run.create(record)
    run.unpublish()
