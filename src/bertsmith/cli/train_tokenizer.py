"""bertsmith train-tokenizer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.config.prepare import TrainTokenizerOptions


def _run(options: TrainTokenizerOptions) -> Iterable[Answer]:
    from bertsmith.verbs.train_tokenizer import train_tokenizer

    yield train_tokenizer(options)


def _show(result: Any) -> str:
    from bertsmith.tokenization.measures import fit_table

    return "\n".join(
        [
            f"{result.tokenizer}: {result.vocab_size:,} entries, sha256 {result.sha256[:16]}",
            f"  {result.tokens_per_word:.3f} tokens a word, {result.unknown_rate:.3%} of them unknown",
            *(f"  {line}" for line in fit_table(result.comparison)),
        ]
    )


COMMAND = Command(
    "train-tokenizer",
    "Train a WordPiece tokenizer; a Hugging Face tokenizer folder comes out. The same text gives the same file.",
    TrainTokenizerOptions,
    _run,
    _show,
    "bertsmith train-tokenizer books/ --out data/tokenizer --vocab-size 8192",
)
