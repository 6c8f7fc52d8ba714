"""bertsmith quickstart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.verdicts import LEARNED, UNCERTAIN, language_model_lines
from bertsmith.config.quickstart import QuickstartOptions
from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.records.pretraining import PretrainingRecord
from bertsmith.records.run import FILE as RUN_RECORD
from bertsmith.reporting.numbers import percent
from bertsmith.runtime.console import wrapped


def _run(options: QuickstartOptions) -> Iterable[Answer]:
    from bertsmith.verbs.quickstart import quickstart

    yield quickstart(options)


def _show(result: Any) -> str:
    record = PretrainingRecord.read(result.run / RUN_RECORD)
    after, before = record.evaluation, record.evaluation_before
    assert after is not None and before is not None
    return "\n".join(
        [
            f"Done in {result.seconds / 60:.1f} minutes: a corpus, a tokenizer, a BERT and a classifier.",
            _classifier_line(FinetuningRecord.read(result.classifier / RUN_RECORD)),
            *language_model_lines(after.to_dict(), before.to_dict(), record.data.audit),
            f"  model             {result.run}",
            f"  classifier        {result.classifier}",
            f"  store             {result.store}",
            f"  report            {result.report}",
            "",
            "Next:",
            *(f"  {line}" for line in result.next_commands),
        ]
    )


def _classifier_line(record: FinetuningRecord) -> str:
    """Return one line about the classifier that guesses the package of a sentence."""
    figure, baseline = record.metrics["accuracy"], record.baseline["accuracy"]
    word = LEARNED if figure.low > baseline else UNCERTAIN
    right = f"{percent(figure.mean)} of held-out sentences are right"
    return wrapped(
        f"Classifier (package of a sentence): {word}. {right}; {record.baseline_answer} reaches {percent(baseline)}."
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
