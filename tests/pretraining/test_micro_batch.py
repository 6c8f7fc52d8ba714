"""How many examples are computed at once: by the forecast, or by a trial that leaves nothing behind."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from safetensors.torch import load_file

from bertsmith.errors import ResourceError
from bertsmith.pretraining import automatic_choices, components
from bertsmith.pretraining.micro_batch import TrialStep, choose_micro_batch, share_of_memory
from bertsmith.runtime.files import read_json
from bertsmith.training.micro_batches import Batch
from bertsmith.training.step_forecast import StepMemory
from bertsmith.training.training_plan import Computation, Losses
from bertsmith.verbs.pretrain import pretrain

FREE = 1_000_000_000
Options = dict[str, Any]


def forecast(size: int) -> StepMemory:
    """100 MB, and 150 MB an example."""
    activations = 150_000_000 * size
    return StepMemory(50_000_000, 25_000_000, 25_000_000, activations, 100_000_000 + activations)


def test_what_fits_is_taken_whole() -> None:
    chosen = choose_micro_batch(6, None, forecast, free=FREE, trial=None)
    assert (chosen.size, chosen.memory, chosen.choice) == (6, forecast(6), None)


def test_what_was_asked_for_is_taken() -> None:
    assert choose_micro_batch(64, 5, forecast, free=FREE, trial=None).size == 5


@pytest.mark.parametrize(("batch_size", "asked"), [(32, None), (32, 16), (9, None)])
def test_more_than_is_free_is_refused_with_what_fits(batch_size: int, asked: int | None) -> None:
    with pytest.raises(ResourceError) as raised:
        choose_micro_batch(batch_size, asked, forecast, free=FREE, trial=None)
    message = str(raised.value)
    assert raised.value.exit_code == 3
    wanted = asked or batch_size
    size = 0.1 + 0.15 * wanted
    text = f"{size:.1f} GB"
    assert f"{wanted} examples at once need {text} of memory (forecast), and 1.0 GB are free" in message
    (fitting,) = re.findall(r"--micro-batch-size (\d+), which fits and gives the same result", message)
    assert forecast(int(fitting)).total <= FREE
    assert choose_micro_batch(batch_size, int(fitting), forecast, free=FREE, trial=None).size == int(fitting)


def test_where_nothing_fits_a_smaller_model_is_advised() -> None:
    with pytest.raises(ResourceError, match=r"Even a single example needs 250\.0 MB. Try: a smaller --size"):
        choose_micro_batch(32, None, forecast, free=200_000_000, trial=None)


def test_processes_share_batch_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert choose_micro_batch(22, None, forecast, free=FREE, trial=None).size == 6
    assert share_of_memory(FREE) == FREE // 2


class Trial:
    """A machine that holds so many examples."""

    def __init__(self, holds: int) -> None:
        self.holds, self.tried = holds, list[int]()

    def __call__(self, size: int) -> float:
        self.tried.append(size)
        if size > self.holds:
            raise torch.OutOfMemoryError("injected")
        return 0.1


@pytest.mark.parametrize(
    ("batch_size", "holds", "tried"),
    [(4, 100, [4]), (4, 1, [4, 2, 1]), (5, 3, [5, 3]), (64, 100, [4]), (64, 2, [4, 2])],
)
def test_a_trial_is_halved_until_it_fits(batch_size: int, holds: int, tried: list[int]) -> None:
    """It begins with what the forecast allows."""
    trial = Trial(holds)
    chosen = choose_micro_batch(batch_size, None, forecast, free=FREE, trial=trial)
    assert trial.tried == tried
    assert (chosen.size, chosen.memory) == (tried[-1], forecast(tried[-1]))
    assert chosen.choice is not None and (chosen.choice.name, chosen.choice.value) == ("micro-batch", str(tried[-1]))


def test_a_trial_is_made_even_where_the_forecast_says_no() -> None:
    assert choose_micro_batch(8, None, forecast, free=1, trial=Trial(3)).size == 1


def test_where_not_even_one_example_fits_a_trial_says_so() -> None:
    with pytest.raises(ResourceError, match=r"a single example does not fit into memory\. Try: a smaller --size"):
        choose_micro_batch(8, None, forecast, free=FREE, trial=Trial(0))


def test_another_error_of_a_trial_is_not_taken_for_a_lack_of_memory() -> None:
    def broken(size: int) -> float:
        raise RuntimeError(f"a bug with {size}")

    with pytest.raises(RuntimeError, match="a bug with 4"):
        choose_micro_batch(4, None, forecast, free=FREE, trial=broken)


# A trial step


class Model(torch.nn.Module):
    """A linear layer behind dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.dropout = torch.nn.Linear(4, 2), torch.nn.Dropout(0.5)
        self.seen: list[bool] = []

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        self.seen.append(self.training)
        out: torch.Tensor = self.dropout(self.linear(rows))
        return out


