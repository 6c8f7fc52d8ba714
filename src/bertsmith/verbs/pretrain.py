"""pretrain: STORE to RUN, from scratch or from a MODEL; in one process, or in those of torchrun."""

from __future__ import annotations

import shlex
import shutil
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertsmith.config.extras import require_extra
from bertsmith.config.options import external_name
from bertsmith.config.pretrain import PretrainOptions
from bertsmith.config.verb import Result, verb
from bertsmith.corpus.store import HELD_OUT
from bertsmith.errors import Interrupted, ModelError, OptionError, OutputError
from bertsmith.evaluation.samples import guess, hidden_words
from bertsmith.models.loading import load_config
from bertsmith.pretraining.assembly import (
    Assembly,
    announce,
    assemble,
    budget_record,
    frozen,
    frozen_general,
    make_trainer,
    record_of,
    shape_record,
)
from bertsmith.pretraining.dry_run import forecast_of
from bertsmith.reporting.adaptation import what_changed
from bertsmith.runtime import processes
from bertsmith.runtime.console import progress, say, size_text, warn
from bertsmith.runtime.files import bytes_below, sole_writer
from bertsmith.runtime.program import runnable
from bertsmith.training.run_folder import RunFolder, check_out_of_the_way, read_metrics
from bertsmith.training.trainer import ExactTrainer
from bertsmith.verbs.cards import write_pretraining_card
from bertsmith.verbs.report import write_report

MAY_CHANGE_ON_RESUME = {
    "store", "out", "resume", "overwrite", "dry_run", "minutes", "steps", "epochs", "workers", "save_every",
    "eval_every", "micro_batch_size", "auto_batch", "gradient_checkpointing", "patience", "tensorboard",
}  # fmt: skip
"""What a resumed run may be given anew: nothing of it changes what an update is."""

OF_ONE_CALL = {"overwrite", "resume", "dry_run"}
"""What says how a run is begun, not what it is."""

EXAMPLES_DURING, EXAMPLES_AROUND = 128, 1024
"""Held-out examples in the evaluations during a run, and in those before and after it."""

SAMPLES = 5

OVERFITTED = 0.2
"""A run over one batch has learnt it where the last loss is below this share of the first one."""


@dataclass(frozen=True)
class PretrainResult(Result):
    """What `pretrain` made; `evaluation` is over the held-out part of the STORE, `general_evaluation` over the text of
    `--general-text`, None without one.

    `forecast` is what a dry run gives: parameters, memory in bytes, updates, minutes, tokens, tokens a parameter.
    """

    run: Path
    steps: int
    resumed_from_step: int
    tokens_seen: int
    seconds: float
    tokens_per_second: float
    evaluation: dict[str, Any]
    evaluation_before: dict[str, Any]
    warnings: list[str]
    general_evaluation: dict[str, Any] | None = None
    general_evaluation_before: dict[str, Any] | None = None
    peak_share: float | None = None
    best_step: int | None = None
    stopped_early: bool = False
    forecast: dict[str, Any] = field(default_factory=dict)


@verb(PretrainOptions)
def pretrain(options: PretrainOptions) -> PretrainResult:
    """Pre-train a BERT on a STORE with masked language modelling and next sentence prediction.

    The RUN folder is a stock transformers model when it is finished. The result does not depend on
    `micro_batch_size` or `workers`, and a resumed run of `steps` or `epochs` ends in the weights of an unbroken one.
    Under torchrun or `accelerate launch` all processes call this with the same options; the first one writes.
    """
    if options.tensorboard:
        require_extra("tensorboard", "--tensorboard")
    processes.join()
    with sole_writer(options.out, "pretrain") if _writes(options) else nullcontext():
        return _pretrain(options)


def _writes(options: PretrainOptions) -> bool:
    named = options.out.name not in ("", "..")
    return processes.is_main() and not options.dry_run and named


