"""finetune: make a RUN from a MODEL and labelled files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bertsmith.config.extras import require_extra
from bertsmith.config.option_names import nearest
from bertsmith.config.verb import verb
from bertsmith.errors import OptionError
from bertsmith.finetuning.announcement import announce_finetuning
from bertsmith.finetuning.choices import choose_settings
from bertsmith.finetuning.claim import claim
from bertsmith.finetuning.data import FinetuningData, read_files
from bertsmith.finetuning.finish_run import finish_run
from bertsmith.finetuning.hyperparameter_search import HyperparameterSearch
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.resuming import FinetuningRun
from bertsmith.finetuning.seed_models import publish_seed_metrics, publish_seed_model, remove_seed_models
from bertsmith.finetuning.seed_training import train_seed
from bertsmith.finetuning.seeds import SeedResults
from bertsmith.finetuning.start_run import start_run
from bertsmith.finetuning.starting_model import starting_model
from bertsmith.finetuning.task_teacher import TaskTeacher, remove_teacher_logits
from bertsmith.records.finetuning import FinetuningOutcome, FinetuningRecord
from bertsmith.runtime.console import log_info
from bertsmith.verbs.cards import write_head_card
from bertsmith.verbs.report import write_report


@dataclass(frozen=True, kw_only=True)
class FinetuneResult(FinetuningOutcome):
    """The RUN that `finetune` made, and its figures."""

    run: Path

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object; it begins with the RUN."""
        return {"run": str(self.run), **super().to_dict()}


@verb(FinetuneOptions)
def finetune(options: FinetuneOptions) -> FinetuneResult:
    """Fine-tune a head on labelled text, with one seed or several.

    The dev file decides on the best checkpoint of each seed and on the best seed, which becomes the RUN.
    """
    result = train_seeds(options)
    if not options.dry_run:
        remove_seed_models(options.out, result.best_seed)
    return result


def train_seeds(options: FinetuneOptions) -> FinetuneResult:
    """Run `finetune` without its last step: the models of all seeds stay in their folders."""
    if options.search is not None:
        require_extra("search", f"--search {options.search}", "optuna")
    start = starting_model(options, options.model, options.task)
    data = read_files(options, start)
    _check_figures(options, data)
    run = FinetuningRun(options.out, FinetuningRecord)
    resumed = claim(run, options, data)
    if resumed is not None and run.finished and resumed.seeds == options.seeds and resumed.result is not None:
        log_info(f"{options.out} is already finished")
        return FinetuneResult(run=options.out, **vars(resumed.result))
    started = () if resumed is None else resumed.choices
    settings, choices = choose_settings(options, data, start, started=started)
    search = HyperparameterSearch.of(run, settings, data, start=start, started=started)
    teacher = None
    if options.teacher is not None:
        teacher = TaskTeacher(
            options, data.head, start.tokenizer, inputs=data.train.encoded, examples=data.teacher_examples
        )
    announce_finetuning(data, settings, choices)
    if search is not None:
        search.announce()
    if options.dry_run:
        return _planned(options, data, search)
    start_run(run, options, data, choices=choices, resumed=resumed)
    if teacher is not None:
        data.train = replace(data.train, teacher_logits=teacher.compute_logits(run.path))
        teacher = None  # frees the memory of its weights
    if search is not None:
        settings = search.best_settings()
    numbers = range(options.seed, options.seed + options.seeds)
    results = {seed: train_seed(run, settings, data, tokenizer=start.tokenizer, seed=seed) for seed in numbers}
    outcome = finish_run(run, data, SeedResults(settings, results))
    _publish(run, outcome)
    return FinetuneResult(run=options.out, **vars(outcome))


def _check_figures(options: FinetuneOptions, data: FinetuningData) -> None:
    """Raise OptionError if the head does not have the figure `metric`, or no probabilities to calibrate."""
    names = list(data.head.baseline(data.train_targets, data.dev.targets))
    if options.metric is not None and options.metric not in names:
        raise OptionError(
            f"--metric: found {options.metric!r}, expected one of {', '.join(names)}{nearest(options.metric, names)}"
        )
    if options.calibrate and not data.head.has_probabilities:
        outputs = "its labels" if data.head.labels else data.head.output_description
        raise OptionError(
            f"--calibrate: {options.task} ({data.head.problem_type or outputs}) has no class probabilities to "
            "calibrate. Try: leave the option out"
        )


def _planned(options: FinetuneOptions, data: FinetuningData, search: HyperparameterSearch | None) -> FinetuneResult:
    """Return the result of `--dry-run`, which has no figures."""
    return FinetuneResult(
        run=options.out,
        metrics={},
        best_seed=options.seed,
        selected_on_reported_data=options.test is None,
        baseline={},
        num_examples=len(data.dev.targets),
        truncated_tokens=0,
        windowed_examples=data.windowed_examples,
        search=None if search is None else search.report([]).to_dict(),
    )


def _publish(run: FinetuningRun, outcome: FinetuningOutcome) -> None:
    """Write card, record and report of a finished RUN, and last the model of the best seed."""
    remove_teacher_logits(run.path)
    publish_seed_metrics(run.path, outcome.best_seed)
    write_head_card(run.path, run.record)
    run.save_record()
    write_report(run.path)
    publish_seed_model(run.path, outcome.best_seed)
