"""The page of `evaluate` for a language model: losses, groups of predictions, sentence pairs and vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from bertsmith.records.language_model_figures import LanguageModelFigures
from bertsmith.records.pretraining import PairAudit
from bertsmith.reporting.bar_charts import compared_bars
from bertsmith.reporting.language_model_sections import add_language_model_figures
from bertsmith.reporting.line_chart import Series, line_chart
from bertsmith.reporting.numbers import percent
from bertsmith.reporting.page import Page
from bertsmith.reporting.pair_sections import add_pair_accuracies, add_pairs

Details = Mapping[str, Any]
"""JSON of `evaluate --details`: groups, pseudo-perplexity, vectors."""

GROUPINGS = {
    "frequency": "by the frequency of the token, per million tokens of the training text",
    "piece": "by the kind of word piece",
    "place": "by the position in the sentence",
    "shown": "by the input at the masked position",
}
"""Names of the groups of masked predictions (evaluation/breakdown.py)."""

_ROWS = {
    "mean_cosine": "mean cosine",
    "cosine_5th_percentile": "90% of pairs: lowest",
    "cosine_95th_percentile": "90% of pairs: highest",
    "centred_mean_cosine": "mean cosine after subtracting the mean vector",
    "centred_cosine_5th_percentile": "90% of pairs after that: lowest",
    "centred_cosine_95th_percentile": "90% of pairs after that: highest",
    "first_component_share": "variance share of the first component",
}

_ALIKE, _APART = 0.5, 0.2
"""Mean cosines above which all vectors are alike, and up to which they point in many directions."""
_ONE_DIRECTION = 0.25


def language_model_report(
    model: str,
    data: str,
    figures: LanguageModelFigures,
    *,
    details: Details,
    audit: PairAudit | None,
    options: Mapping[str, object],
) -> str:
    """Return the page, made from the figures, the JSON of `evaluate --details`, and the audit of the sentence pairs."""
    page = Page(f"{_last(model)} on {_last(data)}", "Evaluation of a language model on fixed masked positions")
    breakdown, pseudo = details.get("breakdown"), details.get("pseudo_perplexity")
    add_language_model_figures(page, figures, before=None, audit=audit, detailed=breakdown is not None)
    if breakdown is not None:
        page.section(
            "Masked predictions",
            f"{figures.num_masked_tokens:,} masked tokens, grouped in four ways. Each grouping covers all of them.",
        )
        shown = {group["group"]: group for group in breakdown["shown"]}
        if "[MASK]" in shown:
            page.notice(_at_masks(shown["[MASK]"], shown.get("itself")))
        for name, words in GROUPINGS.items():
            _add_grouping(page, words, breakdown[name])
    if pseudo is not None:
        page.section(
            "Pseudo-perplexity", "Each token is masked once and predicted from all other tokens of its sentence."
        )
        _add_pseudo_perplexity(page, pseudo)
    if audit is not None:
        page.section("Next sentence", "The model compared with baselines that do not read the text.")
        if audit.length_only is not None:
            add_pairs(page, audit, after=figures)
        else:
            add_pair_accuracies(page, audit, figures)
            page.text("The baseline from segment lengths is missing: it needs the training pairs of a STORE.")
    page.section(
        "Sentence vectors", "Similarity of the vectors of different sentences, as `bertsmith embed` computes them."
    )
    _add_vectors(page, details.get("sentence_vectors"))
    page.section("How it was measured")
    page.details("Options", options)
    return page.html()


def _last(path: str) -> str:
    return PurePath(path).name or path


def _at_masks(masked: Details, itself: Details | None) -> str:
    """Return a sentence about the loss at [MASK] only, the case that users of the model meet."""
    nats, unigram = masked["nats"], masked["unigram_nats"]
    gain = unigram - nats if unigram is not None else None
    side = "below" if gain is not None and gain > 0 else "above"
    sentence = f"At [MASK], the case of `bertsmith fill-mask`, the loss is {nats:.2f} nats"
    sentence += f", {abs(gain):.2f} {side} the unigram baseline there." if gain is not None else "."
    if itself is not None:
        sentence += (
            f" The total loss also counts tokens that are visible in the input ({itself['nats']:.2f} nats). Copying "
            "them takes no knowledge of the language."
        )
    return sentence


def _add_grouping(page: Page, words: str, groups: Sequence[Details] | None) -> None:
    if groups is None:
        page.text(
            f"Not grouped {words}: the token counts of the training text are unknown. Evaluate a RUN or give a STORE."
        )
        return
    title = f"Loss {words}"
    page.chart(
        compared_bars(
            [(group["group"], group["nats"], group["unigram_nats"]) for group in groups],
            names=("the model", "the unigram baseline"),
            title=title,
        ),
        f"{title}, in nats; lower is better",
    )
    total = sum(group["count"] for group in groups)
    page.table(
        ["group", "tokens", "share", "loss, nats", "unigram baseline", "correct"],
        [
            (
                group["group"],
                group["count"],
                percent(group["count"] / total),
                f"{group['nats']:.3f}",
                f"{group['unigram_nats']:.3f}" if group["unigram_nats"] is not None else None,
                percent(group["accuracy"]),
            )
            for group in groups
        ],
        caption=f"{title}, as a table",
    )


def _add_pseudo_perplexity(page: Page, found: Details) -> None:
    page.figures(
        [
            ("Pseudo-perplexity", f"{found['pseudo_perplexity']:,.1f}", "per token"),
            (
                "Loss per token",
                f"{found['nats_per_token']:.3f}",
                f"nats{_error(found['nats_per_token_standard_error'])}",
            ),
            ("Loss per word", f"{found['nats_per_word']:.3f}", f"nats{_error(found['nats_per_word_standard_error'])}"),
            ("Sentences", found["sentences"], f"{found['tokens']:,} tokens, {found['words']:,} words"),
        ]
    )
    page.text(pseudo_perplexity_note(found))


def _error(value: float | None) -> str:
    return f", standard error {value:.3f}" if value is not None else ""


def pseudo_perplexity_note(found: Details) -> str:
    """Return which models the two losses can compare."""
    more = [
        f"{words}: {found[name]:,}"
        for name, words in (
            ("unknown_tokens", "Unknown tokens, not predicted"),
            ("cut_sentences", "Sentences that were truncated"),
        )
        if found[name]
    ]
    return (
        "Use the loss per token to compare models with the same tokenizer, and the loss per word to compare models "
        "with different vocabularies on the same text. (For a word of several pieces, the later pieces are masked "
        "while an "
        "earlier piece is predicted.)" + (f" {'. '.join(more)}." if more else "")
    )


def _add_vectors(page: Page, found: Details | None) -> None:
    if found is None:
        page.text("Not measured: this needs at least two sentences.")
        return
    mean = found["mean"]
    cards: list[tuple[str, str | int | float, str]] = [
        ("Mean cosine", f"{mean['mean_cosine']:.2f}", "between two sentences, vectors: mean of the tokens"),
        ("Mean cosine, [CLS]", f"{found['cls']['mean_cosine']:.2f}", "between two sentences, vectors: [CLS]"),
    ]
    if mean["first_component_share"] is not None:
        cards.append(("First component", percent(mean["first_component_share"]), "of the variance around the mean"))
    page.figures([*cards, ("Sentences", found["sentences"], "all pairs compared")])
    page.notice(vectors_advice(found))
    page.table(
        ["measure", "mean of the tokens", "[CLS]"],
        [(words, *(_short(found[pooling][name]) for pooling in ("mean", "cls"))) for name, words in _ROWS.items()],
        caption="Cosines of all pairs of sentences, last layer",
    )
    series = [
        Series(label, [(float(item["layer"]), item[name]) for item in found["by_layer"]])
        for name, label in (("mean", "mean of the tokens"), ("cls", "[CLS]"))
    ]
    title = "Mean cosine between two sentences by layer"
    page.chart(
        line_chart(series, x_label="layer", y_label="mean cosine", title=title, marks=True, whole_x=True),
        f"{title}; layer 0 is the embeddings, where [CLS] is the same for every sentence",
    )


def _short(value: float | None) -> str | None:
    return f"{value:.3f}" if value is not None else None


def vectors_advice(found: Details) -> str:
    """Return advice on comparing sentences by the model's vectors."""
    figures = found["mean"]
    cosine, share = figures["mean_cosine"], figures["first_component_share"]
    if figures["centred_mean_cosine"] is None:
        return "All sentences have the same vector: the model cannot distinguish them."
    low, high = figures["centred_cosine_5th_percentile"], figures["centred_cosine_95th_percentile"]
    if cosine >= _ALIKE:
        advice = (
            f"The cosine of any two sentences is about {cosine:.2f}, so a high cosine says little. Subtract the mean "
            f"vector of your texts before comparing (then 90% of the pairs are between {low:.2f} and {high:.2f}), or "
            "fine-tune the model for your comparison."
        )
    elif cosine > _APART:
        advice = (
            f"The cosine of any two sentences is about {cosine:.2f}: compare cosines with each other, not with a fixed "
            "limit, or subtract the mean vector of your texts first."
        )
    else:
        advice = f"The cosine of any two sentences is about {cosine:.2f}: you can compare the vectors as they are."
    if share is not None and share >= _ONE_DIRECTION:
        advice += f" One direction holds {percent(share)} of the rest: removing it as well can help (all-but-the-top)."
    return advice
