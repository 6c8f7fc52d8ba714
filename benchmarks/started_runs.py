"""Runs of `bertsmith pretrain` that are started again whenever they end: by themselves, by a signal, or killed."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import psutil

SAVE_EVERY = 5
LIMIT_SECONDS = 300.0
"""Seconds after which a start counts as hung."""
POLL_SECONDS = 0.001
START_UP = "start-up"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Setting:
    """Options of `pretrain`, and how many processes torchrun starts (1: without torchrun)."""

    optimizer: str = "adamw"
    workers: int = 0
    precision: str = "fp32"
    processes: int = 1

    def command(self, store: Path, out: Path, updates: int) -> list[str]:
        """Return the command line of the run."""
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(self.processes)]
        options = {
            "out": out, "size": "tiny", "layers": 1, "dropout": 0.1, "steps": updates, "save-every": SAVE_EVERY,
            "batch-size": 16, "sequence-length": 64, "optimizer": self.optimizer, "workers": self.workers,
            "precision": self.precision,
        }  # fmt: skip
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        starter = torchrun if self.processes > 1 else []
        return [sys.executable, *starter, "-m", "bertsmith", "pretrain", str(store), *words, "--json"]


SETTINGS = {
    "adamw": Setting(),
    "adamw-workers": Setting(workers=2),
    "muon": Setting(optimizer="muon"),
    "muon-workers": Setting(optimizer="muon", workers=2),
    "adamw-bf16": Setting(precision="bf16"),
    "adamw-ranks": Setting(processes=2),
}


@dataclass
class Start:
    """One start of a run and its end."""

    resumed: bool
    end: str
    """`killed`, `SIGTERM`, `finished`, `failed`, `hung`."""
    where: str
    """The part of the run in which it was killed."""
    from_step: int | None
    """The checkpoint that it resumed from, as printed; None if it started afresh or ended earlier."""
    seconds: float
    code: int | None
    complaint: str = ""


class Command:
    """A command line of bertsmith in its own session."""

    def __init__(self, words: list[str], errors: Path, *, forked: bool) -> None:
        self.forked: ForkServerProcess | None = None
        self.started: subprocess.Popen[bytes] | None = None
        answers = errors.with_suffix(".out")
        if forked:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(["bertsmith.verbs.pretrain", "bertsmith.cli.pretrain"])
            self.forked = context.Process(target=become, args=(words[words.index("bertsmith") + 1 :], errors, answers))
            self.forked.start()
            assert self.forked.pid is not None
            self.pid: int = self.forked.pid
        else:
            with errors.open("w") as error_file, answers.open("w") as answer_file:
                self.started = subprocess.Popen(
                    words, stdout=answer_file, stderr=error_file, stdin=subprocess.DEVNULL, start_new_session=True
                )
            self.pid = self.started.pid

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        if self.forked is not None:
            return self.forked.exitcode
        assert self.started is not None
        return self.started.poll()

    def wait(self) -> int | None:
        """Return the exit code, or None if it has not ended in time."""
        limit = time.monotonic() + LIMIT_SECONDS
        while (code := self.poll()) is None and time.monotonic() < limit:
            time.sleep(POLL_SECONDS)
        return code


def become(words: list[str], errors: Path, answers: Path) -> None:
    """Run a command line of bertsmith in a forked process."""
    from bertsmith.cli.app import main

    os.setsid()
    multiprocessing.set_start_method("fork", force=True)  # the default of a loader's workers
    for number, file in ((1, answers), (2, errors)):
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, number)
    main(words)


class Run:
    """A run in its own folder, started again whenever it ends."""

    def __init__(self, setting: Setting, store: Path, place: Path, updates: int, *, forked: bool) -> None:
        self.setting, self.store, self.place, self.updates = setting, store, place, updates
        self.forked = forked and setting.processes == 1
        self.out = place / "run"
        self.count = 0
        self.began = self.began_clock = 0.0
        self.works_since: float | None = None
        place.mkdir(parents=True)

    @property
    def errors(self) -> Path:
        """Return standard error of the last start."""
        return self.place / f"start-{self.count}.err"

    @property
    def answer(self) -> dict[str, Any]:
        """Return the JSON object that the last start printed."""
        found: dict[str, Any] = json.loads(self.errors.with_suffix(".out").read_text().splitlines()[-1])
        return found

    def start(self) -> Command:
        """Start it; every start but the first resumes."""
        resume = ["--resume"] if self.count else []
        self.count += 1
        self.errors.touch()
        self.began, self.began_clock, self.works_since = time.monotonic(), time.time(), None
        words = [*self.setting.command(self.store, self.out, self.updates), *resume]
        return Command(words, self.errors, forked=self.forked)

    def seconds(self) -> float:
        """Return the seconds since the last start."""
        return time.monotonic() - self.began

    def working_seconds(self) -> float:
        """Return the seconds since the end of the start-up was first seen."""
        if self.works_since is None:
            if self.where() == START_UP:
                return 0.0
            self.works_since = time.monotonic()
        return time.monotonic() - self.works_since

    def lines(self) -> int:
        """Return the number of lines in metrics.jsonl."""
        file = self.out / "metrics.jsonl"
        return file.read_bytes().count(b"\n") if file.is_file() else 0

    def fresh(self, pattern: str) -> bool:
        """Return whether the last start made a file of this name."""
        try:
            return any(path.stat().st_mtime >= self.began_clock for path in self.out.glob(pattern))
        except FileNotFoundError:
            return True

    def where(self) -> str:
        """Return the part of the run in which the last start is, or was when it ended."""
        said = self.errors.read_text()
        if "model: " not in said:
            return START_UP
        if (self.out / WEIGHTS).is_file():
            return "after the end"
        if self.fresh(".model.partial"):
            return "publishing"
        if self.fresh("checkpoints/.step-*.partial"):
            return "checkpoint"
        if (self.out / "checkpoints" / f"step-{self.updates}").is_dir():
            return "final evaluation"
        if "going on from" in said:
            return "updates"
        if not self.fresh("run.json"):
            return "before run.json"
        return "updates" if self.lines() else "first evaluation"

    def ended(self, end: str, where: str, code: int | None, complaint: str = "") -> Start:
        """Return the record of the last start."""
        found = re.search(r"going on from .*step-(\d+)", self.errors.read_text())
        from_step = int(found[1]) if found else None
        return Start(self.count > 1, end, where, from_step, round(self.seconds(), 2), code, complaint)

    def watch(self, moment: Callable[[], bool]) -> tuple[Command, Start | None]:
        """Start it and wait for the moment; return how it ended if it ended earlier."""
        process = self.start()
        while process.poll() is None:
            if moment():
                return process, None
            if self.seconds() > LIMIT_SECONDS:
                where = self.where()
                kill(process)
                return process, self.ended("hung", where, None, self.complaint())
            time.sleep(POLL_SECONDS)
        return process, self.end_of(process)

    def end_of(self, process: Command) -> Start:
        """Return how an undisturbed start ended."""
        code = process.wait()
        if code is None:
            kill(process)
            return self.ended("hung", self.where(), None, self.complaint())
        return self.ended("finished" if code == 0 else "failed", self.where(), code, self.complaint() if code else "")

    def complaint(self) -> str:
        """Return the last lines on standard error."""
        return "\n".join(self.errors.read_text().splitlines()[-12:])


def kill(process: Command) -> None:
    """Send SIGKILL to a process and all its descendants; they are halted first, so that all end at the same moment.

    torchrun's processes have their own sessions, so its process group does not include them.
    """
    family: dict[int, psutil.Process] = {}
    root = psutil.Process(process.pid)
    new = [root]
    while new:
        for member in new:
            family[member.pid] = member
            with contextlib.suppress(psutil.NoSuchProcess):
                member.suspend()
        new = [child for child in root.children(recursive=True) if child.pid not in family]
    for member in family.values():
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()
    psutil.wait_procs(list(family.values()), timeout=30)
