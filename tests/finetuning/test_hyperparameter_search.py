"""finetune --search: trials, proposals that depend only on them, and the report on the best one."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from bertsmith.config import extras
from bertsmith.errors import DivergedError, Interrupted, OptionError
from bertsmith.finetuning import choices as choices_module
from bertsmith.finetuning import hyperparameter_search as search_module
from bertsmith.finetuning.options import FinetuneOptions
from bertsmith.finetuning.proposals import propose, with_default_ranges
from bertsmith.finetuning.search_space import DiscreteValues, ValueRange, parse_space
from bertsmith.records.error_report import Figure
from bertsmith.records.search import Trial
from bertsmith.runtime.machine import AutomaticChoice
from bertsmith.verbs.finetune import finetune
from support.process import run_process

Labelled = Callable[..., Path]
TASK = "sequence-classification"
SPACE = "learning_rate=1e-4..3e-2,batch_size=8|16|24,epochs=1..2"
QUICK: dict[str, Any] = {"precision": "fp32", "max_length": 32, "search": 4, "search_space": SPACE}
VALUES = parse_space(SPACE, FinetuneOptions.model_fields)


@pytest.fixture
def given_files(run: Path, labelled: Labelled) -> dict[str, Path]:
    return {"model": run, "train": labelled("train", 48), "dev": labelled("dev", 20)}


def trials(out: Path) -> list[dict[str, Any]]:
    """The files of each trial."""
    files = sorted((out / "search").glob("trial-*.json"), key=lambda path: int(path.stem.removeprefix("trial-")))
    return [json.loads(file.read_text()) for file in files]


def timeless(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in trial.items() if name != "seconds"} for trial in found]


def measured(settings: dict[str, Any], figure: float | None, number: int = 0) -> Trial:
    dev = None if figure is None else Figure(value=figure, low=figure, high=figure)
    ended = {"state": "failed" if figure is None else "finished", "dev": dev}
    return Trial.new(number, settings).model_copy(update=ended)


# Proposals


def off(settings: dict[str, Any]) -> float:
    """How far a learning rate is from 1e-3, in powers of ten."""
    return abs(math.log10(settings["learning_rate"] / 1e-3))


def proposals(count: int, *, seed: int = 0, higher: bool = True) -> list[dict[str, Any]]:
    """A search for a learning rate of 1e-3; the third trial fails."""
    done: list[Trial] = []
    for number in range(count):
        settings = propose(VALUES, done, higher=higher, seed=seed)  # type: ignore[arg-type]
        assert settings is not None
        figure = -off(settings) if higher else off(settings)
        done.append(measured(settings, None if number == 2 else figure, number))
    return [trial.settings for trial in done]


def test_a_proposal_follows_from_the_seed_and_the_trials_alone() -> None:
    found = proposals(14)
    assert found == proposals(14)
    assert found != proposals(14, seed=1)
    assert len({tuple(settings.values()) for settings in found}) == 14
    for settings in found:
        assert 1e-4 <= settings["learning_rate"] <= 3e-2
        assert settings["batch_size"] in (8, 16, 24)
        assert settings["epochs"] in (1, 2)
        assert settings["learning_rate"] == float(f"{settings['learning_rate']:.2g}"), "two digits are enough"


@pytest.mark.parametrize("higher", [True, False])
def test_the_sampler_goes_by_the_figures(higher: bool) -> None:
    """The later proposals are nearer to the best learning rate than those that are drawn at random."""
    found = [proposals(20, seed=seed, higher=higher) for seed in range(8)]
    early, late = (
        sum(off(settings) for one in found for settings in one[part]) for part in (slice(0, 5), slice(15, 20))
    )
    assert late < 0.7 * early


def test_a_small_space_is_tried_to_its_end() -> None:
    space = {"batch_size": DiscreteValues((8, 16)), "epochs": ValueRange(1, 3)}
    done = [measured({"batch_size": 64, "epochs": 10}, 0.5)]  # the defaults lie outside
    while (settings := propose(space, done, higher=True, seed=0)) is not None:
        done.append(measured(settings, 0.5))
    assert sorted(tuple(trial.settings.values()) for trial in done[1:]) == [
        (batch, epochs) for batch in (8, 16) for epochs in (1, 2, 3)
    ]


def test_a_range_that_two_digits_do_not_divide() -> None:
    done: list[Trial] = []
    for _ in range(8):
        settings = propose({"learning_rate": ValueRange(1.01e-5, 1.04e-5)}, done, higher=True, seed=0)
        assert settings is not None and 1.01e-5 <= settings["learning_rate"] <= 1.04e-5  # type: ignore[operator]
        done.append(measured(settings, 0.5))
    assert len({trial.settings["learning_rate"] for trial in done}) == 8


@given(st.floats(1e-7, 1), st.integers(1, 40))
def test_own_ranges_lie_around_the_defaults(rate: float, epochs: int) -> None:
    defaults = {"learning_rate": rate, "epochs": epochs + 2, "batch_size": 32, "weight_decay": 0.01}
    space = with_default_ranges(dict.fromkeys(defaults), defaults)  # type: ignore[arg-type]
    rates, passes = space["learning_rate"], space["epochs"]
    assert isinstance(rates, ValueRange) and isinstance(passes, ValueRange)
    assert 0 < rates.low < rate < rates.high and rates.high < 10 * rates.low
    assert 1 <= passes.low < epochs + 2 < passes.high
    assert space["batch_size"] == DiscreteValues((16, 32, 64))
    assert space["weight_decay"] == DiscreteValues((0, 0.01, 0.1))


# Searches


@pytest.fixture(scope="module")
def searched(run: Path, labelled: Labelled, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Seven settings with a seed of 3, then two seeds; figures are of a test file. The default rate learns nothing."""
    model = tmp_path_factory.mktemp("stock") / "model"
    shutil.copytree(run, model)
    torch.manual_seed(0)
    transformers.BertForPreTraining(transformers.AutoConfig.from_pretrained(run)).save_pretrained(model)
    slow = AutomaticChoice("learning rate", "1e-09", "a test")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choices_module, "choose_learning_rate", lambda *_, **__: slow)
        return finetune(
            TASK,
            model=model,
            train=labelled("train", 120),
            dev=labelled("dev", 40),
            test=labelled("test", 40),
            out=tmp_path_factory.mktemp("searched") / "run",
            seed=3,
            seeds=2,
            **{**QUICK, "search": 7, "epochs": 5, "search_space": "learning_rate=3e-3..3e-2,batch_size=8|16|24"},
        )


