"""The input length of a head: `classify`, `evaluate` and the stock pipeline give long texts the same labels."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers
from safetensors.torch import load_file, save_file

import bertsmith
from bertsmith.errors import InputError, ModelError, OptionError
from bertsmith.inference.input_length import input_length
from bertsmith.models.loading import load_config
from bertsmith.verbs.compare import compare
from bertsmith.verbs.evaluate import evaluate

CLASSIFY, ANSWER = "sequence-classification", "question-answering"


@pytest.fixture
def of_length(classifier: Path, tmp_path: Path) -> Callable[..., Path]:
    """Make a copy of the classifier (48 positions) with these values in its config.json, and this run.json."""

    def make(name: str, record: dict[str, Any] | None = None, **values: Any) -> Path:
        folder = tmp_path / name
        shutil.copytree(classifier, folder)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | values))
        if record is not None:
            (folder / "run.json").write_text(json.dumps(record))
        return folder

    return make


def record_of(task: str = CLASSIFY, reported: int | None = 20, option: int | None = None) -> dict[str, Any]:
    data: dict[str, Any] = {"files": []}
    if reported is not None:
        train: dict[str, Any] = {
            "examples": 1,
            "labels": {},
            "repeated": 0,
            "lengths": [],
            "longest": 3,
            "cut_examples": 0,
        }
        train |= {"cut_tokens": 0, "tokens": 3, "unknown_tokens": 0, "unknown_words": {}}
        train["contradictions"] = {"texts": 0, "examples": []}
        data["report"] = {"max_length": reported, "parts": {"train": train}, "overlaps": {}}
    return {"kind": "finetuning", "task": task, "options": {"max_length": option}, "data": data}


@pytest.mark.parametrize(
    ("values", "record", "task", "requested", "expected"),
    [
        ({}, None, CLASSIFY, None, (48, "the model's maximum; it has no record of its fine-tuning length")),
        ({"input_length": 16}, None, CLASSIFY, None, (16, "as in fine-tuning")),
        ({"input_length": 16}, record_of(), CLASSIFY, None, (16, "as in fine-tuning")),
        ({"input_length": 16}, record_of(), CLASSIFY, 40, (40, "--max-length")),
        ({}, record_of(), CLASSIFY, None, (20, "from its run.json")),
        ({}, record_of(reported=None, option=24), CLASSIFY, None, (24, "from its run.json")),
        ({}, record_of(reported=None), CLASSIFY, None, (48, "from its run.json")),
        ({}, record_of("token-classification"), CLASSIFY, None, (48, "the model's maximum; it has")),
        ({"max_position_embeddings": 512}, None, ANSWER, None, (384, "the default of question-answering; the model")),
        ({"max_position_embeddings": 512}, record_of(reported=None), CLASSIFY, None, (128, "from its run.json")),
    ],
)
def test_where_the_length_comes_from(
    of_length: Callable[..., Path],
    values: dict[str, Any],
    record: dict[str, Any] | None,
    task: str,
    requested: int | None,
    expected: tuple[int, str],
) -> None:
    model = of_length("model", record, **values)
    length, reason = input_length(str(model), load_config(str(model)), task, requested=requested)
    assert length == expected[0] and reason.startswith(expected[1])


def test_a_seed_of_an_earlier_run_is_read_as_the_run_says(of_length: Callable[..., Path]) -> None:
    run = of_length("run", record_of(reported=20))
    seed = run / "seeds" / "seed-3"
    shutil.copytree(run, seed, ignore=shutil.ignore_patterns("seeds", "run.json"))
    assert input_length(str(seed), load_config(str(seed)), CLASSIFY)[0] == 20


@pytest.mark.parametrize("requested", [49, 7, -1])
def test_a_length_that_the_model_does_not_take_is_refused(of_length: Callable[..., Path], requested: int) -> None:
    model = of_length("model", input_length=16)
    with pytest.raises(
        OptionError, match=rf"--max-length: found {requested}, expected 8 to 48, the number of positions of the model"
    ):
        bertsmith.load(model).classify("hello", max_length=requested)


@pytest.mark.parametrize("stored", ["16", 7, 49, True, 16.0])
def test_a_stored_length_that_is_none_is_named(of_length: Callable[..., Path], stored: object) -> None:
    model = of_length("model", input_length=stored)
    with pytest.raises(ModelError, match=rf"input_length in its config\.json is {stored!r}, expected a whole number"):
        bertsmith.load(model).classify("hello")


def long_texts(count: int) -> list[str]:
    words = (
        "hello",
        "movie",
        "penguins",
        "milk",
        "good",
        "bad",
        "very",
        "dark",
        "room",
        "time",
        "birds",
        "is",
        "loved",
    )
    draw = random.Random(5)
    return [" ".join(draw.choice(words) for _ in range(draw.randint(3, 60))) for _ in range(count)]


@pytest.mark.parametrize("pairs", [False, True])
def test_classify_and_evaluate_and_stocks_pipeline_agree_on_long_texts(
    of_length: Callable[..., Path], tmp_path: Path, pairs: bool, caplog: pytest.LogCaptureFixture
) -> None:
    texts = long_texts(40)
    second = texts[1:] + texts[:1]
    data, predictions = tmp_path / "data.jsonl", tmp_path / "predictions.jsonl"
    rows = [{"text": a, "label": "good", **({"pair": b} if pairs else {})} for a, b in zip(texts, second, strict=True)]
    data.write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    def labels(model: Path, length: int, requested: int | None = None) -> list[str | None]:
        found = bertsmith.load(model).classify(texts, second if pairs else None, max_length=requested)
        evaluate(str(model), str(data), predictions=predictions, max_length=requested)
        measured = [json.loads(line) for line in predictions.read_text().splitlines()]
        pipeline = transformers.pipeline("text-classification", str(model), device=-1)
        given = [{"text": a, "text_pair": b} for a, b in zip(texts, second, strict=True)] if pairs else texts
        stock = pipeline(given, truncation=True, max_length=length)
        assert [answer.label for answer in found] == [answer["label"] for answer in measured]
        assert [answer.label for answer in found] == [answer["label"] for answer in stock]
        for answer, line in zip(found, measured, strict=True):
            assert answer.probabilities == pytest.approx(line["probabilities"], abs=1e-6)
        return [answer.label for answer in found]

    short, elsewhere = of_length("short", input_length=12), of_length("elsewhere")
    at_12, at_48 = labels(short, 12), labels(elsewhere, 48)
    assert sum(a != b for a, b in zip(at_12, at_48, strict=True)) > 1, "the length changes labels"
    assert labels(short, 48, requested=48) == at_48
    assert labels(elsewhere, 12, requested=12) == at_12
    cut = sum(len(text.split()) + 2 > 12 for text in texts)
    if not pairs:
        assert f"{cut} of 40 texts ({cut / 40:.1%}) are longer than 12 tokens and were cut" in caplog.text
        assert f"{cut} of 40 examples ({cut / 40:.1%}) are longer than 12 tokens and were cut" in caplog.text


def test_the_length_of_a_model_from_elsewhere_is_printed_once(
    of_length: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "bertsmith")
    elsewhere = bertsmith.load(of_length("elsewhere"))
    elsewhere.classify(["hello"])
    elsewhere.classify(["hello"])
    assert caplog.text.count("elsewhere: reading at most 48 tokens per row (the model's maximum; it has no record") == 1
    caplog.clear()
    elsewhere.classify("hello", max_length=20)
    bertsmith.load(of_length("own", input_length=16)).classify("hello")
    assert caplog.text == ""


@pytest.mark.parametrize("kind", ["multi_label_classification", "regression"])
def test_an_empty_text_has_no_label_whatever_the_answer_is(of_length: Callable[..., Path], kind: str) -> None:
    labels = {"id2label": {"0": "score"}, "label2id": {"score": 0}} if kind == "regression" else {}
    folder = of_length("model", problem_type=kind, **labels)
    if kind == "regression":
        weights = load_file(folder / "model.safetensors")
        save_file(
            {name: tensor[:1] if name.startswith("classifier.") else tensor for name, tensor in weights.items()},
            folder / "model.safetensors",
            metadata={"format": "pt"},
        )
    empty, text = (answer.to_dict() for answer in bertsmith.load(folder).classify([" ", "hello"]))
    assert list(empty) == list(text)
    assert {name: value for name, value in empty.items() if value} == {"text": " "}
    assert text["value" if kind == "regression" else "probabilities"] is not None


def test_an_example_without_a_token_is_measured_with_a_warning(
    of_length: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data.csv"
    data.write_text("text,label\nhello,good\n\u200b,bad\n")
    evaluate(str(of_length("short", input_length=12)), str(data))
    assert "1 of 2 examples have no token, because the tokenizer drops their text" in caplog.text


def test_models_of_different_lengths_are_compared_each_at_its_own(
    of_length: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "bertsmith")
    data = tmp_path / "data.jsonl"
    data.write_text("".join(f"{json.dumps({'text': text, 'label': 'good'})}\n" for text in long_texts(10)))
    models = [str(of_length(str(length), input_length=length)) for length in (12, 40)]
    cut = compare(*models, str(data)).truncated_tokens
    assert cut == {name: evaluate(m, str(data)).truncated_tokens for name, m in zip("ab", models, strict=True)}
    assert cut["a"] > cut["b"]
    assert "A reads 12 tokens per row, B 40. Try: --max-length N, the same for both" in caplog.text
    same = compare(*models, str(data), max_length=20).truncated_tokens
    assert same["a"] == same["b"] > cut["b"]


def test_pretraining_that_continues_from_a_head_forgets_it(
    store: Path, tiny: dict[str, Any], run: Path, tmp_path: Path
) -> None:
    from bertsmith.verbs.pretrain import pretrain

    tuned, out = tmp_path / "tuned", tmp_path / "out"
    shutil.copytree(run, tuned, ignore=shutil.ignore_patterns("checkpoints"))
    config = json.loads((tuned / "config.json").read_text())
    of_the_head = {"input_length": 16, "calibration_temperature": 2.0, "no_answer_threshold": 0.4}
    of_the_head |= {"id2label": {"0": "a", "1": "b", "2": "c"}, "label2id": {"a": 0, "b": 1, "c": 2}}
    of_the_head |= {"problem_type": "regression", "text_columns": ["a"], "labels_are": "plain", "choice_labels_from": 1}
    (tuned / "config.json").write_text(json.dumps(config | of_the_head))
    kept = {name: tiny[name] for name in ("sequence_length", "batch_size", "precision")}
    pretrain(store, from_=tuned, out=out, steps=1, **kept)
    assert not set(of_the_head) & set(json.loads((out / "config.json").read_text()))


def test_vectors_are_of_all_that_the_model_takes(of_length: Callable[..., Path], classifier: Path) -> None:
    text = "milk " * 30
    short = bertsmith.load(of_length("short", input_length=12)).embed(text)
    assert short == bertsmith.load(classifier).embed(text) and short.truncated_tokens == 0


def test_pairs_and_single_texts_are_told_apart(of_length: Callable[..., Path]) -> None:
    single = bertsmith.load(of_length("single", text_columns=["review"]))
    pair = bertsmith.load(of_length("pair", text_columns=["premise", "hypothesis"]))
    assert single.classify("hello").label and pair.classify("hello", "milk").label
    with pytest.raises(
        InputError,
        match=r"found a pair of texts, expected a single text, as .*single was fine-tuned on single texts \(column 're",
    ):
        single.classify("hello", "milk")
    with pytest.raises(
        InputError,
        match=r"found a single text, expected a pair, .* pairs \(columns 'premise' and 'hypothesis', in this",
    ):
        pair.classify(["hello", "milk"])


def test_lines_of_a_model_of_pairs_hold_both_texts(
    of_length: Callable[..., Path], bertsmith: Callable[..., Any], tmp_path: Path
) -> None:
    pair = of_length("pair", text_columns=["premise", "hypothesis"])
    (alone,) = bertsmith("classify", pair, "hello", "--pair", "milk", "--json").json_lines
    first, blank, other = bertsmith("classify", pair, "--json", stdin="hello\tmilk\r\n\nmilk\thello").json_lines
    assert first["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-6)
    assert blank["label"] is None and other["probabilities"] != first["probabilities"]
    (tmp_path / "lines").write_text("hello\tmilk\n\nhello\n")
    wrong = bertsmith("classify", pair, "--input", tmp_path / "lines")
    assert (
        wrong.code == 2
        and f"{tmp_path / 'lines'}: line 3: found 'hello', expected two texts separated by a tab" in wrong.stderr
    )
    single = bertsmith("classify", pair, "hello")
    assert single.code == 2 and "Try: --pair with the second text" in single.stderr
