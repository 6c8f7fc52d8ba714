"""The effects of `pretrain`'s options for the run: length, machine, checkpoints, output."""

from __future__ import annotations

import multiprocessing
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from bertsmith.config.pretrain import PretrainOptions
from bertsmith.errors import OptionError, OutputError
from support.bench import Bench, effect


def checkpoints(run: Path) -> list[str]:
    """The names of a RUN's checkpoints."""
    return sorted(path.name for path in (run / "checkpoints").iterdir())


@effect(PretrainOptions, "out")
def test_pretrain_out(bench: Bench) -> None:
    out = bench.place / "deep" / "run"
    assert bench.pretrain(out=out).run == out
    assert (out / "model.safetensors").is_file()
    assert [path.name for path in out.parent.iterdir()] == ["run"]


@effect(PretrainOptions, "minutes")
def test_pretrain_minutes(bench: Bench) -> None:
    short, long = (bench.pretrain(minutes=minutes) for minutes in (0.005, 0.02))
    assert short.seconds >= 0.3
    assert long.seconds >= 1.2
    assert short.steps < long.steps
    rates = bench.rates(long.run)
    assert rates[-1] < max(rates) / 2, "the learning rate falls by the clock"


@effect(PretrainOptions, "steps")
def test_pretrain_steps(bench: Bench) -> None:
    for steps in (1, 3):
        result = bench.pretrain(steps=steps)
        assert result.steps == len(bench.updates(result.run)) == steps


@effect(PretrainOptions, "micro_batch_size")
def test_pretrain_micro_batch_size(bench: Bench) -> None:
    seen = bench.training_batches()
    whole = bench.pretrain()
    assert [len(batch["input_ids"]) for batch in seen] == [8, 8]
    seen.clear()
    split = bench.pretrain(micro_batch_size=3)
    assert [len(batch["input_ids"]) for batch in seen] == [3, 3, 2, 3, 3, 2]
    assert bench.distance(whole.run, split.run) < 1e-5
    assert split.tokens_seen == whole.tokens_seen


@effect(PretrainOptions, "precision")
def test_pretrain_precision(bench: Bench) -> None:
    full, half = (bench.pretrain(precision=precision).run for precision in ("fp32", "bf16"))
    difference = bench.updates(half)[0]["mlm_loss"] - bench.updates(bench.base)[0]["mlm_loss"]
    assert 0 < abs(difference) < 0.05
    assert bench.distance(half, bench.base) > 0
    assert [bench.record(run)["precision"] for run in (full, half)] == ["fp32", "bf16"]
    assert bench.distance(full, bench.base) == 0
    chosen = bench.pretrain(precision="auto").run
    reasons = [choice["reason"] for choice in bench.record(chosen)["choices"] if choice["name"] == "precision"]
    assert reasons != ["asked for with --precision"]


@effect(PretrainOptions, "attention")
def test_pretrain_attention(bench: Bench) -> None:
    eager, fused = (bench.pretrain(attention=attention).run for attention in ("eager", "sdpa"))
    automatic, other = (fused, eager) if torch.cuda.is_available() else (eager, fused)
    assert bench.distance(automatic, bench.base) == 0
    # The same numbers in another order of adding: equal up to rounding, and not in the last bit.
    assert 0 < bench.distance(other, bench.base) < 1e-3
    chosen = [
        choice["value"]
        for run in (eager, fused)
        for choice in bench.record(run)["choices"]
        if choice["name"] == "attention"
    ]
    assert chosen == ["eager", "sdpa"]


@effect(PretrainOptions, "compile")
def test_pretrain_compile(bench: Bench) -> None:
    import torch

    compiled: list[type] = []
    bench.monkeypatch.setattr(torch.nn.Module, "compile", lambda module: compiled.append(type(module)))
    run = bench.pretrain(compile=True).run
    assert [kind.__name__ for kind in compiled] == ["BertForPreTraining"]
    assert 0 < bench.distance(run, bench.base) < 1e-3, "the stock parts: the same up to rounding"


@effect(PretrainOptions, "save_every")
def test_pretrain_save_every(bench: Bench) -> None:
    from bertsmith.training.run_folder import RunFolder

    bench.monkeypatch.setattr(RunFolder, "keep_checkpoints", lambda folder, _: folder.checkpoints())
    found = {every: checkpoints(bench.pretrain(steps=4, save_every=every).run) for every in (1, 2, 9)}
    assert found == {1: ["step-3", "step-4"], 2: ["step-2", "step-4"], 9: ["step-4"]}


@effect(PretrainOptions, "eval_every")
def test_pretrain_eval_every(bench: Bench) -> None:
    found = {}
    for every in (1, 2, 9):
        run = bench.pretrain(steps=5, eval_every=every).run
        found[every] = [line["step"] for line in bench.evaluations(run)]
    assert found == {1: [1, 2, 3, 4], 2: [2, 4], 9: []}


