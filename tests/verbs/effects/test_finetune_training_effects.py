"""The effects of `finetune`'s options for training."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from bertsmith.errors import OutputError
from bertsmith.finetuning.options import FinetuneOptions
from support.bench import Bench, effect
from support.effect_files import LEARNING, ROWS


@effect(FinetuneOptions, "epochs")
def test_finetune_epochs(bench: Bench) -> None:
    for epochs, updates in ((0.5, 1), (2, 4)):
        assert len(bench.updates(bench.finetune(epochs=epochs).run)) == updates


@effect(FinetuneOptions, "batch_size")
def test_finetune_batch_size(bench: Bench) -> None:
    for size, updates in ((8, 4), (32, 1)):
        assert len(bench.updates(bench.finetune(batch_size=size).run)) == updates


@effect(FinetuneOptions, "eval_batch_size")
def test_finetune_eval_batch_size(bench: Bench) -> None:
    """Smaller batches in evaluation, the same figures."""
    seen = bench.head_batches()
    found = {}
    for size in (2, 64):
        seen.clear()
        metrics = bench.finetune(eval_batch_size=size).metrics
        found[size] = (max(seen), metrics)
    assert found[2][0] < found[64][0] == ROWS
    assert found[2][1] == found[64][1]


@effect(FinetuneOptions, "eval_every")
def test_finetune_eval_every(bench: Bench) -> None:
    found = {}
    for every in (1, 2, None):
        run = bench.finetune(eval_every=every, batch_size=8, epochs=2).run
        found[every] = [line["step"] for line in bench.evaluations(run)]
    assert found == {1: [1, 2, 3, 4, 5, 6, 7, 8], 2: [2, 4, 6, 8], None: [4, 8]}


@effect(FinetuneOptions, "learning_rate")
def test_finetune_learning_rate(bench: Bench) -> None:
    high, low = (bench.finetune(learning_rate=rate).run for rate in (0.1, 1e-5))
    assert max(bench.rates(high)) == pytest.approx(1e4 * max(bench.rates(low)))
    start = bench.weights(bench.run)["bert.embeddings.word_embeddings.weight"]
    moved = [np.abs(bench.weights(run)["bert.embeddings.word_embeddings.weight"] - start).max() for run in (high, low)]
    assert moved[0] > 100 * moved[1]


@effect(FinetuneOptions, "weight_decay")
def test_finetune_weight_decay(bench: Bench) -> None:
    none, strong = (bench.weights(bench.finetune(weight_decay=decay, learning_rate=0.1).run) for decay in (0.0, 9.0))
    # The rows of tokens that no text holds have no gradient: what happens to them is decay alone.
    unused = (
        np.abs(
            none["bert.embeddings.word_embeddings.weight"]
            - bench.weights(bench.run)["bert.embeddings.word_embeddings.weight"]
        ).max(axis=1)
        == 0
    )
    assert unused.sum() > 50
    decayed = strong["bert.embeddings.word_embeddings.weight"][unused]
    kept = none["bert.embeddings.word_embeddings.weight"][unused]
    assert np.abs(decayed).sum() < 0.7 * np.abs(kept).sum()


@effect(FinetuneOptions, "precision")
def test_finetune_precision(bench: Bench) -> None:
    full, half = (bench.finetune(precision=precision).run for precision in ("fp32", "bf16"))
    losses = [bench.updates(run)[0]["loss"] for run in (full, half)]
    assert 0 < abs(losses[0] - losses[1]) < 0.05


@effect(FinetuneOptions, "seeds", "seed")
def test_finetune_seeds(bench: Bench) -> None:
    import bertsmith.verbs.finetune as module

    bench.monkeypatch.setattr(module, "remove_seed_models", lambda *_: None)
    result = bench.finetune(seeds=3, seed=7)
    assert len(result.metrics["accuracy"]["seeds"]) == 3
    assert sorted(path.name for path in (result.run / "seeds").iterdir()) == ["seed-7", "seed-8", "seed-9"]
    assert result.best_seed in (7, 8, 9)
    seven, eight = (result.run / "seeds" / f"seed-{seed}" for seed in (7, 8))
    assert bench.distance(seven, eight) > 0
    assert bench.distance(bench.finetune(seed=7).run, seven) == 0


@effect(FinetuneOptions, "patience")
def test_finetune_patience(bench: Bench) -> None:
    """At a rate that changes nothing no evaluation is better than the first."""
    run = bench.finetune(patience=2, epochs=5, learning_rate=1e-9).run
    assert len(bench.updates(run)) == 6
    assert len(bench.updates(bench.finetune(epochs=5, learning_rate=1e-9).run)) == 10


@effect(FinetuneOptions, "layer_decay")
def test_finetune_layer_decay(bench: Bench) -> None:
    """One layer: the embeddings stand two steps below the head."""
    whole, small = (bench.finetune(layer_decay=decay, learning_rate=1e-3).run for decay in (1.0, 0.1))
    start, name = bench.weights(bench.run), "bert.embeddings.position_embeddings.weight"
    moved = [float(np.abs(bench.weights(run)[name] - start[name]).max()) for run in (whole, small)]
    assert moved[1] == pytest.approx(0.01 * moved[0], rel=0.01)


@effect(FinetuneOptions, "freeze_layers")
def test_finetune_freeze_layers(bench: Bench) -> None:
    start = bench.weights(bench.run)
    for layers, parts in ((0, {"embeddings"}), (1, {"embeddings", "encoder"})):
        tuned = bench.weights(bench.finetune(freeze_layers=layers, learning_rate=1e-2).run)
        same = {name for name in start if name in tuned and np.array_equal(start[name], tuned[name])}
        assert same == {name for name in tuned if name.split(".")[1] in parts}


@effect(FinetuneOptions, "lora", "lora_targets")
def test_finetune_lora(bench: Bench) -> None:
    """In the encoder the weights of the targets learn alone."""
    start, layer = bench.weights(bench.run), "bert.encoder.layer.0"
    for targets, moved in (
        (None, {"attention.self.query", "attention.self.value"}),
        ("key", {"attention.self.key"}),
        ("output.dense", {"attention.output.dense", "output.dense"}),
    ):
        tuned = bench.weights(bench.finetune(lora=2, lora_targets=targets, learning_rate=1e-2).run)
        inside = [name for name in tuned if name.startswith("bert.") and "pooler" not in name]
        other = {name for name in inside if not np.array_equal(start[name], tuned[name])}
        assert other == {f"{layer}.{name}.weight" for name in moved}


@effect(FinetuneOptions, "lora_alpha")
def test_finetune_lora_alpha(bench: Bench) -> None:
    """What an adapter of rank 2 adds is halved and multiplied by alpha."""
    name = "bert.encoder.layer.0.attention.self.value.weight"
    start, moved = bench.weights(bench.run)[name], []
    for alpha in (2, 200):
        tuned = bench.weights(bench.finetune(lora=2, lora_alpha=alpha).run)[name]
        moved.append(float(np.abs(tuned - start).max()))
    assert moved[1] > 20 * moved[0] > 0


@effect(FinetuneOptions, "layers")
def test_finetune_layers(bench: Bench) -> None:
    large = bench.pretrain(layers=3).run
    start = bench.weights(large)
    small = bench.finetune(model=large, layers=2, learning_rate=1e-9).run
    assert json.loads((small / "config.json").read_text())["num_hidden_layers"] == 2
    tuned = bench.weights(small)
    for place, layer in ((0, 0), (1, 2)):
        ours, theirs = (f"bert.encoder.layer.{number}.output.dense.weight" for number in (place, layer))
        assert np.abs(tuned[ours] - start[theirs]).max() < 1e-6
    assert not any(name.startswith("bert.encoder.layer.2") for name in tuned)


@effect(FinetuneOptions, "teacher", "distil_weight", "distil_temperature")
def test_finetune_teacher(bench: Bench) -> None:
    """The first loss is what the options make of that of the labels and that of the teacher's answers."""

    def first(**options: Any) -> float:
        return float(bench.updates(bench.finetune(**options).run)[0]["loss"])

    taught = {"teacher": bench.finetune(**LEARNING).run}
    labels, answers = first(), first(**taught, distil_weight=1)
    assert answers != pytest.approx(labels, rel=0.1)
    assert first(**taught, distil_weight=0.25) == pytest.approx(0.75 * labels + 0.25 * answers, rel=1e-5)
    assert first(**taught, distil_weight=1, distil_temperature=0.1) != pytest.approx(answers, rel=0.1)


