"""pretrain: STORE to RUN, from scratch or from a MODEL."""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from bertsmith.config.options import external_name
from bertsmith.config.pretrain import PretrainOptions
from bertsmith.config.verb import Result, verb
from bertsmith.corpus.store import HELD_OUT, TRAIN, TokenStore
from bertsmith.errors import Interrupted, OptionError
from bertsmith.evaluation.language_model import FrozenEvaluation
from bertsmith.evaluation.samples import guess, hidden_words
from bertsmith.models.bert import parameter_count
from bertsmith.objectives.masks import Vocabulary
from bertsmith.objectives.pairs import label_counts
from bertsmith.pretraining.engine import LOSSES, PretrainingBatches, loss_sums
from bertsmith.pretraining.setup import DEFAULT_MINUTES, ModelSetup, make_model
from bertsmith.reporting.model_card import markdown_table, model_card
from bertsmith.runtime.console import progress, say, warn
from bertsmith.runtime.files import write_text
from bertsmith.runtime.machine import (
    Choice,
    choose_attention,
    choose_device,
    choose_precision,
    describe_machine,
    prepare_process,
    versions,
)
from bertsmith.tokenization.extension import extension_between
from bertsmith.tokenization.folder import load_tokenizer
from bertsmith.training.budget import Budget
from bertsmith.training.run_folder import RunFolder, read_metrics
from bertsmith.training.trainer import ExactTrainer, TrainingPlan, UpdateBatches
from bertsmith.verbs.report import write_report

MAY_CHANGE_ON_RESUME = {
    "store", "out", "resume", "overwrite", "dry_run", "minutes", "steps", "epochs", "workers", "save_every",
    "eval_every", "micro_batch_size",
}  # fmt: skip
"""What a resumed run may be given anew: nothing of it changes what an update is."""

EXAMPLES_DURING, EXAMPLES_AROUND = 128, 1024
"""Held-out examples in the evaluations during a run, and in those before and after it."""

SAMPLES = 5


@dataclass(frozen=True)
class PretrainResult(Result):
    """What `pretrain` made; `evaluation` is over the held-out part of the STORE."""

    run: Path
    steps: int
    resumed_from_step: int
    tokens_seen: int
    seconds: float
    tokens_per_second: float
    evaluation: dict[str, Any]
    evaluation_before: dict[str, Any]
    warnings: list[str]


@dataclass
class _Parts:
    """Everything of a run that exists before its first update."""

    options: PretrainOptions
    store: TokenStore
    tokenizer: PreTrainedTokenizerBase
    setup: ModelSetup
    batches: PretrainingBatches
    budget: Budget
    choices: list[Choice]
    precision: str


@verb(PretrainOptions)
def pretrain(options: PretrainOptions) -> PretrainResult:
    """Pre-train a BERT on a STORE with masked language modelling and next sentence prediction.

    The RUN folder is a stock transformers model when it is finished. The result does not depend on
    `micro_batch_size` or `workers`, and a resumed run of `steps` or `epochs` ends in the weights of an unbroken one.
    """
    folder = RunFolder(options.out)
    folder.claim(overwrite=options.overwrite, resume=options.resume, verb="pretrain")
    options = _resumed_options(options, folder.record)
    if options.resume and folder.finished and folder.record["result"]["steps"] >= (options.steps or 0):
        say(f"{options.out} is finished already")
        return PretrainResult(run=options.out, **folder.record["result"])
    parts = _assemble(options, folder.record)
    _announce(parts)
    if options.dry_run:
        return PretrainResult(options.out, 0, 0, 0, 0.0, 0.0, {}, {}, [])

    counts = parts.store.unigram_counts()
    evaluations = {size: _frozen(parts, counts, size) for size in (EXAMPLES_DURING, EXAMPLES_AROUND)}
    checkpoint = folder.checkpoints()[-1] if options.resume and folder.checkpoints() else None
    folder.create()
    if checkpoint is None:
        folder.record = _record(parts, counts)
        folder.save_record()
        with progress("evaluating before training", unit="examples") as bar:
            before = evaluations[EXAMPLES_AROUND](parts.setup.model, precision=parts.precision, bar=bar)
        folder.record["evaluation_before"] = before.to_dict()
        folder.metrics_file.unlink(missing_ok=True)
    else:
        say(f"going on from {checkpoint}")
        folder.withdraw()
    folder.record["status"] = "running"
    folder.save_record()

    trainer = _trainer(parts, folder, evaluations[EXAMPLES_DURING])
    trainer.run(checkpoint)
    if trainer.stop.requested is not None:
        folder.record["status"] = "interrupted"
        folder.save_record()
        raise Interrupted(
            f"stopped by {trainer.stop.requested} after update {trainer.state.global_step}; everything is saved in "
            f"{folder.checkpoints()[-1]}. Go on with:\n  {resume_command(options)}"
        )
    return _finish(parts, folder, trainer, evaluations[EXAMPLES_AROUND])


