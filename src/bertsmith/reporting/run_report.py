"""The report of a RUN: the losses beside their baselines, what the model says now, and how it came to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bertsmith.reporting.adaptation import add_adaptation
from bertsmith.reporting.charts import Series, bar_chart, line_chart
from bertsmith.reporting.errors import add_errors
from bertsmith.reporting.labelled_data import add_labelled_data
from bertsmith.reporting.numbers import Cell, counted, format_metric, is_share, most_of, percent
from bertsmith.reporting.page import Page
from bertsmith.reporting.run_progress import Lines, run_progress
from bertsmith.reporting.search import add_search
from bertsmith.reporting.task_texts import TaskTexts
from bertsmith.reporting.unigram import beside_unigram
from bertsmith.reporting.verdict import add_verdict
from bertsmith.reporting.without_reading import beside_baseline, best_baseline, pair_audit, without_reading
from bertsmith.runtime.console import clock

_OPEN_WARNINGS = 3
_SHARES_OF_LANGUAGE_MODELS = ("mlm_accuracy", "next_sentence_accuracy", "next_sentence_majority")


def run_report(
    name: str,
    record: Mapping[str, Any],
    updates: Lines,
    evaluations: Lines,
    *,
    texts: TaskTexts | None = None,
    refresh_seconds: int | None = None,
    as_of: str = "",
) -> str:
    """report.html of a RUN, from its run.json and metrics.jsonl.

    `texts` are those of the task of a fine-tuning. `refresh_seconds` is for a page that is watched; `as_of` is the time
    of the figures of a run that is not finished.
    """
    if record["kind"] == "pretraining":
        page = Page(f"{name}: pre-training", _subtitle(record), refresh_seconds)
        _pretraining(page, record, updates, evaluations, as_of)
    else:
        title = f"{name}: {record['task'].replace('-', ' ')}"
        page = Page(title, _origin(record), refresh_seconds)
        assert texts is not None
        _finetuning(page, record, texts, updates, evaluations, as_of)
    return page.html()


def _origin(record: Mapping[str, Any]) -> str:
    """What a head was fine-tuned from, and who taught it."""
    origin, teacher = f"Fine-tuned from {record['options']['model']}", record["options"].get("teacher")
    if teacher is None:
        return origin
    rows = sum(file["examples"] for file in record["data"]["files"] if file["part"] == "unlabelled")
    return f"{origin}, taught by {teacher}" + (f" on {rows:,} unlabelled rows too" if rows else "")


def _pretraining(page: Page, record: Mapping[str, Any], updates: Lines, evaluations: Lines, as_of: str) -> None:
    # A run that goes on after its end still has the figures of that end in its record.
    after = record.get("evaluation") if _is_finished(record) else None
    before = record.get("evaluation_before")
    add_language_model_figures(page, after, before, pair_audit(record))
    add_warnings(page, record)
    if not _is_finished(record):
        _add_progress(page, record, updates, evaluations, as_of)
    page.section("Losses", "The loss of each update, smoothed, and of the held-out part on frozen masks.")
    add_loss_charts(page, updates, evaluations, before, after)
    page.section("Evaluation", "The same masked positions and pairs of the held-out part each time.")
    if after is None and evaluations:
        last = evaluations[-1]
        title = f"update {last['step']:,}"
        add_evaluation_table(page, before, last["evaluation"], title, "Held-out part; fewer examples during the run")
    else:
        add_evaluation_table(page, before, after)
    add_adaptation(page, record, evaluations, finished=after is not None)
    audit = pair_audit(record)
    if audit is not None:
        page.section("Pairs", "What the pairs are like, and how many can be judged right without reading them.")
        add_pairs(page, audit, record["data"].get("tokens"), after)
    if record.get("samples") and after is not None:
        page.section("Held-out sentences", "One word is hidden; the model's five best guesses, the true word marked.")
        add_samples(page, record["samples"])
    page.section("How it was made")
    add_speed(page, updates)
    add_provenance(page, record)


def _is_finished(record: Mapping[str, Any]) -> bool:
    return bool(record["status"] == "finished")


def _subtitle(record: Mapping[str, Any]) -> str:
    model, result = record["model"], record.get("result") or {}
    steps = f", {result['steps']:,} updates" if result and _is_finished(record) else f", {record['status']}"
    return (
        f"{counted(model['layers'], 'layer')} of {model['hidden_size']}, {model['parameters'] / 1e6:.1f} M parameters, "
        f"{record['options']['objective']}{steps}"
    )


def add_language_model_figures(
    page: Page,
    after: Mapping[str, Any] | None,
    before: Mapping[str, Any] | None,
    audit: Mapping[str, Any] | None,
) -> None:
    """The key figures of a language model, each beside its baseline; `audit` is that of the pairs."""
    if after is None:
        return
    nats, unigram = after["mlm_nats_per_masked_token"], after["unigram_nats_per_token"]
    cards: list[tuple[str, str | int | float, str]] = []
    if nats is not None:
        note = f"{before['mlm_nats_per_masked_token']:.2f} before" if before else "nats a masked token"
        cards.append(("Held-out MLM loss", f"{nats:.2f}", note))
        cards.append(("Right at the first guess", percent(after["mlm_accuracy"]), "of masked tokens"))
    if unigram is not None:
        cards.append(("Unigram baseline", f"{unigram:.2f}", "nats, by frequency alone"))
    accuracy, baseline = after["next_sentence_accuracy"], best_baseline(after, audit)
    if accuracy is not None and baseline is not None:
        note = f"of pairs; {baseline.gives} {percent(baseline.accuracy)}"
        if accuracy <= baseline.accuracy:
            note = f"of pairs, no better than {baseline.name}: {percent(baseline.accuracy)}"
        cards.append(("Next sentence", percent(accuracy), note))
    page.figures(cards)
    told = beside_unigram(after)
    if told is not None and told[1] != "warning":  # a run that does not pass it warns of it with what to do
        page.notice(*told)


def add_warnings(page: Page, record: Mapping[str, Any]) -> None:
    """What the run warned of: the first few, and the rest folded away."""
    said = record.get("learnt_nothing")  # the verdict says it
    warnings = [warning for warning in record.get("warnings", ()) if said is None or not warning.endswith(said)]
    for warning in warnings[:_OPEN_WARNINGS]:
        text, _, commands = warning.partition("\n")
        page.notice(text, "warning")
        if commands:
            page.code("\n".join(line.strip() for line in commands.splitlines()))
    more = warnings[_OPEN_WARNINGS:]
    if more:
        page.folded(f"{len(more)} more warning{'s' if len(more) > 1 else ''}", more)


def _add_progress(page: Page, record: Mapping[str, Any], updates: Lines, evaluations: Lines, as_of: str) -> None:
    """How far a run is that is not finished, and what its losses are now."""
    progress = run_progress(record, updates)
    cards: list[tuple[str, str | int | float, str]] = []
    if updates:
        of = f"of {progress.steps:,}" if progress.steps is not None else ""
        share = f"{progress.share:.0%} done" if progress.share is not None else ""
        cards.append(("Update", progress.step, ", ".join(filter(None, (of, share)))))
        if progress.seconds_left is not None and record["status"] == "running":
            cards.append(("Time left", clock(progress.seconds_left), "about, evaluations at the end aside"))
        for name, label in (("mlm_loss", "MLM loss"), ("nsp_loss", "NSP loss"), ("loss", "Training loss")):
            points = [(float(line["step"]), float(line[name])) for line in updates if name in line]
            if points:
                cards.append((label, f"{smoothed(points)[-1][1]:.2f}", "nats, the last updates smoothed"))
    nats = evaluations[-1]["evaluation"].get("mlm_nats_per_masked_token") if evaluations else None
    if nats is not None:
        cards.append(("Held-out MLM loss", f"{nats:.2f}", f"nats, at update {evaluations[-1]['step']:,}"))
    page.figures(cards)
    if record["status"] == "running":
        page.notice(f"This run is going on: {progress}." + (f" The last figures are of {as_of}." if as_of else ""))
    else:
        page.notice(
            f"This run is not finished ({record['status']}): {progress}. Its command, with --resume, goes on.",
            "warning",
        )


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
        ("teacher_loss", "", "Distance to what the teacher says", ("", None)),
    ):
        points = [(float(line["step"]), float(line[loss])) for line in updates if loss in line]
        if not points:
            continue
        measured = [(float(step), float(item[figure])) for step, item in held if item.get(figure) is not None]
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
            f"{title}: loss in nats",
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
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    title: str = "after",
    caption: str = "Held-out part, before and after training",
) -> None:
    """Every figure of the evaluations before and after; `title` and `caption` are for one during the run."""
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

    def shown(figures: Mapping[str, Any] | None, key: str) -> Cell:
        value = figures.get(key) if figures else None
        return percent(value) if value is not None and key in _SHARES_OF_LANGUAGE_MODELS else value

    rows = [
        (label, shown(before, key), shown(after, key))
        for key, label in labels.items()
        if after.get(key) is not None and (after[key] or not key.startswith("num_"))
    ]
    page.table(["", "before", title], rows, caption=caption)


def add_pairs(
    page: Page, audit: Mapping[str, Any], tokens: int | None = None, after: Mapping[str, Any] | None = None
) -> None:
    """The audit of the pairs: their kinds, and the model's accuracy beside what can be had without reading.

    `tokens` is how many the training part has, `after` the evaluation of the model.
    """
    pairs, negatives, same = audit["pairs"], audit["not_next"], audit["same_document_negatives"]
    left_out = f"{_share_of(audit['left_out_tokens'], tokens)} of the training tokens, in one pass" if tokens else ""
    cards: list[tuple[str, str | int | float, str]] = [("Pairs in a pass", pairs, "of the training part")]
    if audit["swap"]:
        cards.append(("Swapped", _share_of(negatives, pairs), f"{negatives:,} pairs"))
    else:
        forced = audit["forced_random"]
        cards += [
            ("B is random", _share_of(negatives, pairs), f"{negatives:,} pairs"),
            ("Random by force", forced, f"{_share_of(forced, pairs)} of pairs: one sentence, no next"),
            ("Same document", same, f"B of {_share_of(same, negatives)} of random pairs"),
        ]
    page.figures([*cards, ("Tokens left out", audit["left_out_tokens"], left_out)])
    add_pair_accuracies(page, audit, after)
    if audit["held_out_pairs"] and not audit["swap"] and negatives > same:
        page.text(
            f"Lengths are not all that gives pairs away. In {_share_of(negatives - same, negatives)} of the random "
            "pairs B is of another document, and its topic may tell."
        )


def add_pair_accuracies(page: Page, audit: Mapping[str, Any], after: Mapping[str, Any] | None) -> None:
    """The model's accuracy beside what can be had without reading."""
    baselines = without_reading(audit)
    if not baselines:
        page.text("There is no held-out pair to judge.")
        return
    model, judged = (after or {}).get("next_sentence_accuracy"), (after or {}).get("num_pairs") or 0
    title = "Held-out accuracy on the order of segments" if audit["swap"] else "Held-out next sentence accuracy"
    rows = [("the model", model)] if model is not None else []
    lengths = audit["length_only"]
    interval = (
        f"; 95% interval of lengths alone: {percent(lengths['low'])} to {percent(lengths['high'])}" if lengths else ""
    )
    page.chart(
        bar_chart(
            [*rows, *baselines.items(), ("chance", 0.5)],
            title=title,
            value_format="{:.1%}",
            highlight="the model" if rows else None,
        ),
        f"{title}. Without reading: {audit['held_out_pairs']:,} pairs{interval}."
        + (f" The model: {judged:,} pairs." if model is not None and judged else ""),
    )
    if model is None:
        page.text("The model has not been evaluated yet.")
        return
    told = beside_baseline(after or {}, audit)
    if told is not None:
        page.notice(*told)


