"""Line charts, bars and histograms as SVG strings, without a plotting library.

The charts take their colours from the classes and variables of `page.css`, so that they follow the light or
dark theme of the page that they stand in. Nothing to draw gives a figure that says "no data yet".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bertsmith.reporting.numbers import format_number, percent
from bertsmith.reporting.scales import (
    Point,
    is_drawable,
    nice_ticks,
    robust_range,
    thinned,
    tick_labels,
    widened,
)
from bertsmith.reporting.svg import WIDTH, element, empty_figure, figure, shortened, text, text_width

_PLOT_HEIGHT = 250.0
_ROW = 28.0
_COLOURS = 6
"""`page.css` has --series-1 to --series-6; a seventh series starts over."""

Scale = Callable[[float], float]


@dataclass(frozen=True)
class Series:
    """Named points of a line chart.

    `emphasis`: "line" is a strong line; "faint" is a thin grey one for noisy raw values, and takes no colour;
    "points" are separate dots, for values measured now and then.
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
    """Series over a common x axis, with labelled horizontal reference lines.

    Points are put in the order of x. Non-finite ones are skipped. A series of more than 400 points is
    thinned: its neighbouring points are binned and each bin is drawn as its mean, so single spikes look lower
    than they were. The y axis leaves out the few wildest high values if they would flatten the rest
    (`scales.robust_range`), and the chart then says how high they reach; all reference lines are inside.
    `marks` puts a dot on every point of every line. `whole_x` is for what there is no half of, such as layers.
    """
    drawn = [Series(s.name, _drawable_points(s.points), s.emphasis) for s in series]
    drawn = [s for s in drawn if s.points]
    if not drawn:
        return empty_figure(title)
    references = [(label, value) for label, value in reference_lines if is_drawable(value)]
    xs = [x for s in drawn for x, _ in s.points]
    ys = [y for s in drawn for _, y in s.points]
    x_range = widened(min(xs), max(xs))
    y_range = robust_range(ys, always=[value for _, value in references])
    classes = _colour_classes(drawn)
    legend, legend_height = _legend(drawn, classes)
    hidden_note = f"↑ up to {format_number(float(max(ys)))}" if max(ys) > y_range[1] else ""
    axes = _Axes(
        x_range,
        y_range,
        top=legend_height + _ROW,
        x_label=x_label,
        y_label=y_label,
        hidden_note=hidden_note,
        whole_x=whole_x,
    )
    inside = [part for s, kind in zip(drawn, classes, strict=True) for part in _series(s, kind, axes, marks)]
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


def bar_chart(
    rows: Sequence[tuple[str, float]],
    *,
    title: str,
    value_format: str = "{:.2f}",
    highlight: str | None = None,
    dense: bool = False,
) -> str:
    """Horizontal bars from zero, each with label and value; `highlight` is the label of the bar that matters.

    Labels stand left of the bars, or above them if one is long; what still does not fit is shortened. A
    non-finite value has a row without a bar. `dense` sets the rows closer, for a long list of short labels.
    """
    if not rows:
        return empty_figure(title)
    finite = [value for _, value in rows if is_drawable(value)]
    low, high = min([0.0, *finite]), max([0.0, *finite])
    low, high = (low, high) if high > low else (0.0, 1.0)
    values = [value_format.format(value) if is_drawable(value) else "n/a" for _, value in rows]
    values_width = min(max(text_width(value) for value in values) + 10, WIDTH / 3)
    longest = max(text_width(label) for label, _ in rows)
    stacked = longest > WIDTH * 0.36
    left = 0.0 if stacked else longest + 12
    row_height, bar_top, bar_height = (
        (56.0, 28.0, 22.0) if stacked else (24.0, 3.0, 18.0) if dense else (36.0, 7.0, 22.0)
    )
    value_y = bar_top + bar_height - (3.0 if dense and not stacked else 5.0)
    label_y = 20.0 if stacked else value_y
    scale = _linear((low, high), (left, WIDTH - values_width))
    parts: list[str] = []
    for index, ((label, value), written) in enumerate(zip(rows, values, strict=True)):
        top = index * row_height
        kind = " chart-strong" if label == highlight else ""
        label_x, anchor = (0.0, "start") if stacked else (left - 12, "end")
        parts.append(text(label, label_x, top + label_y, f"chart-label{kind}", anchor=anchor))
        if is_drawable(value):
            start, end = sorted((scale(0.0), scale(value)))
            shape = {
                "x": start,
                "y": top + bar_top,
                "width": end - start,
                "height": bar_height,
                "rx": 2.0,
            }
            muted = highlight is not None and label != highlight
            parts.append(element("rect", {"class": "chart-bar-muted" if muted else "chart-bar", **shape}))
        parts.append(text(written, WIDTH, top + value_y, f"chart-value{kind}", anchor="end", room=values_width))
    height = len(rows) * row_height + 4
    if low < 0:
        parts.append(_line(scale(0.0), 0, scale(0.0), height, "chart-axis"))
    described = "; ".join(f"{label}: {value}" for (label, _), value in zip(rows, values, strict=True))
    return figure(parts, height=height, title=title, description=described)


