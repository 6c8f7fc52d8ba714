"""The model of a pre-training run, ready to train, with the automatic choices about it and their reasons."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedTokenizerBase

from bertsmith.config.pretrain import PretrainOptions
from bertsmith.errors import ModelError, OptionError
from bertsmith.models.bert import (
    BertForPreTraining,
    extend_vocabulary,
    set_dropout,
    vocabulary_rows,
)
from bertsmith.models.initial_values import start_from_frequencies, start_from_neighbours
from bertsmith.models.layer_dropping import evenly_spaced, with_fewer_layers
from bertsmith.models.loading import LoadedBert, load_bert
from bertsmith.models.sizes import bert_shape, make_config
from bertsmith.models.trained_heads import Head, untrained_heads
from bertsmith.records.extension import Extension
from bertsmith.runtime.machine import AutomaticChoice
from bertsmith.tasks.model_config import forget_head, forget_labels
from bertsmith.tokenization.extension import embedding_rows

DEFAULT_SIZE = "mini"
"""The size that gives a model its other numbers if only layers and width are given."""


@dataclass
class ModelSetup:
    """A model that is ready to train, and what was chosen for it."""

    model: BertForPreTraining
    choices: list[AutomaticChoice] = field(default_factory=list)
    learning_rate: float = 0.0
    dropout: float = 0.0
    fresh_mlm_head: bool = True
    untrained_heads: tuple[Head, ...] = ()
    """Heads that neither an earlier training nor this run has trained."""
    notes: list[str] = field(default_factory=list)
    """Notes for the user: heads of the MODEL that are left out, and heads that start untrained."""


def make_model(
    options: PretrainOptions,
    tokenizer: PreTrainedTokenizerBase,
    counts: npt.NDArray[np.int64],
    *,
    attention: str,
    size: str | None = None,
    extension: Extension | None = None,
) -> ModelSetup:
    """Make the model of a run, from scratch or from the MODEL of `--from`.

    Args:
        counts: int64 of [vocabulary], how often each id occurs in the training part.
        size: the size of a model from scratch.
        extension: the words that the tokenizer has beyond that of the MODEL.

    Raises OptionError or ModelError if tokenizer or positions do not fit the model.
    """
    torch.manual_seed(options.seed)
    setup = (
        _continued(options, tokenizer, attention=attention, extension=extension)
        if options.from_ is not None
        else _fresh(options, tokenizer, size=options.size or size, attention=attention)
    )
    model = setup.model
    _check_rows(model, tokenizer, options.from_)
    if setup.fresh_mlm_head and options.objective != "nsp":
        start_from_frequencies(model, counts)
        setup.choices.append(AutomaticChoice("output bias", "log frequency", "the MLM head starts at the unigram loss"))
    positions = model.config.max_position_embeddings
    if options.sequence_length > positions:
        raise OptionError(
            f"--sequence-length: found {options.sequence_length}, expected at most {positions}, the number of "
            "positions of the model" + ("" if options.from_ else ". Try: a higher --max-positions")
        )
    if options.dropout is not None:
        setup.dropout = options.dropout
    elif options.overfit_one_batch:
        setup.choices.append(AutomaticChoice("dropout", "0", "so that the model can memorise one batch"))
    elif options.from_ is None:
        reason = "from scratch; for many passes over a small text try --dropout 0.1"
        setup.choices.append(AutomaticChoice("dropout", "0", reason))
    else:
        setup.dropout = float(model.config.hidden_dropout_prob)
        setup.choices.append(AutomaticChoice("dropout", str(setup.dropout), "the model's own"))
    if options.dropout is not None or options.overfit_one_batch or options.from_ is None:
        set_dropout(model, setup.dropout)
    if options.gradient_checkpointing:
        model.activation_checkpointing_enable()
    _freeze_unused_heads(model, options.objective)
    _choose_learning_rate(setup, options)
    return setup


def _fresh(
    options: PretrainOptions, tokenizer: PreTrainedTokenizerBase, *, size: str | None, attention: str
) -> ModelSetup:
    shape = bert_shape(
        size or DEFAULT_SIZE,
        layers=options.layers,
        hidden_size=options.hidden_size,
        attention_heads=options.attention_heads,
        intermediate_size=options.intermediate_size,
        max_positions=options.max_positions,
    )
    config = make_config(shape, len(tokenizer), int(tokenizer.pad_token_id))
    setup = ModelSetup(
        BertForPreTraining._from_config(config, attn_implementation=attention),
        untrained_heads=untrained_heads(options.objective),
    )
    if options.initial_values != "random":
        start_from_neighbours(setup.model)
        reason = "half of the attention heads start by attending to a neighbouring token"
        setup.choices.append(AutomaticChoice("initial values", "neighbours", reason))
    return setup


def _continued(
    options: PretrainOptions, tokenizer: PreTrainedTokenizerBase, *, attention: str, extension: Extension | None
) -> ModelSetup:
    assert options.from_ is not None
    loaded = load_bert(options.from_, attn_implementation=attention)
    forget_head(loaded.model.config)
    forget_labels(loaded.model.config)
    rows = loaded.model.config.vocab_size
    needed = extension.base_vocab_size if extension is not None else len(tokenizer)
    if rows < needed:
        without = " without the new words" if extension is not None else ""
        raise ModelError(
            f"{options.from_}: its embeddings have {rows:,} rows, but the tokenizer of {options.store} has {needed:,} "
            f"entries{without}. Try: bertsmith prepare SOURCE --out STORE --tokenizer {options.from_}"
        )
    fresh = []
    if not loaded.has_mlm_head and options.objective != "nsp":
        fresh.append("masked language modelling")
    if not loaded.has_nsp_head and options.objective != "mlm":
        fresh.append(f"{'sentence order' if options.objective == 'mlm+sop' else 'next sentence'} prediction")
    model, choices = loaded.model, []
    if options.layers is not None:
        total = model.config.num_hidden_layers
        model = with_fewer_layers(model, options.layers)
        layers = ", ".join(map(str, evenly_spaced(total, options.layers)))
        choices.append(
            AutomaticChoice("layers", layers, f"--layers {options.layers} of {total} (0 is the first), evenly spaced")
        )
    if extension is not None:
        choices.append(_add_words(model, extension))
    notes = _head_notes(options.from_, loaded, fresh)
    had: dict[Head, bool] = {"mlm": loaded.has_mlm_head, "nsp": loaded.has_nsp_head}
    untrained = untrained_heads(options.objective, tuple(head for head, here in had.items() if here))
    return ModelSetup(model, choices, fresh_mlm_head=not loaded.has_mlm_head, untrained_heads=untrained, notes=notes)


def _head_notes(name: str, loaded: LoadedBert, fresh: list[str]) -> list[str]:
    """Return notes about heads and other parts of a MODEL that are left out, and about untrained heads."""
    heads = [part for part in loaded.left_out if not part.startswith(("bert.", "cls."))]
    parts = [part for part in loaded.left_out if part not in heads]
    notes = []
    if heads:
        reason = "it is not a head" if len(heads) == 1 else "they are not heads"
        notes.append(f"{name}: {_listed(heads)} left out; {reason} of pre-training")
    if parts:
        reason = "it has" if len(parts) == 1 else "they have"
        notes.append(f"{name}: {_listed(parts)} left out; {reason} no place in the model that config.json describes")
    return notes + [f"{name} has no head for {head}: this head starts untrained" for head in fresh]


def _listed(names: list[str]) -> str:
    """Return "a is", "a and b are", or "a, b and c are"."""
    return f"{names[0]} is" if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]} are"


def _add_words(model: BertForPreTraining, extension: Extension) -> AutomaticChoice:
    """Add rows for the new words of an extension to a model."""
    unknown = extension.unknown_id
    pieces = [word.pieces for word in extension.added]
    extend_vocabulary(model, pieces, first=extension.base_vocab_size, unknown=unknown)
    reason = "each starts at the mean of its old pieces"
    were_unknown = pieces.count((unknown,))
    if were_unknown:
        reason += f"; {were_unknown:,} that were unknown start at the mean of all vectors"
    return AutomaticChoice("new words", f"{len(pieces):,}", reason)


def _check_rows(model: BertForPreTraining, tokenizer: PreTrainedTokenizerBase, name: str | None) -> None:
    """Raise ModelError if parts of the model differ in their number of rows, or have too few for the tokenizer."""
    rows = vocabulary_rows(model)
    needed = embedding_rows(tokenizer.get_vocab())
    if len(set(rows.values())) != 1 or min(rows.values()) < needed:
        found = ", ".join(f"{part}: {number:,}" for part, number in rows.items())
        raise ModelError(
            f"{name or 'the model'}: its parts do not fit the vocabulary: found {found} entries, expected the same "
            f"number everywhere, and at least the {needed:,} of the tokenizer. Try: save the model again with "
            "the config.json of its weights"
        )


def _freeze_unused_heads(model: BertForPreTraining, objective: str) -> None:
    """Freeze heads without a loss: DistributedDataParallel takes a weight without a gradient for an error."""
    unused: list[torch.nn.Module] = []
    if objective == "mlm":
        unused = [model.cls.seq_relationship] + ([model.bert.pooler] if model.bert.pooler is not None else [])
    elif objective == "nsp":
        unused = [model.cls.predictions.transform]
        model.cls.predictions.bias.requires_grad_(False)
        model.cls.predictions.decoder.bias.requires_grad_(False)
    for module in unused:
        module.requires_grad_(False)


def _choose_learning_rate(setup: ModelSetup, options: PretrainOptions) -> None:
    if options.learning_rate is not None:
        setup.learning_rate = options.learning_rate
        return
    width = setup.model.config.hidden_size
    rate = 1e-3 * (min(2.0, max(1.0, 256 / width)) if width <= 512 else (512 / width) ** 1.5)
    reason = f"1e-3 for a width of 256 to 512, higher below, lower above; this model has {width}"
    if options.from_ is not None:
        rate *= 0.3
        reason += "; three tenths of that for continued pre-training"
    setup.learning_rate = float(f"{rate:.2g}")
    setup.choices.append(AutomaticChoice("learning rate", f"{setup.learning_rate:g}", reason))