def _pretrain(options: PretrainOptions) -> PretrainResult:
    folder = RunFolder(options.out)
    check_out_of_the_way(
        options.out,
        {
            "the STORE": options.store,
            "the MODEL": options.from_,
            "the teacher": options.teacher,
            "--general-text": options.general_text,
        },
    )
    if processes.is_main():
        folder.claim(overwrite=options.overwrite, resume=options.resume, verb="pretrain")
    folder.record = processes.from_main(folder.record)
    record = folder.record
    if options.resume and not record:
        say(f"--resume: there is nothing to go on with in {options.out}, so the run starts anew")
    options = _resumed_options(options, record)
    assembly = assemble(options, record)
    if options.resume and processes.from_main(folder.finished) and _is_done(assembly, record):
        say(f"{options.out} is finished already")
        return PretrainResult(run=options.out, **record["result"])
    announce(assembly)
    if not record and options.from_ is None and (model := _model_of_store(assembly)):
        continued = ["bertsmith", "pretrain", str(options.store), "--out", str(options.out), "--from", model]
        say(
            f"weights: random; the STORE has the tokenizer of {model}, whose weights are not used. To continue {model} "
            f"instead:\n  {runnable(shlex.join([*continued, *_budget_flags(options)]))}"
        )
    if options.dry_run:
        return PretrainResult(options.out, 0, 0, 0, 0.0, 0.0, {}, {}, [], forecast=forecast_of(assembly))
    checkpoint = _begin(assembly, folder)
    trainer = make_trainer(assembly, folder, EXAMPLES_DURING)
    trainer.run(checkpoint)
    if trainer.stop.requested is not None and not trainer.stopped_early:
        _save(folder, status="interrupted")
        raise Interrupted(
            f"stopped by {trainer.stop.requested} after update {trainer.state.global_step}; everything is saved in "
            f"{folder.path / 'checkpoints' / f'step-{trainer.state.global_step}'}. Go on with:\n"
            f"  {resume_command(options)}"
        )
    return _finish(assembly, folder, trainer)


def _model_of_store(assembly: Assembly) -> str | None:
    """The MODEL whose tokenizer a STORE has; of a STORE of an older version, the name that `--tokenizer` was given."""
    manifest = assembly.store.manifest
    result = manifest.result
    return result.model if "model" in result.model_fields_set else manifest.options.tokenizer


def _budget_flags(options: PretrainOptions) -> list[str]:
    """The length of a run as it was given on the command line."""
    given = {name: getattr(options, name) for name in ("minutes", "steps", "epochs")}
    return [
        word
        for name, value in given.items()
        if value is not None
        for word in (f"--{name}", f"{value:g}" if isinstance(value, float) else str(value))
    ]


def _is_done(assembly: Assembly, record: dict[str, Any]) -> bool:
    """Whether a finished run has nothing left to do under the options that are given now."""
    done, budget = record["result"], assembly.budget
    if done.get("stopped_early") and assembly.options.patience == record["options"]["patience"]:
        return True
    budget.tick(done["seconds"])
    return budget.is_over(done["steps"])


def _begin(assembly: Assembly, folder: RunFolder) -> Path | None:
    """Start the folder and measure the model, or find the checkpoint to go on from."""
    options = assembly.options
    checkpoint: Path | None = processes.from_main(
        folder.newest_checkpoint() if processes.is_main() and options.resume else None
    )
    if checkpoint is None and options.resume and processes.from_main(folder.finished):
        new = f"{options.out}-continued"
        further = ["bertsmith", "pretrain", str(options.store), "--out", new, "--from", str(options.out)]
        raise OutputError(
            f"--resume: {options.out} is finished and has no checkpoint any more, so it cannot be extended. Train it "
            f"further as a new run:\n  {runnable(shlex.join(further))}"
        )
    if checkpoint is not None:
        _check_checkpoint(checkpoint, folder.record["model"])
        say(f"going on from {checkpoint}")
        changed = {"options": options.to_dict(), "command": _command(options), "processes": processes.world_size()}
        folder.record |= {**changed, "budget": budget_record(assembly)}
        if processes.is_main():
            folder.withdraw()
            folder.remove_checkpoints_after(checkpoint)
        _save(folder, status="running")
        return checkpoint
    folder.record = record_of(assembly, _command(options), assembly.store.unigram_counts())
    if processes.is_main():
        folder.create()
        folder.metrics_file.unlink(missing_ok=True)
        shutil.rmtree(folder.path / "tensorboard", ignore_errors=True)
    _save(folder, status="running")
    folder.record |= {
        f"{name}_before": figures
        for name, figures in _evaluate(assembly, EXAMPLES_AROUND, "evaluating before training").items()
    }
    if assembly.general is not None:
        folder.record["curve_ends"] = [_end_of_curve(assembly, 0)]
    _save(folder, status="running")
    return None