@effect(FinetuneOptions, "search", "search_space")
def test_finetune_search(bench: Bench) -> None:
    """So many settings are tried, within what the space says."""
    for count, space, within in (
        (3, "learning_rate=1e-3..2e-3", {"learning_rate": (1e-3, 2e-3)}),
        (4, {"batch_size": [8, 16, 24], "epochs": "1..2"}, {"batch_size": (8, 24), "epochs": (1, 2)}),
    ):
        trials = bench.finetune(free=within, search=count, search_space=space).search["trials"]
        assert len(trials) == count
        for trial in trials[1:]:
            assert trial["settings"].keys() == within.keys()
            assert all(low <= trial["settings"][name] <= high for name, (low, high) in within.items())


@effect(FinetuneOptions, "micro_batch_tokens")
def test_finetune_micro_batch_tokens(bench: Bench) -> None:
    import bertsmith.finetuning.head_batches as module

    counts: list[int] = []
    original = module.TokenBudgetDataset.divide

    def divide(self: Any, update: Any) -> Any:
        found = original(self, update)
        counts.append(len(found))
        return found

    bench.monkeypatch.setattr(module.TokenBudgetDataset, "divide", divide)
    bench.finetune()
    few, counts[:] = max(counts), []
    bench.finetune(micro_batch_tokens=40)
    assert max(counts) > few


