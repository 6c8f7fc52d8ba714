"""The process that submits one round of tasks to Ray or Slurm: `python -m bertsmith.corpus.engine.driver ROUND.json`.

With Ray it runs until the tasks have ended, with Slurm until they are in the queue.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bertsmith.corpus.engine.local import exit_with_parent
from bertsmith.corpus.engine.task_round import ERROR_FILE, LOG_FILE, TaskRound
from bertsmith.errors import OptionError
from bertsmith.runtime.files import read_json, write_json


def main(path: str) -> int:
    """Run a round; write an error for the user next to the round file."""
    content = read_json(Path(path))
    exit_with_parent(content.pop("parent"))
    task_round = TaskRound(**content)
    try:
        if task_round.engine == "ray":
            from bertsmith.corpus.engine.on_ray import run
        else:
            from bertsmith.corpus.engine.on_slurm import run
        run(task_round)
    except OptionError as error:
        write_json(Path(task_round.logs) / ERROR_FILE, {"error": "OptionError", "text": str(error)})
        return 2
    except subprocess.CalledProcessError:
        lines = (Path(task_round.logs) / LOG_FILE).read_text().splitlines()
        messages = [line for line in lines if line.startswith("sbatch:")]
        text = f"--engine-address {task_round.address}: Slurm refused the job: {' '.join(messages)}"
        write_json(Path(task_round.logs) / ERROR_FILE, {"error": "OptionError", "text": text})
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
