"""The report of a suite: the results of its tasks as a table and as a chart, and how they were measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from bertsmith.records.suite import Average, SuiteRecord, SuiteTask, TableFigure
from bertsmith.reporting.interval_chart import IntervalRow, interval_chart
from bertsmith.reporting.numbers import format_metric, interval_text, is_share, percent
from bertsmith.reporting.page import Page
from bertsmith.runtime.console import clock

TITLES = {"glue": "GLUE"}

Tasks = Mapping[str, SuiteTask]


def suite_report(name: str, record: SuiteRecord) -> str:
    """Return report.html of a suite, made from its suite.json."""
    tasks, suite = record.tasks, TITLES[record.suite]
    page = Page(f"{name}: {suite}", f"Fine-tuned from {record.model}")
    if record.average is not None:
        _add_figures(page, record.average, tasks)
    _add_notices(page, record)
    page.section("Results", 'Each task has its own metrics. The column "protocol" says how they were measured.')
    if tasks:
        _add_measured(page, tasks, suite)
    else:
        page.text("No task is finished yet.")
    if record.failures:
        page.table(
            ["task", "reason"],
            [(task, failure.message) for task, failure in record.failures.items()],
            caption="Failed tasks",
        )
    if tasks:
        _add_runs(page, tasks)
    page.section("How it was made")
    page.text("To repeat this:")
    page.code(record.command)
    for title in ("options", "machine", "versions"):
        page.details(title.capitalize(), record.to_dict()[title])
    return page.html()


def _add_measured(page: Page, tasks: Tasks, suite: str) -> None:
    """Add the results of the finished tasks as a chart and as a table."""
    rows = [
        IntervalRow(
            f"{task} {metric}",
            figure.value,
            *_ends(figure),
            entry.baseline.get(metric),
            partial(format_metric, metric),
        )
        for task, entry in tasks.items()
        for metric, figure in entry.figures.items()
    ]
    page.chart(
        interval_chart(
            rows, title=f"{suite}, each task's metrics", value_name="value, 95% interval", baseline_name="baseline"
        ),
        "The baseline gives the same answer for every example: the most frequent label, or the mean, of the training "
        "file. "
        f"{_intervals_sentence(tasks)}",
    )
    page.table(
        ["task", "metric", "value", "95% interval", "baseline", "examples", "protocol"],
        [
            (
                _unbroken_parts(task) if place == 0 else "",
                metric,
                format_metric(metric, figure.value),
                _unbroken_parts(interval_in_words(metric, figure)),
                format_metric(metric, entry.baseline.get(metric)),
                entry.num_examples,
                _unbroken_parts(protocol_in_words(entry)),
            )
            for task, entry in tasks.items()
            for place, (metric, figure) in enumerate(entry.figures.items())
        ],
        caption="Finished tasks",
    )


def _add_runs(page: Page, tasks: Tasks) -> None:
    """Add links to the RUN of each task, and how it was trained."""
    runs = {entry.run: task for task, entry in reversed(list(tasks.items()))}
    page.section("Tasks", "Every task is a separate RUN with its own report.")
    page.links([(task, f"{task}/report.html") for task in reversed(runs.values())])
    page.table(
        ["task", "training examples", "training time", "truncated tokens", "diverged seeds"],
        [
            (
                _unbroken_parts(task),
                _training_examples(entry),
                clock(entry.seconds),
                entry.truncated_tokens,
                _seeds(entry.diverged_seeds) or "none",
            )
            for task, entry in tasks.items()
            if entry.seconds is not None
        ],
        caption="Training",
    )


def protocol_in_words(task: SuiteTask) -> str:
    """Return the file that a task was measured on, its seeds, and the file that selected the checkpoint."""
    protocol = task.protocol
    seeds = f"{protocol.over_seeds} of {protocol.seeds} seeds" if protocol.seeds > 1 else "one seed"
    if protocol.is_optimistic:
        seeds += " (optimistic)"
    chosen = "the same examples" if protocol.selected_on_reported_data else protocol.chosen_on
    drawn = f", trained on {_training_examples(task)}" if task.drawn_from else ""
    lost = f", {_seeds(task.diverged_seeds)} diverged" if task.diverged_seeds else ""
    return f"{protocol.figures_of}, {seeds}, selected on {chosen}{drawn}{lost}"


def interval_in_words(metric: str, figure: TableFigure | Average) -> str:
    """Return `71.5% to 81.3%`, or `none`."""
    return "none" if figure.low is None else interval_text(metric, figure.low, figure.high)


def _ends(figure: TableFigure) -> tuple[float, float]:
    """Return the ends of the interval, or the value twice if it has none."""
    low, high = (figure.value if end is None else end for end in (figure.low, figure.high))
    return low, high


def _intervals_sentence(tasks: Tasks) -> str:
    """Return which kind of interval the results have."""
    kinds = {
        "mean": "With several seeds, the interval is that of the mean (Student's t)",
        "median": "With several seeds, the interval is that of the median (order statistics; needs six seeds)",
        "best": "The best of several seeds has no interval",
    }
    return f"{kinds[next(iter(tasks.values())).protocol.over_seeds]}; with one seed, it is over the examples."


def average_in_words(average: Average, missing: list[str]) -> str:
    """Return what the average is over; a partial average is called partial."""
    tasks = len(average.tasks)
    each = {"mean": "", "median": ", using the median of each", "best": ", using the best seed of each"}[
        average.over_seeds
    ]
    if not average.partial:
        return f"mean over all {tasks} tasks{each}"
    return f"partial: over {tasks} of {tasks + len(missing)} tasks, without {', '.join(missing)}{each}"


def _seeds(seeds: Sequence[int]) -> str:
    """Return the seeds by their numbers, such as `seed 0 and seed 3`."""
    return " and ".join(f"seed {seed}" for seed in seeds)


def _unbroken_parts(text: str) -> str:
    """Return a text that breaks at its commas only, for a narrow cell."""
    return ", ".join(part.replace(" ", "\u00a0").replace("-", "\u2011") for part in text.split(", "))


def _add_figures(page: Page, average: Average, tasks: Tasks) -> None:
    interval = (
        f"{average.low:.3f} to {average.high:.3f}"
        if average.low is not None and average.high is not None
        else "without interval"
    )
    label = "Average, partial" if average.partial else "Average"
    cards: list[tuple[str, str | int | float, str]] = [(label, f"{average.mean:.3f}", interval)]
    for task, entry in tasks.items():
        score = percent(entry.score) if all(map(is_share, entry.metrics)) else f"{entry.score:.3f}"
        cards.append((task, score, " and ".join(entry.metrics)))
    page.figures(cards)


def _add_notices(page: Page, record: SuiteRecord) -> None:
    if record.status != "finished":
        running = record.status == "running"
        state = "The suite is running." if running else "To resume, repeat the command below with --resume."
        if to_do := record.to_do:
            names = f"{to_do[0]} now, then {', '.join(to_do[1:])}" if running and to_do[1:] else ", ".join(to_do)
            state = f"Still to do: {names}. {state}"
        page.notice(f"Not all tasks are finished. {state}", "info" if running else "warning")
    for task, failure in record.failures.items():
        page.notice(f"{task} failed: {failure.message}", "warning")
    average = record.average
    if average is not None and average.partial:
        page.notice(
            f"The average is {average_in_words(average, record.missing)}. Do not compare it with averages over all "
            "tasks."
        )
    same = [task for task, entry in record.tasks.items() if entry.protocol.selected_on_reported_data]
    if same:
        page.notice(
            f"{', '.join(same)}: the best checkpoint was selected on the same examples as the results, as is usual for "
            "GLUE's dev files. The results are slightly too good."
        )
    optimistic = [task for task, entry in record.tasks.items() if entry.protocol.is_optimistic]
    if optimistic:
        page.notice(
            f"{', '.join(optimistic)}: the best of several seeds, selected on the same examples as the results. A new "
            "seed usually does worse. To avoid this selection, use --over-seeds mean or median.",
            "warning",
        )
    diverged = [
        f"{task} ({_seeds(entry.diverged_seeds)})" for task, entry in record.tasks.items() if entry.diverged_seeds
    ]
    if diverged:
        page.notice(
            f"Seeds that do not beat the baseline on the dev file: {', '.join(diverged)}. See the reports of the "
            "tasks.",
            "warning",
        )
    drawn = [task for task, entry in record.tasks.items() if entry.drawn_from]
    if drawn:
        page.notice(f"Trained on a fixed random sample of the training file: {', '.join(drawn)}.", "warning")


def _training_examples(task: SuiteTask) -> str:
    of_all = f" of {task.drawn_from:,}" if task.drawn_from else ""
    return "" if task.num_train_examples is None else f"{task.num_train_examples:,}{of_all}"
