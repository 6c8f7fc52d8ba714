"""Sentences of Python modules for `quickstart`: a sentence pair to score, and labelled files.

The label of a sentence is the package of its module. The dev file and the pair come from held-out modules.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bertsmith.corpus.document import Document, paragraphs_of
from bertsmith.corpus.sentences import split_sentences
from bertsmith.corpus.splitting import is_held_out
from bertsmith.runtime import random
from bertsmith.runtime.files import write_text

CLASSES = 6
TRAIN_PER_CLASS, DEV_PER_CLASS = 400, 60
SHORTEST, LONGEST = 8, 40
"""Words of a sentence that is labelled or shown."""


@dataclass(frozen=True)
class ModuleSentences:
    """The sentences of a module, in order."""

    package: str
    held_out: bool
    sentences: list[str]


def read_modules(corpus: Path, *, held_out: float, seed: int) -> Iterator[ModuleSentences]:
    """Yield the modules of a corpus; `held_out` is the share that `prepare` holds out with the same seed."""
    with corpus.open(encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            paragraphs = split_sentences(Document(record["id"], paragraphs_of(record["text"])), "en")
            sentences = [sentence for paragraph in paragraphs for sentence in paragraph]
            yield ModuleSentences(record["package"], is_held_out(record["id"], held_out, seed), sentences)


def pair_to_score(modules: Sequence[ModuleSentences], seed: int) -> tuple[str, str, str]:
    """Return a held-out sentence, the sentence after it, and a sentence of a different module."""
    pairs = [
        (number, a, b)
        for number, module in enumerate(modules)
        if module.held_out
        for a, b in zip(module.sentences, module.sentences[1:], strict=False)
        if _fits(a) and _fits(b)
    ]
    number, a, b = pairs[random.key("shown pair", seed) % len(pairs)]
    others = [other for position, other, _ in pairs if position != number]
    return a, b, others[random.key("shown other", seed) % len(others)]


def write_labelled(modules: Sequence[ModuleSentences], folder: Path, seed: int) -> None:
    """Write train.csv and dev.csv with sentences of the packages that have the most."""
    by_package: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for module in modules:
        by_package[module.package, module.held_out] += filter(_fits, module.sentences)
    packages = sorted({package for package, _ in by_package}, key=lambda name: -len(by_package[name, True]))[:CLASSES]
    for name, held_out, limit in (("train", False, TRAIN_PER_CLASS), ("dev", True, DEV_PER_CLASS)):
        table = io.StringIO()
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(("text", "label"))
        for package in sorted(packages):
            sentences = by_package[package, held_out]
            order = random.generator("labelled", seed, package, name).permutation(len(sentences))[:limit]
            rows.writerows((sentences[at], package) for at in order)
        write_text(folder / f"{name}.csv", table.getvalue())


def _fits(sentence: str) -> bool:
    return SHORTEST <= len(sentence.split()) <= LONGEST
