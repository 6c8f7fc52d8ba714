"""The Predictor: a loaded MODEL with a method per verb.

    model = bertsmith.load("runs/books")
    model.fill_mask("I really [MASK] the movie.", top_k=5)

The methods are the functions in the `predict.py` of each task's folder. Each part of the model is loaded on first use.
Texts are sorted by length and batched within a budget of tokens. In float32, answers equal those of stock transformers
up to rounding.
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
from bertsmith.inference.head_outputs import batches, extracted_rows, head_outputs
from bertsmith.inference.input_length import input_length
from bertsmith.inference.results import Tokenized
from bertsmith.inference.tokenizing import tokenize_text
from bertsmith.models.loaded_models import LoadedModels
from bertsmith.models.loading import check_model, load_config, max_tokens
from bertsmith.models.model_tokenizer import load_model_tokenizer
from bertsmith.runtime.computing import computing
from bertsmith.runtime.console import Progress, log_detail, warn
from bertsmith.runtime.machine import choose_device, choose_precision, prepare_process
from bertsmith.tasks.base import AnyTask, task_class
from bertsmith.tasks.batching import TOKENS_PER_BATCH
from bertsmith.tasks.encoded_texts import EncodedTexts, encode_texts
from bertsmith.tasks.model_config import INPUT_LENGTH, has_head
from bertsmith.tasks.registry import TASKS, task_verbs, trainable_tasks
from bertsmith.tasks.runner import Forward
from bertsmith.tasks.text_checks import check_texts, warn_truncated
from bertsmith.tasks.values import Inputs, Logits

PRECISIONS = ("auto", "bf16", "fp32")
ValueType = TypeVar("ValueType")


class Predictor:
    """A loaded MODEL. Create it with `bertsmith.load`.

    The verbs of the tasks, such as `classify`, are its methods; `dir(model)` lists them.
    """

    def __init__(self, model: str, *, precision: str = "fp32") -> None:
        """Check a MODEL and load its tokenizer. Raises ModelError if `model` is not a MODEL."""
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
        self._created: dict[str, Any] = {}

    def __getattr__(self, name: str) -> MethodType:
        """Return the verb of a task as a method."""
        entry = task_verbs().get(name.replace("_", "-"))
        if entry is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return MethodType(getattr(entry.module("predict"), name), self)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(verb.replace("-", "_") for verb in task_verbs())]

    def tokenize(self, text: str) -> Tokenized:
        """Return the tokens of a text and the three model inputs, as lists."""
        check_texts("tokenize", [text])
        return tokenize_text(self.tokenizer, text)

    @torch.inference_mode()
    def hidden_states(self, text: str, layer: int = -1) -> Tensor:
        """Return the vectors of a text's tokens, including [CLS] and [SEP]: float32 of [1, tokens, hidden size].

        Layer 0 is the embeddings, -1 the last layer (`last_hidden_state` of the stock BertModel).
        """
        check_texts("hidden-states", [text])
        encoded = encode_texts(self.tokenizer, [text], None, self.max_length)
        warn_truncated(encoded, self.max_length)
        _, batch = next(self._batches(encoded))
        with self._computing():
            return self._models.hidden(batch, layer).cpu()

    # The interface for tasks (`tasks.runner`)

    def task(self, name: str) -> AnyTask:
        """Return the TASK with this name and the MODEL's labels. Raises ModelError if the MODEL has no such head."""
        self._with_head(task_class(name))
        return task_class(name).for_model(self.config, None, self.name)

    def row_length(self, task: str, requested: int | None) -> int:
        """Return the tokens per row for a task (`input_length`); printed if config.json does not have them.

        Raises OptionError for a length that the model does not allow.
        """
        length, reason = input_length(self.name, self.config, task, requested=requested)
        if requested is None and getattr(self.config, INPUT_LENGTH, None) is None:
            note = f"{self.name}: reading at most {length} tokens per row ({reason}); --max-length changes this"
            self.get_or_create(f"length of {task}", partial(log_detail, note))
        return length

    def head_outputs(
        self, head: AnyTask, inputs: Inputs, *, budget: int = TOKENS_PER_BATCH, bar: Progress | None = None
    ) -> Any:
        """Return the outputs of the model's head, by example; `budget` is in tokens per batch."""
        model, pad = self._with_head(type(head)), int(self.tokenizer.pad_token_id)
        return head_outputs(head, model, inputs, pad, precision=self.precision, budget=budget, bar=bar)

    def head_logits(
        self, head: AnyTask, inputs: Inputs, *, budget: int = TOKENS_PER_BATCH, bar: Progress | None = None
    ) -> Sequence[Logits]:
        """Return the logits of the model's head that a student learns, as `Task.gather_logits` returns them."""
        model, pad = self._with_head(type(head)), int(self.tokenizer.pad_token_id)
        kept = extracted_rows(
            head, head.logits, model, inputs=inputs, pad_token_id=pad, precision=self.precision, budget=budget, bar=bar
        )
        return head.gather_logits(kept, inputs)

    def forward(self, task: str) -> Forward:
        """Return a function that runs the FORWARD of a task in batches. Raises ModelError if the MODEL lacks a part."""
        run = self.get_or_create(f"forward of {task}", lambda: TASKS[task].module("head").FORWARD(self._models))

        def outputs(encoded: EncodedTexts, **settings: Any) -> Iterator[tuple[list[int], npt.NDArray[np.float32]]]:
            for numbers, batch in self._batches(encoded):
                with torch.inference_mode(), self._computing():
                    output = run(batch, **settings)
                yield numbers, output.float().cpu().numpy()

        return outputs

    def head_warnings(self, head: str) -> list[str] | None:
        """Return reasons not to rely on a pre-training head (`mlm`, `nsp`), or None; printed the first time."""
        if self.config.model_type != "bert" or head not in self._models.bert.doubts:
            return None
        doubt = f"{self.name}: {self._models.bert.doubts[head]}"
        self.get_or_create(doubt, partial(warn, doubt))
        return [doubt]

    def get_or_create(self, key: str, make: Callable[[], ValueType]) -> ValueType:
        """Return the value for this key; the first call creates it with `make`."""
        if key not in self._created:
            self._created[key] = make()
        value: ValueType = self._created[key]
        return value

    # The backend

    def _with_head(self, head: type[AnyTask]) -> nn.Module:
        """Return the model with the head of a task. Raises ModelError if the MODEL has no such head."""
        task = next(name for name in trainable_tasks() if task_class(name) is head)
        if not has_head(self.config, task):
            architectures = ", ".join(self.config.architectures or []) or "bare encoder"
            raise ModelError(
                f"{self.name}: has no {head.head_name} (it is a {architectures}). "
                f"Try: bertsmith finetune {task} --model {self.name}"
            )
        return self._models.auto(head.auto_class, head.head_name)

    def _batches(self, encoded: EncodedTexts) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
        return batches(encoded, self.config, int(self.tokenizer.pad_token_id), self.device)

    def _computing(self) -> AbstractContextManager[Any]:
        return computing(self.precision, self.device)
