"""One seed of a RUN: it is trained, resumed, or taken as it was left, and measured on the reported file."""

from __future__ import annotations

import shutil
from typing import Any

from bertsmith.errors import DivergedError
from bertsmith.evaluation.errors import error_report
from bertsmith.evaluation.head import ScoredExamples
from bertsmith.finetuning.data import FinetuningData
from bertsmith.finetuning.engine import TrainedHead, train_head
from bertsmith.finetuning.outcome import loss_trend, no_better_than_baseline
from bertsmith.finetuning.resuming import FinetuningRun, checkpoint_of, interrupted, stopped_by
from bertsmith.finetuning.seed_models import RESULT, seed_folder
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.inference.batched import head_outputs
from bertsmith.records.errors import Figure
from bertsmith.records.finetuning import SeedResult
from bertsmith.reporting.numbers import format_metric
from bertsmith.runtime.console import log_info, warn
from bertsmith.tasks.base import AnyTask
from bertsmith.training.run_folder import RunFolder, read_metrics


def train_seed(
    run: FinetuningRun, settings: HeadSettings, data: FinetuningData, *, tokenizer: Any, seed: int
) -> SeedResult:
    """The result of a seed. Raises Interrupted if a signal stops its training."""
    single = RunFolder(seed_folder(run.path, seed))
    done = single.path / RESULT
    if done.is_file():
        log_info(f"seed {seed} is finished already")
        return SeedResult.read(done)
    options, called = settings.options, f"seed {seed}"
    checkpoint = checkpoint_of(single, called)
    title = f"fine-tuning, {called}" if options.seeds > 1 else "fine-tuning"
    try:
        trained = train_head(
            settings,
            data.learnt,
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
        stopped = stopped_by(trained.signal, steps=trained.steps, of=settings.steps, called=called)
        raise interrupted(run, stopped, options)
    result = _measured(trained, settings, data, tokenizer=tokenizer, single=single, seed=seed)
    result.write(done)
    shutil.rmtree(single.path / "checkpoints", ignore_errors=True)
    return result


def _measured(
    trained: TrainedHead, settings: HeadSettings, data: FinetuningData, *, tokenizer: Any, single: RunFolder, seed: int
) -> SeedResult:
    """Measure a model, calibrate it if asked to, and publish it.

    What is reported is what `evaluate` gives again: in float32, whatever the training was in.
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
        config.update(head.chosen)
        if is_stuck:
            figure, least = (format_metric(metric, one, head.top) for one in (value, baseline))
            warn(
                f"--calibrate: seed {seed} does not beat the baseline ({metric} {figure} on the dev file, baseline "
                f"{least}); its probabilities say at best how frequent the labels are, at any temperature"
            )
    single.publish(model, tokenizer)
    gold = data.reported.targets
    scored = ScoredExamples(head, data.reported_examples, data.reported.encoded, outputs, gold, settings.max_length)
    course = loss_trend([line["loss"] for line in read_metrics(single.path)[0]])
    return SeedResult(
        seed=seed,
        best_step=trained.best_step,
        steps=trained.steps,
        dev=value,
        diverged=no_better_than_baseline(head, metric, value, baseline=baseline, file="dev", course=course)
        if is_stuck
        else None,
        loss=course,
        metrics={name: Figure(**found.to_dict()) for name, found in head.score(outputs, gold).items()},
        errors=error_report(scored),
    )


def _calibrated(head: AnyTask, outputs: Any, gold: Any) -> AnyTask:
    """The head with the temperature that suits the dev file best, if there is one."""
    found = head.calibrated(outputs, gold)
    if found is None:
        warn(
            "--calibrate: the dev file has no best temperature (every example is right, or the model says no more than "
            "chance); probabilities stay as they are"
        )
        return head
    log_info(f"--calibrate: the temperature on the dev file is {found.temperature:.3f}")
    return found
