"""Advice about a run: warnings with what to do, and the way to start from a MODEL instead."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from bertsmith.config.pretrain import PretrainOptions
from bertsmith.pretraining.components import Components
from bertsmith.records.language_model_figures import LanguageModelFigures
from bertsmith.runtime.console import log_info
from bertsmith.runtime.program import runnable

OVERFITTED = 0.2
"""A run over one batch has learnt it if the last loss is below this share of the first one."""

Updates = Sequence[Mapping[str, Any]]
"""Lines of metrics.jsonl."""


def say_what_is_not_used(components: Components) -> None:
    """Say that weights are random although the STORE has the tokenizer of a MODEL."""
    options, manifest = components.options, components.store.manifest
    # In a STORE of an older version: the name that `--tokenizer` was given.
    model = manifest.result.model if "model" in manifest.result.model_fields_set else manifest.options.tokenizer
    if not model:
        return
    continued = ["bertsmith", "pretrain", str(options.store), "--out", str(options.out), "--from", str(model)]
    log_info(
        f"weights: random; the STORE has the tokenizer of {model}, whose weights are not used. To continue {model} "
        f"instead:\n  {runnable(shlex.join([*continued, *_budget_flags(options)]))}"
    )


def _budget_flags(options: PretrainOptions) -> list[str]:
    """The length of a run as it was given on the command line."""
    given = {name: getattr(options, name) for name in ("minutes", "steps", "epochs")}
    return [
        word
        for name, value in given.items()
        if value is not None
        for word in (f"--{name}", f"{value:g}" if isinstance(value, float) else str(value))
    ]


def warnings_of(components: Components, after: LanguageModelFigures, updates: Updates) -> list[str]:
    """The warnings about a finished run."""
    options, teacher = components.options, components.teacher
    if options.overfit_one_batch:
        return _overfit_warnings(updates)
    nats, unigram = after.mlm_nats_per_masked_token, after.unigram_nats_per_token
    if nats is None or unigram is None or nats < unigram:
        return []
    found = (
        f"the held-out loss, {nats:.2f} nats, does not pass the unigram baseline of {unigram:.2f}: the model has "
        "learnt how frequent tokens are and nothing of their order. "
    )
    if options.from_ is not None:
        return [
            f"{found}The run is too short, or {options.from_} has learnt too little itself: give more --minutes, or "
            "continue from a model that was trained on more text"
        ]
    found += "This text is too small, or the run too short, to start from scratch. "
    minutes = f" --minutes {options.minutes:g}" if options.minutes else ""
    if teacher is not None:
        half = max(1, teacher.model.config.num_hidden_layers // 2)
        origin = f"--from {options.teacher} --layers {half} --teacher {options.teacher}"
        return [
            f"{found}Begin with layers of the teacher instead:\n"
            f"  {runnable('bertsmith pretrain')} {options.store} --out {options.out}-continued {origin}{minutes}"
        ]
    return [
        f"{found}Continue from a larger model instead (MODEL: a RUN on more text, or a BERT such as "
        f"bert-base-uncased):\n  {runnable('bertsmith prepare')} SOURCE --out STORE --tokenizer MODEL\n"
        f"  {runnable('bertsmith pretrain')} STORE --out {options.out}-continued --from MODEL{minutes}"
    ]


def _overfit_warnings(updates: Updates) -> list[str]:
    """What training on one batch shows: model, loss and step are sound if its loss goes to zero."""
    first, last = (sum(line.get(name, 0.0) for name in ("mlm_loss", "nsp_loss")) for line in (updates[0], updates[-1]))
    if last < OVERFITTED * first:
        log_info(f"one batch: its loss fell from {first:.2f} to {last:.3f} nats, so the training step is sound")
        return []
    return [
        f"one batch: its loss is {last:.2f} after {updates[-1]['step']:,} updates and was {first:.2f}. A model that "
        "can learn brings it near zero: give more --steps, or look at --learning-rate and --dropout"
    ]
