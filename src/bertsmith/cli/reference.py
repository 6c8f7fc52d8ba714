"""Write docs/reference.md from the schemas: `python -m bertsmith.cli.reference docs/reference.md` (`make docs`)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from bertsmith.cli.app import verbs
from bertsmith.cli.command import Command, choices_of, command_of, kind_of, shown_default
from bertsmith.config.option_names import external_name
from bertsmith.config.options import Options
from bertsmith.runtime.files import write_text

INTRODUCTION = """# The verbs and their options

Generated from the option schemas by `make docs`. The order is that of `bertsmith VERB --help`.

Every verb also takes:

| option | meaning |
| --- | --- |
| `--json` | print each result as one line of JSON on standard output |
| `--verbose` | also print each automatic choice with its reason |
| `--config FILE.yaml` | read options from a YAML file |
| `--set KEY=VALUE` | set an option by its name in YAML; overrides `--config`, but not the option itself |
| `--help` | show the options and an example |

YAML and Python names have underscores (`vocab_size`); `--from` is `from` in YAML and `from_` in Python.

Exit codes: 0 done, 1 a bug, 2 wrong input or options, 3 out of memory, disk or another resource, 130 interrupted.
"""


def reference() -> str:
    """Return the text of docs/reference.md."""
    sections = [INTRODUCTION]
    for verb in verbs():
        command = command_of(verb)
        sections += [_section(one) for one in (command, *command.words.values())]
    return "\n".join(sections)


def _section(command: Command[Any]) -> str:
    rows = [
        line
        for title, names in command.schema.option_groups().items()
        for line in (f"| **{title}** | | | |", *(_row(command.schema, name) for name in names))
    ]
    return "\n".join(
        [
            f"## bertsmith {command.name}",
            "",
            command.summary,
            "",
            "```",
            command.example,
            "```",
            "",
            "| option | value | default | meaning |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _row(schema: type[Options], name: str) -> str:
    """Return the line of an option in the table."""
    field = schema.model_fields[name]
    flag = name.upper() if name in schema.positional else f"--{external_name(name)}"
    default = "required" if field.default is PydanticUndefined else shown_default(field.default)
    choices = ", ".join(f"`{choice}`" for choice in choices_of(field.annotation))
    kind = "" if field.annotation is bool else choices or kind_of(field.annotation)
    return f"| `{flag}` | {kind} | {default} | {str(field.description).replace('|', '&#124;')} |"


if __name__ == "__main__":
    write_text(Path(sys.argv[1]), reference())
