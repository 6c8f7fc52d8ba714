"""Training of a head: token budgets, learning rates by layer, interruption and resuming, diverging seeds."""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from bertsmith.errors import DivergedError, Interrupted, OptionError
from bertsmith.finetuning import choices, head_training
from bertsmith.finetuning.best_weights import BestWeights
from bertsmith.finetuning.head_batches import HeadBatches, LabelledData, TokenBudgetDataset
from bertsmith.finetuning.parameters import depth_of, rate_shares_by_layer
from bertsmith.runtime.machine import AutomaticChoice
from bertsmith.tasks.encoded_texts import EncodedTexts
from bertsmith.tasks.sequence_classification.head import SequenceLosses
from bertsmith.tasks.sequence_classification.task import SequenceClassification
from bertsmith.tasks.values import SINGLE_LABEL
from bertsmith.training.run_folder import read_metrics
from bertsmith.training.update_sampler import Update
from bertsmith.verbs.evaluate import evaluate
from bertsmith.verbs.finetune import finetune

Labelled = Callable[..., Path]
Signalled = Callable[..., AbstractContextManager[None]]
QUICK: dict[str, Any] = {"precision": "fp32", "max_length": 32, "learning_rate": 3e-3, "batch_size": 16, "epochs": 2}


def budgeted(lengths: list[int], *, budget: int, threads: int, batch_size: int) -> TokenBudgetDataset:
    encoded = EncodedTexts(
        [[5] * length for length in lengths], [[0] * length for length in lengths], [0] * len(lengths)
    )
    data = LabelledData(encoded, np.zeros(len(lengths)))
    head = SequenceLosses(SequenceClassification(("no", "yes"), SINGLE_LABEL))
    return TokenBudgetDataset(
        HeadBatches(data, head, batch_size, pad_token_id=0, with_types=True, seed=0), budget=budget, threads=threads
    )


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=20),
    st.integers(1, 400),
    st.integers(1, 3),
    st.integers(1, 12),
    st.integers(0, 50),
)
def test_micro_batches_hold_each_example_once_within_the_budget(
    lengths: list[int], budget: int, threads: int, batch_size: int, first: int
) -> None:
    batches = budgeted(lengths, budget=budget, threads=threads, batch_size=batch_size)
    parts = batches.divide(Update(0, first, batch_size))
    assert sorted(itertools.chain(*parts)) == list(range(first, first + batch_size))
    sizes = [[lengths[batches.batches.row(number)] for number in part] for part in parts]
    flat = list(itertools.chain(*sizes))
    assert flat == sorted(flat, reverse=True)
    assert all(max(part) * len(part) <= max(budget, max(flat)) for part in sizes)


def test_micro_batches_are_as_even_as_can_be() -> None:
    """Against every division of the sorted rows in two."""
    lengths = [50, 40, 12, 11, 10, 9, 8, 3]
    parts = budgeted(lengths, budget=10_000, threads=2, batch_size=8)
    sizes = [[lengths[parts.batches.row(number)] for number in part] for part in parts.divide(Update(0, 0, 8))]
    best = min(max(lengths[0] * cut, lengths[cut] * (8 - cut)) for cut in range(1, 8))
    assert len(sizes) == 2
    assert max(max(part) * len(part) for part in sizes) == best


