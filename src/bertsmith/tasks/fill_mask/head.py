"""The MLM head at masked positions only: no logits are computed for the other tokens of a text."""

from __future__ import annotations

from torch import Tensor

from bertsmith.errors import ModelError
from bertsmith.models.loaded_models import LoadedModels


class MaskedPositions:
    """The MLM head of a MODEL. Raises ModelError if the MODEL has no trained MLM head."""

    def __init__(self, models: LoadedModels) -> None:
        self.models = models
        self.is_bert = models.config.model_type == "bert"
        if not self.is_bert:
            models.auto("AutoModelForMaskedLM", "MLM head")
        elif not models.bert.has_mlm_head:
            raise ModelError(
                f"{models.name}: has no trained MLM head. Try: bertsmith pretrain STORE --from {models.name}"
            )

    def __call__(self, batch: dict[str, Tensor], *, mask_token_id: int) -> Tensor:
        """Return the logits of all masks, text by text: float of [masks, vocabulary]."""
        rows, columns = (batch["input_ids"] == mask_token_id).nonzero(as_tuple=True)
        if self.is_bert:
            hidden = self.models.encoder(**batch).last_hidden_state[rows, columns]
            logits: Tensor = self.models.bert.model.cls.predictions(hidden)
            return logits
        every: Tensor = self.models.auto("AutoModelForMaskedLM", "MLM head")(**batch).logits
        return every[rows, columns]


FORWARD = MaskedPositions
