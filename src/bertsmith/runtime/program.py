"""The name by which this program is started, so that printed commands can be copied and run as they are.

`bertsmith` is found by its name only while its environment is active. After `make quickstart` it is not:
`.venv/bin/bertsmith` is what runs then.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

NAME = "bertsmith"


def runnable(command: str) -> str:
    """A command that begins with `bertsmith`, with the name that starts this very program from this folder."""
    return f"{program()}{command.removeprefix(NAME)}"


def program() -> str:
    """`bertsmith` if the shell finds this program by its name, else a path or `PYTHON -m bertsmith`."""
    started = Path(sys.argv[0])
    if started.parts[-2:] == (NAME, "__main__.py"):
        return f"{_python()} -m {NAME}"
    # In Python (a notebook, a test) the script of the same environment is the one to name.
    script = started if started.name == NAME else Path(sys.executable).with_name(NAME)
    found = shutil.which(NAME)
    if found is not None and (not script.is_file() or script.samefile(found)):
        return NAME
    return _from_here(script) if script.is_file() else f"{_python()} -m {NAME}"


def _python() -> str:
    """The interpreter: by its name if the shell finds this one, else its path.

    Paths are compared as they are written: the interpreter of an environment is often a link to that of the system,
    which lacks the packages of the environment.
    """
    for name in ("python", "python3"):
        found = shutil.which(name)
        if found is not None and Path(found).absolute() == Path(sys.executable):
            return name
    return _from_here(Path(sys.executable))


def _from_here(file: Path) -> str:
    """A file as the shell takes it: relative below this folder, else absolute."""
    absolute, here = file.absolute(), Path.cwd()
    return shlex.quote(str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute))
