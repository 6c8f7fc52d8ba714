"""The corpus of the documentation: the prose of each module, and the JSON lines of all modules."""

from __future__ import annotations

import json
import multiprocessing
import signal
from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from bertsmith.corpus.python_documentation.distributions import missing_distributions
from bertsmith.corpus.python_documentation.modules import DocumentationModule, documentation_modules
from bertsmith.corpus.python_documentation.prose import clean_docstring
from bertsmith.corpus.python_documentation.source import docstrings_in, topics_in
from bertsmith.runtime.files import write_text

# Tasks of this size take about 0.1 s: sending them costs little, and all cores finish at about the same time.
_MODULES_PER_TASK = 16


@dataclass(frozen=True)
class DocumentationPart:
    """The prose of one module.

    `id` is the module's name ("torch.nn.functional", "python.topics.assert"), `package` is "python" for the standard
    library, else the distribution's name. `docstring_characters` is the size before cleaning; `dropped` and
    `dropped_characters` count the blocks that are not prose, by reason.
    """

    id: str
    package: str
    paragraphs: list[str]
    docstring_characters: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    dropped_characters: Counter[str] = field(default_factory=Counter)


def extract(module: DocumentationModule) -> DocumentationPart | None:
    """Extract the prose of one module; None if its source cannot be read or parsed.

    Depends only on the file and runs none of its code, so modules can be read in any process and order.
    """
    if module.topic:
        topic = topics_in(module.path).get(module.topic)
        docstrings = None if topic is None else [topic]
    else:
        docstrings = docstrings_in(module.path)
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
    """Ignore Ctrl-C, which reaches every process of the group; only the parent handles it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _extract_all(modules: list[DocumentationModule], workers: int) -> Generator[DocumentationPart | None, None, None]:
    """Yield the parts in the order of the modules, for any number of workers."""
    if workers == 1:
        yield from map(extract, modules)
        return
    # Not "fork": the parent may run threads (torch, a progress bar) whose locks a forked child would inherit.
    executor = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _ignore_interrupts)
    try:
        yield from executor.map(extract, modules, chunksize=_MODULES_PER_TASK)
    finally:
        executor.shutdown(cancel_futures=True)


def write_corpus(path: Path, workers: int, advance: Callable[[int, int], None]) -> dict[str, int]:
    """Write the documentation as JSON lines (`id`, `package`, `text` with a blank line between paragraphs).

    The bytes depend only on the installed versions, not on `workers`. If a paragraph occurs several times (the same
    note in two hundred models), only the first is kept; a module without prose is not written. `advance` is called with
    (modules done, all modules). Workers are spawned, so with more than one, a calling script needs the usual `if
    __name__ == "__main__":`.

    Returns counts: `modules` found, `skipped` (unreadable), `missing_distributions`; `documents`, `paragraphs` and
    `characters` written; `docstring_characters` before cleaning; and for each reason, including "repeated",
    `dropped_REASON` paragraphs and their `dropped_REASON_characters`.
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