def _share_of(part: int, whole: int) -> str:
    return percent(part / whole if whole else 0.0)


def add_samples(page: Page, samples: Sequence[Mapping[str, Any]]) -> None:
    """Held-out sentences with a hidden word."""
    for sample in samples:
        page.masked_sentence(
            sample["before"],
            sample["after"],
            [(item["token"], item["probability"]) for item in sample["predictions"]],
            sample["truth"],
            _of_truth(sample),
        )


def _of_truth(sample: Mapping[str, Any]) -> str:
    """Rank and probability of the true word; nothing of a run that is older than these figures."""
    if "truth_rank" not in sample:
        return ""
    rank = f"rank {sample['truth_rank']:,} of {sample['vocabulary']:,} in the vocabulary"
    return f"{rank}, probability {percent(sample['truth_probability'])}"


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
    told = pair_audit(record) is not None or record["data"].get("pairs") is None
    data = {key: value for key, value in record["data"].items() if key != "pairs" or not told}
    for title, values in (
        ("Options", record["options"]),
        ("Data", data),
        ("Machine", record["machine"]),
        ("Versions", record["versions"]),
    ):
        page.details(title, values)


def _finetuning(
    page: Page, record: Mapping[str, Any], texts: TaskTexts, updates: Lines, evaluations: Lines, as_of: str
) -> None:
    metrics, baseline = record.get("metrics") or {}, record.get("baseline") or {}
    if _is_finished(record):
        add_verdict(page, record, texts)
    else:
        _add_progress(page, record, updates, [], as_of)
    add_warnings(page, record)
    if record.get("selected_on_reported_data"):
        chosen = "The best checkpoint was" if "search" not in record else "The settings and the best checkpoint were"
        page.notice(
            f"{chosen} chosen on the very data that these figures are of: they are a little too good. "
            "Give --test FILE for figures that nothing was chosen on."
        )
    if _is_finished(record):
        add_head_metrics(page, metrics, baseline)
    if "search" in record:
        add_search(page, record["search"])
    if _is_finished(record) and record.get("errors"):
        which = "dev" if record.get("selected_on_reported_data") else "test"
        best = f", seed {record['best_seed']}" if len(next(iter(metrics.values()))["seeds"]) > 1 else ""
        add_errors(page, record["errors"], f" on the {which} file{best}", most_of(metrics))
    _add_training(page, record, updates, evaluations)
    _add_files(page, record)
    page.section("How it was made")
    add_provenance(page, {**record, "data": {"files": str([part["name"] for part in record["data"]["files"]])}})