def trial_of(model: Model, *, fails: bool = False) -> TrialStep:
    def loss_sums(model: torch.nn.Module, batch: dict[str, Any]) -> torch.Tensor:
        losses: torch.Tensor = model(**batch).sum(0)
        losses.sum().backward(retain_graph=True)  # a gradient is there when it fails
        if fails:
            raise torch.OutOfMemoryError("injected")
        return losses

    def make(numbers: range) -> Batch:
        size = len(numbers)
        return Batch({"rows": torch.ones(size, 4)}, torch.ones(2), num_tokens=4 * size)

    losses = Losses(("loss",), loss_sums)
    return TrialStep(model, make, losses, computation=Computation("fp32"), device="cpu", reserve=1000)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_a_trial_leaves_nothing_behind(training: bool, fails: bool) -> None:
    torch.manual_seed(3)
    model = Model().train(training)
    weights, random_state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    step = trial_of(model, fails=fails)
    if fails:
        with pytest.raises(torch.OutOfMemoryError):
            step(5)
    else:
        assert step(5) > 0
    assert model.seen == [True], "it is tried as it trains"
    assert model.training == training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


# Runs


@contextmanager
def a_machine_that_holds(examples: int) -> Iterator[list[int]]:
    """Losses of more examples at once run out of memory; yields the sizes that were asked for."""
    original, asked = components.loss_sums, list[int]()

    def loss_sums(names: Sequence[str], teacher: None) -> Callable[..., torch.Tensor]:
        compute = original(names, teacher)

        def call(model: torch.nn.Module, batch: dict[str, Any]) -> torch.Tensor:
            asked.append(len(batch["input_ids"]))
            if asked[-1] > examples:
                raise torch.OutOfMemoryError("injected")
            return compute(model, batch)

        return call

    with mock.patch.object(components, "loss_sums", loss_sums):
        yield asked


@pytest.mark.usefixtures("cpu")
def test_a_run_that_finds_its_micro_batch_ends_in_the_same_weights(store: Path, tiny: Options, tmp_path: Path) -> None:
    course = {**tiny, "batch_size": 16, "steps": 3, "dropout": 0.1}
    pretrain(store, out=tmp_path / "asked", **course, micro_batch_size=8)
    with a_machine_that_holds(5) as asked:
        pretrain(store, out=tmp_path / "found", **course, auto_micro_batch=True)
    # Two threads: 16 at once are 8 in each, which is too many (the other may not begin then), and 8 are 4.
    assert asked.count(8) in (1, 2)
    assert asked.count(4) == len(asked) - asked.count(8) == 2 + 3 * 4
    (choice,) = [one for one in read_json(tmp_path / "found" / "run.json")["choices"] if one["name"] == "micro-batch"]
    assert choice["value"] == "8"
    found, wanted = (load_file(tmp_path / name / "model.safetensors") for name in ("found", "asked"))
    assert all(torch.equal(value, wanted[name]) for name, value in found.items())


def test_a_run_above_the_free_memory_does_not_begin(
    bertsmith: Callable[..., Any], store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The advice of the message is followed, and the run begins."""
    arguments = ["pretrain", store, "--out", tmp_path / "run", "--size", "tiny", "--precision", "fp32", "--steps", 1]
    arguments += ["--batch-size", 256, "--set", "sequence-length=128"]
    monkeypatch.setattr(automatic_choices, "free_memory", lambda device: 400_000_000)
    answer = bertsmith(*arguments)
    assert (answer.code, answer.stdout) == (3, "")
    assert "256 examples at once need" in answer.stderr and "400.0 MB are free" in answer.stderr
    assert not (tmp_path / "run").exists()
    (fitting,) = re.findall(r"--micro-batch-size (\d+), which fits", answer.stderr)
    assert bertsmith(*arguments, "--micro-batch-size", fitting, "--dry-run").code == 0
    assert bertsmith(*arguments, "--micro-batch-size", 2 * int(fitting), "--dry-run").code == 3
