"""What holds for every head of the list: read, encode, learn, decode, score. A new head needs a sample here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file

from bertsmith.finetuning.head_batches import LabelledData
from bertsmith.finetuning.head_model import load_head
from bertsmith.finetuning.head_training import train_head
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.inference.head_outputs import head_outputs, tensors
from bertsmith.models.loading import load_config
from bertsmith.tasks.base import AnyTask, task_class
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.model_config import has_head, task_of
from bertsmith.tasks.registry import trainable_tasks
from bertsmith.tasks.task_losses import task_losses
from bertsmith.tokenization.folder import load_tokenizer
from bertsmith.training.run_folder import RunFolder
from bertsmith.verbs.evaluate import evaluate
from bertsmith.verbs.finetune import FinetuneResult, finetune
from bertsmith.verbs.score import score
from support.stock import load_stock

LENGTH = 24
CLASSES = "single_label_classification"
ASKED: Any = SimpleNamespace(problem_type=CLASSES, labels_are=None)


def words_of(number: int) -> list[str]:
    """A sentence of 3 to 20 words, so that lengths and counts differ."""
    word = ("bread", "horses")[number % 2]
    return [*[word] * (1 + number % 3), *["near", "the", "river"] * (1 + number % 7)]


def texts(path: Path) -> Path:
    lines = [{"text": " ".join(words_of(number)), "label": ("food", "animal")[number % 2]} for number in range(24)]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def tags(path: Path) -> Path:
    tag = {"bread": "B-FOOD", "horses": "B-ANIMAL"}
    lines = [
        {"tokens": words_of(number), "tags": [tag.get(word, "O") for word in words_of(number)]} for number in range(24)
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def choices(path: Path) -> Path:
    """Two to four choices; the right one is bread."""
    lines = []
    for number in range(24):
        found = ["horses"] * (1 + number % 3)
        found.insert(number % (len(found) + 1), "some bread")
        prompt = " ".join(["near", "the", "river"] * (1 + number % 7))
        lines.append(json.dumps({"prompt": prompt, "choices": found, "label": found.index("some bread")}))
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def questions(path: Path) -> Path:
    """What is near the river: the first words of the sentence."""
    lines = []
    for number in range(24):
        words = words_of(number)
        answer = " ".join(words[: 1 + number % 3])
        question = {"question": "what is near", "context": " ".join(words), "answers": [{"text": answer, "start": 0}]}
        lines.append(question)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


SAMPLES: dict[str, Callable[[Path], Path]] = {
    "sequence-classification": texts,
    "token-classification": tags,
    "question-answering": questions,
    "multiple-choice": choices,
}
"""For each task what writes a labelled file of 24 examples, some of them longer than LENGTH tokens."""


def test_every_head_has_a_sample() -> None:
    assert set(SAMPLES) == set(trainable_tasks())


@pytest.fixture(params=trainable_tasks())
def task(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sample(task: str, tmp_path: Path) -> Path:
    return SAMPLES[task](tmp_path / "sample.jsonl")


OUT_OF = {"question-answering": 100.0}
"""The highest value of a task's figures, where it is not 1."""

WITHOUT_EFFECT = {"question-answering": {"qa_outputs.bias"}, "multiple-choice": {"classifier.bias"}}
"""Weights that no output depends on: added to the logits of all positions, or choices, they change nothing among these.
Their gradient is rounding alone, of which AdamW makes whole steps."""


def stock_labels(task: str, gold: torch.Tensor) -> dict[str, torch.Tensor]:
    """What is true of some rows, as stock's models take it."""
    if task == "question-answering":
        return {"start_positions": gold[:, 0], "end_positions": gold[:, 1]}
    return {"labels": gold[:, 0] if task == "multiple-choice" else gold.long()}


def encoded(task: str, sample: Path, run: Path) -> tuple[AnyTask, LabelledData]:
    examples = task_class(task).read(sample, Columns())
    head = task_class(task).for_training(examples, ASKED)
    inputs = head.encode(load_tokenizer(str(run)), examples, LENGTH)
    return head, LabelledData(inputs, head.targets(examples, str(sample)))


def test_what_a_head_says_of_itself(task: str) -> None:
    head = task_class(task)
    assert hasattr(transformers, head.auto_class)
    assert head.pipeline_tag and head.head_name and head.__doc__
    ending = head.auto_class.removeprefix("AutoModel")
    assert task_of(transformers.BertConfig(architectures=[f"Bert{ending}"])) == task
    assert has_head(transformers.BertConfig(architectures=[f"DistilBert{ending}"]), task)
    assert task_of(transformers.BertConfig(architectures=["BertModel"])) is None


