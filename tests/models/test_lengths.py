"""The number of tokens that a model takes is what its position table holds, whatever the architecture."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from bertsmith.models.loading import DEFAULT_MAX_TOKENS, max_tokens, quiet_transformers

SHAPE: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 20,
}

AFTER_PADDING = [
    *("roberta", "camembert", "xlm-roberta", "xlm-roberta-xl", "roberta-prelayernorm", "data2vec-text", "ibert"),
    *("longformer", "luke", "lilt", "xmod", "mpnet", "esm"),
]
"""Architectures that count positions from behind the id of the padding token."""
FROM_ZERO = [
    *("bert", "albert", "bert-generation", "convbert", "deberta", "deberta-v2", "distilbert", "electra", "ernie"),
    *("fnet", "flaubert", "layoutlm", "megatron-bert", "mobilebert", "rembert", "roc_bert", "roformer"),
    *("squeezebert", "xlm", "big_bird"),
]
WITH_MORE_ROWS = ["mra", "nystromformer", "yoso"]
"""Architectures with two rows more than positions."""
RELATIVE_OR_ROTARY = ["modernbert", "nomic_bert", "eurobert", "gte", "funnel"]

VALUES: dict[str, dict[str, Any]] = {
    "albert": {"embedding_size": 8},
    "convbert": {"embedding_size": 16, "conv_kernel_size": 3, "head_ratio": 1},
    "electra": {"embedding_size": 8},
    "esm": {"position_embedding_type": "absolute", "mask_token_id": 3, "pad_token_id": 1},
    "eurobert": {"num_key_value_heads": 2, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2},
    "flaubert": {"emb_dim": 16, "n_layers": 1, "n_heads": 2, "n_langs": 1, "n_words": 40},
    "funnel": {
        "architectures": ["FunnelModel"],
        "block_sizes": [1],
        "block_repeats": [1],
        "d_model": 16,
        "n_head": 2,
        "d_head": 8,
        "d_inner": 16,
    },
    "lilt": {"hidden_size": 24, "max_2d_position_embeddings": 30, "channel_shrink_ratio": 2},
    "longformer": {"attention_window": [4]},
    "luke": {"entity_vocab_size": 5, "entity_emb_size": 8},
    "mobilebert": {"embedding_size": 16, "use_bottleneck": False, "num_feedforward_networks": 1},
    "modernbert": {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "cls_token_id": 0, "sep_token_id": 2},
    "nystromformer": {"num_landmarks": 2, "segment_means_seq_len": 20},
    "rembert": {"input_embedding_size": 8, "output_embedding_size": 8},
    "roc_bert": {"pronunciation_vocab_size": 10, "shape_vocab_size": 10},
    "squeezebert": {"embedding_size": 16},
    "xlm": {"emb_dim": 16, "n_layers": 1, "n_heads": 2, "n_langs": 1, "n_words": 40},
    "xmod": {"languages": ["en_XX"], "default_language": "en_XX"},
}
"""Settings of the architectures that have some of their own."""


def config_of(model_type: str, **values: Any) -> Any:
    """The configuration of a tiny model."""
    shape = {name: value for name, value in SHAPE.items() if model_type != "funnel" or name != "num_hidden_layers"}
    return transformers.AutoConfig.for_model(model_type, **{**shape, **VALUES.get(model_type, {}), **values})


def run(config: Any, length: int) -> None:
    """A forward pass over a text of this many tokens."""
    torch.manual_seed(0)
    with quiet_transformers(), torch.no_grad():
        model = transformers.AutoModel.from_config(config).eval()
        ids = torch.full((1, length), 7)
        model(input_ids=ids, attention_mask=torch.ones_like(ids))


@pytest.mark.parametrize(
    ("model_type", "expected"),
    [
        *((name, 18) for name in AFTER_PADDING if name != "lilt"),
        ("lilt", 19),  # its padding token has the id 0
        *((name, 20) for name in (*FROM_ZERO, *WITH_MORE_ROWS)),
    ],
)
def test_a_text_of_exactly_this_length_is_taken_and_no_longer_one(model_type: str, expected: int) -> None:
    config = config_of(model_type)
    assert max_tokens(config) == expected
    run(config, expected)
    with pytest.raises((IndexError, RuntimeError, ValueError)):
        run(config, expected + 1)


@pytest.mark.parametrize("model_type", RELATIVE_OR_ROTARY)
def test_without_a_table_it_is_the_length_of_the_configuration(model_type: str) -> None:
    config = config_of(model_type)
    assert max_tokens(config) == 20
    run(config, 20)


def test_relative_positions_alone() -> None:
    """DeBERTa v3 has no table of absolute positions."""
    assert max_tokens(config_of("deberta-v2", position_biased_input=False, relative_attention=True)) == 20


@pytest.mark.parametrize("model_type", ["xlnet", "t5"])
def test_without_any_length(model_type: str) -> None:
    assert (
        max_tokens(transformers.AutoConfig.for_model(model_type, d_model=16, n_layer=1, n_head=2)) == DEFAULT_MAX_TOKENS
    )


@pytest.mark.parametrize(("padding", "expected"), [(0, 19), (1, 18), (5, 14)])
def test_the_offset_is_that_of_the_padding_token(padding: int, expected: int) -> None:
    config = config_of("roberta", pad_token_id=padding)
    assert max_tokens(config) == expected
    run(config, expected)
