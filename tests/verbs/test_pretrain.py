"""pretrain as a whole: what a resumed run goes on with, and what it refuses."""

from __future__ import annotations

import json
import logging
import shlex
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch

from bertsmith.cli.pretrain import _two_digits
from bertsmith.errors import Interrupted, OptionError, OutputError
from bertsmith.verbs.evaluate import evaluate
from bertsmith.verbs.pretrain import pretrain


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The notes and warnings so far, without the details."""
    caplog.set_level(logging.INFO, "bertsmith")
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.fixture
def two_updates(store: Path, tiny: dict[str, Any], tmp_path: Path) -> Path:
    """A finished RUN of two updates."""
    return Path(pretrain(store, out=tmp_path / "run", steps=2, **tiny).run)


def updates(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "learning_rate" in line]


def record(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "run.json").read_text())
    return content


def test_the_budget_of_a_run_that_goes_on_is_the_new_one(
    two_updates: Path, store: Path, signalled: Callable[..., AbstractContextManager[None]]
) -> None:
    """Extended to six updates and stopped after four, the printed command alone goes on to six."""
    said = f"bertsmith pretrain {store} --out {two_updates} --resume"
    with signalled(4), pytest.raises(Interrupted, match=said):
        pretrain(store, out=two_updates, resume=True, steps=6)
    assert record(two_updates)["options"]["steps"] == 6
    assert "--steps 6" in record(two_updates)["command"]
    result = pretrain(store, out=two_updates, resume=True)
    assert (result.resumed_from_step, result.steps) == (4, 6)


def test_a_store_with_the_tokenizer_of_a_model_says_how_to_continue_it(
    corpus_file: Path, run: Path, store: Path, tiny: dict[str, Any], tmp_path: Path, said: Callable[[], list[str]],
    bertsmith: Callable[..., Any], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    answer = bertsmith("prepare", corpus_file, "--out", tmp_path / "a store", "--tokenizer", run, "--workers", 1)
    following = shlex.split(answer.stdout.split("Next:\n  bertsmith ")[1])
    begin = ["pretrain", str(tmp_path / "a store"), "--out", "runs/a store"]
    assert following == [*begin, "--from", str(run), "--minutes", "10"]
    pretrain(tmp_path / "a store", out=tmp_path / "run", steps=2, dry_run=True, **tiny)
    (note,) = [text for text in said() if text.startswith("This run starts with random weights")]
    assert f"the STORE has the tokenizer of {run}. To continue training {run} instead" in note
    command = f"bertsmith pretrain '{tmp_path / 'a store'}' --out {tmp_path / 'run'} --from {run} --steps 2"
    assert note.endswith(command)
    caplog.clear()
    same = {name: tiny[name] for name in ("sequence_length", "batch_size", "precision")}
    pretrain(tmp_path / "a store", out=tmp_path / "run", steps=2, dry_run=True, from_=str(run), **same)
    pretrain(store, out=tmp_path / "run", steps=2, dry_run=True, **tiny)
    assert not any(text.startswith("This run starts with random") for text in said())


@pytest.mark.parametrize(
    ("figure", "text"),
    [(0.0031, "0.0031"), (0.000058, "0.000058"), (0.4249, "0.42"), (4.249, "4.2"), (1312.3, "1,312")],
)
def test_small_ratios_keep_two_digits(figure: float, text: str) -> None:
    assert _two_digits(figure) == text


def test_the_first_update_of_an_extended_run_has_a_learning_rate(two_updates: Path, store: Path) -> None:
    pretrain(store, out=two_updates, resume=True, steps=10)
    rates = [line["learning_rate"] for line in updates(two_updates)]
    assert all(rate > 0 for rate in rates)
    assert rates[2] == max(rates), "update 3 of 10 stands in the middle of the plateau"


def test_what_is_finished_stays_as_it_is(two_updates: Path, store: Path, said: Callable[[], list[str]]) -> None:
    before = (two_updates / "model.safetensors").stat().st_mtime_ns
    for budget in ({}, {"steps": 2}, {"steps": 1}, {"minutes": 0.0001}):
        assert pretrain(store, out=two_updates, resume=True, **budget).steps == 2
    assert said().count(f"{two_updates} is already finished") == 4
    assert (two_updates / "model.safetensors").stat().st_mtime_ns == before


def test_a_finished_run_takes_more_epochs_or_minutes(two_updates: Path, store: Path) -> None:
    assert pretrain(store, out=two_updates, resume=True, epochs=0.1).steps > 2
    more = pretrain(store, out=two_updates, resume=True, minutes=0.05)
    assert more.seconds >= 3


def test_a_run_that_ended_early_is_finished(
    store: Path, tiny: dict[str, Any], tmp_path: Path, said: Callable[[], list[str]]
) -> None:
    options = {"steps": 12, "eval_every": 1, "learning_rate": 5.0, "warmup": 0.5, "patience": 2, **tiny}
    first = pretrain(store, out=tmp_path / "run", **options)
    assert first.stopped_early and first.steps < 12
    again = pretrain(store, out=tmp_path / "run", resume=True)
    assert again == first
    assert f"{tmp_path / 'run'} is already finished" in said()
    assert pretrain(store, out=tmp_path / "run", resume=True, patience=50).steps == 12


def test_another_text_is_refused(two_updates: Path, store: Path, corpus_file: Path, tmp_path: Path) -> None:
    from bertsmith.verbs.prepare import prepare

    other = tmp_path / "other"
    prepare(corpus_file, out=other, tokenizer=store, held_out=0.4, workers=1)
    with pytest.raises(OptionError, match=f"{other}: the text differs from that of the STORE {store}"):
        pretrain(other, out=two_updates, resume=True, steps=4)
    moved = tmp_path / "moved"
    shutil.copytree(store, moved)
    assert pretrain(moved, out=two_updates, resume=True, steps=3).steps == 3


def test_resume_where_nothing_is_starts_anew_and_says_so(
    store: Path, tiny: dict[str, Any], tmp_path: Path, said: Callable[[], list[str]]
) -> None:
    run = tmp_path / "run"
    assert pretrain(store, out=run, resume=True, steps=1, **tiny).steps == 1
    assert f"--resume: found no run in {run}, so a new one starts" in said()


def test_a_finished_run_keeps_its_last_checkpoint_and_can_be_extended(
    store: Path, tiny: dict[str, Any], tmp_path: Path, said: Callable[[], list[str]]
) -> None:
    once = pretrain(store, out=tmp_path / "once", steps=6, schedule="linear", save_every=2, **tiny)
    run = tmp_path / "run"
    pretrain(store, out=run, steps=4, schedule="linear", save_every=1, **tiny)
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["step-4"]
    (note,) = (text for text in said() if text.startswith(f"Checkpoint: step-4 in {run}"))
    assert note.endswith("needed only to continue with --resume")
    result = pretrain(store, out=run, resume=True, steps=6)
    assert (result.resumed_from_step, result.tokens_seen) == (4, once.tokens_seen)
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["step-6"]


def test_a_finished_run_without_checkpoints_is_not_started_again(
    store: Path, tiny: dict[str, Any], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    pretrain(store, out=run, steps=2, **tiny)
    shutil.rmtree(run / "checkpoints")
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    with pytest.raises(OutputError, match=rf"cannot be extended. Try: continue in a new run:\n  .* --from {run}"):
        pretrain(store, out=run, resume=True, steps=4)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    assert pretrain(store, out=run, resume=True).steps == 2, "nothing is left to do"


@pytest.mark.usefixtures("all_checkpoints_kept")
def test_a_damaged_checkpoint_is_passed_over_and_removed(
    store: Path, tiny: dict[str, Any], tmp_path: Path, said: Callable[[], list[str]]
) -> None:
    """The file has its size, and other bytes."""
    run = tmp_path / "run"
    pretrain(store, out=run, steps=4, save_every=2, **tiny)
    weights = run / "checkpoints" / "step-4" / "optimizer.pt"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    result = pretrain(store, out=run, resume=True, steps=6)
    assert any("step-4: optimizer.pt has changed since it was written" in text for text in said())
    assert result.resumed_from_step == 2
    assert [line["step"] for line in updates(run)] == [1, 2, 3, 4, 5, 6]


def test_options_that_a_resumed_run_is_given_are_checked_together(
    store: Path, tiny: dict[str, Any], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    pretrain(store, out=run, steps=2, short_phase="16,0.5", **tiny)
    with pytest.raises(OptionError, match="--epochs needs examples of one length"):
        pretrain(store, out=run, resume=True, epochs=1)


def test_evaluate_takes_the_negatives_of_the_run(corpus_file: Path, tiny: dict[str, Any], tmp_path: Path) -> None:
    from bertsmith.verbs.prepare import prepare

    words = ("river", "lamp", "tree", "market")
    sentences = [f"The {word} of number {number} was seen." for number in range(70) for word in words]
    for name in "abcdef":
        (tmp_path / f"{name}.txt").write_text("\n".join(f"{name} {line}" for line in sentences))
    store = tmp_path / "store"
    files = [tmp_path / f"{name}.txt" for name in "abcdef"]
    prepare(*files, out=store, vocab_size=128, held_out=0.4, clean="none", documents="file", workers=1)
    result = pretrain(store, out=tmp_path / "run", steps=1, negatives="same-document", **tiny)
    found = evaluate(tmp_path / "run", store).to_dict()
    for name in ("num_masked_tokens", "num_pairs", "mlm_nats_per_masked_token"):
        assert found[name] == pytest.approx(result.evaluation[name], rel=1e-5), name


def test_a_forecast_counts_checkpointing_and_follows_the_clock(
    store: Path, tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bertsmith.pretraining import micro_batch

    seen: list[bool] = []
    original: Callable[..., float] = micro_batch.TrialStep.__call__

    def watched(self: micro_batch.TrialStep, size: int) -> float:
        seen.append(bool(self.model.is_activation_checkpointing))  # type: ignore[arg-type]
        return original(self, size)

    monkeypatch.setattr(micro_batch.TrialStep, "__call__", watched)
    options = {"minutes": 2, "short_phase": "16,0.75", "batch_ramp": "4,0.5", "gradient_checkpointing": True, **tiny}
    forecast = pretrain(store, out=tmp_path / "run", dry_run=True, **options).forecast
    assert seen and all(seen)
    assert forecast["minutes"] == pytest.approx(2, rel=0.01)
    assert (
        pretrain(store, out=tmp_path / "run", dry_run=True, overfit_one_batch=True, **tiny).forecast["passes"] is None
    )


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_time_of_a_forecast_has_the_optimizer_in_it_and_no_weight_is_changed(
    store: Path, tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    from bertsmith.pretraining import dry_run

    models: list[torch.nn.Module] = []
    before: list[list[torch.Tensor]] = []

    def slowly(model: torch.nn.Module, *_: Any) -> None:
        models.append(model)
        before.append([weight.detach().clone() for weight in model.parameters()])
        time.sleep(0.2)

    monkeypatch.setattr(dry_run, "clip_gradients", slowly)
    options = {"steps": 3, "optimizer": optimizer, "dry_run": True, **tiny}
    forecast = pretrain(store, out=tmp_path / "run", **options).forecast
    assert forecast["seconds_per_update"] >= 0.2
    assert len(models) > 1, "the optimizer has worked in between"
    weights = list(models[0].parameters())
    assert all(weight.grad is None for weight in weights)
    assert all(torch.equal(*pair) for pair in zip(before[0], weights, strict=True))


@pytest.mark.parametrize("continues", [False, True])
def test_a_loss_above_the_unigram_baseline_is_said_with_what_suits_the_run(
    two_updates: Path, store: Path, tiny: dict[str, Any], tmp_path: Path, continues: bool
) -> None:
    """From scratch a model to continue from is named; one that continues is not told that it starts from scratch."""
    shape = ("layers", "hidden_size", "attention_heads", "intermediate_size", "max_positions")
    kept = {name: value for name, value in tiny.items() if not (continues and name in shape)}
    origin = {"from_": str(two_updates)} if continues else {}
    (warning,) = pretrain(store, out=tmp_path / "next", steps=1, learning_rate=1.0, **origin, **kept).warnings
    assert "is not below the unigram baseline" in warning
    assert ("to start from scratch" in warning) is not continues
    assert (f"{two_updates} has learned too little itself" in warning) is continues


def test_a_student_is_told_to_begin_with_layers_of_its_teacher(
    two_updates: Path, store: Path, tiny: dict[str, Any], tmp_path: Path, bertsmith: Callable[..., Any]
) -> None:
    """The command that is given is taken as it stands."""
    teacher = tmp_path / "teacher"
    pretrain(store, out=teacher, steps=1, **{**tiny, "layers": 3})
    options = {"steps": 1, "learning_rate": 1.0, "teacher": teacher, **tiny}
    (warning,) = pretrain(store, out=tmp_path / "next", **options).warnings
    said, command = warning.splitlines()
    assert said.endswith("to start from scratch. Try: start from layers of the teacher:")
    shape = f"--from {teacher} --layers 1 --teacher {teacher}"
    assert command == f"  bertsmith pretrain {store} --out {tmp_path / 'next'}-continued {shape}"
    words = [*command.split()[1:], "--sequence-length", 32, "--steps", 1, "--dry-run", "--json"]
    assert bertsmith(*words).json["forecast"]
