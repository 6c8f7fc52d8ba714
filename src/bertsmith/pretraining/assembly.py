"""Everything of a pre-training run that exists before its first update, from the options and what they leave open."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn
from transformers import PreTrainedTokenizerBase

from bertsmith.config.pretrain import PretrainOptions
from bertsmith.corpus.store import HELD_OUT, TRAIN, TokenPart, TokenStore
from bertsmith.errors import OptionError
from bertsmith.evaluation.language_model import FrozenEvaluation
from bertsmith.models.bert import parameter_count
from bertsmith.models.model_tokenizer import load_model_tokenizer
from bertsmith.models.sentence_encoder import SentenceEncoder, sentence_encoder
from bertsmith.objectives.audit import audit_pairs
from bertsmith.objectives.masks import Vocabulary
from bertsmith.objectives.pairs import plan_epoch
from bertsmith.pretraining.engine import PretrainingBatches, loss_sums
from bertsmith.pretraining.general_text import GeneralText, read_general_text
from bertsmith.pretraining.micro_batch import MicroBatch, Steps, choose_micro_batch, share_of_memory
from bertsmith.pretraining.setup import DEFAULT_MINUTES, ModelSetup, make_model
from bertsmith.pretraining.sizing import choose_size
from bertsmith.pretraining.teacher import Teacher, load_teacher, weights_of
from bertsmith.runtime import processes
from bertsmith.runtime.console import say, size_text, warn
from bertsmith.runtime.machine import (
    Choice,
    as_started,
    choose_attention,
    choose_device,
    choose_precision,
    choose_streams,
    describe_machine,
    prepare_process,
    versions,
)
from bertsmith.runtime.peak import free_memory, matmul_peak
from bertsmith.tokenization.extension import extension_between
from bertsmith.tokenization.folder import load_tokenizer
from bertsmith.training import forecast
from bertsmith.training.batches import UpdateBatches
from bertsmith.training.budget import Budget
from bertsmith.training.course import Course, Ramp, Update
from bertsmith.training.plan import TrainingPlan
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.trainer import ExactTrainer

MASK_RATE = 0.25, "from scratch more predictions of an example teach more"
CONTINUED_MASK_RATE = 0.15, "that of BERT, for a model that continues"
"""The share of tokens that are predicted, and why."""

OVERFIT_STEPS = 200
"""Updates of a run over one batch where nothing else is asked for."""


@dataclass
class Assembly:
    """The parts of a run."""

    options: PretrainOptions
    store: TokenStore
    tokenizer: PreTrainedTokenizerBase
    setup: ModelSetup
    phases: list[PretrainingBatches]
    """How examples are made in each phase; the last one has the full length."""
    course: Course
    micro_batch: MicroBatch
    choices: list[Choice]
    precision: str
    device: str
    peak: float
    """Floating point operations a second of a matrix product, measured, over all processes."""
    streams: int
    size: str | None
    """The name of the size that a model from scratch began with."""
    general: GeneralText | None = None
    teacher: Teacher | None = None
    encoder: SentenceEncoder | None = None
    """The files that make the MODEL that continues a sentence encoder; the RUN keeps them."""

    @property
    def budget(self) -> Budget:
        """How long the run trains."""
        return self.course.budget

    @property
    def batches(self) -> PretrainingBatches:
        """The batches of the full length."""
        return self.phases[-1]

    def flops(self, update: Update) -> float:
        """Floating point operations of an update."""
        batches = self.phases[update.phase]
        return update.examples * forecast.flops_per_example(
            self.setup.model.config,
            batches.plan.sequence_length,
            batches.predictions,
            gradient_checkpointing=self.options.gradient_checkpointing,
        )

    def trial(self) -> Steps:
        """Trial steps of the model at its full length."""
        return _trial(self.setup, self.batches, self.precision, self.device, self.streams, self.teacher)


def assemble(options: PretrainOptions, record: dict[str, Any]) -> Assembly:
    """Make the parts of a run; `record` is that of the run that goes on, or empty.

    Raises InputError where store, model and options do not fit each other, ResourceError where memory is short.
    """
    _check_sharding(options)
    store = _store(options, record)
    tokenizer = load_tokenizer(str(store.tokenizer_folder))
    choices = prepare_process(save_memory=options.gradient_checkpointing)
    device = choose_device()
    # One number for all processes, as they compute micro-batches of one size.
    free = int(-processes.largest([-share_of_memory(free_memory(device.value))])[0])
    precision = as_started(choose_precision(options.precision, device.value), record.get("precision"))
    attention = choose_attention(options.attention, device.value)
    extension = None
    if options.from_ is not None:
        extension = extension_between(
            load_model_tokenizer(options.from_), options.from_, tokenizer=tokenizer, store=str(options.store)
        )
    general = read_general_text(options, tokenizer, record)
    mask_rate, of_masks = _mask_rate(options)
    phases = _phases(options, store, Vocabulary.of(tokenizer), mask_rate)
    budget, of_budget = _budget(options, phases[-1].plan.size)
    peak = processes.sums([matmul_peak(precision.value, device.value)])[0]
    teacher, of_teacher = load_teacher(
        options, tokenizer, record, attention=attention.value, precision=precision.value, device=device.value
    )
    size, of_size = _size(options, record, phases[-1], len(tokenizer), budget, peak, teacher)
    setup = make_model(
        options, tokenizer, store.unigram_counts(), attention=attention.value, size=size, extension=extension
    )
    choices += [device, precision, attention, *of_masks, *of_budget, *of_size, *setup.choices, *of_teacher]
    streams = choose_streams(device.value, examples=options.batch_size, whole=_computed_as_a_whole(options))
    streams = as_started(streams, record.get("streams"))
    choices.append(streams)
    if teacher is not None:
        free -= 4 * parameter_count(teacher.model)
    micro_batch = _micro_batch(
        options, setup, phases[-1], precision.value, attention.value, device.value, int(streams.value), free, teacher
    )
    if micro_batch.choice is not None:
        choices.append(micro_batch.choice)
    return Assembly(
        options,
        store,
        tokenizer,
        setup,
        phases,
        _course(options, budget),
        micro_batch,
        choices,
        precision.value,
        device.value,
        peak,
        int(streams.value),
        size,
        general,
        teacher,
        None if options.from_ is None else sentence_encoder(options.from_),
    )


def _check_sharding(options: PretrainOptions) -> None:
    """Raise OptionError where FSDP is asked for and cannot be in effect."""
    if options.fsdp and processes.world_size() == 1:
        raise OptionError("--fsdp divides a model over processes and there is one: start it with torchrun")
    if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() in ("1", "true"):
        # On a CPU accelerate would train with DDP, without a word.
        raise OptionError(
            "accelerate is configured for FSDP (ACCELERATE_USE_FSDP), which is not in effect here: leave it out there, "
            "and give --fsdp"
        )


def _store(options: PretrainOptions, record: dict[str, Any]) -> TokenStore:
    """The STORE. Raises OptionError where it holds another text than when the run that goes on began."""
    store = TokenStore(options.store)
    if record and store.checksum() != record["data"]["checksum"]:
        raise OptionError(
            f"{options.store}: holds another text than the STORE {record['data']['store']} that {options.out} was "
            "started with; give that one, or another --out to start anew"
        )
    return store


def _computed_as_a_whole(options: PretrainOptions) -> str | None:
    """Why the step of a run cannot be divided into streams."""
    if options.gradient_checkpointing:
        return "layers that are computed twice take torch's own random state"
    if options.compile:
        return "torch.compile makes the step"
    return None


def _mask_rate(options: PretrainOptions) -> tuple[float, list[Choice]]:
    if options.mask_rate is not None:
        return options.mask_rate, []
    rate, reason = MASK_RATE if options.from_ is None else CONTINUED_MASK_RATE
    return rate, [Choice("mask rate", f"{rate:g}", reason)]


def _size(
    options: PretrainOptions,
    record: dict[str, Any],
    batches: PretrainingBatches,
    entries: int,
    budget: Budget,
    peak: float,
    teacher: Teacher | None,
) -> tuple[str | None, list[Choice]]:
    """The name of the size; None where the model continues, or its layers and width are given."""
    asked = options.size or record.get("size")
    if asked is not None or options.from_ is not None or (options.layers and options.hidden_size):
        return asked, []
    choice = choose_size(
        budget,
        batch_size=options.batch_size,
        sequence_length=options.sequence_length,
        predictions=batches.predictions,
        entries=entries,
        text=batches.plan.part.num_tokens,
        peak=peak,
        beside=0.0 if teacher is None else teacher.flops(options.sequence_length, batches.predictions),
    )
    return choice.value, [choice]


def _phases(
    options: PretrainOptions, store: TokenStore, vocabulary: Vocabulary, mask_rate: float
) -> list[PretrainingBatches]:
    lengths = [options.short_phase[0]] if options.short_phase is not None else []
    part = store.part(TRAIN)
    return [
        PretrainingBatches(
            part,
            vocabulary,
            objective=options.objective,
            sequence_length=length,
            negatives=options.negatives,
            mask_rate=mask_rate,
            mask_split=options.mask_split,
            mask_unit=options.mask_unit,
            seed=options.seed,
            taught=options.teacher is not None,
        )
        for length in (*lengths, options.sequence_length)
    ]


def _course(options: PretrainOptions, budget: Budget) -> Course:
    return Course(
        budget,
        options.batch_size,
        ramp=Ramp(*options.batch_ramp) if options.batch_ramp is not None else None,
        short_share=options.short_phase[1] if options.short_phase is not None else 1.0,
        same=options.overfit_one_batch,
    )


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
    if options.overfit_one_batch:
        return Budget(steps=OVERFIT_STEPS), [Choice("steps", str(OVERFIT_STEPS), reason)]
    return Budget(minutes=DEFAULT_MINUTES), [Choice("minutes", f"{DEFAULT_MINUTES:g}", reason)]


def _micro_batch(
    options: PretrainOptions,
    setup: ModelSetup,
    batches: PretrainingBatches,
    precision: str,
    attention: str,
    device: str,
    streams: int,
    free: int,
    teacher: Teacher | None,
) -> MicroBatch:
    share = math.ceil(options.batch_size / processes.world_size())

    def needed(size: int) -> forecast.Memory:
        found = forecast.memory(
            setup.model.config,
            micro_batch_size=size,
            sequence_length=options.sequence_length,
            predictions=batches.predictions,
            precision=precision,
            optimizer=options.optimizer,
            dropout=setup.dropout,
            attention=attention,
            gradient_checkpointing=options.gradient_checkpointing,
            accumulation=size < share,
            processes=processes.world_size() if options.fsdp else 1,
            device=device,
            streams=streams,
            sentences=len(batches.plan.part.sentence_offsets) - 1,
        )
        more = 0 if teacher is None else teacher.step_bytes(size * batches.predictions)
        return replace(found, activations=found.activations + more, total=found.total + more)

    trial = _trial(setup, batches, precision, device, streams, teacher) if options.auto_batch else None
    return choose_micro_batch(options.batch_size, options.micro_batch_size, needed, free, trial=trial)


def _trial(
    setup: ModelSetup,
    batches: PretrainingBatches,
    precision: str,
    device: str,
    streams: int,
    teacher: Teacher | None,
) -> Steps:
    size = batches.plan.size
    return Steps(
        setup.model,
        lambda numbers: batches([number % size for number in numbers]),
        loss_sums(batches.names, teacher),
        precision=precision,
        device=device,
        reserve=8 * parameter_count(setup.model),
        streams=streams,
    )


def announce(assembly: Assembly) -> None:
    """Say what is about to be trained, and every choice with its reason."""
    config, parts = assembly.setup.model.config, assembly.store.manifest.parts
    say(
        f"model: {config.num_hidden_layers} layers of {config.hidden_size}, {config.num_attention_heads} heads, "
        f"vocabulary {config.vocab_size:,}, {parameter_count(assembly.setup.model) / 1e6:.1f} M parameters"
    )
    train, plan = parts.train.tokens, assembly.batches.plan
    notes = [f"data: {train:,} tokens, {plan.size:,} examples a pass"]
    if plan.first.forced:
        notes.append(f"{plan.first.forced:,} of them random by force")
    if plan.first.left_out:
        notes.append(f"{plan.first.left_out / max(train, 1):.1%} of the tokens left out by packing")
    say(", ".join(notes))
    world = processes.world_size()
    examples = f"{assembly.options.batch_size} examples an update, {assembly.micro_batch.size} at once"
    say(
        f"memory: {size_text(assembly.micro_batch.memory.total)} by the forecast, {examples}"
        + (f" in each of {world} processes" if world > 1 else "")
    )
    for choice in assembly.choices:
        say(f"{choice.name}: {choice.value} ({choice.reason})")
    if assembly.encoder is not None:
        say(
            f"sentence encoder: the RUN keeps modules.json and the pooling of {assembly.options.from_} "
            f"({assembly.encoder.pooling or 'none'})"
        )
    for note in assembly.setup.notes:
        warn(note)


def frozen(assembly: Assembly, examples: int) -> FrozenEvaluation:
    """The evaluation over at most so many held-out examples."""
    return _frozen(assembly, assembly.store.part(HELD_OUT), assembly.options.objective, examples)


def frozen_general(assembly: Assembly, examples: int) -> FrozenEvaluation | None:
    """The evaluation over at most so many examples of the general text, where there is one."""
    text = assembly.general
    return _frozen(assembly, text.part, text.objective, examples) if text is not None else None


def _frozen(assembly: Assembly, part: TokenPart, objective: str, examples: int) -> FrozenEvaluation:
    options = assembly.options
    return FrozenEvaluation(
        part,
        assembly.batches.vocabulary,
        objective=objective,
        sequence_length=options.sequence_length,
        negatives=options.negatives,
        batch_size=64,
        unigram_counts=assembly.store.unigram_counts(),
        max_examples=examples,
    )


def record_of(assembly: Assembly, command: str, counts: npt.NDArray[np.int64]) -> dict[str, Any]:
    """run.json as it is before the first update."""
    config, options = assembly.setup.model.config, assembly.options
    return {
        "kind": "pretraining",
        "status": "running",
        "command": command,
        "options": options.to_dict(),
        "choices": [choice.to_dict() for choice in assembly.choices],
        "precision": assembly.precision,
        "streams": assembly.streams,
        "size": assembly.size,
        "learning_rate": assembly.setup.learning_rate,
        "processes": processes.world_size(),
        "matmul_peak_gflops": round(assembly.peak / 1e9, 1),
        "memory_forecast_bytes": assembly.micro_batch.memory.total,
        "machine": describe_machine(),
        "versions": versions(),
        "data": {
            "store": str(options.store),
            "checksum": assembly.store.checksum(),
            "tokens": assembly.store.manifest.parts.train.tokens,
            "examples": assembly.batches.plan.size,
            "pairs": _audit(assembly) if options.objective != "mlm" else None,
        },
        "budget": budget_record(assembly),
        "fresh_mlm_head": assembly.setup.fresh_mlm_head,
        "untrained_heads": list(assembly.setup.untrained_heads),
        **({"teacher": weights_of(options.teacher)} if options.teacher is not None else {}),
        **({"general_text": assembly.general.record()} if assembly.general is not None else {}),
        "model": shape_record(config) | {"parameters": parameter_count(assembly.setup.model)},
        "unigram_counts": counts.tolist(),
        "warnings": [],
    }


def budget_record(assembly: Assembly) -> dict[str, float | None]:
    """How long the run trains."""
    return {"steps": assembly.budget.steps, "minutes": assembly.budget.minutes}


def shape_record(config: Any) -> dict[str, int]:
    """The numbers that say which weights fit a model."""
    return {
        "layers": config.num_hidden_layers,
        "hidden_size": config.hidden_size,
        "attention_heads": config.num_attention_heads,
        "intermediate_size": config.intermediate_size,
        "max_positions": config.max_position_embeddings,
        "vocab_size": config.vocab_size,
    }


def _audit(assembly: Assembly) -> dict[str, Any]:
    options, plan = assembly.options, assembly.batches.plan
    held_out = plan_epoch(
        assembly.store.part(HELD_OUT),
        options.objective,
        options.sequence_length,
        negatives=options.negatives,
        seed=0,
        epoch=0,
    )
    return audit_pairs(plan.first, held_out, swap=options.objective == "mlm+sop")


def _figures_of(evaluation: FrozenEvaluation, precision: str) -> Callable[[nn.Module], dict[str, Any]]:
    return lambda model: evaluation(model, precision=precision).to_dict()  # type: ignore[arg-type]


def make_trainer(assembly: Assembly, folder: RunFolder, examples: int) -> ExactTrainer:
    """The Trainer of a run; it evaluates on so many held-out examples, and on as many of a general text."""
    general = frozen_general(assembly, examples)
    options, precision = assembly.options, assembly.precision
    names = assembly.batches.names
    plan = TrainingPlan(
        budget=assembly.budget,
        course=assembly.course,
        loss_names=names,
        loss_sums=loss_sums(names, assembly.teacher),
        evaluate=_figures_of(frozen(assembly, examples), precision),
        evaluate_general=_figures_of(general, precision) if general is not None else None,
        optimizer=options.optimizer,
        schedule=options.schedule,
        learning_rate=assembly.setup.learning_rate,
        warmup=options.warmup,
        weight_decay=options.weight_decay,
        max_grad_norm=options.max_grad_norm,
        precision=precision,
        seed=options.seed,
        workers=options.workers,
        save_every=options.save_every,
        eval_every=options.eval_every,
        judge="nsp_nats_per_pair" if options.objective == "nsp" else "mlm_nats_per_masked_token",
        patience=options.patience,
        evaluate_at_end=options.patience is not None,
        sharded=options.fsdp,
        streams=assembly.streams,
        compiled=options.compile,
        tensorboard=options.tensorboard,
        flops=assembly.flops,
        peak=assembly.peak,
        title="pre-training",
    )
    batches = UpdateBatches(assembly.phases, micro_batch_size=math.ceil(assembly.micro_batch.size / assembly.streams))
    return ExactTrainer(assembly.setup.model, assembly.tokenizer, batches, folder, plan)
