"""One update is the same for every division of its batch, and a resumed run is the unbroken one, bit for bit."""

from __future__ import annotations

import itertools
import multiprocessing
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
import transformers

from bertsmith.errors import BertsmithError
from bertsmith.pretraining import automatic_choices, components
from bertsmith.runtime import machine
from bertsmith.verbs.pretrain import pretrain

Weights = dict[str, torch.Tensor]
WeightsOf = Callable[[Path], Weights]
MetricsOf = Callable[[Path], list[dict[str, Any]]]
Options = dict[str, Any]
Difference = Callable[[Weights, Weights], tuple[float, str]]
Identical = Callable[[Weights, Weights], None]
AtUpdate = Callable[[int, Callable[[], None]], AbstractContextManager[None]]

NO_GRADIENT = "attention.self.key.bias"
"""In exact arithmetic the bias of the keys has no gradient (softmax does not see it); AdamW scales its rounding up."""


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """Compute on so many threads, whatever the machine has."""
    with mock.patch.object(machine, "choose_threads", lambda: machine.AutomaticChoice("threads", str(count), "tests")):
        yield


# The division of a batch


@pytest.fixture(scope="module")
def divided(little_store: Path, options: Options, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Runs of 8 updates of 16 examples, taken so many at once."""
    folder = tmp_path_factory.mktemp("divided")
    for micro in (16, 8, 4, 5):
        pretrain(little_store, out=folder / str(micro), steps=8, dropout=0, micro_batch_size=micro, **options)
    return {micro: folder / str(micro) for micro in (16, 8, 4, 5)}


@pytest.mark.parametrize("micro", [8, 4, 5])
def test_an_update_is_the_same_for_every_division_of_its_batch(
    divided: dict[int, Path],
    metrics_of: MetricsOf,
    weights_of: WeightsOf,
    micro: int,
    largest_difference: Difference,
) -> None:
    whole, parts = metrics_of(divided[16]), metrics_of(divided[micro])
    updates = [line for line in whole if "grad_norm" in line]
    assert len(updates) == 8
    for expected, found in zip(updates, [line for line in parts if "grad_norm" in line], strict=True):
        for name in ("grad_norm", "mlm_loss", "nsp_loss"):
            assert found[name] == pytest.approx(expected[name], rel=1e-4), (found["step"], name)
        for name in ("step", "tokens_seen", "learning_rate"):
            assert found[name] == expected[name]
    difference, name = largest_difference(weights_of(divided[16]), weights_of(divided[micro]))
    assert difference <= 1e-5, f"{name} differs by {difference:.2e}"


def test_the_weights_did_move(divided: dict[int, Path], weights_of: WeightsOf) -> None:
    """What the test above compares is not the initialisation."""
    torch.manual_seed(0)
    start = transformers.BertForPreTraining.from_pretrained(divided[16])
    fresh = transformers.BertForPreTraining(start.config).state_dict()
    final = weights_of(divided[16])
    moved = [(final[name] - fresh[name]).abs().max().item() for name in final if NO_GRADIENT not in name]
    assert min(moved) > 1e-3


# torch says that pinned memory, on by default in the Trainer, does nothing without an accelerator.
@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true")
def test_stock_multiplies_the_gradient_by_the_number_of_micro_batches(little_store: Path, tmp_path: Path) -> None:
    """The trap that this project avoids (shared findings, row 1): it is still there in the stock path."""
    from bertsmith import PretrainingCollator, PretrainingDataset

    collator = PretrainingCollator.for_store(little_store, sequence_length=64)
    config = transformers.BertConfig(
        vocab_size=collator.vocabulary.size,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        hidden_dropout_prob=0,
        attention_probs_dropout_prob=0,
    )
    norms = {}
    for at_once, times in ((16, 1), (4, 4)):
        torch.manual_seed(0)
        trainer = transformers.Trainer(
            model=transformers.BertForPreTraining(config),
            args=transformers.TrainingArguments(
                str(tmp_path),
                max_steps=1,
                per_device_train_batch_size=at_once,
                gradient_accumulation_steps=times,
                logging_steps=1,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
            ),
            train_dataset=PretrainingDataset(little_store, sequence_length=64),
            data_collator=collator,
        )
        trainer.train()
        norms[times] = trainer.state.log_history[0]["grad_norm"]
    assert norms[4] / norms[1] == pytest.approx(4, rel=0.1)


# Resume


@pytest.fixture(scope="module")
def unbroken(little_store: Path, options: Options, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """An unbroken run of 14 updates with dropout, over more than two epochs; one for each optimizer and threads."""
    made: dict[tuple[str, int], Path] = {}

    def make(optimizer: str = "adamw", threads: int = 1) -> Path:
        key = optimizer, threads
        if key not in made:
            made[key] = tmp_path_factory.mktemp("unbroken") / "run"
            with on_threads(threads):
                pretrain(little_store, out=made[key], **course(options, optimizer))
        return made[key]

    return make


def course(options: Options, optimizer: str = "adamw") -> Options:
    return {**options, "steps": 14, "dropout": 0.1, "eval_every": 3, "save_every": 5, "optimizer": optimizer}


def test_an_epoch_of_these_runs_ends_in_their_middle(unbroken: Callable[..., Path]) -> None:
    from bertsmith.runtime.files import read_json

    examples = read_json(unbroken("adamw") / "run.json")["data"]["examples"]
    assert 2 * examples < 14 * 16, "the runs are to see a third epoch"
    assert examples > 2 * 16, "an epoch is to take several updates"


@pytest.mark.parametrize(
    ("optimizer", "workers", "threads", "stops"),
    [
        pytest.param("adamw", 0, 1, [4], id="once"),
        pytest.param("adamw", 2, 1, [7], id="workers"),
        pytest.param("adamw", 0, 1, [3, 6, 13], id="thrice"),
        pytest.param("adamw", 0, 2, [8], id="threads"),
        pytest.param("muon", 0, 1, [4], id="muon"),
    ],
)
def test_an_interrupted_run_ends_in_the_weights_of_an_unbroken_one(
    little_store: Path,
    options: Options,
    unbroken: Callable[..., Path],
    weights_of: WeightsOf,
    metrics_of: MetricsOf,
    tmp_path: Path,
    optimizer: str,
    workers: int,
    threads: int,
    stops: list[int],
    caplog: pytest.LogCaptureFixture,
    assert_identical: Identical,
    interrupted: Callable[..., None],
) -> None:
    out, whole = tmp_path / "run", unbroken(optimizer, threads)
    first, *others = stops
    with on_threads(threads):
        interrupted(little_store, out, first, **course(options, optimizer), workers=workers)
        assert not (out / "model.safetensors").exists()
        for stop in others:
            interrupted(little_store, out, stop, resume=True, workers=workers)
        result = pretrain(little_store, out=out, resume=True, workers=workers)
    assert not [record for record in caplog.records if not record.name.startswith("bertsmith")], "a library talks"
    assert (result.resumed_from_step, result.steps) == (stops[-1], 14)
    assert_identical(weights_of(out), weights_of(whole))
    assert metrics_of(out) == metrics_of(whole)
    assert result.tokens_seen == metrics_of(out)[-1]["tokens_seen"]


def test_muon_does_not_train_as_adamw_does(
    unbroken: Callable[..., Path], weights_of: WeightsOf, largest_difference: Difference
) -> None:
    """Muon's own spread over divisions of a batch is 1e-4 at this size in ten updates (findings, row 26)."""
    difference, _ = largest_difference(weights_of(unbroken("adamw")), weights_of(unbroken("muon")))
    assert difference > 3e-3


def test_workers_do_not_change_the_weights(
    little_store: Path,
    options: Options,
    unbroken: Callable[..., Path],
    weights_of: WeightsOf,
    tmp_path: Path,
    assert_identical: Identical,
) -> None:
    pretrain(little_store, out=tmp_path / "run", **course(options), workers=2)
    assert multiprocessing.active_children() == [], "the workers live on"
    assert_identical(weights_of(tmp_path / "run"), weights_of(unbroken("adamw")))


def test_updates_after_the_last_checkpoint_are_made_again(
    little_store: Path,
    options: Options,
    unbroken: Callable[..., Path],
    weights_of: WeightsOf,
    metrics_of: MetricsOf,
    tmp_path: Path,
    assert_identical: Identical,
    at_update: AtUpdate,
) -> None:
    """A run that breaks down without a checkpoint of its own goes on from the newest one."""

    def break_down() -> None:
        raise RuntimeError("the power is gone")

    out = tmp_path / "run"
    with at_update(8, break_down), pytest.raises(RuntimeError, match="power"):
        pretrain(little_store, out=out, **course(options))
    assert metrics_of(out)[-1]["step"] == 7
    with (out / "metrics.jsonl").open("a") as file:
        file.write('{"step": 8, "mlm_lo')  # a line that was cut off
    result = pretrain(little_store, out=out, resume=True)
    assert result.resumed_from_step == 5
    assert_identical(weights_of(out), weights_of(unbroken("adamw")))
    assert metrics_of(out) == metrics_of(unbroken("adamw"))


@pytest.mark.slow
def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(
    little_store: Path,
    options: Options,
    unbroken: Callable[..., Path],
    weights_of: WeightsOf,
    metrics_of: MetricsOf,
    tmp_path: Path,
    assert_identical: Identical,
) -> None:
    out = tmp_path / "run"
    code = f"""
        import os, signal
        from pathlib import Path
        from bertsmith.runtime import machine
        import torch
        from bertsmith.verbs.pretrain import pretrain

        def killed(state, file):
            if file.parent.name == ".step-10.partial" and file.name == "random_states.pt":
                os.kill(os.getpid(), signal.SIGKILL)
            original(state, file)

        original, torch.save = torch.save, killed
        machine.choose_threads = lambda: machine.AutomaticChoice("threads", "1", "tests")
        machine.requested_threads = lambda: None
        pretrain(Path({str(little_store)!r}), out=Path({str(out)!r}), **{course(options)!r})
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == [".step-10.partial", "step-5"]
    assert (out / "checkpoints" / ".step-10.partial" / "model.safetensors").is_file(), "it was killed too early"
    result = pretrain(little_store, out=out, resume=True)
    assert result.resumed_from_step == 5
    assert_identical(weights_of(out), weights_of(unbroken("adamw")))
    assert metrics_of(out) == metrics_of(unbroken("adamw"))
    assert not list((out / "checkpoints").glob(".*")), "the half-written checkpoint is left behind"


def test_another_division_may_go_on(
    little_store: Path,
    options: Options,
    weights_of: WeightsOf,
    tmp_path: Path,
    largest_difference: Difference,
    interrupted: Callable[..., None],
) -> None:
    """The division of a batch may change on resume, because an update does not depend on it."""
    whole = tmp_path / "whole"
    pretrain(little_store, out=whole, steps=6, dropout=0, **options)
    out = tmp_path / "run"
    interrupted(little_store, out, 3, steps=6, dropout=0, **options)
    pretrain(little_store, out=out, resume=True, micro_batch_size=5)
    difference, name = largest_difference(weights_of(out), weights_of(whole))
    assert difference <= 1e-5, f"{name} differs by {difference:.2e}"


# What stops a run, and what a run starts from


def test_a_loss_that_is_not_finite_stops_the_run_before_the_weights_change(
    little_store: Path,
    options: Options,
    tmp_path: Path,
    assert_identical: Identical,
) -> None:
    calls: list[tuple[torch.nn.Module, Weights]] = []
    numbers = itertools.count(1)
    original = components.loss_sums

    def spoilt(names: tuple[str, ...], teacher: None) -> Callable[..., torch.Tensor]:
        compute = original(names, teacher)

        def call(model: torch.nn.Module, batch: dict[str, Any]) -> torch.Tensor:
            number = next(numbers)
            calls.append((model, {name: tensor.clone() for name, tensor in model.state_dict().items()}))
            return compute(model, batch) * (float("nan") if number == 5 else 1.0)

        return call

    out = tmp_path / "run"
    with (
        mock.patch.object(components, "loss_sums", spoilt),
        pytest.raises(BertsmithError, match=r"update 3: the loss is not finite.*--learning-rate"),
    ):
        pretrain(little_store, out=out, steps=6, save_every=1, **options)
    model, before = calls[4]
    # Two threads per update; the examples of the one that failed are asked one by one, and nothing else is computed.
    assert len(calls) == 3 * 2 + 8
    assert_identical(dict(model.state_dict()), before)
    assert [path.name for path in sorted((out / "checkpoints").iterdir())] == ["step-1", "step-2"]
    assert not (out / "model.safetensors").exists()


@pytest.mark.parametrize("objective", ["mlm+nsp", "mlm"])
def test_a_run_that_continues_starts_from_the_weights_of_its_model(
    run: Path,
    store: Path,
    weights_of: WeightsOf,
    tmp_path: Path,
    objective: str,
    assert_identical: Identical,
) -> None:
    first: list[Weights] = []
    original = components.loss_sums

    def watched(names: tuple[str, ...], teacher: None) -> Callable[..., torch.Tensor]:
        compute = original(names, teacher)

        def call(model: torch.nn.Module, batch: dict[str, Any]) -> torch.Tensor:
            if not first:
                first.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
            return compute(model, batch)

        return call

    with mock.patch.object(components, "loss_sums", watched):
        pretrain(
            store, out=tmp_path / "run", from_=run, steps=1, objective=objective, sequence_length=32, precision="fp32"
        )
    source = weights_of(run)
    assert_identical({name: first[0][name] for name in source}, source)


def test_a_run_that_continues_begins_with_the_figures_of_its_model(run: Path, store: Path, tmp_path: Path) -> None:
    from bertsmith.runtime.files import read_json

    result = pretrain(
        store, out=tmp_path / "run", from_=str(run), steps=1, batch_size=8, sequence_length=32, precision="fp32"
    )
    assert result.evaluation_before == read_json(run / "run.json")["evaluation"]
    assert result.evaluation != result.evaluation_before


# Precision


@pytest.mark.usefixtures("cpu")
@pytest.mark.parametrize("threads", [1, 2])
def test_the_precision_is_that_of_the_plan_whatever_accelerate_is_told(
    store: Path,
    tmp_path: Path,
    tiny: Options,
    threads: int,
    weights_of: WeightsOf,
    assert_identical: Identical,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`accelerate launch` leaves a precision of its own in the environment of a process."""
    chosen = machine.AutomaticChoice("streams", str(threads), "a test")
    monkeypatch.setattr(automatic_choices, "choose_micro_batch_threads", lambda *_, **__: chosen)
    runs = {}
    for told in ("no", "bf16"):
        monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", told)
        for precision in ("fp32", "bf16"):
            out = tmp_path / f"{told} {precision}"
            runs[told, precision] = weights_of(
                pretrain(store, out=out, steps=2, **{**tiny, "precision": precision}).run
            )
    for precision in ("fp32", "bf16"):
        assert_identical(runs["no", precision], runs["bf16", precision])
    name = "bert.encoder.layer.0.output.dense.weight"
    assert not torch.equal(runs["no", "fp32"][name], runs["no", "bf16"][name])