def resume_command(options: PretrainOptions) -> str:
    """The command that goes on with a run; everything else stands in its run.json."""
    return shlex.join(["bertsmith", "pretrain", str(options.store), "--out", str(options.out), "--resume"])


def _resumed_options(options: PretrainOptions, record: dict[str, Any]) -> PretrainOptions:
    """The options of the run that is resumed, with those that may change taken from what is given now."""
    if not record:
        return options
    given = options.model_fields_set
    stored = PretrainOptions.build({key: value for key, value in record["options"].items() if value is not None})
    for name in sorted(given - MAY_CHANGE_ON_RESUME):
        if getattr(options, name) != getattr(stored, name):
            raise OptionError(
                f"--{external_name(name)}: {options.out} was started with {getattr(stored, name)!r}, found "
                f"{getattr(options, name)!r}; leave it out to go on, or give another --out to start anew"
            )
    changed = {name: getattr(options, name) for name in given & MAY_CHANGE_ON_RESUME}
    if any(changed.get(name) is not None for name in ("minutes", "steps", "epochs")):
        changed = {"minutes": None, "steps": None, "epochs": None} | changed
    return stored.model_copy(update=changed)


def _assemble(options: PretrainOptions, record: dict[str, Any]) -> _Parts:
    store = TokenStore(options.store)
    tokenizer = load_tokenizer(str(store.tokenizer_folder))
    choices = prepare_process()
    device = choose_device()
    asked = record["precision"] if record else options.precision
    precision = choose_precision(asked, device.value)
    if record:
        precision = Choice("precision", asked, "as the run was started")
    attention = choose_attention(device.value)
    extension = None
    if options.from_ is not None:
        extension = extension_between(load_tokenizer(options.from_), options.from_, tokenizer, str(options.store))
    setup = make_model(options, tokenizer, store.unigram_counts(), attention=attention.value, extension=extension)
    batches = PretrainingBatches(
        store,
        Vocabulary.of(tokenizer),
        objective=options.objective,
        sequence_length=options.sequence_length,
        mask_rate=options.mask_rate,
        mask_split=options.mask_split,
        seed=options.seed,
    )
    budget, chosen = _budget(options, batches.plan.size)
    choices += [device, precision, attention, *chosen, *setup.choices]
    return _Parts(options, store, tokenizer, setup, batches, budget, choices, precision.value)


def _budget(options: PretrainOptions, examples: int) -> tuple[Budget, list[Choice]]:
    if options.steps is not None:
        return Budget(steps=options.steps), []
    if options.epochs is not None:
        steps = max(1, math.ceil(options.epochs * examples / options.batch_size))
        return Budget(steps=steps), [
            Choice("steps", str(steps), f"{options.epochs:g} passes over {examples:,} examples")
        ]
    if options.minutes is not None:
        return Budget(minutes=options.minutes), []
    reason = "none of --minutes, --steps and --epochs is given"
    return Budget(minutes=DEFAULT_MINUTES), [Choice("minutes", f"{DEFAULT_MINUTES:g}", reason)]


