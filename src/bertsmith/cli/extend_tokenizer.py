"""bertsmith extend-tokenizer."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.figures import fit_table
from bertsmith.config.extend_tokenizer import ExtendTokenizerOptions
from bertsmith.runtime.program import runnable


def _run(options: ExtendTokenizerOptions) -> Iterable[Answer]:
    from bertsmith.verbs.extend_tokenizer import extend_tokenizer

    yield extend_tokenizer(options)


def _show(result: Any) -> str:
    from bertsmith.records.extension import Extension
    from bertsmith.tokenization.folder import RECORD_FILE

    sources = Extension.read(result.tokenizer / RECORD_FILE).sources
    store = f"{result.tokenizer}-store"
    following = ["bertsmith", "prepare", *sources, "--out", store, "--tokenizer", str(result.tokenizer)]
    return "\n".join(
        [
            f"{result.tokenizer} is ready: {result.vocab_size:,} entries, {result.added:,} of them new",
            f"  {_gain(result.tokens_per_word)}",
            *(f"  {line}" for line in fit_table(result.rows())),
            f"  sha256  {result.sha256[:16]}",
            "",
            "Next:",
            f"  {runnable(shlex.join(following))}",
        ]
    )


def _gain(tokens_per_word: dict[str, float]) -> str:
    """Return by how much texts become shorter; measured on text that no word was chosen from."""
    before, after = tokens_per_word["before"], tokens_per_word["after"]
    if after >= before:
        return "Texts do not become shorter (measured on a held-out tenth of the text)."
    return f"Texts become {1 - after / before:.1%} shorter (measured on a held-out tenth of the text)."


COMMAND = Command(
    "extend-tokenizer",
    "Add the words of a text that save the most tokens to the vocabulary of a MODEL. Then `prepare --tokenizer` and "
    "`pretrain --from MODEL` train them; a new word starts from the mean of the tokens that it replaces.",
    ExtendTokenizerOptions,
    _run,
    _show,
    "bertsmith extend-tokenizer bert-base-uncased books/ --add 500 --out data/tokenizer",
)
