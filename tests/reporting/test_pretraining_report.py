"""The pairs in the report of a pre-training run: with the audit, without it, and as older runs recorded them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from bertsmith.records.pretraining import PretrainingRecord
from bertsmith.reporting.page import Page
from bertsmith.reporting.pretraining_report import pretraining_report
from bertsmith.reporting.run_sections import add_warnings

AUDIT: dict[str, Any] = {
    "pairs": 20_000,
    "is_next": 9_000,
    "not_next": 11_000,
    "forced_random": 500,
    "same_document_negatives": 1_100,
    "left_out_tokens": 15_000,
    "swap": False,
    "held_out_pairs": 900,
    "majority": 0.552,
    "length_only": {"value": 0.601, "low": 0.569, "high": 0.632},
}
EVALUATION: dict[str, Any] = {
    "mlm_nats_per_masked_token": 4.75,
    "mlm_accuracy": 0.25,
    "perplexity": 115.6,
    "unigram_nats_per_token": 6.5,
    "next_sentence_accuracy": 0.735,
    "next_sentence_majority": 0.55,
    "nsp_nats_per_pair": 0.55,
    "num_masked_tokens": 12_000,
    "num_pairs": 900,
}
UPDATES = [
    {
        "step": step,
        "tokens_seen": 4_000 * step,
        "mlm_loss": 7 - 0.02 * step,
        "nsp_loss": 0.7 - 0.001 * step,
        "learning_rate": 1e-3,
        "tokens_per_second": 9_000.0,
        "seconds": 0.5 * step,
    }
    for step in range(1, 101)
]


class Outline(HTMLParser):
    """Fails on a tag that is not closed in order; collects headings, notices, bars and all words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[tuple[str, str]] = []
        self.headings: list[str] = []
        self.cards: dict[str, list[str]] = {}
        self.notices: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.feed(re.sub(r'<wbr>|<span class="whole">([^<]*)</span>', r"\1", html))  # marks of lines are no words
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = dict(attrs).get("class") or ""
        if tag == "meta":
            return
        self.open.append((tag, kind))
        if tag == "h2":
            self.headings.append("")
        elif tag == "p" and kind.startswith("notice"):
            self.notices.append((kind.removeprefix("notice "), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1][0] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        tag, kind = self.open[-1] if self.open else ("", "")
        if tag == "h2":
            self.headings[-1] += data
        elif tag == "p" and kind.startswith("notice"):
            self.notices[-1] = (self.notices[-1][0], self.notices[-1][1] + data.strip())
        elif tag == "dt":
            self.cards[data] = []
        elif tag == "dd":
            self.cards[list(self.cards)[-1]].append(data)
        if tag != "style":
            self.text.append(data)

    def words(self) -> str:
        return " ".join(" ".join(self.text).split())

    def reading(self) -> tuple[str, str]:
        """The one notice about pairs, with its kind."""
        (found,) = [
            (kind, text)
            for kind, text in self.notices
            if text.startswith("The model") and "unigram" not in text  # that one is about masked tokens
        ]
        return found


def record_of(pairs: object, evaluation: dict[str, Any] | None = EVALUATION) -> dict[str, Any]:
    """run.json of a finished run."""
    return {
        "kind": "pretraining",
        "status": "finished",
        "command": "bertsmith pretrain STORE --out RUN",
        "options": {"objective": "mlm+nsp", "sequence_length": 128},
        "choices": [{"name": "device", "value": "cpu", "reason": "torch sees no CUDA device"}],
        "data": {"store": "STORE", "checksum": "ab12", "tokens": 1_000_000, "examples": 20_000, "pairs": pairs},
        "machine": {"cores": 2},
        "versions": {"torch": "2.13.0"},
        "model": {
            "layers": 4, "hidden_size": 256, "attention_heads": 4, "intermediate_size": 1024, "max_positions": 512,
            "vocab_size": 4096, "parameters": 5_500_000,
        },
        "evaluation_before": None,
        "evaluation": evaluation,
        "result": {"steps": 100},
        "warnings": [],
    }  # fmt: skip


def page_of(record: dict[str, Any]) -> str:
    return pretraining_report("run", PretrainingRecord.model_validate(record), UPDATES, evaluations=[])


def report_of(pairs: object, evaluation: dict[str, Any] | None = EVALUATION) -> Outline:
    return Outline(page_of(record_of(pairs, evaluation)))


def with_accuracy(accuracy: float, pairs: int = 900, majority: float = 0.55) -> dict[str, Any]:
    figures = {"next_sentence_accuracy": accuracy, "num_pairs": pairs, "next_sentence_majority": majority}
    return {**EVALUATION, **figures}


def test_the_kinds_of_pairs_are_counted() -> None:
    outline = report_of(AUDIT)
    assert outline.headings == ["Losses", "Evaluation", "Sentence pairs", "How it was made"]
    assert outline.cards["Pairs per pass"][0] == "20,000"
    assert outline.cards["B is random"] == ["55.0%", "11,000 pairs"]
    assert outline.cards["A has no next sentence"] == ["500", "2.5% of pairs; their B is random"]
    assert outline.cards["B from the same document"] == ["1,100", "10.0% of random pairs"]
    assert outline.cards["Unused tokens"] == ["15,000", "1.5% of the training tokens, per pass"]
    assert "in 90.0% of the random pairs B comes from a different document" in outline.words()


def test_the_model_is_compared_with_the_baselines() -> None:
    words = report_of(AUDIT).words()
    bars = "the model: 73.5%; segment lengths alone: 60.1%; always the same answer: 55.2%; chance: 50.0%"
    assert bars in words
    assert "Baselines: 900 pairs; 95% interval of segment lengths alone: 56.9% to 63.2%. Model: 900 pairs." in words


@pytest.mark.parametrize(("count", "left_out"), [("num_pairs", "pairs"), ("num_masked_tokens", "masked tokens")])
def test_what_no_example_has_is_not_counted(count: str, left_out: str) -> None:
    labels = {"masked tokens", "pairs"}
    rows = report_of(None, {**EVALUATION, count: 0, "mlm_accuracy": 0.0}).text
    assert labels & set(rows) == labels - {left_out}
    assert "masked tokens predicted correctly" in rows, "a figure that is 0 is a figure"


def test_the_audit_is_not_written_twice() -> None:
    words = report_of(AUDIT).words()
    assert "length_only" not in words and "held_out_pairs" not in words and "ab12" in words


@pytest.mark.parametrize(
    ("evaluation", "kind", "reading"),
    [
        (with_accuracy(0.735), "good", "The model beats segment lengths alone (60.1%) by 13.4 points."),
        (
            with_accuracy(0.62),
            "info",
            "The model beats segment lengths alone (60.1%) by 1.9 points. This may be chance",
        ),
        (
            with_accuracy(0.735, pairs=20),
            "info",
            "The model beats segment lengths alone (60.1%) by 13.4 points. This may",
        ),
        (with_accuracy(0.58), "warning", "The model (58.0%) is no better than segment lengths alone (60.1%)."),
    ],
)
def test_the_reading(evaluation: dict[str, Any], kind: str, reading: str) -> None:
    found = report_of(AUDIT, evaluation).reading()
    assert found[0] == kind and found[1].removeprefix("Good").startswith(reading)


@pytest.mark.parametrize(
    ("figures", "pairs", "note"),
    [
        (with_accuracy(0.735), AUDIT, "better than segment lengths alone (60.1%)"),
        (with_accuracy(0.601), AUDIT, "no better than segment lengths alone (60.1%)"),
        (with_accuracy(0.735, majority=0.7), AUDIT, "better than always the same answer (70.0%)"),
        (with_accuracy(0.735), None, "better than always the same answer (55.0%)"),
    ],
)
def test_the_card_names_the_best_baseline(figures: dict[str, Any], pairs: object, note: str) -> None:
    accuracy = figures["next_sentence_accuracy"]
    assert report_of(pairs, figures).cards["Next sentence correct"] == [f"{accuracy:.1%}", note]


def test_where_the_same_answer_is_better_than_lengths_it_is_the_measure() -> None:
    """On the very pairs of the figure: of all held-out ones it may give less."""
    assert report_of(AUDIT, with_accuracy(0.695, majority=0.7)).reading() == (
        "warning",
        "The model (69.5%) is no better than always the same answer (70.0%).",
    )


def test_an_unfinished_run_has_the_baselines_alone() -> None:
    outline = report_of(AUDIT, None)
    assert "Sentence pairs" in outline.headings
    assert "lengths alone: 60.1%; always the same answer: 55.2%; chance: 50.0%" in outline.words()
    assert "The model has not been evaluated yet." in outline.words() and not outline.notices
    assert "the model:" not in outline.words()


def test_without_held_out_pairs_it_says_so() -> None:
    outline = report_of({**AUDIT, "held_out_pairs": 0, "majority": None, "length_only": None})
    assert "There are no held-out pairs to measure the accuracy on." in outline.words()
    assert "B is random" in outline.cards and "lengths alone" not in outline.words()


def test_without_training_pairs_the_shares_are_nothing() -> None:
    none = dict.fromkeys(("pairs", "is_next", "not_next", "forced_random", "same_document_negatives"), 0)
    outline = report_of({**AUDIT, **none, "length_only": None})
    assert outline.cards["B is random"] == ["0.0%", "0 pairs"]
    assert "always the same answer: 55.2%" in outline.words()


def test_a_little_is_not_nothing() -> None:
    assert report_of({**AUDIT, "left_out_tokens": 3}).cards["Unused tokens"][1].startswith("<0.1%")
    assert report_of({**AUDIT, "left_out_tokens": 0}).cards["Unused tokens"][1].startswith("0.0%")


def test_pairs_of_sentence_order_are_called_so() -> None:
    outline = report_of({**AUDIT, "swap": True, "forced_random": 0, "same_document_negatives": 0})
    assert outline.cards["Swapped"] == ["55.0%", "11,000 pairs"]
    assert "A has no next sentence" not in outline.cards and "B from the same document" not in outline.cards
    assert "Held-out accuracy on the order of segments" in outline.words()
    assert "Topics" not in outline.words()


@pytest.mark.parametrize(
    "pairs",
    [
        None,
        25_676,
        {"pairs": 20_000, "is_next": 9_000, "not_next": 11_000},
        {"pairs": 20_000, "is_next": 9_000, "not_next": 11_000, "forced_random": 500},
    ],
)
def test_runs_without_the_audit_have_no_such_section(pairs: object) -> None:
    outline = report_of(pairs)
    assert outline.headings == ["Losses", "Evaluation", "How it was made"]
    assert not isinstance(pairs, dict) or "'is_next': 9000" in outline.words(), "it stands among the data, as it did"


def test_a_run_whose_data_names_no_pairs_has_a_report() -> None:
    record = record_of(None)
    del record["data"]["pairs"]
    assert Outline(page_of(record)).headings == ["Losses", "Evaluation", "How it was made"]


def test_of_many_warnings_three_are_open() -> None:
    page = Page("t")
    add_warnings(page, [f"warning <{number}>" for number in range(5)])
    outline = Outline(page.html())
    assert [text.split()[-1] for _, text in outline.notices] == ["<0>", "<1>", "<2>"]
    html = page.html()
    assert "<summary>2 more warnings</summary>" in html
    assert "<li>warning &lt;3&gt;</li>" in html and "<li>warning &lt;4&gt;</li>" in html
    few = Page("t")
    add_warnings(few, ["one"])
    assert "<details>" not in few.html()
