"""The settings that a search tries: the defaults first, then proposals of a sampler.

The sampler is optuna's tree-structured Parzen estimator (Bergstra et al. 2011). It keeps no state between trials: each
proposal follows from the seed, the number of the trial and the results of earlier trials, so a resumed search proposes
the same settings as an unbroken one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bertsmith.config.options import SEED_LIMIT
from bertsmith.finetuning.defaults import choose_epochs
from bertsmith.finetuning.search_space import SEARCHABLE_OPTIONS, DiscreteValues, Space, ValueRange, Values
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.records.search import Number, Settings, Trial
from bertsmith.runtime import random

if TYPE_CHECKING:
    import optuna

STARTUP = 3
"""The number of trials, including the defaults, before the sampler uses results (benchmarks/notes.md)."""
RATES = 3.0
"""The default range of the learning rate: its default divided and multiplied by this."""
REPEATS = 20
"""The number of attempts to draw settings that were not tried yet."""
LISTED = 10_000
"""At most this many settings are listed to find one that was not tried yet."""


def default_settings(space: Space, settings: HeadSettings, examples: int) -> Settings:
    """Return the values that the options of a space have without a search, from the settings without a search."""
    options = settings.options
    resolved: dict[str, Number] = {
        "learning_rate": settings.optimization.learning_rate,
        "epochs": int(choose_epochs(examples, options.batch_size).value),
    }
    if settings.trainable_parameters.lora is not None:
        resolved["lora_alpha"] = settings.trainable_parameters.lora.alpha
    if settings.distillation is not None:
        resolved["distil_weight"] = settings.distillation.weight
        resolved["distil_temperature"] = settings.distillation.temperature
    return {name: resolved.get(name, getattr(options, name)) for name in space}


def with_default_ranges(space: Space, defaults: Settings) -> dict[str, Values]:
    """Return the space with default ranges for names without values."""
    return {name: values or _default_range(name, defaults[name] or 0) for name, values in space.items()}


def _default_range(name: str, default: Number) -> Values:
    if name == "learning_rate":
        return ValueRange(float(f"{default / RATES:.2g}"), float(f"{default * RATES:.2g}"))
    if name == "epochs":
        return ValueRange(math.ceil(default / 2), math.floor(1.5 * default))
    if name == "batch_size":
        return DiscreteValues((int(default) // 2, default, 2 * default))
    return DiscreteValues((0, default, 10 * default))  # weight_decay


def propose(space: Mapping[str, Values], trials: Sequence[Trial], *, higher: bool, seed: int) -> Settings | None:
    """Return settings that no trial has, or None if all were tried; `higher`: whether higher results are better."""
    number, tried = len(trials), [trial.settings for trial in trials]
    with _quiet_optuna():
        for attempt in range(REPEATS):
            drawn = _sample_settings(
                space, trials, higher=higher, seed=random.key("search", seed, number, attempt) % SEED_LIMIT
            )
            # Short numbers are easier to read and type; in a narrow range all digits may be needed.
            settings = {name: _rounded(space[name], value) for name, value in drawn.items()} if attempt == 0 else drawn
            if settings not in tried:
                return settings
    left = [settings for settings in itertools.islice(_all_settings(space), LISTED) if settings not in tried]
    return left[random.key("search", seed, number) % len(left)] if left else None


def _sample_settings(space: Mapping[str, Values], trials: Sequence[Trial], *, higher: bool, seed: int) -> Settings:
    """Return a proposal of the sampler from the trials within the space; a failed trial counts as a bad one."""
    import optuna

    distributions = {name: _distribution(name, values) for name, values in space.items()}
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP)
    study = optuna.create_study(direction="maximize" if higher else "minimize", sampler=sampler)
    for trial in trials:
        if all(_lies_in(space[name], value) for name, value in trial.settings.items()):
            outcome = {"state": optuna.trial.TrialState.PRUNED} if trial.dev is None else {"value": trial.dev.value}
            study.add_trial(optuna.create_trial(params=trial.settings, distributions=distributions, **outcome))
    return dict(study.ask(distributions).params)


def _distribution(name: str, values: Values) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values, DiscreteValues):
        return CategoricalDistribution(values.values)
    searched = SEARCHABLE_OPTIONS[name]
    if searched.whole:
        return IntDistribution(int(values.low), int(values.high), log=searched.log and values.low > 0)
    return FloatDistribution(values.low, values.high, log=searched.log)


def _lies_in(values: Values, value: Number | None) -> bool:
    if value is None:
        return False
    return value in values.values if isinstance(values, DiscreteValues) else values.low <= value <= values.high


def _rounded(values: Values, value: Number | None) -> Number | None:
    """Return the number with two significant digits, if that is in the range too."""
    if not isinstance(value, float) or isinstance(values, DiscreteValues):
        return value
    short = float(f"{value:.2g}")
    return short if _lies_in(values, short) else value


def _all_settings(space: Mapping[str, Values]) -> Iterator[Settings]:
    """Yield all settings of a space; none if an option has infinitely many values."""
    each: list[Sequence[Number]] = []
    for name, values in space.items():
        if isinstance(values, DiscreteValues):
            each.append(values.values)
        elif SEARCHABLE_OPTIONS[name].whole:
            each.append(range(int(values.low), int(values.high) + 1))
        else:
            return
    for chosen in itertools.product(*each):
        yield dict(zip(space, chosen, strict=True))


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Silence the notes that optuna prints for each study."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
