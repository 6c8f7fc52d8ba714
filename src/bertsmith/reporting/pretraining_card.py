"""The model card of a pre-trained RUN, made from its run.json and the manifest of its STORE."""

from __future__ import annotations

from collections.abc import Iterator

from bertsmith.records.language_model_figures import LanguageModelFigures
from bertsmith.records.manifest import Manifest
from bertsmith.records.pretraining import PretrainingOutcome, PretrainingRecord
from bertsmith.reporting.adaptation import HEADER, adaptation_verdict, changes
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
from bertsmith.reporting.numbers import Cell, counted, percent, share_interval
from bertsmith.reporting.pair_baselines import best_baseline, compared_with_baseline
from bertsmith.reporting.unigram import compared_with_unigram
from bertsmith.runtime.console import clock

_FIGURES = {
    "mlm_nats_per_masked_token": "MLM loss, nats per masked token",
    "unigram_nats_per_token": "baseline from word frequencies only, nats per token",
    "perplexity": "perplexity",
    "mlm_accuracy": "masked tokens predicted correctly",
    "next_sentence_accuracy": "next-sentence accuracy",
    "nsp_nats_per_pair": "NSP loss, nats per pair",
}
_COUNTED = {"mlm_accuracy": "num_masked_tokens", "next_sentence_accuracy": "num_pairs"}
"""Shares, and the number of cases that each is measured on."""
_ORIGIN = ("size", "layers", "new words", "initial values", "mask rate", "teacher")
"""The automatic choices about the origin of the model."""
_SOURCES = 20
"""At most this many sources are named."""


def pretraining_card(
    name: str, record: PretrainingRecord, manifest: Manifest, *, manifest_sha256: str, hub: HubNames
) -> str:
    """Return README.md of a finished RUN of `pretrain`; `manifest` belongs to its STORE."""
    options, model = record.options, record.model
    origin = f"continued from {code(options['from'])}" if options.get("from") else "trained from scratch"
    adapted = ""
    if record.general_text is not None:
        adapted = f"{escape_markdown(adaptation_verdict(record)[0])}\n\n{markdown_table(HEADER, changes(record))}"
    return model_card(
        title=name,
        tags=["bert", *([hub.pipeline_tag] if hub.pipeline_tag else []), "bertsmith"],
        summary=(
            f"A BERT with {counted(model.layers, 'layer')} and hidden size {model.hidden_size} "
            f"({model.parameters / 1e6:.1f} M parameters), {origin} with the objective {options['objective']}: "
            f"{_seen(record)}."
        ),
        sections=[
            ("Intended use", bullets(_intended_use(record))),
            ("Results on the held-out part", _figures(record)),
            ("Gain and forgetting", adapted),
            ("Data", _data(record, manifest, manifest_sha256)),
            ("Training", bullets(_training(record))),
            ("Limits", bullets(_limits(record))),
            ("Repeat this run", made_by(record)),
        ],
        metadata=known(
            pipeline_tag=hub.pipeline_tag,
            base_model=hub.base_model,
            base_model_relation="finetune" if hub.base_model else None,
            datasets=list(hub.datasets),
        ),
    )


def _outcome(record: PretrainingRecord) -> PretrainingOutcome:
    assert record.result is not None, "only finished runs have a card"
    return record.result


def _after(record: PretrainingRecord) -> LanguageModelFigures:
    assert record.evaluation is not None, "only finished runs have a card"
    return record.evaluation


def _seen(record: PretrainingRecord) -> str:
    """Return the updates, tokens and passes of the training."""
    result, held = _outcome(record), record.data.tokens
    passes = result.tokens_seen / max(held, 1)
    about = f"about {passes:,.1f}" if passes >= 1 else f"about {passes:.1g}" if passes >= 0.01 else "less than 0.01"
    return (
        f"{counted(result.steps, 'update')} over {result.tokens_seen:,} tokens, {about} passes over {held:,} training "
        "tokens"
    )


def _intended_use(record: PretrainingRecord) -> Iterator[str]:
    objective = record.options["objective"]
    if objective != "nsp":
        yield "Predicting masked tokens (`bertsmith fill-mask`) in text like its training text."
    pairs = compared_with_baseline(_after(record), record.data.audit)
    if objective in ("nsp", "mlm+nsp") and (pairs is None or pairs[1] != "warning"):
        yield "Predicting whether one sentence follows another (`bertsmith next-sentence`) in such text."
    yield "Fine-tuning on a task (`bertsmith finetune TASK --model RUN`): the model has no head for a task yet."
    yield "Not for writing text and not a source of facts: it predicts tokens from the tokens around them."


