"""A Hugging Face model card: a README.md with YAML front matter for the Hub and Markdown for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from bertsmith.records.run import RunRecord
from bertsmith.records.suite import SuiteRecord
from bertsmith.reporting.numbers import Cell, format_cell, numeric_columns
from bertsmith.reporting.svg import printable


@dataclass(frozen=True)
class HubNames:
    """What the Hub knows of a model by its own names; nothing is put in their place where it does not.

    Attributes:
        pipeline_tag: the Hub's name of the task.
        base_model: the model that the weights come from.
        datasets: what it was trained on.
        reported: data set, configuration and split that the figures are of.
    """

    pipeline_tag: str | None = None
    base_model: str | None = None
    datasets: Sequence[str] = ()
    reported: tuple[str, str | None, str] | None = None


def model_card(
    *,
    title: str,
    tags: Sequence[str],
    summary: str,
    sections: Sequence[tuple[str, str]],
    metadata: Mapping[str, Any],
) -> str:
    """The text of a README.md.

    `title` and the titles of sections are plain text. `summary` and the bodies of `sections` (title, body) are Markdown
    and go in as they are; a section without a body is left out. `metadata` are further keys of the front matter, such
    as `pipeline_tag` or `base_model` (https://huggingface.co/docs/hub/model-cards), of plain YAML types; a key given
    there wins over the default `library_name: transformers` and over `tags`.
    """
    front_matter = {"library_name": "transformers", "tags": list(tags), **metadata}
    head = yaml.safe_dump(front_matter, sort_keys=False, allow_unicode=True)
    parts = [f"---\n{head}---", f"# {escape_markdown(title)}", summary.strip()]
    for section_title, body in sections:
        if body.strip():
            parts += [f"## {escape_markdown(section_title)}", body.strip()]
    return "\n\n".join(part for part in parts if part) + "\n"


def known(**values: Any) -> dict[str, Any]:
    """The keys of a front matter whose value is known."""
    return {name: value for name, value in values.items() if value}


def made_by(record: RunRecord | SuiteRecord) -> str:
    """The command of a record, and the versions that it was run with."""
    packages = ", ".join(f"{package} {version}" for package, version in record.versions.items())
    return f"{code_block(record.command, 'sh')}\n\nWith {escape_markdown(packages)}."


def escape_markdown(text: str) -> str:
    """A text in one line in which no character is Markdown or HTML; a single underscore within a word is none."""
    escaped = re.sub(r"[\\`*\[\]<>|~$]|(?<![^\W_])_|_(?![^\W_])", lambda found: f"\\{found[0]}", _one_line(text))
    return escaped.replace("&", "&amp;")


def code(text: str) -> str:
    """A text as it is, in one line, as a code span: with more backticks around it than are in it in a row."""
    line = _one_line(text)
    if not line:
        return ""
    mark = "`" * (1 + _longest_run(line))
    pad = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{mark}{pad}{line}{pad}{mark}"


def code_block(text: str, language: str = "") -> str:
    """Lines as they are, below and above a fence that is longer than any in them."""
    fence = "`" * max(3, 1 + _longest_run(text))
    return f"{fence}{language}\n{printable(text)}\n{fence}"


def bullets(lines: Iterable[str]) -> str:
    """A list of Markdown lines."""
    return "\n".join(f"- {line}" for line in lines)


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


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
    return printable(" ".join(text.split()))
