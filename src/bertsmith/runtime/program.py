"""The name that starts this program, so that printed commands can be copied and run.

The shell finds `bertsmith` by name only while its environment is active. After `make quickstart` it is not active, and
commands begin with `.venv/bin/bertsmith`.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

NAME = "bertsmith"


def runnable(command: str) -> str:
    """Replace the leading `bertsmith` of a command by the name that starts this program from the current folder."""
    return f"{program()}{command.removeprefix(NAME)}"


def program() -> str:
    """Return `bertsmith` if the shell finds this program by that name, else a path or `PYTHON -m bertsmith`."""
    started = Path(sys.argv[0])
    if started.parts[-2:] == (NAME, "__main__.py"):
        return f"{_python()} -m {NAME}"
    # In a notebook or a test, name the script of the same environment.
    script = started if started.name == NAME else Path(sys.executable).with_name(NAME)
    found = shutil.which(NAME)
    if found is not None and (not script.is_file() or script.samefile(found)):
        return NAME
    return _from_here(script) if script.is_file() else f"{_python()} -m {NAME}"


def _python() -> str:
    """Return the name of the interpreter if the shell finds it, else its path.

    Paths are compared without resolving links: the interpreter of an environment is often a link to that of the
    system, which does not have the packages of the environment.
    """
    for name in ("python", "python3"):
        found = shutil.which(name)
        if found is not None and Path(found).absolute() == Path(sys.executable):
            return name
    return _from_here(Path(sys.executable))


def _from_here(file: Path) -> str:
    """Return the path of a file for the shell: relative if it is below the current folder, else absolute."""
    absolute, here = file.absolute(), Path.cwd()
    return shlex.quote(str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute))
