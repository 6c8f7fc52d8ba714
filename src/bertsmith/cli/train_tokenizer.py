"""bertsmith train-tokenizer."""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.figures import fit_table
from bertsmith.config.prepare import TrainTokenizerOptions
from bertsmith.runtime.program import runnable


def _run(options: TrainTokenizerOptions) -> Iterable[Answer]:
    from bertsmith.verbs.train_tokenizer import train_tokenizer

    yield train_tokenizer(options)


def _show(result: Any) -> str:
    return "\n".join(
        [
            f"{result.tokenizer} is ready: {result.vocab_size:,} entries",
            f"  {result.tokens_per_word:.3f} tokens per word, {result.unknown_rate:.3%} of them unknown",
            *(f"  {line}" for line in (fit_table(result.comparison) if result.comparison else ())),
            f"  sha256  {result.sha256[:16]}",
            "",
            "Next:",
            f"  {runnable('bertsmith prepare')} SOURCE --out STORE --tokenizer {quote(str(result.tokenizer))}",
        ]
    )


COMMAND = Command(
    "train-tokenizer",
    "Train a WordPiece tokenizer and write a Hugging Face tokenizer folder. The same text gives the same file.",
    TrainTokenizerOptions,
    _run,
    _show,
    "bertsmith train-tokenizer books/ --out data/tokenizer --vocab-size 8192",
)
