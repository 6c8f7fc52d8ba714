"""Several processes make the updates that one makes: DistributedDataParallel and FSDP, resumed as well as unbroken."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

from bertsmith.training.run_folder import damage_to
from bertsmith.verbs.pretrain import pretrain
from support.process import CommandOutput, run_process
from support.stock import load_stock

SCRIPT = Path(__file__).with_name("under_torchrun.py")

Weights = dict[str, torch.Tensor]
WeightsOf = Callable[[Path], Weights]
MetricsOf = Callable[[Path], list[dict[str, Any]]]
Options = dict[str, Any]
Difference = Callable[[Weights, Weights], tuple[float, str]]


def torchrun(*arguments: object, processes: int = 2) -> CommandOutput:
    """Start processes on this machine, each computing on one thread."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return run_process([*command, *map(str, arguments)], env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=500)


def updates_of(metrics: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in metrics if "grad_norm" in line]


# The division of a batch over processes

STEPS = 10

ALONE: dict[str, Options] = {
    "16": {},
    "8+8": {"micro_batch_size": 8},
    "4+4+4+4": {"micro_batch_size": 4},
    "15": {"batch_size": 15},
    "mlm": {"objective": "mlm"},
    "nsp": {"objective": "nsp"},
    "ramp": {"batch_ramp": (3, 0.6), "short_phase": (32, 0.5)},
    "teacher": {},
}
"""Runs of one process; those with a teacher in their name learn from the RUN of these tests."""

TOGETHER: dict[str, tuple[str, Options]] = {
    "ddp": ("16", {}),
    "ddp, micro-batches": ("16", {"micro_batch_size": 4}),
    "ddp, an empty micro-batch": ("15", {"batch_size": 15, "micro_batch_size": 7}),
    "ddp, checkpointing": ("16", {"micro_batch_size": 4, "gradient_checkpointing": True}),
    "ddp, mlm": ("mlm", {"objective": "mlm"}),
    "ddp, nsp": ("nsp", {"objective": "nsp"}),
    "ddp, ramp": ("ramp", {**ALONE["ramp"], "micro_batch_size": 4}),
    "ddp, teacher": ("teacher", {}),
    "ddp, teacher, micro-batches": ("teacher", {"micro_batch_size": 4}),
    "fsdp": ("16", {"fsdp": True}),
    "fsdp, micro-batches": ("16", {"fsdp": True, "micro_batch_size": 4}),
    "fsdp, an empty micro-batch": ("15", {"fsdp": True, "batch_size": 15, "micro_batch_size": 7}),
    "fsdp, checkpointing": ("16", {"fsdp": True, "micro_batch_size": 4, "gradient_checkpointing": True}),
    "fsdp, mlm": ("mlm", {"fsdp": True, "objective": "mlm"}),
    "fsdp, nsp": ("nsp", {"fsdp": True, "objective": "nsp"}),
    "fsdp, teacher": ("teacher", {"fsdp": True}),
    "fsdp, teacher, micro-batches": ("teacher", {"fsdp": True, "micro_batch_size": 4}),
}
"""Runs of two processes, each with the run of one process that makes the same updates."""

IN_BFLOAT16: dict[str, Options] = {
    "ddp in bf16": {"precision": "bf16"},
    "fsdp in bf16": {"precision": "bf16", "fsdp": True},
}
"""Runs of two processes that are near those of float32."""


def taught(name: str, run: Path) -> Options:
    return {"teacher": str(run)} if "teacher" in name else {}


