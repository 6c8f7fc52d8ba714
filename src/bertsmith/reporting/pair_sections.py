"""The sections of a page about the pairs of next sentence prediction."""

from __future__ import annotations

from bertsmith.records.language_model_figures import LanguageModelFigures
from bertsmith.records.pretraining import PairAudit
from bertsmith.reporting.bar_charts import bar_chart
from bertsmith.reporting.numbers import percent
from bertsmith.reporting.page import Page
from bertsmith.reporting.pair_baselines import compared_with_baseline, pair_baselines


def add_pairs(
    page: Page, audit: PairAudit, *, tokens: int | None = None, after: LanguageModelFigures | None = None
) -> None:
    """Add the audit of the pairs: their kinds, and the model's accuracy next to the baselines.

    Args:
        tokens: the number of tokens in the training part.
        after: the evaluation of the model.
    """
    pairs, negatives, same = audit.pairs, audit.not_next, audit.same_document_negatives
    left_out = f"{_share_of(audit.left_out_tokens, tokens)} of the training tokens, per pass" if tokens else ""
    cards: list[tuple[str, str | int | float, str]] = [("Pairs per pass", pairs, "over the training part")]
    if audit.swap:
        cards.append(("Swapped", _share_of(negatives, pairs), f"{negatives:,} pairs"))
    else:
        forced = audit.forced_random
        cards += [
            ("B is random", _share_of(negatives, pairs), f"{negatives:,} pairs"),
            ("A has no next sentence", forced, f"{_share_of(forced, pairs)} of pairs; their B is random"),
            ("B from the same document", same, f"{_share_of(same, negatives)} of random pairs"),
        ]
    page.figures([*cards, ("Unused tokens", audit.left_out_tokens, left_out)])
    add_pair_accuracies(page, audit, after)
    if audit.held_out_pairs and not audit.swap and negatives > same:
        page.text(
            f"Topics give pairs away, too: in {_share_of(negatives - same, negatives)} of the random pairs B comes "
            "from a different document."
        )


def add_pair_accuracies(page: Page, audit: PairAudit, after: LanguageModelFigures | None) -> None:
    """Add the model's accuracy next to the baselines."""
    baselines = pair_baselines(audit)
    if not baselines:
        page.text("There are no held-out pairs to measure the accuracy on.")
        return
    model, pairs = (None, 0) if after is None else (after.next_sentence_accuracy, after.num_pairs)
    title = "Held-out accuracy on the order of segments" if audit.swap else "Held-out next-sentence accuracy"
    rows = [("the model", model)] if model is not None else []
    lengths = audit.length_only
    interval = (
        f"; 95% interval of segment lengths alone: {percent(lengths.low)} to {percent(lengths.high)}" if lengths else ""
    )
    page.chart(
        bar_chart(
            [*rows, *baselines.items(), ("chance", 0.5)],
            title=title,
            value_format="{:.1%}",
            highlight="the model" if rows else None,
        ),
        f"{title}. Baselines: {audit.held_out_pairs:,} pairs{interval}."
        + (f" Model: {pairs:,} pairs." if model is not None and pairs else ""),
    )
    if after is None or model is None:
        page.text("The model has not been evaluated yet.")
        return
    compared = compared_with_baseline(after, audit)
    if compared is not None:
        page.notice(*compared)


def _share_of(part: int, whole: int) -> str:
    return percent(part / whole if whole else 0.0)
