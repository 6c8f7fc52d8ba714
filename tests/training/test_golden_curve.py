"""The losses of twenty updates are what they were: a change of any part of pre-training shows here.

Where a change is meant, make the curve again and say in the commit why it moved:

    BERTSMITH_GOLDEN=write .venv/bin/python -m pytest tests/training/test_golden_curve.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from bertsmith.corpus.store import TokenStore
from bertsmith.runtime.files import read_json
from bertsmith.verbs.prepare import prepare
from bertsmith.verbs.pretrain import pretrain

GOLDEN = Path(__file__).with_name("golden_curve.json")

WHO = ("the baker", "a sailor", "my neighbour", "the queen", "her brother", "every child", "a tired soldier")
DID = ("found", "painted", "carried", "sold", "repaired", "borrowed", "watched", "wrapped", "measured")
WHAT = ("a wooden boat", "the red letter", "some bread", "an empty house", "the silver bell")
WHERE = ("near the river", "in the market", "behind the church", "on the hill")
WHEN = ("before the winter came", "while it rained", "again", "and nobody noticed", "until the lamps were lit")


def text(number: int) -> str:
    """A document of twelve sentences, by a linear congruential generator: the same in every Python."""
    state, sentences = 1 + number, []
    for _ in range(12):
        words = []
        for choices in (WHO, DID, WHAT, WHERE, WHEN):
            state = (1664525 * state + 1013904223) % 2**32
            words.append(choices[(state >> 16) % len(choices)])
        sentences.append(f"{' '.join(words)}.".capitalize())
    return " ".join(sentences)


@pytest.fixture(scope="module")
def curve(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Twenty updates in float32."""
    folder = tmp_path_factory.mktemp("golden")
    file = folder / "text.jsonl"
    lines = [json.dumps({"id": f"document-{number}", "text": text(number)}) for number in range(40)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "held-out.txt").write_text("document-3\ndocument-17\n", encoding="utf-8")
    prepare(
        file,
        out=folder / "store",
        vocab_size=160,
        held_out=folder / "held-out.txt",
        near_duplicates=1,
        workers=1,
    )
    threads = torch.get_num_threads()
    pretrain(
        folder / "store",
        out=folder / "run",
        layers=2,
        hidden_size=32,
        attention_heads=2,
        sequence_length=48,
        batch_size=16,
        steps=20,
        learning_rate=2e-3,
        mask_rate=0.15,
        dropout=0.0,  # its draws follow the division of a batch over the cores
        precision="fp32",
        seed=11,
    )
    torch.set_num_threads(threads)
    metrics = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    updates = [line for line in metrics if "grad_norm" in line]
    names = ("mlm_loss", "nsp_loss", "grad_norm", "tokens_seen")
    return {
        "store": TokenStore(folder / "store").checksum(),
        **{name: [line[name] for line in updates] for name in names},
    }


def test_the_losses_are_what_they_were(curve: dict[str, Any]) -> None:
    if os.environ.get("BERTSMITH_GOLDEN") == "write":
        GOLDEN.write_text(json.dumps(curve, indent=1) + "\n", encoding="utf-8")
    golden = read_json(GOLDEN)
    assert len(golden["mlm_loss"]) == 20
    assert curve["tokens_seen"] == golden["tokens_seen"]
    assert curve["store"] == golden["store"], "the STORE is another one, so the losses are as well"
    for name in ("mlm_loss", "nsp_loss", "grad_norm"):
        assert curve[name] == pytest.approx(golden[name], rel=1e-4), name
