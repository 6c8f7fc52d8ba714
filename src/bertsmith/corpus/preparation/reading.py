"""Files to clean shards."""

from __future__ import annotations

from bertsmith.corpus.preparation.state import PreparationState
from bertsmith.corpus.stages import corpus
from bertsmith.runtime.console import log_info, progress


def read_and_clean(work: PreparationState) -> None:
    """Read and clean all files, and print how they were read. Raises DataError if no document is left."""
    with (
        progress("reading", unit="groups of files") as reading,
        progress("cleaning", unit="blocks") as cleaning,
        work.clock.stage("read and clean"),
    ):
        work.corpus = corpus.read_and_clean(
            work.folder,
            work.plan,
            work.engine,
            reading=lambda done, total: reading.update(done, total=total),
            cleaning=lambda done, total: cleaning.update(done, total=total),
        )
    counts = work.corpus.counts
    for line in counts.detected[:5]:
        log_info(line)
    if len(counts.detected) > 5:
        log_info(f"... and {len(counts.detected) - 5} files more; all of it is in the report")
    if counts.replaced_bytes:
        log_info(f"{counts.replaced_bytes} bytes were not {work.options.encoding} and were replaced")
    work.corpus.check_not_empty()
