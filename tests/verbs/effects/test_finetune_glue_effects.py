"""The effect of each option of `finetune glue`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertsmith.errors import OutputError
from bertsmith.finetuning.glue.options import GlueOptions
from bertsmith.finetuning.options import HeadTrainingOptions
from support.bench import Bench, effect


def glue(bench: Bench, *tasks: str, out: Path | None = None, **options: Any) -> Any:
    """Heads on the tasks of a folder of GLUE, after two updates each."""
    from bertsmith.verbs.finetune_glue import finetune_glue

    data = options.pop("data", None) or glue_data(bench, *(tasks or ("RTE",)))
    settings = {"max_length": 32, "batch_size": 16, "epochs": 1, "precision": "fp32", "learning_rate": 1e-3}
    return finetune_glue(**{"model": bench.run, "data": data, "out": out or bench.fresh(), **settings, **options})


def glue_data(bench: Bench, *tasks: str) -> Path:
    """A folder of GLUE."""
    folder, make = bench.fresh(), bench.request.getfixturevalue("glue_file")
    for task in tasks:
        for part, first in (("train", 0), ("dev", 1000)):
            make(folder / task / f"{part}.tsv", task, 20, first=first)
    return folder


TRAINING: dict[str, Any] = {
    "max_train_examples": 16,
    "max_length": 24,
    "epochs": 2.0,
    "batch_size": 8,
    "eval_batch_size": 4,
    "eval_every": 1,
    "learning_rate": 1e-4,
    "weight_decay": 0.1,
    "precision": "fp32",
    "patience": 3,
    "layer_decay": 0.9,
    "freeze_layers": 0,
    "lora": 2,
    "lora_alpha": 5.0,
    "lora_targets": ("value",),
    "layers": 1,
    "micro_batch_tokens": 512,
    "save_every": 2,
    "seeds": 2,
    "seed": 5,
}
"""What no option is by default."""


@effect(GlueOptions, *TRAINING)
def test_glue_training(bench: Bench) -> None:
    """`finetune` is told the same for each task; what it does then is shown above."""
    import bertsmith.verbs.finetune_glue as module

    assert set(TRAINING) | {"overwrite", "resume", "dry_run"} == set(HeadTrainingOptions.model_fields)
    told: list[dict[str, Any]] = []
    bench.watch(module, "train_seeds", lambda options: told.append({name: getattr(options, name) for name in TRAINING}))
    result = glue(bench, "CoLA", "RTE", **TRAINING)
    assert told == [TRAINING] * 2
    assert sorted(path.name for path in (result.out / "RTE" / "seeds").iterdir()) == ["seed-5", "seed-6"]
    told.clear()
    glue(bench)
    assert not any(
        told[0][name] == value for name, value in TRAINING.items() if name not in ("precision", "max_length")
    )


@effect(GlueOptions, "model", "data", "out")
def test_glue_model(bench: Bench) -> None:
    """The weights come from the MODEL, the rows from the folder, and all of it goes to another one."""
    out, name = bench.place / "deep" / "glue", "bert.embeddings.word_embeddings.weight"
    result = glue(bench, "RTE", out=out, learning_rate=1e-9)
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "RTE", "report.html", "suite.json"]
    np.testing.assert_allclose(bench.weights(out / "RTE")[name], bench.weights(bench.run)[name], atol=1e-6)
    assert list(result.tasks) == ["RTE"]
    other = glue(bench, "CoLA", model=bench.base, learning_rate=1e-9)
    np.testing.assert_allclose(bench.weights(other.out / "CoLA")[name], bench.weights(bench.base)[name], atol=1e-6)
    assert list(other.tasks) == ["CoLA"]


@effect(GlueOptions, "tasks")
def test_glue_tasks(bench: Bench) -> None:
    data = glue_data(bench, "CoLA", "SST-2", "RTE")
    for written, names in (("rte,cola", ["CoLA", "RTE"]), (("sst2",), ["SST-2"]), ("all", ["CoLA", "SST-2", "RTE"])):
        assert list(glue(bench, data=data, tasks=written, dry_run=True).tasks) == names


@effect(GlueOptions, "report_on")
def test_glue_report_on(bench: Bench) -> None:
    data = glue_data(bench, "RTE")
    bench.request.getfixturevalue("glue_file")(data / "RTE" / "test.tsv", "RTE", 9, first=2000)
    for part, rows in (("dev", 20), ("test", 9)):
        entry = glue(bench, data=data, report_on=part).tasks["RTE"]
        assert (entry["num_examples"], entry["protocol"]["figures_of"]) == (rows, f"{part}.tsv")


@effect(GlueOptions, "over_seeds")
def test_glue_over_seeds(bench: Bench) -> None:
    """The same seeds in three tables."""
    data, out, found = glue_data(bench, "RTE"), bench.fresh(), {}
    for over_seeds in ("mean", "median", "best"):
        entry = glue(bench, data=data, out=out, seeds=3, resume=out.exists(), over_seeds=over_seeds).tasks["RTE"]
        found[over_seeds] = entry["figures"]["accuracy"]["value"]
        seeds = entry["metrics"]["accuracy"]["seeds"]
    best = seeds[entry["seeds"].index(entry["best_seed"])]
    assert found == {"mean": pytest.approx(np.mean(seeds)), "median": np.median(seeds), "best": best}


@effect(GlueOptions, "overwrite", "resume", "dry_run")
def test_glue_again(bench: Bench) -> None:
    data, out = glue_data(bench, "RTE"), bench.fresh()
    assert glue(bench, data=data, out=out, dry_run=True).report is None
    assert not out.exists()
    glue(bench, data=data, out=out)
    with pytest.raises(OutputError, match="not empty"):
        glue(bench, data=data, out=out)
    weights, left = out / "RTE" / "model.safetensors", out / "left.txt"
    left.write_text("of the first time")
    before = weights.stat().st_mtime_ns
    glue(bench, data=data, out=out, resume=True)
    assert weights.stat().st_mtime_ns == before and left.is_file()
    glue(bench, data=data, out=out, overwrite=True)
    assert weights.stat().st_mtime_ns > before and not left.exists()
