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
    """The Hub's names for a model's task, origin and data; None or empty if the Hub has no name.

    Attributes:
        pipeline_tag: the task.
        base_model: the model that the weights come from.
        datasets: the training data.
        reported: data set, configuration and split of the results.
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
    """Return the text of a README.md.

    Args:
        title: plain text.
        summary: Markdown.
        sections: (title as plain text, body as Markdown); a section without a body is left out.
        metadata: more keys of the front matter, such as `pipeline_tag` or `base_model`
            (https://huggingface.co/docs/hub/model-cards), of plain YAML types. They win over the default
            `library_name: transformers` and over `tags`.
    """
    front_matter = {"library_name": "transformers", "tags": list(tags), **metadata}
    head = yaml.safe_dump(front_matter, sort_keys=False, allow_unicode=True)
    parts = [f"---\n{head}---", f"# {escape_markdown(title)}", summary.strip()]
    for section_title, body in sections:
        if body.strip():
            parts += [f"## {escape_markdown(section_title)}", body.strip()]
    return "\n\n".join(part for part in parts if part) + "\n"


def known(**values: Any) -> dict[str, Any]:
    """Return the keys of a front matter that have a value."""
    return {name: value for name, value in values.items() if value}


def made_by(record: RunRecord | SuiteRecord) -> str:
    """Return the command of a record and its versions, as Markdown."""
    packages = ", ".join(f"{package} {version}" for package, version in record.versions.items())
    return f"{code_block(record.command, 'sh')}\n\nWith {escape_markdown(packages)}."


def escape_markdown(text: str) -> str:
    """Return a text on one line, with Markdown and HTML escaped; an underscore within a word needs no escape."""
    escaped = re.sub(r"[\\`*\[\]<>|~$]|(?<![^\W_])_|_(?![^\W_])", lambda found: f"\\{found[0]}", _one_line(text))
    return escaped.replace("&", "&amp;")


def code(text: str) -> str:
    """Return a text on one line as a code span, with enough backticks around it."""
    line = _one_line(text)
    if not line:
        return ""
    mark = "`" * (1 + _longest_run(line))
    pad = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{mark}{pad}{line}{pad}{mark}"


def code_block(text: str, language: str = "") -> str:
    """Return lines as a code block, with a fence that is longer than any fence in them."""
    fence = "`" * max(3, 1 + _longest_run(text))
    return f"{fence}{language}\n{printable(text)}\n{fence}"


def bullets(lines: Iterable[str]) -> str:
    """Return lines as a Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Return a Markdown table: columns of numbers right-aligned, pipes escaped, line breaks as spaces."""
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
    # Backslashes before a pipe are doubled; otherwise they would escape the escape.
    return re.sub(r"(\\*)\|", lambda match: match[1] * 2 + r"\|", _one_line(cell))


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))
