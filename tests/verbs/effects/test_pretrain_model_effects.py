"""The effects of `pretrain`'s options for the model and its optimization."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest

from bertsmith.config.pretrain import PretrainOptions
from support.bench import Bench, effect


@effect(PretrainOptions, "from_")
def test_pretrain_from(bench: Bench) -> None:
    result = bench.pretrain(from_=bench.run)
    left = bench.record(bench.run)["evaluation"]["mlm_nats_per_masked_token"]
    assert result.evaluation_before["mlm_nats_per_masked_token"] == pytest.approx(left, abs=1e-5)
    assert bench.distance(result.run, bench.run) < bench.distance(result.run, bench.base)


@effect(PretrainOptions, "teacher", "distil_weight", "distil_temperature")
def test_pretrain_teacher(bench: Bench) -> None:
    """Each changes the weights; the teacher's loss is in the figures of each update."""
    plain = bench.pretrain().run
    taught = bench.pretrain(teacher=bench.run).run
    assert "teacher_loss" in bench.updates(taught)[0] and "teacher_loss" not in bench.updates(plain)[0]
    runs = [plain, taught]
    for options in ({"distil_weight": 1.0}, {"distil_temperature": 4.0}):
        runs.append(bench.pretrain(teacher=bench.run, **options).run)
    assert all(bench.distance(a, b) > 1e-6 for a, b in itertools.combinations(runs, 2))


@effect(PretrainOptions, "initial_values")
def test_pretrain_initial_values(bench: Bench) -> None:
    """With neighbours the first update is done on sines and cosines; without them on values of stock's kind."""
    deviations = {}
    for values in ("neighbours", "random"):
        run = bench.pretrain(steps=1, initial_values=values, learning_rate=1e-9).run
        table = bench.weights(run)["bert.embeddings.position_embeddings.weight"]
        deviations[values] = float(np.linalg.norm(table, axis=1).std())
    assert deviations["neighbours"] < deviations["random"] / 100
    assert bench.distance(bench.pretrain(initial_values="neighbours").run, bench.pretrain().run) == 0


@effect(PretrainOptions, "size")
def test_pretrain_size(bench: Bench) -> None:
    """The model that would be trained is made and described."""
    bench.listen()
    shape = dict.fromkeys(("layers", "hidden_size", "attention_heads", "intermediate_size"))
    for size, words in (("tiny", "2 layers, hidden size 128"), ("mini", "4 layers, hidden size 256")):
        bench.pretrain(size=size, dry_run=True, **shape)
        assert any(f"Model: {words}" in text for text in bench.said)


@effect(PretrainOptions, "layers", "hidden_size", "attention_heads", "intermediate_size", "max_positions")
def test_pretrain_shape(bench: Bench) -> None:
    """Each alone changes its part of config.json and the shapes of the weights, and nothing else."""
    values = {
        "layers": (2, "num_hidden_layers"),
        "hidden_size": (16, "hidden_size"),
        "attention_heads": (4, "num_attention_heads"),
        "intermediate_size": (48, "intermediate_size"),
        "max_positions": (40, "max_position_embeddings"),
    }
    before = json.loads((bench.base / "config.json").read_text())
    for option, (value, key) in values.items():
        run = bench.pretrain(steps=1, **{option: value}).run
        config = json.loads((run / "config.json").read_text())
        assert {name for name in config if config[name] != before[name]} == {key}
        assert config[key] == value
        shapes = [{name: array.shape for name, array in bench.weights(path).items()} for path in (run, bench.base)]
        assert (shapes[0] == shapes[1]) == (option == "attention_heads")


@effect(PretrainOptions, "learning_rate")
def test_pretrain_learning_rate(bench: Bench) -> None:
    run = bench.pretrain(learning_rate=0.5).run
    assert max(bench.rates(run)) == 0.5
    assert bench.distance(run, bench.base) > 0.1


