"""The process that gives one round of tasks to Ray or Slurm: `python -m bertsmith.corpus.engine.driver ORDER.json`.

For Ray it stays until the tasks have ended, for Slurm until they are in the queue.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bertsmith.corpus.engine.local import end_with
from bertsmith.corpus.engine.order import ERROR_FILE, LOG_FILE, Order
from bertsmith.errors import OptionError
from bertsmith.runtime.files import read_json, write_json


def main(path: str) -> int:
    """Run a round; an error with a message for the user is left next to the order."""
    content = read_json(Path(path))
    end_with(content.pop("parent"))
    order = Order(**content)
    try:
        if order.engine == "ray":
            from bertsmith.corpus.engine.on_ray import run
        else:
            from bertsmith.corpus.engine.on_slurm import run
        run(order)
    except OptionError as error:
        write_json(Path(order.logs) / ERROR_FILE, {"error": "OptionError", "text": str(error)})
        return 2
    except subprocess.CalledProcessError:
        said = [line for line in (Path(order.logs) / LOG_FILE).read_text().splitlines() if line.startswith("sbatch:")]
        text = f"--engine-address {order.address}: Slurm refused the job: {' '.join(said)}"
        write_json(Path(order.logs) / ERROR_FILE, {"error": "OptionError", "text": text})
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
