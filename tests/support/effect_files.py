"""Small texts and labelled files for tests of options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from support.bench import Bench

TASK = "sequence-classification"


ROWS = 32


LEARNING: dict[str, Any] = {"epochs": 8, "batch_size": 8, "learning_rate": 1e-2}
"""Settings with which the tiny model learns these labels."""


def sentence(number: int) -> tuple[str, str]:
    """A text and its label: which of two words stands in it says which; lengths differ."""
    word, label = (("bread", "good"), ("horses", "bad"))[number % 2]
    return f"{' '.join([word] * (3 + number % 5))} near the river", label


def texts(count: int = 120) -> list[str]:
    """Documents of twelve sentences, each with words of its own, so that none is a duplicate."""
    words = ["river", "letter", "market", "bridge", "winter", "captain", "lamp", "station", "garden", "window"]
    return [
        " ".join(
            f"The {words[(number + at) % 10]} of number {number} was {words[(number * at) % 10]} and the "
            f"{words[at % 10]} stood near {at} others."
            for at in range(12)
        )
        for number in range(count)
    ]


def table_with_stars(bench: Bench, *rows: str) -> Path:
    """A table with a separator that its first rows do not show; the text is the second of two columns."""
    return bench.file("\n".join(("number*text", *(f"{number}*{row}" for number, row in enumerate(rows)))), ".csv")


def text_with(word: str) -> str:
    """The documents of `texts`, one a line, with a word in each."""
    return "\n".join(f"{text} And {word}." for text in texts())


def ratings(bench: Bench) -> Path:
    """A labelled file whose labels are numbers."""
    rows = [f"{sentence(number)[0]},{number % 5 / 2}" for number in range(ROWS)]
    return bench.file("\n".join(["text,label", *rows]), ".csv")


def columns(bench: Bench) -> Path:
    """A labelled file with three texts and two labels in each row; which of them is taken is to be seen."""
    lines = ["text,second,third,label,verdict"]
    for number in range(ROWS):
        text, label = sentence(number)
        other_text, other = sentence(number + 1)
        lines.append(",".join([text, other_text, "the end", label, other]))
    return bench.file("\n".join(lines), ".csv")


def without_header(bench: Bench) -> Path:
    """The labelled file without its first line."""
    return bench.file("\n".join(bench.labelled.read_text().splitlines()[1:]) + "\n", ".csv")


def of_another_ending(bench: Bench, path: Path) -> Path:
    """The same file with an ending that says nothing."""
    return bench.file(path.read_bytes(), ".data")


def in_latin1(bench: Bench) -> Path:
    """A labelled file with bytes that are not UTF-8."""
    return bench.file(bench.labelled.read_text().replace("bread", "brèad").encode("latin-1"), ".csv")


def with_stars(bench: Bench) -> Path:
    """The labelled file with a separator that its first rows do not show."""
    return bench.file(bench.labelled.read_text().replace(",", "*"), ".csv")
