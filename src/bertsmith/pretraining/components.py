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
from bertsmith.pretraining.automatic_choices import Platform, choose_budget, choose_mask_rate, choose_platform
from bertsmith.pretraining.example_batches import PretrainingBatches
from bertsmith.pretraining.general_text import GeneralText, read_general_text
from bertsmith.pretraining.masked_token_teacher import MaskedTokenTeacher, load_teacher
from bertsmith.pretraining.micro_batch import MicroBatch, TrialStep, choose_micro_batch
from bertsmith.pretraining.objective_losses import loss_sums
from bertsmith.pretraining.setup import ModelSetup, make_model
from bertsmith.pretraining.sizing import choose_size
from bertsmith.records.pretraining import PretrainingRecord
from bertsmith.runtime import processes
from bertsmith.runtime.machine import AutomaticChoice
from bertsmith.runtime.peak import matmul_peak
from bertsmith.tokenization.extension import extension_between
from bertsmith.tokenization.folder import load_tokenizer
from bertsmith.training.budget import Budget
from bertsmith.training.step_forecast import StepMemory, flops_per_example, forecast_memory
from bertsmith.training.training_plan import Computation, Losses, Optimization
from bertsmith.training.update_sampler import BatchRamp, Update, UpdateSampler


@dataclass
class Components:
    """Everything that a run works with."""

    options: PretrainOptions
    store: TokenStore
    tokenizer: PreTrainedTokenizerBase
    setup: ModelSetup
    phases: list[PretrainingBatches]
    """The batches of each phase; those of the last one have the full length."""
    updates: UpdateSampler
    choices: list[AutomaticChoice]
    platform: Platform
    peak: float
    """Measured floating point operations per second of a matrix product, over all processes."""
    size: str | None
    """The name of the size of a model from scratch."""
    general: GeneralText | None
    teacher: MaskedTokenTeacher | None
    encoder: SentenceEncoder | None
    """The sentence encoder's files of the MODEL of `--from`; the RUN keeps them."""
    micro_batch: MicroBatch = field(init=False)

    @property
    def budget(self) -> Budget:
        """How long the run trains."""
        return self.updates.budget

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
        return update.examples * flops_per_example(
            self.setup.model.config,
            batches.plan.sequence_length,
            batches.predictions,
            gradient_checkpointing=self.options.gradient_checkpointing,
        )

    def memory(self, micro_batch_size: int) -> StepMemory:
        """Forecast the memory that one process needs for a micro-batch of this size."""
        options, batches = self.options, self.batches
        found = forecast_memory(
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
            micro_batch_threads=self.computation.micro_batch_threads,
            sentences=len(batches.plan.part.sentence_offsets) - 1,
        )
        teacher_bytes = 0 if self.teacher is None else self.teacher.step_bytes(micro_batch_size * batches.predictions)
        return replace(found, activations=found.activations + teacher_bytes, total=found.total + teacher_bytes)

    def trial(self) -> TrialStep:
        """Return a trial step of the model at its full length."""
        size = self.batches.plan.size
        return TrialStep(
            self.setup.model,
            lambda numbers: self.batches([number % size for number in numbers]),
            self.losses,
            computation=self.computation,
            device=self.platform.device.value,
            reserve=8 * parameter_count(self.setup.model),
        )


def assemble(options: PretrainOptions, started: PretrainingRecord | None) -> Components:
    """Load and choose everything that a run works with.

    Args:
        started: the record of a resumed run.

    Raises InputError if STORE, model and options do not match, ResourceError if memory is short.
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
    mask_rate, mask_choices = choose_mask_rate(options)
    phases = _phases(options, store, Vocabulary.of(tokenizer), mask_rate=mask_rate)
    budget, budget_choices = choose_budget(options, phases[-1].plan.size)
    peak = processes.all_reduce_sum([matmul_peak(platform.precision.value, platform.device.value)])[0]
    teacher, teacher_choices = load_teacher(options, tokenizer, started, platform=platform)
    size, size_choices = options.size or (started.size if started is not None else None), list[AutomaticChoice]()
    if size is None and options.from_ is None and not (options.layers and options.hidden_size):
        size_choices = [_choose_size(options, phases[-1], len(tokenizer), budget=budget, peak=peak, teacher=teacher)]
        size = size_choices[0].value
    counts = store.unigram_counts()
    setup = make_model(options, tokenizer, counts, attention=platform.attention.value, size=size, extension=extension)
    machine = [*platform.process, platform.device, platform.precision, platform.attention]
    components = Components(
        options,
        store,
        tokenizer,
        setup,
        phases,
        _update_sampler(options, budget),
        [
            *machine,
            *mask_choices,
            *budget_choices,
            *size_choices,
            *setup.choices,
            *teacher_choices,
            platform.micro_batch_threads,
        ],
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
    """Raise OptionError if FSDP is requested and would have no effect."""
    if options.fsdp and processes.world_size() == 1:
        raise OptionError(
            "--fsdp: found one process, expected several to shard the model over. Try: torchrun --nproc-per-node 2 "
            "-m bertsmith pretrain ... --fsdp"
        )
    if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() in ("1", "true"):
        # On a CPU accelerate would silently train with DDP.
        raise OptionError(
            "ACCELERATE_USE_FSDP is set, but accelerate's own FSDP has no effect here. Try: turn it off in "
            "accelerate's configuration, and give --fsdp"
        )


def _store(options: PretrainOptions, started: PretrainingRecord | None) -> TokenStore:
    """Open the STORE. Raises OptionError if its text has changed since the resumed run was started."""
    store = TokenStore(options.store)
    if started is not None and store.checksum() != started.data.checksum:
        raise OptionError(
            f"{options.store}: the text differs from that of the STORE {started.data.store}, with which "
            f"{options.out} was started. Try: that STORE, or a different --out to start a new run"
        )
    return store


def _choose_size(
    options: PretrainOptions,
    batches: PretrainingBatches,
    entries: int,
    *,
    budget: Budget,
    peak: float,
    teacher: MaskedTokenTeacher | None,
) -> AutomaticChoice:
    """Choose the size of a model from scratch; `entries` is the size of the vocabulary."""
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


def _update_sampler(options: PretrainOptions, budget: Budget) -> UpdateSampler:
    return UpdateSampler(
        budget,
        options.batch_size,
        ramp=BatchRamp(*options.batch_ramp) if options.batch_ramp is not None else None,
        short_share=options.short_phase[1] if options.short_phase is not None else 1.0,
        repeat_first=options.overfit_one_batch,
    )


def _micro_batch(components: Components) -> MicroBatch:
    options, teacher = components.options, components.teacher
    free = components.platform.free - (0 if teacher is None else 4 * parameter_count(teacher.model))
    trial = components.trial() if options.auto_micro_batch else None
    return choose_micro_batch(options.batch_size, options.micro_batch_size, components.memory, free=free, trial=trial)