@effect(PretrainOptions, "optimizer")
def test_pretrain_optimizer(bench: Bench) -> None:
    """Muon moves the hidden matrices otherwise; its first update is nearly orthogonal, AdamW's a sign."""
    run = bench.pretrain(optimizer="muon", steps=1, schedule="linear", warmup=0.0, weight_decay=0.0).run
    adam = bench.pretrain(optimizer="adamw", steps=1, schedule="linear", warmup=0.0, weight_decay=0.0).run
    moved, beside = bench.weights(run), bench.weights(adam)
    hidden = "bert.encoder.layer.0.intermediate.dense.weight"
    assert np.abs(moved[hidden] - beside[hidden]).max() > 1e-5
    rest = "bert.embeddings.position_embeddings.weight"
    np.testing.assert_allclose(moved[rest], beside[rest], atol=1e-7)


@effect(PretrainOptions, "schedule", "warmup")
def test_pretrain_schedule(bench: Bench) -> None:
    def rates(**options: Any) -> list[float]:
        return bench.rates(bench.pretrain(steps=9, learning_rate=1.0, **options).run)

    # Update n of 9 stands at n / 10 of the run.
    wsd = rates(schedule="wsd", warmup=0.2)
    np.testing.assert_allclose(wsd, [0.5, 1, 1, 1, 1, 1, 1, 2 / 3, 1 / 3], atol=1e-9)
    np.testing.assert_allclose(rates(schedule="linear", warmup=0.2)[1:], [1 - at / 8 for at in range(8)], atol=1e-9)
    cosine = [(1 + math.cos(math.pi * at / 8)) / 2 for at in range(8)]
    np.testing.assert_allclose(rates(schedule="cosine", warmup=0.2)[1:], cosine, atol=1e-9)
    np.testing.assert_allclose(rates(schedule="wsd", warmup=0.5)[:5], [0.2, 0.4, 0.6, 0.8, 1], atol=1e-9)


@effect(PretrainOptions, "weight_decay")
def test_pretrain_weight_decay(bench: Bench) -> None:
    """Decay makes matrices smaller and leaves biases and LayerNorm alone (but for what follows in the next update)."""
    settings = {"steps": 1, "schedule": "linear", "warmup": 0.0, "learning_rate": 0.1}
    none, strong = (bench.weights(bench.pretrain(weight_decay=decay, **settings).run) for decay in (0.0, 5.0))
    name = "bert.encoder.layer.0.output.dense"
    assert np.abs(strong[f"{name}.weight"]).mean() < np.abs(none[f"{name}.weight"]).mean()
    np.testing.assert_array_equal(strong[f"{name}.bias"], none[f"{name}.bias"])


@effect(PretrainOptions, "dropout")
def test_pretrain_dropout(bench: Bench) -> None:
    none, some, more = (bench.pretrain(dropout=share).run for share in (0.0, 0.1, 0.5))
    assert bench.distance(none, bench.base) == 0, "from scratch there is none by default"
    assert bench.distance(some, none) > 0
    assert bench.distance(more, some) > 0
    assert json.loads((more / "config.json").read_text())["hidden_dropout_prob"] == 0.1, "it is of the training alone"


@effect(PretrainOptions, "max_grad_norm")
def test_pretrain_max_grad_norm(bench: Bench) -> None:
    clipped = bench.pretrain(max_grad_norm=1e-6).run
    first, second = bench.updates(clipped), bench.updates(bench.base)
    assert first[0]["grad_norm"] == pytest.approx(second[0]["grad_norm"]), "it is the norm before clipping"
    assert bench.distance(clipped, bench.base) > 1e-5


@effect(PretrainOptions, "patience")
def test_pretrain_patience(bench: Bench) -> None:
    """With a learning rate that destroys the model no evaluation gets better than the first."""
    settings = {"steps": 12, "eval_every": 1, "learning_rate": 5.0, "warmup": 0.5}
    on, result = bench.pretrain(**settings), bench.pretrain(patience=2, **settings)
    losses = {line["step"]: line["evaluation"]["mlm_nats_per_masked_token"] for line in bench.evaluations(result.run)}
    assert result.best_step == min(losses, key=losses.__getitem__)
    assert (on.steps, result.steps) == (12, result.best_step + 2)
    assert result.steps < 12
    best = bench.weights(result.run / "checkpoints" / f"step-{result.best_step}")
    published = bench.weights(result.run)
    assert all(np.array_equal(best[name], published[name]) for name in published)
