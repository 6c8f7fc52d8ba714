"""The MODEL that a training starts from, checked before any file is read or written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bertsmith.errors import OptionError
from bertsmith.finetuning.head_model import meta_model
from bertsmith.finetuning.options import HeadTrainingOptions
from bertsmith.finetuning.trainable_parameters import TrainableParameters
from bertsmith.inference.input_length import check_length
from bertsmith.models.loading import load_config, max_tokens
from bertsmith.models.model_tokenizer import load_model_tokenizer
from bertsmith.runtime import processes
from bertsmith.tasks.base import task_class
from bertsmith.tasks.registry import TASKS


@dataclass(frozen=True)
class StartingModel:
    """A MODEL without its weights.

    Attributes:
        config: its configuration.
        max_length: tokens per row in training.
    """

    config: Any
    tokenizer: Any
    max_length: int

    @property
    def pad(self) -> int:
        """The id of the padding token."""
        return int(self.tokenizer.pad_token_id)


def starting_model(options: HeadTrainingOptions, name: str, task: str) -> StartingModel:
    """Load configuration and tokenizer of a MODEL. Raises OptionError or ModelError if the options do not fit it."""
    if processes.world_size() > 1:
        raise OptionError(
            "finetune runs in one process. Try: leave out torchrun; to use several processes, start one command per "
            "process, each with a different --seed and --out"
        )
    config = load_config(name)
    tokenizer = load_model_tokenizer(name)
    limit = max_tokens(config)
    if options.max_length is not None:
        check_length(options.max_length, config)
    layers = options.layers or config.num_hidden_layers
    if (options.freeze_layers or 0) > layers:
        raise OptionError(
            f"--freeze-layers: found {options.freeze_layers}, expected at most {layers} (the layers of the model)"
        )
    parts = TrainableParameters.of(options)
    if not parts.is_full_finetuning:  # checks the options; any labels will do
        meta_model(name, task_class(task)(("0", "1")), parts)
    return StartingModel(config, tokenizer, options.max_length or min(TASKS[task].max_length, limit))
