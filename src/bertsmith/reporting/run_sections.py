"""The sections that the reports of pre-training and fine-tuning share: progress, warnings, speed, provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bertsmith.records.run import RunRecord
from bertsmith.reporting.page import Page
from bertsmith.reporting.run_progress import Lines, run_progress
from bertsmith.runtime.console import clock

_OPEN_WARNINGS = 3


def add_warnings(page: Page, warnings: Sequence[str]) -> None:
    """Add the warnings: the first few open, the rest collapsed."""
    for warning in warnings[:_OPEN_WARNINGS]:
        text, _, commands = warning.partition("\n")
        page.notice(text, "warning")
        if commands:
            page.code("\n".join(line.strip() for line in commands.splitlines()))
    more = warnings[_OPEN_WARNINGS:]
    if more:
        page.collapsible(f"{len(more)} more warning{'s' if len(more) > 1 else ''}", more)


def add_progress(
    page: Page, record: RunRecord, updates: Lines, *, held_out: tuple[int, float] | None = None, as_of: str
) -> None:
    """Add progress and losses of an unfinished run; `held_out` is (update, MLM loss) of the last evaluation."""
    progress = run_progress(record.budget, updates)
    cards: list[tuple[str, str | int | float, str]] = []
    if updates:
        of = f"of {progress.steps:,}" if progress.steps is not None else ""
        share = f"{progress.share:.0%} done" if progress.share is not None else ""
        cards.append(("Update", progress.step, ", ".join(filter(None, (of, share)))))
        if progress.seconds_left is not None and record.status == "running":
            cards.append(("Time left", clock(progress.seconds_left), "estimated, without the final evaluation"))
        for name, label in (("mlm_loss", "MLM loss"), ("nsp_loss", "NSP loss"), ("loss", "Training loss")):
            points = [(float(line["step"]), float(line[name])) for line in updates if name in line]
            if points:
                cards.append((label, f"{smoothed(points)[-1][1]:.2f}", "nats, smoothed over the last updates"))
    if held_out is not None:
        step, nats = held_out
        cards.append(("Held-out MLM loss", f"{nats:.2f}", f"nats, at update {step:,}"))
    page.figures(cards)
    if record.status == "running":
        page.notice(f"This run is training: {progress}." + (f" Last metrics at {as_of}." if as_of else ""))
    else:
        page.notice(
            f"This run is not finished ({record.status}): {progress}. To resume it, repeat its command with --resume.",
            "warning",
        )


def smoothed(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return an exponential moving average over about a thirtieth of the curve, corrected for its start at zero."""
    keep = 1 - 1 / max(2.0, len(points) / 30)
    mean, weight, result = 0.0, 0.0, []
    for x, y in points:
        mean, weight = keep * mean + (1 - keep) * y, keep * weight + (1 - keep)
        result.append((x, mean / weight))
    return result


def add_speed(page: Page, updates: Lines) -> None:
    """Add the speed of the training."""
    if not updates:
        return
    rates = sorted(line["tokens_per_second"] for line in updates)
    page.text(
        f"{updates[-1]['step']:,} updates over {updates[-1]['tokens_seen']:,} tokens in "
        f"{updates[-1]['seconds'] / 60:.1f} minutes; {rates[len(rates) // 2]:,.0f} tokens per second (median)."
    )


def add_provenance(page: Page, record: RunRecord, data: Mapping[str, object]) -> None:
    """Add the automatic choices, the command, options, `data`, machine and versions."""
    page.table(
        ["choice", "value", "reason"],
        [(choice.name, choice.value, choice.reason) for choice in record.choices],
        caption="Automatic choices",
    )
    page.text("To repeat this run:")
    page.code(record.command)
    for title, values in (
        ("Options", record.options),
        ("Data", data),
        ("Machine", record.machine.to_dict()),
        ("Versions", record.versions),
    ):
        page.details(title, values)
