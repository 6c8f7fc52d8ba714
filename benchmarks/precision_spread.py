"""Does the fast bfloat16 step learn as float32 does? Compare its loss curve with three seeds in float32.

    python benchmarks/precision_spread.py STORE [--size tiny] [--steps 200] [--seeds 3] [--json FILE]

Each seed trains once with `--precision fp32` and once with `bf16`. The training loss is averaged over ten parts of the
run. A bfloat16 curve is within the spread if each part lies between the lowest and the highest float32 curve, plus or
minus their standard deviation over the seeds. The distance from the float32 curve of the same seed is printed as well;
their examples, masks and initial weights are the same.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from contestants import NEVER, pretrain_options, run_quietly

PARTS = 10


def curve(store: Path, out: Path, precision: str, seed: int, size: str, steps: int) -> list[float]:
    """Return the mean MLM loss of each tenth of a run."""
    options = pretrain_options(
        store, out=out, size=size, steps=steps, seed=seed, precision=precision, save_every=NEVER, eval_every=NEVER
    )
    run_quietly([sys.executable, "-m", "bertsmith", "pretrain", *options, "--overwrite"])
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = [line["mlm_loss"] for line in lines if "mlm_loss" in line]
    length = len(losses) // PARTS
    return [statistics.fmean(losses[part * length : (part + 1) * length]) for part in range(PARTS)]


def compare(store: Path, size: str, steps: int, seeds: int) -> dict[str, Any]:
    """Return all curves, and whether the bfloat16 curves are within the spread."""
    with tempfile.TemporaryDirectory(prefix="bertsmith-") as aside:
        curves = {
            precision: [curve(store, Path(aside) / "run", precision, seed, size, steps) for seed in range(seeds)]
            for precision in ("fp32", "bf16")
        }
    exact = list(zip(*curves["fp32"], strict=True))
    spread = [statistics.stdev(part) for part in exact]
    within = [
        all(
            min(part) - deviation <= loss <= max(part) + deviation
            for loss, part, deviation in zip(one, exact, spread, strict=True)
        )
        for one in curves["bf16"]
    ]
    apart = [
        max(abs(loss - other) for loss, other in zip(*pair, strict=True))
        for pair in zip(curves["bf16"], curves["fp32"], strict=True)
    ]
    return {"size": size, "steps": steps, "curves": curves, "spread": spread, "within": within, "apart": apart}


def main() -> None:
    """Read the command line, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--size", default="tiny")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = compare(given.store, given.size, given.steps, given.seeds)
    print(f"{given.size}, {given.steps} updates, mean training loss of each tenth, nats")
    for precision, curves in found["curves"].items():
        for seed, one in enumerate(curves):
            print(f"  {precision} seed {seed}  " + "  ".join(f"{loss:.3f}" for loss in one))
    print("  deviation    " + "  ".join(f"{deviation:.3f}" for deviation in found["spread"]))
    for seed, (within, apart) in enumerate(zip(found["within"], found["apart"], strict=True)):
        print(f"bf16 seed {seed}: {'within' if within else 'NOT within'} the spread; at most {apart:.4f} from float32")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
