"""Bars from zero as SVG: one or two per label (see `line_chart` for colours and empty charts)."""

from __future__ import annotations

from collections.abc import Sequence

from bertsmith.reporting.axes import line, linear
from bertsmith.reporting.scales import is_drawable
from bertsmith.reporting.svg import WIDTH, element, empty_figure, figure, text, text_width


def bar_chart(
    rows: Sequence[tuple[str, float]],
    *,
    title: str,
    value_format: str = "{:.2f}",
    highlight: str | None = None,
    dense: bool = False,
) -> str:
    """Return horizontal bars from zero with labels and values; `highlight` is the label of the coloured bar.

    Labels are to the left of the bars, or above them if one is long; labels that do not fit are shortened. A
    non-finite value has no bar. `dense` sets the rows closer, for a long list of short labels.
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
    scale = linear((low, high), (left, WIDTH - values_width))
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
        parts.append(line(scale(0.0), 0, scale(0.0), height, "chart-axis"))
    described = "; ".join(f"{label}: {value}" for (label, _), value in zip(rows, values, strict=True))
    return figure(parts, height=height, title=title, description=described)


def compared_bars(
    rows: Sequence[tuple[str, float, float | None]], *, names: tuple[str, str], title: str, value_format: str = "{:.2f}"
) -> str:
    """Return horizontal bars from zero with their values, each above a thin grey bar for comparison.

    Args:
        rows: (label, value, value of the grey bar or None). Values below zero or not finite have no bar.
        names: the legend for the bars and the grey bars.
    """
    if not rows:
        return empty_figure(title)
    drawable = [value for _, *pair in rows for value in pair if value is not None and is_drawable(value)]
    scale = linear((0.0, max([0.0, *drawable]) or 1.0), (0.0, WIDTH - 90))
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
    for label, value, second in rows:
        parts.append(text(label, 0, top + 16, "chart-label"))
        at = top + 23
        for one, kind, height in ((value, "chart-bar", thick), (second, "chart-bar-muted", thin)):
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
        top += 64 if second is not None else 52
    return figure(parts, height=top, title=title, description="; ".join(described))
