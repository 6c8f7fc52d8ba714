"""The model card of a fine-tuned RUN, from its run.json: it states only observations and measurements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.records.labelled_files import DataFile
from bertsmith.reporting.error_sections import FEW
from bertsmith.reporting.model_card import (
    HubNames,
    bullets,
    code,
    escape_markdown,
    known,
    made_by,
    markdown_table,
    model_card,
)
from bertsmith.reporting.numbers import Cell, format_metric, interval_text, most_of, percent
from bertsmith.reporting.search_sections import caveat, outcome, trial_table
from bertsmith.reporting.task_texts import TaskTexts
from bertsmith.reporting.verdict import main_metric

LOW_F1 = 0.5
"""A label whose F1 is below it is named among the limits."""
NAMED = 20
"""Labels that are named one by one."""

HUB_METRICS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "accuracy": ("accuracy", {}),
    "f1": ("f1", {}),
    "macro_f1": ("f1", {"average": "macro"}),
    "micro_f1": ("f1", {"average": "micro"}),
    "precision": ("precision", {}),
    "recall": ("recall", {}),
    "matthews": ("matthews_correlation", {}),
    "pearson": ("pearsonr", {}),
    "spearman": ("spearmanr", {}),
    "mean_squared_error": ("mse", {}),
    "exact_match": ("exact_match", {}),
}
"""The Hub's names of the figures (https://hf.co/metrics), and what they are computed with."""


def head_card(name: str, record: FinetuningRecord, hub: HubNames, *, texts: TaskTexts, verb: str) -> str:
    """README.md of a finished RUN of `finetune`; `verb` is the one that uses the model."""
    options, task = record.options, record.task
    learnt = record.learnt_nothing
    summary = f"{escape_markdown(task.replace('-', ' ').capitalize())}, fine-tuned from {code(options['model'])}."
    if learnt:
        summary = f"**This model does not beat the baseline: {escape_markdown(learnt)}**\n\n{summary}"
    return model_card(
        title=name,
        tags=["bert", task, "bertsmith"],
        summary=summary,
        sections=[
            ("Intended use", _intended_use(record, texts, verb)),
            (f"Figures on the {_reported(record)} file", _figures(record)),
            ("Data", _data(record)),
            ("Training", bullets(_training(record))),
            ("Search", _search(record)),
            ("Limits", bullets(_limits(record, texts))),
            ("How to make it again", made_by(record)),
        ],
        metadata=known(
            pipeline_tag=hub.pipeline_tag,
            base_model=hub.base_model,
            base_model_relation="finetune" if hub.base_model else None,
            datasets=list(hub.datasets),
            **{"model-index": _model_index(name, record, hub)},
        ),
    )


def _reported(record: FinetuningRecord) -> str:
    return "dev" if record.selected_on_reported_data else "test"


def _place_of_best(record: FinetuningRecord) -> int:
    """The place of the best seed among those with figures."""
    assert record.best_seed is not None
    return record.seeds_with_figures.index(record.best_seed)


def _file(record: FinetuningRecord, part: str) -> DataFile:
    return next(file for file in record.data.files if file.part == part)


def _intended_use(record: FinetuningRecord, texts: TaskTexts, verb: str) -> str:
    labels = list(record.data.labels)
    output = texts.output.format(count=f"{len(labels):,}", labels=_first_names([code(label) for label in labels]))
    lines = [
        f"{texts.use}. Its output: {output}.",
        f"`bertsmith {verb}` uses it, and stock transformers loads it.",
        f"It is for texts like those of {code(_file(record, 'train').name)}. What it does on texts of another "
        "language, domain or time was not measured.",
        *([] if texts.limit is None else [texts.limit]),
    ]
    return bullets(lines)


def _figures(record: FinetuningRecord) -> str:
    seeds = len(next(iter(record.metrics.values())).seeds)
    several, most = seeds > 1, most_of(record.metrics)
    place = _place_of_best(record)
    rows: list[tuple[Cell, ...]] = [
        (
            metric,
            format_metric(metric, figure.mean, most),
            interval_text(metric, figure.low, figure.high, most=most),
            *([format_metric(metric, figure.seeds[place], most)] if several else []),
            format_metric(metric, record.baseline.get(metric), most),
        )
        for metric, figure in record.metrics.items()
    ]
    header = ["metric", "mean" if several else "figure", "95% interval"]
    header += [f"this model (seed {record.best_seed})"] if several else []
    return f"{bullets(_protocol(record))}\n\n{markdown_table([*header, 'baseline'], rows)}"


