"""bertsmith prepare."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.config.prepare import PrepareOptions
from bertsmith.reporting.numbers import counted
from bertsmith.runtime.console import WIDTH, clock, format_bytes
from bertsmith.runtime.program import runnable


def _run(options: PrepareOptions) -> Iterable[Answer]:
    from bertsmith.verbs.prepare import prepare

    yield prepare(options)


def _show(result: Any) -> str:
    from bertsmith.corpus.preparation_estimate import PreparationEstimate

    if isinstance(result, PreparationEstimate):
        return (
            "Forecast from a sample (--dry-run), nothing was written:\n"
            f"  text    {counted(result.files, 'file')}, {counted(result.documents, 'document')}, "
            f"{result.text_bytes / 1e6:,.1f} MB, about {result.tokens:,} tokens\n"
            f"  time    {clock(result.seconds)}\n"
            f"  memory  {format_bytes(result.memory_bytes)} for all processes\n"
            f"  disk    {format_bytes(result.disk_bytes)} during preparation, "
            f"{format_bytes(result.store_bytes)} for the STORE\n"
            f"  free    {format_bytes(result.free_bytes)} on this disk{'' if result.fits else ': NOT ENOUGH'}"
        )
    dropped = [f"{count:,} {reason}" for reason, count in result.dropped.items()]
    new = f", {result.added_words:,} of them new" if result.added_words else ""
    origin = ["--from", result.model] if result.model is not None else []
    run = str(Path("runs") / result.store.resolve().name)
    following = ["bertsmith", "pretrain", str(result.store), "--out", run, *origin, "--minutes", "10"]
    return (
        f"{result.store} is ready: {result.tokens:,} tokens in {result.sentences:,} sentences\n"
        f"  documents  {result.documents_in:,} read, {result.documents_kept:,} kept\n"
        f"{_dropped_lines(dropped)}"
        f"  held out   for evaluation, from {counted(result.held_out_documents, 'document')}\n"
        f"  tokenizer  {result.vocab_size:,} entries{new}, sha256 {result.tokenizer_sha256[:16]}\n"
        f"  report     {result.store}/report.html\n"
        f"\nNext:\n  {runnable(shlex.join(following))}"
    )


def _dropped_lines(dropped: list[str]) -> str:
    """Return the number of dropped documents by reason, if any were dropped."""
    if not dropped:
        return ""
    lines = textwrap.wrap(
        ", ".join(dropped),
        WIDTH - 1,
        initial_indent="  dropped    ",
        subsequent_indent=13 * " ",
        break_on_hyphens=False,
    )
    return "\n".join(lines) + "\n"


COMMAND = Command(
    "prepare",
    "Read, clean, de-duplicate and split text; train a tokenizer or use that of a MODEL; write a STORE of token ids.",
    PrepareOptions,
    _run,
    _show,
    "bertsmith prepare books/ notes.txt --out data/books --vocab-size 8192",
)
