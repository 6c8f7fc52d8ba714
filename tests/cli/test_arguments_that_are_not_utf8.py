"""Arguments, options and texts of Python that UTF-8 cannot hold: one sentence, never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bertsmith.errors import InputError

LATIN_1 = b"caf\xe9".decode("utf-8", "surrogateescape")
"""How Python gives an argument that is not UTF-8."""


@pytest.mark.parametrize(
    ("verb", "arguments", "name"),
    [
        ("classify", (LATIN_1,), "TEXTS"),
        ("embed", ("fine", LATIN_1), "TEXTS"),
        ("fill-mask", (LATIN_1,), "TEXTS"),
        ("tokenize", (LATIN_1,), "TEXTS"),
        ("tag", (LATIN_1,), "TEXTS"),
        ("next-sentence", ("fine", LATIN_1), "B"),
        ("classify", ("fine", "--pair", LATIN_1), "--pair"),
        ("answer", ("--question", LATIN_1, "--context", "fine"), "--question"),
        ("choose", ("--prompt", "fine", "--choice", "a", "--choice", LATIN_1), "--choice"),
        ("embed", ("--input", LATIN_1), "--input"),
        ("evaluate", ("data.csv", "--text-column", LATIN_1), "--text-column"),
    ],
)
def test_an_argument_that_is_not_utf8(
    refused: Callable[..., str], tmp_path: Path, verb: str, arguments: tuple[str, ...], name: str
) -> None:
    message = refused(verb, tmp_path / "model", *arguments)
    assert f"{name}: found the byte 0xe9, which is not UTF-8, in 'caf\\udce9'; expected UTF-8" in message


def test_a_source_may_have_any_name(bertsmith: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / f"{LATIN_1}.txt").write_text("Too small a text.")
    answer = bertsmith("prepare", tmp_path / f"{LATIN_1}.txt", "--out", tmp_path / "store", "--workers", 1)
    assert answer.code == 2
    assert "is not UTF-8" not in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("text", "found"),
    [("a \ud83d b", r"contains half of a surrogate pair \(\\ud83d\)"), (5, "found a number, expected")],
)
def test_texts_of_python(run: Path, text: Any, found: str) -> None:
    from bertsmith.verbs.predict import load

    model = load(run)
    for verb, call in (
        ("classify", lambda: model.classify(["fine", text])),
        ("embed", lambda: model.embed(["fine", text])),
        ("fill-mask", lambda: model.fill_mask(["fine [MASK]", text])),
        ("next-sentence", lambda: model.next_sentence("fine", text)),
        ("tag", lambda: model.tag(["fine", text])),
        ("choose", lambda: model.choose("fine", ["fine", text])),
        ("answer", lambda: model.answer(["fine", "fine"], ["fine", text])),
    ):
        with pytest.raises(InputError, match=f"{verb}: (text|context|choice) 2:? {found}"):
            call()
    with pytest.raises(InputError, match=f"classify: second text:? {found}"):
        model.classify("fine", text if isinstance(text, str) else [text])
    with pytest.raises(InputError, match=f"tokenize: text:? {found}"):
        model.tokenize(text)


def test_a_line_of_input_that_is_not_utf8(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "standard input: line 2, byte 8 is not UTF-8" in refused("embed", tmp_path, stdin=b"fine\ncaf\xe9\n")


@pytest.mark.parametrize("verb", ["choose", "answer"])
def test_json_lines_of_input(refused: Callable[..., str], tmp_path: Path, verb: str) -> None:
    (tmp_path / "f.jsonl").write_text(
        '{"prompt": "He", "choices": ["a", "\\ud83d"], "question": "Who", "context": "\\udc00"}\n'
    )
    message = refused(verb, tmp_path, "--input", tmp_path / "f.jsonl")
    assert (
        "f.jsonl: line 1: 'choices'[1] contains half of a surrogate pair (\\ud83d), which is not a character" in message
    )
