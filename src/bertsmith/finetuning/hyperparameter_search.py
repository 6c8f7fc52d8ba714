"""The search of `finetune --search`: each trial trains once with its settings and is evaluated on the dev file.

RUN/search/trial-N.json   the settings, later also the result; written when a trial begins and when it ends
RUN/search/trial-N/       metrics.jsonl; checkpoints only during the training
"""

from __future__ import annotations

import gc
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch

from bertsmith.errors import DivergedError, OptionError
from bertsmith.finetuning.choices import choose_settings
from bertsmith.finetuning.data import FinetuningData
from bertsmith.finetuning.head_training import TrainedHead, train_head
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.proposals import default_settings, propose, with_default_ranges
from bertsmith.finetuning.resuming import FinetuningRun, find_checkpoint, record_interruption, stop_message
from bertsmith.finetuning.search_space import DiscreteValues, Values, parse_space, space_text
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.finetuning.starting_model import StartingModel, starting_model
from bertsmith.inference.head_outputs import head_outputs
from bertsmith.records.error_report import Figure
from bertsmith.records.search import SearchReport, Settings, Trial
from bertsmith.reporting.numbers import counted, format_metric
from bertsmith.reporting.search_sections import (
    outcome,
    settings_in_words,
    space_in_words,
    trial_in_words,
    value_in_words,
)
from bertsmith.runtime.computing import is_out_of_memory
from bertsmith.runtime.console import log_detail, log_info, warn
from bertsmith.runtime.machine import AutomaticChoice
from bertsmith.training.run_folder import RunFolder, read_metrics

FOLDER = "search"


@dataclass(frozen=True)
class SearchSpace:
    """The values of each searched option, and the settings of `finetune` without a search."""

    values: Mapping[str, Values]
    defaults: Settings

    @classmethod
    def of(cls, settings: HeadSettings, data: FinetuningData) -> SearchSpace:
        """Return the space of the options; `settings` are the settings without a search."""
        space = parse_space(settings.options.search_space, FinetuneOptions.model_fields)
        defaults = default_settings(space, settings, len(data.train.encoded.lengths))
        return cls(with_default_ranges(space, defaults), defaults)

    def corners(self) -> list[Settings]:
        """Return the lowest and the highest values of all options: if both are valid, so are the values between."""
        both = [
            values.values if isinstance(values, DiscreteValues) else (values.low, values.high)
            for values in self.values.values()
        ]
        return [dict(zip(self.values, map(end, both), strict=True)) for end in (min, max)]


