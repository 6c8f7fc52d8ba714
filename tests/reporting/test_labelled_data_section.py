"""What a page says of labelled data."""

from __future__ import annotations

from typing import Any

from bertsmith.records.labelled_files import DataReport
from bertsmith.reporting.data_sections import add_labelled_data
from bertsmith.reporting.page import Page

PART: dict[str, Any] = {
    "examples": 40,
    "labels": {"no": 10, "yes": 30},
    "repeated": 3,
    "contradictions": {
        "texts": 1,
        "examples": [
            {"text": "a <b> c", "labels": [{"label": "no", "place": "line 2"}, {"label": "yes", "place": "line 7"}]}
        ],
    },
    "lengths": [{"low": 0, "high": 9, "count": 36}, {"low": 9, "high": None, "count": 4}],
    "longest": 12,
    "cut_examples": 4,
    "cut_tokens": 8,
    "tokens": 400,
    "unknown_tokens": 2,
    "unknown_words": {"鳥": 2},
}


def page_of(parts: dict[str, Any], overlaps: dict[str, Any] | None = None) -> str:
    page = Page("t")
    page.section("Data")
    content = {"max_length": 8, "parts": parts, "overlaps": overlaps or {}, "warnings": []}
    add_labelled_data(page, DataReport.model_validate(content))
    return page.html()


def test_all_of_it_is_there() -> None:
    overlap = {"of": 40, "examples_in_both": 1, "examples": [{"text": "the bell", "places": ["line 4", "line 9"]}]}
    html = page_of({"train": PART, "dev": PART}, {"train/dev": overlap})
    for words in (
        *("25.0%", "75.0%", "4 of 40 examples (10.0%) are longer (grey). The longest has 12", "8 (2.0%)", "2 (0.5%)"),
        *("train and dev", "the bell", "line 4 and line 9", "a &lt;b&gt; c", "no (line 2); yes (line 7)"),
        *("train: 鳥", "chart-bar-muted"),
    ):
        assert words in html, words


def test_numbers_without_labels_and_clean_data() -> None:
    clean = {**PART, "labels": {}, "contradictions": {"texts": 0, "examples": []}, "unknown_words": {}}
    html = page_of({"train": clean})
    for words in (
        "Training examples by label",
        "Equal texts with different labels",
        "the tokenizer does not know",
        "Texts that are in two parts",
    ):
        assert words not in html


def test_numbers_of_a_task_without_labels_are_drawn() -> None:
    bins = [{"low": 0.0, "high": 2.5, "count": 30}, {"low": 2.5, "high": 5.0, "count": 10}]
    quantity = {"name": "words of the answer", "low": 0.0, "mean": 2.125, "high": 5.0, "bins": bins}
    html = page_of({"train": {**PART, "labels": {}, "quantity": quantity}})
    for words in ("Training examples by words of the answer", "2.5 to 5: 10", "2.125"):
        assert words in html, words


def test_of_many_labels_the_first_are_drawn() -> None:
    many = {**PART, "labels": {f"label-{number:02}": 1 for number in range(40)}}
    html = page_of({"train": many})
    assert "the first 30 of 40" in html and "label-29" in html and "label-30" not in html


def test_a_part_may_lack_a_label_of_the_training_part() -> None:
    """Multiple choice counts the indices that a part has."""
    html = page_of({"train": PART, "dev": {**PART, "labels": {"yes": 30}}})
    assert "25.0%" in html and "0.0%" in html and "100.0%" in html
