"""pretrain: make a RUN from a STORE, from scratch or from a MODEL, in one process or in several under torchrun."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bertsmith.config.extras import require_extra
from bertsmith.config.pretrain import PretrainOptions
from bertsmith.config.verb import verb
from bertsmith.corpus.store import HELD_OUT
from bertsmith.evaluation.masked_words import masked_words, predict_masked_words
from bertsmith.pretraining.advice import suggest_from, warnings_of
from bertsmith.pretraining.announcement import announce_pretraining
from bertsmith.pretraining.components import Components, assemble
from bertsmith.pretraining.dry_run import forecast_of
from bertsmith.pretraining.measuring import curve_end, measure_model
from bertsmith.pretraining.pretraining_trainer import make_trainer
from bertsmith.pretraining.record import initial_record, length_of
from bertsmith.pretraining.resumption import NOT_STORED, checkpoint_to_resume, interrupted, is_done, resumed_options
from bertsmith.records.pretraining import PretrainingOutcome, PretrainingRecord
from bertsmith.records.run import VERSION
from bertsmith.reporting.adaptation import adaptation_verdict
from bertsmith.runtime import processes
from bertsmith.runtime.console import format_bytes, log_info, warn
from bertsmith.runtime.files import folder_bytes, folder_lock
from bertsmith.training.recorded_run import RecordedRun
from bertsmith.training.run_folder import check_inputs_outside, read_metrics
from bertsmith.training.sharding import plain_model
from bertsmith.training.trainer import ExactTrainer
from bertsmith.verbs.cards import write_pretraining_card
from bertsmith.verbs.report import write_report

EXAMPLES_DURING, EXAMPLES_AROUND = 128, 1024
"""Held-out examples of each evaluation during the run, and of those before and after it."""

SAMPLES = 5

Run = RecordedRun[PretrainingRecord]


@dataclass(frozen=True, kw_only=True)
class PretrainResult(PretrainingOutcome):
    """The RUN that `pretrain` made, and its figures."""

    run: Path

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object, with the RUN first."""
        return {"run": str(self.run), **super().to_dict()}


@verb(PretrainOptions)
def pretrain(options: PretrainOptions) -> PretrainResult:
    """Pre-train a BERT on a STORE with masked language modelling and next sentence prediction.

    The finished RUN folder is a stock transformers model. The result does not depend on `micro_batch_size` or
    `workers`, and a resumed run of `steps` or `epochs` ends with the same weights as an uninterrupted one. Under
    torchrun or `accelerate launch` all processes call this function with the same options; the first one writes.
    """
    if options.tensorboard:
        require_extra("tensorboard", "--tensorboard")
    processes.join_process_group()
    with folder_lock(options.out, "pretrain") if _writes(options) else nullcontext():
        return _pretrain(options)


def _writes(options: PretrainOptions) -> bool:
    named = options.out.name not in ("", "..")
    return processes.is_main() and not options.dry_run and named


def _pretrain(options: PretrainOptions) -> PretrainResult:
    folder = Run(options.out, PretrainingRecord)
    started = _claim(folder, options)
    if started is not None:
        options = resumed_options(options, started)
    components = assemble(options, started)
    if started is not None and processes.broadcast_object(folder.finished) and is_done(components, started):
        log_info(f"{options.out} is already finished")
        return _result(options, started)
    announce_pretraining(components)
    if started is None and options.from_ is None:
        suggest_from(components)
    if options.dry_run:
        return PretrainResult(run=options.out, forecast=forecast_of(components))
    checkpoint = _begin(components, folder)
    trainer = make_trainer(components, folder, EXAMPLES_DURING)
    trainer.run(checkpoint)
    if trainer.stop.requested is not None and not trainer.evaluation.stopped_early:
        _save(folder, status="interrupted")
        raise interrupted(options, trainer)
    return _finish(components, folder, trainer)


def _claim(folder: Run, options: PretrainOptions) -> PretrainingRecord | None:
    """Claim the folder for this run. Return the record of the run to resume, the same in all processes."""
    check_inputs_outside(
        options.out,
        {
            "the STORE": options.store,
            "the MODEL": options.from_,
            "the teacher": options.teacher,
            "--general-text": options.general_text,
        },
    )
    claimed = None
    if processes.is_main():
        claimed = folder.claim(overwrite=options.overwrite, resume=options.resume, verb="pretrain")
    started: PretrainingRecord | None = processes.broadcast_object(claimed)
    if started is not None:
        folder.record = started
    elif options.resume:
        log_info(f"--resume: found no run in {options.out}, so a new one starts")
    return started


