"""Texts that cannot be prepared."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard


def test_a_missing_path(refused: Callable[..., str], tmp_path: Path, holds: Callable[..., None]) -> None:
    source = tmp_path / "none.txt"
    for verb in (("prepare",), ("train-tokenizer", "--vocab-size", 100)):
        message = refused(*verb, source, "--out", tmp_path / "out")
        holds(message, source, "no such file or folder, and no file matches this pattern")


def test_a_folder_without_text(refused: Callable[..., str], tmp_path: Path, holds: Callable[..., None]) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "notes.pdf").write_bytes(b"%PDF")
    message = refused("prepare", tmp_path / "texts", "--out", tmp_path / "out")
    holds(message, tmp_path / "texts", "found no readable file in this folder, expected .txt, .jsonl")


def test_a_file_of_another_form(refused: Callable[..., str], tmp_path: Path, holds: Callable[..., None]) -> None:
    source = tmp_path / "notes.pdf"
    source.write_bytes(b"%PDF")
    holds(
        refused("prepare", source, "--out", tmp_path / "out"), source, "unknown file extension, expected .txt, .jsonl"
    )


@pytest.mark.parametrize("name", ["text.txt", "text.jsonl"])
def test_an_empty_file(refused: Callable[..., str], tmp_path: Path, name: str, holds: Callable[..., None]) -> None:
    source = tmp_path / name
    source.touch()
    for verb in (("prepare",), ("train-tokenizer", "--vocab-size", 100)):
        holds(
            refused(*verb, source, "--out", tmp_path / "out"),
            source,
            "no document is left after cleaning; read 1, dropped: 1 empty",
        )


def test_a_file_of_white_space(refused: Callable[..., str], tmp_path: Path, holds: Callable[..., None]) -> None:
    source = tmp_path / "text.txt"
    source.write_text(" \n\n\t\n")
    holds(
        refused("prepare", source, "--out", tmp_path / "out"),
        source,
        "no document is left after cleaning; read 1, dropped: 1 empty",
    )


@pytest.mark.parametrize("name", ["text.txt", "text.jsonl"])
def test_a_binary_file(refused: Callable[..., str], tmp_path: Path, name: str, holds: Callable[..., None]) -> None:
    source = tmp_path / name
    source.write_bytes(b"\x7fELF\x02\x01\x01\x00\x00\x00")
    holds(refused("prepare", source, "--out", tmp_path / "out"), source, "byte 7", "binary file")


def test_bytes_that_are_not_utf8(refused: Callable[..., str], tmp_path: Path, holds: Callable[..., None]) -> None:
    source = tmp_path / "text.txt"
    source.write_bytes(b"The caf\xe9 is open.\n" * 3)
    message = refused("prepare", source, "--out", tmp_path / "out")
    holds(message, source, "byte 7 (0xe9) is not utf-8", "--encoding", "--encoding-errors replace")


def test_bytes_that_are_not_utf8_in_json_lines(
    refused: Callable[..., str], tmp_path: Path, holds: Callable[..., None]
) -> None:
    source = tmp_path / "text.jsonl"
    first = b'{"text": "Fine."}\n'
    source.write_bytes(first + b'{"text": "The caf\xe9 is open."}\n')
    message = refused("prepare", source, "--out", tmp_path / "out")
    holds(message, source, "line 2", f"byte {len(first) + 17} (0xe9)")


def test_bytes_that_are_not_utf8_can_be_replaced(
    bertsmith: Callable[..., Any], tmp_path: Path, corpus_file: Path
) -> None:
    source = tmp_path / "text.jsonl"
    source.write_bytes(corpus_file.read_bytes().replace(b"bread", b"br\xe4d"))
    count = source.read_bytes().count(b"\xe4")
    assert count > 50
    out = tmp_path / "store"
    answer = bertsmith("prepare", source, "--out", out, "--vocab-size", 200, "--encoding-errors", "replace")
    assert answer.code == 0
    assert f"replaced {count} bytes that are not valid utf-8" in answer.stderr
    assert json.loads((out / "manifest.json").read_text())["replaced_bytes"] == count


def test_a_json_line_that_is_not_json(refused: Callable[..., str], tmp_path: Path, holds: Callable[..., None]) -> None:
    source = tmp_path / "text.jsonl"
    source.write_text('{"text": "Fine."}\n\n{"text": "Not fine.\n')
    message = refused("prepare", source, "--out", tmp_path / "out")
    holds(message, source, "line 3: not JSON", "column 10", '{"text": "Not fine.')


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ('["a"]', ("line 1: found a list, expected an object",)),
        ('{"text": 3}', ("line 1: 'text': found a number, expected text",)),
        ('{"words": "a", "id": 1}', ("line 1: no key named text", "'words', 'id'", "--text-column")),
    ],
)
def test_a_json_line_without_text(
    refused: Callable[..., str], tmp_path: Path, line: str, parts: tuple[str, ...], holds: Callable[..., None]
) -> None:
    source = tmp_path / "text.jsonl"
    source.write_text(line + "\n")
    holds(refused("prepare", source, "--out", tmp_path / "out"), source, *parts)


@pytest.mark.parametrize("ending", [".gz", ".zst"])
@pytest.mark.parametrize("name", ["text.txt", "text.jsonl"])
def test_a_compressed_file_that_is_cut_off(
    refused: Callable[..., str], tmp_path: Path, corpus_file: Path, name: str, ending: str, holds: Callable[..., None]
) -> None:
    pack = gzip.compress if ending == ".gz" else zstandard.ZstdCompressor().compress
    whole = pack(corpus_file.read_bytes())
    source = tmp_path / (name + ending)
    for cut in (whole[: len(whole) // 2], whole[:-3]):
        source.write_bytes(cut)
        message = refused("prepare", source, "--out", tmp_path / "out")
        holds(message, source, "cannot be read to its end", "Is the file truncated or damaged?")


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_file_that_is_not_compressed(
    refused: Callable[..., str], tmp_path: Path, ending: str, holds: Callable[..., None]
) -> None:
    source = tmp_path / f"text.txt{ending}"
    source.write_text("The bell rang.\n")
    holds(refused("prepare", source, "--out", tmp_path / "out"), source, "cannot be read to its end")


def test_a_corpus_too_small_for_its_held_out_part(
    refused: Callable[..., str], tmp_path: Path, holds: Callable[..., None]
) -> None:
    source = tmp_path / "text.txt"
    source.write_text("The bell rang. Nobody came. It rang again.\n")
    message = refused("prepare", source, "--out", tmp_path / "out")
    holds(message, "the corpus is too small for a held-out part", "8 words", "add text")


def test_held_out_ids_that_are_not_there(
    refused: Callable[..., str], tmp_path: Path, corpus_file: Path, holds: Callable[..., None]
) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("document-x\n")
    message = refused("prepare", corpus_file, "--out", tmp_path / "out", "--held-out", ids)
    holds(message, ids, "found 0 of its 1 ids among the 119 documents", "'document-0'")


def test_more_entries_than_the_text_supports(
    refused: Callable[..., str], tmp_path: Path, corpus_file: Path, holds: Callable[..., None]
) -> None:
    message = refused("prepare", corpus_file, "--out", tmp_path / "out", "--vocab-size", 30000)
    holds(message, "--vocab-size 30000: too large, expected at most")


def test_a_language_that_is_none(
    refused: Callable[..., str], tmp_path: Path, corpus_file: Path, holds: Callable[..., None]
) -> None:
    message = refused("prepare", corpus_file, "--out", tmp_path / "out", "--language", "e")
    holds(message, "--language", "'e'", "such as en, de or zh")
