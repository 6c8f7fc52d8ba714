"""A model over many texts: sorted by length, in flat memory, answers in the order of the texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bertsmith.runtime.computing import computing
from bertsmith.runtime.console import Progress
from bertsmith.tasks.base import AnyHead, Inputs
from bertsmith.tasks.batching import TOKENS_A_BATCH, by_length
from bertsmith.tasks.encoded_texts import Encoded, padded


def batches(
    encoded: Encoded, model_config: object, pad_token_id: int, device: str, budget: int = TOKENS_A_BATCH
) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """The numbers of the texts of each batch, and the batch on the device."""
    with_types = getattr(model_config, "type_vocab_size", 0) > 1
    for numbers in by_length(encoded.lengths, budget):
        batch = padded(encoded, numbers, pad_token_id, with_types=with_types)
        yield numbers, {name: value.to(device) for name, value in batch.items()}


def head_outputs(
    head: AnyHead,
    model: nn.Module,
    inputs: Inputs,
    pad_token_id: int,
    *,
    precision: str = "fp32",
    budget: int = TOKENS_A_BATCH,
    bar: Progress | None = None,
) -> Any:
    """The head's outputs, by examples. The model is in evaluation mode meanwhile, and as it was afterwards."""
    return head.join(
        kept_rows(head, head.keep, model, inputs, pad_token_id, precision=precision, budget=budget, bar=bar), inputs
    )


@torch.inference_mode()
def kept_rows(
    head: AnyHead,
    keep: Callable[[Any, Any, Sequence[int]], Iterable[Any]],
    model: Any,
    inputs: Inputs,
    pad_token_id: int,
    *,
    precision: str,
    budget: int,
    bar: Progress | None,
) -> list[Any]:
    """What `keep` takes of the model's output for each row; of the mode as `head_outputs`."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device.type
    with_types = getattr(model.config, "type_vocab_size", 0) > 1
    lengths = inputs.lengths
    kept: list[Any] = [None] * len(lengths)
    done = 0
    for rows in by_length(lengths, budget):
        batch = head.batch(inputs, rows, pad_token_id, with_types=with_types)
        with computing(precision, device):
            output = model(**{name: value.to(device) for name, value in batch.items()})
        for row, item in zip(rows, keep(output, inputs, rows), strict=True):
            kept[row] = item
        done += len(rows)
        if bar is not None:
            bar.update(done, total=len(lengths))
    model.train(was_training)
    return kept
