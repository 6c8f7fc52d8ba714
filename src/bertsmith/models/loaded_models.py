"""The torch modules of one MODEL, each loaded on first use."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from torch import Tensor, nn

from bertsmith.errors import InputError
from bertsmith.models.loading import LoadedBert, load_auto, load_bert, on_device


class LoadedModels:
    """The modules of a MODEL on a device."""

    def __init__(self, name: str, config: Any, device: str) -> None:
        self.name, self.config, self.device = name, config, device
        self._by_class: dict[str, nn.Module] = {}

    @cached_property
    def bert(self) -> LoadedBert:
        """The MODEL as a BERT with its pre-training heads. Raises ModelError for a different architecture."""
        loaded = load_bert(self.name)
        on_device(loaded.model, self.device)
        return loaded

    def auto(self, auto_class: str, called: str) -> nn.Module:
        """Return the model loaded with one of transformers' Auto classes; `called` names its head in messages."""
        if auto_class not in self._by_class:
            self._by_class[auto_class] = load_auto(self.name, auto_class, called).to(self.device)
        return self._by_class[auto_class]

    @property
    def encoder(self) -> nn.Module:
        """The encoder; shared with `bert` if the MODEL is a BERT."""
        return self.bert.model.bert if self.config.model_type == "bert" else self.auto("AutoModel", "encoder")

    def hidden(self, batch: dict[str, Tensor], layer: int) -> Tensor:
        """Return float32 of [texts, length, hidden size]; layer 0 is the embeddings, -1 the last layer."""
        count = int(self.config.num_hidden_layers)
        if not -count - 1 <= layer <= count:
            raise InputError(f"--layer: found {layer}, expected 0 (the embeddings) to {count}, or -{count + 1} to -1")
        hidden: Tensor = self.encoder(**batch, output_hidden_states=True).hidden_states[layer]
        return hidden.float()
