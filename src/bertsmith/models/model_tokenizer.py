"""The tokenizer of a MODEL, compared with its config.json before anything runs.

An id without a row in the embeddings causes an IndexError during the work; on a GPU the error does not even name a
place. More rows than ids are usual: vocabularies are often padded to a multiple of 8.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertsmith.errors import ModelError
from bertsmith.models.loading import loading_errors, max_tokens, quiet_transformers
from bertsmith.runtime.console import warn
from bertsmith.runtime.files import exists
from bertsmith.tokenization.extension import embedding_rows
from bertsmith.tokenization.folder import file_of, load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

UNLIMITED = 1e29
"""transformers writes 1e30 for a tokenizer without a maximum length."""


def load_model_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a MODEL, or of a folder that holds only a tokenizer.

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
            f"{name}: found {entries:,} entries in the tokenizer{ids}, expected at most {rows:,}, the rows of the "
            "embeddings (vocab_size in config.json). Try: the tokenizer that the model was trained with, or add rows "
            "with transformers (resize_token_embeddings) and train them"
        )
    if isinstance(padding, int) and padding != tokenizer.pad_token_id:
        if not 0 <= padding < rows:
            raise ModelError(
                f"{name}: found pad_token_id {padding:,} in config.json but only {rows:,} rows in the embeddings, "
                f"expected the id of {tokenizer.pad_token} in the tokenizer, {tokenizer.pad_token_id}"
            )
        warn(
            f"{name}: pad_token_id is {padding} in config.json but {tokenizer.pad_token_id} in the tokenizer; check "
            "that this is the model's tokenizer",
            once=True,
        )
    return tokenizer


def with_true_length(tokenizer: PreTrainedTokenizerBase, config: Any) -> PreTrainedTokenizerBase:
    """Set the tokenizer's maximum length to that of the model, for transformers' `truncation=True`."""
    tokenizer.model_max_length = max_tokens(config)
    return tokenizer


def with_known_length(tokenizer: PreTrainedTokenizerBase, name: str) -> PreTrainedTokenizerBase:
    """Set the tokenizer's maximum length to that of the MODEL, if the tokenizer has none and there is a model."""
    if tokenizer.model_max_length > UNLIMITED and _config(name).get("vocab_size") is not None:
        from transformers import AutoConfig

        try:
            with loading_errors(name), quiet_transformers():
                return with_true_length(tokenizer, AutoConfig.from_pretrained(name))
        except ModelError:  # transformers does not know the architecture; the tokenizer works without it
            return tokenizer
    return tokenizer


def _config(name: str) -> dict[str, Any]:
    """Return the config.json of a MODEL; empty for a folder that holds only a tokenizer."""
    from transformers import PreTrainedConfig

    if exists(name) and not (Path(name) / "config.json").is_file():
        return {}
    if file_of(name, "config.json") is None:
        return {}
    with loading_errors(name):
        found: dict[str, Any] = PreTrainedConfig.get_config_dict(name)[0]
        return found