def _begin(components: Components, folder: Run) -> Path | None:
    """Create the folder and measure the model, or return the checkpoint to resume from."""
    options = components.options
    checkpoint = checkpoint_to_resume(options, folder)
    if checkpoint is not None:
        log_info(f"Resuming from {checkpoint}")
        record = folder.record
        record.version = VERSION
        record.options, record.command = options.to_dict(), _command(options)
        record.processes, record.budget = processes.world_size(), length_of(components)
        if processes.is_main():
            folder.unpublish()
            folder.remove_checkpoints_after(checkpoint)
        _save(folder, status="running")
        return checkpoint
    record = folder.record = initial_record(components, _command(options))
    if processes.is_main():
        folder.create(record)
        folder.metrics_file.unlink(missing_ok=True)
        shutil.rmtree(folder.path / "tensorboard", ignore_errors=True)
    _save(folder, status="running")
    for name, figures in measure_model(components, EXAMPLES_AROUND, title="evaluating before training").items():
        setattr(record, f"{name}_before", figures)
    if components.general is not None:
        record.curve_ends = [curve_end(components, EXAMPLES_DURING, step=0)]
    _save(folder, status="running")
    return None


def _command(options: PretrainOptions) -> str:
    return options.command_line("pretrain", leave_out=NOT_STORED)


def _save(folder: Run, *, status: Literal["running", "interrupted"]) -> None:
    """Write the record in the first process."""
    folder.record.status = status
    if processes.is_main():
        folder.save_record()
    processes.barrier()


def _finish(components: Components, folder: Run, trainer: ExactTrainer) -> PretrainResult:
    """Evaluate, write the model, the report and the card."""
    record = folder.record
    _record_outcome(components, folder, trainer)
    model = plain_model(trainer.model)
    if processes.is_main():
        if components.options.objective != "nsp":
            part, positions = components.store.part(HELD_OUT), model.config.max_position_embeddings
            hidden = masked_words(part, components.tokenizer, SAMPLES, positions=positions)
            record.samples = predict_masked_words(model, components.tokenizer, hidden)
        record.status = "finished"
        write_pretraining_card(folder.path, record, components.store)
        folder.save_record()
        write_report(folder.path)
        folder.publish(model, components.tokenizer, components.encoder)
        _keep_checkpoints(folder)
    processes.barrier()
    if components.general is not None and (words := adaptation_verdict(record)[0]):
        log_info(words)
    for text in record.warnings:
        warn(text)
    return _result(components.options, record)


def _record_outcome(components: Components, folder: Run, trainer: ExactTrainer) -> None:
    """Evaluate, and record the figures, the warnings and the result."""
    record, steps = folder.record, trainer.state.global_step
    for name, figures in measure_model(components, EXAMPLES_AROUND, title="evaluating", model=trainer.model).items():
        setattr(record, name, figures)
    assert record.evaluation is not None
    updates, _ = read_metrics(folder.path)
    seconds = updates[-1]["seconds"] if updates else components.budget.seconds
    best_step = trainer.evaluation.best.step if components.options.patience is not None else None
    if components.general is not None:
        step = steps if best_step is None else best_step
        end = curve_end(components, EXAMPLES_DURING, step=step, model=trainer.model)
        record.curve_ends = [record.curve_ends[0], end]
    record.warnings = warnings_of(components, record.evaluation, updates)
    measured = ("evaluation", "evaluation_before", "general_evaluation", "general_evaluation_before")
    record.result = PretrainingOutcome(
        steps=steps,
        resumed_from_step=trainer.first_update,
        tokens_seen=trainer.tokens_seen,
        seconds=round(seconds, 2),
        tokens_per_second=round(trainer.tokens_seen / max(seconds, 1e-9), 1),
        warnings=record.warnings,
        peak_share=trainer.monitor.peak_share(),
        best_step=best_step,
        stopped_early=trainer.evaluation.stopped_early,
        **{name: found.to_dict() for name in measured if (found := getattr(record, name)) is not None},
    )


def _result(options: PretrainOptions, record: PretrainingRecord) -> PretrainResult:
    assert record.result is not None
    return PretrainResult(run=options.out, **vars(record.result))


def _keep_checkpoints(folder: Run) -> None:
    """Remove the checkpoints that are no longer needed.

    The last one, which has the state of the optimizer, is kept to continue the run. With `--patience` the best one is
    kept too, because a continued run may return to it.
    """
    result = folder.record.result
    assert result is not None
    kept = folder.keep_checkpoints({result.steps, result.best_step or result.steps})
    log_info(
        f"Checkpoint: {' and '.join(path.name for path in kept)} in {folder.path / 'checkpoints'} "
        f"({format_bytes(sum(map(folder_bytes, kept)))}), needed only to continue with --resume"
    )
