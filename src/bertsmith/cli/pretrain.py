"""bertsmith pretrain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import floor, log10
from shlex import quote
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.verdicts import language_model_lines
from bertsmith.config.pretrain import PretrainOptions
from bertsmith.records.pretraining import PretrainingRecord
from bertsmith.records.run import FILE as RUN_RECORD
from bertsmith.reporting.numbers import counted, percent
from bertsmith.runtime.console import format_bytes
from bertsmith.runtime.program import runnable


def _run(options: PretrainOptions) -> Iterable[Answer]:
    from bertsmith.verbs.pretrain import pretrain

    yield pretrain(options)


def _show(result: Any) -> str:
    if result.forecast:
        return _forecast_lines(result.forecast)
    record = PretrainingRecord.read(result.run / RUN_RECORD)
    lines = [
        f"{result.run} is ready: {counted(result.steps, 'update')}, {result.tokens_seen:,} tokens, "
        f"{_time(result.seconds / 60)}",
        *language_model_lines(result.evaluation, result.evaluation_before, record.data.audit),
        *_general_line(result.general_evaluation, result.general_evaluation_before),
        f"  speed             {result.tokens_per_second:,.0f} tokens/s{_peak(result.peak_share)}",
        f"  report            {result.run}/report.html",
        "",
        "Next:",
        f"  {_next_command(result)}",
    ]
    return "\n".join(lines)


def _next_command(result: Any) -> str:
    """Return a command that tries the model: a model without masked language modelling only knows pairs."""
    if result.evaluation["mlm_nats_per_masked_token"] is None:
        return f'{runnable("bertsmith next-sentence")} {quote(str(result.run))} "A sentence." "The next one."'
    return f'{runnable("bertsmith fill-mask")} {quote(str(result.run))} "A sentence with a [MASK] in it."'


def _general_line(after: dict[str, Any] | None, before: dict[str, Any] | None) -> Iterator[str]:
    """Yield the loss on the text of `--general-text`, if there is one."""
    if after is None or before is None or after["mlm_nats_per_masked_token"] is None:
        return
    was = before["mlm_nats_per_masked_token"]
    yield f"  general text      {after['mlm_nats_per_masked_token']:.3f} nats (before training: {was:.3f})"


def _peak(share: float | None) -> str:
    return f", {percent(share)} of the peak of this machine" if share is not None else ""


def _forecast_lines(forecast: dict[str, Any]) -> str:
    passes = f", {forecast['passes']:,.2f} passes over the STORE" if forecast["passes"] is not None else ""
    return (
        f"Forecast (--dry-run), nothing was trained:\n"
        f"  parameters        {forecast['parameters']:,}\n"
        f"  memory            {format_bytes(forecast['memory_bytes'])} of "
        f"{format_bytes(forecast['free_memory_bytes'])} free\n"
        f"  time              {_time(forecast['minutes'])} without evaluations: {forecast['updates']:,} updates of "
        f"{forecast['seconds_per_update']:.3f} s\n"
        f"  tokens            {forecast['tokens']:,}{passes}\n"
        f"  tokens/parameter  {_two_digits(forecast['tokens_per_parameter'])}\n"
        f"  speed             {forecast['tokens_per_second']:,.0f} tokens/s{_peak(forecast['peak_share'])}"
    )


def _time(minutes: float) -> str:
    return f"{minutes:,.1f} minutes" if minutes >= 1 else f"{_two_digits(60 * minutes)} seconds"


def _two_digits(figure: float) -> str:
    """Write a ratio with two significant digits: 0.0031, 0.42, 20, 1,300."""
    digits = max(0, 1 - floor(log10(figure))) if figure > 0 else 0
    return f"{figure:,.{digits}f}"


COMMAND = Command(
    "pretrain",
    "Pre-train a BERT on a STORE by masked language modelling and next sentence prediction, from scratch or from a "
    "MODEL.",
    PretrainOptions,
    _run,
    _show,
    "bertsmith pretrain data/books --out runs/books --size mini --minutes 10",
    many_processes=True,
)
