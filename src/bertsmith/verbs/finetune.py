"""finetune: MODEL and labelled files to RUN."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from bertsmith.config.extras import require_extra
from bertsmith.config.option_names import nearest
from bertsmith.config.verb import Result, verb
from bertsmith.errors import OptionError
from bertsmith.finetuning.announcement import announce
from bertsmith.finetuning.beginning import begin
from bertsmith.finetuning.choices import choose_settings
from bertsmith.finetuning.claim import claim
from bertsmith.finetuning.data import FinetuningData, read_files
from bertsmith.finetuning.distillation import Teacher, forget
from bertsmith.finetuning.ending import finish_run
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.resuming import FinetuningRun
from bertsmith.finetuning.search import Search
from bertsmith.finetuning.seed_models import publish_seed_metrics, publish_seed_model, remove_seed_models
from bertsmith.finetuning.seed_training import train_seed
from bertsmith.finetuning.seeds import Seeds
from bertsmith.finetuning.starting_model import starting_model
from bertsmith.records.finetuning import FinetuningOutcome, FinetuningRecord
from bertsmith.runtime.console import log_info
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

    omitted_if_none: ClassVar[tuple[str, ...]] = ("windowed_examples", "calibration", "search", "best_seed_metrics")

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
        remove_seed_models(options.out, result.best_seed)
    return result


def train_seeds(options: FinetuneOptions) -> FinetuneResult:
    """`finetune` without its last step: the model of every seed is still in its folder."""
    if options.search is not None:
        require_extra("search", f"--search {options.search}", "optuna")
    start = starting_model(options, options.model, options.task)
    data = read_files(options, start)
    _check_figures(options, data)
    run = FinetuningRun(options.out, FinetuningRecord)
    resumed = claim(run, options, data)
    if resumed is not None and run.finished and resumed.seeds == options.seeds and resumed.result is not None:
        log_info(f"{options.out} is finished already")
        return FinetuneResult(run=options.out, **resumed.result.to_dict())
    started = () if resumed is None else resumed.choices
    settings, choices = choose_settings(options, data, start, started=started)
    search = Search.of(run, settings, data, start=start, started=started)
    teacher = None
    if options.teacher is not None:
        teacher = Teacher(
            options, data.head, start.tokenizer, inputs=data.learnt.encoded, examples=data.teacher_examples
        )
    announce(data, settings, choices)
    if search is not None:
        search.announce()
    if options.dry_run:
        return _planned(options, data, search)
    begin(run, options, data, choices=choices, resumed=resumed)
    if teacher is not None:
        data.learnt = replace(data.learnt, taught=teacher.answers(run.path))
        teacher = None  # its weights are not needed any more
    if search is not None:
        settings = search.best_settings()
    numbers = range(options.seed, options.seed + options.seeds)
    results = {seed: train_seed(run, settings, data, tokenizer=start.tokenizer, seed=seed) for seed in numbers}
    outcome = finish_run(run, data, Seeds(settings, results))
    _publish(run, outcome)
    return FinetuneResult(run=options.out, **outcome.to_dict())


def _check_figures(options: FinetuneOptions, data: FinetuningData) -> None:
    """Raises OptionError if the head lacks the figure of `metric`, or the probabilities that `calibrate` is about."""
    names = list(data.head.baseline(data.train_targets, data.dev.targets))
    if options.metric is not None and options.metric not in names:
        raise OptionError(
            f"--metric: found {options.metric!r}, expected one of {', '.join(names)}{nearest(options.metric, names)}"
        )
    if options.calibrate and not data.head.has_probabilities:
        outputs = "its labels" if data.head.labels else data.head.without_labels
        raise OptionError(
            f"--calibrate: {options.task} ({data.head.problem_type or outputs}) chooses among no "
            "classes whose probabilities a temperature could mend; leave it out"
        )


def _planned(options: FinetuneOptions, data: FinetuningData, search: Search | None) -> FinetuneResult:
    """The result of `--dry-run`: no figures yet."""
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
        search=None if search is None else search.report([]).to_dict(),
    )


def _publish(run: FinetuningRun, outcome: FinetuningOutcome) -> None:
    """Write card, record and report of a finished RUN; the model of the best seed comes last."""
    forget(run.path)
    publish_seed_metrics(run.path, outcome.best_seed)
    write_head_card(run.path, run.record)
    run.save_record()
    write_report(run.path)
    publish_seed_model(run.path, outcome.best_seed)