def _add_training(page: Page, record: Mapping[str, Any], updates: Lines, evaluations: Lines) -> None:
    """The loss of a head's training, and the figure that its weights were chosen by."""
    page.section("Losses")
    which = f"seed {record['best_seed']}" if _is_finished(record) else "the newest training"
    points = [(float(line["step"]), float(line["loss"])) for line in updates]
    page.chart(
        line_chart(
            [Series("each update", points, "faint"), Series("smoothed", smoothed(points))],
            x_label="updates",
            y_label="loss",
            title="Training loss",
            whole_x=True,
        ),
        f"Training loss of {which}",
    )
    if len(evaluations) > 1:
        metric = next(iter(evaluations[0]["evaluation"]))
        scale = 100 / most_of(record.get("metrics") or {}) if is_share(metric) else 1.0
        points = [(float(line["step"]), scale * float(line["evaluation"][metric])) for line in evaluations]
        name = metric.replace("_", " ") + (", %" if is_share(metric) else "")
        page.chart(
            line_chart(
                [Series("dev file", points, "points")],
                x_label="updates",
                y_label=name,
                title=f"{metric.replace('_', ' ')} on the dev file",
                whole_x=True,
            ),
            f"{name} on the dev file, by which the weights were chosen",
        )


def _add_files(page: Page, record: Mapping[str, Any]) -> None:
    """The labelled files and what was found in them."""
    page.section("Data")
    files = record["data"]["files"]
    in_windows = ["in windows"] if files and "windowed_examples" in files[0] else []
    page.table(
        ["file", "examples", "longest text, tokens", "texts cut", "tokens cut", *in_windows],
        [
            (
                part["name"],
                part["examples"],
                part["longest"],
                part["truncated_texts"],
                part["truncated_tokens"],
                *(part["windowed_examples"] for _ in in_windows),
            )
            for part in files
        ],
        caption="The labelled files",
    )
    for part in files:
        if "drawn_from" in part:
            page.notice(
                f"Trained on a fixed random part of {part['name']}: {part['examples']:,} of {part['drawn_from']:,} "
                "examples (--max-train-examples)."
            )
    if record["data"].get("report"):
        add_labelled_data(page, record["data"]["report"])
    elif record["data"].get("labels"):
        rows = [(label, float(count)) for label, count in record["data"]["labels"].items()]
        page.chart(
            bar_chart(rows, title="Training examples by label", value_format="{:,.0f}"),
            "Training examples by label",
        )


def add_head_metrics(
    page: Page, metrics: Mapping[str, Any], baseline: Mapping[str, float], title: str = "Figures"
) -> None:
    """The figures of a head with their intervals, by seed, beside the baseline."""
    several = any(len(value["seeds"]) > 1 for value in metrics.values())
    page.section(
        title,
        "Mean over the seeds, with its 95% interval by Student's t."
        if several
        else "One seed, with the 95% interval over the examples.",
    )
    most = most_of(metrics)
    rows = [
        (
            metric.replace("_", " "),
            *(format_metric(metric, value[end], most) for end in ("mean", "low", "high")),
            format_metric(metric, baseline.get(metric), most),
            *([", ".join(format_metric(metric, single, most) for single in value["seeds"])] if several else []),
        )
        for metric, value in metrics.items()
    ]
    header = ["metric", "mean" if several else "figure", "low", "high", "baseline"]
    page.table([*header, *(["each seed"] if several else [])], rows, caption="Figures")
