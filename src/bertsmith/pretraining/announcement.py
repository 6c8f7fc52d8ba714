"""What `pretrain` prints before it trains."""

from __future__ import annotations

from bertsmith.models.bert import parameter_count
from bertsmith.pretraining.components import Components
from bertsmith.runtime import processes
from bertsmith.runtime.console import format_bytes, log_info, warn


def announce(components: Components) -> None:
    """Print the model, the data, the memory, and every choice with its reason."""
    config, manifest = components.setup.model.config, components.store.manifest
    log_info(
        f"model: {config.num_hidden_layers} layers of {config.hidden_size}, {config.num_attention_heads} heads, "
        f"vocabulary {config.vocab_size:,}, {parameter_count(components.setup.model) / 1e6:.1f} M parameters"
    )
    train, plan = manifest.parts.train.tokens, components.batches.plan
    notes = [f"data: {train:,} tokens, {plan.size:,} examples a pass"]
    if plan.first.forced:
        notes.append(f"{plan.first.forced:,} of them random by force")
    if plan.first.left_out:
        notes.append(f"{plan.first.left_out / max(train, 1):.1%} of the tokens left out by packing")
    log_info(", ".join(notes))
    world = processes.world_size()
    examples = f"{components.options.batch_size} examples an update, {components.micro_batch.size} at once"
    log_info(
        f"memory: {format_bytes(components.micro_batch.memory.total)} by the forecast, {examples}"
        + (f" in each of {world} processes" if world > 1 else "")
    )
    for choice in components.choices:
        log_info(f"{choice.name}: {choice.value} ({choice.reason})")
    if components.encoder is not None:
        log_info(
            f"sentence encoder: the RUN keeps modules.json and the pooling of {components.options.from_} "
            f"({components.encoder.pooling or 'none'})"
        )
    for note in components.setup.notes:
        warn(note)
