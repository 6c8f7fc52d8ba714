"""The verb `compare`: every head, and models that cannot be compared. The models are small and have learnt nothing."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import bertsmith as package
from bertsmith.errors import DataError, ModelError, OptionError
from bertsmith.metrics.comparison import Difference
from bertsmith.models import loaded_models
from bertsmith.tasks.base import task_class
from bertsmith.tasks.question_answering.task import QuestionAnswering
from bertsmith.tasks.registry import trainable_tasks
from bertsmith.tasks.sequence_classification.task import SequenceClassification
from bertsmith.tokenization.folder import load_tokenizer, make_tokenizer
from bertsmith.verbs.compare import advice, better
from bertsmith.verbs.evaluate import evaluate

LABELS = {
    "sequence-classification": ["food", "animal", "thing"],
    "token-classification": ["O", "B-FOOD", "I-FOOD", "B-ANIMAL", "I-ANIMAL"],
    "question-answering": ["start", "end"],
    "multiple-choice": ["choice"],
}
WORDS = ("bread", "two horses", "the silver bell near the river", "a wooden boat")

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def model(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes a stock model of a task, its weights drawn with this seed."""

    def make(task: str, seed: int = 0, labels: list[str] | None = None, **config: Any) -> Path:
        folder = tmp_path_factory.mktemp(f"{task}-{seed}") / "model"
        named = dict(enumerate(labels or LABELS.get(task, ["a", "b"])))
        settings = transformers.BertConfig(
            vocab_size=256,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=64,
            id2label=named,
            label2id={label: number for number, label in named.items()},
            initializer_range=1.0,
            **config,
        )
        torch.manual_seed(seed)
        auto = task_class(task).auto_class if task in trainable_tasks() else task
        getattr(transformers, auto).from_config(settings).save_pretrained(folder)
        for file in (store / "tokenizer").iterdir():
            shutil.copy(file, folder)
        return folder

    return make


def rows(task: str) -> list[dict[str, Any]]:
    """40 examples of a task."""
    found: list[dict[str, Any]] = []
    for number in range(40):
        words = [*WORDS[number % 4].split(), *["again"] * (number % 5)]
        if task == "sequence-classification":
            found.append({"text": " ".join(words), "label": LABELS[task][number % 3]})
        elif task == "several":
            found.append({"text": " ".join(words), "label": LABELS["sequence-classification"][: number % 4]})
        elif task == "numbers":
            found.append({"text": " ".join(words), "label": number % 7 / 2})
        elif task == "token-classification":
            found.append(
                {"tokens": words, "tags": [("O", "B-FOOD", "B-ANIMAL")[number % 3], *["O"] * (len(words) - 1)]}
            )
        elif task == "question-answering":
            answers = [{"text": words[0], "start": 0}] if number % 4 else []
            found.append({"question": "What is it?", "context": " ".join(words), "answers": answers})
        else:
            found.append({"prompt": " ".join(words), "choices": list(WORDS[: 2 + number % 3]), "label": number % 2})
    return found


@pytest.fixture
def data(tmp_path: Path) -> Callable[[str], Path]:
    def write(task: str) -> Path:
        path = tmp_path / f"{task}.jsonl"
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows(task)))
        return path

    return write


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    **{task: (task, {}) for task in trainable_tasks()},
    "several": ("sequence-classification", {"problem_type": "multi_label_classification"}),
    "numbers": ("sequence-classification", {"problem_type": "regression", "labels": ["number"]}),
}


