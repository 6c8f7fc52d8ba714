"""LoRA: what learns, what stays as it is, and the merged model, which is a stock one."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

from bertsmith.config import extras
from bertsmith.errors import Interrupted, OptionError
from bertsmith.finetuning import head_training
from bertsmith.finetuning.defaults import choose_learning_rate
from bertsmith.finetuning.lora import Lora, add_adapters, merge_adapters, target_names
from bertsmith.verbs.finetune import finetune
from support.stock import assert_same, load_stock

Labelled = Callable[..., Path]
Signalled = Callable[..., AbstractContextManager[None]]
TASK = "sequence-classification"
QUICK: dict[str, Any] = {"precision": "fp32", "max_length": 32, "learning_rate": 1e-2, "batch_size": 16, "epochs": 2}
SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 100,
    "pad_token_id": 0,
}
IDS = torch.randint(5, 100, (3, 9), generator=torch.Generator().manual_seed(0))


def stock(kind: str, **values: Any) -> Any:
    """A small classifier of this architecture, which transformers' Auto class makes."""
    special = {"bos_token_id": 1, "cls_token_id": 1, "eos_token_id": 2, "sep_token_id": 2}
    config = transformers.AutoConfig.for_model(kind, **SHAPE, **special, **values)
    torch.manual_seed(0)
    return transformers.AutoModelForSequenceClassification.from_config(config).eval()


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def changed(model: torch.nn.Module, start: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, start[name])}


@pytest.mark.parametrize(
    ("kind", "layer", "targets"),
    [
        ("bert", "bert.encoder.layer.{}.attention.self", ("query", "value")),
        ("roberta", "roberta.encoder.layer.{}.attention.self", ("query", "value")),
        ("electra", "electra.encoder.layer.{}.attention.self", ("query", "value")),
        ("distilbert", "distilbert.transformer.layer.{}.attention", ("q_lin", "v_lin")),
        ("mpnet", "mpnet.encoder.layer.{}.attention.attn", ("q", "v")),
        ("deberta-v2", "deberta.encoder.layer.{}.attention.self", ("query_proj", "value_proj")),
        ("modernbert", "model.layers.{}.attn", ("Wqkv",)),
    ],
)
def test_adapters_stand_at_queries_and_values_of_any_encoder(kind: str, layer: str, targets: tuple[str, ...]) -> None:
    """They begin without an effect; what they learn is in the merged weights, and only there."""
    model = stock(kind)
    start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        before = model(input_ids=IDS).logits
        add_adapters(model, Lora(4, 8.0))
        assert torch.equal(model(input_ids=IDS).logits, before)
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.1 * torch.randn_like(parameter)
        learned = model(input_ids=IDS).logits
        merge_adapters(model)
        merged = model(input_ids=IDS).logits
    torch.testing.assert_close(merged, learned, atol=1e-5, rtol=1e-5)
    assert (merged - before).abs().max() > 0.01
    assert model.state_dict().keys() == start.keys()
    expected = {f"{layer.format(number)}.{target}.weight" for number in range(2) for target in targets}
    prefix = f"{model.base_model_prefix}."
    head = {name for name in start if not name.startswith(prefix) or "pooler" in name}
    assert changed(model, start) == expected | head


def test_alpha_over_rank_is_what_adapters_count() -> None:
    learned = []
    for alpha in (4.0, 8.0):
        model = stock("bert")
        name = "bert.encoder.layer.0.attention.self.query"
        start = model.state_dict()[f"{name}.weight"].clone()
        torch.manual_seed(1)
        add_adapters(model, Lora(4, alpha))
        with torch.no_grad():
            model.get_submodule(name).lora_B["default"].weight.fill_(0.1)
        merge_adapters(model)
        learned.append(model.state_dict()[f"{name}.weight"] - start)
    torch.testing.assert_close(2 * learned[0], learned[1], atol=1e-6, rtol=1e-4)


def test_targets_by_name() -> None:
    model = stock("bert")
    layer = "bert.encoder.layer.1"
    assert target_names(model, ("key",), frozen_layers=1) == [f"{layer}.attention.self.key"]
    assert target_names(model, ("output.dense",), frozen_layers=1) == [
        f"{layer}.attention.output.dense",
        f"{layer}.output.dense",
    ]
    every = target_names(model, ("all-linear",))
    assert len(every) == 12 and not any("pooler" in name or "classifier" in name for name in every)
    with pytest.raises(OptionError, match=r"has no 'querry'; did you mean 'query'\?; .* intermediate\.dense, key"):
        target_names(model, ("querry",))
    with pytest.raises(OptionError, match="has no 'classifier'"):
        target_names(model, ("classifier",))
    with pytest.raises(OptionError, match="--freeze-layers: found 2, which freezes all layers with adapters"):
        target_names(model, (), frozen_layers=2)


def test_queries_and_values_that_nobody_knows() -> None:
    model = stock("bert")
    for layer in model.bert.encoder.layer:
        layer.attention.self.wanted, layer.attention.self.query = layer.attention.self.query, torch.nn.Identity()
    with pytest.raises(OptionError, match=r"of this MODEL \(bert\) are unknown.*--lora-targets NAME,NAME; .*wanted"):
        target_names(model, ())


