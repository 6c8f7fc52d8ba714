"""Order and batches of fine-tuning, and the head that a MODEL is given."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from bertsmith.errors import ModelError
from bertsmith.finetuning import head_training
from bertsmith.finetuning.choices import precision_of
from bertsmith.finetuning.head_batches import BATCHES_PER_WINDOW, HeadBatches, LabelledData
from bertsmith.finetuning.head_model import load_head
from bertsmith.finetuning.head_training import train_head
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.tasks.base import task_class
from bertsmith.tasks.encoded_texts import EncodedTexts
from bertsmith.tasks.sequence_classification.head import SequenceLosses
from bertsmith.tasks.sequence_classification.problem_types import REGRESSION
from bertsmith.tasks.sequence_classification.task import SequenceClassification
from bertsmith.tasks.values import SINGLE_LABEL
from bertsmith.tokenization.folder import load_tokenizer
from bertsmith.training.run_folder import RunFolder

TASK = SequenceClassification(("no", "yes"), SINGLE_LABEL)


def batches_of(data: LabelledData, *, seed: int = 0) -> HeadBatches:
    return HeadBatches(data, SequenceLosses(TASK), 8, pad_token_id=0, with_types=True, seed=seed)


def task_losses(labels: tuple[str, ...]) -> SequenceClassification:
    return SequenceClassification(labels, SINGLE_LABEL)


def data_of(count: int, *, seed: int = 0) -> LabelledData:
    draw = random.Random(seed)
    ids = [[2, *[5 + number % 90] * draw.randint(1, 40), 3] for number in range(count)]
    return LabelledData(EncodedTexts(ids, [[0] * len(item) for item in ids], [0] * count), np.arange(count) % 2.0)


@pytest.mark.parametrize("count", [5, 8, 100, 1000])
def test_an_epoch_holds_every_example_once(count: int) -> None:
    batches = batches_of(data_of(count))
    orders = [batches.order(epoch).tolist() for epoch in range(3)]
    for order in orders:
        assert sorted(order) == list(range(count))


@pytest.mark.parametrize("count", [100, 1000])
def test_each_epoch_has_an_order_of_its_own(count: int) -> None:
    batches = batches_of(data_of(count))
    assert len({tuple(batches.order(epoch).tolist()) for epoch in range(3)}) == 3


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    data = data_of(100)
    batches = batches_of(data)
    first = batches.order(3).tolist()
    batches.order(0)
    assert batches.order(3).tolist() == first
    assert batches_of(data).order(3).tolist() == first
    assert batches_of(data, seed=1).order(3).tolist() != first


def test_batches_are_of_like_length_in_random_order() -> None:
    size = 8 * BATCHES_PER_WINDOW
    batches = batches_of(data_of(size))
    lengths = batches.lengths[batches.order(0)].reshape(-1, 8)
    assert (lengths.max(axis=1) - lengths.min(axis=1)).mean() < 2
    means = lengths.mean(axis=1)
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.5, "batches come sorted by length"


def test_a_batch_and_what_its_loss_is_divided_by() -> None:
    data = data_of(20)
    batches = batches_of(data)
    numbers = range(18, 24)  # the end of one epoch and the beginning of the next
    chosen = [*batches.order(0)[18:].tolist(), *batches.order(1)[:4].tolist()]
    batch = batches(numbers)
    assert batch.inputs["targets"].tolist() == [float(number % 2) for number in chosen]
    assert batch.loss_counts.tolist() == [6]
    assert batch.num_tokens == sum(len(data.encoded.input_ids[number]) for number in chosen)
    for row, number in enumerate(chosen):
        ids = data.encoded.input_ids[number]
        assert batch.inputs["input_ids"][row, : len(ids)].tolist() == ids
        assert batch.inputs["attention_mask"][row].sum() == len(ids)


def test_a_fresh_head_on_the_encoder_of_a_run(run: Path, head_settings: Callable[..., HeadSettings]) -> None:
    torch.manual_seed(0)
    model = load_head(head_settings(TASK, run))
    assert isinstance(model, transformers.BertForSequenceClassification)
    assert model.config.id2label == {0: "no", 1: "yes"}
    weights = load_file(run / "model.safetensors")
    state = model.state_dict()
    encoder = [name for name in weights if name.startswith("bert.")]
    assert encoder and all(torch.equal(state[name], weights[name]) for name in encoder)
    other = load_head(head_settings(SequenceClassification((), REGRESSION), run))
    assert (other.config.num_labels, other.config.problem_type) == (1, "regression")


def test_what_a_configuration_says_of_the_training_file(
    run: Path, tmp_path: Path, head_settings: Callable[..., HeadSettings]
) -> None:
    """It is that of this training: what an earlier one left is gone."""
    model: Any = load_head(head_settings(TASK.with_fitted_values({"text_columns": ["a", "b"]}), run))
    assert model.config.text_columns == ["a", "b"]
    model.save_pretrained(tmp_path)
    again: Any = load_head(head_settings(TASK.with_fitted_values({"text_columns": ["c"]}), tmp_path))
    assert again.config.text_columns == ["c"]
    assert not hasattr(load_head(head_settings(TASK, tmp_path)).config, "text_columns")


def test_missing_weights_of_the_encoder(run: Path, tmp_path: Path, head_settings: Callable[..., HeadSettings]) -> None:
    shutil.copytree(run, tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    weights = {name: tensor for name, tensor in load_file(file).items() if "intermediate" not in name}
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(ModelError, match=r"2 weights of the encoder are missing.*intermediate"):
        load_head(head_settings(TASK, tmp_path / "model"))


def test_weights_of_the_encoder_of_another_shape(
    run: Path, tmp_path: Path, head_settings: Callable[..., HeadSettings]
) -> None:
    """A head of other labels starts fresh; an encoder that does not fit must not."""
    shutil.copytree(run, tmp_path / "model")
    file = tmp_path / "model" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"intermediate_size": 72}))
    with pytest.raises(ModelError, match=r"intermediate\.dense\.bias has the shape \[64\], expected \[72\]"):
        load_head(head_settings(TASK, tmp_path / "model"))


def test_a_head_of_other_labels_starts_fresh(
    run: Path, tmp_path: Path, head_settings: Callable[..., HeadSettings]
) -> None:
    torch.manual_seed(0)
    load_head(head_settings(task_losses(("a", "b", "c")), run)).save_pretrained(tmp_path)
    model = load_head(head_settings(task_losses(("no", "yes")), tmp_path))
    assert model.classifier.weight.shape[0] == 2
    before = load_file(tmp_path / "model.safetensors")
    for labels in (("d", "e", "f"), ("c", "b", "a")):
        other = load_head(head_settings(task_losses(labels), tmp_path)).state_dict()
        assert not torch.equal(other["classifier.weight"], before["classifier.weight"]), "it has the weights of others"
        assert other["classifier.weight"].std() == pytest.approx(0.02, rel=0.5)
        assert not other["classifier.bias"].any()
        assert all(torch.equal(other[name], before[name]) for name in before if name.startswith("bert."))
    again = load_head(head_settings(task_losses(("a", "b", "c")), tmp_path))
    assert torch.equal(
        again.state_dict()["classifier.weight"], load_file(tmp_path / "model.safetensors")["classifier.weight"]
    )


@pytest.mark.parametrize(("values", "best"), [([0.9, 0.5, 0.5], 2), ([0.5, 0.9, 0.9], 4), ([0.1, 0.2, 0.3], 6)])
def test_the_weights_of_the_first_best_evaluation_are_kept(
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    values: list[float],
    best: int,
    head_settings: Callable[..., HeadSettings],
) -> None:
    seen: list[dict[str, torch.Tensor]] = []
    original = head_training.head_outputs

    def watched(task: Any, model: torch.nn.Module, *arguments: Any, **options: Any) -> Any:
        seen.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return original(task, model, *arguments, **options)

    figures = iter(values)
    monkeypatch.setattr(head_training, "head_outputs", watched)
    monkeypatch.setattr(SequenceClassification, "values", lambda *_: {"accuracy": next(figures)})
    data = data_of(24)
    settings = head_settings(TASK, run, steps=6, eval_every=2, batch_size=8, learning_rate=1e-3)
    trained = train_head(
        settings, data, data, tokenizer=load_tokenizer(str(run)), folder=RunFolder(tmp_path), seed=0, title="a test"
    )
    assert (trained.signal, trained.best_step, trained.steps) == (None, best, 6)
    assert len(seen) == 3
    assert not torch.equal(seen[0]["classifier.weight"], seen[2]["classifier.weight"])
    assert all(torch.equal(tensor, seen[best // 2 - 1][name]) for name, tensor in trained.model.state_dict().items())


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        ("sequence-classification", ("no", "yes")),
        ("token-classification", ("O", "B-FOOD")),
        ("question-answering", ()),
        ("multiple-choice", ()),
    ],
)
def test_nothing_of_another_head_stays_in_the_configuration(
    run: Path, tmp_path: Path, task: str, labels: tuple[str, ...], head_settings: Callable[..., HeadSettings]
) -> None:
    before = tmp_path / "before"
    shutil.copytree(run, before, ignore=shutil.ignore_patterns("checkpoints"))
    config = json.loads((before / "config.json").read_text())
    names = {"id2label": {"0": "left", "1": "right"}, "label2id": {"left": 0, "right": 1}, "problem_type": "regression"}
    of_the_head = {"calibration_temperature": 2.0, "no_answer_threshold": 0.4, "text_columns": ["a", "b"]}
    (before / "config.json").write_text(json.dumps(config | names | of_the_head))
    found = load_head(head_settings(task_class(task)(labels, SINGLE_LABEL), before, task=task)).config.to_diff_dict()
    assert not set(of_the_head) & set(found)
    assert found.get("problem_type") == (SINGLE_LABEL if task == "sequence-classification" else None)
    assert found.get("id2label") == (dict(enumerate(labels)) or None)


def test_a_model_that_takes_float32_only_is_trained_in_it() -> None:
    config = transformers.XmodConfig()
    assert precision_of("auto", "cpu", config).value == "fp32"
    assert precision_of("bf16", "cpu", config).value == "bf16"
    assert precision_of("auto", "cpu", transformers.BertConfig()).reason != precision_of("auto", "cpu", config).reason
