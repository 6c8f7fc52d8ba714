"""Encoding, batches, losses and answers of multiple-choice, against stock's model."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers import PreTrainedTokenizerBase

import bertsmith as package
from bertsmith.errors import InputError, ModelError, OptionError
from bertsmith.inference.head_outputs import head_outputs, tensors
from bertsmith.tasks.multiple_choice.choice_file import ChoiceQuestion
from bertsmith.tasks.multiple_choice.choice_labels import FROM_0, FROM_1
from bertsmith.tasks.multiple_choice.encoding import EncodedChoices
from bertsmith.tasks.multiple_choice.head import ChoiceLosses
from bertsmith.tasks.multiple_choice.task import MultipleChoice
from bertsmith.tokenization.folder import make_tokenizer

COUNTS = (2, 4, 3, 4, 2, 4)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    return make_tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters], cased=False)


@pytest.fixture(scope="module")
def model() -> transformers.BertForMultipleChoice:
    torch.manual_seed(0)
    shape = {"vocab_size": 31, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.BertConfig(**shape, intermediate_size=32, initializer_range=0.3)
    return transformers.BertForMultipleChoice(config).eval()


def questions() -> list[ChoiceQuestion]:
    return [
        ChoiceQuestion(
            " ".join("abc"[: 1 + number % 3]), tuple("d e f g h"[: 1 + 2 * (at % 5)] for at in range(count)), at_
        )
        for number, (count, at_) in enumerate(zip(COUNTS, (0, 3, 2, 1, 1, 0), strict=True))
    ]


@pytest.fixture(scope="module")
def inputs(tokenizer: PreTrainedTokenizerBase) -> EncodedChoices:
    return MultipleChoice().encode(tokenizer, questions(), 32)


def by_stock(model: Any, tokenizer: PreTrainedTokenizerBase, question: ChoiceQuestion) -> Any:
    """The stock model's output for a single example, called as in transformers' example script."""
    count = len(question.choices)
    batch = tokenizer([question.prompt] * count, list(question.choices), padding=True, return_tensors="pt")
    with torch.no_grad():
        return model(**{name: value[None] for name, value in batch.items()}, labels=torch.tensor([question.label]))


def test_lengths_are_those_of_the_padded_example(inputs: EncodedChoices) -> None:
    for number, question in enumerate(questions()):
        prompt, longest = len(question.prompt.split()), max(len(choice.split()) for choice in question.choices)
        assert inputs.lengths[number] == len(question.choices) * (prompt + longest + 3)
        assert inputs.full_lengths[number] == prompt + longest + 3
    assert inputs.truncated_tokens == [0] * len(COUNTS)


def test_what_is_beyond_the_length_is_cut_and_counted(tokenizer: PreTrainedTokenizerBase) -> None:
    found = MultipleChoice().encode(tokenizer, [ChoiceQuestion("a b c d e f", ("g", "h i j"), 0)], 8)
    assert found.pairs.lengths == [8, 8]
    assert found.truncated_tokens == [2 + 4] and found.full_lengths == [12]


def test_a_batch_of_unequal_numbers(inputs: EncodedChoices) -> None:
    batch = MultipleChoice().batch(inputs, [0, 1, 2], 0, with_types=True)
    longest = max(inputs.pairs.lengths[pair] for row in (0, 1, 2) for pair in inputs.choices(row))
    assert batch["input_ids"].shape == batch["token_type_ids"].shape == (3, 4, longest)
    assert (batch["attention_mask"].sum(-1) > 0).all(), "a row of padding alone would attend to nothing"
    assert batch["attention_mask"].sum(-1).tolist()[0][2:] == [1, 1]
    assert (batch["input_ids"][0, 2:] == 0).all()
    for row in (0, 1, 2):
        for place, pair in enumerate(inputs.choices(row)):
            ids = inputs.pairs.input_ids[pair]
            assert batch["input_ids"][row, place, : len(ids)].tolist() == ids
            assert batch["attention_mask"][row, place].sum() == len(ids)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("rows", [[1, 3, 5], [0, 1, 2, 3, 4, 5]], ids=["equal", "unequal"])
def test_the_loss_is_the_sum_of_stocks_over_the_examples(
    model: Any, tokenizer: PreTrainedTokenizerBase, inputs: EncodedChoices, rows: list[int], attention: str
) -> None:
    """Also if choices are missing: as if each example were computed separately."""
    head = MultipleChoice()
    model.set_attn_implementation(attention)
    batch = tensors(head.batch(inputs, rows, 0, with_types=True))
    gold = torch.from_numpy(head.row_targets(inputs, head.targets(questions(), ""), rows))
    output = model(**batch)
    expected = sum(by_stock(model, tokenizer, questions()[row]).loss.item() for row in rows)
    assert ChoiceLosses(head).loss_sum(output, gold).item() == pytest.approx(expected, rel=1e-5)
    assert ChoiceLosses(head).loss_count(gold) == len(rows)
    if len({COUNTS[row] for row in rows}) == 1:
        with torch.no_grad():
            whole = model(**batch, labels=gold[:, 0]).loss.item()
        assert whole * len(rows) == pytest.approx(expected, rel=1e-5)


def test_missing_choices_have_no_gradient(model: Any, inputs: EncodedChoices) -> None:
    """The gradient of a batch is finite and equals the sum of its examples' gradients."""
    head, rows = MultipleChoice(), [0, 1, 2]
    gradients = []
    for parts in ([rows], [[row] for row in rows]):
        model.zero_grad()
        for part in parts:
            gold = torch.from_numpy(head.row_targets(inputs, head.targets(questions(), ""), part))
            output = model(**tensors(head.batch(inputs, part, 0, with_types=True)))
            ChoiceLosses(head).loss_sum(output, gold).backward()
        gradients.append({name: weight.grad.clone() for name, weight in model.named_parameters()})
    model.zero_grad()
    for name, gradient in gradients[0].items():
        assert torch.isfinite(gradient).all(), name
        torch.testing.assert_close(gradient, gradients[1][name], atol=1e-5, rtol=1e-4)


