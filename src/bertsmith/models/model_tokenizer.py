"""The tokenizer of a MODEL, compared with the configuration next to it before anything runs.

An id without a row in the embeddings ends in an IndexError in the middle of the work, or, on a GPU, in one that names
no place. The other direction is usual: vocabularies are padded to a multiple of 8 or more rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertsmith.errors import ModelError
from bertsmith.models.loading import explained, max_tokens, quiet_transformers
from bertsmith.runtime.console import warn
from bertsmith.runtime.files import exists
from bertsmith.tokenization.extension import embedding_rows
from bertsmith.tokenization.folder import file_of, load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

UNLIMITED = 1e29
"""transformers writes 1e30 for a tokenizer that knows no length."""


def load_model_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a MODEL, or of a folder that holds only a tokenizer.

    Raises ModelError if it has more entries than the embeddings have rows, or as `load_tokenizer` does.
    """
    tokenizer = load_tokenizer(name)
    config = _config(name)
    rows = config.get("vocab_size")
    if not isinstance(rows, int):
        return tokenizer
    needed, padding = embedding_rows(tokenizer.get_vocab()), config.get("pad_token_id")
    if needed > rows:
        entries = len(tokenizer)
        ids = "" if entries == needed else f", with ids up to {needed - 1:,}"
        raise ModelError(
            f"{name}: the tokenizer has {entries:,} entries{ids}, the embeddings have {rows:,} rows (vocab_size in "
            "config.json): they do not belong together. Use the tokenizer that the model was trained with, or resize "
            "the embeddings with transformers (resize_token_embeddings) and train the new rows"
        )
    if isinstance(padding, int) and padding != tokenizer.pad_token_id:
        if not 0 <= padding < rows:
            raise ModelError(
                f"{name}: pad_token_id in config.json is {padding:,}, the embeddings have {rows:,} rows; expected the "
                f"id of {tokenizer.pad_token} in the tokenizer, {tokenizer.pad_token_id}"
            )
        warn(
            f"{name}: pad_token_id is {padding} in config.json and {tokenizer.pad_token_id} in the tokenizer; they may "
            "not belong together",
            once=True,
        )
    return tokenizer


def with_true_length(tokenizer: PreTrainedTokenizerBase, config: Any) -> PreTrainedTokenizerBase:
    """The tokenizer with the length of a model of this configuration, which stock's `truncation=True` cuts at."""
    tokenizer.model_max_length = max_tokens(config)
    return tokenizer


def with_known_length(tokenizer: PreTrainedTokenizerBase, name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a MODEL with the MODEL's length if its own files say none; without a model it has none."""
    if tokenizer.model_max_length > UNLIMITED and _config(name).get("vocab_size") is not None:
        from transformers import AutoConfig

        try:
            with explained(name), quiet_transformers():
                return with_true_length(tokenizer, AutoConfig.from_pretrained(name))
        except ModelError:  # an architecture that transformers does not know: its tokenizer can be used all the same
            return tokenizer
    return tokenizer


def _config(name: str) -> dict[str, Any]:
    """What the config.json of a MODEL says; empty for a folder that holds only a tokenizer."""
    from transformers import PreTrainedConfig

    if exists(name) and not (Path(name) / "config.json").is_file():
        return {}
    if file_of(name, "config.json") is None:
        return {}
    with explained(name):
        found: dict[str, Any] = PreTrainedConfig.get_config_dict(name)[0]
        return found
