"""What cannot be predicted on: texts, layers, questions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_a_text_without_a_mask(refused: Callable[..., str], run: Path, holds: Callable[..., None]) -> None:
    message = refused("fill-mask", run, "the baker found [MASK].", "no mask here")
    holds(message, "fill-mask: found no [MASK] in the text 'no mask here'")


def test_a_text_beyond_the_model_s_length(refused: Callable[..., str], run: Path, holds: Callable[..., None]) -> None:
    text = "the " * 100 + "[MASK]."
    holds(refused("fill-mask", run, text), "fill-mask: found a text of 104 tokens, expected at most 64")
    holds(refused("next-sentence", run, "the " * 60, "a " * 60), "found a text of 123 tokens, expected at most 64")


def test_a_text_beyond_the_model_s_length_is_cut_and_counted(bertsmith: Callable[..., Any], run: Path) -> None:
    answer = bertsmith("embed", run, "the " * 100, "the end", "--json")
    assert [item["truncated_tokens"] for item in answer.json_lines] == [38, 0]
    assert "warning: 1 of 2 texts (50.0%) is longer than 64 tokens and was cut (38 tokens in total)" in answer.stderr


def test_inputs_that_cannot_be_read(
    refused: Callable[..., str], run: Path, tmp_path: Path, holds: Callable[..., None]
) -> None:
    holds(refused("embed", run, "--input", tmp_path / "none"), tmp_path / "none", "No such file")
    holds(refused("embed", run, "--input", tmp_path), tmp_path, "Is a directory")
    (tmp_path / "texts").write_bytes(b"fine\n\xff\n")
    holds(refused("embed", run, "--input", tmp_path / "texts"), tmp_path / "texts", "byte 5 is not UTF-8")
    holds(refused("embed", run, stdin=b"\xff"), "standard input: line 1, byte 0 is not UTF-8")
    holds(refused("embed", run, stdin=""), "standard input: found no line")


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("a\n\nb\n", ["a", "", "b"]),
        ("a\r\n\r\nb", ["a", "", "b"]),
        ("\n \na\n\n", ["", " ", "a", ""]),
        ("\ufeffa\u2028b\x0cc", ["a\u2028b\x0cc"]),
        ("\n", [""]),
    ],
)
def test_each_line_has_an_answer(
    bertsmith: Callable[..., Any], run: Path, tmp_path: Path, content: str, lines: list[str]
) -> None:
    file = tmp_path / "lines"
    file.write_bytes(content.encode())
    answers = bertsmith("embed", run, "--input", file, "--json").json_lines
    assert answers == bertsmith("embed", run, "--json", stdin=content.encode()).json_lines
    assert [answer["text"] for answer in answers] == lines
    assert [answer["embedding"] is None for answer in answers] == [not line.strip() for line in lines]


def test_blank_lines_of_masks_and_pairs(bertsmith: Callable[..., Any], run: Path) -> None:
    masked = bertsmith("fill-mask", run, "--json", stdin="the [MASK].\n\nthe [MASK].\n").json_lines
    assert [len(answer["masks"]) for answer in masked] == [1, 0, 1]
    told = bertsmith("next-sentence", run, "--json", stdin="It rang.\tNobody came.\n\t\nIt rang.\tNobody came.")
    first, blank, last = told.json_lines
    assert first == last and blank == {"is_next_probability": None, "label": None, "logits": None}
    assert "1 of 3 lines is blank: its answer is null" in told.stderr
    for verb, words in (("fill-mask", "\n  no "), ("embed", "\n  no "), ("next-sentence", "no label")):
        assert words in bertsmith(verb, run, stdin="\n").stdout


def test_a_pair_that_is_none(
    refused: Callable[..., str], run: Path, tmp_path: Path, holds: Callable[..., None]
) -> None:
    (tmp_path / "pairs").write_text("It rang.\tNobody came.\n\nIt rang again.\n")
    message = refused("next-sentence", run, "--input", tmp_path / "pairs")
    holds(message, tmp_path / "pairs", "line 3: found 'It rang again.', expected two texts separated by a tab")
    holds(refused("next-sentence", run, "It rang."), 'expected two. Try: bertsmith next-sentence MODEL "A." "B."')


def test_a_layer_that_is_not_there(refused: Callable[..., str], run: Path, holds: Callable[..., None]) -> None:
    holds(refused("embed", run, "a", "--layer", "5"), "--layer: found 5, expected 0 (the embeddings) to 1")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1: not JSON"),
        ("[]", "line 1: found a list, expected an object"),
        ('{"question": "who?"}', "line 1: 'context': found nothing, expected text"),
        ('{"question": 1, "context": "a"}', "line 1: 'question': found a number, expected text"),
        ('{"question": " ", "context": "a"}', "line 1: 'question': the text is empty"),
    ],
)
def test_questions_that_cannot_be_answered(
    refused: Callable[..., str], run: Path, tmp_path: Path, line: str, said: str, holds: Callable[..., None]
) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(f"{line}\n")
    holds(refused("answer", run, "--input", file), file, said)


def test_half_a_question(refused: Callable[..., str], run: Path, tmp_path: Path, holds: Callable[..., None]) -> None:
    holds(refused("answer", run, "--question", "who?"), "answer: found one of --question and --context, expected both")
    both = ("--question", "who?", "--context", "the baker")
    holds(refused("answer", run, *both, "--input", tmp_path / "q.jsonl"), "and --input, expected one of the two")
    holds(refused("answer", run, *both), "has no question-answering head")
