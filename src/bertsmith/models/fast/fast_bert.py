"""A stock BERT that uses the fast operations while it trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional

from bertsmith.models.fast.adapters import with_adapters
from bertsmith.models.fast.compute_weights import ComputeWeights
from bertsmith.models.fast.dropout import BITS, keep_mask
from bertsmith.models.fast.operations import AddAndNorm, Attention, Dropout, Linear
from bertsmith.models.fast.vocabulary import DecoderLoss, EmbeddingSum, SharedGradient

NOT_ATTENDED = -1e9
"""Added to the scores of padded positions; also the logit of entries that pad the vocabulary."""


class FastBert:
    """The forward methods that replace those of one BERT: embeddings, layers, dropout, and the loss of the decoder."""

    def __init__(
        self,
        weights: ComputeWeights,
        *,
        attention: str,
        generator: torch.Generator | None = None,
        sparse_rows: bool = False,
    ) -> None:
        self.weights, self.attention, self.generator = weights, attention, generator
        self.shared = SharedGradient()
        self.shared.sparse_rows = sparse_rows

    def embeddings(
        self, module: Any, input_ids: Any = None, token_type_ids: Any = None, position_ids: Any = None, **others: Any
    ) -> Tensor:
        """Replace `BertEmbeddings.forward`."""
        if input_ids is None or position_ids is not None:
            hidden: Tensor = type(module).forward(
                module, input_ids=input_ids, token_type_ids=token_type_ids, position_ids=position_ids, **others
            )
            return hidden
        types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        words = module.word_embeddings.weight
        self.shared.awaited = torch.is_grad_enabled() and words.requires_grad
        total: Any = EmbeddingSum.apply(  # type: ignore[no-untyped-call]
            words, module.token_type_embeddings.weight, module.position_embeddings.weight, input_ids, types, self.shared
        )
        norm = module.LayerNorm
        normal = functional.layer_norm(total, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
        return self.dropout(module.dropout, normal.to(self.weights.dtype))

    def dropout(self, module: nn.Dropout, values: Tensor) -> Tensor:
        """Replace `Dropout.forward`."""
        mask, scale = self._dropout_mask(values.shape, values, module)
        if mask is None:
            return values
        dropped: Tensor = Dropout.apply(values, mask, scale)  # type: ignore[no-untyped-call]
        return dropped

    def layer(
        self, module: Any, hidden_states: Tensor, attention_mask: Tensor | None = None, *_: Any, **__: Any
    ) -> Tensor:
        """Replace `BertLayer.forward` of an encoder; the mask is stock's, [batch, 1, 1 or length, length]."""
        if module.gradient_checkpointing and module.training:  # stock does this in the forward of the class
            recomputed: Tensor = module._gradient_checkpointing_func(
                partial(self._layer, module), hidden_states, attention_mask
            )
            return recomputed
        return self._layer(module, hidden_states, attention_mask)

    def _layer(self, module: Any, hidden_states: Tensor, attention_mask: Tensor | None) -> Tensor:
        shape = hidden_states.shape
        with torch.autocast(hidden_states.device.type, enabled=False):
            rows = hidden_states.to(self.weights.dtype).reshape(-1, shape[-1])
            inner, outer = module.attention.self, module.attention.output
            projected = self.linear(rows, inner.query, inner.key, inner.value).view(*shape[:2], 3 * shape[2])
            context = self._attend(projected, attention_mask, inner).view(-1, shape[-1])
            rows = self._add_and_norm(self.linear(context, outer.dense), rows, outer)
            middle = module.intermediate.intermediate_act_fn(self.linear(rows, module.intermediate.dense))
            rows = self._add_and_norm(self.linear(middle, module.output.dense), rows, module.output)
        return rows.view(shape)

    def decoder_loss(self, predictions: Any, hidden: Tensor, labels: Tensor) -> Tensor:
        """Return the summed loss in nats of `BertLMPredictionHead` for hidden states of [predictions, hidden]."""
        transform, decoder = predictions.transform, predictions.decoder
        with torch.autocast(hidden.device.type, enabled=False):
            rows = transform.transform_act_fn(self.linear(hidden.to(self.weights.dtype), transform.dense))
            norm = transform.LayerNorm
            rows = AddAndNorm.apply(rows, torch.zeros_like(rows), norm.weight, norm.bias, norm.eps, None, 1.0)  # type: ignore[no-untyped-call]
            weight = self.weights.padded_vocabulary(decoder.weight, 0.0)
            bias = self.weights.padded_vocabulary(decoder.bias, NOT_ATTENDED)
            loss: Tensor = DecoderLoss.apply(  # type: ignore[no-untyped-call]
                rows, labels, weight, bias, decoder.weight, decoder.bias, self.shared
            )
        return loss

    def linear(self, rows: Tensor, *modules: Any) -> Tensor:
        """Return the outputs of one or several linear layers, with or without adapters, concatenated."""
        weights, biases = [module.weight for module in modules], [module.bias for module in modules]
        result: Tensor = Linear.apply(  # type: ignore[no-untyped-call]
            rows, self.weights.joined(*weights), self.weights.joined(*biases), *weights, *biases
        )
        return with_adapters(rows, result, modules)

    def _attend(self, projected: Tensor, mask: Tensor | None, inner: Any) -> Tensor:
        batch, length, triple = projected.shape
        heads, probability = inner.num_attention_heads, _active(inner.dropout)
        # Only padding is masked, so all rows of a mask are the same.
        row = None if mask is None else mask[:, :, -1:, :]
        if self.attention == "sdpa":
            by_kind = projected.view(batch, length, 3, heads, triple // 3 // heads).permute(2, 0, 3, 1, 4)
            query, key, value = by_kind.unbind(0)
            context = functional.scaled_dot_product_attention(query, key, value, attn_mask=row, dropout_p=probability)
            return context.transpose(1, 2).reshape(batch, length, triple // 3)
        if row is not None and row.dtype == torch.bool:
            row = torch.zeros_like(row, dtype=projected.dtype).masked_fill_(~row, NOT_ATTENDED)
        elif row is not None:
            row = row.to(projected.dtype).clamp(min=NOT_ATTENDED)
        mask, scale = self._dropout_mask((batch * heads, length, length), projected, inner.dropout)
        attended: Tensor = Attention.apply(projected, row, heads, mask, scale)  # type: ignore[no-untyped-call]
        return attended

    def _add_and_norm(self, rows: Tensor, residual: Tensor, module: Any) -> Tensor:
        norm = module.LayerNorm
        result: Tensor = AddAndNorm.apply(  # type: ignore[no-untyped-call]
            rows, residual, norm.weight, norm.bias, norm.eps, *self._dropout_mask(rows.shape, rows, module.dropout)
        )
        return result

    def _dropout_mask(self, shape: Sequence[int], like: Tensor, module: nn.Dropout) -> tuple[Tensor | None, float]:
        """Draw the mask of a dropout layer; return it with the factor for kept values. None and 1 without dropout."""
        probability = _active(module)
        if not probability:
            return None, 1.0
        if like.device.type == "cpu":
            mask = keep_mask(shape, like.dtype, probability, self.generator)
        else:
            mask = (torch.rand(tuple(shape), device=like.device) >= probability).to(BITS[like.dtype])
        return mask, 1 / (1 - probability)


def _active(dropout: nn.Dropout) -> float:
    """Return the probability of a dropout layer; 0 while it is not training."""
    return float(dropout.p) if dropout.training else 0.0


def encoder_of(model: nn.Module) -> transformers.BertModel | None:
    """Return the encoder of a model for which there are fast operations; None if it has none."""
    bert = next((module for module in model.modules() if isinstance(module, transformers.BertModel)), None)
    return None if bert is None or bert.config.is_decoder else bert


@contextmanager
def fast(
    model: Any, weights: ComputeWeights, *, generator: torch.Generator | None = None, sparse_rows: bool = False
) -> Iterator[None]:
    """Switch the encoder of a model to the fast operations, and a head that uses `model.fast`.

    A model without a stock BERT encoder stays as it is.

    Args:
        generator: the source of dropout's seeds; torch's default generator if None.
        sparse_rows: whether the gradient of the word embeddings may be sparse (`SharedGradient.sparse_rows`).
    """
    bert = encoder_of(model)
    if bert is None:
        yield
        return
    attention = bert.config._attn_implementation
    replacement = FastBert(weights, attention=attention, generator=generator, sparse_rows=sparse_rows)
    inside = set(bert.modules())
    head_dropouts = [module for module in model.modules() if isinstance(module, nn.Dropout) and module not in inside]
    replaced: list[tuple[Any, Callable[..., Tensor]]] = [
        (bert.embeddings, replacement.embeddings),
        *((layer, replacement.layer) for layer in bert.encoder.layer),
        *((module, replacement.dropout) for module in head_dropouts),
    ]
    for module, forward in replaced:
        module.forward = partial(forward, module)
    model.fast = replacement
    try:
        yield
    finally:
        del model.fast
        for module, _ in replaced:
            del module.forward


@contextmanager
def in_float32(model: Any) -> Iterator[None]:
    """Let a model with fast operations compute in float32, as it will when it is loaded again."""
    active: FastBert | None = getattr(model, "fast", None)
    if active is None:
        yield
        return
    weights, active.weights = active.weights, ComputeWeights(torch.float32)
    try:
        yield
    finally:
        active.weights = weights