def test_the_best_trial_is_what_the_seeds_are_trained_with(searched: Any) -> None:
    found, record = searched.search, json.loads((searched.run / "run.json").read_text())
    assert record["search"] == found
    assert found["trials"] == trials(searched.run)
    assert len(found["trials"]) == 7
    assert found["trials"][0]["settings"]["batch_size"] == 32, "the defaults, outside of the space too"
    figures = [trial["dev"]["value"] for trial in found["trials"]]
    best = figures.index(max(figures))
    assert found["best_trial"] == best
    assert found["gain"] == figures[best] - figures[0]
    assert found["gain"] > 0, "a rate of 1e-9 cannot be beaten"
    # The first seed is the training of the trial again; the test file is another one.
    one = json.loads((searched.run / "seeds" / "seed-3" / "result.json").read_text())
    assert one["dev"] == figures[best] and one["best_step"] == found["trials"][best]["best_step"]
    assert searched.selected_on_reported_data is False
    assert len(searched.metrics["accuracy"]["seeds"]) == 2
    chosen = {choice["name"]: choice for choice in record["choices"]}
    settings = found["trials"][best]["settings"]
    assert float(chosen["learning rate"]["value"]) == settings["learning_rate"]
    assert int(chosen["batch size"]["value"]) == settings["batch_size"]
    assert chosen["batch size"]["reason"] == f"trial {best}, the best of 7 trials"


def test_what_is_kept(searched: Any) -> None:
    """Figures and curves of all trials, weights of none."""
    folder = searched.run / "search"
    names = {f"trial-{number}{ending}" for number in range(7) for ending in ("", ".json")}
    assert {path.name for path in folder.iterdir()} == names
    assert all([path.name for path in one.iterdir()] == ["metrics.jsonl"] for one in folder.iterdir() if one.is_dir())


