"""One seed of a RUN: train it, or resume it, and evaluate it on the test or dev file."""

from __future__ import annotations

import shutil
from typing import Any

from bertsmith.errors import DivergedError
from bertsmith.evaluation.error_analysis import error_report
from bertsmith.evaluation.task_head import ScoredExamples
from bertsmith.finetuning.data import FinetuningData
from bertsmith.finetuning.head_training import TrainedHead, train_head
from bertsmith.finetuning.loss_trend import loss_trend, no_better_than_baseline
from bertsmith.finetuning.resuming import FinetuningRun, find_checkpoint, record_interruption, stop_message
from bertsmith.finetuning.seed_models import RESULT, seed_folder
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.inference.head_outputs import head_outputs
from bertsmith.records.error_report import Figure
from bertsmith.records.finetuning import SeedResult
from bertsmith.reporting.numbers import format_metric
from bertsmith.runtime.console import log_info, warn
from bertsmith.tasks.base import AnyTask
from bertsmith.training.run_folder import RunFolder, read_metrics


def train_seed(
    run: FinetuningRun, settings: HeadSettings, data: FinetuningData, *, tokenizer: Any, seed: int
) -> SeedResult:
    """Train a seed unless it is finished, and return its result. Raises Interrupted if a signal stops the training."""
    single = RunFolder(seed_folder(run.path, seed))
    done = single.path / RESULT
    if done.is_file():
        log_info(f"seed {seed} is already finished")
        return SeedResult.read(done)
    options, name = settings.options, f"seed {seed}"
    checkpoint = find_checkpoint(single, name)
    title = f"fine-tuning, {name}" if options.seeds > 1 else "fine-tuning"
    try:
        trained = train_head(
            settings,
            data.train,
            data.dev,
            tokenizer=tokenizer,
            folder=single,
            seed=seed,
            title=title,
            checkpoint=checkpoint,
        )
    except DivergedError as error:
        result = SeedResult(seed=seed, diverged=str(error))
        result.write(done)
        return result
    if trained.signal is not None:
        message = stop_message(trained.signal, steps=trained.steps, of=settings.steps, title=name)
        raise record_interruption(run, message, options)
    result = _evaluate_seed(trained, settings, data, tokenizer=tokenizer, single=single, seed=seed)
    result.write(done)
    shutil.rmtree(single.path / "checkpoints", ignore_errors=True)
    return result


def _evaluate_seed(
    trained: TrainedHead, settings: HeadSettings, data: FinetuningData, *, tokenizer: Any, single: RunFolder, seed: int
) -> SeedResult:
    """Evaluate a model, calibrate it with --calibrate, and publish it.

    The evaluation is in float32, whatever the precision of the training, so `evaluate` gives the same results.
    """
    head, metric, model = trained.head, settings.metric, trained.model
    pad, budget = int(tokenizer.pad_token_id), settings.eval_tokens
    outputs = head_outputs(head, model, data.reported.encoded, pad, budget=budget)
    dev = outputs if data.test is None else head_outputs(head, model, data.dev.encoded, pad, budget=budget)
    value = head.values(dev, data.dev.targets)[metric]
    baseline = head.baseline(data.train_targets, data.dev.targets)[metric]
    is_stuck = head.selection_score(metric, value) <= head.selection_score(metric, baseline)
    if settings.options.calibrate:
        head = _calibrated(head, dev, data.dev.targets)
        config: Any = model.config
        config.update(head.fitted_values)
        if is_stuck:
            figure, least = (format_metric(metric, one, head.maximum_score) for one in (value, baseline))
            warn(
                f"--calibrate: seed {seed} does not beat the baseline ({metric} {figure} on the dev file, baseline "
                f"{least}). At best, its probabilities show how frequent the labels are, at any temperature"
            )
    single.publish(model, tokenizer)
    targets = data.reported.targets
    scored = ScoredExamples(head, data.reported_examples, data.reported.encoded, outputs, targets, settings.max_length)
    trend = loss_trend([line["loss"] for line in read_metrics(single.path)[0]])
    return SeedResult(
        seed=seed,
        best_step=trained.best_step,
        steps=trained.steps,
        dev=value,
        diverged=no_better_than_baseline(head, metric, value, baseline=baseline, file="dev", trend=trend)
        if is_stuck
        else None,
        loss=trend,
        metrics={name: Figure(**found.to_dict()) for name, found in head.score(outputs, targets).items()},
        errors=error_report(scored),
    )


def _calibrated(head: AnyTask, outputs: Any, targets: Any) -> AnyTask:
    """Return the head with the temperature that fits the dev file best, if there is one."""
    found = head.calibrated(outputs, targets)
    if found is None:
        warn(
            "--calibrate: no temperature fits the dev file (all predictions are correct, or the model is no better "
            "than chance). The probabilities stay unchanged"
        )
        return head
    log_info(f"--calibrate: the temperature on the dev file is {found.temperature:.3f}")
    return found
