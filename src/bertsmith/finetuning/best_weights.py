"""The best weights of a training so far, by the main metric of its task on the dev file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bertsmith.runtime.files import read_json, write_json

WEIGHTS, FACTS = "best.safetensors", "best.json"


class BestWeights:
    """Remembers the weights of the first evaluation with the highest value, in memory and with each checkpoint.

    Attributes:
        value, step: of that evaluation; minus infinity and 0 before the first.
        chosen: what the head settled on the dev file at the same time (`tasks.base.Task.with_tuned_thresholds`).
        without_gain: evaluations since then.
    """

    def __init__(self) -> None:
        self.value, self.step, self.without_gain = float("-inf"), 0, 0
        self.weights: dict[str, Tensor] = {}
        self.chosen: Mapping[str, Any] = {}

    def consider(self, model: nn.Module, value: float, *, step: int, chosen: Mapping[str, Any]) -> None:
        """An evaluation after `step` updates reached this value; NaN is never better."""
        if value > self.value:
            self.value, self.step, self.without_gain, self.chosen = value, step, 0, chosen
            self.weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        else:
            self.without_gain += 1

    def restore_into(self, model: nn.Module) -> None:
        """Put the weights back."""
        model.load_state_dict(self.weights)

    def save(self, folder: Path) -> None:
        """Write them into the folder of a checkpoint."""
        if self.weights:
            save_file({name: tensor.contiguous() for name, tensor in self.weights.items()}, folder / WEIGHTS)
        facts: dict[str, Any] = {"step": self.step, "without_gain": self.without_gain, "chosen": self.chosen}
        write_json(folder / FACTS, facts | ({"value": self.value} if self.weights else {}))

    def load(self, folder: Path) -> None:
        """Take up what `save` wrote."""
        facts = read_json(folder / FACTS)
        self.step, self.without_gain, self.chosen = facts["step"], facts["without_gain"], facts["chosen"]
        if "value" in facts:
            self.value, self.weights = facts["value"], load_file(folder / WEIGHTS)
