"""The models in RUN/seeds/seed-N: which of them a finished RUN needs.

The model of the best seed is the RUN itself, so none of its copies is kept; of every seed stay `result.json`, by which
`--resume` with more `--seeds` knows that it is finished, and `metrics.jsonl` for the report. When more seeds are
trained, the model of the best one so far goes back to its place first, as any seed may turn out to be the best.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from bertsmith.runtime.console import log_info
from bertsmith.training.run_folder import WEIGHTS

RESULT = "result.json"
FIGURES = (RESULT, "metrics.jsonl")
"""The files of a seed that stay."""
OF_THE_RUN = ("run.json", "metrics.jsonl", "report.html", "README.md")
"""The files of a RUN that belong to no model."""


def seed_folder(run: Path, seed: int) -> Path:
    """The folder in which one seed of a RUN is trained."""
    return run / "seeds" / f"seed-{seed}"


def model_of_seed(run: Path, seed: int, best_seed: int) -> Path | None:
    """The folder with the model of a seed; None if it was not kept."""
    own = seed_folder(run, seed)
    if (own / WEIGHTS).is_file():
        return own
    return run if seed == best_seed else None


def model_files(seed: Path) -> list[Path]:
    """The files of the model of a seed, its weights last."""
    found = [path for path in seed.iterdir() if path.is_file() and path.name not in FIGURES]
    return sorted(found, key=lambda path: (path.name == WEIGHTS, path.name))


def remove_seed_models(run: Path, best_seed: int) -> None:
    """Remove the models of all seeds of a finished RUN, which is the model of the best one itself."""
    seeds = [seed for seed in (run / "seeds").iterdir() if seed.is_dir()]
    for seed in seeds:
        for path in model_files(seed):
            path.unlink()
    if len(seeds) > 1:
        log_info(f"kept: the model of seed {best_seed} in {run}, and the figures of all {len(seeds)} seeds")


def restore_best_seed_model(run: Path, best_seed: int) -> None:
    """Move the model of a finished RUN back to its seed. The weights move last: until then the RUN is finished."""
    seed = seed_folder(run, best_seed)
    if not (seed / RESULT).is_file():  # someone removed the seed: it is trained again
        return
    for path in run.iterdir():
        if path.is_file() and path.name not in (*OF_THE_RUN, WEIGHTS) and not path.name.startswith("."):
            shutil.copyfile(path, seed / path.name)
    (run / WEIGHTS).rename(seed / WEIGHTS)


def publish_seed_metrics(run: Path, seed: int) -> None:
    """The figures of a seed become those of the RUN."""
    shutil.copyfile(seed_folder(run, seed) / "metrics.jsonl", run / "metrics.jsonl")


def publish_seed_model(run: Path, seed: int) -> None:
    """The model of a seed becomes that of the RUN; its weights come last, and with them the RUN is finished."""
    for path in model_files(seed_folder(run, seed)):
        aside = run / f".{path.name}.partial"
        shutil.copyfile(path, aside)
        aside.rename(run / path.name)
