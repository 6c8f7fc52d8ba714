"""What a BERT from scratch begins with, where random values would cost it thousands of updates.

The values stand in a stock BERT: no key and no operation is new, and training may keep or change them. What each of
them gives is measured in benchmarks/notes.md.
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
"""Radians a token of the first and the last wave of the position embeddings: from 2 to 628 tokens long."""

POSITIONS = 2.0
"""Standard deviation of the position embeddings over that of the word embeddings."""

SCORE = 4.0
"""What query and key together multiply the product of two positions with, for heads of 64."""


@torch.no_grad()
def start_from_frequencies(model: BertForPreTraining, counts: npt.NDArray[np.int64]) -> None:
    """Let a fresh MLM head begin with what is known: its bias is the log of each id's smoothed frequency.

    A head that begins at zero spends its first updates on the frequencies, and drags all (tied) word embeddings into
    one direction on the way; for a hundred updates the model then says the same for every input. With the bias set
    it begins at the unigram loss and learns from context at once (docs/architecture.md).

    Args:
        counts: int64 of [vocabulary], how often each id occurs in the training part.
    """
    bias = model.cls.predictions.bias
    smoothed = torch.ones(len(bias), dtype=torch.float64)
    smoothed[: len(counts)] += torch.from_numpy(counts)
    bias.copy_((smoothed / smoothed.sum()).log())


@torch.no_grad()
def start_from_neighbours(model: BertForPreTraining) -> None:
    """Let half of the heads begin by looking at one neighbour each: the token before, the one behind, two before...

    A BERT that is drawn at random (Devlin et al. 2019) attends to all tokens alike. Until heads have found by chance
    which places matter, it learns frequencies and copies, and its loss stands still for some ten million tokens. What
    is found in the end is known: many heads attend to the token before or behind (Clark et al. 2019, "What Does BERT
    Look At?", section 3.1). So they begin there. The other half looks at everything, as what [CLS] gathers of a text
    needs: with all heads on neighbours a model of few updates could hardly be fine-tuned. A layer with one head has its
    neighbour; with an odd number of neighbours sides change from layer to layer.

    The position embeddings become sines and cosines, among which a shift is a rotation (Vaswani et al. 2017, section
    3.5). They hold each wave twice. The query of a head reads the first copies and rotates them by its offset, the key
    reads the second ones: their product is highest where key - query is the offset, and words, in which the two places
    have nothing to do with each other, add nothing to it. (With one copy a token would look at itself, which is what
    is most like it.) All of it is added to the random values of query and key; values and outputs have these alone.
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
            _look_at(offset, queries[head], keys[head], frequencies)


def neighbours(layer: int, heads: int) -> list[int]:
    """The offsets that the first heads of a layer look at."""
    return [(head // 2 + 1) * (1 if (head + layer) % 2 else -1) for head in range(max(1, heads // 2))]


def _look_at(offset: int, query: Tensor, key: Tensor, frequencies: Tensor) -> None:
    """Add to query and key of a head, both [width, hidden], what finds the token at an offset by some of the waves."""
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