def compared_bars(
    rows: Sequence[tuple[str, float, float | None]], *, names: tuple[str, str], title: str, value_format: str = "{:.2f}"
) -> str:
    """Horizontal bars from zero, and under each a thin grey one that it is compared with, both with their values.

    `names` says what the bars and the grey ones are, in a legend; a grey one that is None is left out. Labels stand
    above the bars. A value that is not finite or below zero has no bar.
    """
    if not rows:
        return empty_figure(title)
    drawable = [value for _, *pair in rows for value in pair if value is not None and is_drawable(value)]
    scale = _linear((0.0, max([0.0, *drawable]) or 1.0), (0.0, WIDTH - 90))
    thick, thin = 18.0, 8.0
    parts: list[str] = []
    x = 0.0
    shown = names if any(second is not None for *_, second in rows) else names[:1]
    for name, kind in zip(shown, ("chart-bar", "chart-bar-muted"), strict=False):
        parts.append(element("rect", {"class": kind, "x": x, "y": 5, "width": 22, "height": 12, "rx": 2}))
        parts.append(text(name, x + 30, 17, "chart-label"))
        x += 30 + text_width(name) + 24
    top = 34.0
    described = []
    for label, value, beside in rows:
        parts.append(text(label, 0, top + 16, "chart-label"))
        at = top + 23
        for one, kind, height in ((value, "chart-bar", thick), (beside, "chart-bar-muted", thin)):
            if one is None:
                continue
            written = value_format.format(one) if is_drawable(one) else "n/a"
            described.append(f"{label}, {names[0] if kind == 'chart-bar' else names[1]}: {written}")
            if is_drawable(one) and one > 0:
                shape = {"x": 0, "y": at, "width": scale(one), "height": height, "rx": 2}
                parts.append(element("rect", {"class": kind, **shape}))
            name = "chart-value" if kind == "chart-bar" else "chart-muted"
            at_y = at + (14 if kind == "chart-bar" else 16)
            parts.append(text(written, WIDTH, at_y, name, anchor="end", room=90))
            at += height + 1
        top += 64 if beside is not None else 52
    return figure(parts, height=top, title=title, description="; ".join(described))


