"""The numbers of threads follow from the cores, unless the user says how many threads there are."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = """
import os
from bertsmith.runtime import machine
machine.cores = lambda: 8
for choice in (machine.choose_threads(), machine.choose_micro_batch_threads("cpu", examples=32, obstacle=None)):
    print(choice.value, choice.reason, sep="|")
machine.prepare_process()
import torch
print(torch.get_num_threads())
"""
"""In a process of its own: the fixture of all tests has other threads, and OpenMP reads its variable once."""


def chosen(asked: str | None, here: int) -> list[str]:
    """Threads and micro-batch threads of one of `here` processes with reasons, and the threads that torch then has."""
    inherited = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    given = {} if asked is None else {"OMP_NUM_THREADS": asked}
    launcher = {"WORLD_SIZE": str(here), "LOCAL_WORLD_SIZE": str(here)} if here > 1 else {}
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=inherited | given | launcher, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("asked", "here", "threads", "micro_batch_threads"),
    [
        (None, 1, "8|one per core that this process may use", "2"),
        ("", 1, "8|one per core that this process may use", "2"),
        ("many", 1, "8|one per core that this process may use", "2"),
        ("0", 1, "8|one per core that this process may use", "2"),
        ("1", 1, "1|OMP_NUM_THREADS is 1", "1"),
        ("3", 1, "3|OMP_NUM_THREADS is 3", "2"),
        ("4,2", 1, "4|OMP_NUM_THREADS is 4", "2"),
        ("1", 2, "4|8 cores shared by 2 processes", "1"),  # torchrun's own
        ("3", 2, "3|OMP_NUM_THREADS is 3", "1"),
    ],
)
def test_what_the_user_says_of_threads_is_taken_and_is_the_reason(
    asked: str | None, here: int, threads: str, micro_batch_threads: str
) -> None:
    found = chosen(asked, here)
    assert found[0] == threads
    assert found[1].partition("|")[0] == micro_batch_threads
    assert found[2] == threads.partition("|")[0], "what torch computes with"
