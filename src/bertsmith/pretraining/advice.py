"""Advice about a run: warnings with their remedies, and the command that starts from a MODEL instead."""

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
"""A run over one batch has learned it if its last loss is below this share of the first."""

Updates = Sequence[Mapping[str, Any]]
"""Lines of metrics.jsonl."""


def suggest_from(components: Components) -> None:
    """Suggest --from if the STORE has the tokenizer of a MODEL whose weights are not used."""
    options, manifest = components.options, components.store.manifest
    # A STORE of an older version has only the value of `--tokenizer`.
    model = manifest.result.model if "model" in manifest.result.model_fields_set else manifest.options.tokenizer
    if not model:
        return
    continued = ["bertsmith", "pretrain", str(options.store), "--out", str(options.out), "--from", str(model)]
    log_info(
        f"This run starts with random weights, although the STORE has the tokenizer of {model}. To continue training "
        f"{model} instead:\n  {runnable(shlex.join([*continued, *_length_options(options)]))}"
    )


def _length_options(options: PretrainOptions) -> list[str]:
    """Return the options that set the length of the run, as on the command line."""
    given = {name: getattr(options, name) for name in ("minutes", "steps", "epochs")}
    return [
        word
        for name, value in given.items()
        if value is not None
        for word in (f"--{name}", f"{value:g}" if isinstance(value, float) else str(value))
    ]


def warnings_of(components: Components, after: LanguageModelFigures, updates: Updates) -> list[str]:
    """Return the warnings about a finished run."""
    options, teacher = components.options, components.teacher
    if options.overfit_one_batch:
        return _overfit_warnings(updates)
    nats, unigram = after.mlm_nats_per_masked_token, after.unigram_nats_per_token
    if nats is None or unigram is None or nats < unigram:
        return []
    found = (
        f"the held-out loss ({nats:.2f} nats) is not below the unigram baseline ({unigram:.2f}): the model has learned "
        "at most how frequent each token is, and nothing about their order. "
    )
    if options.from_ is not None:
        return [
            f"{found}The run is too short, or {options.from_} has learned too little itself. Try: more --minutes, or "
            "--from a model that was trained on more text"
        ]
    found += "The text is too small, or the run too short, to start from scratch. "
    minutes = f" --minutes {options.minutes:g}" if options.minutes else ""
    if teacher is not None:
        half = max(1, teacher.model.config.num_hidden_layers // 2)
        origin = f"--from {options.teacher} --layers {half} --teacher {options.teacher}"
        return [
            f"{found}Try: start from layers of the teacher:\n"
            f"  {runnable('bertsmith pretrain')} {options.store} --out {options.out}-continued {origin}{minutes}"
        ]
    return [
        f"{found}Try: continue from a larger MODEL (a RUN on more text, or a BERT such as bert-base-uncased):\n"
        f"  {runnable('bertsmith prepare')} SOURCE --out STORE --tokenizer MODEL\n"
        f"  {runnable('bertsmith pretrain')} STORE --out {options.out}-continued --from MODEL{minutes}"
    ]


def _overfit_warnings(updates: Updates) -> list[str]:
    """Check a run over one batch: model, loss and update are sound if the loss comes close to zero."""
    first, last = (sum(line.get(name, 0.0) for name in ("mlm_loss", "nsp_loss")) for line in (updates[0], updates[-1]))
    if last < OVERFITTED * first:
        log_info(f"The loss on one batch fell from {first:.2f} to {last:.3f} nats, so the training step works")
        return []
    return [
        f"the loss on one batch is {last:.2f} after {updates[-1]['step']:,} updates and was {first:.2f}. A model that "
        "can learn brings it close to zero. Try: more --steps, a different --learning-rate, or --dropout 0"
    ]
