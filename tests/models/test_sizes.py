"""The named sizes are those of the literature, and parts that do not fit each other are named."""

from __future__ import annotations

import pytest
import transformers

from bertsmith.errors import OptionError
from bertsmith.models.bert import BertForPreTraining, parameter_count
from bertsmith.models.sizes import SIZES, BertShape, bert_shape, make_config


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ("tiny", BertShape(2, 128, 2, 512, 512)),
        ("mini", BertShape(4, 256, 4, 1024, 512)),
        ("small", BertShape(4, 512, 8, 2048, 512)),
        ("medium", BertShape(8, 512, 8, 2048, 512)),
        ("base", BertShape(12, 768, 12, 3072, 512)),
        ("large", BertShape(24, 1024, 16, 4096, 512)),
    ],
)
def test_named_sizes(size: str, shape: BertShape) -> None:
    assert bert_shape(size) == shape
    assert size in SIZES


def test_base_is_stocks_default_shape() -> None:
    ours, theirs = make_config(bert_shape("base"), 30_522, 0), transformers.BertConfig()
    assert ours.to_dict() == theirs.to_dict()


def test_single_values_stand_over_the_named_size() -> None:
    assert bert_shape("tiny", layers=1) == BertShape(1, 128, 2, 512, 512)
    assert bert_shape("tiny", hidden_size=192) == BertShape(2, 192, 3, 768, 512)
    assert bert_shape("tiny", hidden_size=96, attention_heads=4) == BertShape(2, 96, 4, 384, 512)
    assert bert_shape("tiny", intermediate_size=100, max_positions=77) == BertShape(2, 128, 2, 100, 77)


def test_a_width_that_is_no_multiple_of_a_head_asks_for_the_number_of_heads() -> None:
    with pytest.raises(OptionError, match=r"--hidden-size: found 100, expected a multiple of 64.*--attention-heads"):
        bert_shape("mini", hidden_size=100)


def test_heads_that_do_not_divide_the_width_are_told_which_do() -> None:
    with pytest.raises(OptionError, match=r"--attention-heads: found 5, expected a divisor of --hidden-size 128.*4.*8"):
        bert_shape("tiny", attention_heads=5)
    for wrong in (3, 7, 31, 200):
        with pytest.raises(OptionError, match="expected a divisor") as raised:
            bert_shape("mini", attention_heads=wrong)
        offered = [int(part) for part in str(raised.value).rpartition("such as ")[2].split(", ")]
        assert offered and all(bert_shape("mini", attention_heads=count) for count in offered)


def test_the_configuration_has_the_shape_and_bert_s_dropout() -> None:
    config = make_config(bert_shape("tiny", layers=1, hidden_size=64, max_positions=40), 99, 3)
    model = BertForPreTraining(config)
    assert len(model.bert.encoder.layer) == 1
    assert tuple(model.bert.embeddings.word_embeddings.weight.shape) == (99, 64)
    assert tuple(model.bert.embeddings.position_embeddings.weight.shape) == (40, 64)
    assert model.bert.embeddings.word_embeddings.padding_idx == 3
    assert config.hidden_dropout_prob == config.attention_probs_dropout_prob == 0.1
    assert parameter_count(model) == model.num_parameters()
