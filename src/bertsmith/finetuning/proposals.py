"""Which settings a search tries: the defaults first, then what a sampler proposes from the trials so far.

The sampler is optuna's tree-structured Parzen estimator (Bergstra et al. 2011). It keeps no state between trials: each
proposal follows from the seed, the number of the trial and the figures of those before it, so that a search that was
stopped proposes what an unbroken one does.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bertsmith.config.options import SEEDS
from bertsmith.finetuning.defaults import choose_epochs
from bertsmith.finetuning.search_space import SEARCHABLE_OPTIONS, Choices, Range, Space, Values
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.records.search import Number, Settings, Trial
from bertsmith.runtime import random

if TYPE_CHECKING:
    import optuna

STARTUP = 3
"""The trials, the defaults among them, before the sampler uses figures (benchmarks/notes.md)."""
RATES = 3.0
"""The default learning rate is divided and multiplied by this."""
REPEATS = 20
"""The number of times that a proposal is drawn if it was tried already."""
LISTED = 10_000
"""The most settings of a space that are listed to find those that are left."""


def default_settings(space: Space, settings: HeadSettings, examples: int) -> Settings:
    """The values of the options of a space without a search; `settings` are those without it."""
    options = settings.options
    resolved: dict[str, Number] = {
        "learning_rate": settings.optimization.learning_rate,
        "epochs": int(choose_epochs(examples, options.batch_size).value),
    }
    if settings.parts.lora is not None:
        resolved["lora_alpha"] = settings.parts.lora.alpha
    if settings.distillation is not None:
        resolved["distil_weight"] = settings.distillation.weight
        resolved["distil_temperature"] = settings.distillation.temperature
    return {name: resolved.get(name, getattr(options, name)) for name in space}


def with_default_ranges(space: Space, defaults: Settings) -> dict[str, Values]:
    """The space with values for the names that have none in it."""
    return {name: values or _own_range(name, defaults[name] or 0) for name, values in space.items()}


def _own_range(name: str, default: Number) -> Values:
    if name == "learning_rate":
        return Range(float(f"{default / RATES:.2g}"), float(f"{default * RATES:.2g}"))
    if name == "epochs":
        return Range(math.ceil(default / 2), math.floor(1.5 * default))
    if name == "batch_size":
        return Choices((int(default) // 2, default, 2 * default))
    return Choices((0, default, 10 * default))  # weight_decay


def propose(space: Mapping[str, Values], trials: Sequence[Trial], *, higher: bool, seed: int) -> Settings | None:
    """Settings that none of the trials has, if the space has any; `higher` says whether greater figures are better."""
    number, tried = len(trials), [trial.settings for trial in trials]
    with _quiet_optuna():
        for attempt in range(REPEATS):
            drawn = _drawn(space, trials, higher=higher, seed=random.key("search", seed, number, attempt) % SEEDS)
            # Numbers that are as easily typed as read; of a narrow range all digits are needed.
            settings = {name: _short(space[name], value) for name, value in drawn.items()} if attempt == 0 else drawn
            if settings not in tried:
                return settings
    left = [settings for settings in itertools.islice(_every(space), LISTED) if settings not in tried]
    return left[random.key("search", seed, number) % len(left)] if left else None


def _drawn(space: Mapping[str, Values], trials: Sequence[Trial], *, higher: bool, seed: int) -> Settings:
    """What the sampler says, by trials whose settings lie in the space; one that failed counts as a bad one."""
    import optuna

    distributions = {name: _distribution(name, values) for name, values in space.items()}
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP)
    study = optuna.create_study(direction="maximize" if higher else "minimize", sampler=sampler)
    for trial in trials:
        if all(_lies_in(space[name], value) for name, value in trial.settings.items()):
            ended = {"state": optuna.trial.TrialState.PRUNED} if trial.dev is None else {"value": trial.dev.value}
            study.add_trial(optuna.create_trial(params=trial.settings, distributions=distributions, **ended))
    return dict(study.ask(distributions).params)


def _distribution(name: str, values: Values) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values, Choices):
        return CategoricalDistribution(values.values)
    searched = SEARCHABLE_OPTIONS[name]
    if searched.whole:
        return IntDistribution(int(values.low), int(values.high), log=searched.log and values.low > 0)
    return FloatDistribution(values.low, values.high, log=searched.log)


def _lies_in(values: Values, value: Number | None) -> bool:
    if value is None:
        return False
    return value in values.values if isinstance(values, Choices) else values.low <= value <= values.high


def _short(values: Values, value: Number | None) -> Number | None:
    """The number with two digits, if that is in the range too."""
    if not isinstance(value, float) or isinstance(values, Choices):
        return value
    short = float(f"{value:.2g}")
    return short if _lies_in(values, short) else value


def _every(space: Mapping[str, Values]) -> Iterator[Settings]:
    """All settings of a space; none if an option has numbers without end."""
    each: list[Sequence[Number]] = []
    for name, values in space.items():
        if isinstance(values, Choices):
            each.append(values.values)
        elif SEARCHABLE_OPTIONS[name].whole:
            each.append(range(int(values.low), int(values.high) + 1))
        else:
            return
    for chosen in itertools.product(*each):
        yield dict(zip(space, chosen, strict=True))


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Without the notes that optuna writes to the terminal for each study."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
