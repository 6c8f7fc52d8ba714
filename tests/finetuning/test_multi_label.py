"""Several labels a text: files, the loss of stock, training, answers, and figures that `score` gives again."""

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

import bertsmith
from bertsmith.finetuning.head_batches import HeadBatches, LabelledData
from bertsmith.finetuning.head_model import load_head
from bertsmith.finetuning.head_training import train_head
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.inference.head_outputs import tensors
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.sequence_classification.head import SequenceLosses
from bertsmith.tasks.sequence_classification.problem_types import MULTI_LABEL
from bertsmith.tasks.sequence_classification.score import LabelScores
from bertsmith.tasks.sequence_classification.task import SequenceClassification
from bertsmith.tokenization.folder import load_tokenizer
from bertsmith.training.run_folder import RunFolder
from bertsmith.verbs.evaluate import evaluate
from bertsmith.verbs.finetune import FinetuneResult, finetune
from bertsmith.verbs.score import score
from support.stock import TOLERANCE, Stock

TASK = "sequence-classification"


def example(number: int) -> tuple[str, list[str]]:
    """Some of three words, each of which is a label; one text in eight has none."""
    words = {"bread": "food", "horses": "animal", "river": "place"}
    chosen = [word for place, word in enumerate(words) if number >> place & 1]
    return " ".join([*(f"{word} {word}" for word in chosen), "captain"]), [words[word] for word in chosen]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("several") / "data.jsonl"
    rows = [dict(zip(("text", "labels"), example(number), strict=True)) for number in range(48)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture(scope="module")
def tuned(run: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> FinetuneResult:
    options: dict[str, Any] = {"precision": "fp32", "learning_rate": 1e-2, "batch_size": 8, "epochs": 20}
    out = tmp_path_factory.mktemp("tuned") / "run"
    return finetune(TASK, model=run, train=data, dev=data, out=out, problem_type=MULTI_LABEL, max_length=32, **options)


def encoded(file: Path, run: Path) -> tuple[SequenceClassification, LabelledData]:
    rows = SequenceClassification.read(file, Columns())
    head = SequenceClassification.for_training(rows, SimpleNamespace(problem_type=MULTI_LABEL))
    return head, LabelledData(head.encode(load_tokenizer(str(run)), rows, 32), head.targets(rows, str(file)))


def test_the_loss_is_stocks_times_its_count(data: Path, run: Path, head_settings: Callable[..., HeadSettings]) -> None:
    head, part = encoded(data, run)
    model = load_head(head_settings(head, run, problem_type=MULTI_LABEL)).eval()
    assert model.config.problem_type == MULTI_LABEL
    rows = [3, 0, 11, 7]
    batch, losses = tensors(head.batch(part.encoded, rows, 0, with_types=True)), SequenceLosses(head)
    gold = torch.from_numpy(head.row_targets(part.encoded, part.targets, rows))
    assert losses.loss_count(gold) == 4 * 3
    with torch.no_grad():
        stock = model(**batch, labels=gold.float()).loss * losses.loss_count(gold)
        assert losses.loss_sum(model(**batch), gold).item() == pytest.approx(stock.item(), rel=1e-5)


@pytest.mark.usefixtures("cpu")
def test_an_update_is_the_same_for_every_micro_batch_size(
    data: Path, run: Path, tmp_path: Path, head_settings: Callable[..., HeadSettings]
) -> None:
    head, part = encoded(data, run)
    weights = []
    for threads in (1, 5):
        config = transformers.AutoConfig.from_pretrained(run)
        config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
        still = tmp_path / f"still-{threads}"
        transformers.AutoModel.from_pretrained(run, config=config).save_pretrained(still)
        folder = RunFolder(tmp_path / f"run-{threads}")
        folder.path.mkdir()
        settings = head_settings(head, still, problem_type=MULTI_LABEL, threads=threads)
        tokenizer = load_tokenizer(str(run))
        trained = train_head(settings, part, part, tokenizer=tokenizer, folder=folder, seed=0, title="a test")
        weights.append(trained.model.state_dict())
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, atol=2e-5, rtol=1e-3)


def test_a_batch_holds_a_row_of_labels_for_each_text(data: Path, run: Path) -> None:
    head, part = encoded(data, run)
    batch = HeadBatches(part, SequenceLosses(head), 12, pad_token_id=0, with_types=True, seed=0)(range(12))
    assert batch.inputs["targets"].shape == (12, 3)
    assert batch.loss_counts.tolist() == [36]


def test_it_is_learned(tuned: FinetuneResult) -> None:
    assert list(tuned.metrics) == ["micro_f1", "macro_f1", "accuracy"]
    assert tuned.metrics["micro_f1"]["mean"] > 0.8
    assert tuned.baseline["micro_f1"] == 0, "no label is in more than half of the texts"
    record = json.loads((tuned.run / "run.json").read_text())
    assert record["data"]["labels"] == {"animal": 24, "food": 24, "place": 24}


def test_classify_answers_as_stock(tuned: FinetuneResult, bertsmith: Any) -> None:
    stock = Stock(tuned.run, "AutoModelForSequenceClassification")
    assert stock.model.config.problem_type == MULTI_LABEL
    texts = [example(number)[0] for number in range(8)]
    answers = bertsmith("classify", tuned.run, *texts, "--json").json_lines
    for text, answer in zip(texts, answers, strict=True):
        expected = stock(text).logits[0].sigmoid()
        named = {stock.model.config.id2label[number]: float(value) for number, value in enumerate(expected)}
        assert answer["probabilities"] == pytest.approx(named, abs=TOLERANCE)
        assert answer["labels"] == [label for label, value in named.items() if value > 0.5]
        assert answer["label"] is None
    shown = f"labels: {', '.join(answers[3]['labels']) or 'none'}"
    assert bertsmith("classify", tuned.run, texts[3]).stdout.splitlines()[1] == shown


def test_score_gives_the_figures_of_evaluate(tuned: FinetuneResult, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "predictions.jsonl"
    found = evaluate(tuned.run, data, predictions=file, max_length=32)
    scored = score(TASK, data, file)
    assert isinstance(scored, LabelScores)
    assert {name: figure.to_dict() for name, figure in scored.metrics.items()} == found.metrics
    assert (scored.labels, scored.positive_label) == (["animal", "food", "place"], None)
    first = json.loads(file.read_text().splitlines()[3])
    assert sorted(first["gold"]) == ["animal", "food"] and set(first["probabilities"]) == {"animal", "food", "place"}


def test_lists_and_parted_labels_are_one(run: Path, data: Path, tmp_path: Path) -> None:
    """The same rows as CSV, with | between labels and an empty field for none."""
    table = tmp_path / "data.csv"
    lines = [f"{text},{'|'.join(labels)}" for text, labels in map(example, range(48))]
    table.write_text("\n".join(["text,label", *lines]) + "\n")
    (one, first), (other, second) = encoded(data, run), encoded(table, run)
    assert one.labels == other.labels
    np.testing.assert_array_equal(first.targets, second.targets)
    assert first.targets.sum(axis=1).min() == 0


def test_the_answer_in_python(tuned: FinetuneResult) -> None:
    answer = bertsmith.load(tuned.run).classify(example(7)[0])
    assert answer.label is None and answer.probabilities is not None
    assert answer.labels == [label for label, value in answer.probabilities.items() if value > 0.5] != []
