"""Messages stay readable, whatever the data holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.errors import SHOWN, DataError, readable, shortened


def test_an_error_shows_the_beginning_of_a_long_word() -> None:
    message = str(DataError(f"train.csv: line 3: label {'A' * 5000} is not a number"))
    assert message == f"train.csv: line 3: label {'A' * (SHOWN - 1)}… (5,000 characters) is not a number"


@pytest.mark.parametrize("quote", ["a text of many words, ", 'with a "quote", ', "it's, "])
def test_an_error_shows_the_beginning_of_a_long_value(quote: str) -> None:
    value = quote * 300
    message = str(DataError(f"a.csv: line 3: label {value!r}, expected a number. Don't give 'x'."))
    assert message.startswith("a.csv: line 3: label ") and message.endswith(", expected a number. Don't give 'x'.")
    assert len(message) < 140 and "…" in message


def test_commands_paths_and_short_messages_stay_as_they_are() -> None:
    command = f"  bertsmith finetune --choice-columns {'column,' * 60} --resume"
    path = f"/{'folder/' * 20}train.csv"
    for message in (f"Go on with:\n{command}", f"{path}: line 1: found 'a', expected 'b'", "don't", ""):
        assert readable(message) == message


@given(st.text(), st.integers(1, 40))
def test_a_shortened_text_has_one_line_and_fits(text: str, most: int) -> None:
    short = shortened(text, most)
    assert len(short) <= most and "\n" not in short
