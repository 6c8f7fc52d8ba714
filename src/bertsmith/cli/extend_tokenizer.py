"""bertsmith extend-tokenizer."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.config.extend_tokenizer import ExtendTokenizerOptions
from bertsmith.runtime.program import runnable


def _run(options: ExtendTokenizerOptions) -> Iterable[Answer]:
    from bertsmith.verbs.extend_tokenizer import extend_tokenizer

    yield extend_tokenizer(options)


def _show(result: Any) -> str:
    from bertsmith.records.extension import Extension
    from bertsmith.tokenization.folder import RECORD_FILE
    from bertsmith.tokenization.measures import fit_table

    sources = Extension.read(result.tokenizer / RECORD_FILE).sources
    store = f"{result.tokenizer}-store"
    following = ["bertsmith", "prepare", *sources, "--out", store, "--tokenizer", str(result.tokenizer)]
    return "\n".join(
        [
            f"{result.tokenizer}: {result.vocab_size:,} entries, {result.added:,} of them new, "
            f"sha256 {result.sha256[:16]}",
            *(f"  {line}" for line in fit_table(result.rows())),
            f"Next: {runnable(shlex.join(following))}",
        ]
    )


COMMAND = Command(
    "extend-tokenizer",
    "Add the words of a text to the vocabulary of a MODEL, those first that save the most tokens. `pretrain --from "
    "MODEL` takes up a STORE prepared with it: each new word starts from the mean of its old pieces.",
    ExtendTokenizerOptions,
    _run,
    _show,
    "bertsmith extend-tokenizer bert-base-uncased books/ --add 500 --out data/tokenizer",
)
