"""Both ends of the model, which share the word embeddings: the sum of the embeddings, and the decoder with its loss.

The embeddings come first in the forward pass and last in the backward pass. So the decoder passes its dense gradient
on, and the embeddings add their few rows to it: one matrix of the vocabulary's size instead of two and their sum.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable
from torch.nn import functional

from bertsmith.models.fast.operations import affine

IGNORED = -100
"""The label of a prediction without loss, as in torch."""


class SharedGradient:
    """Passes the gradient of the shared weight from the decoder to the embeddings."""

    def __init__(self) -> None:
        self.gradient: Tensor | None = None
        self.awaited = False
        """Whether the embeddings took part in this forward pass, so that they will fetch the gradient."""
        self.sparse_rows = False
        """Whether the embeddings return a sparse gradient if the decoder left none: only the rows that were read, with
        repetitions, for the caller to add up."""

    def fetch(self) -> Tensor | None:
        """Return the decoder's gradient and forget it; None if there is none."""
        gradient, self.gradient = self.gradient, None
        return gradient


class EmbeddingSum(Function):
    """Word + type + position embeddings of each token."""

    @staticmethod
    def forward(
        ctx: Any, words: Tensor, types: Tensor, positions: Tensor, ids: Tensor, type_ids: Tensor, shared: SharedGradient
    ) -> Tensor:
        """Return [batch, length, hidden] in the type of the weights; `ids` and `type_ids` are [batch, length]."""
        ctx.save_for_backward(ids, type_ids)
        ctx.shared, ctx.shapes = shared, (words.shape, types.shape, positions.shape)
        total = functional.embedding(ids, words)
        total += functional.embedding(type_ids, types)
        total += positions[: ids.shape[1]]
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """Return the gradients of the three weights; that of the words can be sparse (`SharedGradient`)."""
        ids, type_ids = ctx.saved_tensors
        words, types, positions = ctx.shapes
        rows = gradient.flatten(0, 1)
        grad_words = grad_types = grad_positions = None
        if ctx.needs_input_grad[0]:
            dense = ctx.shared.fetch()
            if dense is None and ctx.shared.sparse_rows:
                grad_words = torch.sparse_coo_tensor(ids.reshape(1, -1), rows, words, check_invariants=False)
            else:
                grad_words = (gradient.new_zeros(words) if dense is None else dense).index_add_(0, ids.flatten(), rows)
        if ctx.needs_input_grad[1]:
            grad_types = functional.one_hot(type_ids.flatten(), types[0]).to(rows.dtype).t() @ rows
        if ctx.needs_input_grad[2]:
            grad_positions = gradient.new_zeros(positions)
            grad_positions[: ids.shape[1]] = gradient.sum(0)
        return grad_words, grad_types, grad_positions, None, None, None


class DecoderLoss(Function):
    """The summed cross-entropy over the vocabulary; the logits become their own gradient in place."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, labels: Tensor, weight: Tensor, bias: Tensor, words: Tensor, biases: Tensor,
        shared: SharedGradient,
    ) -> Tensor:  # fmt: skip
        """Return the sum in nats, float32; the label -100 is ignored.

        Args:
            rows: [predictions, hidden].
            weight, bias: copies of `words` and `biases`, padded to a multiple of VOCABULARY_BLOCK entries.
        """
        logits = affine(rows, weight, bias)
        ignored = (labels == IGNORED).nonzero()[:, 0]
        chosen = torch.arange(len(rows), device=rows.device), labels.clamp(min=0)
        torch.softmax(logits, -1, out=logits)
        probabilities = logits[chosen]
        # A probability below the smallest float32 counts as that number: its loss is 87 nats.
        nats = -probabilities.float().clamp(min=torch.finfo(torch.float32).tiny).log()
        logits[chosen] = probabilities - 1  # scatter_add_ would copy the whole matrix
        if len(ignored):
            logits.index_fill_(0, ignored, 0)
            nats.index_fill_(0, ignored, 0)
        ctx.save_for_backward(rows, weight, logits)
        ctx.shared, ctx.entries, ctx.dtype = shared, len(words), words.dtype
        ctx.passes_on, shared.awaited = shared.awaited, False
        return nats.sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """Return the gradients of rows and bias, and of the shared weight unless it is passed on to the embeddings."""
        rows, weight, grad_logits = ctx.saved_tensors
        scale = gradient.to(rows.dtype)
        grad_rows = (grad_logits @ weight).mul_(scale)
        grad_words = grad_biases = None
        if ctx.needs_input_grad[4]:
            grad_words = (grad_logits.t() @ (rows * scale))[: ctx.entries].to(ctx.dtype)
            if ctx.passes_on:
                ctx.shared.gradient, grad_words = grad_words, None
        if ctx.needs_input_grad[5]:
            grad_biases = (scale.expand(1, len(rows)) @ grad_logits)[0, : ctx.entries].to(ctx.dtype)
        return grad_rows, None, None, None, grad_words, grad_biases, None