def _protocol(record: FinetuningRecord) -> Iterator[str]:
    """How the figures came to be."""
    reported, metric, numbers = _reported(record), main_metric(record), record.seeds_with_figures
    file, dev = _file(record, reported), _file(record, "dev")
    yield f"Of {code(file.name)}, {file.examples:,} examples, in float32."
    if len(numbers) > 1:
        yield (
            f"Means over {len(numbers)} seeds ({', '.join(map(str, numbers))}); the interval is that of the mean "
            "(Student's t)."
        )
    else:
        yield "One seed; the intervals are over the examples (bootstrap)."
    chosen = f"The best checkpoint{' of each seed, and the best seed,' if len(numbers) > 1 else ''} by {code(metric)}"
    if record.selected_on_reported_data:
        yield f"{chosen} on the same dev file: the figures are a little too good. There is no test file."
    else:
        yield f"{chosen} on {code(dev.name)}; on the test file nothing was chosen."
    yield "The baseline is one and the same answer for everything, chosen on the training file."


def _data(record: FinetuningRecord) -> str:
    parts = {} if record.data.report is None else record.data.report.parts
    windows = any(file.windowed_examples is not None for file in record.data.files)
    rows: list[tuple[Cell, ...]] = [
        (
            file.part,
            code(file.name),
            file.examples,
            parts[file.part].tokens if file.part in parts else None,
            file.windowed_examples if windows else file.truncated_texts,
            code(file.sha256) if file.sha256 else "a data set, no file",
        )
        for file in record.data.files
    ]
    header = ["part", "file", "rows", "tokens", "in windows" if windows else "rows cut", "SHA-256"]
    counts = record.data.labels
    found = markdown_table(header, rows)
    if counts:
        shown = list(counts.items())[:NAMED]
        more = f"; the first {NAMED} of {len(counts):,}" if len(counts) > NAMED else ""
        found += f"\nLabels of the training part{more}: "
        found += ", ".join(f"{code(label)} {count:,}" for label, count in shown) + ".\n"
    return found


def _training(record: FinetuningRecord) -> Iterator[str]:
    """The origin of the model, and the settings of its training."""
    options = _settings(record)
    # A searched setting is behind the automatic ones.
    choices = {choice.name: choice for choice in reversed(record.choices)}
    yield f"It starts from {code(options['model'])}."
    if options.get("layers"):
        yield f"Of that model's layers {options['layers']} are kept: {escape_markdown(choices['layers'].value)}."
    if options.get("lora"):
        alpha = options.get("lora_alpha") or 2.0 * options["lora"]
        places = options.get("lora_targets") or ("the queries and the values",)
        yield (
            f"Low-rank adapters (LoRA) of rank {options['lora']}, alpha {alpha:g}, at {', '.join(map(escape_markdown, places))}; "
            "they are merged into the weights."
        )
    if options.get("freeze_layers") is not None:
        yield f"The embeddings and the first {options['freeze_layers']} layers stayed as they were."
    if "trained parameters" in choices:
        learnt = choices["trained parameters"]
        yield f"Trained parameters: {learnt.value} ({escape_markdown(learnt.reason)})."
    if options.get("teacher"):
        yield (
            f"It learnt from the answers of {code(options['teacher'])} beside the labels: "
            f"{escape_markdown(choices['teacher'].reason)}."
        )
    if "class weights" in choices:
        yield f"Class weights: {escape_markdown(choices['class weights'].value)}."
    rate, epochs = (options.get(name) or choices[name.replace("_", " ")].value for name in ("learning_rate", "epochs"))
    yield (
        f"AdamW, learning rate {float(rate):g}, {float(epochs):g} epochs of {options['batch_size']} rows an update, "
        f"weight decay {options['weight_decay']:g}, at most {_max_length(record)} tokens a row."
    )
    yield (
        f"Predictions use the same length ({_max_length(record)} tokens, `input_length` in config.json), so the "
        "figures hold for them. The pipelines of transformers need `truncation=True, "
        f"max_length={_max_length(record)}`."
    )
    calibration = None if record.errors is None else record.errors.calibration
    if calibration is not None and calibration.temperature is not None:
        yield (
            f"Its probabilities are at the temperature {calibration.temperature:.3f}, fitted on the dev file "
            "(`calibration_temperature` in config.json; the pipelines of transformers do not know it)."
        )


def _settings(record: FinetuningRecord) -> Mapping[str, Any]:
    """The options with what the best trial of a search put in their place."""
    best = None if record.search is None else record.search.best
    if best is None:
        return record.options
    return record.options | {name: value for name, value in best.settings.items() if value is not None}