def test_inputs_and_targets_belong_to_the_examples(task: str, sample: Path, run: Path) -> None:
    examples = task_class(task).read(sample, Columns())
    _, data = encoded(task, sample, run)
    assert (
        len(examples) == len(data.targets) == len(data.encoded.full_lengths) == len(data.encoded.truncated_tokens) == 24
    )
    items = list(task_class(task).for_training(examples, ASKED).comparison_items(examples))
    assert len(items) == 24 and all(item.texts and item.label and item.place for item in items)
    batch = task_class(task).for_training(examples, ASKED).batch(data.encoded, range(24), 0, with_types=False)
    assert batch["input_ids"].shape[-1] == LENGTH < max(data.encoded.full_lengths)
    assert max(data.encoded.lengths) <= batch["input_ids"][0].size
    windowed = data.encoded.windowed_examples
    if windowed is None:
        assert len(data.encoded.lengths) == 24 and sum(data.encoded.truncated_tokens) > 0
    else:
        assert len(data.encoded.lengths) > 24 and windowed > 0 and sum(data.encoded.truncated_tokens) == 0


def test_the_loss_is_stocks_times_its_count(
    task: str, sample: Path, still: Path, head_settings: Callable[..., HeadSettings]
) -> None:
    """Row by row, because padding has a share in the loss of stock's question answering."""
    head, data = encoded(task, sample, still)
    torch.manual_seed(0)
    model, losses = load_head(head_settings(head, still, task=task, max_length=LENGTH)).eval(), task_losses(task, head)
    rows = [3, 0, 12, 6]
    stock = 0.0
    for row in rows:
        batch = tensors(head.batch(data.encoded, [row], 0, with_types=True))
        gold = torch.from_numpy(head.row_targets(data.encoded, data.targets, [row]))
        with torch.no_grad():
            stock += model(**batch, **stock_labels(task, gold)).loss.item() * losses.loss_count(gold)
    batch = tensors(head.batch(data.encoded, rows, 0, with_types=True))
    gold = torch.from_numpy(head.row_targets(data.encoded, data.targets, rows))
    with torch.no_grad():
        ours = losses.loss_sum(model(**batch), gold)
    assert ours.item() == pytest.approx(stock, rel=1e-5)


@pytest.mark.usefixtures("cpu")
def test_an_update_is_the_same_for_every_micro_batch_size(
    task: str, sample: Path, still: Path, tmp_path: Path, head_settings: Callable[..., HeadSettings]
) -> None:
    """Micro-batches hold unequal numbers of words; dividing each by its own would give other weights."""
    head, data = encoded(task, sample, still)
    weights = []
    for threads in (1, 2, 5):
        settings, folder = (
            head_settings(head, still, task=task, max_length=LENGTH, threads=threads),
            RunFolder(tmp_path / f"run-{threads}"),
        )
        folder.path.mkdir()
        tokenizer = load_tokenizer(str(still))
        trained = train_head(settings, data, data, tokenizer=tokenizer, folder=folder, seed=0, title="a test")
        weights.append(trained.model.state_dict())
    start = load_file(still / "model.safetensors")["bert.embeddings.word_embeddings.weight"]
    assert (weights[0]["bert.embeddings.word_embeddings.weight"] - start).abs().max() > 1e-3
    for other in weights[1:]:
        for name in weights[0].keys() - WITHOUT_EFFECT.get(task, set()):
            tensor = weights[0][name]
            torch.testing.assert_close(other[name], tensor, atol=2e-5, rtol=1e-3)


@pytest.mark.usefixtures("cpu")
def test_a_weighted_update_is_a_weighted_mean(
    task: str, sample: Path, still: Path, tmp_path: Path, head_settings: Callable[..., HeadSettings]
) -> None:
    """It is the same for every division, and for weights of which only the proportion is the same, however small."""
    head, data = encoded(task, sample, still)
    if not head.supports_class_weights:
        pytest.skip(f"{task} has no classes to weigh")
    trained = []
    for number, (threads, factor) in enumerate(((1, 1.0), (5, 1.0), (2, 1e-4), (1, 0.0))):
        # The last one has no weights.
        weights = tuple(factor * (1 + 2 * place) for place in range(len(head.labels))) if factor else None
        settings = head_settings(head, still, task=task, max_length=LENGTH, threads=threads, class_weights=weights)
        folder = RunFolder(tmp_path / f"run-{number}")
        folder.path.mkdir()
        tokenizer = load_tokenizer(str(still))
        found = train_head(settings, data, data, tokenizer=tokenizer, folder=folder, seed=0, title="a test")
        trained.append(found.model.state_dict())
    first, *same, plain = trained
    for other in same:
        for name, tensor in first.items():
            torch.testing.assert_close(other[name], tensor, atol=2e-5, rtol=1e-3)
    assert not torch.allclose(plain["classifier.bias"], first["classifier.bias"], atol=1e-3)


