"""The NSP head on the vector of [CLS]."""

from __future__ import annotations

from torch import Tensor

from bertsmith.errors import ModelError
from bertsmith.models.loaded_models import LoadedModels


class NextSentenceLogits:
    """The NSP head of a MODEL. Raises ModelError if the MODEL has no trained NSP head."""

    def __init__(self, models: LoadedModels) -> None:
        name, kind = models.name, models.config.model_type
        if kind != "bert":
            raise ModelError(f"{name}: found a {kind} model, expected a BERT model, which has an NSP head")
        if not models.bert.has_nsp_head:
            raise ModelError(
                f"{name}: has no trained NSP head. Try: bertsmith pretrain STORE --from {name} --objective mlm+nsp"
            )
        self.models = models

    def __call__(self, batch: dict[str, Tensor]) -> Tensor:
        """Return the logits: float of [pairs, 2], index 0 is IsNext."""
        logits: Tensor = self.models.bert.model.cls.seq_relationship(self.models.encoder(**batch).pooler_output)
        return logits


FORWARD = NextSentenceLogits
