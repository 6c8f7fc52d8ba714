"""Run a model on many texts, in batches of similar length and constant memory; results are in the order of the texts.

Tasks use NumPy arrays. This module converts them to tensors on a device, and model outputs back to arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bertsmith.runtime.computing import computing
from bertsmith.runtime.console import Progress
from bertsmith.tasks.base import AnyTask
from bertsmith.tasks.batching import TOKENS_PER_BATCH, length_sorted_batches
from bertsmith.tasks.encoded_texts import EncodedTexts, padded
from bertsmith.tasks.values import Array, Inputs, ModelOutputs


def tensors(arrays: Mapping[str, Array], device: str = "cpu") -> dict[str, Tensor]:
    """Convert the arrays of a batch to tensors on a device."""
    return {name: torch.from_numpy(np.ascontiguousarray(values)).to(device) for name, values in arrays.items()}


def arrays(output: Mapping[str, Any]) -> ModelOutputs:
    """Convert the tensors in a model's output to float32 arrays."""
    return {name: value.float().cpu().numpy() for name, value in output.items() if isinstance(value, Tensor)}


def batches(
    encoded: EncodedTexts, model_config: object, pad_token_id: int, device: str, budget: int = TOKENS_PER_BATCH
) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """Yield the text indices of each batch, and the batch on the device."""
    with_types = getattr(model_config, "type_vocab_size", 0) > 1
    for numbers in length_sorted_batches(encoded.lengths, budget):
        yield numbers, tensors(padded(encoded, numbers, pad_token_id, with_types=with_types), device)


def head_outputs(
    task: AnyTask,
    model: nn.Module,
    inputs: Inputs,
    pad_token_id: int,
    *,
    precision: str = "fp32",
    budget: int = TOKENS_PER_BATCH,
    bar: Progress | None = None,
) -> Any:
    """Return the outputs of a task's head, by example. The model is in evaluation mode during the call."""
    return task.gather_outputs(
        extracted_rows(
            task,
            task.extract_outputs,
            model,
            inputs=inputs,
            pad_token_id=pad_token_id,
            precision=precision,
            budget=budget,
            bar=bar,
        ),
        inputs,
    )


@torch.inference_mode()
def extracted_rows(
    task: AnyTask,
    extract_outputs: Callable[[ModelOutputs, Any, Sequence[int]], Iterable[Any]],
    model: Any,
    *,
    inputs: Inputs,
    pad_token_id: int,
    precision: str,
    budget: int,
    bar: Progress | None,
) -> list[Any]:
    """Return what `extract_outputs` takes from the model's output for each row; mode as in `head_outputs`."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device.type
    with_types = getattr(model.config, "type_vocab_size", 0) > 1
    lengths = inputs.lengths
    kept: list[Any] = [None] * len(lengths)
    done = 0
    for rows in length_sorted_batches(lengths, budget):
        batch = tensors(task.batch(inputs, rows, pad_token_id, with_types=with_types), device)
        with computing(precision, device):
            output = arrays(model(**batch))
        for row, item in zip(rows, extract_outputs(output, inputs, rows), strict=True):
            kept[row] = item
        done += len(rows)
        if bar is not None:
            bar.update(done, total=len(lengths))
    model.train(was_training)
    return kept
