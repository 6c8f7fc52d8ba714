"""What a run gained and forgot: the sentence for each case, the table and the chart."""

from __future__ import annotations

from typing import Any

import pytest

from bertsmith.records.pretraining import Evaluated, PretrainingRecord
from bertsmith.reporting.adaptation import adaptation_verdict, add_adaptation, changes
from bertsmith.reporting.page import Page


def figures(nats: float | None, accuracy: float | None = 0.6) -> dict[str, Any]:
    return {
        "mlm_nats_per_masked_token": nats,
        "mlm_accuracy": None if nats is None else 0.25,
        "nsp_nats_per_pair": None if accuracy is None else 0.65,
        "next_sentence_accuracy": accuracy,
    }


def record(own: tuple[float, float], general: tuple[float, float], **more: Any) -> PretrainingRecord:
    """run.json of a run that continued a model with a head."""
    before, after = zip(own, general, strict=True)
    content = {
        "kind": "pretraining",
        "data": {},
        "model": {
            "layers": 4, "hidden_size": 256, "attention_heads": 4, "intermediate_size": 1024, "max_positions": 512,
            "vocab_size": 4096, "parameters": 5_500_000,
        },
        "options": {"from": "runs/books"},
        "fresh_mlm_head": False,
        "general_text": {"source": "wiki.txt", "tokens": 354_745},
        "evaluation_before": figures(before[0]),
        "evaluation": figures(after[0]),
        "general_evaluation_before": figures(before[1], None),
        "general_evaluation": figures(after[1], None),
        "curve_ends": [line(0, *before), line(100, *after)],
        **more,
    }  # fmt: skip
    return PretrainingRecord.model_validate(content)


def line(step: int, own: float, general: float) -> Evaluated:
    content = {"step": step, "evaluation": figures(own), "general_evaluation": figures(general, None)}
    return Evaluated.model_validate(content)


@pytest.mark.parametrize(
    ("own", "general", "sentence", "kind"),
    [
        (
            (6.09, 5.64),
            (4.50, 4.62),
            "The loss on the held-out part fell by 0.45 nats (6.09 to 5.64); on the general text it rose by 0.12 nats "
            "(4.50 to 4.62): something was forgotten.",
            "info",
        ),
        (
            (6.09, 5.64),
            (4.50, 4.51),
            "The loss on the held-out part fell by 0.45 nats (6.09 to 5.64); on the general text it did not change "
            "(4.50 to 4.51 nats): nothing was forgotten.",
            "good",
        ),
        (
            (6.09, 5.64),
            (4.50, 4.40),
            "The loss on the held-out part fell by 0.45 nats (6.09 to 5.64); on the general text it fell by 0.10 nats "
            "(4.50 to 4.40): nothing was forgotten.",
            "good",
        ),
        (
            (6.09, 6.20),
            (4.50, 4.90),
            "The loss on the held-out part rose by 0.11 nats (6.09 to 6.20); on the general text it rose by 0.40 nats "
            "(4.50 to 4.90): nothing was gained, and something was forgotten.",
            "warning",
        ),
    ],
)
def test_the_sentence(own: tuple[float, float], general: tuple[float, float], sentence: str, kind: str) -> None:
    assert adaptation_verdict(record(own, general)) == (sentence, kind)


def test_a_fresh_head_learns_both_texts_and_proves_nothing() -> None:
    words, kind = adaptation_verdict(record((6.05, 5.0), (7.9, 7.1), fresh_mlm_head=True))
    assert "The MLM head was new" in words and "forgetting cannot be measured here" in words
    assert "nothing was forgotten" not in words and kind == "info"


def test_from_scratch_there_is_nothing_to_forget() -> None:
    words, kind = adaptation_verdict(record((6.05, 5.0), (7.9, 7.1), fresh_mlm_head=True, options={"from": None}))
    assert words.endswith("The model began from scratch, so there was nothing to forget.") and kind == "info"


def test_without_a_masked_language_model_there_are_figures_and_no_sentence() -> None:
    pairs = {key: figures(None) for key in ("evaluation", "general_evaluation")}
    run = record((0, 0), (0, 0), **pairs, **{f"{key}_before": value for key, value in pairs.items()})
    assert adaptation_verdict(run) == ("", "info")
    assert [row[0] for row in changes(run)] == [
        f"{text}: {figure}"
        for text in ("held-out part", "general text")
        for figure in ("NSP loss, nats per pair", "next-sentence accuracy")
    ]


def test_the_section() -> None:
    page = Page("run")
    add_adaptation(page, record((6.09, 5.64), (4.50, 4.62)), [line(50, 5.8, 4.6)], finished=True)
    html = page.html()
    assert "wiki.txt (354,745 tokens" in html
    assert "something was forgotten" in html and "+0.120" in html and "−0.450" in html.replace("-0.450", "−0.450")
    assert "held-out part: 3 points, from 6.09 to 5.64; general text: 3 points, from 4.5 to 4.62" in html


def test_an_unfinished_run_has_its_curves_so_far() -> None:
    page = Page("run")
    unfinished = record((6.09, 5.64), (4.50, 4.62))
    unfinished.evaluation = unfinished.general_evaluation = None
    add_adaptation(page, unfinished, [line(50, 5.8, 4.6)], finished=False)
    assert "general text: 2 points, from 4.5 to 4.6" in page.html() and "<table" not in page.html()


def test_a_run_without_a_general_text_has_no_such_section() -> None:
    page = Page("run")
    add_adaptation(page, record((6.05, 5.0), (7.9, 7.1), general_text=None), [], finished=True)
    assert "general text" not in page.html()
