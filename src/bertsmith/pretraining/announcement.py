"""What `pretrain` prints before it trains: four lines for everybody, the automatic choices with `--verbose`."""

from __future__ import annotations

from bertsmith.models.bert import parameter_count
from bertsmith.pretraining.components import Components
from bertsmith.reporting.numbers import counted
from bertsmith.runtime import processes
from bertsmith.runtime.console import format_bytes, log_detail, log_info, warn
from bertsmith.runtime.machine import machine_summary


def announce_pretraining(components: Components) -> None:
    """Log model, data, length and output of the run; as details its memory and every choice with its reason."""
    options, config = components.options, components.setup.model.config
    parameters = parameter_count(components.setup.model)
    size = f"{parameters / 1e6:,.1f} million" if parameters >= 100_000 else f"{parameters:,}"
    weights = "random weights" if options.from_ is None else f"weights of {options.from_}"
    log_info(
        f"Model: {counted(config.num_hidden_layers, 'layer')}, hidden size {config.hidden_size}, "
        f"{size} parameters, {weights}"
    )
    tokens, plan = components.store.manifest.parts.train.tokens, components.batches.plan
    log_info(f"Data: {options.store}, {tokens:,} tokens, {plan.size:,} examples per pass")
    log_info(
        f"Training: {_length(components)} of {counted(options.batch_size, 'example')}, "
        f"{machine_summary(components.choices)}"
    )
    log_info(f"Output: {options.out} (details: --verbose)")
    _log_details(components)
    for note in components.setup.notes:
        warn(note)


def _length(components: Components) -> str:
    budget = components.budget
    if budget.minutes is not None:
        return f"{budget.minutes:g} {'minute' if budget.minutes == 1 else 'minutes'}, updates"
    assert budget.steps is not None
    return counted(budget.steps, "update")


def _log_details(components: Components) -> None:
    config, plan = components.setup.model.config, components.batches.plan
    log_detail(f"attention heads: {config.num_attention_heads}, vocabulary: {config.vocab_size:,} entries")
    if plan.first.forced:
        log_detail(
            f"examples whose A has no next sentence, so B is random: {plan.first.forced:,} of {plan.size:,} examples"
        )
    if plan.first.left_out:
        share = plan.first.left_out / max(components.store.manifest.parts.train.tokens, 1)
        log_detail(f"tokens that do not fit into examples and are not used in this pass: {share:.1%}")
    memory = f"memory: {format_bytes(components.micro_batch.memory.total)} (forecast)"
    world = processes.world_size()
    where = f" in each of {world} processes" if world > 1 else ""
    log_detail(f"{memory}, {counted(components.micro_batch.size, 'example')} at once{where}")
    for choice in components.choices:
        log_detail(f"{choice.name}: {choice.value} ({choice.reason})")
    if components.encoder is not None:
        log_detail(
            f"sentence encoder: the RUN keeps modules.json and the pooling of {components.options.from_} "
            f"({components.encoder.pooling or 'none'})"
        )