def _save(folder: RunFolder, *, status: str) -> None:
    """Write the record, in the first process."""
    folder.record["status"] = status
    if processes.is_main():
        folder.save_record()
    processes.barrier()


def _evaluate(assembly: Assembly, examples: int, title: str, model: Any = None) -> dict[str, Any]:
    """The figures on the held-out part as `evaluation`, those on a general text as `general_evaluation`."""
    model = assembly.setup.model if model is None else model
    found = {}
    for name, evaluation in (
        ("evaluation", frozen(assembly, examples)),
        ("general_evaluation", frozen_general(assembly, examples)),
    ):
        if evaluation is not None:
            with progress(title, unit="examples") as bar:
                found[name] = evaluation(model, precision=assembly.precision, bar=bar).to_dict()
    return found


def _end_of_curve(assembly: Assembly, step: int, model: Any = None) -> dict[str, Any]:
    """A line as those of the evaluations during the run, on as many examples: what both curves begin or end with."""
    return {"step": step, **_evaluate(assembly, EXAMPLES_DURING, "evaluating", model)}


def _check_checkpoint(checkpoint: Path, expected: dict[str, Any]) -> None:
    """Raise ModelError where a checkpoint is of another shape than the run that it stands in."""
    found = shape_record(load_config(str(checkpoint)))
    for name, value in found.items():
        if value != expected[name]:
            raise ModelError(
                f"{checkpoint}: its {name.replace('_', ' ')} is {value:,}, this run has {expected[name]:,}; the "
                "checkpoint is of another run. Remove it to go on from the one before, or start again with --overwrite"
            )


