"""The first stage: read and clean the source files."""

from __future__ import annotations

from bertsmith.corpus.preparation.state import PreparationState
from bertsmith.corpus.stages import cleaned_corpus
from bertsmith.runtime.console import log_info, progress


def read_and_clean(state: PreparationState) -> None:
    """Read and clean all files, and print how they were read. Raises DataError if no document is left."""
    with (
        progress("reading", unit="groups of files") as reading,
        progress("cleaning", unit="blocks") as cleaning,
        state.timer.stage("read and clean"),
    ):
        state.corpus = cleaned_corpus.build_corpus(
            state.folder,
            state.plan,
            state.engine,
            reading=lambda done, total: reading.update(done, total=total),
            cleaning=lambda done, total: cleaning.update(done, total=total),
        )
    counts = state.corpus.counts
    for line in counts.detected[:5]:
        log_info(line)
    if len(counts.detected) > 5:
        log_info(f"... and {len(counts.detected) - 5} more files, listed in the report")
    if counts.replaced_bytes:
        log_info(f"replaced {counts.replaced_bytes:,} bytes that are not valid {state.options.encoding}")
    state.corpus.check_not_empty()
