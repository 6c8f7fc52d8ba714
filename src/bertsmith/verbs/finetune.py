"""finetune: MODEL and labelled files to RUN."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bertsmith.config.extras import require_extra
from bertsmith.config.options import Options, nearest
from bertsmith.config.verb import Result, verb
from bertsmith.errors import DivergedError, OptionError
from bertsmith.evaluation.errors import calibration_figures, error_report
from bertsmith.evaluation.head import Answered
from bertsmith.evaluation.labelled_data import summary
from bertsmith.finetuning.data import FinetuningData, read_files
from bertsmith.finetuning.distillation import Teacher, forget
from bertsmith.finetuning.engine import HeadSettings, train_head
from bertsmith.finetuning.glue.options import GlueOptions
from bertsmith.finetuning.going_on import checkpoint_of, command, interrupted, stopped_by
from bertsmith.finetuning.model_before import model_before
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.outcome import LossCourse, no_better
from bertsmith.finetuning.search import Search, SearchSpace
from bertsmith.finetuning.seed_models import forget_models, model_files, put_back_best_model, seed_folder
from bertsmith.finetuning.settings import head_settings
from bertsmith.finetuning.trained_parts import check_parts
from bertsmith.inference.batched import head_outputs
from bertsmith.inference.input_length import check_length
from bertsmith.metrics.classification import over_seeds
from bertsmith.models.loading import load_config, max_tokens
from bertsmith.models.model_tokenizer import load_model_tokenizer
from bertsmith.reporting.numbers import counted, format_metric, percent
from bertsmith.runtime import processes
from bertsmith.runtime.console import say, warn
from bertsmith.runtime.files import read_json, write_json
from bertsmith.runtime.machine import Choice, describe_machine, versions
from bertsmith.tasks.base import AnyTask
from bertsmith.tasks.registry import TASKS
from bertsmith.training.run_folder import RunFolder, check_out_of_the_way, read_metrics
from bertsmith.verbs.cards import write_head_card
from bertsmith.verbs.report import write_report


@dataclass(frozen=True)
class FinetuneResult(Result):
    """What `finetune` made.

    `metrics` holds for each metric `mean`, `low`, `high` and `seeds`: over several seeds the mean and its 95%
    interval by Student's t, for one seed the value and its bootstrap interval over the examples. They are of the test
    file where there is one, else of the dev file (then `selected_on_reported_data` is true). `diverged_seeds` are those
    that do not beat the baseline on the dev file, or whose loss was not finite any more; the latter have no figures,
    all others are in the mean. `windowed_examples` counts those of all files that are longer than `max_length` and read
    in windows, for the heads that do so. `calibration` is that of the best seed on the same file, as `evaluate` gives
    it. `search` holds the trials of `--search`: `best_trial` and `gain`, by how much it beats trial 0, the defaults.
    `best_seed_metrics` holds the figures of the best seed, which is the RUN, with their bootstrap intervals; it is left
    out for one seed.
    """

    left_out_if_none: ClassVar[tuple[str, ...]] = ("windowed_examples", "calibration", "search", "best_seed_metrics")

    run: Path
    metrics: dict[str, dict[str, Any]]
    best_seed: int
    diverged_seeds: list[int]
    selected_on_reported_data: bool
    baseline: dict[str, float]
    num_examples: int
    truncated_tokens: int
    windowed_examples: int | None = None
    calibration: dict[str, Any] | None = None
    search: dict[str, Any] | None = None
    best_seed_metrics: dict[str, dict[str, float]] | None = None


@verb(FinetuneOptions)
def finetune(options: FinetuneOptions) -> FinetuneResult:
    """Fine-tune a head on labelled text, with one seed or several.

    The best checkpoint of each seed is chosen by the dev file, and the best seed becomes the RUN.
    """
    result = train_seeds(options)
    if not options.dry_run:
        forget_models(options.out, result.best_seed)
    return result


def train_seeds(options: FinetuneOptions) -> FinetuneResult:
    """`finetune` without its last step: the model of every seed is still in its folder."""
    folder = RunFolder(options.out)
    if options.search is not None:
        require_extra("search", f"--search {options.search}", "optuna")
    tokenizer, config, length = checked_model(options, options.task)
    data = read_files(options, tokenizer, length)
    metric = _metric(options, data)
    if options.calibrate and not data.head.has_probabilities:
        raise OptionError(
            f"--calibrate: {options.task} ({data.head.problem_type or data.head.without_labels}) chooses among no "
            "classes whose probabilities a temperature could mend; leave it out"
        )
    made_before = _claim(folder, options, data)
    if made_before is not None:
        return made_before
    settings, choices = head_settings(options, data, config, length, folder.record)
    search = _search(options, settings, tokenizer, data, config, length, folder)
    teacher = None
    if options.teacher is not None:
        teacher = Teacher(options, data.head, tokenizer, data.learnt.encoded, data.taught_examples)
    _announce(options, data, settings, choices)
    if search is not None:
        search.announce()
    if options.dry_run:
        return _planned(options, data, search)
    _start(folder, options, data, choices)
    if teacher is not None:
        data.learnt = replace(data.learnt, taught=teacher.answers(folder.path))
        teacher = None  # its weights are of no use any more
    if search is not None:
        settings = search.best_settings()

    results: dict[int, dict[str, Any]] = {}
    for seed in range(options.seed, options.seed + options.seeds):
        results[seed] = _one_seed(options, settings, tokenizer, data, folder, seed)
    result = _result(options, data, folder, metric, results)
    _finish(folder, result)
    return result


def _claim(folder: RunFolder, options: FinetuneOptions, data: FinetuningData) -> FinetuneResult | None:
    """Take the folder for this run; the result where all that is asked for is there already."""
    check_out_of_the_way(
        options.out,
        {
            "the MODEL": options.model,
            "the teacher": options.teacher,
            "--train": options.train,
            "--unlabelled": options.unlabelled,
            "--dev": options.dev,
            "--test": options.test,
        },
    )
    folder.claim(overwrite=options.overwrite, resume=options.resume, verb="finetune")
    _check_same(folder, options, data)
    if options.resume and folder.finished:
        made = folder.record["seeds"]
        if made > options.seeds:
            raise OptionError(
                f"--seeds {options.seeds}: {options.out} has {counted(made, 'seed')} already; give {made} or more"
            )
        if made == options.seeds:
            say(f"{options.out} is finished already")
            return FinetuneResult(run=options.out, **folder.record["result"])
    return None


def _planned(options: FinetuneOptions, data: FinetuningData, search: Search | None) -> FinetuneResult:
    """What `--dry-run` gives: no figures yet."""
    return FinetuneResult(
        run=options.out,
        metrics={},
        best_seed=options.seed,
        diverged_seeds=[],
        selected_on_reported_data=options.test is None,
        baseline={},
        num_examples=len(data.dev.targets),
        truncated_tokens=0,
        windowed_examples=data.windowed,
        search=None if search is None else search.record([]),
    )


def _result(
    options: FinetuneOptions, data: FinetuningData, folder: RunFolder, metric: str, results: dict[int, dict[str, Any]]
) -> FinetuneResult:
    """The figures over the seeds, and into the record what the report shows beside them."""
    ended = {seed: found for seed, found in results.items() if "metrics" in found}
    if not ended:
        raise DivergedError(f"no seed came to its end: {results[options.seed]['diverged']}")
    diverged = [seed for seed, found in results.items() if found["diverged"]]
    folder.record["warnings"] += _warnings_about_seeds(data.head, metric, results)
    best_seed = max(ended, key=lambda seed: data.head.goodness(metric, ended[seed]["dev"]))
    errors = ended[best_seed]["errors"]
    result = FinetuneResult(
        run=options.out,
        metrics=figures_over_seeds([found["metrics"] for found in ended.values()], type(data.head)),
        best_seed=best_seed,
        diverged_seeds=diverged,
        selected_on_reported_data=data.test is None,
        baseline=data.head.baseline(data.train_targets, data.reported.targets),
        num_examples=len(data.reported.targets),
        truncated_tokens=sum(part["truncated_tokens"] for part in data.files),
        windowed_examples=data.windowed,
        calibration=calibration_figures(errors["calibration"]) if "calibration" in errors else None,
        search=folder.record.get("search"),
        best_seed_metrics=ended[best_seed]["metrics"] if len(ended) > 1 else None,
    )
    folder.record |= {
        "errors": errors,
        "seeds_with_figures": list(ended),
        "baseline_answer": data.head.baseline_answer,
        "learnt_nothing": _learnt_nothing(data.head, metric, ended[best_seed], result),
    }
    return result


def checked_model(options: FinetuneOptions | GlueOptions, task: str) -> tuple[Any, Any, int]:
    """Tokenizer and configuration of the MODEL, and the tokens of a row. Raises where it cannot be trained so."""
    if processes.world_size() > 1:
        raise OptionError("finetune runs in one process; start it without torchrun, or one seed in each by --seed")
    config = load_config(options.model)
    tokenizer = load_model_tokenizer(options.model)
    limit = max_tokens(config)
    if options.max_length is not None:
        check_length(options.max_length, config)
    layers = options.layers or config.num_hidden_layers
    if (options.freeze_layers or 0) > layers:
        raise OptionError(f"--freeze-layers {options.freeze_layers}: the model has {layers} layers")
    check_parts(options, options.model, task)
    return tokenizer, config, options.max_length or min(TASKS[task].max_length, limit)


def _metric(options: FinetuneOptions, data: FinetuningData) -> str:
    """The figure that checkpoints and seeds are chosen by. Raises OptionError where the head has no such figure."""
    names = list(data.head.baseline(data.train_targets, data.dev.targets))
    if options.metric is not None and options.metric not in names:
        raise OptionError(
            f"--metric: found {options.metric!r}, expected one of {', '.join(names)}{nearest(options.metric, names)}"
        )
    return options.metric or data.head.main_metric


def _search(
    options: FinetuneOptions,
    settings: HeadSettings,
    tokenizer: Any,
    data: FinetuningData,
    config: Any,
    length: int,
    folder: RunFolder,
) -> Search | None:
    """The search that is asked for. Raises OptionError where an end of its space does not fit the MODEL or the data."""
    if options.search is None:
        return None
    space = SearchSpace.of(options, settings, data)
    search = Search(options, space, tokenizer, config, length, data, folder, folder.record)
    for end in search.space.ends():
        at_end = options.model_copy(update=end)
        try:
            checked_model(at_end, options.task)
            head_settings(at_end, data, config, length, folder.record)
        except OptionError as error:
            raise OptionError(f"--search-space: {error}") from None
    return search


def _announce(options: FinetuneOptions, data: FinetuningData, settings: HeadSettings, choices: list[Choice]) -> None:
    for part in data.files:
        length = settings.max_length
        cut = ""
        if part["truncated_texts"]:
            share = part["truncated_texts"] / part["examples"]
            cut = f", {part['truncated_texts']:,} cut at {length} ({percent(share)})"
        if part.get("windowed_examples"):
            cut += f", {part['windowed_examples']:,} longer than {length} (read in overlapping windows)"
        of_all = f" (a fixed random part of {part['drawn_from']:,})" if "drawn_from" in part else ""
        say(f"{part['name']}: {part['examples']:,} examples{of_all}, the longest has {part['longest']} tokens{cut}")
        most = options.max_train_examples
        if part["part"] == "train" and most is not None and most > part["examples"]:
            say(f"--max-train-examples {most:,}: there are {part['examples']:,}, and all are taken")
    for line in summary(data.report):
        say(line)
    for warning in data.report["warnings"]:
        warn(warning)
    say(counted(settings.steps, "update") + (f" for each of {options.seeds} seeds" if options.seeds > 1 else ""))
    for choice in choices:
        say(f"{choice.name}: {choice.value} ({choice.reason})")


def _start(folder: RunFolder, options: FinetuneOptions, data: FinetuningData, choices: list[Choice]) -> None:
    # A run that is resumed is at --out itself: what was before it is in its record.
    before = folder.record.get("model_before") or model_before(options, data.files)
    if folder.finished and "best_seed" in folder.record:  # more seeds are trained
        put_back_best_model(folder.path, folder.record["best_seed"])
    folder.record = {
        "kind": "finetuning",
        "task": options.task,
        "status": "running",
        "command": command(options),
        "options": identity(options) | {"save_every": options.save_every},
        "given": [name for name in options.says_more_if_given if name in options.model_fields_set],
        "seeds": options.seeds,
        "choices": [choice.to_dict() for choice in choices],
        "machine": describe_machine(),
        "versions": versions(),
        "data": {"files": data.files, "labels": data.label_counts, "report": data.report},
        "warnings": list(data.report["warnings"]),
        **({} if before is None else {"model_before": before}),
    }
    folder.create()
    folder.withdraw()


def identity(options: Options) -> dict[str, Any]:
    """The options that must be the same when a run is resumed."""
    return {
        name: value
        for name, value in options.to_dict().items()
        if name not in ("overwrite", "resume", "dry_run", "out", "seeds", "save_every")
    }


def check_same_options(out: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises OptionError if an option of `identity` differs from the one that the run was started with."""
    other = [name for name in now if before.get(name) != now[name]]
    if other:
        name = other[0]
        raise OptionError(
            f"--resume: {out} was started with --{name.replace('_', '-')} {_written(before.get(name))}, found "
            f"{_written(now[name])}; give the same options, or --overwrite, or another --out"
        )


