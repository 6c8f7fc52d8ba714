"""One self-contained HTML page, built block by block: no script, no external font or file.

    page = Page(title="wiki-small", subtitle="bertsmith pretrain")
    page.figures([("held-out loss", 5.51, "nats per masked token")])
    page.section("Training", lead="Loss over the steps.")
    page.chart(line_chart(...), caption="Training loss")
    Path("report.html").write_text(page.html(), encoding="utf-8")

Every text is escaped by the template; only the SVG of a chart goes in as markup. Blocks added before the
first section are at the top of the page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape

from bertsmith.errors import readable
from bertsmith.reporting.numbers import Cell, format_cell, numeric_columns, percent
from bertsmith.reporting.svg import printable

_SHOWN_PREDICTIONS = 5
_DARKEST = 50
"""Percent of colour in the darkest cell of a matrix, one that holds its whole row: the number stays readable."""
_LONG = 60
"""Cells with more characters keep their column wide."""
_PHONE = 42
"""Characters per line on a phone. Wider tables show each row as a block there, one cell per line."""
_OPTION = re.compile(r"(?<![\w-])--[a-z]+(-[a-z0-9]+)*")
_NOTICE_WORDS = {"info": "Note", "warning": "Warning", "good": "Good"}


@dataclass(frozen=True)
class _Block:
    """A part of the page: the template's macro `kind` renders `content`."""

    kind: str
    content: dict[str, Any]


@dataclass
class _Section:
    title: str
    lead: str
    blocks: list[_Block] = field(default_factory=list)


