"""The effect of each option of `quickstart`."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from bertsmith.config.quickstart import QuickstartOptions
from bertsmith.errors import OutputError
from support.bench import Bench, effect, workers_seen


def quickstart(bench: Bench, **options: Any) -> tuple[Any, list[int]]:
    """The whole quickstart on a small corpus of eight packages, with a tiny model; also the workers it reads with."""
    import bertsmith.verbs.quickstart as module
    from bertsmith.corpus import module_sentences
    from bertsmith.verbs.pretrain import pretrain

    workers: list[int] = []

    def write_corpus(path: Path, count: int, advance: Any) -> dict[str, int]:
        workers.append(count)
        shutil.copyfile(bench.corpus, path)
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        rows = [{**row, "package": f"package-{number % 6}"} for number, row in enumerate(rows)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return {"characters": path.stat().st_size, "documents": len(rows)}

    def small(store: Path, *, size: str, **values: Any) -> Any:
        return pretrain(store, **{**bench.tiny, "max_positions": 128, **values})

    for name, value in {
        "write_corpus": write_corpus,
        "pretrain": small,
        "VOCAB_SIZE": 200,
        "HELD_OUT": 0.2,
        "TEXTS": "package-0",
    }.items():
        bench.monkeypatch.setattr(module, name, value)
    for name, value in (("TRAIN_PER_CLASS", 8), ("DEV_PER_CLASS", 4)):
        bench.monkeypatch.setattr(module_sentences, name, value)
    defaults = {"out": bench.fresh(), "minutes": 0.005, "workers": 1}
    return module.quickstart(**{**defaults, **options}), workers


@effect(QuickstartOptions, "minutes", "seed")
def test_quickstart_minutes_and_seed(bench: Bench) -> None:
    short, _ = quickstart(bench, minutes=0.005, seed=0)
    long, _ = quickstart(bench, minutes=0.02, seed=1)
    results = [short, long]
    trained = [bench.record(result.run) for result in results]
    assert [record["options"]["minutes"] for record in trained] == [0.005, 0.02]
    assert trained[0]["result"]["seconds"] >= 0.3
    assert trained[1]["result"]["seconds"] >= 1.2
    assert [record["options"]["seed"] for record in trained] == [0, 1]
    assert [bench.record(result.classifier)["options"]["seed"] for result in results] == [0, 1]
    assert bench.held_out(short.store) != bench.held_out(long.store)
    labelled = [(result.run.parent / "classification" / "train.csv").read_text() for result in results]
    assert labelled[0] != labelled[1]


@effect(QuickstartOptions, "workers")
def test_quickstart_workers(bench: Bench) -> None:
    """So many processes read the documentation, and so many clean it."""
    cleaning = workers_seen(bench)
    assert quickstart(bench, workers=3)[1] == [3]
    assert cleaning == [3]


@effect(QuickstartOptions, "out", "overwrite")
def test_quickstart_out(bench: Bench) -> None:
    out = bench.place / "deep" / "quickstart"
    _, workers = quickstart(bench, out=out, workers=None)
    assert workers == [len(os.sched_getaffinity(0))], "one a core by default"
    assert [path.name for path in out.parent.iterdir()] == ["quickstart"]
    made = {"corpus.jsonl", "store", "model", "classification", "classifier", "report.html", "quickstart.json"}
    made |= {"texts", "licences.txt"}
    assert {path.name for path in out.iterdir()} == made
    assert {path.name for path in (out / "classification").iterdir()} == {"train.csv", "dev.csv"}
    assert len(list((out / "texts").iterdir())) == 20, "a sixth of the documents is of one package"
    readme = (Path(__file__).resolve().parents[3] / "README.md").read_text(encoding="utf-8")
    for name in re.findall(r"runs/quickstart/([\w./-]*\w)", readme):
        assert (out / name).exists(), f"README.md uses runs/quickstart/{name}"
    (out / "left.txt").write_text("of the first run")
    with pytest.raises(OutputError, match="not empty"):
        quickstart(bench, out=out)
    assert (out / "left.txt").is_file()
    quickstart(bench, out=out, overwrite=True)
    assert not (out / "left.txt").exists()