def _written(value: Any) -> str:
    """The value of an option as it is written."""
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _check_same(folder: RunFolder, options: FinetuneOptions, data: FinetuningData) -> None:
    """A run that goes on has the options and the files that it began with."""
    if not folder.record:
        return
    check_same_options(options.out, folder.record["options"], identity(options))
    for then, found in zip(folder.record["data"]["files"], data.files, strict=True):
        if then["sha256"] != found["sha256"]:
            raise OptionError(
                f"--resume: {found['name']} is not the file that {options.out} was started with; give --overwrite, or "
                "another --out"
            )


def _one_seed(
    options: FinetuneOptions, settings: HeadSettings, tokenizer: Any, data: FinetuningData, folder: RunFolder, seed: int
) -> dict[str, Any]:
    """Train with one seed, go on with one that was stopped, or take what a finished one left."""
    single = RunFolder(seed_folder(folder.path, seed))
    done = single.path / "result.json"
    if done.is_file():
        say(f"seed {seed} is finished already")
        found: dict[str, Any] = read_json(done)
        return found
    checkpoint = checkpoint_of(single, f"seed {seed}")
    title = f"fine-tuning, seed {seed}" if options.seeds > 1 else "fine-tuning"
    try:
        trained = train_head(settings, tokenizer, data.learnt, data.dev, single, seed, title, checkpoint)
    except DivergedError as error:
        result: dict[str, Any] = {"seed": seed, "diverged": str(error)}
        write_json(done, result)
        return result
    if trained.signal is not None:
        stopped = stopped_by(trained.signal, trained.steps, settings.steps, f"seed {seed}")
        raise interrupted(folder, stopped, options)
    pad = int(tokenizer.pad_token_id)
    head = trained.head
    # What is reported is what `evaluate` gives again: in float32, whatever the training was in.
    outputs_of = partial(head_outputs, head, trained.model, budget=settings.eval_tokens)
    outputs = outputs_of(data.reported.encoded, pad)
    dev = outputs if data.test is None else outputs_of(data.dev.encoded, pad)
    metric = settings.metric or head.main_metric
    value = head.values(dev, data.dev.targets)[metric]
    baseline = head.baseline(data.train_targets, data.dev.targets)[metric]
    is_stuck = head.goodness(metric, value) <= head.goodness(metric, baseline)
    if options.calibrate:
        head = _calibrated(head, dev, data.dev.targets)
        config: Any = trained.model.config
        config.update(head.chosen)
        if is_stuck:
            figure, least = (format_metric(metric, one, head.top) for one in (value, baseline))
            warn(
                f"--calibrate: seed {seed} does not beat the baseline ({metric} {figure} on the dev file, baseline "
                f"{least}); its probabilities say at best how frequent the labels are, at any temperature"
            )
    single.publish(trained.model, tokenizer)
    metrics = head.score(outputs, data.reported.targets)
    scored = Answered(
        head, data.reported_examples, data.reported.encoded, outputs, data.reported.targets, settings.max_length
    )
    course = LossCourse.of([line["loss"] for line in read_metrics(single.path)[0]])
    stuck = no_better(head, metric, value, baseline, file="dev", course=course)
    result = {
        "seed": seed,
        "best_step": trained.best_step,
        "steps": trained.steps,
        "dev": value,
        "diverged": stuck if is_stuck else None,
        "loss": course.to_dict(),
        "metrics": {name: interval.to_dict() for name, interval in metrics.items()},
        "errors": error_report(scored),
    }
    write_json(done, result)
    shutil.rmtree(single.path / "checkpoints", ignore_errors=True)
    return result


