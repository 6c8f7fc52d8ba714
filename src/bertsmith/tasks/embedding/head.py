"""The vectors of a text's tokens, of any layer, to one vector of the text: on the device, so that only it is copied."""

from __future__ import annotations

from torch import Tensor

from bertsmith.errors import InputError
from bertsmith.models.loaded_models import LoadedModels


def pooled(hidden: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """float32 of [texts, hidden size]: the mean or maximum over the tokens ([CLS] and [SEP] included), or [CLS].

    Args:
        hidden: float32 of [texts, length, hidden size].
        mask: int64 of [texts, length], 0 where there is padding.
    """
    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "max":
        return hidden.masked_fill(mask[:, :, None] == 0, float("-inf")).amax(1)
    if pooling == "mean":
        weights = mask[:, :, None].to(hidden.dtype)
        return (hidden * weights).sum(1) / weights.sum(1)
    raise InputError(f"pooling: found {pooling!r}, expected mean, cls or max")


class TextVectors:
    """The encoder of a MODEL, and the pooling of its vectors."""

    def __init__(self, models: LoadedModels) -> None:
        self.models = models

    def __call__(self, batch: dict[str, Tensor], *, layer: int, pooling: str) -> Tensor:
        """float32 of [texts, hidden size]."""
        return pooled(self.models.hidden(batch, layer), batch["attention_mask"], pooling)


FORWARD = TextVectors
