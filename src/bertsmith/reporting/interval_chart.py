"""Dots with whiskers as SVG: one value per row with its interval and a baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bertsmith.reporting.axes import line
from bertsmith.reporting.scales import is_drawable, nice_ticks, pad_range, tick_labels
from bertsmith.reporting.svg import WIDTH, element, empty_figure, figure, text, text_width

_ROW, _LEGEND, _AXIS = 34.0, 34.0, 34.0
_WHISKER, _TICK = 5.0, 12.0
"""Half of the height of a whisker's end, and of the mark of a baseline."""


@dataclass(frozen=True)
class IntervalRow:
    """A named value with its interval from `low` to `high`, and a baseline to compare it with."""

    label: str
    value: float
    low: float
    high: float
    baseline: float | None = None
    format: Callable[[float], str] = "{:.3f}".format
    """Formats the values of this row."""


def interval_chart(rows: Sequence[IntervalRow], *, title: str, value_name: str, baseline_name: str) -> str:
    """Return a chart with a dot per value, a line over its interval and a grey mark at its baseline, on one axis.

    Rows with values that are not finite are left out. `value_name` and `baseline_name` are for the legend.
    """
    drawn = [row for row in rows if all(map(is_drawable, (row.value, row.low, row.high)))]
    if not drawn:
        return empty_figure(title)
    baselines = [row.baseline for row in drawn if row.baseline is not None and is_drawable(row.baseline)]
    ends = [end for row in drawn for end in (row.value, row.low, row.high)] + baselines
    low, high = pad_range(min(0.0, *ends), max(ends))
    written = [row.format(row.value) for row in drawn]
    left = min(max(text_width(row.label) for row in drawn), WIDTH * 0.36) + 14
    right = WIDTH - max(map(text_width, written)) - 18

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    bottom = _LEGEND + len(drawn) * _ROW
    parts = _legend(value_name, baseline_name)
    ticks = nice_ticks(low, high, at_most=5)
    for tick, label in zip(ticks, tick_labels(ticks), strict=True):
        parts.append(line(x(tick), _LEGEND, x(tick), bottom, "chart-grid"))
        parts.append(text(label, x(tick), bottom + 24, "chart-tick", anchor="middle"))
    for place, (row, value) in enumerate(zip(drawn, written, strict=True)):
        y = _LEGEND + (place + 0.5) * _ROW
        parts.append(text(row.label, left - 14, y + 6, "chart-label", anchor="end", room=left - 14))
        if row.baseline is not None and is_drawable(row.baseline):
            parts.append(_baseline(x(row.baseline), y))
        parts += _whisker(x(row.low), x(row.high), x(row.value), y)
        parts.append(text(value, WIDTH, y + 6, "chart-value", anchor="end"))
    described = "; ".join(
        f"{row.label}: {row.format(row.value)}, {row.format(row.low)} to {row.format(row.high)}"
        + (f", {baseline_name} {row.format(row.baseline)}" if row.baseline is not None else "")
        for row in drawn
    )
    return figure(parts, height=bottom + _AXIS, title=title, description=described)


def _legend(value_name: str, baseline_name: str) -> list[str]:
    second = 54 + text_width(value_name) + 26
    return [
        *_whisker(0, 40, 20, 12),
        text(value_name, 50, 18, "chart-label", room=WIDTH / 2),
        _baseline(second, 12),
        text(baseline_name, second + 12, 18, "chart-label", room=WIDTH - second - 12),
    ]


def _whisker(low: float, high: float, value: float, y: float) -> list[str]:
    kind = "chart-line chart-series-1"
    return [
        line(low, y, high, y, kind),
        line(low, y - _WHISKER, low, y + _WHISKER, kind),
        line(high, y - _WHISKER, high, y + _WHISKER, kind),
        element("circle", {"class": "chart-dot chart-series-1", "cx": value, "cy": y, "r": 6.0}),
    ]


def _baseline(x: float, y: float) -> str:
    return element(
        "rect", {"class": "chart-bar-muted", "x": x - 2.5, "y": y - _TICK, "width": 5.0, "height": 2 * _TICK, "rx": 1.0}
    )