@pytest.mark.parametrize("case", CASES)
def test_every_head_is_compared(case: str, model: Make, data: Callable[[str], Path]) -> None:
    """Its figures are those of `evaluate`, and every one of them is compared."""
    task, settings = CASES[case]
    a, b = (model(task, seed, **settings) for seed in (0, 1))
    file = data(case)
    found = package.compare(a, b, file)
    for side, folder in (("a", a), ("b", b)):
        expected = {name: figure["value"] for name, figure in evaluate(folder, file).metrics.items()}
        assert {name: figures[side] for name, figures in found.metrics.items()} == expected
    assert next(iter(found.metrics)) == found.main_metric
    for figures in found.metrics.values():
        assert figures["difference"] == pytest.approx(figures["b"] - figures["a"])
        assert figures["low"] <= figures["difference"] <= figures["high"]
        assert figures["real"] == (figures["low"] > 0 or figures["high"] < 0) == (figures["better"] is not None)
        assert 0 < figures["p_value"] <= 1 and 0 <= figures["differing_examples"] <= 40
    assert (found.num_examples, found.truncated_tokens) == (40, {"a": 0, "b": 0})
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize("case", ["sequence-classification", "several"])
def test_a_model_with_its_labels_in_another_order_is_the_same(
    case: str, model: Make, data: Callable[[str], Path]
) -> None:
    task, settings = CASES[case]
    a = model(task, 0, **settings)
    turned = model(task, 0, labels=LABELS[task][::-1], **settings)
    stock = transformers.AutoModelForSequenceClassification.from_pretrained(turned)
    with torch.no_grad():
        for weight in (stock.classifier.weight, stock.classifier.bias):
            weight.copy_(weight.flip(0))
    stock.save_pretrained(turned)
    found = package.compare(a, turned, data(case))
    assert {(it["difference"], it["differing_examples"], it["p_value"]) for it in found.metrics.values()} == {(0, 0, 1)}
    assert found.advice.startswith("No difference in ")


def test_a_model_and_itself(
    model: Make, data: Callable[[str], Path], bertsmith: Callable[..., Any], tmp_path: Path
) -> None:
    folder, file = model("multiple-choice"), data("multiple-choice")
    copied, calibrated, cased = tmp_path / "copied", tmp_path / "calibrated", tmp_path / "cased"
    for other in (copied, calibrated, cased):
        shutil.copytree(folder, other)
    config = json.loads((folder / "config.json").read_text())
    (calibrated / "config.json").write_text(json.dumps(config | {"temperature": 2.0}))
    said = "A and B are the same model, so there is no difference"
    for other in (folder, copied):
        answer = bertsmith("compare", folder, other, file, "--json")
        assert answer.json["advice"].startswith(said) and said in bertsmith("compare", folder, other, file).stdout
        accuracy = answer.json["metrics"]["accuracy"]
        expected = {"difference": 0, "low": 0, "high": 0, "real": False, "better": None, "examples_needed": None}
        assert {name: accuracy[name] for name in expected} == expected
    assert said not in bertsmith("compare", folder, calibrated, file).stdout, "it has the same weights alone"
    with_case(cased)
    assert said not in bertsmith("compare", folder, cased, file).stdout, "it has another tokenizer"


def with_case(folder: Path) -> None:
    """Let the tokenizer of a folder keep upper case."""
    make_tokenizer(list(load_tokenizer(str(folder)).get_vocab()), cased=True).save_pretrained(folder)


def test_models_whose_answers_differ_are_not_the_same(
    model: Make, data: Callable[[str], Path], bertsmith: Callable[..., Any], tmp_path: Path
) -> None:
    """The tokenizer, which alone differs, lies in a folder of its own."""
    folder, cased, file = model("multiple-choice"), tmp_path / "cased", data("multiple-choice")
    (folder / "tokenizer").mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).rename(folder / "tokenizer" / name)
    shutil.copytree(folder, cased)
    with_case(cased / "tokenizer")
    upper = [row | {"choices": [choice.upper() for choice in row["choices"]]} for row in rows("multiple-choice")]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in upper))
    answer = bertsmith("compare", folder, cased, file, "--json")
    assert answer.json["metrics"]["accuracy"]["differing_examples"] > 0
    assert "the same model" not in answer.stderr + answer.json["advice"]


