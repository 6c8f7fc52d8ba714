"""The MLM head on the masked positions only, so that no logits are computed for the other tokens of a text."""

from __future__ import annotations

from torch import Tensor

from bertsmith.errors import ModelError
from bertsmith.models.loaded_models import LoadedModels


class MaskedPositions:
    """The MLM head of a MODEL. Raises ModelError if it has none that was trained."""

    def __init__(self, models: LoadedModels) -> None:
        self.models = models
        self.of_bert = models.config.model_type == "bert"
        if not self.of_bert:
            models.auto("AutoModelForMaskedLM", "MLM head")
        elif not models.bert.has_mlm_head:
            raise ModelError(
                f"{models.name}: has no trained MLM head; bertsmith pretrain STORE --from {models.name} trains one"
            )

    def __call__(self, batch: dict[str, Tensor], *, mask_token_id: int) -> Tensor:
        """float of [masks, vocabulary]: the masks of the first text, then those of the next."""
        rows, columns = (batch["input_ids"] == mask_token_id).nonzero(as_tuple=True)
        if self.of_bert:
            hidden = self.models.encoder(**batch).last_hidden_state[rows, columns]
            logits: Tensor = self.models.bert.model.cls.predictions(hidden)
            return logits
        every: Tensor = self.models.auto("AutoModelForMaskedLM", "MLM head")(**batch).logits
        return every[rows, columns]


FORWARD = MaskedPositions
