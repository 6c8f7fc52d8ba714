"""Write docs/reference.md from the schemas: `python -m bertsmith.cli.reference docs/reference.md` (`make docs`)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from bertsmith.cli.app import verbs
from bertsmith.cli.command import Command, choices_of, command_of, kind_of
from bertsmith.config.option_names import external_name
from bertsmith.runtime.files import write_text

INTRODUCTION = """# The verbs and their options

`make docs` writes this page from the schemas. Every verb also takes `--json` (one JSON object on standard output, or
one per line for several inputs), `--verbose` (also print automatic choices with their reasons), `--config FILE.yaml`,
`--set key=value` and `--help`. In YAML and Python, names have underscores (`vocab_size`); `--from` is `from` in YAML
and `from_` in Python.

Exit codes: 0 done, 1 a bug, 2 the input or the options are wrong, 3 memory, disk or another resource is short,
130 interrupted.
"""


def reference() -> str:
    """Return the text of docs/reference.md."""
    sections = [INTRODUCTION]
    for verb in verbs():
        command = command_of(verb)
        sections += [_section(one) for one in (command, *command.words.values())]
    return "\n".join(sections)


def _section(command: Command[Any]) -> str:
    schema = command.schema
    rows = []
    for name in (*schema.positional, *(name for name in schema.model_fields if name not in schema.positional)):
        field = schema.model_fields[name]
        flag = name.upper() if name in schema.positional else f"--{external_name(name)}"
        required = field.default is PydanticUndefined
        nothing = field.default is None or field.default is False or field.default == ()
        default = "required" if required else "" if nothing else f"`{field.default}`"
        choices = ", ".join(f"`{choice}`" for choice in choices_of(field.annotation))
        kind = "" if field.annotation is bool else choices or kind_of(field.annotation)
        rows.append(f"| `{flag}` | {kind} | {default} | {field.description} |")
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


if __name__ == "__main__":
    write_text(Path(sys.argv[1]), reference())
