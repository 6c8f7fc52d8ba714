"""bertsmith quickstart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.config.quickstart import QuickstartOptions
from bertsmith.reporting.numbers import percent


def _run(options: QuickstartOptions) -> Iterable[Answer]:
    from bertsmith.verbs.quickstart import quickstart

    yield quickstart(options)


def _show(result: Any) -> str:
    true, false = result.next_sentence["true"], result.next_sentence["false"]
    return (
        f"\nDone in {result.seconds / 60:.1f} minutes.\n"
        f"  held-out MLM loss  {result.mlm_nats_after:.2f} nats (before {result.mlm_nats_before:.2f}, "
        f"unigram baseline {result.unigram_nats_per_token:.2f})\n"
        f"  next sentence      {percent(result.next_sentence_accuracy)} of held-out pairs (majority "
        f"{percent(result.next_sentence_majority)})\n"
        f"                     IsNext: {percent(true['is_next_probability'])} for a true pair, "
        f"{percent(false['is_next_probability'])} for a false one\n"
        f"  classifier         {percent(result.classifier_accuracy)} (majority {percent(result.majority_accuracy)})\n"
        f"  store              {result.store}\n"
        f"  model              {result.run}\n"
        f"  classifier         {result.classifier}\n"
        f"  report             {result.report}\n"
        "\nNext:\n" + "\n".join(f"  {line}" for line in result.next_commands)
    )


COMMAND = Command(
    "quickstart",
    "Train and use a BERT in minutes, without a download: the documentation of Python and of the installed packages "
    "becomes a corpus, a tokenizer, a BERT, a classifier and a report.",
    QuickstartOptions,
    _run,
    _show,
    "bertsmith quickstart --minutes 3 --out runs/quickstart",
)
