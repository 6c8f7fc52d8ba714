"""A corpus in a work folder, read and cleaned: the input of the later stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from bertsmith.corpus.cleaning import CleaningCounts
from bertsmith.corpus.engine import Engine
from bertsmith.corpus.fingerprints import min_hash
from bertsmith.corpus.plan import CorpusPlan
from bertsmith.corpus.stages.clean import CleanedShard, clean
from bertsmith.corpus.stages.read import ReadCounts, read
from bertsmith.corpus.statistics import sum_counts
from bertsmith.errors import DataError

Advance = Callable[[int, int], None]


@dataclass(frozen=True)
class Corpus:
    """A corpus in a work folder, with the counts from reading and cleaning."""

    folder: Path
    plan: CorpusPlan
    engine: Engine
    counts: ReadCounts
    cleaned: list[CleanedShard]

    @property
    def shards(self) -> int:
        """The number of shards."""
        return len(self.cleaned)

    @property
    def documents(self) -> list[int]:
        """Documents kept per shard after cleaning."""
        return [shard.kept for shard in self.cleaned]

    @property
    def dropped(self) -> dict[str, int]:
        """Documents dropped by cleaning, by reason."""
        return sum_counts(shard.dropped for shard in self.cleaned)

    @property
    def cleaning(self) -> dict[str, dict[str, int]]:
        """The counts of `CleaningCounts` by name."""
        return {
            name: sum_counts(vars(shard.cleaning)[name] for shard in self.cleaned) for name in vars(CleaningCounts())
        }

    @property
    def characters(self) -> int:
        """Characters of the clean text."""
        return sum(shard.characters for shard in self.cleaned)

    @property
    def first_id(self) -> str | None:
        """The id of the first document."""
        return next((shard.first_id for shard in self.cleaned if shard.first_id is not None), None)

    @property
    def statistics(self) -> dict[str, dict[str, int]]:
        """The counts of `CleanStatistics` by name, if the plan asks for them."""
        found = [shard.statistics for shard in self.cleaned if shard.statistics is not None]
        return {name: sum_counts(each[name] for each in found) for name in ("document_characters", "languages")}

    def check_not_empty(self) -> None:
        """Raise DataError if no document is left after cleaning."""
        if sum(self.documents):
            return
        first, *others = (file.location for file in self.plan.files)
        where = f"{first} and {len(others)} more files" if others else first
        dropped = ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.items()) or "none"
        raise DataError(
            f"{where}: no document is left after cleaning; read {self.counts.documents_in:,}, dropped: {dropped}"
        )


def build_corpus(folder: Path, plan: CorpusPlan, engine: Engine, *, reading: Advance, cleaning: Advance) -> Corpus:
    """Read all files into blocks, and clean all blocks into shards."""
    _import_libraries()
    counts = read(plan, folder, engine=engine, advance=reading)
    shards = clean(folder, engine=engine, advance=cleaning)
    return Corpus(folder=folder, plan=plan, engine=engine, counts=counts, cleaned=shards)


def _import_libraries() -> None:
    """Import libraries that every task needs once, so that forked processes inherit them."""
    min_hash()
    pa.array(["pyarrow imports pandas when it is first given a list"])
