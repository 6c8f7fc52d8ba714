"""The modules to read: source files of the standard library and of the base distributions."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from bertsmith.corpus.python_documentation.distributions import installed_distributions
from bertsmith.corpus.python_documentation.source import topics_in

# Test suites are a third of the source but have few docstrings; vendored copies repeat other packages.
_SKIPPED_FOLDERS = frozenset(
    {"test", "tests", "idlelib", "lib2to3", "__pycache__", "site-packages", "dist-packages", "_vendor"}
)


@dataclass(frozen=True)
class DocumentationModule:
    """One source file to read, or one topic of the file with the topics of Python's `help()`."""

    id: str
    package: str
    path: Path
    topic: str = ""


def documentation_modules() -> list[DocumentationModule]:
    """Return every source file of the standard library and of the installed base distributions, by module name.

    Takes about a second: it lists folders and reads the records of the distributions, but no source except for the
    names of the topics. Distributions that are not installed are left out (see `missing_distributions`).
    """
    found: dict[str, DocumentationModule] = {}
    standard_library = Path(sysconfig.get_paths()["stdlib"])
    for module in (*_library_modules(standard_library), *_distribution_modules()):
        found.setdefault(module.id, module)
    return sorted(found.values(), key=lambda module: module.id)


def _library_modules(root: Path) -> Iterator[DocumentationModule]:
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(set(subfolders) - _SKIPPED_FOLDERS)
        for name in sorted(names):
            path = Path(folder, name)
            if (module_name := _module_name(path.relative_to(root))) == "pydoc_data.topics":
                for topic in sorted(topics_in(path)):
                    yield DocumentationModule(f"python.topics.{topic}", "python", path, topic)
            elif module_name:
                yield DocumentationModule(module_name, "python", path)


def _distribution_modules() -> Iterator[DocumentationModule]:
    for name, distribution in installed_distributions():
        for file in distribution.files or ():
            if module_name := _module_name(file):
                yield DocumentationModule(module_name, name, Path(str(file.locate())))


def _module_name(relative: PurePath) -> str:
    """Return the dotted name of a source file by its path in its folder; empty if the file is skipped."""
    *folders, name = relative.parts
    if not name.endswith(".py") or not _SKIPPED_FOLDERS.isdisjoint(folders):
        return ""
    parts = [*folders, name.removesuffix(".py")]
    if parts[-1] == "__init__" and folders:
        parts.pop()
    return ".".join(parts) if all(part.isidentifier() for part in parts) else ""
