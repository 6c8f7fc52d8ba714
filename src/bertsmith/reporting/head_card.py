"""The model card of a fine-tuned RUN, made from its run.json: it states only observations and measurements."""

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
from bertsmith.reporting.numbers import Cell, counted, format_metric, interval_text, most_of, percent
from bertsmith.reporting.search_sections import caveat, outcome, trial_table
from bertsmith.reporting.task_texts import TaskTexts
from bertsmith.reporting.verdict import main_metric

LOW_F1 = 0.5
"""Labels with a lower F1 are named among the limits."""
NAMED = 20
"""At most this many labels are named."""

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
"""The Hub's names of the metrics (https://hf.co/metrics), and their arguments."""


def head_card(name: str, record: FinetuningRecord, hub: HubNames, *, texts: TaskTexts, verb: str) -> str:
    """Return README.md of a finished RUN of `finetune`; `verb` is the command that uses the model."""
    options, task = record.options, record.task
    reason = record.learnt_nothing
    summary = f"{escape_markdown(task.replace('-', ' ').capitalize())}, fine-tuned from {code(options['model'])}."
    if reason:
        summary = f"**This model does not beat the baseline: {escape_markdown(reason)}**\n\n{summary}"
    return model_card(
        title=name,
        tags=["bert", task, "bertsmith"],
        summary=summary,
        sections=[
            ("Intended use", _intended_use(record, texts, verb)),
            (f"Results on the {_reported(record)} file", _figures(record)),
            ("Data", _data(record)),
            ("Training", bullets(_training(record))),
            ("Hyperparameter search", _search(record)),
            ("Limits", bullets(_limits(record, texts))),
            ("Repeat this run", made_by(record)),
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
    """Return the position of the best seed among the seeds with results."""
    assert record.best_seed is not None
    return record.seeds_with_figures.index(record.best_seed)


def _file(record: FinetuningRecord, part: str) -> DataFile:
    return next(file for file in record.data.files if file.part == part)


def _intended_use(record: FinetuningRecord, texts: TaskTexts, verb: str) -> str:
    labels = list(record.data.labels)
    output = texts.output.format(count=f"{len(labels):,}", labels=_first_names([code(label) for label in labels]))
    lines = [
        f"{texts.use}. Output: {output}.",
        f"Use it with `bertsmith {verb}`, or load it with transformers.",
        f"It is for texts like those in {code(_file(record, 'train').name)}. Texts of a different language, domain or "
        "time were not measured.",
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
    header = ["metric", "mean" if several else "value", "95% interval"]
    header += [f"this model (seed {record.best_seed})"] if several else []
    return f"{bullets(_protocol(record))}\n\n{markdown_table([*header, 'baseline'], rows)}"


def _protocol(record: FinetuningRecord) -> Iterator[str]:
    """Yield how the results were measured."""
    reported, metric, numbers = _reported(record), main_metric(record), record.seeds_with_figures
    file, dev = _file(record, reported), _file(record, "dev")
    yield f"Measured on {code(file.name)}, {file.examples:,} examples, in float32."
    if len(numbers) > 1:
        yield (
            f"Means over {len(numbers)} seeds ({', '.join(map(str, numbers))}), with 95% intervals of the mean "
            "(Student's t)."
        )
    else:
        yield "One seed, with 95% intervals over the examples (bootstrap)."
    selected = (
        "The best checkpoint of each seed, and the best seed, were" if len(numbers) > 1 else "The best checkpoint was"
    )
    if record.selected_on_reported_data:
        yield (
            f"{selected} selected by {code(metric)} on the same dev file, so the results are slightly too good. There "
            "is no test file."
        )
    else:
        yield f"{selected} selected by {code(metric)} on {code(dev.name)}. The test file was not used for selection."
    yield "The baseline gives the same answer for every example: the best one on the training file."


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
    header = ["part", "file", "rows", "tokens", "rows in windows" if windows else "truncated rows", "SHA-256"]
    counts = record.data.labels
    found = markdown_table(header, rows)
    if counts:
        shown = list(counts.items())[:NAMED]
        more = f"; the first {NAMED} of {len(counts):,}" if len(counts) > NAMED else ""
        found += f"\nLabels of the training part{more}: "
        found += ", ".join(f"{code(label)} {count:,}" for label, count in shown) + ".\n"
    return found


def _training(record: FinetuningRecord) -> Iterator[str]:
    """Yield the origin of the model, and the settings of its training."""
    options = _settings(record)
    # Settings from a search come after the automatic choices and win.
    choices = {choice.name: choice for choice in reversed(record.choices)}
    yield f"Starts from {code(options['model'])}."
    if options.get("layers"):
        yield f"Keeps {counted(options['layers'], 'layer')} of that model: {escape_markdown(choices['layers'].value)}."
    if options.get("lora"):
        alpha = options.get("lora_alpha") or 2.0 * options["lora"]
        places = options.get("lora_targets") or ("the query and value projections",)
        yield (
            f"Low-rank adapters (LoRA) of rank {options['lora']}, alpha {alpha:g}, at "
            f"{', '.join(map(escape_markdown, places))}; merged into the weights."
        )
    if options.get("freeze_layers") is not None:
        yield f"The embeddings and the first {options['freeze_layers']} layers were frozen."
    if "trained parameters" in choices:
        trained = choices["trained parameters"]
        yield f"Trained parameters: {trained.value} ({escape_markdown(trained.reason)})."
    if options.get("teacher"):
        yield (
            f"Trained on the labels and on the predictions of the teacher {code(options['teacher'])}: "
            f"{escape_markdown(choices['teacher'].reason)}."
        )
    if "class weights" in choices:
        yield f"Class weights: {escape_markdown(choices['class weights'].value)}."
    rate, epochs = (options.get(name) or choices[name.replace("_", " ")].value for name in ("learning_rate", "epochs"))
    yield (
        f"AdamW, learning rate {float(rate):g}, {float(epochs):g} "
        f"{'epoch' if float(epochs) == 1 else 'epochs'}, {options['batch_size']} rows per update, "
        f"weight decay {options['weight_decay']:g}, at most {_max_length(record)} tokens per row."
    )
    yield (
        f"bertsmith predicts with the same length ({_max_length(record)} tokens, `input_length` in config.json). With "
        f"the pipelines of transformers, give `truncation=True, max_length={_max_length(record)}`."
    )
    calibration = None if record.errors is None else record.errors.calibration
    if calibration is not None and calibration.temperature is not None:
        yield (
            f"Its probabilities are calibrated with the temperature {calibration.temperature:.3f}, fitted on the dev "
            "file (`calibration_temperature` in config.json; the pipelines of transformers ignore it)."
        )


def _settings(record: FinetuningRecord) -> Mapping[str, Any]:
    """Return the options, with the settings of the best trial if there was a search."""
    best = None if record.search is None else record.search.best
    if best is None:
        return record.options
    return record.options | {name: value for name, value in best.settings.items() if value is not None}


def _search(record: FinetuningRecord) -> str:
    """Return the trials of a search; empty without one."""
    search = record.search
    if search is None:
        return ""
    return f"{outcome(search)} {caveat(search)}\n\n{markdown_table(*trial_table(search))}"


def _max_length(record: FinetuningRecord) -> int:
    assert record.data.report is not None
    return record.data.report.max_length


def _limits(record: FinetuningRecord, texts: TaskTexts) -> Iterator[str]:
    """Yield what the results do not show, and known weaknesses."""
    if record.learnt_nothing:
        yield f"The model does not beat the baseline: {escape_markdown(record.learnt_nothing)}"
    elif (limit := _baseline_limit(record)) is not None:
        yield limit
    yield from _label_limits(record, texts)
    for file in record.data.files:
        if file.truncated_texts:
            share = file.truncated_texts / file.examples
            yield (
                f"{file.part} file: {percent(share)} of the texts are longer than {_max_length(record)} tokens. The "
                "model did not read the rest of them."
            )
        if file.drawn_from is not None:
            yield f"Trained on a random sample of the file: {file.examples:,} of {file.drawn_from:,} rows."
    if len(record.seeds_with_figures) < 2:
        yield "One seed only: the variation between trainings was not measured."
    yield from _calibration_limits(record)
    reason = record.learnt_nothing  # already in the first limit
    yield from (escape_markdown(line) for line in record.warnings if reason is None or not line.endswith(reason))
    yield "Nothing else was measured: no other domain or language, and no bias against groups of people."


def _baseline_limit(record: FinetuningRecord) -> str | None:
    """Return a sentence if the baseline is inside the interval of the main metric, else None."""
    metric = main_metric(record)
    figure, baseline = record.metrics[metric], record.baseline[metric]
    if not figure.low <= baseline <= figure.high:
        return None
    written = format_metric(metric, baseline, most_of(record.metrics))
    return (
        f"The baseline of {code(metric)}, {written}, is inside the interval: these results do not show that the model "
        "is better than always giving the same answer."
    )


def _label_limits(record: FinetuningRecord, texts: TaskTexts) -> Iterator[str]:
    """Yield labels with few training examples, with a low F1, or without examples in the measured file."""
    counts = record.data.labels if texts.labels_are_classes else {}
    rare = [f"{code(label)} {count:,}" for label, count in counts.items() if count < FEW]
    if rare:
        yield f"Labels with fewer than {FEW} training examples: {_first_names(rare)}."
    figures, file = () if record.errors is None else record.errors.labels or (), f"the {_reported(record)} file"
    low = [
        f"{code(each.label)} {percent(each.f1)} ({each.support:,})"
        for each in figures
        if each.f1 is not None and each.f1 < LOW_F1
    ]
    if low:
        yield f"Labels with an F1 below {percent(LOW_F1)} on {file} (number of examples): {_first_names(low)}."
    unseen = [code(each.label) for each in figures if not each.support]
    if unseen:
        yield f"Labels without an example in {file}, so not measured: {_first_names(unseen)}."


def _first_names(names: Sequence[str]) -> str:
    more = f", and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _calibration_limits(record: FinetuningRecord) -> Iterator[str]:
    found = None if record.errors is None else record.errors.calibration
    if found is None:
        return
    before = f" ({percent(found.before.ece)} without the temperature)" if found.before is not None else ""
    same = ", which also fitted the temperature" if before and record.selected_on_reported_data else ""
    yield (
        f"Its probabilities differ from the share of correct predictions by {percent(found.ece)} on average{before}: "
        f"expected calibration error, 15 bins, on the {_reported(record)} file{same}."
    )


def _model_index(name: str, record: FinetuningRecord, hub: HubNames) -> list[dict[str, Any]]:
    """Return the results of these weights in the Hub's format, if the Hub has the data set that they were measured on.

    Format: https://github.com/huggingface/hub-docs/blob/main/modelcard.md
    """
    if hub.reported is None or hub.pipeline_tag is None:
        return []
    data_set, config, split = hub.reported
    place = _place_of_best(record)
    selection = ", also used to select the checkpoint" if record.selected_on_reported_data else ""
    metrics = []
    for metric, figure in record.metrics.items():
        kind, arguments = HUB_METRICS.get(metric, (metric, {}))
        entry = {"type": kind, "value": figure.seeds[place], "name": f"{metric} ({split}{selection})"}
        metrics.append(entry | known(args=dict(arguments)))
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
