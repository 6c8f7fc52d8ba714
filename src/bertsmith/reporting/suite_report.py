"""The report of a suite: the table of its tasks, a picture of their figures, and how they were measured."""

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
    """report.html of the results of a suite, from its suite.json."""
    tasks, suite = record.tasks, TITLES[record.suite]
    page = Page(f"{name}: {suite}", f"Fine-tuned from {record.model}")
    if record.average is not None:
        _add_figures(page, record.average, tasks)
    _add_notices(page, record)
    page.section("Figures", "Each task's own metrics. What they are of stands beside each.")
    if tasks:
        _add_measured(page, tasks, suite)
    else:
        page.text("No task is done yet.")
    if record.failures:
        page.table(
            ["task", "what stopped it"],
            [(task, failure.message) for task, failure in record.failures.items()],
            caption="The tasks that failed",
        )
    if tasks:
        _add_runs(page, tasks)
    page.section("How it was made")
    page.text("The command that makes it again:")
    page.code(record.command)
    for title in ("options", "machine", "versions"):
        page.details(title.capitalize(), record.to_dict()[title])
    return page.html()


def _add_measured(page: Page, tasks: Tasks, suite: str) -> None:
    """The figures of the tasks that are done, as a picture and as a table."""
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
            rows, title=f"{suite}, each task's metrics", value_name="figure, 95% interval", baseline_name="baseline"
        ),
        "The baseline is always the same answer: the most frequent label of the training file, or its mean. "
        f"{_intervals_sentence(tasks)}",
    )
    page.table(
        ["task", "metric", "figure", "95% interval", "baseline", "examples", "protocol"],
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
        caption="The tasks that are done",
    )


def _add_runs(page: Page, tasks: Tasks) -> None:
    """Where the RUN of each task is, and how it was trained."""
    runs = {entry.run: task for task, entry in reversed(list(tasks.items()))}
    page.section("Tasks", "Each task is a RUN of its own, with its own report.")
    page.links([(task, f"{task}/report.html") for task in reversed(runs.values())])
    page.table(
        ["task", "training examples", "time of training", "texts cut, tokens", "diverged seeds"],
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
        caption="How they were trained",
    )


def protocol_in_words(task: SuiteTask) -> str:
    """The file of a task's figures, the seeds, and the file that the checkpoint was chosen on."""
    protocol = task.protocol
    seeds = f"{protocol.over_seeds} of {protocol.seeds} seeds" if protocol.seeds > 1 else "one seed"
    if protocol.is_optimistic:
        seeds += " (optimistic)"
    chosen = "the same examples" if protocol.selected_on_reported_data else protocol.chosen_on
    drawn = f", trained on {_training_examples(task)}" if task.drawn_from else ""
    lost = f", {_seeds(task.diverged_seeds)} diverged" if task.diverged_seeds else ""
    return f"{protocol.figures_of}, {seeds}, chosen on {chosen}{drawn}{lost}"


def interval_in_words(metric: str, figure: TableFigure | Average) -> str:
    """`71.5% to 81.3%`, or that there is none."""
    return "none" if figure.low is None else interval_text(metric, figure.low, figure.high)


def _ends(figure: TableFigure) -> tuple[float, float]:
    """The ends of the interval; without one the value itself."""
    low, high = (figure.value if end is None else end for end in (figure.low, figure.high))
    return low, high


def _intervals_sentence(tasks: Tasks) -> str:
    """Which interval the figures of several seeds have."""
    kinds = {
        "mean": "Over several seeds the interval is of their mean (Student's t)",
        "median": "Over several seeds the interval is of their median (order statistics; six seeds at least)",
        "best": "The best of several seeds has no interval",
    }
    return f"{kinds[next(iter(tasks.values())).protocol.over_seeds]}, with one seed it is over the examples."


def average_in_words(average: Average, missing: list[str]) -> str:
    """What an average is over; a partial one is called so."""
    tasks = len(average.tasks)
    each = {"mean": "", "median": ", of each its median", "best": ", of each its best seed"}[average.over_seeds]
    if not average.partial:
        return f"mean over all {tasks} tasks{each}"
    return f"partial: over {tasks} of {tasks + len(missing)} tasks, without {', '.join(missing)}{each}"


def _seeds(seeds: Sequence[int]) -> str:
    """Seeds by their numbers: 0 is one of them, and not none."""
    return " and ".join(f"seed {seed}" for seed in seeds)


def _unbroken_parts(text: str) -> str:
    """A text that breaks between its pieces alone, for a narrow cell."""
    return ", ".join(piece.replace(" ", "\u00a0").replace("-", "\u2011") for piece in text.split(", "))


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
        told = "This is going on." if running else "The command below, with --resume, goes on."
        if to_do := record.to_do:
            names = f"{to_do[0]} now, then {', '.join(to_do[1:])}" if running and to_do[1:] else ", ".join(to_do)
            told = f"Still to do: {names}. {told}"
        page.notice(f"Not all tasks are done. {told}", "info" if running else "warning")
    for task, failure in record.failures.items():
        page.notice(f"{task} failed: {failure.message}", "warning")
    average = record.average
    if average is not None and average.partial:
        page.notice(
            f"The average is {average_in_words(average, record.missing)}. It cannot be set beside averages over all "
            "of them."
        )
    same = [task for task, entry in record.tasks.items() if entry.protocol.selected_on_reported_data]
    if same:
        page.notice(
            f"The best checkpoint was chosen on the very examples that the figures of {', '.join(same)} are of, as is "
            "usual for GLUE's dev files: they are a little too good."
        )
    optimistic = [task for task, entry in record.tasks.items() if entry.protocol.is_optimistic]
    if optimistic:
        page.notice(
            f"Of {', '.join(optimistic)} the figure is that of the best of several seeds, found on the very examples: "
            "another training with another seed reaches less as a rule. --over-seeds mean or median does not choose.",
            "warning",
        )
    diverged = [
        f"{task} ({_seeds(entry.diverged_seeds)})" for task, entry in record.tasks.items() if entry.diverged_seeds
    ]
    if diverged:
        page.notice(
            "Seeds that diverged, whose best figure on the dev file does not pass the baseline: "
            f"{', '.join(diverged)}. The reports of the tasks say more.",
            "warning",
        )
    drawn = [task for task, entry in record.tasks.items() if entry.drawn_from]
    if drawn:
        page.notice(f"Trained on a fixed random part of the training files alone: {', '.join(drawn)}.", "warning")


def _training_examples(task: SuiteTask) -> str:
    of_all = f" of {task.drawn_from:,}" if task.drawn_from else ""
    return "" if task.num_train_examples is None else f"{task.num_train_examples:,}{of_all}"
