"""One vector per text, pooled on the device, so that token vectors are not copied to the CPU."""

from __future__ import annotations

from torch import Tensor

from bertsmith.models.loaded_models import LoadedModels
from bertsmith.models.pooling import pooled


class TextVectors:
    """The encoder of a MODEL, and the pooling of its vectors."""

    def __init__(self, models: LoadedModels) -> None:
        self.models = models

    def __call__(self, batch: dict[str, Tensor], *, layer: int, pooling: str) -> Tensor:
        """Return the vectors: float32 of [texts, hidden size]."""
        return pooled(self.models.hidden(batch, layer), batch["attention_mask"], pooling)


FORWARD = TextVectors
