"""bertsmith pretrain."""

from __future__ import annotations

from collections.abc import Iterable
from math import floor, log10
from shlex import quote
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.evaluate import language_model_lines
from bertsmith.config.pretrain import PretrainOptions
from bertsmith.reporting.numbers import counted, percent
from bertsmith.runtime.console import format_bytes
from bertsmith.runtime.program import runnable


def _run(options: PretrainOptions) -> Iterable[Answer]:
    from bertsmith.verbs.pretrain import pretrain

    yield pretrain(options)


def _show(result: Any) -> str:
    if result.forecast:
        return _forecast_lines(result.forecast)
    return (
        f"{result.run}: {counted(result.steps, 'update')} over {result.tokens_seen:,} tokens in "
        f"{_time(result.seconds / 60)}\n"
        f"  speed             {result.tokens_per_second:,.0f} tokens/s{_peak(result.peak_share)}\n"
        f"{language_model_lines(result.evaluation, result.evaluation_before)}\n"
        f"{_general_line(result.general_evaluation, result.general_evaluation_before)}"
        f"  report            {result.run}/report.html\n"
        f"Next: {_next_command(result)}"
    )


def _next_command(result: Any) -> str:
    """A try of what the model has learnt: one without masked language modelling knows pairs only."""
    if result.evaluation["mlm_nats_per_masked_token"] is None:
        return f'{runnable("bertsmith next-sentence")} {quote(str(result.run))} "A sentence." "The one behind it."'
    return f'{runnable("bertsmith fill-mask")} {quote(str(result.run))} "A sentence with a [MASK] in it."'


def _general_line(after: dict[str, Any] | None, before: dict[str, Any] | None) -> str:
    """The loss on the general text, where there is one."""
    if after is None or before is None or after["mlm_nats_per_masked_token"] is None:
        return ""
    was = before["mlm_nats_per_masked_token"]
    return f"  general text      {after['mlm_nats_per_masked_token']:.3f} nats (before: {was:.3f})\n"


def _peak(share: float | None) -> str:
    return f", {percent(share)} of the matrix-product peak" if share is not None else ""


def _forecast_lines(forecast: dict[str, Any]) -> str:
    passes = f", {forecast['passes']:,.2f} passes over the STORE" if forecast["passes"] is not None else ""
    return (
        f"a forecast, nothing was trained (--dry-run):\n"
        f"  parameters        {forecast['parameters']:,}\n"
        f"  memory            {format_bytes(forecast['memory_bytes'])}, "
        f"{format_bytes(forecast['free_memory_bytes'])} are free\n"
        f"  time              {_time(forecast['minutes'])}: {forecast['updates']:,} updates of "
        f"{forecast['seconds_per_update']:.3f} s, evaluations aside\n"
        f"  tokens            {forecast['tokens']:,}{passes}\n"
        f"  tokens/parameter  {_two_digits(forecast['tokens_per_parameter'])}\n"
        f"  speed             {forecast['tokens_per_second']:,.0f} tokens/s, "
        f"{percent(forecast['peak_share'])} of the matrix-product peak"
    )


def _time(minutes: float) -> str:
    return f"{minutes:,.1f} minutes" if minutes >= 1 else f"{_two_digits(60 * minutes)} seconds"


def _two_digits(figure: float) -> str:
    """A ratio with two digits that say something: 0.0031, 0.42, 20, 1,300."""
    digits = max(0, 1 - floor(log10(figure))) if figure > 0 else 0
    return f"{figure:,.{digits}f}"


COMMAND = Command(
    "pretrain",
    "Pre-train a BERT with masked language modelling and next sentence prediction; from scratch, or from a MODEL.",
    PretrainOptions,
    _run,
    _show,
    "bertsmith pretrain data/books --out runs/books --size mini --minutes 10",
    many_processes=True,
)