def _search(record: FinetuningRecord) -> str:
    """The settings that were tried, where they were searched."""
    search = record.search
    if search is None:
        return ""
    return f"{outcome(search)} {caveat(search)}\n\n{markdown_table(*trial_table(search))}"


def _max_length(record: FinetuningRecord) -> int:
    assert record.data.report is not None
    return record.data.report.max_length


def _limits(record: FinetuningRecord, texts: TaskTexts) -> Iterator[str]:
    """What the figures do not say, by the record of this training."""
    if record.learnt_nothing:
        yield f"It does not beat the baseline: {escape_markdown(record.learnt_nothing)}"
    elif (said := _baseline_limit(record)) is not None:
        yield said
    yield from _label_limits(record, texts)
    for file in record.data.files:
        if file.truncated_texts:
            share = file.truncated_texts / file.examples
            yield (
                f"{file.part}: {percent(share)} of the texts are longer than {_max_length(record)} tokens and were "
                "cut; the rest was not read."
            )
        if file.drawn_from is not None:
            yield f"It was trained on a random part of the file: {file.examples:,} of {file.drawn_from:,} rows."
    if len(record.seeds_with_figures) < 2:
        yield "One seed: how much the figures differ from training to training was not measured."
    yield from _calibration_limits(record)
    yield from (escape_markdown(warning) for warning in record.warnings)
    yield "Nothing but the figures above was measured: no other domain or language, no bias towards groups of people."


def _baseline_limit(record: FinetuningRecord) -> str | None:
    """That the interval of the main figure holds its baseline, where it does."""
    metric = main_metric(record)
    figure, baseline = record.metrics[metric], record.baseline[metric]
    if not figure.low <= baseline <= figure.high:
        return None
    written = format_metric(metric, baseline, most_of(record.metrics))
    return (
        f"The interval of {code(metric)} holds its baseline of {written}: that the model is better "
        "than one and the same answer is not shown."
    )


def _label_limits(record: FinetuningRecord, texts: TaskTexts) -> Iterator[str]:
    """Labels that were seldom seen, and those that this model seldom gets right."""
    counts = record.data.labels if texts.labels_are_classes else {}
    rare = [f"{code(label)} {count:,}" for label, count in counts.items() if count < FEW]
    if rare:
        yield f"Labels with under {FEW} training examples: {_first_names(rare)}."
    figures, file = () if record.errors is None else record.errors.labels or (), f"the {_reported(record)} file"
    low = [
        f"{code(each.label)} {percent(each.f1)} of {each.support:,}"
        for each in figures
        if each.f1 is not None and each.f1 < LOW_F1
    ]
    if low:
        yield f"Labels with an F1 below {percent(LOW_F1)} on {file} (and how often they are true there): {_first_names(low)}."
    unseen = [code(each.label) for each in figures if not each.support]
    if unseen:
        yield f"Labels that {file} does not have, so that nothing is known of them: {_first_names(unseen)}."


def _first_names(names: Sequence[str]) -> str:
    more = f", and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _calibration_limits(record: FinetuningRecord) -> Iterator[str]:
    found = None if record.errors is None else record.errors.calibration
    if found is None:
        return
    before = f" ({percent(found.before.ece)} without its temperature)" if found.before is not None else ""
    same = ", on which the temperature was fitted" if before and record.selected_on_reported_data else ""
    yield (
        f"Its probabilities differ from the share of right answers by {percent(found.ece)} on average{before}: the "
        f"expected calibration error over 15 bins on the {_reported(record)} file{same}."
    )


def _model_index(name: str, record: FinetuningRecord, hub: HubNames) -> list[dict[str, Any]]:
    """The figures of these very weights by the Hub's names, where it has the data that they are of.

    The format: https://github.com/huggingface/hub-docs/blob/main/modelcard.md
    """
    if hub.reported is None or hub.pipeline_tag is None:
        return []
    data_set, config, split = hub.reported
    place = _place_of_best(record)
    chosen = ", on which the checkpoint was chosen" if record.selected_on_reported_data else ""
    metrics = []
    for metric, figure in record.metrics.items():
        kind, arguments = HUB_METRICS.get(metric, (metric, {}))
        said = {"type": kind, "value": figure.seeds[place], "name": f"{metric} ({split}{chosen})"}
        metrics.append(said | known(args=dict(arguments)))
    return [
        {
            "name": name,
            "results": [
                {
                    "task": {"type": hub.pipeline_tag},
                    "dataset": {"type": data_set, "name": data_set, **known(config=config), "split": split},
                    "metrics": metrics,
                }
            ],
        }
    ]
