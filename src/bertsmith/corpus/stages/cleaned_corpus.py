"""A corpus in a work folder, read and cleaned: what the stages behind it need."""

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
    """A corpus in a work folder, and what was counted while it was read and cleaned."""

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
        """Of each shard, the documents that are left after cleaning."""
        return [shard.kept for shard in self.cleaned]

    @property
    def dropped(self) -> dict[str, int]:
        """The documents that the cleaning dropped, by reason."""
        return sum_counts(shard.dropped for shard in self.cleaned)

    @property
    def cleaning(self) -> dict[str, dict[str, int]]:
        """The counts of `CleaningCounts` by name."""
        return {
            name: sum_counts(vars(shard.cleaning)[name] for shard in self.cleaned) for name in vars(CleaningCounts())
        }

    @property
    def characters(self) -> int:
        """The characters of the clean text."""
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
        where = f"{first} and {len(others)} files more" if others else first
        dropped = ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.items()) or "none"
        raise DataError(
            f"{where}: no document is left of {self.counts.documents_in:,} that were read; dropped: {dropped}"
        )


def build_corpus(folder: Path, plan: CorpusPlan, engine: Engine, *, reading: Advance, cleaning: Advance) -> Corpus:
    """Read all files into blocks, and clean all blocks into shards."""
    _import_libraries()
    counts = read(plan, folder, engine=engine, advance=reading)
    shards = clean(folder, engine=engine, advance=cleaning)
    return Corpus(folder=folder, plan=plan, engine=engine, counts=counts, cleaned=shards)


def _import_libraries() -> None:
    """Import here what every task needs, so that processes that are forked from this one need not do it each."""
    min_hash()
    pa.array(["pyarrow imports pandas when it is first given a list"])