def test_a_row_beyond_the_budget_is_alone() -> None:
    parts = budgeted([100, 5, 5], budget=20, threads=1, batch_size=3).divide(Update(0, 0, 3))
    assert sorted(map(len, parts)) == [1, 2]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    left, right = weights(one), weights(other)
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_the_budget_does_not_change_the_result(still: Path, labelled: Labelled, tmp_path: Path) -> None:
    files = {"model": still, "train": labelled("train", 48), "dev": labelled("dev", 20)}
    found = [
        finetune("sequence-classification", **files, **QUICK, out=tmp_path / str(tokens), micro_batch_tokens=tokens)
        for tokens in (10_000, 60, 1)
    ]
    whole = weights(found[0].run)
    for other in found[1:]:
        for name, tensor in weights(other.run).items():
            torch.testing.assert_close(tensor, whole[name], atol=5e-5, rtol=1e-3)
        losses = [[line["loss"] for line in read_metrics(result.run)[0]] for result in (found[0], other)]
        assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_where_a_parameter_stands() -> None:
    names = {
        "bert.embeddings.word_embeddings.weight": 0,
        "bert.encoder.layer.0.attention.self.query.weight": 1,
        "bert.encoder.layer.5.output.LayerNorm.bias": 6,
        "bert.pooler.dense.weight": 7,
        "classifier.weight": 7,
        "distilbert.embeddings.position_embeddings.weight": 0,
        "distilbert.transformer.layer.2.ffn.lin1.weight": 3,
        "pre_classifier.weight": 7,
        "model.embeddings.tok_embeddings.weight": 0,
        "model.layers.3.mlp.Wi.weight": 4,
        "qa_outputs.bias": 7,
    }
    assert {name: depth_of(name, 6) for name in names} == names


def test_rate_shares_by_layer() -> None:
    class Config:
        num_hidden_layers = 6

    assert rate_shares_by_layer(Config, 1.0) is None
    rate = rate_shares_by_layer(Config, 0.5)
    assert rate is not None
    assert rate("classifier.weight") == 1
    assert rate("bert.encoder.layer.5.output.dense.weight") == 0.5
    assert rate("bert.encoder.layer.0.output.dense.weight") == 0.5**6
    assert rate("bert.embeddings.LayerNorm.weight") == 0.5**7


def test_the_logged_rate_is_that_of_the_head(run: Path, labelled: Labelled, tmp_path: Path) -> None:
    files = {"model": run, "train": labelled("train", 48), "dev": labelled("dev", 20)}
    rates = [
        [
            line["learning_rate"]
            for line in read_metrics(
                finetune("sequence-classification", **files, **QUICK, out=tmp_path / str(decay), layer_decay=decay).run
            )[0]
        ]
        for decay in (1.0, 0.3)
    ]
    assert rates[0] == rates[1] and max(rates[0]) > 0


def test_more_layers_than_there_are(run: Path, labelled: Labelled, tmp_path: Path) -> None:
    files = {"model": run, "train": labelled("train", 48), "dev": labelled("dev", 20), "out": tmp_path / "run"}
    with pytest.raises(OptionError, match=r"--freeze-layers: found 40, expected at most \d+"):
        finetune("sequence-classification", **files, **QUICK, freeze_layers=40)
    assert not files["out"].exists()


@pytest.mark.parametrize("stop", [2, 5])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    run: Path, labelled: Labelled, tmp_path: Path, signalled: Signalled, stop: int
) -> None:
    """With dropout; the best weights may be of before the stop or of after it."""
    options = {**QUICK, "model": run, "train": labelled("train", 48), "dev": labelled("dev", 20), "eval_every": 1}
    unbroken = finetune("sequence-classification", **options, out=tmp_path / "unbroken").run
    out = tmp_path / "stopped"
    with signalled(stop), pytest.raises(Interrupted, match=f"after update {stop} of seed 0"):
        finetune("sequence-classification", **options, out=out)
    assert (out / "seeds" / "seed-0" / "checkpoints" / f"step-{stop}" / "best.json").is_file()
    finetune("sequence-classification", **options, out=out, resume=True)
    assert same(out, unbroken)
    lines = [
        [
            {key: value for key, value in line.items() if "second" not in key}
            for line in itertools.chain(*read_metrics(at))
        ]
        for at in (out, unbroken)
    ]
    assert lines[0] == lines[1] and len(lines[0]) == 12
    results = [json.loads((at / "seeds" / "seed-0" / "result.json").read_text()) for at in (out, unbroken)]
    assert results[0] == results[1]
    assert not (out / "seeds" / "seed-0" / "checkpoints").exists()


