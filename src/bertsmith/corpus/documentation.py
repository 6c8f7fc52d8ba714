"""A corpus that needs no download: the documentation that Python and the installed packages carry with them.

`bertsmith quickstart` has to pre-train on real English within minutes, offline. Every machine that can run it
holds the docstrings of the standard library and of the packages that bertsmith depends on: 33 MB, of which
9 MB are prose. They are read by parsing the source files, never by importing them: an import is slow, has
side effects, and fails for optional dependencies. It takes about 50 s of one core, four fifths of it for parsing
170 MB of source; the work divides evenly among processes.

One module is one document, so that "the next sentence" means something. Which distributions are read is a
fixed list: the corpus changes with the versions of the base install, not with the tools installed beside it.
"""

from __future__ import annotations

import ast
import functools
import gc
import importlib.metadata
import json
import multiprocessing
import os
import signal
import sysconfig
import warnings
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from bertsmith.corpus.docstrings import clean_docstring
from bertsmith.runtime.files import write_text

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

# Test suites have few docstrings and a third of the source; the vendored copies repeat other packages.
_SKIPPED_FOLDERS = frozenset(
    {"test", "tests", "idlelib", "lib2to3", "__pycache__", "site-packages", "dist-packages", "_vendor"}
)
# Tasks of this size take about 0.1 s: the cost of passing them on is small, and the cores finish together.
_MODULES_A_TASK = 16

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_WITH_STATEMENTS = (
    *_DOCUMENTED,
    *(ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith),
    *(ast.Try, ast.TryStar, ast.ExceptHandler, ast.Match, ast.match_case),
)


@dataclass(frozen=True)
class DocumentationModule:
    """One source file to read, or one topic of the file that holds the topics of Python's `help()`."""

    id: str
    package: str
    path: Path
    topic: str = ""


@dataclass(frozen=True)
class DocumentationPart:
    """The prose of one module.

    `id` is the module's name ("torch.nn.functional", "python.topics.assert"), `package` "python" for the
    standard library, else the distribution's name. `docstring_characters` is the size before cleaning;
    `dropped` and `dropped_characters` count by reason the blocks that are not prose.
    """

    id: str
    package: str
    paragraphs: list[str]
    docstring_characters: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    dropped_characters: Counter[str] = field(default_factory=Counter)


def missing_distributions() -> list[str]:
    """The distributions of the list that are not installed here: the corpus is smaller by their text."""
    return [name for name in BASE_DISTRIBUTIONS if not _is_installed(name)]


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def documentation_modules() -> list[DocumentationModule]:
    """Every source file of the standard library and of the installed base distributions, by module name.

    Takes about a second: it lists folders and reads the records of the distributions, but no source except
    the names of the topics. A distribution that is not installed is left out (see `missing_distributions`).
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
                for topic in sorted(_topics(path)):
                    yield DocumentationModule(f"python.topics.{topic}", "python", path, topic)
            elif module_name:
                yield DocumentationModule(module_name, "python", path)


def _distribution_modules() -> Iterator[DocumentationModule]:
    for name in BASE_DISTRIBUTIONS:
        if not _is_installed(name):
            continue
        for file in importlib.metadata.distribution(name).files or ():
            if module_name := _module_name(file):
                yield DocumentationModule(module_name, name, Path(str(file.locate())))


def _module_name(relative: PurePath) -> str:
    """The dotted name of a source file by its place in its folder; empty if it is not a module to be read."""
    *folders, name = relative.parts
    if not name.endswith(".py") or not _SKIPPED_FOLDERS.isdisjoint(folders):
        return ""
    parts = [*folders, name.removesuffix(".py")]
    if parts[-1] == "__init__" and folders:
        parts.pop()
    return ".".join(parts) if all(part.isidentifier() for part in parts) else ""


def _parse(path: Path) -> ast.Module | None:
    """The syntax tree; None if the file cannot be read, is no text, or is for another version of Python.

    The compiler's warnings (invalid escapes, `is` with a literal) are silenced: these are others' sources.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@contextmanager
