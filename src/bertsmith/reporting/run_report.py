"""The report of a RUN: the losses beside their baselines, what the model says now, and how it came to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bertsmith.reporting.charts import Series, bar_chart, line_chart
from bertsmith.reporting.page import Page

Lines = Sequence[Mapping[str, Any]]


def run_report(name: str, record: Mapping[str, Any], updates: Lines, evaluations: Lines) -> str:
    """report.html of a RUN, from its run.json and metrics.jsonl."""
    if record["kind"] == "pretraining":
        return _pretraining(name, record, updates, evaluations)
    return _finetuning(name, record, updates)


def _pretraining(name: str, record: Mapping[str, Any], updates: Lines, evaluations: Lines) -> str:
    page = Page(f"{name}: pre-training", subtitle=_subtitle(record))
    after, before = record.get("evaluation"), record.get("evaluation_before")
    add_language_model_figures(page, after, before)
    add_warnings(page, record)
    page.section("Losses", "The loss of each update, smoothed, and of the held-out part on frozen masks.")
    add_loss_charts(page, updates, evaluations, before, after)
    page.section("Evaluation", "The same masked positions and pairs of the held-out part each time.")
    add_evaluation_table(page, before, after)
    if record.get("samples"):
        page.section("Held-out sentences", "One word is hidden; the model's five best guesses, the true word marked.")
        add_samples(page, record["samples"])
    page.section("How it was made")
    add_speed(page, updates)
    add_provenance(page, record)
    return page.html()


def _subtitle(record: Mapping[str, Any]) -> str:
    model, result = record["model"], record.get("result") or {}
    steps = f", {result['steps']:,} updates" if result else f", {record['status']}"
    return (
        f"{model['layers']} layers of {model['hidden_size']}, {model['parameters'] / 1e6:.1f} M parameters, "
        f"{record['options']['objective']}{steps}"
    )


def add_language_model_figures(page: Page, after: Mapping[str, Any] | None, before: Mapping[str, Any] | None) -> None:
    """The key figures of a language model."""
    if after is None:
        return
    nats, unigram = after["mlm_nats_per_masked_token"], after["unigram_nats_per_token"]
    cards: list[tuple[str, str | int | float, str]] = []
    if nats is not None:
        note = f"{before['mlm_nats_per_masked_token']:.2f} before" if before else "nats a masked token"
        cards.append(("Held-out MLM loss", f"{nats:.2f}", note))
        cards.append(("Right at the first guess", f"{after['mlm_accuracy']:.1%}", "of masked tokens"))
    if unigram is not None:
        cards.append(("Unigram baseline", f"{unigram:.2f}", "nats, by frequency alone"))
    if after["next_sentence_accuracy"] is not None:
        note = f"of pairs; always the same answer gives {after['next_sentence_majority']:.1%}"
        cards.append(("Next sentence", f"{after['next_sentence_accuracy']:.1%}", note))
    page.figures(cards)
    if nats is not None and unigram is not None and nats < unigram:
        page.notice(f"The model beats the unigram baseline by {unigram - nats:.2f} nats a token.", "good")


def add_warnings(page: Page, record: Mapping[str, Any]) -> None:
    """What the run warned of, and that it is not finished."""
    for warning in record.get("warnings", ()):
        text, _, commands = warning.partition("\n")
        page.notice(text, "warning")
        if commands:
            page.code("\n".join(line.strip() for line in commands.splitlines()))
    if record["status"] != "finished":
        page.notice(f"This run is not finished ({record['status']}).", "warning")


def smoothed(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """An exponential mean of a curve over about a thirtieth of it, without the bias of its start."""
    keep = 1 - 1 / max(2.0, len(points) / 30)
    mean, weight, result = 0.0, 0.0, []
    for x, y in points:
        mean, weight = keep * mean + (1 - keep) * y, keep * weight + (1 - keep)
        result.append((x, mean / weight))
    return result


def add_loss_charts(
    page: Page,
    updates: Lines,
    evaluations: Lines,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    """A curve for each loss, the held-out loss and its baseline in it; and the learning rate."""
    last = updates[-1]["step"] if updates else 0
    held = [(0, before)] if before else []
    held += [(line["step"], line["evaluation"]) for line in evaluations]
    held += [(last, after)] if after else []
    unigram = next((item["unigram_nats_per_token"] for _, item in reversed(held)), None)
    for loss, figure, title, baseline in (
        ("mlm_loss", "mlm_nats_per_masked_token", "Masked language modelling", ("unigram baseline", unigram)),
        ("nsp_loss", "nsp_nats_per_pair", "Next sentence prediction", ("chance", 0.6931)),
    ):
        points = [(float(line["step"]), float(line[loss])) for line in updates if loss in line]
        if not points:
            continue
        measured = [(float(step), float(item[figure])) for step, item in held if item[figure] is not None]
        series = [
            Series("each update", points, "faint"),
            Series("smoothed", smoothed(points), "line"),
            Series("held out", measured, "points"),
        ]
        lines = [(baseline[0], baseline[1])] if baseline[1] is not None else []
        page.chart(
            line_chart(series, x_label="updates", y_label="nats", reference_lines=lines, title=f"{title}: loss"),
            f"{title}: loss in nats",
        )
    rates = [(float(line["step"]), float(line["learning_rate"])) for line in updates]
    if rates:
        page.chart(
            line_chart([Series("learning rate", rates)], x_label="updates", y_label="", title="Learning rate"),
            "Learning rate",
        )


def add_evaluation_table(page: Page, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> None:
    """Every figure of the evaluations before and after."""
    if after is None:
        page.text("Not evaluated yet.")
        return
    labels = {
        "mlm_nats_per_masked_token": "MLM loss, nats a masked token",
        "unigram_nats_per_token": "unigram baseline, nats a token",
        "perplexity": "perplexity",
        "mlm_accuracy": "masked tokens guessed right",
        "next_sentence_accuracy": "next sentence accuracy",
        "next_sentence_majority": "the same by the more frequent answer",
        "nsp_nats_per_pair": "NSP loss, nats a pair",
        "num_masked_tokens": "masked tokens",
        "num_pairs": "pairs",
    }
    rows = [
        (label, before.get(key) if before else None, after.get(key))
        for key, label in labels.items()
        if after.get(key) is not None
    ]
    page.table(["", "before", "after"], rows, caption="Held-out part, before and after training")


def add_samples(page: Page, samples: Sequence[Mapping[str, Any]]) -> None:
    """Held-out sentences with a hidden word."""
    for sample in samples:
        page.masked_sentence(
            sample["before"],
            sample["after"],
            [(item["token"], item["probability"]) for item in sample["predictions"]],
            sample["truth"],
        )


def add_speed(page: Page, updates: Lines) -> None:
    """How fast the training went."""
    if not updates:
        return
    rates = sorted(line["tokens_per_second"] for line in updates)
    page.text(
        f"{updates[-1]['step']:,} updates over {updates[-1]['tokens_seen']:,} tokens in "
        f"{updates[-1]['seconds'] / 60:.1f} minutes; {rates[len(rates) // 2]:,.0f} tokens a second in the median one."
    )


def add_provenance(page: Page, record: Mapping[str, Any]) -> None:
    """Choices, options, machine, versions, data."""
    page.table(
        ["choice", "value", "reason"],
        [(choice["name"], choice["value"], choice["reason"]) for choice in record["choices"]],
        caption="Automatic choices",
    )
    page.text("The command that makes it again:")
    page.code(record["command"])
    for title, key in (
        ("Options", "options"),
        ("Data", "data"),
        ("Machine", "machine"),
        ("Versions", "versions"),
    ):
        page.details(title, record[key])


def _finetuning(name: str, record: Mapping[str, Any], updates: Lines) -> str:
    page = Page(
        f"{name}: {record['task'].replace('-', ' ')}",
        subtitle=f"Fine-tuned from {record['options']['model']}",
    )
    metrics, baseline = record.get("metrics") or {}, record.get("baseline") or {}
    page.figures(
        [
            (metric.replace("_", " "), f"{value['mean']:.3f}", f"{value['low']:.3f} to {value['high']:.3f}")
            for metric, value in metrics.items()
        ]
    )
    if record.get("selected_on_reported_data"):
        page.notice(
            "The best checkpoint was chosen on the very data that these figures are of: they are a little too good. "
            "Give --test FILE for figures that nothing was chosen on."
        )
    add_warnings(page, record)
    add_head_metrics(page, metrics, baseline)
    page.section("Losses")
    points = [(float(line["step"]), float(line["loss"])) for line in updates]
    page.chart(
        line_chart(
            [Series("each update", points, "faint"), Series("smoothed", smoothed(points))],
            x_label="updates",
            y_label="loss",
            title="Training loss",
        ),
        f"Training loss of seed {record.get('best_seed')}",
    )
    page.section("Data")
    page.table(
        ["file", "examples", "longest text, tokens", "texts cut", "tokens cut"],
        [
            (
                part["name"],
                part["examples"],
                part["longest"],
                part["truncated_texts"],
                part["truncated_tokens"],
            )
            for part in record["data"]["files"]
        ],
        caption="The labelled files",
    )
    if record["data"].get("labels"):
        rows = [(label, float(count)) for label, count in record["data"]["labels"].items()]
        page.chart(
            bar_chart(rows, title="Training examples by label", value_format="{:,.0f}"),
            "Training examples by label",
        )
    page.section("How it was made")
    add_provenance(page, {**record, "data": {"files": str([part["name"] for part in record["data"]["files"]])}})
    return page.html()


def add_head_metrics(
    page: Page, metrics: Mapping[str, Any], baseline: Mapping[str, float], title: str = "Figures"
) -> None:
    """The figures of a head with their intervals, by seed, beside the majority baseline."""
    page.section(title, "Mean over the seeds, with a 95% interval.")
    rows = [
        (
            metric,
            value["mean"],
            value["low"],
            value["high"],
            baseline.get(metric),
            ", ".join(f"{single:.3f}" for single in value["seeds"]),
        )
        for metric, value in metrics.items()
    ]
    page.table(["metric", "mean", "low", "high", "majority baseline", "each seed"], rows, caption="Figures")
