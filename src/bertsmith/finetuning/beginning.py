"""Beginning a RUN: its record, in an empty folder or in that of the run that is resumed."""

from __future__ import annotations

from bertsmith.finetuning.claim import identity
from bertsmith.finetuning.data import FinetuningData
from bertsmith.finetuning.model_before import model_before
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.resuming import FinetuningRun, command
from bertsmith.finetuning.seed_models import restore_best_seed_model
from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.records.run import VERSION, Machine
from bertsmith.runtime.machine import AutomaticChoice, describe_machine, versions


def begin(
    run: FinetuningRun,
    options: FinetuneOptions,
    data: FinetuningData,
    *,
    choices: list[AutomaticChoice],
    resumed: FinetuningRecord | None,
) -> None:
    """Write the record of a run that is not finished; a finished model is withdrawn until more seeds are trained."""
    # A run that is resumed is at --out itself: the model before it is in its record.
    before = (resumed and resumed.model_before) or model_before(options, data.described)
    if resumed is not None and run.finished and resumed.best_seed is not None:
        restore_best_seed_model(run.path, resumed.best_seed)
    record = FinetuningRecord(
        version=VERSION,
        kind="finetuning",
        task=options.task,
        status="running",
        command=command(options),
        options=identity(options) | {"save_every": options.save_every},
        given=[name for name in options.says_more_if_given if name in options.model_fields_set],
        seeds=options.seeds,
        choices=choices,
        machine=Machine(**describe_machine()),
        versions=versions(),
        data=data.described,
        warnings=list(data.report.warnings),
    )
    if before is not None:
        record.model_before = before
    run.create(record)
    run.withdraw()
