"""The record of a pre-training run (run.json) before its first update."""

from __future__ import annotations

from typing import Any

from bertsmith.corpus.store import HELD_OUT
from bertsmith.models.bert import parameter_count
from bertsmith.objectives.audit import audit_pairs
from bertsmith.objectives.pairs import plan_epoch
from bertsmith.pretraining.components import Components
from bertsmith.pretraining.masked_token_teacher import weights_checksum
from bertsmith.records.pretraining import ModelShape, ModelSize, PairAudit, PretrainingRecord, TrainingData
from bertsmith.records.run import VERSION, Machine, TrainingLength
from bertsmith.runtime import processes
from bertsmith.runtime.machine import describe_machine, versions


def initial_record(components: Components, command: str) -> PretrainingRecord:
    """Return the record of a new run."""
    options, setup = components.options, components.setup
    optional: dict[str, Any] = {}
    if options.teacher is not None:
        optional["teacher"] = weights_checksum(options.teacher)
    if components.general is not None:
        optional["general_text"] = components.general.record()
    return PretrainingRecord(
        version=VERSION,
        kind="pretraining",
        status="running",
        command=command,
        options=options.to_dict(),
        choices=components.choices,
        precision=components.computation.precision,
        streams=components.computation.micro_batch_threads,
        size=components.size,
        learning_rate=setup.learning_rate,
        processes=processes.world_size(),
        matmul_peak_gflops=round(components.peak / 1e9, 1),
        memory_forecast_bytes=components.micro_batch.memory.total,
        machine=Machine(**describe_machine()),
        versions=versions(),
        data=TrainingData(
            store=str(options.store),
            checksum=components.store.checksum(),
            tokens=components.store.manifest.parts.train.tokens,
            examples=components.batches.plan.size,
            pairs=_audit(components) if options.objective != "mlm" else None,
        ),
        budget=length_of(components),
        fresh_mlm_head=setup.fresh_mlm_head,
        untrained_heads=list(setup.untrained_heads),
        **optional,
        model=ModelSize(**shape_of(setup.model.config).to_dict(), parameters=parameter_count(setup.model)),
        unigram_counts=components.store.unigram_counts().tolist(),
        warnings=[],
    )


def length_of(components: Components) -> TrainingLength:
    """Return how long the run trains."""
    return TrainingLength(steps=components.budget.steps, minutes=components.budget.minutes)


def shape_of(config: Any) -> ModelShape:
    """Return the shape that the configuration of a model describes."""
    return ModelShape(
        layers=config.num_hidden_layers,
        hidden_size=config.hidden_size,
        attention_heads=config.num_attention_heads,
        intermediate_size=config.intermediate_size,
        max_positions=config.max_position_embeddings,
        vocab_size=config.vocab_size,
    )


def _audit(components: Components) -> PairAudit:
    options, plan = components.options, components.batches.plan
    held_out = plan_epoch(
        components.store.part(HELD_OUT),
        options.objective,
        options.sequence_length,
        negatives=options.negatives,
        seed=0,
        epoch=0,
    )
    return audit_pairs(plan.first, held_out, swap=options.objective == "mlm+sop")
