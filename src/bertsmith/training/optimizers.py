"""Optimizers: AdamW, and Muon on the hidden matrices with AdamW on the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from bertsmith.models.fast.compute_weights import count_updates
from bertsmith.training.training_plan import Optimization

BETAS = (0.9, 0.98)
EPSILON = 1e-6


def make_optimizer(model: nn.Module, settings: Optimization) -> Optimizer:
    """Return the optimizer of a model. Biases and LayerNorm get no weight decay, as in the original BERT."""
    trainable = [(key, parameter) for key, parameter in model.named_parameters() if parameter.requires_grad]
    optimizer = MuonWithAdamW(trainable, settings) if settings.optimizer == "muon" else _adamw(trainable, settings)
    count_updates(optimizer, [parameter for _, parameter in trainable])
    return optimizer


def _adamw(named: Iterable[tuple[str, nn.Parameter]], settings: Optimization) -> AdamW:
    grouped: defaultdict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for key, parameter in named:
        undecayed = key.endswith("bias") or "norm" in key.lower()
        rate = settings.learning_rate * (1.0 if settings.rate_share is None else settings.rate_share(key))
        grouped[rate, 0.0 if undecayed else settings.weight_decay].append(parameter)
    groups = [{"params": found, "lr": rate, "weight_decay": decay} for (rate, decay), found in grouped.items()]
    return AdamW(groups, lr=settings.learning_rate, betas=BETAS, eps=EPSILON, fused=True)


class MuonWithAdamW(Optimizer):
    """Muon (Jordan et al. 2024) for the matrices of the encoder's layers, AdamW for all other weights.

    Muon's updates are scaled to the size of AdamW's (Liu et al. 2025, "Muon is Scalable", section 2.2), so both use the
    same learning rate. Its orthogonalisation runs in bfloat16, so the way a batch is split changes the result more than
    with AdamW.
    """

    def __init__(self, named: list[tuple[str, nn.Parameter]], settings: Optimization) -> None:
        matrices = [parameter for key, parameter in named if ".layer." in key and parameter.ndim == 2]
        by_muon = {id(parameter) for parameter in matrices}
        rest = [(key, parameter) for key, parameter in named if id(parameter) not in by_muon]
        super().__init__([parameter for _, parameter in named], {})
        self.muon = torch.optim.Muon(
            matrices,
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            adjust_lr_fn="match_rms_adamw",
        )
        self.adamw = _adamw(rest, settings)
        self.param_groups = [*self.muon.param_groups, *self.adamw.param_groups]

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Make one update with both optimizers."""
        self.muon.step()
        self.adamw.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the states of both optimizers."""
        return {"muon": self.muon.state_dict(), "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the states of both optimizers."""
        self.muon.load_state_dict(state_dict["muon"])
        self.adamw.load_state_dict(state_dict["adamw"])
        self.param_groups = [*self.muon.param_groups, *self.adamw.param_groups]
