"""Text and JSON files of users, as all tasks read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertsmith.errors import DataError, OptionError
from bertsmith.tasks.files.labelled_file import sort_labels
from bertsmith.tasks.files.text_file import (
    decode_labelled_file,
    decoded_predictions,
    existing_file,
    parse_json_lines,
    read_json_object,
)


def test_encodings(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_bytes(b"\xef\xbb\xbfa\r\nb")
    assert decode_labelled_file(file, "UTF_8") == "a\r\nb"
    file.write_bytes(b"caf\xe9")
    assert decode_labelled_file(file, "latin-1") == "café"
    with pytest.raises(DataError, match=r"text: line 1, byte 3 \(0xe9\) is not utf-8. Try: --encoding \(windows-1252"):
        decode_labelled_file(file, "utf-8")
    with pytest.raises(DataError, match=r"byte 3 \(0xe9\) is not utf-8\. Try: convert the predictions"):
        decoded_predictions(file)
    with pytest.raises(OptionError, match="--encoding: found 'utf-88'"):
        decode_labelled_file(file, "utf-88")


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none: no such file"):
        existing_file(tmp_path / "none", "a text")
    with pytest.raises(DataError, match="found a folder, expected a text"):
        existing_file(tmp_path, "a text")


def test_json(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_bytes(b'\xef\xbb\xbf{"a": "\xc3\xa9"}')
    assert read_json_object(file, "an object") == {"a": "é"}
    file.write_bytes(b'{"a": "\xe9"}')
    with pytest.raises(DataError, match=r"line 1, byte 7 \(0xe9\) is not utf-8\. Expected an object"):
        read_json_object(file, "an object")
    assert parse_json_lines(file, '{"a": 1}\r\n\n{"b": 2}') == [(1, {"a": 1}), (3, {"b": 2})]
    with pytest.raises(DataError, match="line 2: found a list, expected an object"):
        parse_json_lines(file, "\n[1]")


def test_labels_are_in_the_order_of_their_classes() -> None:
    assert sort_labels(["10", "9", "-1", "9"]) == ["-1", "9", "10"]
    assert sort_labels(["10", "9", "x"]) == ["10", "9", "x"]
