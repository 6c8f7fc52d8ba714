"""Nothing connects: a RUN is loaded, used, trained and fine-tuned with every socket blocked."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

import bertsmith


class Connected(AssertionError):
    """Something tried to reach the network."""


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every attempt to connect or to look a host up is an error, and is listed in case that it is caught."""
    attempts: list[Any] = []

    def refuse(*arguments: Any, **options: Any) -> None:
        attempts.append(arguments)
        raise Connected(f"connects to {arguments[1:]}")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "create_connection", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)
    # Without the switch that would keep the hub's client quiet: it must not be asked in the first place.
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    return attempts


def test_the_block_works(no_sockets: list[Any]) -> None:
    with pytest.raises(Connected):
        socket.create_connection(("127.0.0.1", 9))
    with socket.socket() as one, pytest.raises(Connected):
        one.connect(("127.0.0.1", 9))
    assert len(no_sockets) == 2


def test_a_run_is_used_without_a_connection(run: Path, store: Path, no_sockets: list[Any]) -> None:
    model = bertsmith.load(run)
    assert model.fill_mask("The baker [MASK] some bread.").masks
    model.next_sentence("The baker found some bread.", "The queen sold it.")
    model.embed(["The baker found some bread."])
    bertsmith.evaluate(run, store)
    assert no_sockets == []


def test_training_makes_no_connection(
    run: Path, store: Path, tiny: dict[str, Any], tmp_path: Path, no_sockets: list[Any]
) -> None:
    bertsmith.pretrain(store, out=tmp_path / "fresh", steps=2, **tiny)
    bertsmith.pretrain(store, out=tmp_path / "continued", from_=run, steps=2, sequence_length=32, precision="fp32")
    file = tmp_path / "task.jsonl"
    file.write_text(
        "".join(json.dumps({"text": f"the baker {number}", "label": number % 2}) + "\n" for number in range(8))
    )
    options = {"model": run, "train": file, "dev": file, "epochs": 1, "max_length": 32, "precision": "fp32"}
    bertsmith.finetune("sequence-classification", out=tmp_path / "tuned", **options)
    assert bertsmith.load(tmp_path / "tuned").classify("the baker").label in ("0", "1")
    assert no_sockets == []


def test_prepare_makes_no_connection(corpus_file: Path, run: Path, tmp_path: Path, no_sockets: list[Any]) -> None:
    bertsmith.prepare(corpus_file, out=tmp_path / "store", tokenizer=run, held_out=0.2, workers=1)
    assert no_sockets == []