def histogram(
    bins: Sequence[tuple[float, float, int]], *, title: str, x_label: str, muted_from: float | None = None
) -> str:
    """Counts over ranges, each bin a `(low, high, count)`; bins without an extent are left out.

    Bins that begin at `muted_from` or behind it are grey: what is beyond a limit.
    """
    kept = [bin_ for bin_ in bins if all(map(is_drawable, bin_)) and bin_[1] > bin_[0] and bin_[2] >= 0]
    if not kept:
        return empty_figure(title)
    x_range = widened(min(low for low, _, _ in kept), max(high for _, high, _ in kept))
    most = max(count for _, _, count in kept)
    axes = _Axes(x_range, (0.0, max(most, 1) * 1.05), top=_ROW, x_label=x_label, y_label="count", whole_counts=True)
    bars = []
    for low, high, count in kept:
        left, right, top = axes.x(low), axes.x(high), axes.y(count)
        gap = 1.0 if right - left > 4 else 0.0
        shape = {"x": left, "y": top, "width": max(right - left - gap, 0.5), "height": axes.bottom - top}
        tooltip = f"{format_number(low)} to {format_number(high)}: {format_number(count)}"
        kind = "chart-bar" if muted_from is None or low < muted_from else "chart-bar-muted"
        bars.append(element("rect", {"class": kind, **shape}, element("title", {}, tooltip)))
    total = sum(count for _, _, count in kept)
    described = f"{format_number(total)} in {len(kept)} bins, at most {format_number(most)} in one"
    return figure([*axes.grid(), *bars], height=axes.height, title=title, description=described)


def reliability_diagram(bins: Sequence[tuple[float, float, float, int]], *, title: str) -> str:
    """A bar for each `(low, high, accuracy, count)` of probabilities, and the diagonal of a calibrated model.

    The height is the share of cases that are right; above a bar stands how many cases there are, where it fits.
    """
    kept = [bin_ for bin_ in bins if bin_[3] > 0]
    if not kept:
        return empty_figure(title)
    axes = _Axes((0.0, 100.0), (0.0, 100.0), top=_ROW + 20, x_label="probability of the answer, %", y_label="right, %")
    bars, counts = [], []
    for low, high, accuracy, count in kept:
        left, right, top = axes.x(100 * low), axes.x(100 * high), axes.y(100 * accuracy)
        shape = {"x": left + 0.5, "y": top, "width": right - left - 1, "height": axes.bottom - top}
        tooltip = f"{percent(low)} to {percent(high)}: {percent(accuracy)} of {count:,} right"
        bars.append(element("rect", {"class": "chart-bar", **shape}, element("title", {}, tooltip)))
        written = f"{count:,}" if count < 1000 else f"{count / 1000:.0f}k"
        if text_width(written) <= right - left + 4:
            counts.append(text(written, (left + right) / 2, top - 6, "chart-halo", anchor="middle"))
    diagonal = _line(axes.x(0), axes.y(0), axes.x(100), axes.y(100), "chart-reference")
    described = f"{sum(count for *_, count in kept):,} cases in {len(kept)} bins"
    return figure([*axes.grid(), *bars, diagonal, *counts], height=axes.height, title=title, description=described)


def doubling_histogram(classes: Mapping[int, int], *, title: str, x_label: str, y_label: str = "count") -> str:
    """Counts over ranges that double: class k holds the values 2^k to 2^(k+1) - 1, and class 0 also 0.

    All bars are equally wide, so that short and long stand beside each other, and the ticks are the first values of
    the classes, as many as have room. Where they fit, the bars bear their share of all. A class below 0 or above 60
    and a negative count are left out.
    """
    kept = {k: count for k, count in sorted(classes.items()) if 0 <= k <= 60 and count >= 0}
    total = sum(kept.values())
    if not total:
        return empty_figure(title)
    first, last, most = min(kept), max(kept), max(kept.values())
    axes = _Axes(
        (first, last + 1),
        (0.0, most * 1.12),
        top=_ROW + 10,
        x_label=x_label,
        y_label=y_label,
        whole_counts=True,
        x_ticks=_doubling_ticks(first, last + 1),
    )
    bars = []
    for k, count in kept.items():
        left, right, top = axes.x(k), axes.x(k + 1), axes.y(count)
        shape = {"x": left + 0.5, "y": top, "width": right - left - 1, "height": axes.bottom - top}
        values = f"{format_number(2**k)} to {format_number(2 ** (k + 1) - 1)}" if k else "up to 1"
        tooltip = element("title", {}, f"{values}: {format_number(count)}")
        bars.append(element("rect", {"class": "chart-bar", **shape}, tooltip))
        share = f"{count / total:.0%}" if 200 * count >= total else "<1%"
        if count and text_width(share) <= right - left:
            bars.append(text(share, (left + right) / 2, top - 6, "chart-tick", anchor="middle"))
    described = f"{format_number(total)} from {format_number(2**first)} to {format_number(2 ** (last + 1) - 1)}"
    return figure([*axes.grid(), *bars], height=axes.height, title=title, description=described)


