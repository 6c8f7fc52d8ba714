"""New rows of a model: the exact means of old ones, everywhere where the vocabulary counts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers

from bertsmith.models.bert import BertForPreTraining, extend_vocabulary, vocabulary_rows

OLD, UNKNOWN = 40, 1
PIECES = [(5, 6), (7, 8, 9), (UNKNOWN,), (5, 5, 6)]


def model_of(*, rows: int = OLD, tied: bool = True) -> BertForPreTraining:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=rows,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
        tie_word_embeddings=tied,
    )
    model = BertForPreTraining(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("rows", [OLD, OLD + 2, OLD + 30], ids=["as many", "2 more", "30 more"])
@pytest.mark.parametrize("tied", [True, False])
def test_each_new_row_is_the_mean_of_its_old_pieces(rows: int, tied: bool) -> None:
    model = model_of(rows=rows, tied=tied)
    predictions = model.cls.predictions

    def weights() -> list[torch.Tensor]:
        parts = (model.get_input_embeddings().weight, predictions.decoder.weight, predictions.decoder.bias)
        return [part.detach().clone() for part in parts]

    before = weights()
    extend_vocabulary(model, PIECES, first=OLD, unknown=UNKNOWN)
    assert set(vocabulary_rows(model).values()) == {OLD + len(PIECES)}
    assert (predictions.decoder.weight is model.get_input_embeddings().weight) == tied
    assert predictions.decoder.bias is predictions.bias
    for old, new in zip(before, weights(), strict=True):
        torch.testing.assert_close(new[:OLD], old[:OLD], rtol=0, atol=0)
        for row, pieces in enumerate(PIECES, start=OLD):
            expected = old[:OLD].mean(0) if pieces == (UNKNOWN,) else old[list(pieces)].mean(0)
            torch.testing.assert_close(new[row], expected, rtol=0, atol=0)


def test_the_logit_of_a_new_word_begins_as_the_mean_of_its_pieces() -> None:
    model = model_of()
    ids = torch.tensor([[2, 5, 9, 3]])
    with torch.no_grad():
        old = model(input_ids=ids).prediction_logits
        extend_vocabulary(model, PIECES, first=OLD, unknown=UNKNOWN)
        new = model(input_ids=ids).prediction_logits
    torch.testing.assert_close(new[..., :OLD], old)
    torch.testing.assert_close(new[..., OLD], old[..., [5, 6]].mean(-1))
    torch.testing.assert_close(new[..., OLD + 2], old.mean(-1))


def test_stock_loads_what_is_saved(tmp_path: Path) -> None:
    model = model_of()
    extend_vocabulary(model, PIECES, first=OLD, unknown=UNKNOWN)
    model.save_pretrained(tmp_path)
    stock = transformers.BertForPreTraining.from_pretrained(tmp_path).eval()
    assert stock.config.vocab_size == OLD + len(PIECES)
    ids = torch.tensor([[2, OLD, OLD + 3, 3]])
    with torch.no_grad():
        torch.testing.assert_close(stock(ids).prediction_logits, model(input_ids=ids).prediction_logits)
