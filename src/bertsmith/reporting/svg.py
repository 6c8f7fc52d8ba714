"""SVG for charts: escaped elements, the estimated width of text, and the frame of a figure.

A drawing is WIDTH units wide and scales to its container. Text is laid out for FONT_SIZE units, which is 11 CSS pixels
on a phone (a chart 358 px wide); `page.css` makes it smaller on wider screens.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

WIDTH = 640.0
FONT_SIZE = 20.0

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str) -> str:
    """Return the text with characters replaced that XML or UTF-8 cannot hold (control characters, lone surrogates)."""
    return _NOT_IN_XML.sub("\ufffd", text)


def element(name: str, attributes: dict[str, str | float], *children: str) -> str:
    """Return one element; attributes are escaped here, children are markup already. Numbers get two decimals."""
    written = "".join(f" {key}={quoteattr(_attribute(value))}" for key, value in attributes.items())
    return f"<{name}{written}>{''.join(children)}</{name}>" if children else f"<{name}{written}/>"


def text(content: str, x: float, y: float, kind: str, *, anchor: str = "start", room: float = WIDTH) -> str:
    """Return a line of text; if it is wider than `room` units, it is shortened and the tooltip has all of it."""
    shown = shorten_to_width(content, room)
    tooltip = [element("title", {}, escape(content))] if shown != content else []
    return element("text", {"class": kind, "x": x, "y": y, "text-anchor": anchor}, escape(shown), *tooltip)


def text_width(content: str) -> float:
    """Return the estimated width of a line in units, an upper bound; wide East Asian letters count double."""
    return sum(FONT_SIZE if unicodedata.east_asian_width(letter) in "WF" else 0.62 * FONT_SIZE for letter in content)


def shorten_to_width(content: str, room: float) -> str:
    """Return the text if it fits into `room` units, else its beginning and an ellipsis."""
    if text_width(content) <= room:
        return content
    length = len(content)
    while length and text_width(content[:length] + "…") > room:
        length -= 1
    return content[:length].rstrip() + "…"


def figure(parts: Sequence[str], *, height: float, title: str, description: str = "") -> str:
    """Return the parts as a scaling `<svg>`, with `title` and `description` for screen readers."""
    described = [element("desc", {}, escape(description))] if description else []
    drawing = element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": "chart",
            "viewBox": f"0 0 {WIDTH:g} {height:g}",
            "font-size": FONT_SIZE,
            "role": "img",
            "aria-label": title,
        },
        element("title", {}, escape(title)),
        *described,
        *parts,
    )
    return printable(drawing)


def empty_figure(title: str) -> str:
    """Return the placeholder of a chart without data."""
    frame = element(
        "rect",
        {"class": "chart-empty", "x": 1, "y": 1, "width": WIDTH - 2, "height": 118, "rx": 6, "fill": "none"},
    )
    words = text("no data yet", WIDTH / 2, 66, "chart-muted", anchor="middle")
    return figure([frame, words], height=120, title=title, description="no data yet")


def _attribute(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.2f}".rstrip("0").rstrip(".")