@pytest.fixture(scope="module")
def alone(
    little_store: Path, run: Path, options: Options, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("alone")

    def make(name: str) -> Path:
        out = folder / name
        if not out.exists():
            more = {**options, **ALONE[name], **taught(name, run)}
            pretrain(little_store, out=out, steps=STEPS, dropout=0, **more)
        return out

    return make


QUICK = ("ddp, an empty micro-batch", "ddp, ramp", "ddp, teacher", "fsdp, an empty micro-batch", "fsdp, teacher")
"""The runs of two processes that `make test` makes; `make test-all` makes the others too."""


def cases(names: Iterable[str]) -> list[Any]:
    """These runs as parameters of a test."""
    return [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in names]


def settings_of(names: Iterable[str], folder: Path, store: Path, run: Path, options: Options) -> str:
    """The runs of these names for under_torchrun.py."""
    settings = {name: more for name, (_, more) in TOGETHER.items()} | IN_BFLOAT16
    common = {"store": str(store), "steps": STEPS, "dropout": 0, **options}
    return json.dumps([{**common, "out": str(folder / name), **settings[name], **taught(name, run)} for name in names])


@pytest.fixture(scope="module")
def quick_runs(
    little_store: Path, run: Path, options: Options, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, CommandOutput]:
    """The folder of the runs of `make test`, and the output of a command line that ended the same processes."""
    folder = tmp_path_factory.mktemp("quick")
    runs = settings_of(QUICK, folder, little_store, run, options)
    command = command_line(little_store, folder / "command", {**options, "steps": 2})
    done = torchrun(SCRIPT, "runs", runs, *command, "--json", "--verbose")
    assert done.code == 0, done.shown
    return folder, done


@pytest.fixture(scope="module")
def other_runs(little_store: Path, run: Path, options: Options, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all other runs."""
    folder = tmp_path_factory.mktemp("others")
    names = [name for name in (*TOGETHER, *IN_BFLOAT16) if name not in QUICK]
    done = torchrun(SCRIPT, "runs", settings_of(names, folder, little_store, run, options))
    assert (done.code, done.stdout) == (0, ""), done.shown
    return folder


@pytest.fixture(scope="module")
def together(request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """Gives a run of two processes by its name."""

    def find(name: str) -> Path:
        if name in QUICK:
            return Path(request.getfixturevalue("quick_runs")[0] / name)
        return Path(request.getfixturevalue("other_runs") / name)

    return find


Together = Callable[[str], Path]


def evidence(out: Path) -> list[dict[str, Any]]:
    """What each of the two processes of a run noted."""
    return [json.loads(Path(f"{out}-rank{rank}.json").read_text(encoding="utf-8")) for rank in (0, 1)]


@pytest.mark.parametrize("name", ["8+8", "4+4+4+4"])
def test_one_process_makes_the_same_updates_for_every_division(
    alone: Callable[[str], Path],
    assert_same_updates: Callable[[Path, Path], None],
    name: str,
) -> None:
    assert_same_updates(alone("16"), alone(name))


@pytest.mark.parametrize("name", cases(TOGETHER))
def test_two_processes_make_the_updates_of_one(
    alone: Callable[[str], Path],
    together: Together,
    assert_same_updates: Callable[[Path, Path], None],
    name: str,
) -> None:
    assert_same_updates(alone(TOGETHER[name][0]), together(name))


@pytest.mark.parametrize("name", cases(IN_BFLOAT16))
def test_two_processes_compute_in_bfloat16(
    alone: Callable[[str], Path], together: Together, metrics_of: MetricsOf, name: str
) -> None:
    expected, found = updates_of(metrics_of(alone("16"))), updates_of(metrics_of(together(name)))
    for loss in ("mlm_loss", "nsp_loss"):
        assert [line[loss] for line in found] == pytest.approx([line[loss] for line in expected], rel=0.02)
        assert [line[loss] for line in found] != pytest.approx([line[loss] for line in expected], rel=1e-5)


@pytest.fixture(scope="module")
def assert_same_updates(
    metrics_of: MetricsOf, weights_of: WeightsOf, largest_difference: Difference
) -> Callable[[Path, Path], None]:
    def check(first: Path, second: Path) -> None:
        expected, found = updates_of(metrics_of(first)), updates_of(metrics_of(second))
        assert len(expected) == STEPS
        for one, other in zip(expected, found, strict=True):
            assert one.keys() == other.keys()
            for key in one:
                exact = key in ("step", "tokens_seen", "learning_rate")
                wanted = one[key] if exact else pytest.approx(one[key], rel=1e-4)
                assert other[key] == wanted, (one["step"], key)
        difference, name = largest_difference(weights_of(first), weights_of(second))
        assert difference <= 1e-5, f"{name} differs by {difference:.2e}"

    return check


def test_the_shares_are_what_these_tests_say(together: Together) -> None:
    """Numbers of masked tokens differ between shares, and one micro-batch is empty."""
    first, second = (one["parts"][0] for one in evidence(together("ddp, an empty micro-batch")))
    assert (first, second) == ([7, 1], [7, 0])
    first, second = (one["parts"] for one in evidence(together("ddp, ramp")))
    assert [sum(one + other) for one, other in zip(map(list, first), map(list, second), strict=True)] == [
        *(3, 3, 6, 9, 9, 12),
        *(16, 16, 16, 16),
    ]


@pytest.mark.parametrize("name", cases(TOGETHER))
def test_all_processes_know_the_same_figures(together: Together, metrics_of: MetricsOf, name: str) -> None:
    first, second = evidence(together(name))
    clock = ("tokens_per_second", "seconds")
    lines = [
        [{key: value for key, value in line.items() if key not in clock} for line in seen["lines"]]
        for seen in (first, second)
    ]
    assert lines[0] == lines[1] == metrics_of(together(name))
    assert first["result"]["evaluation"] == second["result"]["evaluation"]


@pytest.mark.slow
def test_the_objectives_alone_have_their_loss_alone(together: Together, metrics_of: MetricsOf) -> None:
    for kind in ("ddp", "fsdp"):
        for name, other in (("mlm", "nsp"), ("nsp", "mlm")):
            line = updates_of(metrics_of(together(f"{kind}, {name}")))[-1]
            assert f"{name}_loss" in line and f"{other}_loss" not in line


def test_what_a_teacher_says_is_learnt(
    alone: Callable[[str], Path], metrics_of: MetricsOf, weights_of: WeightsOf, largest_difference: Difference
) -> None:
    """The runs with a teacher that are compared above are not those without one."""
    assert all(line["teacher_loss"] > 0 for line in updates_of(metrics_of(alone("teacher"))))
    assert largest_difference(weights_of(alone("teacher")), weights_of(alone("16")))[0] > 1e-4


@pytest.mark.parametrize("name", cases(name for name in TOGETHER if name.startswith("ddp")))
def test_every_weight_is_used_without_looking_for_unused_ones(together: Together, name: str) -> None:
    for seen in evidence(together(name)):
        assert seen["wrapped"] and seen["looks_for_unused"] is False
        assert seen["sharded"] == 0


@pytest.mark.parametrize("name", cases(name for name in TOGETHER if name.startswith("fsdp")))
def test_every_weight_is_sharded_with_fsdp(together: Together, name: str) -> None:
    first, second = evidence(together(name))
    for seen in (first, second):
        assert not seen["wrapped"], "DistributedDataParallel took the place of FSDP"
        assert seen["sharded"] == seen["parameters"] > 20
        assert seen["sharded_gradients"] == seen["gradients"] > 15
        assert seen["local_numbers"] < 0.6 * seen["numbers"]
    assert first["local_numbers"] + second["local_numbers"] == first["numbers"]


def test_what_fsdp_leaves_is_a_stock_model(together: Together) -> None:
    model = load_stock(together("fsdp, teacher"), "BertForPreTraining")
    assert model.cls.predictions.decoder.weight.data_ptr() == model.bert.embeddings.word_embeddings.weight.data_ptr()


# Resume


RESUMED = {"steps": 12, "dropout": 0.1, "eval_every": 4, "save_every": 5}


def command_line(store: Path, out: Path, options: Options) -> list[str]:
    words = ["pretrain", str(store), "--out", str(out)]
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return words


@pytest.fixture(scope="module")
def unbroken(little_store: Path, options: Options, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs of two processes that nothing stops."""
    folder = tmp_path_factory.mktemp("unbroken")
    common = {"store": str(little_store), **options, **RESUMED}
    runs = [{**common, "out": str(folder / "ddp")}, {**common, "out": str(folder / "fsdp"), "fsdp": True}]
    done = torchrun(SCRIPT, "runs", json.dumps(runs))
    assert done.code == 0, done.shown
    return {"ddp": folder / "ddp", "fsdp": folder / "fsdp"}


def stopped_at(update: int, store: Path, out: Path, options: Options) -> None:
    """A run whose torchrun gets a SIGTERM in the middle of an update: it saves, says how to go on, and ends."""
    done = torchrun(SCRIPT, "stopped", update, *command_line(store, out, options))
    assert done.code != 0, done.shown
    assert done.stdout == "", done.shown
    assert done.stderr.count(f"stopped by SIGTERM after update {update}") >= 1, done.shown
    again = f"torchrun --nproc-per-node 2 -m bertsmith pretrain {store} --out {out} --resume"
    assert f"Resume with:\n  {again}" in done.stderr, done.shown
    assert done.stderr.count("Resume with") == 1, f"the first process says it for all\n{done.shown}"
    assert "Traceback" not in done.stderr.split("torch/distributed")[0], done.shown
    assert damage_to(out / "checkpoints" / f"step-{update}") is None
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["status"] == "interrupted"
    assert not (out / "model.safetensors").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "stop"), [("ddp", 7), ("fsdp", 5)])