@effect(FinetuneOptions, "save_every")
def test_finetune_save_every(bench: Bench) -> None:
    """Stopped in the middle, a run without it has nothing to go on from."""
    at_update = bench.request.getfixturevalue("at_update")

    def stop() -> None:
        raise KeyboardInterrupt

    for every, left in ((2, ["step-2"]), (None, [])):
        out = bench.fresh()
        with at_update(4, stop), pytest.raises(KeyboardInterrupt):
            bench.finetune(out=out, epochs=3, save_every=every)
        assert sorted(path.name for path in out.glob("seeds/seed-0/checkpoints/step-*")) == left


@effect(FinetuneOptions, "overwrite")
def test_finetune_overwrite(bench: Bench) -> None:
    out = bench.finetune().run
    with pytest.raises(OutputError, match="not empty"):
        bench.finetune(out=out, epochs=2)
    assert len(bench.updates(out)) == 2
    bench.finetune(out=out, epochs=2, overwrite=True)
    assert len(bench.updates(out)) == 4


@effect(FinetuneOptions, "resume")
def test_finetune_resume(bench: Bench) -> None:
    """Stopped in its second seed; `resume` trains that one alone."""
    import bertsmith.finetuning.seed_training as module

    original, trained = module.train_head, []

    def train(*args: Any, **values: Any) -> Any:
        trained.append(values["seed"])
        if trained == [0, 1]:
            raise KeyboardInterrupt
        return original(*args, **values)

    bench.monkeypatch.setattr(module, "train_head", train)
    out = bench.fresh()
    with pytest.raises(KeyboardInterrupt):
        bench.finetune(out=out, seeds=2)
    result = bench.finetune(out=out, seeds=2, resume=True)
    assert trained == [0, 1, 1]
    assert len(result.metrics["accuracy"]["seeds"]) == 2


@effect(FinetuneOptions, "dry_run")
def test_finetune_dry_run(bench: Bench) -> None:
    bench.listen()
    out = bench.finetune(dry_run=True).run
    assert not out.exists()
    assert any(text.startswith("Training: 2 updates of") for text in bench.said)
    assert "Labels: bad 50.0%, good 50.0%" in bench.said
