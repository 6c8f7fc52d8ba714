"""The report of a pre-training: the losses with their baselines, the model's predictions, and how it was made."""

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
    """report.html of a pre-training, from its run.json and metrics.jsonl.

    `refresh_seconds` is for a page that is watched; `as_of` is the time of the figures of a run that is not finished.
    """
    page = Page(f"{name}: pre-training", _subtitle(record), refresh_seconds)
    # A run that resumes after its end still has the figures of that end in its record.
    after, before = record.evaluation if record.is_finished else None, record.evaluation_before
    evaluated = [Evaluated.model_validate(line) for line in evaluations]
    audit = record.data.audit
    add_language_model_figures(page, after, before=before, audit=audit)
    add_warnings(page, record.warnings)
    if not record.is_finished:
        add_progress(page, record, updates, held_out=_held_out_loss(evaluated), as_of=as_of)
    page.section("Losses", "The loss of each update, smoothed, and of the held-out part on frozen masks.")
    add_loss_charts(page, updates, evaluated, before=before, after=after)
    page.section("Evaluation", "The same masked positions and pairs of the held-out part each time.")
    if after is None and evaluated:
        last = evaluated[-1]
        caption = "Held-out part; fewer examples during the run"
        add_evaluation_table(page, before, last.evaluation, title=f"update {last.step:,}", caption=caption)
    else:
        add_evaluation_table(page, before, after)
    add_adaptation(page, record, evaluated, finished=after is not None)
    if audit is not None:
        page.section("Pairs", "What the pairs are like, and how many can be judged right without reading them.")
        add_pairs(page, audit, tokens=record.data.tokens, after=after)
    if record.samples and after is not None:
        page.section("Held-out sentences", "One word is hidden; the model's five best guesses, the true word marked.")
        add_samples(page, record.samples)
    page.section("How it was made")
    add_speed(page, updates)
    add_provenance(page, record, shown_data(record))
    return page.html()


def _held_out_loss(evaluated: list[Evaluated]) -> tuple[int, float] | None:
    """The update and the MLM loss of the last evaluation."""
    figures = evaluated[-1].evaluation if evaluated else None
    nats = None if figures is None else figures.mlm_nats_per_masked_token
    return None if nats is None else (evaluated[-1].step, nats)


def shown_data(record: PretrainingRecord) -> dict[str, object]:
    """The data for the details of a page; an audit of the pairs has its own section."""
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
        f"{counted(model.layers, 'layer')} of {model.hidden_size}, {model.parameters / 1e6:.1f} M parameters, "
        f"{record.options.get('objective', 'unknown objective')}{steps}"
    )
