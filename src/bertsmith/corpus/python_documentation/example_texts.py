"""Example texts for trying the verbs, from the packages installed on this machine.

`quickstart` writes them next to its models, so that the commands of the README run as they are: a folder of text files
to pre-train on, and a text of a different style (licences, in legal English) to adapt a model to.
"""

from __future__ import annotations

import json
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from bertsmith.corpus.python_documentation.distributions import installed_distributions
from bertsmith.runtime.files import write_text

_LICENCE_NAMES = ("licen", "copying", "notice")
_SHORTEST = 60
"""Minimum characters of a paragraph: shorter ones are headings, names and numbers."""


def write_package_texts(corpus: Path, folder: Path, package: str) -> int:
    """Write each module of a package in the corpus of `write_corpus` as FOLDER/MODULE.txt; return their number."""
    folder.mkdir(parents=True)
    written = 0
    with corpus.open(encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            if record["package"] == package:
                write_text(folder / f"{record['id']}.txt", f"{record['text']}\n")
                written += 1
    return written


def write_licences(path: Path) -> int:
    """Write the licences of Python and of the base distributions, each paragraph once; return the number of characters.

    Most packages use one of five licences, so a quarter of a million characters is left of one million.
    """
    seen: dict[str, None] = {}
    for file in _licence_files():
        text = file.read_text(encoding="utf-8", errors="replace")
        for paragraph in text.split("\n\n"):
            line = " ".join(paragraph.split())
            if len(line) >= _SHORTEST:
                seen[line] = None
    write_text(path, "\n\n".join(seen) + "\n")
    return sum(map(len, seen))


def _licence_files() -> Iterator[Path]:
    python = Path(sysconfig.get_paths()["stdlib"]) / "LICENSE.txt"
    if python.is_file():
        yield python
    for _, distribution in installed_distributions():
        for file in distribution.files or ():
            is_licence = any(word in file.name.lower() for word in _LICENCE_NAMES)
            if is_licence and any(part.endswith(".dist-info") for part in file.parts):
                path = Path(str(file.locate()))
                if path.is_file():
                    yield path
