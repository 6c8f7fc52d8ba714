"""The state of a running `prepare`: the inputs and results that its stages share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from bertsmith.config.prepare import PrepareOptions
from bertsmith.corpus.decisions import SplitSummary
from bertsmith.corpus.deduplication import Duplicates
from bertsmith.corpus.engine import Engine
from bertsmith.corpus.plan import CorpusPlan
from bertsmith.corpus.stages.cleaned_corpus import Corpus
from bertsmith.corpus.stages.encode import EncodedCorpus
from bertsmith.corpus.work_folder import DIVIDED, STORE, read_as
from bertsmith.records.manifest import DuplicateGroup, Manifest, StoreOptions
from bertsmith.runtime.machine import AutomaticChoice


@dataclass(frozen=True)
class PreparationStage:
    """One stage of `prepare`; it is skipped if `completion_file` is already in the work folder."""

    run: Callable[[PreparationState], None]
    completion_file: str | None = None


@dataclass(frozen=True)
class CorpusSplit:
    """divided.json: all decisions made before encoding; `clusters` are the largest groups of duplicates.

    `model` is the MODEL whose tokenizer was used or extended.
    """

    summary: Annotated[SplitSummary, Field(alias="division")]
    clusters: list[DuplicateGroup]
    vocab_size: int
    sha256: str
    added_words: int
    model: str | None
    choices: list[AutomaticChoice]


class StageTimer:
    """Seconds that `prepare` has taken, in total and per stage."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of a `with` block to a stage."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.stages[name] = round(self.stages.get(name, 0.0) + time.monotonic() - started, 2)

    def seconds(self) -> float:
        """Return the seconds since the start."""
        return round(time.monotonic() - self.started, 2)


@dataclass(kw_only=True)
class PreparationState:
    """Inputs of `prepare`, and the results of its finished stages.

    Attributes:
        folder: the work folder.
        base: the tokenizer of the MODEL given by --tokenizer.
        identity: the options and files that determine the STORE.
        tokenizer, added_words: the tokenizer of the STORE, and the number of words added to that of `base`.
    """

    options: PrepareOptions
    engine: Engine
    plan: CorpusPlan
    folder: Path
    base: Any | None
    identity: StoreOptions
    timer: StageTimer
    corpus: Corpus = field(init=False)
    duplicates: Duplicates | None = None
    clusters: list[DuplicateGroup] = field(default_factory=list)
    split_summary: SplitSummary = field(init=False)
    tokenizer: Any = None
    added_words: int = 0
    choices: list[AutomaticChoice] = field(default_factory=list)
    encoded: EncodedCorpus = field(init=False)
    manifest: Manifest = field(init=False)

    @property
    def store(self) -> Path:
        """The unfinished STORE in the work folder."""
        return self.folder / STORE

    @cached_property
    def corpus_split(self) -> CorpusSplit:
        """The decisions made before encoding, in this run or in the interrupted one."""
        return read_as(CorpusSplit, self.folder / DIVIDED)