def _doubling_ticks(first: int, last: int) -> list[tuple[float, str]]:
    """The powers of two from 2^first to 2^last, or every second, third, ... of them, whose labels stand apart."""
    room = (WIDTH - 100) / (last - first)
    step = 1
    while True:
        ticks = [(float(k), format_number(2**k)) for k in range(first, last + 1, step)]
        if max(text_width(label) for _, label in ticks) + 8 <= room * step or len(ticks) == 1:
            return ticks
        step += 1


def _ticks(ends: tuple[float, float], whole: bool) -> list[float]:
    """Round values; of what has whole ones alone only these, if there are any."""
    ticks = nice_ticks(*ends)
    return ([tick for tick in ticks if tick == round(tick)] if whole else []) or ticks


class _Axes:
    """The plot area below `top`, its two scales, and its grid with tick labels and axis names."""

    def __init__(
        self,
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        *,
        top: float,
        x_label: str,
        y_label: str,
        hidden_note: str = "",
        whole_counts: bool = False,
        x_ticks: Sequence[tuple[float, str]] = (),
        whole_x: bool = False,
    ) -> None:
        """`x_ticks`: the places and labels of the x axis; without them they are round numbers."""
        self.top, self.bottom = top, top + _PLOT_HEIGHT
        self.height = self.bottom + 2 * _ROW + 6
        self._names = (x_label, y_label, hidden_note)
        self._x_ticks = [place for place, _ in x_ticks] or _ticks(x_range, whole_x)
        self._y_ticks = _ticks(y_range, whole_counts)
        self._x_labels = [label for _, label in x_ticks] or tick_labels(self._x_ticks)
        self._y_labels = tick_labels(self._y_ticks)
        self.left = max(map(text_width, self._y_labels)) + 12
        self.right = WIDTH - max(12.0, text_width(self._x_labels[-1]) / 2)
        self.x = _linear(x_range, (self.left, self.right))
        self.y = _linear(y_range, (self.bottom, self.top))

    def grid(self) -> list[str]:
        x_label, y_label, hidden_note = self._names
        note_width = text_width(hidden_note)
        parts = [text(y_label, 0, self.top - 14, "chart-muted", room=WIDTH - note_width - 20)]
        if hidden_note:
            parts.append(text(hidden_note, WIDTH, self.top - 14, "chart-muted", anchor="end"))
        for tick, label in zip(self._y_ticks, self._y_labels, strict=True):
            y = self.y(tick)
            parts.append(_line(self.left, y, self.right, y, "chart-grid"))
            parts.append(text(label, self.left - 10, y + 6, "chart-tick", anchor="end"))
        for tick, label in zip(self._x_ticks, self._x_labels, strict=True):
            x = self.x(tick)
            parts.append(_line(x, self.bottom, x, self.bottom + 5, "chart-axis"))
            parts.append(text(label, x, self.bottom + 24, "chart-tick", anchor="middle"))
        parts.append(_line(self.left, self.bottom, self.right, self.bottom, "chart-axis"))
        middle = (self.left + self.right) / 2
        parts.append(text(x_label, middle, self.bottom + 50, "chart-muted", anchor="middle", room=500))
        return parts

    def clipped(self, parts: Sequence[str]) -> str:
        """The parts, cut off at the plot's edges by an inner drawing (a clip path would need a unique id)."""
        width, height = self.right - self.left, self.bottom - self.top
        # Dots on the left and right edge stay whole: only what is too high or too low is to be cut.
        room = 8.0
        frame: dict[str, str | float] = {
            "x": self.left - room,
            "y": self.top,
            "width": width + 2 * room,
            "height": height,
            "viewBox": f"{self.left - room:.2f} {self.top:.2f} {width + 2 * room:.2f} {height:.2f}",
            "overflow": "hidden",
        }
        return element("svg", frame, *parts)


