"""The operations of a layer, each one autograd function over working copies of its weights.

Rows are the tokens of a micro-batch: [batch * length, hidden]. Activations and their gradients have the type of the
working copies, gradients of weights that of the weights.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

from bertsmith.models.fast.dropout import BITS, drop, drop_

_BLOCK = 16
"""Rows of a matrix come in multiples of this in oneDNN's bfloat16 products."""


def affine(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """rows @ weight.T + bias. oneDNN adds the bias within the product; `addmm` copies it to every row before."""
    if rows.device.type == "cpu" and rows.dtype in BITS and torch.backends.mkldnn.is_available():
        result: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
        return result
    return torch.addmm(bias, rows, weight.t())


def _of_weight_and_bias(gradient: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """gradient.T @ rows, which may lie transposed in memory, and the sum of the gradient's rows.

    oneDNN's bfloat16 products with a transposed left side take twice the time of those without, more than it takes to
    transpose the narrower side before. Where that is `rows`, ones below them make the sum another row of the product.
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
    """The rows through one or several linear layers at once, whose outputs stand side by side."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor, *parameters: Tensor) -> Tensor:
        """Args: `weight` and `bias` are the working copies of `parameters`, all weights and then all biases."""
        ctx.save_for_backward(rows, weight)
        ctx.dtype, ctx.parts = parameters[0].dtype, [len(part) for part in parameters[: len(parameters) // 2]]
        return affine(rows, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """Gradients of the rows and of the parameters."""
        rows, weight = ctx.saved_tensors
        of_rows = gradient @ weight if ctx.needs_input_grad[0] else None
        of_parameters: list[Tensor | None] = [None] * (2 * len(ctx.parts))
        if any(ctx.needs_input_grad[3:]):
            of_weights, of_biases = (
                part.to(ctx.dtype, memory_format=torch.contiguous_format)
                for part in _of_weight_and_bias(gradient, rows)
            )
            of_parameters = [*of_weights.split(ctx.parts), *of_biases.split(ctx.parts)]
        return of_rows, None, None, *of_parameters


class AddAndNorm(Function):
    """LayerNorm(residual + dropout(rows))."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, residual: Tensor, weight: Tensor, bias: Tensor, epsilon: float, mask: Tensor | None,
        scale: float,
    ) -> Tensor:  # fmt: skip
        """Args: `mask` is what dropout keeps, None where there is none, and `scale` what it is multiplied by."""
        ctx.scale, ctx.dtype = scale, weight.dtype
        total = torch.add(residual, rows if mask is None else drop(rows, mask), alpha=ctx.scale)
        if rows.device.type != "cpu":  # where all operands of the kernel have one type
            weight, bias = weight.to(rows.dtype), bias.to(rows.dtype)
        normal, mean, deviation = torch.native_layer_norm(total, weight.shape, weight, bias, epsilon)
        ctx.save_for_backward(total, mean, deviation, weight, bias, mask)
        return normal

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """Gradients of rows, residual, weight and bias."""
        total, mean, deviation, weight, bias, mask = ctx.saved_tensors
        of_total, of_weight, of_bias = torch.ops.aten.native_layer_norm_backward(
            gradient.contiguous(), total, weight.shape, mean, deviation, weight, bias, [True, True, True]
        )
        of_rows = of_total if mask is None else drop(of_total, mask).mul_(ctx.scale)
        return of_rows, of_total, of_weight.to(ctx.dtype), of_bias.to(ctx.dtype), None, None, None


class Attention(Function):
    """softmax(Q K.T / sqrt(width) + bias) V of all heads, its shares dropped out, as batched products."""

    @staticmethod
    def forward(
        ctx: Any, projected: Tensor, bias: Tensor | None, heads: int, mask: Tensor | None, scale: float
    ) -> Tensor:
        """The contexts, [batch, length, hidden].

        Args:
            projected: [batch, length, 3 * hidden], query, key and value side by side.
            bias: what is added to the scores, [batch, 1, 1, length], or None where nothing is padded.
            mask: what dropout keeps of the shares, [batch * heads, length, length], None where there is none.
            scale: what is kept is multiplied by.
        """
        batch, length, triple = projected.shape
        width = triple // 3 // heads
        ctx.shape = (batch, heads, length, width)
        ctx.scale, ctx.kept = 1 / math.sqrt(width), scale
        parts = projected.view(batch, length, 3, heads, width).permute(2, 0, 3, 1, 4).contiguous()
        query, key, value = parts.view(3, batch * heads, length, width).unbind(0)
        query.mul_(ctx.scale)
        scores = torch.bmm(query, key.transpose(1, 2))
        if bias is not None:
            scores.view(batch, heads, length, length).add_(bias)
        torch.softmax(scores, -1, out=scores)
        if mask is not None:
            value.mul_(ctx.kept)
        context = torch.bmm(scores if mask is None else drop(scores, mask), value)
        ctx.save_for_backward(query, key, value, scores, mask)
        return context.view(ctx.shape).transpose(1, 2).reshape(batch, length, heads * width)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """The gradient of what was projected."""
        query, key, value, shares, mask = ctx.saved_tensors
        batch, heads, length, width = ctx.shape
        gradient = gradient.view(batch, length, heads, width).transpose(1, 2).reshape(query.shape)
        parts = gradient.new_empty(3, *query.shape)
        of_query, of_key, of_value = parts.unbind(0)
        torch.bmm((shares if mask is None else drop(shares, mask)).transpose(1, 2), gradient, out=of_value)
        of_shares = torch.bmm(gradient, value.transpose(1, 2))
        if mask is not None:
            of_value.mul_(ctx.kept)
            drop_(of_shares, mask)
        of_scores = torch.ops.aten._softmax_backward_data(of_shares, shares, -1, shares.dtype)
        torch.bmm(of_scores, key, out=of_query)
        of_query.mul_(ctx.scale)
        torch.bmm(of_scores.transpose(1, 2), query, out=of_key)
        joined = parts.view(3, *ctx.shape).permute(1, 3, 0, 2, 4)
        return joined.reshape(batch, length, 3 * heads * width), None, None, None, None


class Dropout(Function):
    """Dropout by a mask of bits."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, mask: Tensor, scale: float) -> Tensor:
        """The kept values, scaled."""
        ctx.save_for_backward(mask)
        ctx.scale = scale
        return drop(values, mask).mul_(scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """The gradient of the values."""
        (mask,) = ctx.saved_tensors
        return drop(gradient.contiguous(), mask).mul_(ctx.scale), None, None
