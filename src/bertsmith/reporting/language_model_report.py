"""The page of a language model that was evaluated: its figures, what it has learnt and what not, and its vectors."""

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
"""JSON of the verb: groups, pseudo-perplexity, vectors."""

DIVISIONS = {
    "frequency": "by how often the token stands in a million tokens of the training text",
    "piece": "by the kind of piece",
    "place": "by the place in the sentence",
    "shown": "by what the input shows there",
}
"""The divisions of the masked predictions (evaluation/breakdown.py) in words."""

_ROWS = {
    "mean_cosine": "mean cosine",
    "cosine_5th_percentile": "90% of pairs, from",
    "cosine_95th_percentile": "90% of pairs, to",
    "centred_mean_cosine": "mean, the mean vector subtracted",
    "centred_cosine_5th_percentile": "90% of pairs then, from",
    "centred_cosine_95th_percentile": "90% of pairs then, to",
    "first_component_share": "share of the first component",
}

_ALIKE, _APART = 0.5, 0.2
"""From this mean cosine on vectors are alike, up to this one they point in many directions."""
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
    """The page, from the figures, the JSON of `evaluate --details`, and the audit of the pairs (None without pairs)."""
    page = Page(f"{_last(model)} on {_last(data)}", "A language model, evaluated on frozen masks")
    breakdown, pseudo = details.get("breakdown"), details.get("pseudo_perplexity")
    add_language_model_figures(page, figures, before=None, audit=audit, detailed=breakdown is not None)
    if breakdown is not None:
        page.section(
            "Masked predictions",
            f"{figures.num_masked_tokens:,} masked tokens, divided in four ways; the means of each, weighted by "
            "their counts, are the figures above.",
        )
        shown = {group["group"]: group for group in breakdown["shown"]}
        if "[MASK]" in shown:
            page.notice(_at_masks(shown["[MASK]"], shown.get("itself")))
        for name, words in DIVISIONS.items():
            _add_division(page, words, breakdown[name])
    if pseudo is not None:
        page.section("Pseudo-perplexity", "Every token masked alone and predicted from all others of its sentence.")
        _add_pseudo_perplexity(page, pseudo)
    if audit is not None:
        page.section("Next sentence", "The model beside what can be had without reading.")
        if audit.length_only is not None:
            add_pairs(page, audit, after=figures)
        else:
            add_pair_accuracies(page, audit, figures)
            page.text("What lengths alone give is learnt from the training pairs of a STORE; this text has none.")
    page.section("Sentence vectors", "How alike the vectors of different sentences are, as embed gives them.")
    _add_vectors(page, details.get("sentence_vectors"))
    page.section("How it was measured")
    page.details("Options", options)
    return page.html()


def _last(path: str) -> str:
    return PurePath(path).name or path


def _at_masks(masked: Details, itself: Details | None) -> str:
    """The loss at [MASK] only, which is what a user of the model meets."""
    nats, unigram = masked["nats"], masked["unigram_nats"]
    gain = unigram - nats if unigram is not None else None
    side = "below" if gain is not None and gain > 0 else "above"
    said = f"At [MASK] alone, which is what fill-mask asks, the loss is {nats:.2f} nats"
    said += f", {abs(gain):.2f} {side} the unigram baseline there." if gain is not None else "."
    if itself is not None:
        said += (
            f" Tokens that the input shows as they are ({itself['nats']:.2f} nats) count in the whole figure too: "
            "to copy them takes no knowledge of the language."
        )
    return said


def _add_division(page: Page, words: str, groups: Sequence[Details] | None) -> None:
    if groups is None:
        page.text(f"Not divided {words}: neither a STORE nor the RUN's record has counts of a training text.")
        return
    title = f"Loss {words}"
    page.chart(
        compared_bars(
            [(group["group"], group["nats"], group["unigram_nats"]) for group in groups],
            names=("the model", "the unigram baseline"),
            title=title,
        ),
        f"{title}, in nats; less is better",
    )
    total = sum(group["count"] for group in groups)
    page.table(
        ["", "tokens", "share", "nats", "unigram", "right"],
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
        caption="The same in figures",
    )


