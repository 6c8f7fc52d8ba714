"""Both ends of the model, which share the word embeddings: the sum of the embeddings, and the decoder with its loss.

The embeddings are the first to compute and the last to get their gradient, so the decoder leaves its dense gradient
with them, and they add their few rows to it: one matrix of the vocabulary's size instead of two and their sum.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable
from torch.nn import functional

from bertsmith.models.fast.operations import affine

IGNORED = -100
"""The label of a prediction that does not count, as in torch."""


class SharedGradient:
    """The decoder's gradient on its way to the embeddings."""

    def __init__(self) -> None:
        self.gradient: Tensor | None = None
        self.awaited = False
        """Whether the embeddings took part in this forward pass, so that they will fetch it."""
        self.rows_alone = False
        """Whether the embeddings give the gradients of the rows that they read alone (a sparse tensor, rows may stand
        in it several times) where no dense one was left: someone else adds them up."""

    def fetch(self) -> Tensor | None:
        """The gradient, if one was left; it is handed over."""
        gradient, self.gradient = self.gradient, None
        return gradient


class EmbeddingSum(Function):
    """word + type + position embeddings of each token."""

    @staticmethod
    def forward(
        ctx: Any, words: Tensor, types: Tensor, positions: Tensor, ids: Tensor, type_ids: Tensor, shared: SharedGradient
    ) -> Tensor:
        """[batch, length, hidden], in the weights' type; `ids` and `type_ids` are [batch, length]."""
        ctx.save_for_backward(ids, type_ids)
        ctx.shared, ctx.shapes = shared, (words.shape, types.shape, positions.shape)
        total = functional.embedding(ids, words)
        total += functional.embedding(type_ids, types)
        total += positions[: ids.shape[1]]
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """Gradients of the three weights; that of the words is sparse where rows alone are wanted."""
        ids, type_ids = ctx.saved_tensors
        words, types, positions = ctx.shapes
        rows = gradient.flatten(0, 1)
        of_words = of_types = of_positions = None
        if ctx.needs_input_grad[0]:
            left = ctx.shared.fetch()
            if left is None and ctx.shared.rows_alone:
                of_words = torch.sparse_coo_tensor(ids.reshape(1, -1), rows, words, check_invariants=False)
            else:
                of_words = (gradient.new_zeros(words) if left is None else left).index_add_(0, ids.flatten(), rows)
        if ctx.needs_input_grad[1]:
            of_types = functional.one_hot(type_ids.flatten(), types[0]).to(rows.dtype).t() @ rows
        if ctx.needs_input_grad[2]:
            of_positions = gradient.new_zeros(positions)
            of_positions[: ids.shape[1]] = gradient.sum(0)
        return of_words, of_types, of_positions, None, None, None


class DecoderLoss(Function):
    """The summed cross-entropy over the vocabulary; the logits become their own gradient in place."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, labels: Tensor, weight: Tensor, bias: Tensor, words: Tensor, offsets: Tensor,
        shared: SharedGradient,
    ) -> Tensor:  # fmt: skip
        """The sum in nats, float32; a label of -100 is ignored.

        Args:
            rows: [predictions, hidden].
            weight, bias: working copies of `words` and `offsets` with at least as many entries.
        """
        logits = affine(rows, weight, bias)
        ignored = (labels == IGNORED).nonzero()[:, 0]
        chosen = torch.arange(len(rows), device=rows.device), labels.clamp(min=0)
        torch.softmax(logits, -1, out=logits)
        shares = logits[chosen]
        # A share below the smallest number stands for that: its loss is 87 nats, its gradient that of any such share.
        nats = -shares.float().clamp(min=torch.finfo(torch.float32).tiny).log()
        logits[chosen] = shares - 1  # scatter_add_ copies the whole matrix
        if len(ignored):
            logits.index_fill_(0, ignored, 0)
            nats.index_fill_(0, ignored, 0)
        ctx.save_for_backward(rows, weight, logits)
        ctx.shared, ctx.entries, ctx.dtype = shared, len(words), words.dtype
        ctx.leaves, shared.awaited = shared.awaited, False
        return nats.sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """Gradients of the rows, of the shared weight where the embeddings do not fetch it, and of the bias."""
        rows, weight, of_logits = ctx.saved_tensors
        scale = gradient.to(rows.dtype)
        of_rows = (of_logits @ weight).mul_(scale)
        of_words = of_offsets = None
        if ctx.needs_input_grad[4]:
            of_words = (of_logits.t() @ (rows * scale))[: ctx.entries].to(ctx.dtype)
            if ctx.leaves:
                ctx.shared.gradient, of_words = of_words, None
        if ctx.needs_input_grad[5]:
            of_offsets = (scale.expand(1, len(rows)) @ of_logits)[0, : ctx.entries].to(ctx.dtype)
        return of_rows, None, None, None, of_words, of_offsets, None