def test_the_report_of_a_search(searched: Any) -> None:
    card, page = ((searched.run / name).read_text() for name in ("README.md", "report.html"))
    best = searched.search["best_trial"]
    for text in (card, page):
        assert f"Trial {best} (" in text and "beats the defaults by" in text
        assert "is slightly too good, because the same file selected it" in text
    assert card.count("\n| ") >= 9
    assert "The settings and the best checkpoint were selected on the same examples" not in page, "there is a test file"


def test_the_test_file_has_no_part_in_it(run: Path, labelled: Labelled, tmp_path: Path) -> None:
    """With another test file, all trials are the same."""
    files = {"model": run, "train": labelled("train", 48), "dev": labelled("dev", 20)}
    found = []
    for name, test in (("one", None), ("two", labelled("test", 30))):
        result = finetune(TASK, **files, **QUICK, test=test, out=tmp_path / name)
        found.append(timeless(result.search["trials"]))
        page = (tmp_path / name / "report.html").read_text()
        assert ("The settings and the best checkpoint were selected on the same examples" in page) is (test is None)
    assert found[0] == found[1]


def test_no_better_than_the_defaults(given_files: dict[str, Path], tmp_path: Path) -> None:
    """The dev file has one text with either label, so every trial is right half of the time."""
    dev = tmp_path / "dev.jsonl"
    lines = [json.dumps({"text": "the queen found it.", "label": label}) for label in ("food", "thing")]
    dev.write_text("\n".join(lines * 8) + "\n")
    result = finetune(TASK, **{**given_files, "dev": dev}, **QUICK, out=tmp_path / "run")
    assert result.search["best_trial"] == 0 and result.search["gain"] == 0
    record = json.loads((result.run / "run.json").read_text())
    choices = {choice["name"]: choice["value"] for choice in record["choices"]}
    assert choices["batch size"] == "32"
    for name in ("README.md", "report.html"):
        text = (result.run / name).read_text()
        assert (
            "No trial was better than the defaults, so the defaults are used: accuracy 50.0% on the dev file." in text
        )


