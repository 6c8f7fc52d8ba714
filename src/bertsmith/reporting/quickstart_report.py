"""The report of a quickstart: the language model, what it answers, and the classifier made of it."""

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
    """report.html of a quickstart; `updates` and `evaluations` are those of the pre-training."""
    before, after = run.evaluation_before, run.evaluation
    page = Page(
        "A BERT from the documentation on this machine",
        subtitle=f"{result.documents:,} modules, {result.tokens:,} tokens, {result.steps:,} updates",
    )
    add_language_model_figures(page, after, before=before, audit=run.data.audit)
    add_warnings(page, run.warnings)
    page.section("Losses", "The loss of each update, and of held-out modules on frozen masks.")
    evaluated = [Evaluated.model_validate(line) for line in evaluations]
    add_loss_charts(page, updates, evaluated, before=before, after=after)
    add_evaluation_table(page, before, after)
    page.section("Masks filled", "Held-out sentences with one word hidden; the true word is marked.")
    add_samples(page, run.samples)
    page.section("Next sentence", "A held-out sentence, with the one that follows it and one of another module.")
    page.text(result.next_sentence["a"])
    page.table(
        ["next sentence?", "truth", "answer", "probability of IsNext"],
        [
            (item["b"], truth, item["label"], percent(item["is_next_probability"]))
            for truth, item in (("IsNext", result.next_sentence["true"]), ("NotNext", result.next_sentence["false"]))
        ],
        caption="Label 0 of the model is IsNext, 1 is NotNext",
    )
    train, dev = classifier.data.files
    add_head_metrics(page, classifier.metrics, classifier.baseline, title="Which package is this sentence from?")
    page.text(
        f"Fine-tuned on {train.examples:,} sentences, measured on {dev.examples:,} of modules that the model has not "
        "seen. The checkpoint was chosen on these, so the figures are a little too good."
    )
    page.section("How it was made")
    add_speed(page, updates)
    add_provenance(page, run, shown_data(run))
    page.section("Next")
    for line in result.next_commands:
        page.code(line)
    return page.html()
