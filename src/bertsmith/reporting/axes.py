"""The plot area of a chart: scales, grid, and names and ticks of the axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bertsmith.reporting.scales import nice_ticks, tick_labels
from bertsmith.reporting.svg import WIDTH, element, text, text_width

PLOT_HEIGHT = 250.0
ROW = 28.0

Scale = Callable[[float], float]


class Axes:
    """The plot area below `top`: two scales, and a grid with tick labels and axis names."""

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
        """`x_ticks`: positions and labels of the x axis; the default is round numbers."""
        self.top, self.bottom = top, top + PLOT_HEIGHT
        self.height = self.bottom + 2 * ROW + 6
        self._names = (x_label, y_label, hidden_note)
        self._x_ticks = [place for place, _ in x_ticks] or _ticks(x_range, whole_x)
        self._y_ticks = _ticks(y_range, whole_counts)
        self._x_labels = [label for _, label in x_ticks] or tick_labels(self._x_ticks)
        self._y_labels = tick_labels(self._y_ticks)
        self.left = max(map(text_width, self._y_labels)) + 12
        self.right = WIDTH - max(12.0, text_width(self._x_labels[-1]) / 2)
        self.x = linear(x_range, (self.left, self.right))
        self.y = linear(y_range, (self.bottom, self.top))

    def grid(self) -> list[str]:
        """Return the grid lines, the ticks with their labels, and the axis names."""
        x_label, y_label, hidden_note = self._names
        note_width = text_width(hidden_note)
        parts = [text(y_label, 0, self.top - 14, "chart-muted", room=WIDTH - note_width - 20)]
        if hidden_note:
            parts.append(text(hidden_note, WIDTH, self.top - 14, "chart-muted", anchor="end"))
        for tick, label in zip(self._y_ticks, self._y_labels, strict=True):
            y = self.y(tick)
            parts.append(line(self.left, y, self.right, y, "chart-grid"))
            parts.append(text(label, self.left - 10, y + 6, "chart-tick", anchor="end"))
        for tick, label in zip(self._x_ticks, self._x_labels, strict=True):
            x = self.x(tick)
            parts.append(line(x, self.bottom, x, self.bottom + 5, "chart-axis"))
            parts.append(text(label, x, self.bottom + 24, "chart-tick", anchor="middle"))
        parts.append(line(self.left, self.bottom, self.right, self.bottom, "chart-axis"))
        middle = (self.left + self.right) / 2
        parts.append(text(x_label, middle, self.bottom + 50, "chart-muted", anchor="middle", room=500))
        return parts

    def clipped(self, parts: Sequence[str]) -> str:
        """Return the parts clipped to the plot by an inner drawing (a clip path would need a unique id)."""
        width, height = self.right - self.left, self.bottom - self.top
        # Dots on the left and right edge stay whole: only points that are too high or too low are clipped.
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


def _ticks(ends: tuple[float, float], whole: bool) -> list[float]:
    """Return round values; with `whole` only the whole numbers among them, if any."""
    ticks = nice_ticks(*ends)
    return ([tick for tick in ticks if tick == round(tick)] if whole else []) or ticks


def linear(values: tuple[float, float], places: tuple[float, float]) -> Scale:
    """Return the scale from a range of values to a range of positions."""
    (low, high), (start, end) = values, places
    return lambda value: start + (value - low) / (high - low) * (end - start)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Return a straight line with a class of `page.css`."""
    return element("line", {"class": kind, "x1": x1, "y1": y1, "x2": x2, "y2": y2, "stroke": "currentColor"})
