"""Initial values of a BERT from scratch that save the thousands of updates which random values would need.

The model stays a stock BERT: no key and no operation is new, and training may keep or change the values. Measurements
are in benchmarks/notes.md.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bertsmith.models.bert import BertForPreTraining

FASTEST, SLOWEST = 3.0, 0.01
"""Radians per token of the first and last wave of the position embeddings: wavelengths of 2 to 628 tokens."""

POSITIONS = 2.0
"""Standard deviation of the position embeddings, relative to the word embeddings."""

SCORE = 4.0
"""Factor of query and key together on the product of two positions, for heads of size 64."""


@torch.no_grad()
def start_from_frequencies(model: BertForPreTraining, counts: npt.NDArray[np.int64]) -> None:
    """Set the bias of a new MLM head to the log of each id's smoothed frequency.

    A head whose bias starts at zero spends its first updates on the frequencies and drags all (tied) word embeddings
    into one direction; for about a hundred updates the model then predicts the same for every input. With this bias
    training starts at the unigram loss and learns from context at once (docs/architecture.md).

    Args:
        counts: int64 of [vocabulary], the count of each id in the training part.
    """
    bias = model.cls.predictions.bias
    smoothed = torch.ones(len(bias), dtype=torch.float64)
    smoothed[: len(counts)] += torch.from_numpy(counts)
    bias.copy_((smoothed / smoothed.sum()).log())


@torch.no_grad()
def start_from_neighbours(model: BertForPreTraining) -> None:
    """Let half of the heads start by attending to one neighbour each: one token before, one after, two before, ...

    A randomly initialized BERT (Devlin et al. 2019) attends to all tokens alike. Until its heads find useful positions
    by chance, it learns only frequencies and copying, and the loss hardly changes for some ten million tokens. Trained
    models have many heads that attend to the previous or next token (Clark et al. 2019, "What Does BERT Look At?",
    section 3.1), so half of the heads start there. The other half attends to everything, because [CLS] has to collect
    the whole text: with all heads on neighbours, a briefly trained model can hardly be fine-tuned. In a layer with one
    head, this head attends to a neighbour. With an odd number of such heads, the side alternates from layer to layer.

    The position embeddings become sines and cosines, where a shift is a rotation (Vaswani et al. 2017, section 3.5).
    They hold each wave twice. The query of a head reads the first copies and rotates them by its offset; the key reads
    the second copies. Their product is highest where key - query equals the offset. Words add nothing to it, because
    the two halves of a word vector are unrelated. (With one copy, a token would attend to itself, the most similar
    token.) All this is added to the random values of query and key; the value and output projections stay random.
    """
    deviation = model.config.initializer_range
    positions = model.bert.embeddings.position_embeddings.weight
    count = positions.shape[1] // 4
    if count == 0:
        return
    frequencies = torch.logspace(math.log10(FASTEST), math.log10(SLOWEST), count)
    angles = torch.arange(len(positions))[:, None] * frequencies
    waves = torch.cat([angles.sin(), angles.cos()], dim=1) * POSITIONS * deviation * math.sqrt(2)
    positions[:, : 4 * count] = waves.repeat(1, 2)
    layers: Any = model.bert.encoder.layer
    for number, layer in enumerate(layers):
        attention: Any = layer.attention.self
        heads = int(attention.num_attention_heads)
        queries, keys = (part.weight.view(heads, -1, part.in_features) for part in (attention.query, attention.key))
        for head, offset in enumerate(neighbours(number, heads)):
            _attend_to(offset, queries[head], keys[head], frequencies)


def neighbours(layer: int, heads: int) -> list[int]:
    """Return the offsets that the first heads of a layer attend to."""
    return [(head // 2 + 1) * (1 if (head + layer) % 2 else -1) for head in range(max(1, heads // 2))]


def _attend_to(offset: int, query: Tensor, key: Tensor, frequencies: Tensor) -> None:
    """Add weights to query and key of a head, both [width, hidden], so that it attends to the token at an offset."""
    count, half = len(frequencies), len(query) // 2
    waves = torch.linspace(0, count - 1, half).round().long()
    sines, cosines = waves, waves + count
    first, second = torch.arange(half), torch.arange(half, 2 * half)
    scale = math.sqrt(SCORE * math.sqrt(64 / len(query)))
    angles = frequencies[waves] * offset
    along, across = angles.cos() * scale, angles.sin() * scale
    query[first, sines] += along
    query[first, cosines] += across
    query[second, cosines] += along
    query[second, sines] -= across
    key[first, 2 * count + sines] += scale
    key[second, 2 * count + cosines] += scale
