"""A forecast is what the model then has, computes and takes.

`python tests/training/test_step_forecast.py '{"size": "mini", ...}'` measures one setting and prints the bytes it took.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig

from bertsmith.models.bert import BertForPreTraining, parameter_count, set_dropout
from bertsmith.models.fast.compute_weights import ComputeWeights
from bertsmith.models.fast.fast_bert import fast
from bertsmith.models.sizes import SIZES, bert_shape, make_config
from bertsmith.runtime.computing import computing
from bertsmith.training import step_forecast
from bertsmith.training.clipping import clip_gradients
from bertsmith.training.optimizers import make_optimizer
from bertsmith.training.step_forecast import (
    StepMemory,
    count_parameters,
    fitting_micro_batch,
    flops_per_example,
    forecast_memory,
)
from bertsmith.training.training_plan import Optimization

SETTING: dict[str, Any] = {
    "micro_batch_size": 8,
    "sequence_length": 128,
    "predictions": 19,
    "precision": "fp32",
    "optimizer": "adamw",
    "dropout": 0.0,
    "attention": "eager",
    "gradient_checkpointing": False,
}


def config_of(size: str, vocab_size: int = 8192, **changed: int) -> BertConfig:
    return make_config(bert_shape(size, **changed), vocab_size, 0)


def random_batch(config: BertConfig, examples: int, length: int, predictions: int) -> dict[str, torch.Tensor]:
    """A batch of random ids whose last three positions are padding."""
    draw = torch.Generator().manual_seed(0)
    attention_mask = torch.ones(examples, length, dtype=torch.long)
    attention_mask[:, -3:] = 0
    return {
        "input_ids": torch.randint(5, config.vocab_size, (examples, length), generator=draw),
        "token_type_ids": torch.zeros(examples, length, dtype=torch.long),
        "attention_mask": attention_mask,
        "masked_positions": torch.randperm(examples * length, generator=draw)[: examples * predictions],
        "masked_labels": torch.randint(5, config.vocab_size, (examples * predictions,), generator=draw),
        "next_sentence_label": torch.randint(0, 2, (examples,), generator=draw),
    }


def loss_of(model: BertForPreTraining, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    output = model(**batch)
    loss: torch.Tensor = output.mlm_loss_sum + output.nsp_loss_sum
    return loss


@pytest.mark.parametrize("vocab_size", [8192, 30_522])
@pytest.mark.parametrize("size", SIZES)
def test_parameters_are_those_of_the_model(size: str, vocab_size: int) -> None:
    config = config_of(size, vocab_size)
    with torch.device("meta"):
        model = BertForPreTraining(config)
    assert count_parameters(config) == parameter_count(model)


def test_parameters_of_a_shape_of_its_own() -> None:
    config = config_of("tiny", 99, layers=3, hidden_size=96, attention_heads=4, intermediate_size=100, max_positions=40)
    assert count_parameters(config) == parameter_count(BertForPreTraining(config))


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize(("size", "length", "predictions"), [("tiny", 64, 10), ("mini", 128, 19)])
def test_flops_are_those_that_torch_counts(size: str, length: int, predictions: int, checkpointing: bool) -> None:
    config, examples = config_of(size, 2000), 2
    model = BertForPreTraining._from_config(config, attn_implementation="eager").train()
    if checkpointing:
        model.activation_checkpointing_enable()
    with FlopCounterMode(display=False) as counted:
        loss_of(model, random_batch(config, examples, length, predictions)).backward()
    expected = flops_per_example(config, length, predictions, gradient_checkpointing=checkpointing)
    assert counted.get_total_flops() / examples == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_what_autograd_keeps_of_a_layer_is_known(
    precision: str, dropout: float, attention: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the allocator's share, a layer more takes the bytes of the tensors that autograd saves for it."""
    monkeypatch.setattr(step_forecast, "HEAP", {"cpu": 1.0})
    examples, length, predictions = 8, 128, 2
    setting = SETTING | {"precision": precision, "dropout": dropout, "attention": attention, "predictions": predictions}
    saved, expected = [], []
    for layers in (1, 3):
        config = config_of("tiny", 500, layers=layers)
        model = BertForPreTraining._from_config(config, attn_implementation=attention).train()
        set_dropout(model, dropout)
        batch = random_batch(config, examples, length, predictions)
        saved.append(bytes_that_autograd_keeps(model, batch, precision))
        expected.append(forecast_memory(config, **setting).activations)
    assert saved[1] - saved[0] == pytest.approx(expected[1] - expected[0], rel=0.03)
    assert all(kept <= 1.03 * known for kept, known in zip(saved, expected, strict=True))


