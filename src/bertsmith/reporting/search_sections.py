"""The result of a hyperparameter search in words, as a table, and as a section; run.json has it under `search`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from bertsmith.records.error_report import Figure
from bertsmith.records.search import SearchReport, Trial
from bertsmith.reporting.line_chart import Series, line_chart
from bertsmith.reporting.numbers import Cell, format_difference, format_metric, interval_text, is_share
from bertsmith.reporting.page import Page


def trial_in_words(number: int) -> str:
    """Return the name of a trial; trial 0 has the defaults."""
    return "trial 0 (the defaults)" if number == 0 else f"trial {number}"


def settings_in_words(settings: Mapping[str, float | None]) -> str:
    """Return `learning_rate 3.3e-05, epochs 3`."""
    return ", ".join(f"{name} {value_in_words(value)}" for name, value in settings.items())


def value_in_words(value: float | None) -> str:
    """Return a value as text; None is an option that is not set."""
    return "not set" if value is None else f"{value:g}"


def space_in_words(space: str) -> str:
    """Return a search space for people: `learning_rate 1e-5 to 1e-4, epochs`."""
    return space.replace("=", " ").replace("..", " to ").replace("|", " or ").replace(",", ", ")


def outcome(search: SearchReport) -> str:
    """Return whether the best settings beat the defaults, by how much, and whether that may be chance."""
    best = search.best
    if best is None or best.dev is None:
        return "No trial is finished yet."
    metric, figure, default = search.metric, best.dev, search.trials[0].dev
    if search.gain is None or default is None:
        return (
            f"The defaults failed: {search.trials[0].why}. The best trial is {best.number} "
            f"({settings_in_words(best.settings)}): {_suffix(search, figure)}."
        )
    if best.number == 0:
        return f"No trial was better than the defaults, so the defaults are used: {_suffix(search, default)}."
    gain = format_difference(metric, abs(search.gain), search.most).removeprefix("+")
    text = (
        f"{_title(best)} beats the defaults by {gain}: {_suffix(search, figure)}, the defaults have "
        f"{format_metric(metric, default.value, search.most)}."
    )
    if figure.low <= default.value <= figure.high:
        interval = interval_text(metric, figure.low, figure.high, most=search.most)
        text += (
            f" The defaults are inside its 95% interval ({interval}), so the dev file has too few examples to prove "
            "that they are worse."
        )
    return text


def caveat(search: SearchReport) -> str:
    """Return a warning about the result of the best trial."""
    if len(search.trials) == 1:
        return f"This is one training with seed {search.seed}; a different seed gives a different result."
    return (
        f"The best of {len(search.trials)} results is slightly too good, because the same file selected it. Each "
        f"result is one training with seed {search.seed}; a different seed gives a different result."
    )


def trial_table(search: SearchReport) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of all trials: the best first, failed ones last."""
    names = list(search.trials[0].settings) if search.trials else []

    def place(trial: Trial) -> tuple[bool, float]:
        return trial.dev is None, 0.0 if trial.dev is None else trial.dev.value * (1 if search.lower_is_better else -1)

    def figures(trial: Trial) -> Iterator[str]:
        for value in (None, None, None) if trial.dev is None else (trial.dev.value, trial.dev.low, trial.dev.high):
            yield format_metric(search.metric, value, search.most)

    return ["trial", *names, _named(search), "low", "high", "minutes"], [
        [
            _numbered(search, trial),
            *(value_in_words(trial.settings[name]) for name in names),
            *figures(trial),
            None if trial.seconds is None else f"{trial.seconds / 60:.1f}",
        ]
        for trial in sorted(search.trials, key=place)
    ]


def add_search(page: Page, search: SearchReport) -> None:
    """Add the section of a search, finished or not."""
    tried, wanted = len(search.trials), search.trials_wanted
    count = f"{tried} trials" if tried == wanted else f"{tried} of {wanted} trials so far"
    page.section(
        "Hyperparameter search",
        f"{count}; trial 0 has the defaults. Each trial trains once and is compared by {_named(search)} on the dev "
        f"file. Search space: {space_in_words(search.space)}.",
    )
    tone: Literal["good", "info"] = "good" if (search.gain or 0) > 0 else "info"
    page.notice(outcome(search), tone)
    page.text(caveat(search))
    measured = [(float(trial.number), _drawn(search, trial.dev)) for trial in search.trials if trial.dev]
    if len(measured) > 1:
        page.chart(_chart(search, measured), f"{_named(search)} on the dev file of each trial")
    header, rows = trial_table(search)
    page.table(header, rows, caption="Trials, the best first; low and high: the 95% interval over the examples")
    failed = [f"Trial {trial.number}: {trial.why}" for trial in search.trials if trial.state == "failed"]
    if failed:
        page.collapsible(f"{len(failed)} failed trial{'s' if len(failed) > 1 else ''}", failed)


def _chart(search: SearchReport, measured: list[tuple[float, float]]) -> str:
    better = min if search.lower_is_better else max
    best = measured[:1]
    for number, value in measured[1:]:  # a vertical step at each new best
        best += [(number, best[-1][1]), (number, better(value, best[-1][1]))]
    default = search.trials[0].dev
    name = _named(search)
    unit = ", %" if is_share(search.metric) else ""
    return line_chart(
        [Series("each trial", measured, "points"), Series("best so far", best, "line")],
        x_label="trial",
        y_label=f"{name}{unit}",
        reference_lines=[("defaults", _drawn(search, default))] if default else [],
        title=f"{name} of the trials",
        whole_x=True,
    )


def _drawn(search: SearchReport, figure: Figure) -> float:
    """Return a value for the chart: shares in percent."""
    scale = 100 / search.most if is_share(search.metric) else 1.0
    return scale * figure.value


def _title(trial: Trial) -> str:
    return f"Trial {trial.number} ({settings_in_words(trial.settings)})"


def _named(search: SearchReport) -> str:
    return search.metric.replace("_", " ")


def _suffix(search: SearchReport, figure: Figure) -> str:
    return f"{_named(search)} {format_metric(search.metric, figure.value, search.most)} on the dev file"


def _numbered(search: SearchReport, trial: Trial) -> str:
    """Return `4 (best)` or `0 (defaults, failed)`."""
    marks = {
        "best": trial.number == search.best_trial,
        "defaults": trial.number == 0,
        "failed": trial.state == "failed",
    }
    words = ", ".join(mark for mark, holds in marks.items() if holds)
    return f"{trial.number} ({words})" if words else str(trial.number)