def test_scores_are_those_of_stock(model: Any, tokenizer: PreTrainedTokenizerBase, inputs: EncodedChoices) -> None:
    outputs = head_outputs(MultipleChoice(), model, inputs, 0)
    assert [len(scores) for scores in outputs] == list(COUNTS)
    for question, scores in zip(questions(), outputs, strict=True):
        expected = by_stock(model, tokenizer, question).logits[0].numpy()
        np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_figures_and_baseline() -> None:
    head, gold = MultipleChoice(), np.array([1, 0, 2, 1])
    outputs = [np.array(scores, dtype=np.float32) for scores in ([0, 1], [0, 1], [0, 1, 2], [3, 1, 2, 0])]
    assert head.values(outputs, gold) == {"accuracy": 0.5}
    found = head.score(outputs, gold)["accuracy"]
    assert found.value == 0.5 and found.low < 0.5 < found.high
    assert head.baseline(np.array([1, 1, 0]), gold) == {"accuracy": 0.5}
    assert head.label_counts([ChoiceQuestion("", ("a",) * 3, label) for label in (1, 1, 0)]) == {"0": 1, "1": 2, "2": 0}


def test_predictions_say_what_score_cannot_see(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for label_format, label, said in ((FROM_1, 1, True), (FROM_1, 2, False), (FROM_0, 1, False)):
        caplog.clear()
        list(
            MultipleChoice().predictions(
                [ChoiceQuestion("p", ("a", "b", "c"), label, label_format=label_format)], [np.zeros(3)]
            )
        )
        assert ("to score these predictions, give --labels-from 1" in caplog.text) == said


def test_one_choice_is_right() -> None:
    for problem_type in ("regression", "multi_label_classification"):
        with pytest.raises(OptionError, match=f"--problem-type {problem_type} is not for multiple-choice"):
            MultipleChoice.for_training(questions(), SimpleNamespace(problem_type=problem_type))
        with pytest.raises(OptionError, match=f"--problem-type {problem_type}: x is a multiple-choice model"):
            MultipleChoice.for_model(None, SimpleNamespace(problem_type=problem_type), "x")


@pytest.fixture(scope="module")
def chooser(tokenizer: PreTrainedTokenizerBase, model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stock model folder with the head."""
    folder = tmp_path_factory.mktemp("chooser") / "model"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_choose_is_stocks_softmax(
    chooser: Path, model: Any, tokenizer: PreTrainedTokenizerBase, bertsmith: Any, tmp_path: Path
) -> None:
    file = tmp_path / "questions.jsonl"
    lines = [json.dumps({"prompt": one.prompt, "choices": one.choices}) for one in questions()]
    file.write_text("\n".join(lines) + "\n")
    answers = bertsmith("choose", chooser, "--input", file, "--json").json_lines
    for question, answer in zip(questions(), answers, strict=True):
        expected = by_stock(model, tokenizer, question).logits[0].softmax(-1)
        assert answer["probabilities"] == pytest.approx(expected.tolist(), abs=1e-5)
        assert answer["index"] == int(expected.argmax())
        assert answer["choice"] == question.choices[answer["index"]]
        assert (answer["prompt"], answer["truncated_tokens"]) == (question.prompt, 0)
    options = [word for choice in questions()[1].choices for word in ("--choice", choice)]
    (alone,) = bertsmith("choose", chooser, "--prompt", questions()[1].prompt, *options, "--json").json_lines
    assert alone["probabilities"] == pytest.approx(answers[1]["probabilities"], abs=1e-6)
    shown = bertsmith("choose", chooser, "--prompt", questions()[1].prompt, *options).stdout
    assert f"(choice {alone['index']} for: {questions()[1].prompt})" in shown


def test_choose_in_python(chooser: Path) -> None:
    loaded = package.load(chooser)
    one = loaded.choose("a", ["b", "c"])
    assert loaded.choose(["a"], [["b", "c"]]) == [one]
    assert loaded.choose([], []) == []
    with pytest.raises(InputError, match="found 2 prompts and 1 lists of choices"):
        loaded.choose(["a", "b"], [["c", "d"]])
    with pytest.raises(InputError, match="expected a list of at least two choices"):
        loaded.choose("a", ["b"])


def test_an_empty_prompt_or_choice_has_no_choice(chooser: Path, caplog: pytest.LogCaptureFixture) -> None:
    loaded = package.load(chooser)
    answers = loaded.choose(["a", "", "\u200b", "a"], [["b", "c"], ["b", "c"], ["b", "c"], ["b", " "]])
    assert answers[0] == loaded.choose("a", ["b", "c"])
    for answer in answers[1:]:
        assert answer.choice is answer.index is answer.probabilities is None
    assert "3 of 4 questions are empty (no token) and get no choice" in caplog.text


def test_a_blank_line_has_an_answer_without_a_choice(chooser: Path, bertsmith: Any, tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"prompt": "a", "choices": ["b", "c"]}\n\n{"prompt": "a", "choices": ["b", "c"]}\n\n')
    said = bertsmith("choose", chooser, "--input", file, "--json")
    first, blank, third, last = said.json_lines
    assert first == third and first["choice"] in ("b", "c")
    assert blank == last == dict.fromkeys(first) | {"prompt": "", "truncated_tokens": 0}
    assert "2 of 4 lines are blank: their answers are null" in said.stderr


def test_choose_cuts_and_says_so(chooser: Path, bertsmith: Any) -> None:
    answer = bertsmith("choose", chooser, "--prompt", "a " * 600, "--choice", "b", "--choice", "c d", "--json")
    assert answer.json["truncated_tokens"] == (600 + 4 - 512) + (600 + 5 - 512)
    assert (
        "1 of 1 prompts with their choices (100.0%) is longer than 512 tokens and was cut (185 tokens" in answer.stderr
    )


def test_what_choose_refuses(chooser: Path, run: Path, bertsmith: Any, tmp_path: Path) -> None:
    for given, message in (
        (
            (),
            "choose: found no prompt and 0 choices, expected a prompt and 2 choices or more. Try: bertsmith choose",
        ),
        (("--prompt", "a", "--choice", "b"), "choose: found a prompt and 1 choice, expected"),
        (("--prompt", "a", "--choice", "b", "--choice", " "), "choose: found an empty prompt or choice, expected text"),
        (("--prompt", "a", "--input", tmp_path / "none"), "and --input, expected one of the two"),
        (("--input", tmp_path / "none"), "none: no such file"),
    ):
        answer = bertsmith("choose", chooser, *given)
        assert answer.code == 2 and message in answer.stderr
    with pytest.raises(ModelError, match=r"has no multiple-choice head .*bertsmith finetune multiple-choice --model"):
        package.load(run).choose("a", ["b", "c"])