@effect(PretrainOptions, "workers")
def test_pretrain_workers(bench: Bench) -> None:
    """Batches come from so many other processes; the weights are the same."""
    import bertsmith.pretraining.components as module

    seen: list[int] = []
    original = module.loss_sums

    def watched(names: Any, teacher: None) -> Any:
        compute = original(names, teacher)

        def count(model: Any, batch: Any) -> Any:
            seen.append(len(multiprocessing.active_children()))
            return compute(model, batch)

        return count

    bench.monkeypatch.setattr(module, "loss_sums", watched)
    runs = [bench.pretrain(workers=workers).run for workers in (0, 2)]
    assert seen == [0, 0, 2, 2]
    assert bench.distance(*runs) == 0


@effect(PretrainOptions, "seed")
def test_pretrain_seed(bench: Bench) -> None:
    seen = bench.training_batches()
    same, other = (bench.pretrain(seed=seed).run for seed in (0, 1))
    assert bench.distance(same, bench.base) == 0
    assert bench.distance(other, bench.base) > 0.01, "other weights to begin with"
    assert seen[0]["input_ids"].tolist() != seen[2]["input_ids"].tolist(), "other examples"


@effect(PretrainOptions, "overwrite")
def test_pretrain_overwrite(bench: Bench) -> None:
    out = bench.pretrain(steps=1).run
    with pytest.raises(OutputError, match="not empty"):
        bench.pretrain(out=out, steps=3)
    assert len(bench.updates(out)) == 1
    bench.pretrain(out=out, steps=3, overwrite=True)
    assert len(bench.updates(out)) == 3


@effect(PretrainOptions, "resume")
def test_pretrain_resume(bench: Bench) -> None:
    out = bench.pretrain(steps=2).run
    result = bench.pretrain(out=out, steps=4, resume=True)
    assert (result.resumed_from_step, result.steps) == (2, 4)
    assert [update["step"] for update in bench.updates(out)] == [1, 2, 3, 4]


@effect(PretrainOptions, "dry_run")
def test_pretrain_dry_run(bench: Bench) -> None:
    bench.listen()
    result = bench.pretrain(dry_run=True)
    out, forecast = result.run, result.forecast
    assert not out.exists()
    assert forecast["parameters"] == bench.record(bench.base)["model"]["parameters"]
    assert forecast["updates"] == 2 and forecast["seconds_per_update"] > 0 and forecast["memory_bytes"] > 0
    assert forecast["tokens_per_parameter"] == pytest.approx(forecast["tokens"] / forecast["parameters"], rel=0.01)
    assert any(text.startswith("Model: 1 layer, hidden size 32") for text in bench.said)
    assert any("examples per pass" in text for text in bench.said)
    shutil.copytree(bench.base, out)
    bench.pretrain(out=out, overwrite=True, dry_run=True)
    assert (out / "model.safetensors").is_file(), "--overwrite deletes nothing in a dry run"


@effect(PretrainOptions, "auto_micro_batch")
def test_pretrain_auto_micro_batch(bench: Bench) -> None:
    """A memory that holds three examples at once gives micro-batches of two, and the same weights."""
    import torch

    from bertsmith.pretraining import micro_batch

    original = micro_batch.TrialStep.__call__

    def short_of_memory(self: micro_batch.TrialStep, size: int) -> float:
        if size > 3:
            raise torch.OutOfMemoryError
        return original(self, size)

    bench.monkeypatch.setattr(micro_batch.TrialStep, "__call__", short_of_memory)
    seen = bench.training_batches()
    run = bench.pretrain(auto_micro_batch=True).run
    assert [len(batch["input_ids"]) for batch in seen[-8:]] == [2] * 8
    assert bench.distance(run, bench.base) < 1e-5


@effect(PretrainOptions, "gradient_checkpointing")
def test_pretrain_gradient_checkpointing(bench: Bench) -> None:
    """Each layer is computed twice in an update, and the weights are the same."""
    from transformers.activations import GELUActivation

    calls: list[int] = []
    bench.watch(GELUActivation, "forward", lambda gelu, *_: calls.append(1) if gelu.training else None)
    counts, runs = [], []
    for chosen in (False, True):
        calls.clear()
        runs.append(bench.pretrain(gradient_checkpointing=chosen, steps=2).run)
        counts.append(len(calls))
    # One in the layer and one in the MLM head; the layer's is computed twice.
    assert counts == [2 * 2, 2 * 3]
    assert bench.distance(*runs) < 1e-6


@effect(PretrainOptions, "fsdp")
def test_pretrain_fsdp(bench: Bench) -> None:
    """In one process there is nothing to divide; several are in tests/training/test_distributed.py."""
    bench.pretrain(fsdp=False)
    with pytest.raises(OptionError, match="torchrun"):
        bench.pretrain(fsdp=True)


@effect(PretrainOptions, "tensorboard")
def test_pretrain_tensorboard(bench: Bench) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = bench.pretrain(tensorboard=True, steps=3, eval_every=1).run
    events = accumulators.EventAccumulator(str(run / "tensorboard")).Reload()
    losses = [(event.step, event.value) for event in events.Scalars("train/mlm_loss")]
    assert losses == [(line["step"], pytest.approx(line["mlm_loss"], rel=1e-6)) for line in bench.updates(run)]
    held_out = [event.step for event in events.Scalars("eval/mlm_nats_per_masked_token")]
    assert held_out == [line["step"] for line in bench.evaluations(run)] == [1, 2]
    assert not (bench.base / "tensorboard").exists()