class Page:
    """A page under construction. You may call `html()` at any time, and again after adding more."""

    def __init__(self, title: str, subtitle: str = "", refresh_seconds: int | None = None) -> None:
        """`refresh_seconds`: how often the browser reloads the page, for a run that is still training."""
        self._title, self._subtitle, self._refresh_seconds = title, subtitle, refresh_seconds
        self._opening = _Section(title="", lead="")
        self._sections: list[_Section] = []

    def section(self, title: str, lead: str = "") -> None:
        """Begin a section; the next blocks belong to it."""
        self._sections.append(_Section(title, lead))

    def figures(self, figures: Sequence[tuple[str, str | int | float, str]]) -> None:
        """Add key figures as cards: (label, value, note)."""
        cards = [
            {"label": label, "value": _unbroken(format_cell(value)), "note": _unbroken(note)}
            for label, value, note in figures
        ]
        self._add("figures", cards=cards)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str = "") -> None:
        """Add a table whose first column names the rows; columns of numbers are right-aligned."""
        cells = [[format_cell(cell) for cell in row] for row in rows]
        numeric = numeric_columns(rows, len(header))
        self._add(
            "table",
            header=header,
            rows=cells,
            numeric=numeric,
            stacked=_narrowest([header, *cells], numeric) > _PHONE,
            long=[any(len(row[column]) > _LONG for row in cells) for column in range(len(header))],
            caption=caption,
        )

    def chart(self, svg: str, caption: str) -> None:
        """Add a chart with its caption. `svg` is trusted markup."""
        self._add("chart", svg=Markup(svg), caption=caption)

    def text(self, text: str) -> None:
        """Add a text; blank lines separate paragraphs."""
        self._add("text", paragraphs=[part.strip() for part in text.split("\n\n") if part.strip()])

    def code(self, code: str) -> None:
        """Add lines of code or of a terminal."""
        self._add("code", code=code)

    def links(self, links: Sequence[tuple[str, str]]) -> None:
        """Add links: (name, address relative to this page)."""
        self._add("links", links=links)

    def verdict(self, headline: str, lines: Sequence[str], kind: Literal["warning", "good"]) -> None:
        """Add the result for readers who do not know the field: a headline, and what it means."""
        self._add("verdict", headline=_unbroken(headline), lines=list(lines), tone=kind)

    def notice(self, text: str, kind: Literal["info", "warning", "good"] = "info") -> None:
        """Add a coloured box that begins with Note, Warning or Good."""
        self._add("notice", text=readable(text), tone=kind, word=_NOTICE_WORDS[kind])

    def masked_sentence(
        self,
        before: str,
        after: str,
        predictions: Sequence[tuple[str, float]],
        *,
        truth: str | None,
        truth_note: str = "",
    ) -> None:
        """Add a sentence around its [MASK] with the first five predictions (token, probability), best first.

        The prediction that equals `truth` is marked. Below is the true word with `truth_note`, such as its rank and
        probability; without a note, the word is shown only if it is not among the five. `truth=None`: the true word is
        unknown.
        """
        shown = predictions[:_SHOWN_PREDICTIONS]
        guesses = [
            {
                "token": token,
                "width": f"{100 * min(max(probability, 0.0), 1.0):.1f}",
                "percent": percent(probability),
                "true": token == truth,
            }
            for token, probability in shown
        ]
        if truth is not None and not truth_note and truth not in [token for token, _ in shown]:
            truth_note = "not among these"
        named = truth if truth_note else None
        self._add("masked_sentence", before=before, after=after, guesses=guesses, truth=named, note=truth_note)

    def details(self, summary: str, values: Mapping[str, object]) -> None:
        """Add a collapsed table of names and values, such as all options of a run."""
        self._add("details", summary=summary, values={key: _plain(value) for key, value in values.items()})

    def collapsible(self, summary: str, texts: Sequence[str]) -> None:
        """Add a collapsed list of texts."""
        self._add("collapsible", summary=summary, texts=list(texts))

    def matrix(self, labels: Sequence[str], counts: Sequence[Sequence[int]], corner: str, caption: str) -> None:
        """Add a square table of counts, each cell shaded by its share of the row; `corner` names rows and columns."""
        rows = [
            [
                {"count": f"{count:,}" if count else "", "shade": round(_DARKEST * count / total) if total else 0}
                for count in row
            ]
            for row, total in ((row, sum(row)) for row in counts)
        ]
        self._add("matrix", labels=list(labels), rows=rows, corner=corner, caption=caption)

    def html(self) -> str:
        """Return the whole page."""
        page = _template().render(
            title=self._title,
            subtitle=self._subtitle,
            refresh_seconds=self._refresh_seconds,
            css=Markup(files("bertsmith.reporting").joinpath("page.css").read_text(encoding="utf-8")),
            opening=self._opening,
            sections=self._sections,
        )
        return printable(page)

    def _add(self, kind: str, **content: Any) -> None:
        current = self._sections[-1] if self._sections else self._opening
        current.blocks.append(_Block(kind, content))


@cache
def _template() -> Template:
    """The template of all pages, compiled once per process."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"whole": _whole, "in_parts": _in_parts}
    return environment.from_string(files("bertsmith.reporting").joinpath("page.html").read_text(encoding="utf-8"))


def _narrowest(rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> int:
    """Return the smallest width of a table in characters: texts break at spaces, two spaces between columns."""
    widths = [
        max(len(row[column]) if number else max(map(len, row[column].split()), default=0) for row in rows)
        for column, number in enumerate(numeric)
    ]
    return sum(widths) + 2 * (len(widths) - 1)


def _whole(text: str) -> Markup:
    """Return a text as markup whose options (`--learning-rate`) do not break after a hyphen."""
    return Markup(_OPTION.sub(r'<span class="whole">\g<0></span>', str(escape(text))))


def _in_parts(text: str) -> Markup:
    """Return a title as markup that may also break after `_` and `/`."""
    return Markup(re.sub(r"[_/]+(?=\w)", r"\g<0><wbr>", str(escape(text))))


def _unbroken(text: str) -> str:
    """Keep a percent sign on the line of its number with a no-break space."""
    return text.replace(" %", "\u00a0%")


def _plain(value: object) -> str:
    """Return the value of an option as users write it: no rounding, no separators."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