def _announce(parts: _Parts) -> None:
    config, manifest = parts.setup.model.config, parts.store.manifest
    say(
        f"model: {config.num_hidden_layers} layers of {config.hidden_size}, {config.num_attention_heads} heads, "
        f"vocabulary {config.vocab_size:,}, {parameter_count(parts.setup.model) / 1e6:.1f} M parameters"
    )
    train = manifest["parts"][TRAIN]["tokens"]
    forced = parts.batches.plan.first.forced
    say(
        f"data: {train:,} tokens, {parts.batches.plan.size:,} examples a pass"
        + (f", {forced:,} of them random by force" if forced else "")
    )
    for choice in parts.choices:
        say(f"{choice.name}: {choice.value} ({choice.reason})")
    for head in parts.setup.fresh:
        warn(f"{parts.options.from_} has no head for {head}: it starts fresh")


def _frozen(parts: _Parts, counts: Any, examples: int) -> FrozenEvaluation:
    return FrozenEvaluation(
        parts.store.part(HELD_OUT),
        parts.batches.vocabulary,
        objective=parts.options.objective,
        sequence_length=parts.options.sequence_length,
        batch_size=64,
        unigram_counts=counts,
        max_examples=examples,
    )


def _record(parts: _Parts, counts: Any) -> dict[str, Any]:
    """run.json as it is before the first update."""
    config, options = parts.setup.model.config, parts.options
    return {
        "kind": "pretraining",
        "status": "running",
        "command": _command(options),
        "options": options.to_dict(),
        "choices": [choice.to_dict() for choice in parts.choices],
        "precision": parts.precision,
        "learning_rate": parts.setup.learning_rate,
        "machine": describe_machine(),
        "versions": versions(),
        "data": {
            "store": str(options.store),
            "checksum": parts.store.checksum(),
            "tokens": parts.store.manifest["parts"][TRAIN]["tokens"],
            "examples": parts.batches.plan.size,
            "pairs": label_counts(parts.batches.plan.first) if options.objective in ("mlm+nsp", "nsp") else None,
        },
        "model": {
            "layers": config.num_hidden_layers,
            "hidden_size": config.hidden_size,
            "attention_heads": config.num_attention_heads,
            "intermediate_size": config.intermediate_size,
            "max_positions": config.max_position_embeddings,
            "vocab_size": config.vocab_size,
            "parameters": parameter_count(parts.setup.model),
        },
        "unigram_counts": counts.tolist(),
        "warnings": [],
    }


def _command(options: PretrainOptions) -> str:
    """The command line of the options that were given."""
    words = ["bertsmith", "pretrain", str(options.store)]
    for name in PretrainOptions.model_fields:
        if name in options.model_fields_set and name not in ("store", "overwrite", "resume", "dry_run"):
            value = getattr(options, name)
            if value is not None:
                text = ",".join(f"{part:g}" for part in value) if isinstance(value, tuple) else str(value)
                words += [f"--{external_name(name)}", text]
    return shlex.join(words)


def _trainer(parts: _Parts, folder: RunFolder, evaluation: FrozenEvaluation) -> ExactTrainer:
    options = parts.options
    names = LOSSES[options.objective]
    plan = TrainingPlan(
        budget=parts.budget,
        loss_names=names,
        loss_sums=loss_sums(names),
        evaluate=lambda model: evaluation(model, precision=parts.precision).to_dict(),  # type: ignore[arg-type]
        optimizer=options.optimizer,
        schedule=options.schedule,
        learning_rate=parts.setup.learning_rate,
        warmup=options.warmup,
        weight_decay=options.weight_decay,
        max_grad_norm=options.max_grad_norm,
        precision=parts.precision,
        seed=options.seed,
        workers=options.workers,
        save_every=options.save_every,
        eval_every=options.eval_every,
        title="pre-training",
    )
    batches = UpdateBatches(
        parts.batches,
        batch_size=options.batch_size,
        micro_batch_size=options.micro_batch_size or options.batch_size,
    )
    return ExactTrainer(parts.setup.model, parts.tokenizer, batches, folder, plan)