def bytes_that_autograd_keeps(model: BertForPreTraining, batch: dict[str, Any], precision: str) -> int:
    """The bytes of all tensors that a forward pass saves for the backward pass, the weights left out."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with fast(model, ComputeWeights.for_precision(precision)), hooks, computing(precision, "cpu"):
        loss_of(model, batch)
    return sum(tensor.untyped_storage().nbytes() for key, tensor in kept.items() if key not in weights)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_more_of_anything_takes_more(precision: str, device: str, checkpointing: bool) -> None:
    setting = SETTING | {"precision": precision, "device": device, "gradient_checkpointing": checkpointing}

    def total(size: str = "mini", layers: int = 4, **changed: Any) -> int:
        return forecast_memory(config_of(size, layers=layers), **setting | changed).total

    for name, values in {"micro_batch_size": [8, 9, 32], "sequence_length": [128, 129, 512]}.items():
        totals = [total(**{name: value}) for value in values]
        assert totals == sorted(set(totals)), name
    totals = [total(layers=layers) for layers in (1, 2, 4, 12)]
    assert totals == sorted(set(totals))
    assert total(dropout=0.1) > total()
    assert total(attention="eager") > total(attention="sdpa")
    assert total(optimizer="adamw") > total(optimizer="muon")
    if device == "cpu" and not checkpointing:
        assert total(accumulation=True) > total()
    else:
        assert total(gradient_checkpointing=True) < total(gradient_checkpointing=False)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_optimizer_s_state_is_what_it_holds_after_a_step(optimizer: str) -> None:
    config = config_of("tiny", 100)
    model = BertForPreTraining(config)
    stepped = make_optimizer(model, Optimization(optimizer, learning_rate=1e-3, weight_decay=0.01))
    loss_of(model, random_batch(config, 2, 16, 2)).backward()
    stepped.step()
    parts = [stepped.muon, stepped.adamw] if optimizer == "muon" else [stepped]  # type: ignore[attr-defined]
    states = [value for part in parts for state in part.state.values() for value in state.values()]
    held = sum(value.numel() * value.element_size() for value in states if value.ndim)
    expected = forecast_memory(config, **SETTING | {"optimizer": optimizer})
    assert expected.optimizer == held
    assert expected.weights == expected.gradients == 4 * parameter_count(model)


def test_the_total_is_the_sum() -> None:
    found = asdict(forecast_memory(config_of("mini"), **SETTING))
    assert found.pop("total") == sum(found.values()) + step_forecast.LIBRARIES["fp32"]


def test_the_plan_of_a_large_store_counts() -> None:
    config = config_of("mini")
    planned = forecast_memory(config, **SETTING, sentences=1_000_000).total
    assert planned - forecast_memory(config, **SETTING).total == 1_000_000 * step_forecast.BYTES_PER_SENTENCE


@pytest.mark.parametrize(
    ("free", "batch_size", "expected"),
    [
        (1000, 32, 32),
        (420, 32, 32),
        (419, 32, 16),
        (259, 32, 8),
        (110, 32, 1),
        (109, 32, None),
        (349, 25, 13),
        (229, 25, 7),
        (169, 25, 4),
        (139, 25, 2),
        (119, 25, 1),
        (110, 1, 1),
        (0, 1, None),
    ],
)
def test_the_largest_micro_batch_that_fits(free: int, batch_size: int, expected: int | None) -> None:
    def takes(micro_batch_size: int) -> StepMemory:
        return StepMemory(0, 0, 0, 10 * micro_batch_size, 100 + 10 * micro_batch_size)

    assert fitting_micro_batch(free, batch_size, takes) == expected


LONG = pytest.mark.slow


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the allocator's share is that of glibc")
@pytest.mark.parametrize(
    ("size", "changed"),
    [
        ("mini", {"micro_batch_size": 32, "precision": "fp32"}),
        pytest.param(
            "mini",
            {"micro_batch_size": 16, "sequence_length": 256, "predictions": 38, "precision": "bf16"},
            marks=LONG,
        ),
        pytest.param(
            "mini",
            {"micro_batch_size": 8, "sequence_length": 512, "predictions": 77, "precision": "bf16", "dropout": 0.1},
            marks=LONG,
        ),
        pytest.param(
            "mini",
            {"micro_batch_size": 32, "sequence_length": 256, "predictions": 38, "gradient_checkpointing": True},
            marks=LONG,
        ),
    ],
)
def test_a_real_step_takes_what_was_forecast(size: str, changed: dict[str, Any]) -> None:
    setting = SETTING | changed
    done = subprocess.run(
        [sys.executable, __file__, json.dumps({"size": size, "vocab_size": 8192, **setting})],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert forecast_memory(config_of(size), **setting).total == pytest.approx(int(done.stdout), rel=0.2)


def measure(size: str, vocab_size: int, micro_batches: int = 1, **setting: Any) -> int:
    """The bytes by which three steps raise the peak of this fresh process."""
    import psutil

    from bertsmith.runtime.machine import prepare_process

    prepare_process(save_memory=setting["gradient_checkpointing"])
    config = config_of(size, vocab_size)
    before = psutil.Process().memory_info().rss
    model = BertForPreTraining._from_config(config, attn_implementation=setting["attention"]).train()
    set_dropout(model, setting["dropout"])
    if setting["gradient_checkpointing"]:
        model.activation_checkpointing_enable()
    optimizer = make_optimizer(model, Optimization(setting["optimizer"], learning_rate=1e-4, weight_decay=0.01))
    batch = random_batch(config, setting["micro_batch_size"], setting["sequence_length"], setting["predictions"])
    with fast(model, ComputeWeights.for_precision(setting["precision"])):
        for _ in range(3):
            for _ in range(micro_batches):
                with computing(setting["precision"], "cpu"):
                    loss = loss_of(model, batch)
                (loss / 100).backward()
                del loss
            clip_gradients(model, 1.0)
            optimizer.step()
            optimizer.zero_grad()
    # Not getrusage: what it gives includes the process that this one was forked from.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024 - before  # type: ignore[index]


if __name__ == "__main__":
    print(measure(**json.loads(sys.argv[1])))  # noqa: T201
