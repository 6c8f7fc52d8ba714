"""Line charts as SVG, without a plotting library.

Colours come from the classes and variables of `page.css`, so charts follow the light or dark theme of the page.
Without data the chart says "no data yet".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bertsmith.reporting.axes import PLOT_HEIGHT, ROW, Axes, line
from bertsmith.reporting.numbers import format_number
from bertsmith.reporting.scales import Point, downsample, is_drawable, pad_range, robust_range
from bertsmith.reporting.svg import WIDTH, element, empty_figure, figure, shorten_to_width, text, text_width

_COLOURS = 6
"""`page.css` has --series-1 to --series-6; a seventh series starts over."""


@dataclass(frozen=True)
class Series:
    """Named points of a line chart.

    `emphasis`: "line" is a strong line; "faint" is a thin grey line for noisy raw values; "points" are separate dots,
    for values that are measured now and then.
    """

    name: str
    points: Sequence[Point]
    emphasis: Literal["line", "faint", "points"] = "line"


def line_chart(
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    reference_lines: Sequence[tuple[str, float]] = (),
    title: str,
    marks: bool = False,
    whole_x: bool = False,
) -> str:
    """Return series over a common x axis, with labelled horizontal reference lines.

    Points are sorted by x; non-finite points are skipped. A series of more than 400 points is drawn as the means of
    neighbouring points, so single spikes look lower than they were. The y axis leaves out a few very high values if
    they would flatten the rest (`scales.robust_range`); the chart then says how high they reach. All reference lines
    are inside.

    Args:
        marks: draw a dot on every point of every line.
        whole_x: only whole numbers on the x axis, such as updates or layers.
    """
    drawn = [Series(s.name, _drawable_points(s.points), s.emphasis) for s in series]
    drawn = [s for s in drawn if s.points]
    if not drawn:
        return empty_figure(title)
    references = [(label, value) for label, value in reference_lines if is_drawable(value)]
    xs = [x for s in drawn for x, _ in s.points]
    ys = [y for s in drawn for _, y in s.points]
    x_range = pad_range(min(xs), max(xs))
    y_range = robust_range(ys, always=[value for _, value in references])
    classes = _colour_classes(drawn)
    legend, legend_height = _legend(drawn, classes)
    hidden_note = f"↑ up to {format_number(float(max(ys)))}" if max(ys) > y_range[1] else ""
    axes = Axes(
        x_range,
        y_range,
        top=legend_height + ROW,
        x_label=x_label,
        y_label=y_label,
        hidden_note=hidden_note,
        whole_x=whole_x,
    )
    inside = [part for s, kind in zip(drawn, classes, strict=True) for part in _series(s, kind, axes, marks=marks)]
    description = "; ".join(
        f"{s.name}: {len(s.points)} points, from {format_number(float(s.points[0][1]))} to "
        f"{format_number(float(s.points[-1][1]))}"
        for s in drawn
    )
    return figure(
        [*legend, *axes.grid(), axes.clipped(inside), *_reference_lines(references, axes)],
        height=axes.height,
        title=title,
        description=description,
    )


def _drawable_points(points: Sequence[Point]) -> list[Point]:
    return sorted(((x, y) for x, y in points if is_drawable(x) and is_drawable(y)), key=lambda point: point[0])


def _colour_classes(series: Sequence[Series]) -> list[str]:
    """Return a class for each series; faint series are grey and use no colour."""
    classes, coloured = [], 0
    for one in series:
        if one.emphasis == "faint":
            classes.append("chart-faint")
        else:
            classes.append(f"chart-series-{coloured % _COLOURS + 1}")
            coloured += 1
    return classes


def _legend(series: Sequence[Series], classes: Sequence[str]) -> tuple[list[str], float]:
    """Return the parts of the legend and its height; entries wrap to new rows."""
    parts, x, y = [], 0.0, 18.0
    for one, kind in zip(series, classes, strict=True):
        name = shorten_to_width(one.name, WIDTH - 40)
        width = 36 + text_width(name) + 22
        if x and x + width - 22 > WIDTH:
            x, y = 0.0, y + ROW
        if one.emphasis == "points":
            parts.append(_dot(x + 14, y - 6, kind))
        else:
            parts.append(line(x, y - 6, x + 28, y - 6, f"chart-line {kind}"))
        parts.append(text(one.name, x + 36, y, "chart-label", room=WIDTH - 40))
        x += width
    return parts, y + 18


def _series(series: Series, kind: str, axes: Axes, *, marks: bool) -> list[str]:
    # Points outside the plot keep their side, but not coordinates so large that a renderer fails.
    low, high = axes.top - 2 * PLOT_HEIGHT, axes.bottom + 2 * PLOT_HEIGHT
    places = [(axes.x(x), min(max(axes.y(y), low), high)) for x, y in downsample(series.points)]
    dots = [_dot(x, y, kind) for x, y in places]
    if series.emphasis == "points":
        return dots
    path = " ".join(f"{x:.2f},{y:.2f}" for x, y in places)
    drawn = element(
        "polyline", {"class": f"chart-line {kind}", "points": path, "fill": "none", "stroke": "currentColor"}
    )
    return [drawn, *dots] if marks or len(dots) == 1 else [drawn]


def _reference_lines(references: Sequence[tuple[str, float]], axes: Axes) -> list[str]:
    """Return dashed lines with labels above their right end, or below it if there is no room."""
    ordered = sorted(references, key=lambda reference: -reference[1])
    heights = [axes.y(value) for _, value in ordered]
    baselines: list[float] = []
    for height in heights:
        free_from = baselines[-1] + 20 if baselines else axes.top + 14
        baselines.append(height - 7 if height - 7 >= free_from else max(height + 17, free_from))
    lowest = axes.bottom - 5
    for index in reversed(range(len(baselines))):
        baselines[index] = min(baselines[index], lowest)
        lowest = baselines[index] - 20
    parts = [line(axes.left, height, axes.right, height, "chart-reference") for height in heights]
    for (label, value), baseline in zip(ordered, baselines, strict=True):
        words = f"{label} {format_number(float(value))}"
        room = axes.right - axes.left
        parts.append(text(words, axes.right - 2, baseline, "chart-halo", anchor="end", room=room))
    return parts


def _dot(x: float, y: float, kind: str) -> str:
    return element("circle", {"class": f"chart-dot {kind}", "cx": x, "cy": y, "r": 5.0})
