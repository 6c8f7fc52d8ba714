"""A RUN in other libraries: as transformers' EncoderDecoderModel, and as a sentence-transformers model."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

import bertsmith
from support.stock import assert_same

TEXTS = ["The queen sold a strange map.", "two horses", "A tired soldier found the music box near the river again."]


@pytest.mark.filterwarnings("ignore:Version v4.12.0:FutureWarning")  # transformers says it at every loss
def test_a_run_is_the_encoder_and_decoder_of_stocks_model(run: Path) -> None:
    """The hidden states equal BertModel's, and every weight of encoder and decoder gets a gradient."""
    model = transformers.EncoderDecoderModel.from_encoder_decoder_pretrained(run, run)
    tokenizer = transformers.AutoTokenizer.from_pretrained(run)
    model.config.decoder_start_token_id = tokenizer.cls_token_id
    model.config.pad_token_id = tokenizer.pad_token_id
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    encoder = transformers.BertModel.from_pretrained(run).eval()
    model.eval()
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    output = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels)
    with torch.no_grad():
        expected = encoder(batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
    assert_same(output.encoder_last_hidden_state, expected)
    output.loss.backward()
    assert torch.isfinite(output.loss)
    unused = {name for name, weight in model.named_parameters() if weight.grad is None}
    assert all("pooler" in name for name in unused), unused
    table = model.encoder.embeddings.word_embeddings.weight.grad
    assert table is not None and table.abs().max() > 0


def test_a_run_is_a_model_of_sentence_transformers(run: Path) -> None:
    """With mean pooling, its embeddings equal those of `embed`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the library itself while it is imported
        library = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    model = library.SentenceTransformer(str(run), device="cpu")
    (pooling,) = [module for module in model if "Pooling" in type(module).__name__]
    assert pooling.pooling_mode == "mean" if hasattr(pooling, "pooling_mode") else pooling.pooling_mode_mean_tokens
    ours = [answer.embedding for answer in bertsmith.load(run).embed(TEXTS, pooling="mean")]
    np.testing.assert_allclose(model.encode(TEXTS), ours, atol=1e-5)
