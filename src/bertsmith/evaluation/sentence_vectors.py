"""The similarity of a model's sentence vectors to each other (`metrics.anisotropy`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from bertsmith.inference.head_outputs import batches
from bertsmith.metrics.anisotropy import anisotropy, mean_cosine
from bertsmith.models.bert import BertForPreTraining
from bertsmith.models.pooling import pooled
from bertsmith.objectives.masks import Vocabulary
from bertsmith.runtime.computing import computing
from bertsmith.runtime.console import Progress
from bertsmith.tasks.encoded_texts import EncodedTexts

SENTENCES = 1_000
"""Maximum number of sentences that are compared pairwise."""
POOLINGS = ("mean", "cls")


@torch.inference_mode()
def sentence_vectors(
    model: BertForPreTraining,
    vocabulary: Vocabulary,
    sentences: Sequence[Sequence[int]],
    *,
    max_length: int,
    precision: str = "fp32",
    bar: Progress | None = None,
) -> dict[str, Any] | None:
    """Return the similarity of sentence vectors as JSON; None for fewer than two sentences.

    `sentences` in the JSON is their number. `mean` and `cls` have the metrics for the last layer with these poolings
    (as in `embed`). `by_layer` has the mean cosine for both poolings per `layer`; layer 0 is the embeddings. The model
    is in evaluation mode during the call; its mode is restored afterwards.

    Args:
        sentences: ids without special tokens.
        max_length: tokens per row; longer sentences are cut.
    """
    if len(sentences) < 2:
        return None
    was_training = model.training
    model.eval()
    rows = [[vocabulary.cls, *ids[: max_length - 2], vocabulary.sep] for ids in sentences]
    encoded = EncodedTexts(rows, [[0] * len(row) for row in rows], [0] * len(rows))
    device = next(model.parameters()).device
    layers, size = int(model.config.num_hidden_layers) + 1, int(model.config.hidden_size)
    vectors = {pooling: np.zeros((layers, len(rows), size), np.float32) for pooling in POOLINGS}
    done = 0
    for numbers, batch in batches(encoded, model.config, vocabulary.pad, str(device)):
        with computing(precision, device.type):
            output = model.bert(**batch, output_hidden_states=True)
        for layer, hidden in enumerate(output.hidden_states):
            for pooling in POOLINGS:
                found = pooled(hidden.float(), batch["attention_mask"], pooling)
                vectors[pooling][layer, numbers] = found.cpu().numpy()
        done += len(numbers)
        if bar is not None:
            bar.update(done, total=len(rows))
    model.train(was_training)
    by_layer = [
        {"layer": layer, **{pooling: mean_cosine(vectors[pooling][layer]) for pooling in POOLINGS}}
        for layer in range(layers)
    ]
    return {
        "sentences": len(rows),
        **{pooling: anisotropy(vectors[pooling][-1]).to_dict() for pooling in POOLINGS},
        "by_layer": by_layer,
    }
