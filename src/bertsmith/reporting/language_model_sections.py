"""The sections of a page about a language model: key figures, losses, evaluations, held-out sentences."""

from __future__ import annotations

from collections.abc import Sequence

from bertsmith.records.language_model_figures import LanguageModelFigures
from bertsmith.records.pretraining import Evaluated, PairAudit, Sample
from bertsmith.reporting.line_chart import Series, line_chart
from bertsmith.reporting.numbers import Cell, percent
from bertsmith.reporting.page import Page
from bertsmith.reporting.pair_baselines import best_baseline
from bertsmith.reporting.run_progress import Lines
from bertsmith.reporting.run_sections import smoothed
from bertsmith.reporting.unigram import compared_with_unigram

_SHARES = ("mlm_accuracy", "next_sentence_accuracy", "next_sentence_majority")


def add_language_model_figures(
    page: Page,
    after: LanguageModelFigures | None,
    *,
    before: LanguageModelFigures | None,
    audit: PairAudit | None,
    detailed: bool = False,
) -> None:
    """Add the key figures of a language model, each with its baseline.

    Args:
        audit: the audit of the sentence pairs.
        detailed: the page also has the loss at [MASK] only.
    """
    if after is None:
        return
    nats, unigram = after.mlm_nats_per_masked_token, after.unigram_nats_per_token
    cards: list[tuple[str, str | int | float, str]] = []
    if nats is not None and after.mlm_accuracy is not None:
        first = before.mlm_nats_per_masked_token if before is not None else None
        note = "nats per masked token" + (f"; {first:.2f} before training" if first is not None else "")
        cards.append(("Held-out MLM loss", f"{nats:.2f}", note))
        cards.append(("Masked tokens predicted", percent(after.mlm_accuracy), "correct at the first guess"))
    if unigram is not None:
        cards.append(("Unigram baseline", f"{unigram:.2f}", "loss from word frequencies only"))
    accuracy, baseline = after.next_sentence_accuracy, best_baseline(after, audit)
    if accuracy is not None and baseline is not None:
        note = f"{'no ' if accuracy <= baseline.accuracy else ''}better than {baseline}"
        cards.append(("Next sentence correct", percent(accuracy), note))
    page.figures(cards)
    compared = compared_with_unigram(after, detailed=detailed)
    if compared is not None and compared[1] != "warning":  # the run itself has a warning with advice
        page.notice(*compared)


def add_loss_charts(
    page: Page,
    updates: Lines,
    evaluations: Sequence[Evaluated],
    *,
    before: LanguageModelFigures | None,
    after: LanguageModelFigures | None,
) -> None:
    """Add a chart for each loss, with the held-out loss and its baseline, and a chart of the learning rate."""
    last = updates[-1]["step"] if updates else 0
    ends = (0, before), *((line.step, line.evaluation) for line in evaluations), (last, after)
    held = [(step, figures) for step, figures in ends if figures is not None]
    unigram = held[-1][1].unigram_nats_per_token if held else None
    for loss, figure, title, baseline in (
        ("mlm_loss", "mlm_nats_per_masked_token", "Masked language modelling", ("unigram baseline", unigram)),
        ("nsp_loss", "nsp_nats_per_pair", "Next sentence prediction", ("chance", 0.6931)),
        ("teacher_loss", "", "Distance from the teacher's predictions", ("", None)),
    ):
        points = [(float(line["step"]), float(line[loss])) for line in updates if loss in line]
        if not points:
            continue
        found = [(step, getattr(figures, figure, None)) for step, figures in held]
        measured = [(float(step), float(value)) for step, value in found if value is not None]
        series = [
            Series("each update", points, "faint"),
            Series("smoothed", smoothed(points), "line"),
            *([Series("held out", measured, "points")] if measured else []),
        ]
        lines = [(baseline[0], baseline[1])] if baseline[1] is not None else []
        page.chart(
            line_chart(
                series, x_label="updates", y_label="nats", reference_lines=lines, title=f"{title}: loss", whole_x=True
            ),
            f"{title}: loss in nats, lower is better",
        )
    rates = [(float(line["step"]), float(line["learning_rate"])) for line in updates]
    if rates:
        page.chart(
            line_chart(
                [Series("learning rate", rates)], x_label="updates", y_label="", title="Learning rate", whole_x=True
            ),
            "Learning rate",
        )


def add_evaluation_table(
    page: Page,
    before: LanguageModelFigures | None,
    after: LanguageModelFigures | None,
    *,
    title: str = "after",
    caption: str = "Held-out part, before and after training",
) -> None:
    """Add all figures before and after; `title` and `caption` change for an evaluation during the run."""
    if after is None:
        page.text("Not evaluated yet.")
        return
    labels = {
        "mlm_nats_per_masked_token": "MLM loss, nats per masked token",
        "unigram_nats_per_token": "unigram baseline, nats per token",
        "perplexity": "perplexity",
        "mlm_accuracy": "masked tokens predicted correctly",
        "next_sentence_accuracy": "next-sentence accuracy",
        "next_sentence_majority": "baseline: always the more frequent answer",
        "nsp_nats_per_pair": "NSP loss, nats per pair",
        "num_masked_tokens": "masked tokens",
        "num_pairs": "pairs",
    }

    def shown(figures: LanguageModelFigures | None, key: str) -> Cell:
        value: Cell = getattr(figures, key, None)
        return percent(value) if isinstance(value, float) and key in _SHARES else value

    rows = [
        (label, shown(before, key), shown(after, key))
        for key, label in labels.items()
        if getattr(after, key) is not None and (getattr(after, key) or not key.startswith("num_"))
    ]
    page.table(["", "before", title], rows, caption=caption)


def add_samples(page: Page, samples: Sequence[Sample]) -> None:
    """Add held-out sentences with a masked word."""
    for sample in samples:
        page.masked_sentence(
            sample.before,
            sample.after,
            [(item.token, item.probability) for item in sample.predictions],
            truth=sample.truth,
            truth_note=_true_word_note(sample),
        )


def _true_word_note(sample: Sample) -> str:
    """Return rank and probability of the true word; empty for runs of older versions without these figures."""
    if sample.truth_rank is None or sample.truth_probability is None:
        return ""
    rank = f"rank {sample.truth_rank:,} of {sample.vocabulary:,} tokens in the vocabulary"
    return f"{rank}, probability {percent(sample.truth_probability)}"
