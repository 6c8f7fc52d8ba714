"""The report of a quickstart: the language model, its answers, and the classifier fine-tuned from it."""

from __future__ import annotations

from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.records.pretraining import Evaluated, PretrainingRecord
from bertsmith.records.quickstart import QuickstartResult
from bertsmith.reporting.finetuning_report import add_head_metrics
from bertsmith.reporting.language_model_sections import (
    add_evaluation_table,
    add_language_model_figures,
    add_loss_charts,
    add_samples,
)
from bertsmith.reporting.numbers import percent
from bertsmith.reporting.page import Page
from bertsmith.reporting.pretraining_report import shown_data
from bertsmith.reporting.run_progress import Lines
from bertsmith.reporting.run_sections import add_provenance, add_speed, add_warnings


def quickstart_report(
    result: QuickstartResult,
    run: PretrainingRecord,
    classifier: FinetuningRecord,
    *,
    updates: Lines,
    evaluations: Lines,
) -> str:
    """Return report.html of a quickstart; `updates` and `evaluations` come from the pre-training."""
    before, after = run.evaluation_before, run.evaluation
    page = Page(
        "A BERT trained on this machine's Python documentation",
        subtitle=f"{result.documents:,} modules, {result.tokens:,} tokens, {result.steps:,} updates",
    )
    add_language_model_figures(page, after, before=before, audit=run.data.audit)
    add_warnings(page, run.warnings)
    page.section("Losses", "Training loss per update, and held-out loss (the masked positions are the same each time).")
    evaluated = [Evaluated.model_validate(line) for line in evaluations]
    add_loss_charts(page, updates, evaluated, before=before, after=after)
    add_evaluation_table(page, before, after)
    page.section("Masked words", "Held-out sentences with one masked word; the true word is marked.")
    add_samples(page, run.samples)
    page.section(
        "Next sentence",
        "A held-out sentence, followed by its true next sentence or by a sentence from a different module.",
    )
    page.text(result.next_sentence["a"])
    page.table(
        ["second sentence", "true label", "predicted label", "probability of IsNext"],
        [
            (item["b"], truth, item["label"], percent(item["is_next_probability"]))
            for truth, item in (("IsNext", result.next_sentence["true"]), ("NotNext", result.next_sentence["false"]))
        ],
        caption="IsNext is label 0 of the model, NotNext is label 1",
    )
    train, dev = classifier.data.files
    add_head_metrics(page, classifier.metrics, classifier.baseline, title="Which package is this sentence from?")
    page.text(
        f"Fine-tuned on {train.examples:,} sentences and measured on {dev.examples:,} sentences from modules that the "
        "model has not seen. The best checkpoint was selected on the same sentences, so the results are slightly too "
        "good."
    )
    page.section("How it was made")
    add_speed(page, updates)
    add_provenance(page, run, shown_data(run))
    page.section("Next steps")
    for line in result.next_commands:
        page.code(line)
    return page.html()