def _drawable_points(points: Sequence[Point]) -> list[Point]:
    return sorted(((x, y) for x, y in points if is_drawable(x) and is_drawable(y)), key=lambda point: point[0])


def _colour_classes(series: Sequence[Series]) -> list[str]:
    """A class for each series; the faint ones are grey and leave the colours to the others."""
    classes, coloured = [], 0
    for one in series:
        if one.emphasis == "faint":
            classes.append("chart-faint")
        else:
            classes.append(f"chart-series-{coloured % _COLOURS + 1}")
            coloured += 1
    return classes


def _legend(series: Sequence[Series], classes: Sequence[str]) -> tuple[list[str], float]:
    """The legend's parts and its height; entries flow into as many rows as they need."""
    parts, x, y = [], 0.0, 18.0
    for one, kind in zip(series, classes, strict=True):
        name = shortened(one.name, WIDTH - 40)
        width = 36 + text_width(name) + 22
        if x and x + width - 22 > WIDTH:
            x, y = 0.0, y + _ROW
        if one.emphasis == "points":
            parts.append(_dot(x + 14, y - 6, kind))
        else:
            parts.append(_line(x, y - 6, x + 28, y - 6, f"chart-line {kind}"))
        parts.append(text(one.name, x + 36, y, "chart-label", room=WIDTH - 40))
        x += width
    return parts, y + 18


def _series(series: Series, kind: str, axes: _Axes, marks: bool) -> list[str]:
    # What is clipped away keeps its side of the edge, but not coordinates that a renderer may choke on.
    low, high = axes.top - 2 * _PLOT_HEIGHT, axes.bottom + 2 * _PLOT_HEIGHT
    places = [(axes.x(x), min(max(axes.y(y), low), high)) for x, y in thinned(series.points)]
    dots = [_dot(x, y, kind) for x, y in places]
    if series.emphasis == "points":
        return dots
    path = " ".join(f"{x:.2f},{y:.2f}" for x, y in places)
    line = element(
        "polyline", {"class": f"chart-line {kind}", "points": path, "fill": "none", "stroke": "currentColor"}
    )
    return [line, *dots] if marks or len(dots) == 1 else [line]


def _reference_lines(references: Sequence[tuple[str, float]], axes: _Axes) -> list[str]:
    """Dashed lines with their labels above the right end, or below it where there is no room."""
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
    parts = [_line(axes.left, height, axes.right, height, "chart-reference") for height in heights]
    for (label, value), baseline in zip(ordered, baselines, strict=True):
        words = f"{label} {format_number(float(value))}"
        room = axes.right - axes.left
        parts.append(text(words, axes.right - 2, baseline, "chart-halo", anchor="end", room=room))
    return parts


def _linear(values: tuple[float, float], places: tuple[float, float]) -> Scale:
    (low, high), (start, end) = values, places
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return element("line", {"class": kind, "x1": x1, "y1": y1, "x2": x2, "y2": y2, "stroke": "currentColor"})


def _dot(x: float, y: float, kind: str) -> str:
    return element("circle", {"class": f"chart-dot {kind}", "cx": x, "cy": y, "r": 5.0})