def resume_command(options: PretrainOptions) -> str:
    """The command that goes on with a run; everything else stands in its run.json."""
    launcher: list[str] = []
    local, world = processes.local_world_size(), processes.world_size()
    if world > 1:
        nodes = ["--nnodes", str(world // local)] if world > local else []
        launcher = ["torchrun", *nodes, "--nproc-per-node", str(local), "-m"]
    command = shlex.join(["bertsmith", "pretrain", str(options.store), "--out", str(options.out), "--resume"])
    return f"{shlex.join(launcher)} {command}" if launcher else runnable(command)


def _resumed_options(options: PretrainOptions, record: dict[str, Any]) -> PretrainOptions:
    """The options of the run that is resumed, with those that may change taken from what is given now."""
    if not record:
        return options
    given = options.model_fields_set
    stored = PretrainOptions.build({key: value for key, value in record["options"].items() if value is not None})
    for name in sorted(given - MAY_CHANGE_ON_RESUME):
        before, now = getattr(stored, name), getattr(options, name)
        if now != before:
            started = "without it" if before is None else f"with {before!r}"
            raise OptionError(
                f"--{external_name(name)}: {options.out} was started {started}, found {now!r}; leave it out to go on, "
                "or give another --out to start anew"
            )
    changed = {name: getattr(options, name) for name in given & MAY_CHANGE_ON_RESUME}
    dropped = set(OF_ONE_CALL)
    for rivals in ({"minutes", "steps", "epochs"}, {"micro_batch_size", "auto_batch"}):
        if any(changed.get(name) for name in rivals):
            dropped |= rivals
    kept = {name: getattr(stored, name) for name in PretrainOptions.model_fields if name not in dropped}
    return PretrainOptions.build({name: value for name, value in (kept | changed).items() if value is not None})


def _command(options: PretrainOptions) -> str:
    return options.command_line("pretrain", leave_out=OF_ONE_CALL)


def _finish(assembly: Assembly, folder: RunFolder, trainer: ExactTrainer) -> PretrainResult:
    """Evaluate, write the model, the report and the card."""
    options, record = assembly.options, folder.record
    record |= _evaluate(assembly, EXAMPLES_AROUND, "evaluating", trainer.trained)
    after = record["evaluation"]
    updates, _ = read_metrics(folder.path)
    seconds = updates[-1]["seconds"] if updates else assembly.budget.seconds
    best = trainer.judge.best if options.patience is not None else None
    best_step = best[1] if best is not None else None
    if assembly.general is not None:
        step = trainer.state.global_step if best_step is None else best_step
        record["curve_ends"] = [record["curve_ends"][0], _end_of_curve(assembly, step, trainer.trained)]
    record["warnings"] = _warnings(assembly, after, updates)
    result = PretrainResult(
        run=options.out,
        steps=trainer.state.global_step,
        resumed_from_step=trainer.first_update,
        tokens_seen=trainer.tokens_seen,
        seconds=round(seconds, 2),
        tokens_per_second=round(trainer.tokens_seen / max(seconds, 1e-9), 1),
        evaluation=after,
        evaluation_before=record["evaluation_before"],
        warnings=record["warnings"],
        general_evaluation=record.get("general_evaluation"),
        general_evaluation_before=record.get("general_evaluation_before"),
        peak_share=trainer.peak_share(),
        best_step=best_step,
        stopped_early=trainer.stopped_early,
    )
    record["result"] = {key: value for key, value in result.to_dict().items() if key != "run"}
    model = trainer.plain_model()
    if processes.is_main():
        if options.objective != "nsp":
            part, positions = assembly.store.part(HELD_OUT), model.config.max_position_embeddings
            hidden = hidden_words(part, assembly.tokenizer, SAMPLES, positions=positions)
            record["samples"] = guess(model, assembly.tokenizer, hidden)
        record["status"] = "finished"
        write_pretraining_card(folder.path, record, assembly.store)
        folder.save_record()
        write_report(folder.path)
        folder.publish(model, assembly.tokenizer, assembly.encoder)
        _keep_what_is_needed(folder, result)
    processes.barrier()
    if assembly.general is not None and (words := what_changed(record)[0]):
        say(words)
    for text in record["warnings"]:
        warn(text)
    return result


def _keep_what_is_needed(folder: RunFolder, result: PretrainResult) -> None:
    """Remove the checkpoints that no one needs any more.

    The last one holds the optimizer, from which the run can be extended. With `--patience` an extended run may also
    return to the best one.
    """
    kept = folder.keep_checkpoints({result.steps, result.best_step or result.steps})
    size = size_text(sum(map(bytes_below, kept)))
    say(
        f"kept: {', '.join(path.name for path in kept)} in {folder.path / 'checkpoints'} ({size}), from which --resume "
        "with more --steps, --epochs or --minutes continues; remove the folder if you need no more training"
    )


def _warnings(assembly: Assembly, after: dict[str, Any], updates: list[dict[str, Any]]) -> list[str]:
    options, teacher = assembly.options, assembly.teacher
    if options.overfit_one_batch:
        return _overfit_warnings(updates)
    nats, unigram = after["mlm_nats_per_masked_token"], after["unigram_nats_per_token"]
    if nats is None or unigram is None or nats < unigram:
        return []
    found = (
        f"the held-out loss, {nats:.2f} nats, does not pass the unigram baseline of {unigram:.2f}: the model has "
        "learnt how frequent tokens are and nothing of their order. "
    )
    if options.from_ is not None:
        return [
            f"{found}The run is too short, or {options.from_} has learnt too little itself: give more --minutes, or "
            "continue from a model that was trained on more text"
        ]
    found += "This text is too small, or the run too short, to start from scratch. "
    minutes = f" --minutes {options.minutes:g}" if options.minutes else ""
    if teacher is not None:
        half = max(1, teacher.model.config.num_hidden_layers // 2)
        origin = f"--from {options.teacher} --layers {half} --teacher {options.teacher}"
        return [
            f"{found}Begin with layers of the teacher instead:\n"
            f"  {runnable('bertsmith pretrain')} {options.store} --out {options.out}-continued {origin}{minutes}"
        ]
    return [
        f"{found}Continue from a larger model instead (MODEL: a RUN on more text, or a BERT such as "
        f"bert-base-uncased):\n  {runnable('bertsmith prepare')} SOURCE --out STORE --tokenizer MODEL\n"
        f"  {runnable('bertsmith pretrain')} STORE --out {options.out}-continued --from MODEL{minutes}"
    ]


def _overfit_warnings(updates: list[dict[str, Any]]) -> list[str]:
    """What training on one batch shows: model, loss and step are sound where its loss goes to zero."""
    first, last = (sum(line.get(name, 0.0) for name in ("mlm_loss", "nsp_loss")) for line in (updates[0], updates[-1]))
    if last < OVERFITTED * first:
        say(f"one batch: its loss fell from {first:.2f} to {last:.3f} nats, so the training step is sound")
        return []
    return [
        f"one batch: its loss is {last:.2f} after {updates[-1]['step']:,} updates and was {first:.2f}. A model that "
        "can learn brings it near zero: give more --steps, or look at --learning-rate and --dropout"
    ]