def _figures(record: PretrainingRecord) -> str:
    before, after = record.evaluation_before, _after(record)
    rows: list[tuple[Cell, ...]] = [
        (label, _shown(before, figure), _shown(after, figure), _interval(after, figure))
        for figure, label in _FIGURES.items()
        if getattr(after, figure) is not None
    ]
    baseline = best_baseline(after, record.data.audit)
    if baseline is not None:
        place = 1 + [row[0] for row in rows].index(_FIGURES["next_sentence_accuracy"])
        row = (
            f"baseline: {baseline.name}",
            None,
            percent(baseline.accuracy),
            _share(baseline.accuracy, baseline.pairs),
        )
        rows.insert(place, row)
    measured = [f"{after.num_masked_tokens:,} masked tokens"] if after.num_masked_tokens else []
    measured += [f"{after.num_pairs:,} pairs"] if after.num_pairs else []
    protocol = [
        f"Measured on {' and '.join(measured)}, the same before and after. The model did not train on them.",
        "The intervals treat tokens and pairs as independent (Agresti and Coull 1998). Losses have no interval.",
        *(
            []
            if _outcome(record).best_step is None
            else ["The same part selected the best checkpoint, so the results are slightly too good."]
        ),
    ]
    return f"{bullets(protocol)}\n\n{markdown_table(['', 'before', 'after', '95% interval'], rows)}"


def _shown(figures: LanguageModelFigures | None, name: str) -> Cell:
    value: Cell = getattr(figures, name, None)
    return percent(float(value)) if value is not None and name in _COUNTED else value


def _interval(figures: LanguageModelFigures, name: str) -> str:
    if name not in _COUNTED:
        return ""
    return _share(getattr(figures, name), getattr(figures, _COUNTED[name]))


def _share(value: float, count: int) -> str:
    """Return the 95% interval of a share as text."""
    low, high = share_interval(value, count)
    return f"{percent(max(low, 0))} to {percent(min(high, 1))}"


def _data(record: PretrainingRecord, manifest: Manifest, manifest_sha256: str) -> str:
    parts = manifest.parts
    rows: list[tuple[Cell, ...]] = [
        (name, part.documents, part.sentences, part.tokens)
        for name, part in (("train", parts.train), ("held out", parts.held_out))
    ]
    sources = [code(source) for source in manifest.options.sources]
    more = f", and {len(sources) - _SOURCES:,} more" if len(sources) > _SOURCES else ""
    sums: list[tuple[Cell, ...]] = [
        ("manifest.json of the STORE, which has the checksums of its files", code(manifest_sha256)),
        ("tokenizer/tokenizer.json of the STORE", code(manifest.files["tokenizer/tokenizer.json"].sha256)),
        ("combined checksum of the training part", code(record.data.checksum)),
    ]
    if (text := record.general_text) is not None:
        sums.append((f"token ids of the general text {code(text.source)}", code(text.checksum)))
    lines = [
        f"STORE {code(record.data.store)}, prepared from {', '.join(sources[:_SOURCES])}{more}.",
        f"Held out: {escape_markdown(manifest.held_out.reason)}.",
        f"Dropped: {_dropped(manifest)}.",
    ]
    return (
        f"{bullets(lines)}\n\n{markdown_table(['part', 'documents', 'sentences', 'tokens'], rows)}\n"
        f"{markdown_table(['file', 'SHA-256'], sums)}"
    )


def _dropped(manifest: Manifest) -> str:
    dropped = manifest.result.dropped
    return ", ".join(f"{count:,} documents ({escape_markdown(reason)})" for reason, count in dropped.items()) or "none"


def _training(record: PretrainingRecord) -> Iterator[str]:
    options, result = record.options, _outcome(record)
    if options.get("from"):
        yield f"Continued from {code(options['from'])}."
    stopped = ", stopped early" if result.stopped_early else ""
    yield (
        f"{result.steps:,} updates over {result.tokens_seen:,} tokens in {clock(result.seconds)}"
        f"{stopped}; {options['batch_size']} examples of at most {options['sequence_length']} tokens per update, "
        f"learning rate {record.learning_rate:g}, {record.precision}."
    )
    for choice in record.choices:
        if choice.name in _ORIGIN:
            yield (
                f"{escape_markdown(choice.name.capitalize())}: {escape_markdown(choice.value)} "
                f"({escape_markdown(choice.reason)})."
            )


def _limits(record: PretrainingRecord) -> Iterator[str]:
    compared = compared_with_unigram(_after(record))
    yield from (escape_markdown(warning.partition("\n")[0]) for warning in record.warnings)
    if compared is not None and compared[1] != "warning":
        yield escape_markdown(compared[0])
    pairs = compared_with_baseline(_after(record), record.data.audit)
    if pairs is not None and pairs[1] != "good":
        subject = "Order of segments" if record.options["objective"] == "mlm+sop" else "Next sentences"
        yield f"{subject}: {escape_markdown(pairs[0])}"
    yield "The held-out part comes from the same sources. Other text and other languages were not measured."
    yield "The model repeats its training text, including bias and errors. Neither was measured."
    if record.options["objective"] == "nsp":
        yield "Masked language modelling was not trained: predictions of masked tokens are random."
    if record.options["objective"] == "mlm":
        yield "Next sentence prediction was not trained: predictions about next sentences are random."
