"""bertsmith quickstart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.config.quickstart import QuickstartOptions


def _run(options: QuickstartOptions) -> Iterable[Answer]:
    from bertsmith.verbs.quickstart import quickstart

    yield quickstart(options)


def _show(result: Any) -> str:
    true, false = result.next_sentence["true"], result.next_sentence["false"]
    return (
        f"\nDone in {result.seconds / 60:.1f} minutes.\n"
        f"  held-out MLM loss  {result.mlm_nats_after:.2f} nats (before {result.mlm_nats_before:.2f}, "
        f"unigram baseline {result.unigram_nats_per_token:.2f})\n"
        f"  next sentence      {result.next_sentence_accuracy:.1%} of held-out pairs (majority "
        f"{result.next_sentence_majority:.1%});\n"
        f"                     probability of IsNext for the true one shown {true['is_next_probability']:.2f}, for the "
        f"false one {false['is_next_probability']:.2f}\n"
        f"  classifier         {result.classifier_accuracy:.1%} (majority {result.majority_accuracy:.1%})\n"
        f"  store              {result.store}\n"
        f"  model              {result.run}\n"
        f"  classifier         {result.classifier}\n"
        f"  report             {result.report}\n"
        "\nGo on with:\n" + "\n".join(f"  {line}" for line in result.next_commands)
    )


COMMAND = Command(
    "quickstart",
    "The whole life cycle in minutes, without a download: the documentation of Python and of the installed packages "
    "becomes a corpus, a tokenizer, a BERT, a classifier, and a report.",
    QuickstartOptions,
    _run,
    _show,
    "bertsmith quickstart --minutes 3 --out runs/quickstart",
)
