"""The report of a pre-training: losses with their baselines, predictions of the model, and how it was made."""

from __future__ import annotations

from bertsmith.records.pretraining import Evaluated, PretrainingRecord
from bertsmith.reporting.adaptation import add_adaptation
from bertsmith.reporting.language_model_sections import (
    add_evaluation_table,
    add_language_model_figures,
    add_loss_charts,
    add_samples,
)
from bertsmith.reporting.numbers import counted
from bertsmith.reporting.page import Page
from bertsmith.reporting.pair_sections import add_pairs
from bertsmith.reporting.run_progress import Lines
from bertsmith.reporting.run_sections import add_progress, add_provenance, add_speed, add_warnings


def pretraining_report(
    name: str,
    record: PretrainingRecord,
    updates: Lines,
    *,
    evaluations: Lines,
    refresh_seconds: int | None = None,
    as_of: str = "",
) -> str:
    """Return report.html of a pre-training, made from its run.json and metrics.jsonl.

    Args:
        refresh_seconds: makes the browser reload the page, for a run that is still training.
        as_of: the time of the last metrics, for a run that is not finished.
    """
    page = Page(f"{name}: pre-training", _subtitle(record), refresh_seconds)
    # A finished run that trains further still has the figures of its first end in its record.
    after, before = record.evaluation if record.is_finished else None, record.evaluation_before
    evaluated = [Evaluated.model_validate(line) for line in evaluations]
    audit = record.data.audit
    add_language_model_figures(page, after, before=before, audit=audit)
    add_warnings(page, record.warnings)
    if not record.is_finished:
        add_progress(page, record, updates, held_out=_held_out_loss(evaluated), as_of=as_of)
    page.section("Losses", "Training loss per update, and held-out loss (the masked positions are the same each time).")
    add_loss_charts(page, updates, evaluated, before=before, after=after)
    page.section("Evaluation", "On the held-out part, always with the same masked positions and sentence pairs.")
    if after is None and evaluated:
        last = evaluated[-1]
        caption = "Held-out part; evaluations during the run use fewer examples"
        add_evaluation_table(page, before, last.evaluation, title=f"update {last.step:,}", caption=caption)
    else:
        add_evaluation_table(page, before, after)
    add_adaptation(page, record, evaluated, finished=after is not None)
    if audit is not None:
        page.section(
            "Sentence pairs",
            "The pairs for next sentence prediction, and how often a guess without reading them is right.",
        )
        add_pairs(page, audit, tokens=record.data.tokens, after=after)
    if record.samples and after is not None:
        page.section(
            "Held-out sentences", "One word is masked. Below: the five most probable words, the true word marked."
        )
        add_samples(page, record.samples)
    page.section("How it was made")
    add_speed(page, updates)
    add_provenance(page, record, shown_data(record))
    return page.html()


def _held_out_loss(evaluated: list[Evaluated]) -> tuple[int, float] | None:
    """Return the update and the MLM loss of the last evaluation; None without one."""
    figures = evaluated[-1].evaluation if evaluated else None
    nats = None if figures is None else figures.mlm_nats_per_masked_token
    return None if nats is None else (evaluated[-1].step, nats)


def shown_data(record: PretrainingRecord) -> dict[str, object]:
    """Return the data for the details of a page, without the audit of the pairs, which has its own section."""
    data = record.data.to_dict()
    return {
        name: value
        for name, value in data.items()
        if name != "pairs" or (value is not None and record.data.audit is None)
    }


def _subtitle(record: PretrainingRecord) -> str:
    model, result = record.model, record.result
    steps = f", {result.steps:,} updates" if result is not None and record.is_finished else f", {record.status}"
    return (
        f"{counted(model.layers, 'layer')}, hidden size {model.hidden_size}, {model.parameters / 1e6:.1f} M "
        f"parameters, {record.options.get('objective', 'unknown objective')}{steps}"
    )
