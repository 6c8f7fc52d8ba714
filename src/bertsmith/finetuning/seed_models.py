"""The models in RUN/seeds/seed-N, and which of their files a finished RUN keeps.

The RUN itself is the model of the best seed, so no seed folder keeps a model. Each keeps `result.json`, which tells
`--resume` with more `--seeds` that the seed is finished, and `metrics.jsonl` for the report. Before more seeds are
trained, the model moves back to the folder of the best seed, because another seed may become the best.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from bertsmith.runtime.console import log_info
from bertsmith.training.run_folder import WEIGHTS

RESULT = "result.json"
FIGURES = (RESULT, "metrics.jsonl")
"""The files of a seed that are kept."""
OF_THE_RUN = ("run.json", "metrics.jsonl", "report.html", "README.md")
"""The files of a RUN that are not part of the model."""


def seed_folder(run: Path, seed: int) -> Path:
    """Return the folder where a seed of a RUN is trained."""
    return run / "seeds" / f"seed-{seed}"


def model_of_seed(run: Path, seed: int, best_seed: int) -> Path | None:
    """Return the folder with the model of a seed; None if it was not kept."""
    folder = seed_folder(run, seed)
    if (folder / WEIGHTS).is_file():
        return folder
    return run if seed == best_seed else None


def model_files(seed: Path) -> list[Path]:
    """Return the files of a seed's model, the weights last."""
    found = [path for path in seed.iterdir() if path.is_file() and path.name not in FIGURES]
    return sorted(found, key=lambda path: (path.name == WEIGHTS, path.name))


def remove_seed_models(run: Path, best_seed: int) -> None:
    """Remove the models in the seed folders of a finished RUN; the RUN itself is the best one."""
    seeds = [seed for seed in (run / "seeds").iterdir() if seed.is_dir()]
    for seed in seeds:
        for path in model_files(seed):
            path.unlink()
    if len(seeds) > 1:
        log_info(f"kept: the model of seed {best_seed} in {run}, and the results of all {len(seeds)} seeds")


def restore_best_seed_model(run: Path, best_seed: int) -> None:
    """Move the model of a finished RUN back to its seed folder; the weights, which mark it as finished, move last."""
    seed = seed_folder(run, best_seed)
    if not (seed / RESULT).is_file():  # the folder was removed: the seed is trained again
        return
    for path in run.iterdir():
        if path.is_file() and path.name not in (*OF_THE_RUN, WEIGHTS) and not path.name.startswith("."):
            shutil.copyfile(path, seed / path.name)
    (run / WEIGHTS).rename(seed / WEIGHTS)


def publish_seed_metrics(run: Path, seed: int) -> None:
    """Copy the metrics of a seed to the RUN."""
    shutil.copyfile(seed_folder(run, seed) / "metrics.jsonl", run / "metrics.jsonl")


def publish_seed_model(run: Path, seed: int) -> None:
    """Copy the model of a seed to the RUN. The weights come last: they mark the RUN as finished."""
    for path in model_files(seed_folder(run, seed)):
        partial = run / f".{path.name}.partial"
        shutil.copyfile(path, partial)
        partial.rename(run / path.name)