def test_a_run_of_two_processes_that_was_stopped_ends_in_the_weights_of_an_unbroken_one(
    little_store: Path,
    options: Options,
    unbroken: dict[str, Path],
    weights_of: WeightsOf,
    metrics_of: MetricsOf,
    assert_identical: Callable[[Weights, Weights], None],
    tmp_path: Path,
    kind: str,
    stop: int,
) -> None:
    """FSDP is stopped where the unbroken run makes a checkpoint too: making one has to change nothing."""
    out = tmp_path / "run"
    stopped_at(stop, little_store, out, {**options, **RESUMED, **({"fsdp": True} if kind == "fsdp" else {})})
    done = torchrun("-m", "bertsmith", "pretrain", little_store, "--out", out, "--resume", "--json")
    result = done.json
    assert (result["resumed_from_step"], result["steps"]) == (stop, 12)
    assert done.stderr.count("Resuming from") == 1, f"only the first process talks\n{done.shown}"
    assert_identical(weights_of(out), weights_of(unbroken[kind]))
    assert metrics_of(out) == metrics_of(unbroken[kind])


@pytest.mark.slow
def test_dropout_does_not_depend_on_sharding_or_checkpoints(unbroken: dict[str, Path], metrics_of: MetricsOf) -> None:
    """A checkpoint of a sharded run makes a model in the first process; the dropout behind it stays the same."""
    first, second = (updates_of(metrics_of(unbroken[kind])) for kind in ("ddp", "fsdp"))
    for one, other in zip(first, second, strict=True):
        assert one["mlm_loss"] == pytest.approx(other["mlm_loss"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_each_process_draws_a_dropout_of_its_own(unbroken: dict[str, Path], kind: str) -> None:
    first, second = torch.load(unbroken[kind] / "checkpoints" / "step-12" / "random_states.pt", weights_only=True)
    assert not torch.equal(first["cpu"], second["cpu"])


def test_one_process_goes_on_with_a_run_of_two(
    little_store: Path,
    options: Options,
    alone: Callable[[str], Path],
    weights_of: WeightsOf,
    largest_difference: Difference,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    out = tmp_path / "run"
    stopped_at(4, little_store, out, {**options, "steps": STEPS, "dropout": 0})
    with caplog.at_level("INFO", logger="bertsmith"):
        result = pretrain(little_store, out=out, resume=True)
    assert result.resumed_from_step == 4
    assert "the run had 2 processes and now has 1: dropout differs from here on" in caplog.text
    difference, name = largest_difference(weights_of(out), weights_of(alone("16")))
    assert difference <= 1e-5, f"{name} differs by {difference:.2e}"


# What is not meant for several processes


def test_two_processes_answer_once(quick_runs: tuple[Path, CommandOutput]) -> None:
    _, done = quick_runs
    assert done.json["steps"] == 2
    assert done.stderr.count("precision: fp32") <= 1, done.shown
    assert done.stderr.count("8 examples at once in each of 2 processes") == 1, done.shown


def test_fsdp_with_one_process_is_refused(bertsmith: Callable[..., Any], little_store: Path, tmp_path: Path) -> None:
    answer = bertsmith("pretrain", little_store, "--out", tmp_path / "run", "--fsdp", "--steps", 1)
    assert (answer.code, answer.stdout) == (2, "")
    assert "--fsdp: found one process, expected several" in answer.stderr
    assert not (tmp_path / "run").exists()


def test_fsdp_with_muon_is_refused(bertsmith: Callable[..., Any], little_store: Path, tmp_path: Path) -> None:
    answer = bertsmith("pretrain", little_store, "--out", tmp_path / "run", "--fsdp", "--optimizer", "muon")
    assert (answer.code, answer.stdout) == (2, "")
    assert "--fsdp needs --optimizer adamw" in answer.stderr


@pytest.mark.parametrize(
    "words",
    [["evaluate", "RUN", "STORE"], ["doctor"], ["report", "RUN"], ["fill-mask", "RUN", "A [MASK]."]],
    ids=lambda words: words[0],
)
def test_another_verb_runs_in_one_process(
    bertsmith: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    answer = bertsmith(*words)
    assert (answer.code, answer.stdout) == (2, "")
    assert f"{words[0]} runs in one process, found 2" in answer.stderr