def test_the_run_is_a_stock_model_that_answers_as_the_adapters_did(
    run: Path, labelled: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unmerged, learning = [], []
    ids = torch.randint(5, 200, (4, 20), generator=torch.Generator().manual_seed(0))

    def watched(model: Any) -> None:
        with torch.no_grad():
            unmerged.append(model.eval()(input_ids=ids.to(model.device)).logits.cpu())
        learning.append(sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad))
        assert any(".lora_" in name for name, _ in model.named_parameters())
        merge_adapters(model)

    monkeypatch.setattr(head_training, "merge_adapters", watched)
    files = {"model": run, "train": labelled("train", 48), "dev": labelled("dev", 20)}
    made = finetune(TASK, **files, **QUICK, out=tmp_path / "run", lora=4).run
    plain = finetune(TASK, **files, **QUICK, out=tmp_path / "plain").run
    with torch.no_grad():
        merged = load_stock(made, "AutoModelForSequenceClassification")(input_ids=ids).logits
    assert_same(merged, unmerged[0])

    start, learned = weights(run), weights(made)
    assert learned.keys() == weights(plain).keys()
    assert {path.name for path in made.iterdir()} == {path.name for path in plain.iterdir()}
    moved = {name for name in learned if name not in start or not torch.equal(learned[name], start[name])}
    attention = "bert.encoder.layer.0.attention.self"
    assert moved == {
        *(f"{attention}.query.weight", f"{attention}.value.weight", "bert.pooler.dense.weight"),
        *("bert.pooler.dense.bias", "classifier.weight", "classifier.bias"),
    }

    record = json.loads((made / "run.json").read_text())
    (choice,) = [choice for choice in record["choices"] if choice["name"] == "trained parameters"]
    adapters, head = 2 * 2 * 4 * 32, 32 * 32 + 32 + 2 * 32 + 2
    assert int(choice["value"].replace(",", "")) == adapters + head == learning[0]
    assert f"{adapters:,} in adapters" in choice["reason"]
    assert f"{sum(tensor.numel() for tensor in learned.values()):,}" in choice["reason"]
    assert choice["value"] in (made / "report.html").read_text()


@pytest.mark.usefixtures("every_seed_model_kept")
@pytest.mark.parametrize("stop", [2, 5])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    run: Path, labelled: Labelled, tmp_path: Path, signalled: Signalled, stop: int
) -> None:
    """With dropout; the best weights may be of before the stop or of after it."""
    files = {"model": run, "train": labelled("train", 48), "dev": labelled("dev", 20), "eval_every": 1}
    options = {**QUICK, **files, "lora": 4, "seeds": 2}
    unbroken = finetune(TASK, **options, out=tmp_path / "unbroken")
    out = tmp_path / "stopped"
    with signalled(stop), pytest.raises(Interrupted, match=f"after update {stop} of seed 0"):
        finetune(TASK, **options, out=out)
    result = finetune(TASK, **options, out=out, resume=True)
    assert result.metrics == unbroken.metrics
    for seed in (0, 1):
        found, expected = (weights(at / "seeds" / f"seed-{seed}") for at in (out, unbroken.run))
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_an_update_is_the_same_for_every_division(still: Path, labelled: Labelled, tmp_path: Path) -> None:
    files = {"model": still, "train": labelled("train", 48), "dev": labelled("dev", 20)}
    runs = [
        finetune(TASK, **files, **QUICK, out=tmp_path / str(tokens), lora=4, micro_batch_tokens=tokens).run
        for tokens in (10_000, 60)
    ]
    whole, divided = map(weights, runs)
    for name, tensor in whole.items():
        torch.testing.assert_close(divided[name], tensor, atol=5e-5, rtol=1e-3)


def test_rates_fall_by_layer_and_frozen_layers_have_no_adapters(run: Path, labelled: Labelled, tmp_path: Path) -> None:
    files = {"model": run, "train": labelled("train", 48), "dev": labelled("dev", 20)}
    name, start = "bert.encoder.layer.0.attention.self.query.weight", weights(run)
    moved = []
    for decay in (1.0, 0.1):
        made = finetune(TASK, **files, **QUICK, out=tmp_path / str(decay), lora=4, layer_decay=decay).run
        moved.append((weights(made)[name] - start[name]).abs().max())
    assert moved[1] < 0.5 * moved[0]
    with pytest.raises(OptionError, match="--freeze-layers: found 1, which freezes all layers with adapters"):
        finetune(TASK, **files, **QUICK, out=tmp_path / "run", lora=4, freeze_layers=1)
    with pytest.raises(OptionError, match="--lora-targets: the MODEL has no 'wanted'"):
        finetune(TASK, **files, **QUICK, out=tmp_path / "run", lora=4, lora_targets="query,wanted")
    assert not (tmp_path / "run").exists()


def test_without_peft(run: Path, labelled: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    files = {"model": run, "train": labelled("train", 48), "dev": labelled("dev", 20)}
    with pytest.raises(OptionError, match=r"--lora 4 needs peft.*pip install 'bertsmith\[lora\]'"):
        finetune(TASK, **files, **QUICK, out=tmp_path / "run", lora=4)
    assert not (tmp_path / "run").exists()


def test_options_of_lora_without_it(run: Path, labelled: Labelled, tmp_path: Path) -> None:
    files = {"model": run, "train": labelled("train", 48), "dev": labelled("dev", 20), "out": tmp_path / "run"}
    with pytest.raises(OptionError, match="--lora-alpha needs --lora, which is missing"):
        finetune(TASK, **files, lora_alpha=8)
    with pytest.raises(OptionError, match="--lora-targets needs --lora, which is missing"):
        finetune(TASK, **files, lora_targets="key")


def test_adapters_learn_at_a_higher_rate(run: Path) -> None:
    config = transformers.AutoConfig.from_pretrained(run)
    config.hidden_size = 768
    assert float(choose_learning_rate(config, lora=True).value) == 4e-4
