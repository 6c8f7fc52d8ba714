"""question-answering from files to `answer`: windows, thresholds, predictions, and what goes wrong."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import bertsmith as package
from bertsmith.errors import DataError, InputError, ModelError, OptionError
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.question_answering.head import QuestionLosses
from bertsmith.tasks.question_answering.squad_file import ContextQuestion
from bertsmith.tasks.question_answering.task import QuestionAnswering
from bertsmith.tokenization.folder import load_tokenizer
from bertsmith.verbs.evaluate import evaluate
from bertsmith.verbs.finetune import FinetuneResult, finetune
from bertsmith.verbs.score import score

TASK = "question-answering"
QUICK: dict[str, Any] = {"precision": "fp32", "max_length": 48, "learning_rate": 1e-2, "batch_size": 16}
PEOPLE = ("the baker", "a sailor", "the old teacher", "my neighbour", "the queen", "the captain")


def questions(path: Path, count: int, *, seed: int = 0, impossible: float = 0.0, padding: int = 0) -> Path:
    """Who found or sold some bread: the answer is the person before it; where nobody is, there is none."""
    draw, lines = random.Random(seed), []
    for _ in range(count):
        person = "" if draw.random() < impossible else draw.choice(PEOPLE)
        before = "near the river and in the market " * draw.randint(0, padding)
        context = f"{before}{person or 'nobody'} sold some bread 😀 on the hill."
        answers = [{"text": person, "start": len(before)}] if person else []
        lines.append({"question": "who sold some bread?", "context": context, "answers": answers})
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tuned(run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[FinetuneResult, Path]:
    """A RUN that has learned to answer where there is an answer, and its dev file."""
    folder = tmp_path_factory.mktemp("answering")
    train, dev = (
        questions(folder / f"{seed}.jsonl", count, seed=seed, impossible=0.3) for seed, count in ((0, 120), (1, 40))
    )
    return finetune(TASK, model=run, train=train, dev=dev, out=folder / "run", epochs=8, **QUICK), dev


def test_questions_without_an_answer_are_left_unanswered(tuned: tuple[FinetuneResult, Path], tmp_path: Path) -> None:
    result, dev = tuned
    assert list(result.metrics)[:2] == ["f1", "exact_match"]
    assert result.metrics["f1"]["mean"] > 90 and result.metrics["no_answer_f1"]["mean"] > 80
    assert result.baseline["no_answer_f1"] == 100 and result.baseline["has_answer_f1"] == 0
    threshold = json.loads((result.run / "config.json").read_text())["no_answer_threshold"]
    assert 0 < threshold < 1
    figures = evaluate(result.run, dev, predictions=tmp_path / "p.json", max_length=48).metrics
    scored = score(TASK, dev, tmp_path / "p.json")
    assert figures == {name: scored.metrics[name].to_dict() for name in figures}
    assert {name: figure["value"] for name, figure in figures.items()} == {
        name: result.metrics[name]["mean"] for name in figures
    }
    assert scored.total == 40 and scored.missing == 0
    assert "a span of the context" in (result.run / "README.md").read_text()


def test_answers_are_those_of_evaluate(tuned: tuple[FinetuneResult, Path], tmp_path: Path) -> None:
    result, dev = tuned
    evaluate(result.run, dev, predictions=tmp_path / "p.json")
    predicted = json.loads((tmp_path / "p.json").read_text())
    records = [json.loads(line) for line in dev.read_text().splitlines()]
    model = package.load(result.run)
    answers = model.answer([record["question"] for record in records], [record["context"] for record in records])
    assert [answer.answer for answer in answers] == list(predicted.values())
    assert {"", "the captain"} < set(predicted.values())
    for answer, record in zip(answers, records, strict=True):
        assert record["context"][answer.start : answer.end] == answer.answer
        assert list(answer.to_dict()) == ["answer", "start", "end", "score", "no_answer_probability"]
    alone = model.answer(records[0]["question"], records[0]["context"])
    assert alone.answer == answers[0].answer and alone.score == pytest.approx(answers[0].score, rel=1e-4)


def test_candidates_and_thresholds(tuned: tuple[FinetuneResult, Path]) -> None:
    model = package.load(tuned[0].run)
    texts = "who sold some bread?", "the queen sold some bread 😀 on the hill."
    best = model.answer(*texts, top_k=20, no_answer_threshold=1)
    assert best.candidates is not None and best.candidates[0].answer == best.answer == "the queen"
    assert sum(candidate.score for candidate in best.candidates) == pytest.approx(1)
    assert [candidate.score for candidate in best.candidates] == sorted(
        (candidate.score for candidate in best.candidates), reverse=True
    )
    assert all(texts[1][item.start : item.end] == item.answer for item in best.candidates)
    left = model.answer(*texts, no_answer_threshold=0)
    assert (left.answer, left.start, left.end) == ("", 0, 0)
    assert left.score == left.no_answer_probability == pytest.approx(best.no_answer_probability)
    nothing = model.answer(texts[0], "\u200b", no_answer_threshold=1)
    assert (nothing.answer, nothing.no_answer_probability) == ("\u200b" if nothing.end else "", pytest.approx(1))
    assert model.answer([], []) == []
    for call in (lambda: model.answer(" ", "a"), lambda: model.answer("a", ""), lambda: model.answer(["a"], [])):
        with pytest.raises(InputError):
            call()
    with pytest.raises(InputError, match="top_k: found 21, expected 1 to 20"):
        model.answer(*texts, top_k=21)


def test_an_answer_far_behind_the_first_window_is_found(run: Path, tmp_path: Path) -> None:
    train, dev = (questions(tmp_path / f"{seed}.jsonl", 80 - 40 * seed, seed=seed, padding=4) for seed in (0, 1))
    result = finetune(
        TASK, model=run, train=train, dev=dev, out=tmp_path / "run", epochs=10, **{**QUICK, "max_length": 32}
    )
    assert result.metrics["f1"]["mean"] > 90
    assert result.windowed_examples is not None and result.windowed_examples > 40
    assert result.baseline["f1"] < 60
    config = json.loads((result.run / "config.json").read_text())
    assert config["no_answer_threshold"] == 1, "every question has an answer"
    far = questions(tmp_path / "far.jsonl", 20, padding=20)
    figures = evaluate(result.run, far, max_length=32)
    assert figures.windowed_examples is not None and figures.windowed_examples > 15
    assert figures.metrics["f1"]["value"] > 80


def inputs_of(run: Path, *examples: ContextQuestion, length: int = 32) -> Any:
    return QuestionAnswering().encode(load_tokenizer(str(run)), examples, length)


def test_a_window_without_the_whole_answer_has_none(run: Path) -> None:
    context = "near the river " * 12 + "the baker sold some bread " + "near the river " * 12
    start = context.index("the baker")
    example = ContextQuestion("1", ("the baker",), "who?", context, (start, start + len("the baker")))
    inputs = inputs_of(run, example)
    rows = range(len(inputs.owners))
    gold = QuestionAnswering().row_targets(inputs, [example], rows)
    tokenizer, found = load_tokenizer(str(run)), 0
    for row, ids in zip(rows, inputs.rows(rows).input_ids, strict=True):
        begin, end, length = gold[row].tolist()
        assert length == len(ids)
        if (begin, end) == (0, 0):
            assert "the baker" not in tokenizer.decode(ids)
        else:
            assert tokenizer.decode(ids[begin : end + 1]) == "the baker"
            found += 1
    assert 1 <= found < len(rows)


def test_no_answer_is_as_likely_as_in_the_window_where_it_is_least(run: Path) -> None:
    context = "near the river " * 12
    inputs = inputs_of(run, ContextQuestion("1", (), "who?", context))
    rows = range(len(inputs.owners))
    start, end = np.zeros((2, len(rows), 32), dtype=np.float32)
    start[:, 0] = np.arange(len(rows)) + 3.0
    start[1, int(inputs.offsets[1]) + 2] = 4.0
    output = {"start_logits": start, "end_logits": end}
    head = QuestionAnswering()
    answers = head.gather_outputs(list(head.extract_outputs(output, inputs, rows)), inputs)
    assert answers.no_answer[0] == pytest.approx(1 / (1 + np.exp(4.0 - 3.0)))
    begin, stop, _ = answers.candidates(0)[0]
    piece = int(inputs.firsts[1]) + 2
    assert begin == inputs.contexts[0].starts[piece] and stop >= inputs.contexts[0].ends[piece]


def test_padding_has_no_share_in_the_loss(run: Path) -> None:
    head, gold = QuestionLosses(QuestionAnswering()), torch.tensor([[1, 2, 4], [0, 0, 3]])
    start, end = torch.randn(2, 2, 4)
    short = head.loss_sum(SimpleNamespace(start_logits=start, end_logits=end), gold)
    padded = (torch.cat([part, torch.full((2, 5), 50.0)], 1) for part in (start, end))
    assert head.loss_sum(SimpleNamespace(start_logits=next(padded), end_logits=next(padded)), gold) == short


def test_questions_that_nothing_can_be_learned_from(bertsmith: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    """They are left out of training, counted and said; in the dev file they count like any other."""
    good = questions(tmp_path / "good.jsonl", 20)
    bad = {"question": "who?", "context": "the baker", "answers": [{"text": "a sailor", "start": 0}]}
    (tmp_path / "some.jsonl").write_text(good.read_text() + json.dumps(bad))
    options = ("--model", run, "--dev", tmp_path / "some.jsonl", "--max-length", 48, "--epochs", 0.1)
    said = bertsmith(
        "finetune", TASK, "--train", tmp_path / "some.jsonl", *options, "--out", tmp_path / "run", "--json"
    )
    assert "the answers of 1 of 21 questions were not found in their contexts, first '21'" in said.stderr
    train, dev = json.loads((tmp_path / "run" / "run.json").read_text())["data"]["files"]
    assert (train["examples"], train["left_out_examples"], dev["examples"]) == (20, 1, 21)
    assert "left_out_examples" not in dev and said.json["num_examples"] == 21
    (tmp_path / "none.jsonl").write_text(json.dumps(bad))
    with pytest.raises(DataError, match="no question of the training file has an answer that occurs in its context"):
        finetune(TASK, model=run, train=tmp_path / "none.jsonl", dev=good, out=tmp_path / "none")


def test_mistakes_of_options_and_models(tuned: tuple[FinetuneResult, Path], run: Path, tmp_path: Path) -> None:
    result, dev = tuned
    with pytest.raises(OptionError, match="--problem-type regression is not for question-answering"):
        finetune(TASK, model=run, train=dev, dev=dev, out=tmp_path / "run", problem_type="regression")
    with pytest.raises(OptionError, match=r"is a question-answering model. Try: leave the option out"):
        evaluate(result.run, dev, problem_type="regression")
    with pytest.raises(
        ModelError, match=r"has no question-answering head .* Try: bertsmith finetune question-answering"
    ):
        package.load(run).answer("who?", "the baker")
    config = transformers.BertConfig(no_answer_threshold="high")
    with pytest.raises(ModelError, match=r"no_answer_threshold in its config\.json is 'high', expected a number"):
        QuestionAnswering.for_model(config, None, "a model")


def test_squad(run: Path, shared_data: Path, tmp_path: Path) -> None:
    """Two real articles: every offset is right, and every figure is that of `score`."""
    content = json.loads((shared_data / "squad" / "dev-v2.0.json").read_text(encoding="utf-8"))
    for article in content["data"]:
        article["paragraphs"] = article["paragraphs"][:2]
    data = tmp_path / "articles.json"
    data.write_text(json.dumps({"data": content["data"][:3]}))
    examples = QuestionAnswering.read(data, Columns())
    assert all((example.span is None) == (not example.answers) for example in examples)
    for example in examples:
        assert example.span is None or example.context[slice(*example.span)] == example.answers[0]
    options = {**QUICK, "learning_rate": 1e-3}
    result = finetune(TASK, model=run, train=data, dev=data, out=tmp_path / "run", epochs=0.2, **options)
    assert result.num_examples == len(examples) > 20
    figures = evaluate(result.run, data, predictions=tmp_path / "p.json", max_length=48).metrics
    scored = score(TASK, data, tmp_path / "p.json")
    assert figures == {name: scored.metrics[name].to_dict() for name in figures}
