"""A Hugging Face model card: a README.md with YAML front matter for the Hub and Markdown for people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from bertsmith.reporting.numbers import Cell, format_cell, numeric_columns


def model_card(
    *,
    title: str,
    tags: Sequence[str],
    summary: str,
    sections: Sequence[tuple[str, str]],
    metadata: Mapping[str, Any],
) -> str:
    """The text of a README.md.

    `summary` and the bodies of `sections` (title, body) are Markdown and go in as they are. `metadata` are
    further keys of the front matter, such as `pipeline_tag`, `language` or `license`, of plain YAML types; a
    key given there wins over the default `library_name: transformers` and over `tags`.
    """
    front_matter = {"library_name": "transformers", "tags": list(tags), **metadata}
    head = yaml.safe_dump(front_matter, sort_keys=False, allow_unicode=True)
    parts = [f"---\n{head}---", f"# {_one_line(title)}", summary.strip()]
    for section_title, body in sections:
        parts += [f"## {_one_line(section_title)}", body.strip()]
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A Markdown table; columns of numbers are right-aligned, pipes escaped, line breaks become spaces."""
    aligned = numeric_columns(rows, len(header))
    lines = [
        _row([_escaped(name) for name in header]),
        _row(["---:" if numeric else "---" for numeric in aligned]),
        *(_row([_escaped(format_cell(cell)) for cell in row]) for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(cell: str) -> str:
    # Backslashes in front of a pipe are doubled, or they would escape the escape.
    return re.sub(r"(\\*)\|", lambda match: match[1] * 2 + r"\|", _one_line(cell))


def _one_line(text: str) -> str:
    return " ".join(text.split())
