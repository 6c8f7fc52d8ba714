"""The distributions to read documentation and licences from: those that every install of bertsmith has."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator

# The closure of `[project] dependencies` in pyproject.toml on Linux with Python 3.11, by their metadata.
BASE_DISTRIBUTIONS: tuple[str, ...] = (
    "accelerate",
    "annotated-doc",
    "annotated-types",
    "anyio",
    "attrs",
    "babel",
    "click",
    "courlan",
    "cyclopts",
    "datasets",
    "dateparser",
    "dill",
    "docstring-parser",
    "filelock",
    "fsspec",
    "ftfy",
    "h11",
    "hf-xet",
    "htmldate",
    "httpcore2",
    "httpx2",
    "huggingface-hub",
    "idna",
    "jinja2",
    "justext",
    "lxml",
    "lxml-html-clean",
    "markdown-it-py",
    "markupsafe",
    "mdurl",
    "mpmath",
    "multiprocess",
    "networkx",
    "numpy",
    "packaging",
    "pandas",
    "psutil",
    "py3langid",
    "pyarrow",
    "pydantic",
    "pydantic-core",
    "pygments",
    "python-dateutil",
    "pytz",
    "pyyaml",
    "regex",
    "rensa",
    "rich",
    "rich-rst",
    "safetensors",
    "sentencex",
    "setuptools",
    "shellingham",
    "sympy",
    "tld",
    "tokenizers",
    "torch",
    "tqdm",
    "trafilatura",
    "transformers",
    "truststore",
    "typer",
    "typing-extensions",
    "typing-inspection",
    "tzdata",
    "tzlocal",
    "wcwidth",
    "xxhash",
    "zstandard",
)


def installed_distributions() -> Iterator[tuple[str, importlib.metadata.Distribution]]:
    """Yield the installed distributions of the list, with their names in it."""
    for name in BASE_DISTRIBUTIONS:
        try:
            yield name, importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue


def missing_distributions() -> list[str]:
    """Return the distributions of the list that are not installed; the corpus lacks their text."""
    found = {name for name, _ in installed_distributions()}
    return [name for name in BASE_DISTRIBUTIONS if name not in found]