def _add_pseudo_perplexity(page: Page, found: Details) -> None:
    page.figures(
        [
            ("Pseudo-perplexity", f"{found['pseudo_perplexity']:,.1f}", "of a token"),
            (
                "Loss of a token",
                f"{found['nats_per_token']:.3f}",
                f"nats{_error(found['nats_per_token_standard_error'])}",
            ),
            ("Loss of a word", f"{found['nats_per_word']:.3f}", f"nats{_error(found['nats_per_word_standard_error'])}"),
            ("Sentences", found["sentences"], f"{found['tokens']:,} tokens, {found['words']:,} words"),
        ]
    )
    page.text(pseudo_perplexity_note(found))


def _error(value: float | None) -> str:
    return f", standard error {value:.3f}" if value is not None else ""


def pseudo_perplexity_note(found: Details) -> str:
    """What the figures measure, and which models they compare."""
    more = [
        f"{words}: {found[name]:,}"
        for name, words in (
            ("unknown_tokens", "Unknown tokens, which are not predicted"),
            ("cut_sentences", "Sentences longer than a row, which are cut"),
        )
        if found[name]
    ]
    return (
        "The loss of a token compares models of one tokenizer. That of a word, whose later pieces are hidden while an "
        "earlier one is predicted, also compares models with other vocabularies, on the same text."
        + (f" {'. '.join(more)}." if more else "")
    )


def _add_vectors(page: Page, found: Details | None) -> None:
    if found is None:
        page.text("There are fewer than two sentences.")
        return
    mean = found["mean"]
    cards: list[tuple[str, str | int | float, str]] = [
        ("Mean cosine", f"{mean['mean_cosine']:.2f}", "of two sentences, mean of the tokens"),
        ("Mean cosine, [CLS]", f"{found['cls']['mean_cosine']:.2f}", "of two sentences"),
    ]
    if mean["first_component_share"] is not None:
        cards.append(("First component", percent(mean["first_component_share"]), "of the variance around the mean"))
    page.figures([*cards, ("Sentences", found["sentences"], "each with each")])
    page.notice(vectors_advice(found))
    page.table(
        ["", "mean of the tokens", "[CLS]"],
        [(words, *(_short(found[pooling][name]) for pooling in ("mean", "cls"))) for name, words in _ROWS.items()],
        caption="Cosines of all pairs, last layer",
    )
    series = [
        Series(label, [(float(item["layer"]), item[name]) for item in found["by_layer"]])
        for name, label in (("mean", "mean of the tokens"), ("cls", "[CLS]"))
    ]
    title = "Mean cosine of two sentences by layer"
    page.chart(
        line_chart(series, x_label="layer", y_label="mean cosine", title=title, marks=True, whole_x=True),
        f"{title}; layer 0 is the embeddings, in which [CLS] is the same for every sentence",
    )


def _short(value: float | None) -> str | None:
    return f"{value:.3f}" if value is not None else None


def vectors_advice(found: Details) -> str:
    """Advice for those who compare sentences by the model's vectors."""
    figures = found["mean"]
    cosine, share = figures["mean_cosine"], figures["first_component_share"]
    if figures["centred_mean_cosine"] is None:
        return "All sentences have the same vector: the model tells none from another."
    low, high = figures["centred_cosine_5th_percentile"], figures["centred_cosine_95th_percentile"]
    if cosine >= _ALIKE:
        said = (
            f"Cosines of any two sentences are about {cosine:.2f}, so a high one says little. Subtract the mean vector "
            f"of your texts before you compare (90% of the pairs then lie between {low:.2f} and {high:.2f}), or "
            "fine-tune the model for what you compare."
        )
    elif cosine > _APART:
        said = (
            f"Cosines of any two sentences are about {cosine:.2f}: compare them with each other, not with a fixed "
            "limit, or subtract the mean vector of your texts first."
        )
    else:
        said = f"Cosines of any two sentences are about {cosine:.2f}: they can be compared as they are."
    if share is not None and share >= _ONE_DIRECTION:
        said += f" One direction holds {percent(share)} of what is left: removing it too can help (all-but-the-top)."
    return said
