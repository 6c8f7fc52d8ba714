"""The Predictor: a MODEL in use.

    model = bertsmith.load("runs/books")
    model.fill_mask("I really [MASK] the movie.", top_k=5)

Each verb of a task is a method, which is `predict.py` in the task's folder. Each part of the model is loaded when it is
first asked for. Texts are sorted by length and batched by a budget of tokens. Answers equal stock transformers' in
float32 (to rounding).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from types import MethodType
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from bertsmith.errors import ModelError, OptionError
from bertsmith.inference.batched import batches, head_outputs, kept_rows
from bertsmith.inference.input_length import input_length
from bertsmith.inference.results import Tokenized
from bertsmith.inference.tokenizing import tokenize_text
from bertsmith.models.loaded_models import LoadedModels
from bertsmith.models.loading import check_model, load_config, max_tokens
from bertsmith.models.model_tokenizer import load_model_tokenizer
from bertsmith.runtime.computing import computing
from bertsmith.runtime.console import Progress, log_info, warn
from bertsmith.runtime.machine import choose_device, choose_precision, prepare_process
from bertsmith.tasks.base import AnyTask, task_class
from bertsmith.tasks.batching import TOKENS_A_BATCH
from bertsmith.tasks.encoded_texts import Encoded, encode
from bertsmith.tasks.model_config import INPUT_LENGTH, has_head
from bertsmith.tasks.registry import TASKS, trainable_tasks, verbs
from bertsmith.tasks.runner import Forward
from bertsmith.tasks.text_checks import check_texts, warn_truncated
from bertsmith.tasks.values import Inputs, Logits

PRECISIONS = ("auto", "bf16", "fp32")
ValueType = TypeVar("ValueType")


class Predictor:
    """A MODEL and everything that it can answer. Made by `bertsmith.load`.

    The verbs of the tasks, such as `classify`, are its methods; `dir(model)` lists them.
    """

    def __init__(self, model: str, *, precision: str = "fp32") -> None:
        """Check a MODEL and load its tokenizer. Raises ModelError if it is none."""
        if precision not in PRECISIONS:
            raise OptionError(f"precision: found {precision!r}, expected auto, bf16 or fp32")
        self.name = check_model(model)
        self.config: Any = load_config(model)
        self.tokenizer: PreTrainedTokenizerBase = load_model_tokenizer(model)
        prepare_process()
        self.device = choose_device().value
        self.precision = choose_precision(precision, self.device).value
        self.max_length = max_tokens(self.config)
        self._models = LoadedModels(self.name, self.config, self.device)
        self._made: dict[str, Any] = {}

    def __getattr__(self, name: str) -> MethodType:
        """The verb of a task as a method."""
        entry = verbs().get(name.replace("_", "-"))
        if entry is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return MethodType(getattr(entry.module("predict"), name), self)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(verb.replace("-", "_") for verb in verbs())]

    def tokenize(self, text: str) -> Tokenized:
        """The pieces of a text and the three tensors that a model takes, as lists."""
        check_texts("tokenize", [text])
        return tokenize_text(self.tokenizer, text)

    @torch.inference_mode()
    def hidden_states(self, text: str, layer: int = -1) -> Tensor:
        """float32 of [1, tokens, hidden size]: the vectors of a text's tokens, [CLS] and [SEP] included.

        `layer` 0 is the embeddings, -1 the last (`last_hidden_state` of stock's BertModel).
        """
        check_texts("hidden-states", [text])
        encoded = encode(self.tokenizer, [text], None, self.max_length)
        warn_truncated(encoded, self.max_length)
        _, batch = next(self._batches(encoded))
        with self._computing():
            return self._models.hidden(batch, layer).cpu()

    # What the tasks use (`tasks.runner`)

    def task(self, name: str) -> AnyTask:
        """The TASK of this name with the MODEL's labels. Raises ModelError if the MODEL has no such head."""
        self._with_head(task_class(name))
        return task_class(name).for_model(self.config, None, self.name)

    def row_length(self, task: str, asked: int | None) -> int:
        """Tokens per row for a task, by `input_length`; printed if config.json does not say it.

        Raises OptionError for a length that the model does not take.
        """
        length, reason = input_length(self.name, self.config, task, asked=asked)
        if asked is None and getattr(self.config, INPUT_LENGTH, None) is None:
            note = f"{self.name}: rows of at most {length} tokens ({reason}); --max-length sets a different length"
            self.once(f"length of {task}", partial(log_info, note))
        return length

    def head_outputs(
        self, head: AnyTask, inputs: Inputs, *, budget: int = TOKENS_A_BATCH, bar: Progress | None = None
    ) -> Any:
        """The outputs of a head that is the model's own, by examples; `budget` is in tokens per batch."""
        model, pad = self._with_head(type(head)), int(self.tokenizer.pad_token_id)
        return head_outputs(head, model, inputs, pad, precision=self.precision, budget=budget, bar=bar)

    def head_logits(
        self, head: AnyTask, inputs: Inputs, *, budget: int = TOKENS_A_BATCH, bar: Progress | None = None
    ) -> Sequence[Logits]:
        """What a student learns from a head that is the model's own, in the form of `Task.gather_logits`."""
        model, pad = self._with_head(type(head)), int(self.tokenizer.pad_token_id)
        kept = kept_rows(
            head, head.logits, model, inputs=inputs, pad_token_id=pad, precision=self.precision, budget=budget, bar=bar
        )
        return head.gather_logits(kept, inputs)

    def forward(self, task: str) -> Forward:
        """The FORWARD of a task on batches of encoded texts. Raises ModelError if the MODEL lacks what it needs."""
        run = self.once(f"forward of {task}", lambda: TASKS[task].module("head").FORWARD(self._models))

        def outputs(encoded: Encoded, **settings: Any) -> Iterator[tuple[list[int], npt.NDArray[np.float32]]]:
            for numbers, batch in self._batches(encoded):
                with torch.inference_mode(), self._computing():
                    output = run(batch, **settings)
                yield numbers, output.float().cpu().numpy()

        return outputs

    def doubts(self, head: str) -> list[str] | None:
        """Why not to rely on a pre-training head (`mlm`, `nsp`); printed the first time. None if nothing is known."""
        if self.config.model_type != "bert" or head not in self._models.bert.doubts:
            return None
        doubt = f"{self.name}: {self._models.bert.doubts[head]}"
        self.once(doubt, partial(warn, doubt))
        return [doubt]

    def once(self, key: str, make: Callable[[], ValueType]) -> ValueType:
        """The value that `make` returned when this key was first asked for."""
        if key not in self._made:
            self._made[key] = make()
        value: ValueType = self._made[key]
        return value

    # The backend

    def _with_head(self, head: type[AnyTask]) -> nn.Module:
        """The model with a head of the task, which must be its own."""
        task = next(name for name in trainable_tasks() if task_class(name) is head)
        if not has_head(self.config, task):
            architectures = ", ".join(self.config.architectures or []) or "bare encoder"
            raise ModelError(
                f"{self.name}: has no {head.called} (it is a {architectures}); "
                f"bertsmith finetune {task} --model {self.name} makes one"
            )
        return self._models.auto(head.auto_class, head.called)

    def _batches(self, encoded: Encoded) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
        return batches(encoded, self.config, int(self.tokenizer.pad_token_id), self.device)

    def _computing(self) -> AbstractContextManager[Any]:
        return computing(self.precision, self.device)
