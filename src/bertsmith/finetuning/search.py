"""The search of `finetune --search`: trials of settings, each one training judged on the dev file.

RUN/search/trial-N.json   the settings, then also the figure; written whole when a trial begins and when it ends
RUN/search/trial-N/       metrics.jsonl; checkpoints only while it trains
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
from bertsmith.finetuning.engine import TrainedHead, train_head
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.proposals import default_settings, propose, with_default_ranges
from bertsmith.finetuning.resuming import FinetuningRun, checkpoint_of, interrupted, stopped_by
from bertsmith.finetuning.search_space import Choices, Values, parse_space, space_text
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.finetuning.starting_model import StartingModel, starting_model
from bertsmith.inference.batched import head_outputs
from bertsmith.records.errors import Figure
from bertsmith.records.search import SearchReport, Settings, Trial
from bertsmith.reporting.numbers import counted, format_metric
from bertsmith.reporting.search import outcome, settings_in_words, space_in_words, trial_in_words, value_in_words
from bertsmith.runtime.computing import is_out_of_memory
from bertsmith.runtime.console import log_info, warn
from bertsmith.runtime.machine import AutomaticChoice
from bertsmith.training.run_folder import RunFolder, read_metrics

FOLDER = "search"


@dataclass(frozen=True)
class SearchSpace:
    """The values of each option that is searched, and the settings of `finetune` without a search."""

    values: Mapping[str, Values]
    defaults: Settings

    @classmethod
    def of(cls, settings: HeadSettings, data: FinetuningData) -> SearchSpace:
        """The space that the options name; `settings` are those without a search."""
        space = parse_space(settings.options.search_space, FinetuneOptions.model_fields)
        defaults = default_settings(space, settings, len(data.learnt.encoded.lengths))
        return cls(with_default_ranges(space, defaults), defaults)

    def ends(self) -> list[Settings]:
        """The lowest and the highest values of all options: what fits at both, fits between."""
        both = [
            values.values if isinstance(values, Choices) else (values.low, values.high)
            for values in self.values.values()
        ]
        return [dict(zip(self.values, map(end, both), strict=True)) for end in (min, max)]


@dataclass
class Search:
    """The trials of one RUN.

    Attributes:
        run: the folder of its record and its trials.
        started: the choices of the run that resumes.
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
        """The search that the options ask for; `settings` are those without it.

        Raises OptionError if an end of its space does not fit the MODEL or the data.
        """
        options = settings.options
        if options.search is None:
            return None
        search = cls(run, options, SearchSpace.of(settings, data), data, start, started)
        for end in search.space.ends():
            at_end = options.model_copy(update=end)
            try:
                starting_model(at_end, options.model, options.task)
                choose_settings(at_end, data, start, started=started)
            except OptionError as error:
                raise OptionError(f"--search-space: {error}") from None
        return search

    @property
    def metric(self) -> str:
        """The figure that settings are judged by."""
        return self.options.metric or self.data.head.main_metric

    def announce(self) -> None:
        """Say what will be tried."""
        log_info(f"search: {self.options.search} settings, one training each, judged by {self.metric} on the dev file")
        log_info(f"search space: {space_in_words(space_text(self.space.values))}")
        log_info(f"the defaults: {settings_in_words(self.space.defaults)}")

    def best_settings(self) -> HeadSettings:
        """The settings of the best trial; they are recorded with the reason."""
        best, report = self.best(), self.run.record.search
        assert report is not None
        log_info(outcome(report))
        why = f"{trial_in_words(best.number)}, the best of {len(report.trials)}"
        found = [
            AutomaticChoice(name.replace("_", " "), value_in_words(value), why) for name, value in best.settings.items()
        ]
        settings, choices = self._settings_of(best)
        self.run.record.choices = [*choices, *found]
        self.run.save_record()
        return settings

    def best(self) -> Trial:
        """Try the settings that are not tried yet; gives the best trial, of equal ones the first.

        Raises DivergedError if no trial came to its end, Interrupted if a signal stops one.
        """
        assert self.options.search is not None
        trials: list[Trial] = []
        try:
            for number in range(self.options.search):
                trial = self._begun(number, trials)
                if trial is None:
                    log_info(f"all settings of the space are tried: the search ends after {counted(number, 'trial')}")
                    break
                trials.append(trial if trial.state != "running" else self._ended(trial))
                shutil.rmtree(self._folder(number) / "checkpoints", ignore_errors=True)
                self.run.record.search = self.report(trials)
                self.run.save_record()
                log_info(self._in_words(trials))
        except KeyboardInterrupt:
            raise interrupted(self.run, f"stopped after {counted(len(trials), 'trial')}", self.options) from None
        best = self._best_of(trials)
        if best is None:
            none = "the only trial did not come" if len(trials) == 1 else f"none of the {len(trials)} trials came"
            raise DivergedError(f"{none} to its end: {trials[0].why}")
        return best

    def _begun(self, number: int, trials: list[Trial]) -> Trial | None:
        """The trial of this number as it was left, or a new one; None if all settings are tried."""
        file = self._file(number)
        if file.is_file():
            return Trial.read(file)
        settings: Settings | None = self.space.defaults
        if number > 0:
            higher = self.metric not in self.data.head.lower_is_better
            settings = propose(self.space.values, trials, higher=higher, seed=self.options.seed)
        if settings is None:
            return None
        trial = Trial.begun(number, settings)
        trial.write(file)
        return trial

    def _ended(self, trial: Trial) -> Trial:
        """Train with its settings, from a checkpoint if there is one; a training that fails is a failed trial."""
        single = RunFolder(self._folder(trial.number))
        why = None
        try:
            trial = self._measured(trial, single)
        except DivergedError as error:
            why = str(error)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            why = f"memory was short: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        if why is not None:  # behind the blocks above: their errors hold what the training had
            gc.collect()
            torch.cuda.empty_cache()
            warn(f"trial {trial.number} failed: {why}")
            trial = trial.model_copy(update={"state": "failed", "why": why})
        trial.write(self._file(trial.number))
        return trial

    def _measured(self, trial: Trial, single: RunFolder) -> Trial:
        called = f"trial {trial.number}"
        settings, _ = self._settings_of(trial)
        trained = train_head(
            settings,
            self.data.learnt,
            self.data.dev,
            tokenizer=self.start.tokenizer,
            folder=single,
            seed=self.options.seed,
            title=called,
            checkpoint=checkpoint_of(single, called),
        )
        if trained.signal is not None:
            stopped = stopped_by(trained.signal, steps=trained.steps, of=settings.steps, called=called)
            raise interrupted(self.run, stopped, self.options)
        figure = self._figure(trained, settings)
        if not math.isfinite(figure.value):
            raise DivergedError(f"{self.metric} on the dev file is not finite")
        seconds = read_metrics(single.path)[0][-1]["seconds"]
        ended = {"best_step": trained.best_step, "steps": trained.steps, "seconds": seconds}
        return trial.model_copy(update={"state": "finished", "dev": figure, **ended})

    def _settings_of(self, trial: Trial) -> tuple[HeadSettings, list[AutomaticChoice]]:
        options = self.options.model_copy(update=trial.settings)
        return choose_settings(options, self.data, self.start, started=self.started)

    def _figure(self, trained: TrainedHead, settings: HeadSettings) -> Figure:
        """The figure on the dev file as it is reported of a seed: in float32, whatever the training was in."""
        dev = self.data.dev
        outputs = head_outputs(trained.head, trained.model, dev.encoded, self.start.pad, budget=settings.eval_tokens)
        return Figure(**trained.head.score(outputs, dev.targets)[self.metric].to_dict())

    def _best_of(self, trials: list[Trial]) -> Trial | None:
        """The first of those with the best figure."""
        measured = [trial for trial in trials if trial.dev is not None]
        return max(measured, key=self._goodness, default=None)

    def _goodness(self, trial: Trial) -> float:
        assert trial.dev is not None
        return self.data.head.selection_score(self.metric, trial.dev.value)

    def report(self, trials: list[Trial]) -> SearchReport:
        """These trials for run.json."""
        assert self.options.search is not None
        best, gain = self._best_of(trials), None
        if best is not None and trials[0].dev is not None:
            gain = self._goodness(best) - self._goodness(trials[0])
        return SearchReport(
            metric=self.metric,
            most=self.data.head.top,
            lower_is_better=self.metric in self.data.head.lower_is_better,
            trials_wanted=self.options.search,
            seed=self.options.seed,
            space=space_text(self.space.values),
            best_trial=None if best is None else best.number,
            gain=gain,
            trials=list(trials),
        )

    def _in_words(self, trials: list[Trial]) -> str:
        """The last trial, and the best so far."""
        last, best = trials[-1], self._best_of(trials)
        figure = "failed" if last.dev is None else f"{self.metric} {self._written(last)}"
        if best is None:
            beside = "no trial has a figure yet"
        elif best.number == last.number:
            beside = "the best so far" if len(trials) > 1 else "what is to be beaten"
        else:
            beside = f"the best so far is {self._written(best)} of trial {best.number}"
        done = f"{len(trials)} of {self.options.search} done"
        settings = f"{settings_in_words(last.settings)}: " if last.number > 0 else ""  # the defaults are announced
        return f"{trial_in_words(last.number)}: {settings}{figure}, {beside} ({done})"

    def _written(self, trial: Trial) -> str:
        assert trial.dev is not None
        return format_metric(self.metric, trial.dev.value, self.data.head.top)

    def _file(self, number: int) -> Path:
        return self.run.path / FOLDER / f"trial-{number}.json"

    def _folder(self, number: int) -> Path:
        return self.run.path / FOLDER / f"trial-{number}"
