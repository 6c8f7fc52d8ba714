"""The components of a pre-training run: everything that exists before its first update."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, replace

from transformers import PreTrainedTokenizerBase

from bertsmith.config.pretrain import PretrainOptions
from bertsmith.corpus.store import TRAIN, TokenStore
from bertsmith.errors import OptionError
from bertsmith.models.bert import parameter_count
from bertsmith.models.model_tokenizer import load_model_tokenizer
from bertsmith.models.sentence_encoder import SentenceEncoder, sentence_encoder
from bertsmith.objectives.masks import Vocabulary
from bertsmith.pretraining.choices import Platform, choose_budget, choose_mask_rate, choose_platform
from bertsmith.pretraining.example_batches import PretrainingBatches
from bertsmith.pretraining.general_text import GeneralText, read_general_text
from bertsmith.pretraining.micro_batch import MicroBatch, Steps, choose_micro_batch
from bertsmith.pretraining.objective_losses import loss_sums
from bertsmith.pretraining.setup import ModelSetup, make_model
from bertsmith.pretraining.sizing import choose_size
from bertsmith.pretraining.teacher import Teacher, load_teacher
from bertsmith.records.pretraining import PretrainingRecord
from bertsmith.runtime import processes
from bertsmith.runtime.machine import AutomaticChoice
from bertsmith.runtime.peak import matmul_peak
from bertsmith.tokenization.extension import extension_between
from bertsmith.tokenization.folder import load_tokenizer
from bertsmith.training import forecast
from bertsmith.training.budget import Budget
from bertsmith.training.course import Course, Ramp, Update
from bertsmith.training.plan import Computation, Losses, Optimization


@dataclass
class Components:
    """The parts of a run."""

    options: PretrainOptions
    store: TokenStore
    tokenizer: PreTrainedTokenizerBase
    setup: ModelSetup
    phases: list[PretrainingBatches]
    """How examples are made in each phase; the last one has the full length."""
    course: Course
    choices: list[AutomaticChoice]
    platform: Platform
    peak: float
    """Floating point operations a second of a matrix product, measured, over all processes."""
    size: str | None
    """The name of the size that a model from scratch began with."""
    general: GeneralText | None
    teacher: Teacher | None
    encoder: SentenceEncoder | None
    """The files that make the MODEL that continues a sentence encoder; the RUN keeps them."""
    micro_batch: MicroBatch = field(init=False)

    @property
    def budget(self) -> Budget:
        """How long the run trains."""
        return self.course.budget

    @property
    def batches(self) -> PretrainingBatches:
        """The batches of the full length."""
        return self.phases[-1]

    @property
    def losses(self) -> Losses:
        """The losses of a batch."""
        return Losses(self.batches.names, loss_sums(self.batches.names, self.teacher))

    @property
    def computation(self) -> Computation:
        """How an update is computed."""
        return self.platform.computation(self.options)

    @property
    def optimization(self) -> Optimization:
        """How the weights are updated."""
        options = self.options
        return Optimization(
            options.optimizer,
            self.setup.learning_rate,
            options.weight_decay,
            options.schedule,
            options.warmup,
            options.max_grad_norm,
        )

    def flops(self, update: Update) -> float:
        """Floating point operations of an update."""
        batches = self.phases[update.phase]
        return update.examples * forecast.flops_per_example(
            self.setup.model.config,
            batches.plan.sequence_length,
            batches.predictions,
            gradient_checkpointing=self.options.gradient_checkpointing,
        )

    def memory(self, micro_batch_size: int) -> forecast.Memory:
        """The memory of a micro-batch of this size in one process."""
        options, batches = self.options, self.batches
        found = forecast.memory(
            self.setup.model.config,
            micro_batch_size=micro_batch_size,
            sequence_length=options.sequence_length,
            predictions=batches.predictions,
            precision=self.platform.precision.value,
            optimizer=options.optimizer,
            dropout=self.setup.dropout,
            attention=self.platform.attention.value,
            gradient_checkpointing=options.gradient_checkpointing,
            accumulation=micro_batch_size < math.ceil(options.batch_size / processes.world_size()),
            processes=processes.world_size() if options.fsdp else 1,
            device=self.platform.device.value,
            streams=self.computation.streams,
            sentences=len(batches.plan.part.sentence_offsets) - 1,
        )
        more = 0 if self.teacher is None else self.teacher.step_bytes(micro_batch_size * batches.predictions)
        return replace(found, activations=found.activations + more, total=found.total + more)

    def trial(self) -> Steps:
        """Trial steps of the model at its full length."""
        size = self.batches.plan.size
        return Steps(
            self.setup.model,
            lambda numbers: self.batches([number % size for number in numbers]),
            self.losses,
            computation=self.computation,
            device=self.platform.device.value,
            reserve=8 * parameter_count(self.setup.model),
        )


def assemble(options: PretrainOptions, started: PretrainingRecord | None) -> Components:
    """Make the parts of a run; `started` is the record of the run that resumes.

    Raises InputError if store, model and options do not fit each other, ResourceError if memory is short.
    """
    _check_sharding(options)
    store = _store(options, started)
    tokenizer = load_tokenizer(str(store.tokenizer_folder))
    platform = choose_platform(options, started)
    extension = None
    if options.from_ is not None:
        extension = extension_between(
            load_model_tokenizer(options.from_), options.from_, tokenizer=tokenizer, store=str(options.store)
        )
    general = read_general_text(options, tokenizer, started)
    mask_rate, of_masks = choose_mask_rate(options)
    phases = _phases(options, store, Vocabulary.of(tokenizer), mask_rate=mask_rate)
    budget, of_budget = choose_budget(options, phases[-1].plan.size)
    peak = processes.all_reduce_sum([matmul_peak(platform.precision.value, platform.device.value)])[0]
    teacher, of_teacher = load_teacher(options, tokenizer, started, platform=platform)
    size, of_size = options.size or (started.size if started is not None else None), list[AutomaticChoice]()
    if size is None and options.from_ is None and not (options.layers and options.hidden_size):
        of_size = [_choose_size(options, phases[-1], len(tokenizer), budget=budget, peak=peak, teacher=teacher)]
        size = of_size[0].value
    counts = store.unigram_counts()
    setup = make_model(options, tokenizer, counts, attention=platform.attention.value, size=size, extension=extension)
    machine = [*platform.process, platform.device, platform.precision, platform.attention]
    components = Components(
        options,
        store,
        tokenizer,
        setup,
        phases,
        _course(options, budget),
        [*machine, *of_masks, *of_budget, *of_size, *setup.choices, *of_teacher, platform.streams],
        platform,
        peak,
        size,
        general,
        teacher,
        None if options.from_ is None else sentence_encoder(options.from_),
    )
    components.micro_batch = _micro_batch(components)
    if components.micro_batch.choice is not None:
        components.choices.append(components.micro_batch.choice)
    return components


def _check_sharding(options: PretrainOptions) -> None:
    """Raise OptionError if FSDP is asked for and cannot be in effect."""
    if options.fsdp and processes.world_size() == 1:
        raise OptionError("--fsdp divides a model over processes and there is one: start it with torchrun")
    if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() in ("1", "true"):
        # On a CPU accelerate would train with DDP, without a word.
        raise OptionError(
            "accelerate is configured for FSDP (ACCELERATE_USE_FSDP), which is not in effect here: leave it out there, "
            "and give --fsdp"
        )


def _store(options: PretrainOptions, started: PretrainingRecord | None) -> TokenStore:
    """The STORE. Raises OptionError if its text has changed since the run that resumes began."""
    store = TokenStore(options.store)
    if started is not None and store.checksum() != started.data.checksum:
        raise OptionError(
            f"{options.store}: holds another text than the STORE {started.data.store} that {options.out} was "
            "started with; give that one, or another --out to start anew"
        )
    return store


def _choose_size(
    options: PretrainOptions,
    batches: PretrainingBatches,
    entries: int,
    *,
    budget: Budget,
    peak: float,
    teacher: Teacher | None,
) -> AutomaticChoice:
    """The size of a model from scratch; `entries` are those of the vocabulary."""
    return choose_size(
        budget,
        batch_size=options.batch_size,
        sequence_length=options.sequence_length,
        predictions=batches.predictions,
        entries=entries,
        text=batches.plan.part.num_tokens,
        peak=peak,
        teacher_flops=0.0 if teacher is None else teacher.flops(options.sequence_length, batches.predictions),
    )


def _phases(
    options: PretrainOptions, store: TokenStore, vocabulary: Vocabulary, *, mask_rate: float
) -> list[PretrainingBatches]:
    lengths = [options.short_phase[0]] if options.short_phase is not None else []
    part = store.part(TRAIN)
    return [
        PretrainingBatches(part, vocabulary, options, sequence_length=length, mask_rate=mask_rate)
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


def _micro_batch(components: Components) -> MicroBatch:
    options, teacher = components.options, components.teacher
    free = components.platform.free - (0 if teacher is None else 4 * parameter_count(teacher.model))
    trial = components.trial() if options.auto_batch else None
    return choose_micro_batch(options.batch_size, options.micro_batch_size, components.memory, free=free, trial=trial)