def test_the_defaults_are_those_without_a_search(
    given_files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other trial fails, so that the defaults win: the RUN has the weights of one without a search."""
    original = search_module.train_head

    def train(*arguments: Any, **values: Any) -> Any:
        if values["title"] != "trial 0":
            raise DivergedError("the loss is not finite")
        return original(*arguments, **values)

    plain = finetune(TASK, **given_files, precision="fp32", max_length=32, out=tmp_path / "plain")
    monkeypatch.setattr(search_module, "train_head", train)
    found = finetune(TASK, **given_files, **{**QUICK, "search": 2}, out=tmp_path / "found")
    assert found.search["best_trial"] == 0
    assert found.search["trials"][0]["dev"]["value"] == plain.metrics["accuracy"]["mean"]
    first, second = (load_file(at.run / "model.safetensors") for at in (plain, found))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_trial_that_fails_is_not_the_end(
    given_files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = search_module.train_head

    def train(*arguments: Any, **values: Any) -> Any:
        if values["title"] == "trial 0":
            raise DivergedError("the loss is not finite")
        if values["title"] == "trial 2":
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return original(*arguments, **values)

    monkeypatch.setattr(search_module, "train_head", train)
    result = finetune(TASK, **given_files, **QUICK, out=tmp_path / "run")
    states = [trial["state"] for trial in result.search["trials"]]
    assert states == ["failed", "finished", "failed", "finished"]
    assert result.search["gain"] is None and result.search["best_trial"] in (1, 3)
    page = (result.run / "report.html").read_text()
    assert "The defaults failed: the loss is not finite." in page
    assert "out of memory: DefaultCPUAllocator" in page and "2 failed trials" in page


def test_a_mistake_of_ours_is_no_failed_trial(
    given_files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*_: Any, **__: Any) -> Any:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(search_module, "train_head", train)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        finetune(TASK, **given_files, **QUICK, out=tmp_path / "run")


def test_all_trials_fail(given_files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*_: Any, **__: Any) -> Any:
        raise DivergedError("the loss is not finite")

    monkeypatch.setattr(search_module, "train_head", train)
    with pytest.raises(DivergedError, match="all 4 trials failed: the loss is not finite"):
        finetune(TASK, **given_files, **QUICK, out=tmp_path / "run")


# Stops


@pytest.mark.slow
def test_a_killed_search_resumes(given_files: dict[str, Path], tmp_path: Path) -> None:
    """SIGKILL in the sixth trial: five are kept, and the search ends as one that was not stopped."""
    unbroken = finetune(TASK, **given_files, **{**QUICK, "search": 8}, out=tmp_path / "unbroken")
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "bertsmith", "finetune", TASK, "--out", str(out)]
    for name, value in {**given_files, **QUICK, "search": 8}.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}  # two micro-batch threads draw dropout
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        until = time.monotonic() + 300
        while not (out / "search" / "trial-5" / "metrics.jsonl").is_file():
            assert started.poll() is None and time.monotonic() < until, started.stderr and started.stderr.read()
            time.sleep(0.005)
    finally:
        started.kill()
    started.communicate()
    assert started.returncode == -signal.SIGKILL
    left = trials(out)
    (out / "search" / "trial-0" / "checkpoints" / "step-2").mkdir(parents=True)  # as where it is killed a moment later
    assert [trial["state"] for trial in left] == ["finished"] * 5 + ["running"]
    before = {path.name: path.stat().st_mtime_ns for path in (out / "search").glob("trial-[0-4].json")}
    assert len(before) == 5
    done = run_process([*command, "--resume", "--json"], env=environment)
    assert done.code == 0, done.shown
    assert {name: (out / "search" / name).stat().st_mtime_ns for name in before} == before
    assert not list(out.glob("search/*/checkpoints"))
    found = json.loads(done.stdout)["search"]
    assert timeless(found["trials"]) == timeless(unbroken.search["trials"])
    assert found["trials"][:5] == left[:5]
    first, second = (load_file(at / "model.safetensors") for at in (out, unbroken.run))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert "optuna" not in done.stderr.lower() and "A new study" not in done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("trial 6: learning_rate ")]


@pytest.mark.parametrize(
    ("number", "update", "where"),
    [
        (signal.SIGTERM, 1, "update 1 of trial 2"),
        (signal.SIGINT, 2, r"the last update \(2\) of trial 2, before the evaluation"),
    ],
)
def test_a_signal_says_how_to_resume(
    given_files: dict[str, Path],
    tmp_path: Path,
    signalled: Callable[..., AbstractContextManager[None]],
    number: signal.Signals,
    update: int,
    where: str,
) -> None:
    """The trial that was stopped goes on from its checkpoint and ends in the figure of an unbroken one."""
    unbroken = finetune(TASK, **given_files, **QUICK, out=tmp_path / "unbroken")
    out = tmp_path / "run"
    expected = rf"stopped by {number.name} after {where}; .*\n  bertsmith finetune --resume --out "
    with signalled(update, number, "trial-2"), pytest.raises(Interrupted, match=expected):
        finetune(TASK, **given_files, **QUICK, out=out)
    assert json.loads((out / "run.json").read_text())["status"] == "interrupted"
    assert [path.name for path in (out / "search" / "trial-2" / "checkpoints").iterdir()] == [f"step-{update}"]
    assert "2 of 4 trials so far" in bertsmith_page(out)
    result = finetune(TASK, **given_files, **QUICK, out=out, resume=True)
    assert timeless(result.search["trials"]) == timeless(unbroken.search["trials"])
    assert result.metrics == unbroken.metrics


def bertsmith_page(run: Path) -> str:
    from bertsmith.verbs.report import report

    return report(run).report.read_text()


@pytest.mark.parametrize(("done", "said"), [(1, "1 trial"), (3, "3 trials")])
def test_control_c_between_trainings(
    given_files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: int, said: str
) -> None:
    original = search_module.propose

    def stops(*arguments: Any, **values: Any) -> Any:
        if len(arguments[1]) == done:
            raise KeyboardInterrupt
        return original(*arguments, **values)

    monkeypatch.setattr(search_module, "propose", stops)
    with pytest.raises(Interrupted, match=rf"stopped after {said}; the work so far is kept. Resume with:\n.* --resume"):
        finetune(TASK, **given_files, **QUICK, out=tmp_path / "run")


def test_more_seeds_for_a_finished_search(given_files: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    one = finetune(TASK, **given_files, **QUICK, out=out)
    before = {path: path.stat().st_mtime_ns for path in (out / "search").glob("*.json")}
    two = finetune(TASK, **given_files, **QUICK, out=out, seeds=2, resume=True)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert two.search == one.search
    assert two.metrics["accuracy"]["seeds"][0] == one.metrics["accuracy"]["mean"]
    assert finetune(TASK, **given_files, **QUICK, out=out, seeds=2, resume=True) == two
    with pytest.raises(OptionError, match="was started with --search 4, found 5"):
        finetune(TASK, **given_files, **{**QUICK, "search": 5}, out=out, seeds=2, resume=True)
    with pytest.raises(OptionError, match="was started with --search-space learning_rate"):
        finetune(TASK, **given_files, **{**QUICK, "search_space": "epochs"}, out=out, seeds=2, resume=True)


# What is refused


def test_without_optuna(given_files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match=r"--search 4 needs optuna.*pip install 'bertsmith\[search\]'"):
        finetune(TASK, **given_files, **QUICK, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_space_that_does_not_fit(run: Path, labelled: Labelled, tmp_path: Path) -> None:
    files = {"model": run, "train": labelled("train", 48), "dev": labelled("dev", 20), "out": tmp_path / "run"}
    with pytest.raises(OptionError, match="--search-space: --freeze-layers: found 9, expected at most 1"):
        finetune(TASK, **files, search=3, search_space="freeze_layers=0..9")
    rows = [json.loads(line) for line in labelled("train", 48).read_text().splitlines()]
    numbers = tmp_path / "numbers.jsonl"
    numbers.write_text("".join(json.dumps({**row, "label": len(row["text"])}) + "\n" for row in rows))
    teacher = {"problem_type": "regression", "teacher": str(run), "train": numbers, "dev": numbers}
    with pytest.raises(OptionError, match="--search-space: --distil-temperature: a regression has no probabilities"):
        finetune(TASK, **{**files, **teacher}, search=3, search_space="distil_temperature=1..4")
    assert not (tmp_path / "run").exists()


def test_a_dry_run_shows_the_space(given_files: dict[str, Path], bertsmith: Callable[..., Any], tmp_path: Path) -> None:
    words = [word for name, value in given_files.items() for word in (f"--{name}", value)]
    answer = bertsmith("finetune", TASK, *words, "--out", tmp_path / "run", "--search", 6, "--dry-run", "--verbose")
    assert answer.code == 0 and not (tmp_path / "run").exists()
    assert "search: 6 trials, compared by accuracy on the dev file" in answer.stderr
    assert "epochs 5 to 15, batch_size 16 or 32 or 64" in answer.stderr
    assert "defaults: learning_rate 0.0047, epochs 10, batch_size 32" in answer.stderr


def test_each_trial_has_one_line(given_files: dict[str, Path], bertsmith: Callable[..., Any], tmp_path: Path) -> None:
    options = {**given_files, "out": tmp_path / "run", "epochs": 1, "search": 2, "search_space": "learning_rate"}
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    answer = bertsmith("finetune", TASK, *words, "--precision", "fp32")
    lines = answer.stderr.splitlines()
    assert len([line for line in lines if line.startswith("Training: 2 updates of")]) == 1, "of one seed"
    assert len([line for line in lines if line.startswith("trial 0")]) == 1, lines
    (first,) = [line for line in lines if line.startswith("trial 0 (the defaults): accuracy ")]
    assert first.endswith("to be beaten by the other trials (1 of 2 done)")
    (second,) = [line for line in lines if line.startswith("trial 1")]
    assert second.startswith("trial 1: learning_rate ")


def test_adapters_and_a_teacher_are_searched(run: Path, labelled: Labelled, tmp_path: Path) -> None:
    files = {"model": run, "train": labelled("train", 48), "dev": labelled("dev", 20)}
    quick: dict[str, Any] = {"precision": "fp32", "max_length": 32, "epochs": 1, "search": 3}
    teacher = finetune(TASK, **files, precision="fp32", max_length=32, epochs=1, out=tmp_path / "teacher").run
    found = finetune(
        TASK,
        **files,
        **quick,
        teacher=teacher,
        lora=2,
        search_space="lora_alpha=1..32,distil_weight=0.1..0.9,layer_decay=0.5..1",
        out=tmp_path / "run",
    ).search
    assert found["trials"][0]["settings"] == {"lora_alpha": 4.0, "distil_weight": 0.5, "layer_decay": 1.0}
    assert len(found["trials"]) == 3 and all(trial["state"] == "finished" for trial in found["trials"])
    shutil.rmtree(tmp_path / "run")
