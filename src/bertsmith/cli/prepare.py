"""bertsmith prepare."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.config.prepare import PrepareOptions
from bertsmith.reporting.numbers import counted
from bertsmith.runtime.console import clock, format_bytes
from bertsmith.runtime.program import runnable


def _run(options: PrepareOptions) -> Iterable[Answer]:
    from bertsmith.verbs.prepare import prepare

    yield prepare(options)


def _show(result: Any) -> str:
    from bertsmith.corpus.forecast import Forecast

    if isinstance(result, Forecast):
        return (
            f"{result.files:,} files, by a sample: {result.documents:,} documents, "
            f"{result.text_bytes / 1e6:,.1f} MB of text, about {result.tokens:,} tokens\n"
            f"  time    {clock(result.seconds)}\n"
            f"  memory  {format_bytes(result.memory_bytes)}, all processes\n"
            f"  disk    {format_bytes(result.disk_bytes)} while it works, "
            f"{format_bytes(result.store_bytes)} for the STORE; "
            f"{format_bytes(result.free_bytes)} are free{'' if result.fits else ': NOT ENOUGH'}\n"
            "Nothing was written."
        )
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in result.dropped.items()) or "none"
    new = f", {result.added_words:,} of them new" if result.added_words else ""
    origin = ["--from", result.model] if result.model is not None else []
    run = str(Path("runs") / result.store.resolve().name)
    following = ["bertsmith", "pretrain", str(result.store), "--out", run, *origin, "--minutes", "10"]
    return (
        f"{result.store}: {result.tokens:,} tokens in {result.sentences:,} sentences\n"
        f"  documents  {result.documents_in:,} read, {result.documents_kept:,} kept, dropped: {dropped}\n"
        f"  held out   from {counted(result.held_out_documents, 'document')}\n"
        f"  tokenizer  {result.vocab_size:,} entries{new}, sha256 {result.tokenizer_sha256[:16]}\n"
        f"  report     {result.store}/report.html\n"
        f"Next: {runnable(shlex.join(following))}"
    )


COMMAND = Command(
    "prepare",
    "Read, clean, de-duplicate and split text; train or take a tokenizer; write a STORE of token ids.",
    PrepareOptions,
    _run,
    _show,
    "bertsmith prepare books/ notes.txt --out data/books --vocab-size 8192",
)