def test_outputs_do_not_depend_on_the_batches(
    task: str, sample: Path, still: Path, head_settings: Callable[..., HeadSettings]
) -> None:
    head, data = encoded(task, sample, still)
    torch.manual_seed(0)
    model = load_head(head_settings(head, still, task=task, max_length=LENGTH)).train()
    whole, single = (head_outputs(head, model, data.encoded, 0, budget=budget) for budget in (100_000, 1))
    assert model.training
    assert head.score(whole, data.targets) == head.score(single, data.targets)
    assert head.values(whole, data.targets) == {name: it.value for name, it in head.score(whole, data.targets).items()}
    assert next(iter(head.score(whole, data.targets))) == head.main_metric
    baseline = head.baseline(data.targets, data.targets)
    assert set(baseline) == set(head.score(whole, data.targets))


@pytest.fixture(scope="module")
def tuned(run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[FinetuneResult, Path]]:
    """A RUN of each head that has learned its sample."""
    made = {}
    for name, write in SAMPLES.items():
        folder = tmp_path_factory.mktemp(name)
        sample = write(folder / "sample.jsonl")
        options = {"max_length": LENGTH, "precision": "fp32", "learning_rate": 1e-2, "batch_size": 8, "epochs": 8}
        made[name] = finetune(name, model=run, train=sample, dev=sample, out=folder / "run", **options), sample
    return made


def test_a_sample_is_learned(task: str, tuned: dict[str, tuple[FinetuneResult, Path]]) -> None:
    result, _ = tuned[task]
    main = next(iter(result.metrics))
    assert result.metrics[main]["mean"] > 0.9 * OUT_OF.get(task, 1.0) > result.baseline[main]
    record = json.loads((result.run / "run.json").read_text())
    assert record["task"] == task
    assert f"pipeline_tag: {task_class(task).pipeline_tag}" in (result.run / "README.md").read_text()


def test_predictions_are_scored_as_they_were_evaluated(
    task: str, tuned: dict[str, tuple[FinetuneResult, Path]], tmp_path: Path
) -> None:
    result, sample = tuned[task]
    predictions = tmp_path / "predictions"
    figures = evaluate(result.run, sample, predictions=predictions, max_length=LENGTH).metrics
    scored = score(task, sample, predictions).metrics
    assert figures == {name: scored[name].to_dict() for name in figures}
    for name, figure in figures.items():
        assert figure["value"] == result.metrics[name]["mean"]


def test_its_errors_make_a_page(task: str, tuned: dict[str, tuple[FinetuneResult, Path]], tmp_path: Path) -> None:
    """The texts stand in it escaped, in the report of the RUN too; what is asked for beside changes no figure."""
    result, sample = tuned[task]
    lines = [json.loads(line) for line in sample.read_text().splitlines()]
    for number, line in enumerate(lines):
        line["kind"] = ("<b>one</b>", "two")[number % 2]
        for name in ("text", "prompt", "context"):
            if name in line:
                line[name] += " <script>alert(1)</script>"
        if "tokens" in line:
            line["tokens"][-1] = "<script>"
    # Each label is wrong, so each example is an error.
    for line in lines:
        if "label" in line:
            line["label"] = {"food": "animal", "animal": "food"}.get(line["label"], (line["label"] == 0) * 1)
        if "tags" in line:
            line["tags"] = ["B-FOOD"] * len(line["tags"])
        if "answers" in line:
            line["answers"] = [{"text": "<script>", "start": line["context"].index("<script>")}]
    attack, page = tmp_path / "attack.jsonl", tmp_path / "page.html"
    attack.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    found = evaluate(result.run, attack, max_length=LENGTH, report=page, slice="kind")
    assert found.metrics == evaluate(result.run, attack, max_length=LENGTH).metrics
    html = page.read_text()
    assert "<script" not in html and "&lt;script&gt;" in html and "<b>one" not in html
    assert "Worst errors" in html and ("Calibration" in html) == task_class(task)([], CLASSES).has_probabilities
    assert found.slices is not None
    assert {row["name"]: row["examples"] for row in found.slices["rows"]} == {"<b>one</b>": 12, "two": 12}
    report = (result.run / "report.html").read_text()
    assert "Worst errors" in report
    if json.loads((result.run / "run.json").read_text())["learnt_nothing"] is None:
        assert report.index("95% interval") < report.index("Warning") < report.index("Results"), "the verdict is first"


def test_the_run_is_a_stock_model(task: str, tuned: dict[str, tuple[FinetuneResult, Path]]) -> None:
    result, sample = tuned[task]
    stock = load_stock(result.run, task_class(task).auto_class)
    head = task_class(task).for_model(load_config(str(result.run)), None, str(result.run))
    examples = head.read(sample, Columns())
    inputs = head.encode(load_tokenizer(str(result.run)), examples, LENGTH)
    outputs = head_outputs(head, stock, inputs, 0)
    values = head.values(outputs, head.targets(examples, ""))
    assert values == {name: figure["mean"] for name, figure in result.metrics.items()}
    assert all(np.isfinite(value) for value in values.values())
