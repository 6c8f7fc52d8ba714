"""The verbs of the tasks are methods of the Predictor; a new task needs no change elsewhere."""

from __future__ import annotations

import inspect
import pydoc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bertsmith
from bertsmith.inference.predictor import Predictor
from bertsmith.tasks.registry import TASKS, TaskEntry

METHODS = {
    "fill_mask": "(text: 'str | list[str]', top_k: 'int' = 5) -> 'FilledMasks | list[FilledMasks]'",
    "next_sentence": "(a: 'str', b: 'str') -> 'NextSentence'",
    "embed": "(text: 'str | list[str]', pooling: 'str | None' = None, layer: 'int' = -1) "
    "-> 'Embedding | list[Embedding]'",
    "classify": "(text: 'str | list[str]', pair: 'str | list[str] | None' = None, *, max_length: 'int | None' = None) "
    "-> 'Classification | list[Classification]'",
    "choose": "(prompt: 'str | list[str]', choices: 'Sequence[str] | Sequence[Sequence[str]]', *, "
    "max_length: 'int | None' = None) -> 'PredictedChoice | list[PredictedChoice]'",
    "tag": "(text: 'str | list[str]', *, max_length: 'int | None' = None) -> 'Tagging | list[Tagging]'",
    "answer": "(question: 'str | list[str]', context: 'str | list[str]', *, top_k: 'int' = 1, "
    "no_answer_threshold: 'float | None' = None, max_length: 'int | None' = None) "
    "-> 'PredictedAnswer | list[PredictedAnswer]'",
}

COMMAND = '''
from bertsmith.config.verb import Result
from bertsmith.tasks.command import TaskCommand
from bertsmith.tasks.files.inputs import read_input_texts
from bertsmith.tasks.predict_options import PredictOptions


class MeasureOptions(PredictOptions):
    """How long a text is."""

    times: int = 1


def predict(model, options, texts):
    from toy_measure.predict import measure

    return measure(model, texts, times=options.times)


def show(result):
    return f"{result.text}: {result.length:g}"


EXAMPLE = "bertsmith measure runs/books hello"
COMMAND = TaskCommand("measure", "The tokens of a text.", MeasureOptions, read_input_texts, predict, show, EXAMPLE)
'''
PREDICT = '''
from dataclasses import dataclass

from bertsmith.config.verb import Result
from bertsmith.tasks.encoded_texts import encode_texts


@dataclass(frozen=True)
class Measure(Result):
    text: str
    length: float


def measure(runner, text, *, times=1):
    """The number of tokens."""
    texts = [text] if isinstance(text, str) else text
    encoded, answers = encode_texts(runner.tokenizer, texts, None, runner.max_length), [None] * len(texts)
    for numbers, lengths in runner.forward("measuring")(encoded, times=times):
        for number, length in zip(numbers, lengths.tolist(), strict=True):
            answers[number] = Measure(texts[number], length)
    return answers[0] if isinstance(text, str) else answers
'''
HEAD = """
class Lengths:
    def __init__(self, models):
        self.loads = models.name

    def __call__(self, batch, *, times):
        return times * batch["attention_mask"].sum(1)


FORWARD = Lengths
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task with a folder and a line in the registry."""
    folder = tmp_path / "toy_measure"
    folder.mkdir()
    for name, content in (("__init__", ""), ("command", COMMAND), ("predict", PREDICT), ("head", HEAD)):
        (folder / f"{name}.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(
        TASKS, "measuring", TaskEntry("measuring", "measure", "toy_measure", "the tokens", trainable=False)
    )


@pytest.mark.parametrize("name", METHODS)
def test_a_verb_is_a_method(bert: Path, name: str) -> None:
    model = bertsmith.load(bert)
    method = getattr(model, name)
    assert method.__self__ is model and method.__name__ == name
    assert str(inspect.signature(method)) == METHODS[name]
    assert inspect.getdoc(method) in inspect.cleandoc(pydoc.plain(pydoc.render_doc(method)).replace("\n    ", "\n"))
    assert name in dir(model)


def test_what_is_no_verb_is_no_attribute(bert: Path) -> None:
    model = bertsmith.load(bert)
    assert sorted(set(dir(model)) & {*METHODS, "tokenize", "hidden_states", "measure"}) == sorted(
        [*METHODS, "tokenize", "hidden_states"]
    )
    with pytest.raises(AttributeError, match="'Predictor' object has no attribute 'clasify'"):
        model.clasify("a")
    assert not hasattr(model, "measure")
    assert not [name for name in METHODS if hasattr(Predictor, name)]


@pytest.mark.usefixtures("toy")
def test_the_verb_of_a_new_task(bert: Path, bertsmith: Callable[..., Any]) -> None:
    from bertsmith.inference.predictor import Predictor

    model = Predictor(str(bert))
    assert "measure" in dir(model)
    assert model.measure("hello").to_dict() == {"text": "hello", "length": 3.0}
    assert [answer.length for answer in model.measure(["a", "how are you", "a a"], times=2)] == [6, 10, 8]
    answers = bertsmith("measure", bert, "hello", "a a", "--times", 3, "--json").json_lines
    assert answers == [{"text": "hello", "length": 9.0}, {"text": "a a", "length": 12.0}]
    assert bertsmith("measure", bert, stdin="hello\n").stdout == "hello: 3\n"
    said = bertsmith("--help").stdout.splitlines()
    assert "  measure           the tokens" in said
    assert "--times" in bertsmith("measure", "--help").stdout
    assert "did you mean 'measure'?" in bertsmith("measur").stderr