def test_one_model_at_a_time_is_in_memory(
    model: Make, data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    load, loaded, alive = loaded_models.load_auto, [], []

    def watched(*arguments: Any) -> Any:
        alive.append(sum(reference() is not None for reference in loaded))
        found = load(*arguments)
        loaded.append(weakref.ref(found))
        return found

    monkeypatch.setattr(loaded_models, "load_auto", watched)
    package.compare(model("multiple-choice", 0), model("multiple-choice", 1), data("multiple-choice"))
    assert alive == [0, 0]
    gc.collect()
    assert all(reference() is None for reference in loaded)


def test_what_people_read(model: Make, data: Callable[[str], Path], bertsmith: Callable[..., Any]) -> None:
    """B always says "food", which is right in 14 of 40; A always "animal" (13), so one or the other wins 27 times."""
    a, b = model("sequence-classification", 0), model("sequence-classification", 0)
    for folder, label in ((a, 1), (b, 0)):
        stock = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
        with torch.no_grad():
            stock.classifier.weight.zero_()
            stock.classifier.bias.copy_(torch.eye(3)[label])
        stock.save_pretrained(folder)
    answer = bertsmith("compare", a, b, data("sequence-classification"))
    assert answer.code == 0, answer.stderr
    lines = answer.stdout.splitlines()
    start = lines.index(f"A: {a}")
    assert lines[start + 1 : start + 3] == [f"B: {b}", "40 examples; B - A is in percentage points"]
    (accuracy,) = [line.split() for line in lines if line.startswith("  accuracy")]
    assert accuracy[1:4] == ["32.5%", "35.0%", "+2.5"] and accuracy[-1] == "neither"
    assert all(len(line) <= 80 for line in lines if str(a) not in line and str(b) not in line)
    conclusion = " ".join(line.strip() for line in lines[:start])
    assert conclusion.startswith("No real difference in accuracy: B - A is +2.5 points (95% interval -")
    assert "examples would show a difference of this size with 80% power; this file has 40." in conclusion


CLASSES = SequenceClassification(["a", "b"])


def difference(**values: Any) -> Difference:
    given = {"a": 0.8, "b": 0.85, "difference": 0.05, "low": 0.01, "high": 0.09, "real": True, "p_value": 0.012}
    more = {"standard_error": 0.02, "examples_needed": 1_234, "differing_examples": 30}
    return Difference(**{**given, **more, **values})


def test_advice() -> None:
    found = advice(CLASSES, "accuracy", difference(), examples=300)
    assert found == (
        "B is better by 5.0 points in accuracy: B - A is +5.0 points (95% interval +1.0 to +9.0 points, p = 0.012). "
        "About 1,300 examples would show a difference of this size with 80% power; this file has 300."
    )
    assert advice(CLASSES, "mean_squared_error", difference(), examples=300).startswith(
        "A is better by 0.0500 in mean_squared_error"
    )
    assert better(CLASSES, "mean_squared_error", difference(difference=-0.05)) == "b"
    assert (
        better(CLASSES, "accuracy", difference(difference=-0.05)) == "a"
        and better(CLASSES, "f1", difference(real=False)) is None
    )
    border = advice(CLASSES, "accuracy", difference(p_value=0.06), examples=300)
    assert border.endswith("The interval and the p-value disagree. Try: more examples")
    assert "+5.0 points (95% interval +1.0 to +9.0 points" in advice(
        QuestionAnswering(), "f1", difference(difference=5.0, low=1.0, high=9.0), examples=9
    )
    same = difference(b=0.8, difference=0.0, low=-0.01, high=0.01, real=False, p_value=1.0, examples_needed=None)
    assert advice(CLASSES, "f1", same, examples=300) == "No difference in f1: 80.0% for both."


# What cannot be compared


def test_other_labels(model: Make, data: Callable[[str], Path]) -> None:
    a = model("sequence-classification")
    b = model("sequence-classification", labels=["animal", "food", "place"])
    with pytest.raises(ModelError) as error:
        package.compare(a, b, data("sequence-classification"))
    assert str(error.value).splitlines() == [
        f"{a} and {b} have different labels, expected the same labels",
        f"  A ({a}): animal, food, thing; only in A: thing",
        f"  B ({b}): animal, food, place; only in B: place",
    ]
    types = model("token-classification", labels=["O", "B-FOOD", "I-FOOD"])
    with pytest.raises(ModelError, match=r"A \(.*\): ANIMAL, FOOD; only in A: ANIMAL\n  B \(.*\): FOOD$"):
        package.compare(model("token-classification"), types, data("token-classification"))


def test_tags_of_another_scheme_are_the_same_labels(model: Make, data: Callable[[str], Path]) -> None:
    schemes = [f"{prefix}-{type_}" for type_ in ("FOOD", "ANIMAL") for prefix in "BIES"]
    b = model("token-classification", labels=["O", *schemes])
    assert package.compare(model("token-classification"), b, data("token-classification")).num_examples == 40


def test_other_heads(model: Make, data: Callable[[str], Path]) -> None:
    a, file = model("sequence-classification"), data("sequence-classification")
    with pytest.raises(
        ModelError, match=r"has a head of sequence-classification, .* of multiple-choice; expected the same task"
    ):
        package.compare(a, model("multiple-choice"), file)
    language = model("AutoModelForMaskedLM")
    with pytest.raises(
        ModelError, match=f"{language}: found no head .*BertForMaskedLM.*bertsmith finetune sequence-class"
    ):
        package.compare(a, language, file)
    with pytest.raises(OptionError, match=r"are language models, .*: bertsmith evaluate MODEL"):
        package.compare(language, language, file)
    several = model("sequence-classification", problem_type="multi_label_classification")
    with pytest.raises(ModelError, match=r"problem type single_label_\w+, .* multi_label_classification; expected the"):
        package.compare(a, several, file)
    assert package.compare(a, several, file, problem_type="single_label_classification").num_examples == 40


def test_a_label_that_both_models_lack_is_said_before_anything_is_computed(
    model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded_models, "load_auto", lambda *_: pytest.fail("a model was loaded"))
    file = tmp_path / "data.csv"
    a, b = model("sequence-classification", 0), model("sequence-classification", 1)
    for content, message in (
        ("text,label\nbread,food\nstone,mineral\n", "line 3: found the label 'mineral', expected a label of the model"),
        ("", "the file is empty"),
        ("text,label\n", "no row"),
        ("text,kind\nbread,food\n", "no column of the label with a usual name"),
        ("text,label\nbread,\n", "the label is empty"),
    ):
        file.write_text(content)
        with pytest.raises(DataError, match=message) as error:
            package.compare(a, b, file)
        assert str(file) in str(error.value)


def test_models_that_are_not_there(
    model: Make, data: Callable[[str], Path], bertsmith: Callable[..., Any], tmp_path: Path
) -> None:
    a, file = model("multiple-choice"), data("multiple-choice")
    answer = bertsmith("compare", a, tmp_path / "none", file)
    assert answer.code == 2 and f"{tmp_path / 'none'}: no such folder" in answer.stderr
    shutil.copytree(a, tmp_path / "bare")
    (tmp_path / "bare" / "model.safetensors").unlink()
    answer = bertsmith("compare", a, tmp_path / "bare", file)
    assert answer.code == 2 and "found no weights" in answer.stderr and "evaluating" not in answer.stderr
    answer = bertsmith("compare", a, a)
    assert answer.code == 2 and "DATA is missing" in answer.stderr


def test_numbers_in_the_answer_are_plain(model: Make, data: Callable[[str], Path]) -> None:
    found = package.compare(model("multiple-choice", 0), model("multiple-choice", 1), data("multiple-choice"))
    kinds = {type(value) for figures in found.metrics.values() for value in figures.values()}
    assert not any(issubclass(kind, np.generic) for kind in kinds)