def _garbage_kept() -> Iterator[None]:
    """No cyclic garbage collection: a syntax tree is a million live objects without a cycle; 15% faster."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@functools.cache
def _topics(path: Path) -> dict[str, str]:
    """The texts of `help("assert")` and the like; empty where the file is no literal dictionary."""
    tree = _parse(path)
    for statement in tree.body if tree else ():
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Dict):
            try:
                return {str(topic): str(text) for topic, text in ast.literal_eval(statement.value).items()}
            except ValueError:
                return {}
    return {}


def _docstrings(path: Path) -> list[str] | None:
    """The docstrings of a module, its classes and its functions in source order; None as for `_parse`.

    Only statements are visited: expressions are nine tenths of the nodes and hold no docstring.
    """
    with _garbage_kept():
        tree = _parse(path)
        if tree is None:
            return None
        docstrings: list[str] = []
        pending: list[ast.AST] = [tree]
        while pending:
            node = pending.pop()
            if isinstance(node, _DOCUMENTED) and (docstring := ast.get_docstring(node, clean=True)):
                docstrings.append(docstring)
            inner = [
                child
                for block in ("body", "handlers", "orelse", "finalbody", "cases")
                for child in getattr(node, block, ())
                if isinstance(child, _WITH_STATEMENTS)
            ]
            pending += reversed(inner)
        del tree, pending
    return docstrings


def extract(module: DocumentationModule) -> DocumentationPart | None:
    """The prose of one module; None if its source cannot be read or parsed.

    Depends on the file alone and runs nothing of it, so that modules may be read in any process and order.
    """
    if module.topic:
        topic = _topics(module.path).get(module.topic)
        docstrings = None if topic is None else [topic]
    else:
        docstrings = _docstrings(module.path)
    if docstrings is None:
        return None
    paragraphs: list[str] = []
    dropped: Counter[str] = Counter()
    dropped_characters: Counter[str] = Counter()
    for docstring in docstrings:
        for text, reason in clean_docstring(docstring):
            if reason:
                dropped[reason] += 1
                dropped_characters[reason] += len(text)
            else:
                paragraphs.append(text)
    return DocumentationPart(
        id=module.id,
        package=module.package,
        paragraphs=paragraphs,
        docstring_characters=sum(map(len, docstrings)),
        dropped=dropped,
        dropped_characters=dropped_characters,
    )


def _ignore_interrupts() -> None:
    """Ctrl-C reaches every process of the group; the parent alone answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _extract_all(modules: list[DocumentationModule], workers: int) -> Generator[DocumentationPart | None, None, None]:
    """The parts in the order of the modules, whoever read them."""
    if workers == 1:
        yield from map(extract, modules)
        return
    # Not "fork": the parent may run threads (torch, a progress bar) whose locks a forked child would inherit.
    executor = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _ignore_interrupts)
    try:
        yield from executor.map(extract, modules, chunksize=_MODULES_A_TASK)
    finally:
        executor.shutdown(cancel_futures=True)


def write_corpus(path: Path, workers: int, advance: Callable[[int, int], None]) -> dict[str, int]:
    """Write the documentation as JSON lines (`id`, `package`, `text` with a blank line between paragraphs).

    The bytes depend on the installed versions alone, not on `workers`. A paragraph that occurs again anywhere
    (the same note in two hundred models) is kept the first time only; a module without prose is not written.
    `advance` is called with (modules done, modules in all). With more than one worker, a script that calls
    this needs the usual `if __name__ == "__main__":`, since the processes are spawned.

    Returns counts: `modules` found, `skipped` of them as unreadable, `missing_distributions`; `documents`,
    `paragraphs` and `characters` written; `docstring_characters` before cleaning; and for each reason,
    "repeated" being one of them, `dropped_REASON` paragraphs and their `dropped_REASON_characters`.
    """
    modules = documentation_modules()
    counts: Counter[str] = Counter(modules=len(modules), missing_distributions=len(missing_distributions()))
    counts.update(dict.fromkeys(("skipped", "documents", "paragraphs", "characters", "docstring_characters"), 0))
    seen: set[str] = set()
    lines: list[str] = []
    with closing(_extract_all(modules, workers)) as parts:
        for done, part in enumerate(parts, start=1):
            advance(done, len(modules))
            if part is None:
                counts["skipped"] += 1
                continue
            fresh: list[str] = []
            for paragraph in part.paragraphs:
                if paragraph in seen:
                    counts["dropped_repeated"] += 1
                    counts["dropped_repeated_characters"] += len(paragraph)
                else:
                    seen.add(paragraph)
                    fresh.append(paragraph)
            counts["docstring_characters"] += part.docstring_characters
            counts.update({f"dropped_{reason}": count for reason, count in part.dropped.items()})
            counts.update({f"dropped_{reason}_characters": count for reason, count in part.dropped_characters.items()})
            if fresh:
                text = "\n\n".join(fresh)
                counts["documents"] += 1
                counts["paragraphs"] += len(fresh)
                counts["characters"] += len(text)
                lines.append(json.dumps({"id": part.id, "package": part.package, "text": text}, ensure_ascii=False))
    write_text(path, "".join(f"{line}\n" for line in lines))
    return dict(counts)
