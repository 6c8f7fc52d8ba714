"""Writing checkpoints without a Trainer: when one is due, its files, and restoring them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers

from bertsmith.models.bert import BertForPreTraining
from bertsmith.tokenization.folder import load_tokenizer
from bertsmith.training.checkpointing import MIN_SECONDS_BETWEEN, CheckpointWriter
from bertsmith.training.run_folder import RunFolder, damage_to
from bertsmith.training.training_plan import Saving
from bertsmith.training.training_state import TrainingProgress, read_progress, restore_optimizer, restore_schedule


@pytest.fixture
def model() -> BertForPreTraining:
    torch.manual_seed(0)
    return BertForPreTraining(
        transformers.BertConfig(
            vocab_size=40, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
        )
    )


def make_writer(out: Path, store: Path, model: BertForPreTraining, saving: Saving) -> CheckpointWriter:
    return CheckpointWriter(RunFolder(out), saving, model=model, tokenizer=load_tokenizer(str(store / "tokenizer")))


def make_optimizer(model: BertForPreTraining) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))


def test_when_a_checkpoint_is_due(store: Path, model: BertForPreTraining, tmp_path: Path) -> None:
    writer = make_writer(tmp_path, store, model, Saving(every=3))
    assert [writer.is_due(step, new_tenth=True) for step in (1, 3, 4, 6)] == [False, True, False, True]
    writer = make_writer(tmp_path, store, model, Saving())
    assert not writer.is_due(1, new_tenth=True), "the run began less than a minute ago"
    writer.last_time -= MIN_SECONDS_BETWEEN
    assert not writer.is_due(1, new_tenth=False)
    assert writer.is_due(1, new_tenth=True)


def test_a_checkpoint_restores_optimizer_schedule_and_progress(
    store: Path, model: BertForPreTraining, tmp_path: Path
) -> None:
    optimizer, scheduler = make_optimizer(model)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    scheduler.step()
    extra = Saving(add_to=lambda folder: (folder / "extra.txt").write_text("more") and None)
    writer = make_writer(tmp_path, store, model, extra)
    progress = TrainingProgress(step=4, tokens_seen=9, seconds=2.5, taken=[16, 0])
    states: list[Path] = []

    def write_trainer_state(file: Path) -> None:
        states.append(file)
        file.write_text("{}")

    for _ in range(2):
        writer.save(
            progress, optimizer=optimizer, scheduler=scheduler, best_step=None, write_trainer_state=write_trainer_state
        )
    assert len(states) == 1, "an update gets one checkpoint"

    checkpoint = RunFolder(tmp_path).checkpoint(4)
    assert damage_to(checkpoint) is None
    assert {"extra.txt", "trainer_state.json", "model.safetensors"} < {path.name for path in checkpoint.iterdir()}
    assert read_progress(checkpoint) == progress
    fresh, fresh_scheduler = make_optimizer(model)
    restore_optimizer(checkpoint, model, fresh)
    restore_schedule(checkpoint, fresh_scheduler, share=0.25)
    assert fresh.param_groups[0]["lr"] == pytest.approx(0.25e-3), "the budget may have changed"
    assert fresh_scheduler.get_last_lr() == pytest.approx([0.25e-3])
    for mine, theirs in zip(fresh.state.values(), optimizer.state.values(), strict=True):
        assert torch.equal(mine["exp_avg"], theirs["exp_avg"])


def test_the_newest_two_and_the_best_checkpoint_stay(store: Path, model: BertForPreTraining, tmp_path: Path) -> None:
    optimizer, scheduler = make_optimizer(model)
    writer = make_writer(tmp_path, store, model, Saving())
    for step in range(1, 6):
        writer.save(
            TrainingProgress(step=step, tokens_seen=0, seconds=0.0, taken=[0, 0]),
            optimizer=optimizer,
            scheduler=scheduler,
            best_step=2 if step >= 2 else None,
            write_trainer_state=lambda file: None,
        )
    assert [path.name for path in RunFolder(tmp_path).checkpoints()] == ["step-2", "step-4", "step-5"]
