"""Histograms and reliability diagrams as SVG (see `line_chart` for colours and empty charts)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bertsmith.reporting.axes import ROW, Axes, line
from bertsmith.reporting.numbers import format_number, percent
from bertsmith.reporting.scales import is_drawable, pad_range
from bertsmith.reporting.svg import WIDTH, element, empty_figure, figure, text, text_width


def histogram(
    bins: Sequence[tuple[float, float, int]], *, title: str, x_label: str, muted_from: float | None = None
) -> str:
    """Return a histogram of bins `(low, high, count)`; bins of zero width are left out.

    Bins from `muted_from` on are grey: they are beyond a limit.
    """
    kept = [bin_ for bin_ in bins if all(map(is_drawable, bin_)) and bin_[1] > bin_[0] and bin_[2] >= 0]
    if not kept:
        return empty_figure(title)
    x_range = pad_range(min(low for low, _, _ in kept), max(high for _, high, _ in kept))
    most = max(count for _, _, count in kept)
    axes = Axes(x_range, (0.0, max(most, 1) * 1.05), top=ROW, x_label=x_label, y_label="count", whole_counts=True)
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
    """Return a bar per bin `(low, high, accuracy, count)` of probabilities, with the diagonal of a calibrated model.

    The height is the share of correct cases; above a bar is the number of cases, if it fits.
    """
    kept = [bin_ for bin_ in bins if bin_[3] > 0]
    if not kept:
        return empty_figure(title)
    axes = Axes(
        (0.0, 100.0), (0.0, 100.0), top=ROW + 20, x_label="probability of the prediction, %", y_label="correct, %"
    )
    bars, counts = [], []
    for low, high, accuracy, count in kept:
        left, right, top = axes.x(100 * low), axes.x(100 * high), axes.y(100 * accuracy)
        shape = {"x": left + 0.5, "y": top, "width": right - left - 1, "height": axes.bottom - top}
        tooltip = f"{percent(low)} to {percent(high)}: {percent(accuracy)} of {count:,} correct"
        bars.append(element("rect", {"class": "chart-bar", **shape}, element("title", {}, tooltip)))
        written = f"{count:,}" if count < 1000 else f"{count / 1000:.0f}k"
        if text_width(written) <= right - left + 4:
            counts.append(text(written, (left + right) / 2, top - 6, "chart-halo", anchor="middle"))
    diagonal = line(axes.x(0), axes.y(0), axes.x(100), axes.y(100), "chart-reference")
    described = f"{sum(count for *_, count in kept):,} cases in {len(kept)} bins"
    return figure([*axes.grid(), *bars, diagonal, *counts], height=axes.height, title=title, description=described)


def doubling_histogram(classes: Mapping[int, int], *, title: str, x_label: str, y_label: str = "count") -> str:
    """Return a histogram over ranges that double: class k holds the values 2^k to 2^(k+1) - 1, class 0 also 0.

    All bars are equally wide, so that small and large values fit into one chart. Ticks are the first values of the
    classes; ticks, and the shares above the bars, are left out if they do not fit. Classes
    below 0 or above 60 and negative counts are left out.
    """
    kept = {k: count for k, count in sorted(classes.items()) if 0 <= k <= 60 and count >= 0}
    total = sum(kept.values())
    if not total:
        return empty_figure(title)
    first, last, most = min(kept), max(kept), max(kept.values())
    axes = Axes(
        (first, last + 1),
        (0.0, most * 1.12),
        top=ROW + 10,
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
    """Return powers of two from 2^first to 2^last: all, or every second, third, ..., so that labels do not overlap."""
    room = (WIDTH - 100) / (last - first)
    step = 1
    while True:
        ticks = [(float(k), format_number(2**k)) for k in range(first, last + 1, step)]
        if max(text_width(label) for _, label in ticks) + 8 <= room * step or len(ticks) == 1:
            return ticks
        step += 1
