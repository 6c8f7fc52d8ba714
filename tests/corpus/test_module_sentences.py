"""Sentences of the quickstart: pairs and dev files come from held-out modules, labels are packages."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from bertsmith.corpus import module_sentences
from bertsmith.corpus.module_sentences import pair_to_score, read_modules, write_labelled

LINE = "The {} of module {} in package {} returns a value that the caller may change later."


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Forty modules in four packages, with three sentences each."""
    file = tmp_path / "corpus.jsonl"
    records = [
        {
            "id": f"package-{number % 4}/{number}",
            "package": f"package-{number % 4}",
            "text": " ".join(LINE.format(word, number, number % 4) for word in ("first", "second", "third")),
        }
        for number in range(40)
    ]
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return file


def test_a_pair_is_of_held_out_modules(corpus: Path) -> None:
    modules = list(read_modules(corpus, held_out=0.3, seed=0))
    held_out = [module for module in modules if module.held_out]
    assert 2 <= len(held_out) < 40 and all(len(module.sentences) == 3 for module in modules)
    for seed in range(5):
        a, b, other = pair_to_score(modules, seed)
        (own,) = (module for module in held_out if a in module.sentences)
        assert own.sentences[own.sentences.index(a) + 1] == b
        assert other not in own.sentences and any(other in module.sentences for module in held_out)


def test_dev_has_the_sentences_of_held_out_modules(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module_sentences, "CLASSES", 3)
    monkeypatch.setattr(module_sentences, "TRAIN_PER_CLASS", 7)
    modules = list(read_modules(corpus, held_out=0.3, seed=0))
    write_labelled(modules, tmp_path, 0)
    rows = {}
    for name in ("train", "dev"):
        with (tmp_path / f"{name}.csv").open(newline="") as file:
            rows[name] = list(csv.DictReader(file))
        known = {text: module for module in modules for text in module.sentences}
        for row in rows[name]:
            assert known[row["text"]].package == row["label"]
            assert known[row["text"]].held_out == (name == "dev")
    labels = [row["label"] for row in rows["train"]]
    assert len(set(labels)) == 3 and all(labels.count(label) == 7 for label in set(labels))
    before = (tmp_path / "train.csv").read_text()
    write_labelled(modules, tmp_path, 1)
    assert (tmp_path / "train.csv").read_text() != before