@dataclass
class HyperparameterSearch:
    """The trials of one RUN.

    Attributes:
        run: the folder of the record and the trials.
        started: the choices of a resumed run.
    """

    run: FinetuningRun
    options: FinetuneOptions
    space: SearchSpace
    data: FinetuningData
    start: StartingModel
    started: Sequence[AutomaticChoice] = ()

    @classmethod
    def of(
        cls,
        run: FinetuningRun,
        settings: HeadSettings,
        data: FinetuningData,
        *,
        start: StartingModel,
        started: Sequence[AutomaticChoice],
    ) -> Self | None:
        """Return the search, or None without --search; `settings` are the settings without a search.

        Raises OptionError if a corner of the space does not fit the MODEL or the data.
        """
        options = settings.options
        if options.search is None:
            return None
        search = cls(run, options, SearchSpace.of(settings, data), data, start, started)
        for corner in search.space.corners():
            corner_options = options.model_copy(update=corner)
            try:
                starting_model(corner_options, options.model, options.task)
                choose_settings(corner_options, data, start, started=started)
            except OptionError as error:
                raise OptionError(f"--search-space: {error}") from None
        return search

    @property
    def metric(self) -> str:
        """The metric that compares the trials."""
        return self.options.metric or self.data.head.main_metric

    def announce(self) -> None:
        """Print the search space and the defaults."""
        log_info(f"search: {self.options.search} trials, compared by {self.metric} on the dev file")
        log_detail(f"search space: {space_in_words(space_text(self.space.values))}")
        log_detail(f"defaults: {settings_in_words(self.space.defaults)}")

    def best_settings(self) -> HeadSettings:
        """Run the search, record the best settings with their reason, and return them."""
        best, report = self.best(), self.run.record.search
        assert report is not None
        log_info(outcome(report))
        why = f"{trial_in_words(best.number)}, the best of {counted(len(report.trials), 'trial')}"
        found = [
            AutomaticChoice(name.replace("_", " "), value_in_words(value), why) for name, value in best.settings.items()
        ]
        settings, choices = self._settings_of(best)
        self.run.record.choices = [*choices, *found]
        self.run.save_record()
        return settings

    def best(self) -> Trial:
        """Run all trials that are not finished yet; return the best one, the first of equally good ones.

        Raises DivergedError if all trials failed, Interrupted if a signal stops one.
        """
        assert self.options.search is not None
        trials: list[Trial] = []
        try:
            for number in range(self.options.search):
                trial = self._load_or_create_trial(number, trials)
                if trial is None:
                    log_info(f"the search ends after {counted(number, 'trial')}: the space has no more settings")
                    break
                trials.append(trial if trial.state != "running" else self._run_trial(trial))
                shutil.rmtree(self._folder(number) / "checkpoints", ignore_errors=True)
                self.run.record.search = self.report(trials)
                self.run.save_record()
                log_info(self._in_words(trials))
        except KeyboardInterrupt:
            raise record_interruption(
                self.run, f"stopped after {counted(len(trials), 'trial')}", self.options
            ) from None
        best = self._best_of(trials)
        if best is None:
            failed = "the only trial" if len(trials) == 1 else f"all {len(trials)} trials"
            raise DivergedError(f"{failed} failed: {trials[0].why}")
        return best

    def _load_or_create_trial(self, number: int, trials: list[Trial]) -> Trial | None:
        """Load the trial with this number or create it; None if all settings were tried."""
        file = self._file(number)
        if file.is_file():
            return Trial.read(file)
        settings: Settings | None = self.space.defaults
        if number > 0:
            higher = self.metric not in self.data.head.lower_is_better
            settings = propose(self.space.values, trials, higher=higher, seed=self.options.seed)
        if settings is None:
            return None
        trial = Trial.new(number, settings)
        trial.write(file)
        return trial

    def _run_trial(self, trial: Trial) -> Trial:
        """Run a trial, from a checkpoint if there is one, and record the result or the failure."""
        single = RunFolder(self._folder(trial.number))
        why = None
        try:
            trial = self._train_and_evaluate(trial, single)
        except DivergedError as error:
            why = str(error)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            why = f"out of memory: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        if why is not None:  # after the except blocks, because the exceptions keep the tensors of the training alive
            gc.collect()
            torch.cuda.empty_cache()
            warn(f"trial {trial.number} failed: {why}")
            trial = trial.model_copy(update={"state": "failed", "why": why})
        trial.write(self._file(trial.number))
        return trial

    def _train_and_evaluate(self, trial: Trial, single: RunFolder) -> Trial:
        """Train with the settings of a trial, and evaluate the model on the dev file."""
        title = f"trial {trial.number}"
        settings, _ = self._settings_of(trial)
        trained = train_head(
            settings,
            self.data.train,
            self.data.dev,
            tokenizer=self.start.tokenizer,
            folder=single,
            seed=self.options.seed,
            title=title,
            checkpoint=find_checkpoint(single, title),
        )
        if trained.signal is not None:
            message = stop_message(trained.signal, steps=trained.steps, of=settings.steps, title=title)
            raise record_interruption(self.run, message, self.options)
        figure = self._figure(trained, settings)
        if not math.isfinite(figure.value):
            raise DivergedError(f"{self.metric} on the dev file is not finite")
        seconds = read_metrics(single.path)[0][-1]["seconds"]
        result = {"dev": figure, "best_step": trained.best_step, "steps": trained.steps, "seconds": seconds}
        return trial.model_copy(update={"state": "finished", **result})

    def _settings_of(self, trial: Trial) -> tuple[HeadSettings, list[AutomaticChoice]]:
        options = self.options.model_copy(update=trial.settings)
        return choose_settings(options, self.data, self.start, started=self.started)

    def _figure(self, trained: TrainedHead, settings: HeadSettings) -> Figure:
        """Return the result on the dev file, in float32 as for seeds, whatever the precision of the training."""
        dev = self.data.dev
        outputs = head_outputs(trained.head, trained.model, dev.encoded, self.start.pad, budget=settings.eval_tokens)
        return Figure(**trained.head.score(outputs, dev.targets)[self.metric].to_dict())

    def _best_of(self, trials: list[Trial]) -> Trial | None:
        """Return the first trial with the best result; None if no trial has one."""
        measured = [trial for trial in trials if trial.dev is not None]
        return max(measured, key=self._selection_score, default=None)

    def _selection_score(self, trial: Trial) -> float:
        assert trial.dev is not None
        return self.data.head.selection_score(self.metric, trial.dev.value)

    def report(self, trials: list[Trial]) -> SearchReport:
        """Return the report on these trials for run.json."""
        assert self.options.search is not None
        best, gain = self._best_of(trials), None
        if best is not None and trials[0].dev is not None:
            gain = self._selection_score(best) - self._selection_score(trials[0])
        return SearchReport(
            metric=self.metric,
            most=self.data.head.maximum_score,
            lower_is_better=self.metric in self.data.head.lower_is_better,
            trials_wanted=self.options.search,
            seed=self.options.seed,
            space=space_text(self.space.values),
            best_trial=None if best is None else best.number,
            gain=gain,
            trials=list(trials),
        )

    def _in_words(self, trials: list[Trial]) -> str:
        """Return the last trial, compared with the best so far."""
        last, best = trials[-1], self._best_of(trials)
        figure = "failed" if last.dev is None else f"{self.metric} {self._written(last)}"
        if best is None:
            comparison = "no trial has a result yet"
        elif best.number == last.number:
            comparison = "the best so far" if len(trials) > 1 else "to be beaten by the other trials"
        else:
            comparison = f"the best so far is {self._written(best)} (trial {best.number})"
        done = f"{len(trials)} of {self.options.search} done"
        settings = (
            f"{settings_in_words(last.settings)}: " if last.number > 0 else ""
        )  # the defaults are printed at the start
        return f"{trial_in_words(last.number)}: {settings}{figure}, {comparison} ({done})"

    def _written(self, trial: Trial) -> str:
        assert trial.dev is not None
        return format_metric(self.metric, trial.dev.value, self.data.head.maximum_score)

    def _file(self, number: int) -> Path:
        return self.run.path / FOLDER / f"trial-{number}.json"

    def _folder(self, number: int) -> Path:
        return self.run.path / FOLDER / f"trial-{number}"
