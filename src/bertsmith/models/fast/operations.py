"""The operations of a layer, each one autograd function that computes with copies of the weights (`compute_weights`).

Rows are the tokens of a micro-batch: [batch * length, hidden]. Activations and their gradients have the type of the
copies, gradients of weights that of the weights.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

from bertsmith.models.fast.dropout import BITS, drop, drop_

_BLOCK = 16
"""oneDNN's bfloat16 products work on blocks of this many rows."""


def affine(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return rows @ weight.T + bias. oneDNN adds the bias within the product; `addmm` copies it to every row first."""
    if rows.device.type == "cpu" and rows.dtype in BITS and torch.backends.mkldnn.is_available():
        result: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
        return result
    return torch.addmm(bias, rows, weight.t())


def _weight_and_bias_gradients(gradient: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return gradient.T @ rows, which may be transposed in memory, and the sum of the gradient's rows.

    oneDNN's bfloat16 products take twice as long if the left side is transposed; copying the narrower side to a
    transposed matrix first takes less. If that side is `rows`, appended ones make the sum another row of the product.
    """
    outer, inner = gradient.shape[1], rows.shape[1]
    if rows.device.type != "cpu" or rows.dtype != torch.bfloat16 or outer == inner:
        return gradient.t() @ rows, gradient.sum(0)
    if outer < inner:
        return gradient.t().contiguous() @ rows, gradient.sum(0)
    left = rows.new_empty(inner + _BLOCK, len(rows))
    left[:inner] = rows.t()
    left[inner:] = 1
    product = left @ gradient
    return product[:inner].t(), product[inner]


class Linear(Function):
    """One or several linear layers with the same input, in one product; their outputs are concatenated."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor, *parameters: Tensor) -> Tensor:
        """Compute the outputs; `weight` and `bias` are copies of `parameters`: all weights, then all biases."""
        ctx.save_for_backward(rows, weight)
        ctx.dtype, ctx.sizes = parameters[0].dtype, [len(weight) for weight in parameters[: len(parameters) // 2]]
        return affine(rows, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """Return the gradients of the rows and of the parameters."""
        rows, weight = ctx.saved_tensors
        grad_rows = gradient @ weight if ctx.needs_input_grad[0] else None
        grad_parameters: list[Tensor | None] = [None] * (2 * len(ctx.sizes))
        if any(ctx.needs_input_grad[3:]):
            grad_weights, grad_biases = (
                joined.to(ctx.dtype, memory_format=torch.contiguous_format)
                for joined in _weight_and_bias_gradients(gradient, rows)
            )
            grad_parameters = [*grad_weights.split(ctx.sizes), *grad_biases.split(ctx.sizes)]
        return grad_rows, None, None, *grad_parameters


class AddAndNorm(Function):
    """LayerNorm(residual + dropout(rows))."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, residual: Tensor, weight: Tensor, bias: Tensor, epsilon: float, mask: Tensor | None,
        scale: float,
    ) -> Tensor:  # fmt: skip
        """Compute the output; `mask` is that of dropout, or None, and kept values are multiplied by `scale`."""
        ctx.scale, ctx.dtype = scale, weight.dtype
        total = torch.add(residual, rows if mask is None else drop(rows, mask), alpha=ctx.scale)
        if rows.device.type != "cpu":  # CUDA's kernel needs operands of the same type
            weight, bias = weight.to(rows.dtype), bias.to(rows.dtype)
        normal, mean, deviation = torch.native_layer_norm(total, weight.shape, weight, bias, epsilon)
        ctx.save_for_backward(total, mean, deviation, weight, bias, mask)
        return normal

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """Return the gradients of rows, residual, weight and bias."""
        total, mean, deviation, weight, bias, mask = ctx.saved_tensors
        grad_total, grad_weight, grad_bias = torch.ops.aten.native_layer_norm_backward(
            gradient.contiguous(), total, weight.shape, mean, deviation, weight, bias, [True, True, True]
        )
        grad_rows = grad_total if mask is None else drop(grad_total, mask).mul_(ctx.scale)
        return grad_rows, grad_total, grad_weight.to(ctx.dtype), grad_bias.to(ctx.dtype), None, None, None


class Attention(Function):
    """softmax(Q K.T / sqrt(width) + bias) V of all heads, with dropout of the probabilities, as batched products."""

    @staticmethod
    def forward(
        ctx: Any, projected: Tensor, bias: Tensor | None, heads: int, mask: Tensor | None, scale: float
    ) -> Tensor:
        """Return the contexts, [batch, length, hidden].

        Args:
            projected: [batch, length, 3 * hidden], query, key and value.
            bias: added to the scores, [batch, 1, 1, length]; None without padding.
            mask: the dropout mask of the probabilities, [batch * heads, length, length]; None without dropout.
            scale: factor for the probabilities that dropout keeps.
        """
        batch, length, triple = projected.shape
        width = triple // 3 // heads
        ctx.shape = (batch, heads, length, width)
        ctx.scale, ctx.dropout_scale = 1 / math.sqrt(width), scale
        parts = projected.view(batch, length, 3, heads, width).permute(2, 0, 3, 1, 4).contiguous()
        query, key, value = parts.view(3, batch * heads, length, width).unbind(0)
        query.mul_(ctx.scale)
        scores = torch.bmm(query, key.transpose(1, 2))
        if bias is not None:
            scores.view(batch, heads, length, length).add_(bias)
        torch.softmax(scores, -1, out=scores)
        if mask is not None:
            value.mul_(ctx.dropout_scale)
        context = torch.bmm(scores if mask is None else drop(scores, mask), value)
        ctx.save_for_backward(query, key, value, scores, mask)
        return context.view(ctx.shape).transpose(1, 2).reshape(batch, length, heads * width)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """Return the gradient of `projected`."""
        query, key, value, probabilities, mask = ctx.saved_tensors
        batch, heads, length, width = ctx.shape
        gradient = gradient.view(batch, length, heads, width).transpose(1, 2).reshape(query.shape)
        parts = gradient.new_empty(3, *query.shape)
        grad_query, grad_key, grad_value = parts.unbind(0)
        torch.bmm(
            (probabilities if mask is None else drop(probabilities, mask)).transpose(1, 2), gradient, out=grad_value
        )
        grad_probabilities = torch.bmm(gradient, value.transpose(1, 2))
        if mask is not None:
            grad_value.mul_(ctx.dropout_scale)
            drop_(grad_probabilities, mask)
        grad_scores = torch.ops.aten._softmax_backward_data(grad_probabilities, probabilities, -1, probabilities.dtype)
        torch.bmm(grad_scores, key, out=grad_query)
        grad_query.mul_(ctx.scale)
        torch.bmm(grad_scores.transpose(1, 2), query, out=grad_key)
        joined = parts.view(3, *ctx.shape).permute(1, 3, 0, 2, 4)
        return joined.reshape(batch, length, 3 * heads * width), None, None, None, None


class Dropout(Function):
    """Dropout by a mask (`fast.dropout`)."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, mask: Tensor, scale: float) -> Tensor:
        """Return the kept values, scaled."""
        ctx.save_for_backward(mask)
        ctx.scale = scale
        return drop(values, mask).mul_(scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """Return the gradient of the values."""
        (mask,) = ctx.saved_tensors
        return drop(gradient.contiguous(), mask).mul_(ctx.scale), None, None
