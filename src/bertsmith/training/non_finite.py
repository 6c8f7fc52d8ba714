"""A loss or gradient that is not finite ends the run before it reaches the weights; the error names the examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from bertsmith.errors import DivergedError
from bertsmith.runtime import processes
from bertsmith.runtime.computing import computing
from bertsmith.training.micro_batches import MicroBatchDataset
from bertsmith.training.training_plan import Losses
from bertsmith.training.update_sampler import Update

MAX_NAMED_EXAMPLES = 4


def check_finite(
    step: int, losses: Mapping[str, float], gradient_norm: float, *, name_examples: Callable[[], str]
) -> None:
    """Raise DivergedError if a loss or the gradient norm of update `step` is not finite.

    Args:
        losses, gradient_norm: of the whole update, the same in all processes.
        name_examples: called in all processes if the update is not finite.
    """
    if not all(map(math.isfinite, (gradient_norm, *losses.values()))):
        raise DivergedError(
            f"update {step}: the loss is not finite ({dict(losses)}, gradient norm {gradient_norm}), "
            f"in {name_examples()}. The last checkpoint is kept. Try: a lower --learning-rate, or --precision fp32"
        )


def name_non_finite_examples(
    dataset: MicroBatchDataset, update: Update, shares: Sequence[Tensor], *, is_finite: Callable[[int], bool]
) -> str:
    """Name the examples whose losses are not finite, or all examples of the update if only the gradient is not.

    Args:
        shares: the losses of each micro-batch of this process.
        is_finite: whether an example has finite losses when it is computed without the others, given its number.
    """
    divided = dataset.divide(update)
    suspects = [
        number
        for numbers, share in zip(divided, shares, strict=True)
        if not share.isfinite().all()
        for number in numbers
    ]
    culprits = [number for number in suspects if not is_finite(number)] or suspects

    def describe(numbers: Sequence[int]) -> list[str]:
        return [dataset.describe(update.phase, number) for number in numbers]

    names = [name for found in processes.gather_objects(describe(culprits)) for name in found]
    if not names:
        names = describe([number for numbers in divided for number in numbers])
    shown, more = names[:MAX_NAMED_EXAMPLES], len(names) - MAX_NAMED_EXAMPLES
    intro = "this example: " if len(names) == 1 else "one of these examples: "
    return intro + "; ".join(shown) + (f"; and {more:,} more" if more > 0 else "")


def has_finite_losses(
    model: nn.Module, losses: Losses, inputs: Mapping[str, Tensor], *, precision: str, device: str
) -> bool:
    """Return whether all losses of a batch are finite."""
    on_device = {name: value.to(device) for name, value in inputs.items()}
    with torch.no_grad(), computing(precision, device):
        return bool(losses.sums(model, on_device).isfinite().all())
