"""The card of a pre-trained RUN: what was seen and what is held apart, and accuracies beside what takes no reading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertsmith.records.manifest import MANIFEST, Manifest
from bertsmith.records.pretraining import PretrainingRecord
from bertsmith.reporting.model_card import HubNames
from bertsmith.reporting.pretraining_card import pretraining_card

Record = dict[str, Any]


@pytest.fixture
def record(run: Path) -> Record:
    content: Record = json.loads((run / "run.json").read_text())
    return content


@pytest.fixture(scope="module")
def manifest(store: Path) -> Manifest:
    return Manifest.read(store / MANIFEST)


def card(record: Record, manifest: Record) -> str:
    return pretraining_card(
        "run", PretrainingRecord.model_validate(record), manifest, manifest_sha256="ab12", hub=HubNames()
    )


def judged(record: Record, accuracy: float, *, lengths: float | None, majority: float = 0.55) -> Record:
    """The record with these accuracies on pairs, all measured on 1,000."""
    record["evaluation"] |= {"next_sentence_accuracy": accuracy, "num_pairs": 1000, "next_sentence_majority": majority}
    given = None if lengths is None else {"value": lengths, "low": lengths - 0.03, "high": lengths + 0.03}
    record["data"]["pairs"] |= {"majority": majority, "length_only": given, "held_out_pairs": 1000}
    return record


@pytest.mark.parametrize(
    ("accuracy", "lengths", "baseline", "limit"),
    [
        (
            0.677,
            0.677,
            "segment lengths alone | | 67.7% | 64.7% to 70.5%",
            "no better than segment lengths alone (67.7%)",
        ),
        (0.69, 0.677, "segment lengths alone | | 67.7% |", "This may be chance"),
        (0.54, 0.53, "always the same answer | | 55.0% |", "no better than always the same answer (55.0%)"),
        (0.54, None, "always the same answer | | 55.0% |", "no better than always the same answer (55.0%)"),
        (0.9, 0.677, "segment lengths alone | | 67.7% |", None),
    ],
)
def test_the_accuracy_on_pairs_is_next_to_the_best_baseline(
    record: Record, manifest: Manifest, accuracy: float, lengths: float | None, baseline: str, limit: str | None
) -> None:
    text = card(judged(record, accuracy, lengths=lengths), manifest)
    lines = text.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("| next-sentence accuracy |"))
    assert lines[place + 1].replace("|  |", "| |").startswith(f"| baseline: {baseline}")
    limits = text.partition("## Limits")[2]
    assert ("- Next sentences: The model" in limits) == (limit is not None)
    assert limit is None or limit in limits
    uses = text.partition("## Intended use")[2].partition("##")[0]
    assert ("next-sentence" in uses) == (accuracy in (0.69, 0.9)), "no use for a head that lengths could stand for"


@pytest.mark.parametrize(
    ("seen", "held", "passes"),
    [
        (1_480_000, 400_000, "about 3.7"),
        (1_200, 40_000, "about 0.03"),
        (400, 40_000, "about 0.01"),
        (20_000, 400_000_000, "less than 0.01"),
        (900_000_000, 1_000, "about 900,000.0"),
    ],
)
def test_the_first_sentence_tells_what_was_seen_from_what_there_is(
    record: Record, manifest: Manifest, seen: int, held: int, passes: str
) -> None:
    record["result"] |= {"steps": 1_234, "tokens_seen": seen}
    record["data"]["tokens"] = held
    first = card(record, manifest).partition("# run\n\n")[2].partition("\n")[0]
    assert first.startswith("A BERT with 1 layer and hidden size 32 ")
    assert first.endswith(
        f"trained from scratch with the objective mlm+nsp: 1,234 updates over {seen:,} tokens, {passes} passes over "
        f"{held:,} training tokens."
    )


def test_without_pairs_there_is_no_baseline_of_them(record: Record, manifest: Manifest) -> None:
    record["options"]["objective"], record["data"]["pairs"] = "mlm", None
    none = ("next_sentence_accuracy", "next_sentence_majority", "nsp_nats_per_pair")
    record["evaluation"] |= dict.fromkeys(none) | {"num_pairs": 0}
    text = card(record, manifest)
    assert "baseline: always" not in text and "lengths alone" not in text
    assert "- Next sentence prediction was not trained: predictions about next sentences are random." in text