def _calibrated(head: AnyTask, outputs: Any, gold: Any) -> AnyTask:
    """The head with the temperature that suits the dev file best, where there is one."""
    found = head.calibrated(outputs, gold)
    if found is None:
        warn(
            "--calibrate: the dev file has no best temperature (every example is right, or the model says no more than "
            "chance); probabilities stay as they are"
        )
        return head
    say(f"--calibrate: the temperature on the dev file is {found.temperature:.3f}")
    return found


def _warnings_about_seeds(head: AnyTask, metric: str, results: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """Warnings about seeds that diverged or do not beat the baseline, and what follows for the mean."""
    lost = [seed for seed, found in results.items() if "metrics" not in found]
    stuck = [seed for seed, found in results.items() if found["diverged"] and seed not in lost]
    texts = [f"seed {seed} diverged: {results[seed]['diverged']}" for seed in lost]
    texts += [f"seed {seed}: {results[seed]['diverged']}" for seed in stuck]
    others = [found["metrics"][metric]["value"] for found in results.values() if not found["diverged"]]
    if lost:
        texts.append(
            f"the figures are over {len(results) - len(lost)} of {len(results)} seeds, without those that diverged"
        )
    if stuck and others:
        named = " and ".join(f"seed {seed}" for seed in stuck)
        mean = format_metric(metric, float(np.mean(others)), head.top)
        texts.append(f"the mean includes {named}; over the other seeds {metric} is {mean}")
    for text in texts:
        warn(text)
    return texts


def figures_over_seeds(results: list[dict[str, dict[str, float]]], task: type[AnyTask]) -> dict[str, dict[str, Any]]:
    """Of the figures of each seed mean, 95% interval and values."""
    metrics = {}
    for name in results[0]:
        values = [result[name]["value"] for result in results]
        interval = over_seeds(values)
        low, high = task.possible(name, interval.low), task.possible(name, interval.high)
        if len(values) == 1:
            low, high = results[0][name]["low"], results[0][name]["high"]
        metrics[name] = {"mean": float(np.mean(values)), "low": low, "high": high, "seeds": values}
    return metrics


def _learnt_nothing(head: AnyTask, metric: str, best: Mapping[str, Any], result: FinetuneResult) -> str | None:
    """Why the RUN is of no use, if even its best seed does not beat the baseline on the dev or on the test file."""
    if best["diverged"]:
        return str(best["diverged"])
    value, baseline = best["metrics"][metric]["value"], result.baseline[metric]
    if head.goodness(metric, value) > head.goodness(metric, baseline):
        return None
    file = "dev" if result.selected_on_reported_data else "test"
    course = LossCourse(**best["loss"]) if "loss" in best else None  # a seed of an older version has none
    return no_better(head, metric, value, baseline, file=file, course=course)


def _finish(folder: RunFolder, result: FinetuneResult) -> None:
    """The best seed becomes the RUN; its weights come last."""
    record = folder.record
    record |= {
        "status": "finished",
        "metrics": result.metrics,
        "baseline": result.baseline,
        "best_seed": result.best_seed,
        "diverged_seeds": result.diverged_seeds,
        "selected_on_reported_data": result.selected_on_reported_data,
        "result": {key: value for key, value in result.to_dict().items() if key != "run"},
    }
    forget(folder.path)
    chosen = seed_folder(folder.path, result.best_seed)
    shutil.copyfile(chosen / "metrics.jsonl", folder.metrics_file)
    write_head_card(folder.path, record)
    folder.save_record()
    write_report(folder.path)
    for path in model_files(chosen):
        aside = folder.path / f".{path.name}.partial"
        shutil.copyfile(path, aside)
        aside.rename(folder.path / path.name)
