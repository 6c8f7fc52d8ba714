"""The named sizes of a BERT, and checks that its dimensions fit together.

The names and shapes are those of google-research/bert's smaller models (Turc et al. 2019, "Well-Read Students Learn
Better") and of the original base and large (Devlin et al. 2019): heads of size 64, a feed-forward layer four times as
wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertsmith.errors import OptionError

if TYPE_CHECKING:
    from transformers import BertConfig

SIZES: dict[str, tuple[int, int]] = {
    "tiny": (2, 128),
    "mini": (4, 256),
    "small": (4, 512),
    "medium": (8, 512),
    "base": (12, 768),
    "large": (24, 1024),
}
"""Layers and hidden size by name."""

HEAD_SIZE = 64
MAX_POSITIONS = 512


@dataclass(frozen=True)
class BertShape:
    """The dimensions of a BERT."""

    layers: int
    hidden_size: int
    attention_heads: int
    intermediate_size: int
    max_positions: int


def bert_shape(
    size: str,
    *,
    layers: int | None = None,
    hidden_size: int | None = None,
    attention_heads: int | None = None,
    intermediate_size: int | None = None,
    max_positions: int | None = None,
) -> BertShape:
    """Return a named size with single dimensions replaced. Raises OptionError if they do not fit together."""
    named_layers, named_hidden = SIZES[size]
    hidden = hidden_size or named_hidden
    if attention_heads is None:
        if hidden % HEAD_SIZE:
            raise OptionError(
                f"--hidden-size: found {hidden}, expected a multiple of {HEAD_SIZE}, the default size of a head. Try: "
                "for other sizes, also give --attention-heads, a divisor of the hidden size"
            )
        attention_heads = hidden // HEAD_SIZE
    if hidden % attention_heads:
        divisors = [count for count in range(1, hidden + 1) if hidden % count == 0 and hidden // count >= 8]
        near = sorted(divisors, key=lambda count: abs(count - attention_heads))[:3]
        raise OptionError(
            f"--attention-heads: found {attention_heads}, expected a divisor of --hidden-size {hidden}, "
            f"such as {', '.join(map(str, sorted(near)))}"
        )
    return BertShape(
        layers or named_layers,
        hidden,
        attention_heads,
        intermediate_size or 4 * hidden,
        max_positions or MAX_POSITIONS,
    )


def make_config(shape: BertShape, vocab_size: int, pad_token_id: int) -> BertConfig:
    """Return the stock configuration with these dimensions; it keeps BERT's dropout of 0.1 for fine-tuning."""
    from transformers import BertConfig

    return BertConfig(
        vocab_size=vocab_size,
        num_hidden_layers=shape.layers,
        hidden_size=shape.hidden_size,
        num_attention_heads=shape.attention_heads,
        intermediate_size=shape.intermediate_size,
        max_position_embeddings=shape.max_positions,
        pad_token_id=pad_token_id,
    )
