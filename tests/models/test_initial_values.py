"""What a BERT from scratch begins with."""

import numpy as np
import pytest
import torch
from transformers import BertForPreTraining as StockBert

from bertsmith.models.bert import BertForPreTraining
from bertsmith.models.initial_values import POSITIONS, neighbours, start_from_frequencies, start_from_neighbours
from bertsmith.models.sizes import bert_shape, make_config

ENTRIES = 500


def a_bert(size: str = "tiny", **shape: int) -> BertForPreTraining:
    torch.manual_seed(0)
    config = make_config(bert_shape(size, **shape), ENTRIES, 0)
    model: BertForPreTraining = BertForPreTraining._from_config(config, attn_implementation="eager")
    return model.eval()


@torch.no_grad()
def scores_by_distance(model: BertForPreTraining, layer: int, head: int, reach: int) -> torch.Tensor:
    """What the head of a layer gives to the position at each distance from -reach to reach, of positions alone."""
    parts = model.bert.encoder.layer[layer].attention.self
    table = model.bert.embeddings.position_embeddings.weight[1:]
    width = parts.query.out_features // parts.num_attention_heads
    rows = slice(head * width, (head + 1) * width)
    scores = (table @ parts.query.weight[rows].T) @ (table @ parts.key.weight[rows].T).T
    places = torch.arange(reach, len(table) - reach)
    return torch.stack([scores[places, places + by].mean() for by in range(-reach, reach + 1)])


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ("tiny", {}),
        ("mini", {}),
        ("base", {"layers": 2}),
        ("tiny", {"hidden_size": 96, "attention_heads": 4}),
        ("tiny", {"max_positions": 64}),
    ],
)
def test_each_head_finds_its_neighbour(size: str, shape: dict[str, int]) -> None:
    model = a_bert(size, **shape)
    start_from_neighbours(model)
    for layer in range(model.config.num_hidden_layers):
        expected = neighbours(layer, model.config.num_attention_heads)
        found = [int(scores_by_distance(model, layer, head, 12).argmax()) - 12 for head in range(len(expected))]
        assert found == expected


def test_neighbours_are_the_nearest_of_half_of_the_heads() -> None:
    assert neighbours(0, 12) == [-1, 1, -2, 2, -3, 3]
    assert [neighbours(layer, 2) for layer in range(3)] == [[-1], [1], [-1]]
    assert neighbours(0, 1) == [-1] and neighbours(1, 3) == [1]


def test_random_values_find_none() -> None:
    model = a_bert("base", layers=2)
    found = [int(scores_by_distance(model, 0, head, 12).argmax()) - 12 for head in range(6)]
    assert found != neighbours(0, 12)


def test_position_embeddings_are_waves_of_one_length_beside_the_words() -> None:
    model = a_bert()
    words = model.bert.embeddings.word_embeddings.weight
    start_from_neighbours(model)
    positions = model.bert.embeddings.position_embeddings.weight
    torch.testing.assert_close(positions.norm(dim=1), positions[:1].norm(dim=1).expand(len(positions)))
    assert positions.square().mean().sqrt().item() == pytest.approx(POSITIONS * model.config.initializer_range)
    assert words.std().item() == pytest.approx(model.config.initializer_range, rel=0.02)


def test_a_width_without_room_for_a_wave_stays_random() -> None:
    model = a_bert(hidden_size=2, attention_heads=1, layers=1)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    start_from_neighbours(model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_columns_that_waves_do_not_fill_stay_random() -> None:
    model = a_bert(hidden_size=33, attention_heads=3, layers=1)
    positions = model.bert.embeddings.position_embeddings.weight
    before = positions[:, -1].clone()
    start_from_neighbours(model)
    assert torch.equal(positions[:, -1], before)
    assert torch.isfinite(model(torch.arange(8)[None]).prediction_logits).all()


def test_what_is_not_positions_queries_and_keys_stays_random() -> None:
    before, after = a_bert(), a_bert()
    start_from_neighbours(after)
    changed = {
        name
        for (name, old), new in zip(before.state_dict().items(), after.state_dict().values(), strict=True)
        if not torch.equal(old, new)
    }
    assert {name.split(".")[-2] for name in changed} == {"position_embeddings", "query", "key"}


def test_stock_transformers_computes_the_same(tmp_path) -> None:  # type: ignore[no-untyped-def]
    model = a_bert()
    start_from_neighbours(model)
    start_from_frequencies(model, np.arange(ENTRIES))
    model.save_pretrained(tmp_path)
    stock = StockBert.from_pretrained(tmp_path, attn_implementation="eager").eval()
    ids = torch.randint(5, ENTRIES, (2, 16), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(stock(ids).prediction_logits, model(ids).prediction_logits)


def test_the_head_begins_at_the_frequencies() -> None:
    model, counts = a_bert(), np.arange(ENTRIES)
    start_from_frequencies(model, counts)
    expected = (counts + 1) / (counts + 1).sum()
    np.testing.assert_allclose(model.cls.predictions.bias.detach().exp().numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("size", ["tiny", "mini", "base"])
def test_most_of_the_attention_is_on_the_neighbour(size: str) -> None:
    """In the model as it is, words and all, in each layer; a random one looks at all tokens alike."""
    model, layers = a_bert(size, layers=2), range(2)
    ids = torch.randint(5, ENTRIES, (4, 64), generator=torch.Generator().manual_seed(2))
    middle = torch.arange(16, 48)

    def share(layer: int, head: int, offset: int) -> float:
        with torch.no_grad():
            attention = model.bert(ids, output_attentions=True).attentions[layer]
        return float(attention[:, head, middle, middle + offset].mean())

    heads = model.config.num_attention_heads
    looked_at = [(layer, head, by) for layer in layers for head, by in enumerate(neighbours(layer, heads))]
    assert max(share(*place) for place in looked_at) < 0.05
    start_from_neighbours(model)
    assert min(share(*place) for place in looked_at) > 0.5
    with torch.no_grad():
        attention = torch.stack(model.bert(ids, output_attentions=True).attentions)
    free = attention[:, :, len(neighbours(0, heads)) :, 0]
    entropies = -(free * free.log()).sum(-1)
    assert entropies.mean().exp() > 0.8 * 64, "[CLS] looks at all of them"
