"""A head over many texts: sorted by length, in flat memory, answers in the order of the texts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from bertsmith.runtime.computing import computing
from bertsmith.runtime.console import Progress
from bertsmith.tasks.batching import TOKENS_A_BATCH, by_length
from bertsmith.tasks.sequence_classification import Encoded, padded


def batches(
    encoded: Encoded, model_config: object, pad_token_id: int, device: str, budget: int = TOKENS_A_BATCH
) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """The numbers of the texts of each batch, and the batch on the device."""
    with_types = getattr(model_config, "type_vocab_size", 0) > 1
    for numbers in by_length(encoded.lengths, budget):
        batch = padded(encoded, numbers, pad_token_id, with_types=with_types)
        yield numbers, {name: value.to(device) for name, value in batch.items()}


@torch.inference_mode()
def head_logits(
    model: nn.Module,
    encoded: Encoded,
    pad_token_id: int,
    *,
    precision: str = "fp32",
    budget: int = TOKENS_A_BATCH,
    bar: Progress | None = None,
) -> npt.NDArray[np.float32]:
    """float32 of [texts, labels]. The model is in evaluation mode meanwhile, and as it was afterwards."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device.type
    logits: npt.NDArray[np.float32] | None = None
    done = 0
    for numbers, batch in batches(encoded, model.config, pad_token_id, device, budget):
        with computing(precision, device):
            output = model(**batch).logits.float().cpu().numpy()
        if logits is None:
            logits = np.zeros((len(encoded), output.shape[1]), dtype=np.float32)
        logits[numbers] = output
        done += len(numbers)
        if bar is not None:
            bar.update(done, total=len(encoded))
    model.train(was_training)
    assert logits is not None, "a labelled file has at least one row"
    return logits
