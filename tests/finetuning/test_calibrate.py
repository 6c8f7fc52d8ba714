"""finetune --calibrate: one temperature that makes probabilities honest and changes no label."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file

import bertsmith
from bertsmith.errors import ModelError, OptionError
from bertsmith.metrics.calibration import calibration
from bertsmith.tasks.base import TEMPERATURE
from bertsmith.verbs.evaluate import evaluate
from bertsmith.verbs.finetune import FinetuneResult, finetune
from support.stock import Stock, assert_same

WORDS = ("bread", "horses", "boat", "letter", "river", "hill", "lamp", "basket", "market", "church")
OVERTRAINED: dict[str, Any] = {
    "precision": "fp32",
    "max_length": 32,
    "learning_rate": 1e-2,
    "batch_size": 16,
    "epochs": 25,
}


def noisy(path: Path, count: int, seed: int) -> Path:
    """Texts whose first word says the label in seven of ten cases: who is always sure is wrong in three of ten."""
    draw, lines = random.Random(seed), []
    for _ in range(count):
        words = [draw.choice(WORDS) for _ in range(6)]
        first = WORDS.index(words[0]) < 5
        said = first if draw.random() < 0.7 else not first
        lines.append(json.dumps({"text": " ".join(words), "label": "low" if said else "high"}))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("noisy")
    sizes = {"train": 96, "dev": 300, "test": 400}
    return {name: noisy(folder / f"{name}.jsonl", size, seed) for seed, (name, size) in enumerate(sizes.items())}


@pytest.fixture(scope="module")
def pair(
    run: Path, files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[FinetuneResult, FinetuneResult]:
    """The same over-trained model, as it is and calibrated."""
    folder = tmp_path_factory.mktemp("calibrated")
    given = {"model": run, **files, **OVERTRAINED}
    plain = finetune("sequence-classification", out=folder / "plain", **given)
    return plain, finetune("sequence-classification", out=folder / "calibrated", calibrate=True, **given)


def config_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "config.json").read_text())
    return found


def test_an_overtrained_model_is_honest_afterwards_on_the_test_file(
    pair: tuple[FinetuneResult, FinetuneResult],
) -> None:
    plain, calibrated = pair
    assert plain.calibration is not None and calibrated.calibration is not None
    assert "temperature" not in plain.calibration
    before, temperature = calibrated.calibration["before"], calibrated.calibration["temperature"]
    assert before == plain.calibration
    assert temperature > 1.5, "it was too sure"
    assert calibrated.calibration["ece"] < before["ece"] / 2
    assert calibrated.calibration["nll"] < before["nll"] and calibrated.calibration["brier"] < before["brier"]


def test_weights_figures_and_labels_do_not_change(
    pair: tuple[FinetuneResult, FinetuneResult], files: dict[str, Path]
) -> None:
    plain, calibrated = pair
    assert plain.metrics == calibrated.metrics
    weights = [load_file(result.run / "model.safetensors") for result in pair]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0] | weights[1])
    texts = [json.loads(line)["text"] for line in files["test"].read_text().splitlines()[:40]]
    ours, theirs = (bertsmith.load(result.run).classify(texts) for result in pair)
    assert [answer.label for answer in ours] == [answer.label for answer in theirs]
    for first, second in zip(ours, theirs, strict=True):
        assert first.probabilities is not None and second.probabilities is not None
        assert max(second.probabilities.values()) < max(first.probabilities.values())


def test_probabilities_are_those_of_stock_logits_at_the_temperature(
    pair: tuple[FinetuneResult, FinetuneResult], files: dict[str, Path], tmp_path: Path
) -> None:
    _, calibrated = pair
    run = calibrated.run
    temperature = config_of(run)[TEMPERATURE]
    stock = Stock(run, "AutoModelForSequenceClassification")
    lines = [json.loads(line) for line in files["test"].read_text().splitlines()]
    logits = stock([line["text"] for line in lines], padding=True).logits.double()
    expected = (logits / temperature).softmax(1).numpy()
    predictions = tmp_path / "predictions.jsonl"
    figures = evaluate(run, files["test"], predictions=predictions, max_length=32)
    answers = [json.loads(line) for line in predictions.read_text().splitlines()]
    said = np.array([[answer["probabilities"][label] for label in ("high", "low")] for answer in answers])
    assert_same(said, expected)
    gold = np.array([["high", "low"].index(line["label"]) for line in lines])
    assert figures.calibration is not None and calibrated.calibration is not None
    for name in ("ece", "brier", "nll", "temperature"):
        assert figures.calibration[name] == pytest.approx(calibrated.calibration[name], abs=1e-6), name
    assert figures.calibration["ece"] == pytest.approx(calibration(logits.numpy(), gold, temperature).ece, abs=1e-5)


def test_the_report_says_where_it_was_fitted(pair: tuple[FinetuneResult, FinetuneResult]) -> None:
    plain, calibrated = ((result.run / "report.html").read_text() for result in pair)
    assert "was fitted on the dev file" in calibrated and "was fitted on the dev file" not in plain
    for words in (
        "Whether the probabilities match the share of correct predictions on the test file.",
        "of 400 predictions are wrong on the test",
    ):
        assert words in plain and words in calibrated
    record = json.loads((pair[1].run / "run.json").read_text())
    assert len(record["errors"]["worst"]) == 20
    assert record["errors"]["calibration"]["temperature"] == config_of(pair[1].run)[TEMPERATURE]


def test_another_training_starts_without_the_temperature(
    pair: tuple[FinetuneResult, FinetuneResult], files: dict[str, Path], tmp_path: Path
) -> None:
    again = finetune(
        "sequence-classification", model=pair[1].run, out=tmp_path / "run", **files, **{**OVERTRAINED, "epochs": 1}
    )
    assert TEMPERATURE not in config_of(again.run)
    assert again.calibration is not None and "temperature" not in again.calibration


@pytest.mark.parametrize("value", [0, -1.0, "hot", True])
def test_a_temperature_that_is_none_is_refused(
    value: Any, pair: tuple[FinetuneResult, FinetuneResult], tmp_path: Path
) -> None:
    shutil.copytree(pair[1].run, tmp_path / "run")
    config = {**config_of(pair[1].run), TEMPERATURE: value}
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"calibration_temperature in its config\.json is .*, expected a number"):
        bertsmith.load(tmp_path / "run").classify("bread")


def test_numbers_have_nothing_to_calibrate(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "numbers.jsonl"
    file.write_text("".join(f'{{"text": "bread", "label": {number}}}\n' for number in range(4)))
    with pytest.raises(
        OptionError,
        match=r"--calibrate: sequence-classification \(regression\) has no class probabilities",
    ):
        given = {"model": run, "train": file, "dev": file, "out": tmp_path / "run", "problem_type": "regression"}
        finetune("sequence-classification", calibrate=True, **given)
    assert not (tmp_path / "run" / "run.json").exists()