def test_a_signal_during_the_last_evaluation_keeps_the_training(
    run: Path, labelled: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**QUICK, "model": run, "train": labelled("train", 48), "dev": labelled("dev", 20), "eval_every": 6}
    unbroken = finetune("sequence-classification", **options, out=tmp_path / "unbroken").run
    out = tmp_path / "stopped"
    original = head_training.head_outputs

    def head_outputs(*arguments: Any, **more: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return original(*arguments, **more)

    monkeypatch.setattr(head_training, "head_outputs", head_outputs)
    with pytest.raises(Interrupted, match=r"after the last update \(6\) of seed 0"):
        finetune("sequence-classification", **options, out=out)
    assert (out / "seeds" / "seed-0" / "checkpoints" / "step-6" / "best.json").is_file()
    monkeypatch.undo()
    finetune("sequence-classification", **options, out=out, resume=True)
    assert same(out, unbroken)


def test_a_resumed_run_keeps_its_threads_and_precision(
    run: Path, labelled: Labelled, tmp_path: Path, signalled: Signalled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With dropout, which depends on the number of threads, on a machine with other cores than at the start."""

    def on_a_machine_of(threads: int, precision: str) -> None:
        monkeypatch.setattr(
            choices, "choose_micro_batch_threads", lambda *_, **__: AutomaticChoice("streams", str(threads), "a test")
        )
        monkeypatch.setattr(choices, "choose_precision", lambda *_: AutomaticChoice("precision", precision, "a test"))

    options = {**QUICK, "model": run, "train": labelled("train", 48), "dev": labelled("dev", 20), "precision": "auto"}
    on_a_machine_of(1, "fp32")
    unbroken = finetune("sequence-classification", **options, out=tmp_path / "unbroken").run
    out = tmp_path / "stopped"
    with signalled(2), pytest.raises(Interrupted):
        finetune("sequence-classification", **options, out=out)
    on_a_machine_of(2, "bf16")
    finetune("sequence-classification", **options, out=out, resume=True)
    assert same(out, unbroken)
    made = {one["name"]: one for one in json.loads((out / "run.json").read_text())["choices"]}
    for name, value in (("streams", "1"), ("precision", "fp32")):
        assert (made[name]["value"], made[name]["reason"]) == (value, "as when the run started")
    other = finetune("sequence-classification", **options, out=tmp_path / "other").run
    assert not same(other, unbroken)


def test_more_seeds_later(run: Path, labelled: Labelled, tmp_path: Path) -> None:
    options = {**QUICK, "model": run, "train": labelled("train", 48), "dev": labelled("dev", 20)}
    out = tmp_path / "run"
    finetune("sequence-classification", **options, out=out)
    result = finetune("sequence-classification", **options, out=out, seeds=3, resume=True)
    whole = finetune("sequence-classification", **options, out=tmp_path / "whole", seeds=3)
    assert result.metrics == whole.metrics and result.best_seed == whole.best_seed
    assert same(out, whole.run)
    with pytest.raises(OptionError, match=r"--seeds 2: .* already has 3 seeds; expected at least 3"):
        finetune("sequence-classification", **options, out=out, seeds=2, resume=True)
    assert same(out, whole.run)


def test_reported_figures_are_those_of_evaluate_whatever_training_computes_with(
    run: Path, labelled: Labelled, tmp_path: Path
) -> None:
    options = {**QUICK, "model": run, "train": labelled("train", 96), "dev": labelled("dev", 60), "precision": "bf16"}
    result = finetune("sequence-classification", **options, out=tmp_path / "run")
    found = evaluate(tmp_path / "run", labelled("dev", 60), max_length=32).metrics
    assert {name: figure["value"] for name, figure in found.items()} == {
        name: figure["mean"] for name, figure in result.metrics.items()
    }


def test_a_changed_file_is_not_resumed(run: Path, labelled: Labelled, tmp_path: Path) -> None:
    train = tmp_path / "train.jsonl"
    train.write_bytes(labelled("train", 48).read_bytes())
    options = {**QUICK, "model": run, "train": train, "dev": labelled("dev", 20), "out": tmp_path / "run"}
    finetune("sequence-classification", **options)
    with train.open("a") as file:
        file.write(json.dumps({"text": "one more", "label": "food"}) + "\n")
    with pytest.raises(OptionError, match=r"train.jsonl has changed since .* was started"):
        finetune("sequence-classification", **options, seeds=2, resume=True)


def poisoned(monkeypatch: pytest.MonkeyPatch, *seeds: int) -> None:
    """The loss of these seeds is not a number after some micro-batches."""
    original = SequenceLosses.loss_sum
    calls: dict[int, int] = {}

    def train(*arguments: Any, **values: Any) -> Any:
        seed = values["seed"]

        def loss_sum(self: Any, output: Any, gold: Any) -> Any:
            calls[seed] = calls.get(seed, 0) + 1
            loss = original(self, output, gold)
            return loss * float("nan") if seed in seeds and calls[seed] > 3 else loss

        monkeypatch.setattr(SequenceLosses, "loss_sum", loss_sum)
        return train_head(*arguments, **values)

    import bertsmith.finetuning.seed_training as module

    train_head = module.train_head
    monkeypatch.setattr(module, "train_head", train)


def test_a_seed_that_diverges_is_marked(
    run: Path, labelled: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned(monkeypatch, 1)
    options = {**QUICK, "model": run, "train": labelled("train", 240), "dev": labelled("dev", 60), "epochs": 6}
    result = finetune("sequence-classification", **options, out=tmp_path / "run", seeds=3)
    assert result.diverged_seeds == [1]
    assert len(result.metrics["accuracy"]["seeds"]) == 2
    assert result.best_seed in (0, 2)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["diverged_seeds"] == [1]
    assert record["warnings"][-2].startswith("seed 1 diverged: update ")
    assert record["warnings"][-1] == "the results are over 2 of 3 seeds, without the diverged ones"


def test_no_seed_that_ends(run: Path, labelled: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poisoned(monkeypatch, 0, 1)
    options = {**QUICK, "model": run, "train": labelled("train", 48), "dev": labelled("dev", 20)}
    with pytest.raises(DivergedError, match=r"all seeds failed: update \d+: the loss is not finite"):
        finetune("sequence-classification", **options, out=tmp_path / "run", seeds=2)
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_figures_that_are_no_numbers(
    run: Path, labelled: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SequenceClassification, "values", lambda *_: {"accuracy": float("nan")})
    options = {**QUICK, "model": run, "train": labelled("train", 48), "dev": labelled("dev", 20)}
    with pytest.raises(DivergedError, match=r"all seeds failed: accuracy on the dev file was not finite"):
        finetune("sequence-classification", **options, out=tmp_path / "run")
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_a_seed_at_the_baseline_is_marked(run: Path, labelled: Labelled, tmp_path: Path) -> None:
    options = {**QUICK, "model": run, "train": labelled("train", 48), "dev": labelled("dev", 20), "learning_rate": 1e-9}
    result = finetune("sequence-classification", **options, out=tmp_path / "run")
    accuracy = result.metrics["accuracy"]["mean"]
    assert result.diverged_seeds == ([0] if accuracy <= result.baseline["accuracy"] else [])


def test_the_best_weights_and_their_files(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 2)
    best = BestWeights()
    best.save(tmp_path)
    again = BestWeights()
    again.load(tmp_path)
    assert (again.value, again.weights) == (float("-inf"), {})
    best.consider(model, float("nan"), step=1, chosen={})
    assert best.weights == {} and best.without_gain == 1
    best.consider(model, 0.5, step=2, chosen={"a": 1.5})
    kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        model.weight.zero_()
    best.consider(model, 0.5, step=3, chosen={"a": 2})
    best.save(tmp_path)
    again.load(tmp_path)
    assert (again.value, again.step, again.without_gain, again.chosen) == (0.5, 2, 1, {"a": 1.5})
    again.load_into(model)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in model.state_dict().items())
