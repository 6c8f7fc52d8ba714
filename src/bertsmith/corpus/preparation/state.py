"""A preparation in progress: what its stages hand on to each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from bertsmith.config.prepare import PrepareOptions
from bertsmith.corpus.decisions import Division
from bertsmith.corpus.deduplication import Duplicates
from bertsmith.corpus.engine import Engine
from bertsmith.corpus.plan import Plan
from bertsmith.corpus.stages.corpus import Corpus
from bertsmith.corpus.stages.encode import Encoded
from bertsmith.corpus.work_folder import DIVIDED, STORE, read_as
from bertsmith.records.manifest import DuplicateGroup, Manifest, StoreOptions
from bertsmith.runtime.machine import AutomaticChoice


@dataclass(frozen=True)
class Stage:
    """One entry of the list of stages; if the file `done_by` is in the work folder, the stage need not run again."""

    run: Callable[[PreparationState], None]
    done_by: str | None = None


@dataclass(frozen=True)
class CorpusSplit:
    """divided.json: all decisions before the encoding; `clusters` are the largest groups of duplicates.

    `model` is the MODEL whose tokenizer was taken, or that it was extended from.
    """

    division: Division
    clusters: list[DuplicateGroup]
    vocab_size: int
    sha256: str
    added_words: int
    model: str | None
    choices: list[AutomaticChoice]


class Clock:
    """The seconds that a preparation has taken, in all and by stage."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of a block to a stage."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.stages[name] = round(self.stages.get(name, 0.0) + time.monotonic() - started, 2)

    def seconds(self) -> float:
        """The time since the start."""
        return round(time.monotonic() - self.started, 2)


@dataclass(kw_only=True)
class PreparationState:
    """The inputs of a preparation, and the results of the stages that have run.

    Attributes:
        folder: the work folder.
        base: the tokenizer of the MODEL that --tokenizer names.
        identity: the options and files on which the content of the STORE depends.
        tokenizer, added_words: the tokenizer of the STORE, and how many words it has beyond that of `base`.
    """

    options: PrepareOptions
    engine: Engine
    plan: Plan
    folder: Path
    base: Any | None
    identity: StoreOptions
    clock: Clock
    corpus: Corpus = field(init=False)
    duplicates: Duplicates | None = None
    clusters: list[DuplicateGroup] = field(default_factory=list)
    division: Division = field(init=False)
    tokenizer: Any = None
    added_words: int = 0
    choices: list[AutomaticChoice] = field(default_factory=list)
    encoded: Encoded = field(init=False)
    manifest: Manifest = field(init=False)

    @property
    def store(self) -> Path:
        """The STORE that is being made."""
        return self.folder / STORE

    @cached_property
    def divided(self) -> CorpusSplit:
        """The decisions of the stages before the encoding, in this run or in the interrupted one."""
        return read_as(CorpusSplit, self.folder / DIVIDED)