def _finish(parts: _Parts, folder: RunFolder, trainer: ExactTrainer, evaluation: FrozenEvaluation) -> PretrainResult:
    """Evaluate, write the model, the report and the card."""
    options, model = parts.options, parts.setup.model
    with progress("evaluating", unit="examples") as bar:
        after = evaluation(model, precision=parts.precision, bar=bar).to_dict()
    record = folder.record
    record["evaluation"] = after
    if options.objective != "nsp":
        record["samples"] = guess(
            model, parts.tokenizer, hidden_words(parts.store.part(HELD_OUT), parts.tokenizer, SAMPLES)
        )
    record["warnings"] = _warnings(options, after)
    seconds = parts.budget.seconds()
    updates, _ = read_metrics(folder.path)
    result = PretrainResult(
        run=options.out,
        steps=trainer.state.global_step,
        resumed_from_step=trainer.first_update,
        tokens_seen=trainer.tokens_seen,
        seconds=round(updates[-1]["seconds"] if updates else seconds, 2),
        tokens_per_second=round(trainer.tokens_seen / max(updates[-1]["seconds"] if updates else seconds, 1e-9), 1),
        evaluation=after,
        evaluation_before=record["evaluation_before"],
        warnings=record["warnings"],
    )
    record["result"] = {key: value for key, value in result.to_dict().items() if key != "run"}
    record["status"] = "finished"
    folder.save_record()
    write_text(folder.path / "README.md", _card(options, record))
    write_report(folder.path)
    folder.publish(model, parts.tokenizer)
    for text in record["warnings"]:
        warn(text)
    return result


def _warnings(options: PretrainOptions, after: dict[str, Any]) -> list[str]:
    nats, unigram = after["mlm_nats_per_masked_token"], after["unigram_nats_per_token"]
    if nats is None or unigram is None or nats < unigram:
        return []
    return [
        f"the held-out loss, {nats:.2f} nats, does not pass the unigram baseline of {unigram:.2f}: the model has "
        "learnt how frequent tokens are and nothing of their order. This text is too small, or the run too short, "
        "to start from scratch. Continue from a larger model instead (MODEL: a RUN on more text, or a BERT such as "
        f"bert-base-uncased):\n  bertsmith prepare SOURCE --out STORE --tokenizer MODEL\n"
        f"  bertsmith pretrain STORE --out {options.out}-continued --from MODEL"
        + (f" --minutes {options.minutes:g}" if options.minutes else "")
    ]


def _card(options: PretrainOptions, record: dict[str, Any]) -> str:
    after, before, model = record["evaluation"], record["evaluation_before"], record["model"]
    figures = [(key.replace("_", " "), before.get(key), value) for key, value in after.items() if value is not None]
    origin = f"continued from {options.from_}" if options.from_ else "trained from scratch"
    return model_card(
        title=options.out.resolve().name,
        tags=["bert", "fill-mask", "bertsmith"],
        summary=(
            f"A BERT of {model['layers']} layers of {model['hidden_size']} ({model['parameters'] / 1e6:.1f} M "
            f"parameters), {origin} with {options.objective} on {record['data']['tokens']:,} tokens."
        ),
        sections=[
            ("Figures", markdown_table(["held-out part", "before", "after"], figures)),
            (
                "Intended use",
                "Filling masks and embeddings in the style of its corpus; a start for fine-tuned heads.",
            ),
            (
                "Limits",
                "\n\n".join(record["warnings"]) or "It knows its corpus and repeats what stands there, bias included.",
            ),
            ("How to make it again", f"```\n{record['command']}\n```"),
            ("Versions", "```json\n" + json.dumps(record["versions"], indent=2) + "\n```"),
        ],
        metadata={"pipeline_tag": "fill-mask"},
    )
