"""A folder with small data and small models, in which the code blocks of the documentation run."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _write_rows(path: Path, header: str, rows: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows] if header else rows) + "\n", encoding="utf-8")


def _sentence(draw: random.Random) -> tuple[str, str]:
    """A sentence and its class, which its object decides."""
    food = draw.random() < 0.5
    thing = draw.choice(("some bread", "seven apples") if food else ("the silver bell", "a wooden boat"))
    who, act = draw.choice(("the baker", "a sailor", "my neighbour")), draw.choice(("found", "sold", "carried"))
    return f"{who} {act} {thing} {draw.choice(('near the river', 'in the market'))}", "food" if food else "thing"


def write_data(folder: Path, documents: list[str]) -> None:
    """Write the files that the pages name: texts and labelled files of every task, a few rows each."""
    (folder / "books").mkdir(parents=True)
    for number, text in enumerate(documents[:80]):
        (folder / "books" / f"book-{number:02}.txt").write_text(text, encoding="utf-8")
    (folder / "meditations.txt").write_text("\n\n".join(documents[40:]), encoding="utf-8")
    (folder / "wiki.txt").write_text("\n\n".join(documents[100:]), encoding="utf-8")
    draw = random.Random(7)
    rows = [_sentence(draw) for _ in range(96)]
    tables = {"train": rows[:48], "dev": rows[48:72], "test": rows[72:]}
    for name, part in tables.items():
        lines = [f"{text},{label},{('river', 'market')['market' in text]}" for text, label in part]
        _write_rows(folder / f"{name}.csv", "text,label,domain", lines)
    _write_rows(folder / "more.csv", "text", [_sentence(draw)[0] for _ in range(16)])
    _write_rows(folder / "texts.txt", "", [text for text, _ in rows[:4]])
    _write_tagged(folder, tables)
    _write_questions(folder, tables)


def _write_tagged(folder: Path, tables: dict[str, list[tuple[str, str]]]) -> None:
    """Words with tags: entities as CoNLL columns, parts of speech as CoNLL-U."""
    for name, part in tables.items():
        entities, treebank = [], []
        for text, label in part[:24]:
            words = text.split()
            tags = ["B-Food" if label == "food" and word in ("bread", "apples") else "O" for word in words]
            entities += [f"{word}\t{tag}" for word, tag in zip(words, tags, strict=True)] + [""]
            kinds = ["NOUN" if word in ("bread", "apples", "bell", "boat") else "X" for word in words]
            for at, (word, kind) in enumerate(zip(words, kinds, strict=True), start=1):
                treebank.append(f"{at}\t{word}\t_\t{kind}" + "\t_" * 6)
            treebank.append("")
        (folder / f"{name}.conll").write_text("\n".join(entities) + "\n", encoding="utf-8")
        (folder / f"fr-{name}.conllu").write_text("\n".join(treebank) + "\n", encoding="utf-8")


def _write_questions(folder: Path, tables: dict[str, list[tuple[str, str]]]) -> None:
    """Questions in SQuAD's form, and beginnings with four endings in the columns of CODAH."""
    for name in ("train", "dev"):
        paragraphs, endings = [], []
        for number, (text, label) in enumerate(tables[name][:16]):
            who = text[: text.index(" ", text.index(" ") + 1)]
            answers = [] if number % 4 == 3 else [{"text": who, "answer_start": 0}]
            question = {"id": f"{name}{number}", "question": "Who was it?", "answers": answers}
            paragraphs.append({"context": f"{text}.", "qas": [question | {"is_impossible": not answers}]})
            right = number % 4
            choices = [label if place == right else f"a stone {place}" for place in range(4)]
            endings.append("\t".join(["i", text, *choices, str(right)]))
        squad = {"version": "v2.0", "data": [{"title": name, "paragraphs": paragraphs}]}
        (folder / f"{name}-v2.0.json").write_text(json.dumps(squad), encoding="utf-8")
        _write_rows(folder / f"codah-{name}.tsv", "", endings)


@pytest.fixture(scope="session")
def prepared(
    corpus_file: Path,
    glue_file: Callable[..., Path],
    tiny: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder with all that the pages start from: texts, labelled files, a RUN, two fine-tuned RUNs, a quickstart."""
    folder = tmp_path_factory.mktemp("docs") / "start"
    write_data(folder, [json.loads(line)["text"] for line in corpus_file.read_text(encoding="utf-8").splitlines()])
    shutil.copytree(ROOT / "configs", folder / "configs")
    for name, rows in (("train", 24), ("dev", 12)):
        glue_file(folder / f"mrpc-{name}.tsv", "MRPC", rows, first=1000 * len(name))
        for task in ("MRPC", "RTE"):
            glue_file(folder / "data" / "glue" / task / f"{name}.tsv", task, rows, first=1000 * len(name))
    _make_models(folder, tiny)
    quickstart = folder / "runs" / "quickstart"
    shutil.copytree(folder / "books", quickstart / "texts")
    shutil.copyfile(folder / "meditations.txt", quickstart / "licences.txt")
    (quickstart / "classification").mkdir()
    for name in ("train", "dev"):
        shutil.copyfile(folder / f"{name}.csv", quickstart / "classification" / f"{name}.csv")
    shutil.copytree(folder / "runs" / "books", quickstart / "model")
    shutil.copytree(folder / "runs" / "seeds", quickstart / "classifier")
    return folder


def _make_models(folder: Path, tiny: dict[str, Any]) -> None:
    """Make runs/books, pre-trained for a moment, and runs/reviews and runs/seeds, fine-tuned from it."""
    import bertsmith

    store, run = folder / "data" / "books", folder / "runs" / "books"
    bertsmith.prepare(folder / "books", out=store, vocab_size=256, workers=1)
    bertsmith.pretrain(store, out=run, steps=4, **tiny | {"layers": 2})
    files = {"train": folder / "train.csv", "dev": folder / "dev.csv"}
    for seed, name in enumerate(("reviews", "seeds")):
        out = folder / "runs" / name
        bertsmith.finetune("sequence-classification", model=str(run), out=out, epochs=1, seed=seed, **files)
