"""What a BERT from scratch begins with, where random values would cost it thousands of updates.

The values stand in a stock BERT: no key and no operation is new, and training may keep or change them. What each of
them gives is measured in benchmarks/notes.md.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bertsmith.models.bert import BertForPreTraining

LONGEST_WAVE = 10_000.0
"""The ratio of the longest wave of the position embeddings to the shortest one (Vaswani et al. 2017, section 3.5)."""

LONGEST_COMPARED = 100.0
"""The same for the waves by which a head finds a place: the longest of them is 628 tokens."""

POSITIONS = 2.0
"""Standard deviation of the position embeddings over that of the word embeddings."""

SCORE = 2.0
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
    """Let every head begin by looking at one neighbour: the token before, the one behind, two before, two behind...

    A BERT that is drawn at random (Devlin et al. 2019) attends to all tokens alike. Until heads have found by chance
    which places matter, it learns frequencies and copies, and its loss stands still for some ten million tokens. What
    is found in the end is known: many heads attend to the token before or behind (Clark et al. 2019, "What Does BERT
    Look At?", section 3.1). So they begin there.

    The position embeddings become sines and cosines, among which a shift is a rotation (Vaswani et al. 2017, section
    3.5). The query of a head rotates positions by its offset and the key leaves them, so that their product is highest
    where key - query is the offset; both keep their random values beside that, values and outputs have nothing else.
    """
    deviation = model.config.initializer_range
    positions = model.bert.embeddings.position_embeddings.weight
    frequencies = LONGEST_WAVE ** -torch.linspace(0, 1, positions.shape[1] // 2 + 1)[:-1]
    angles = torch.arange(len(positions))[:, None] * frequencies
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)
    positions[:, : waves.shape[1]] = waves * POSITIONS * deviation * math.sqrt(2)
    for layer in model.bert.encoder.layer:
        attention = layer.attention.self
        heads = attention.num_attention_heads
        queries, keys = (part.weight.view(heads, -1, part.in_features) for part in (attention.query, attention.key))
        for head in range(heads):
            offset = (head // 2 + 1) * (1 if head % 2 else -1)
            _look_at(offset, queries[head], keys[head], frequencies)


def _look_at(offset: int, query: Tensor, key: Tensor, frequencies: Tensor) -> None:
    """Add to query and key of a head, both [width, hidden], what finds the token at an offset by some of the waves."""
    sines, width = len(frequencies), len(query) // 2
    compared = int((frequencies >= 1 / LONGEST_COMPARED).sum())
    waves = torch.linspace(0, compared - 1, width).round().long()
    first, second = torch.arange(width), torch.arange(width, 2 * width)
    scale = math.sqrt(SCORE * 8 / math.sqrt(len(query)))
    angles = frequencies[waves] * offset
    cosine, sine = angles.cos() * scale, angles.sin() * scale
    query[first, waves] += cosine
    query[first, sines + waves] += sine
    query[second, sines + waves] += cosine
    query[second, waves] -= sine
    key[first, waves] += scale
    key[second, sines + waves] += scale
