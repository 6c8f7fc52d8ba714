"""Check that a pre-training that is killed and resumed again and again equals the unbroken run, bit for bit.

    python benchmarks/kill_and_resume.py [--store STORE] [--updates 60] [--kills 10] [--settings adamw muon ...]
        [--variants random aimed sigterm] [--forked] [--seed 0] [--out FILE.json]

Each setting runs once unbroken (a tiny model, dropout 0.1, 16 examples of 64 tokens, a checkpoint every 5 updates),
then in these variants; each start after the first has `--resume`:

random    SIGKILL to the run and all its processes at random moments, until all kills are used; then it may finish. A
          run that finishes earlier is compared, and the next kill hits a new run. A third of the moments are drawn over
          the whole duration of the unbroken run, the others over its work (counted from the end of the start-up), one
          in each of equal parts, shuffled.
aimed     SIGKILL in short moments that random kills seldom hit: the folder exists but its run.json does not, the
          evaluation before training, a half-written checkpoint, a half-published model.
sigterm   SIGTERM to the process, and then, in the resumed run, to its whole group: both save a checkpoint and exit with
          130. torchrun gets it alone, passes it on, and has its own exit code.

A finished run is resumed once more, which must do nothing. These must equal the unbroken run: the bytes of
model.safetensors, every line of metrics.jsonl except its times, and the evaluations before and after. The table has one
line per setting and variant. The exit code is 1 if anything differs or a start ends unexpectedly; the folders of such a
setting are kept. Without --store, a STORE is made of Python's own help texts.

Most of the time is Python importing torch. With --forked, a run without torchrun is a fork of a process that has the
imports done: many more kills in the same time, nearly all of them in the work.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from started_runs import SETTINGS, WEIGHTS, Command, Run, Start, kill

ATTEMPTS = 4
"""If a run ends before its kill, a new one is killed after half the time."""
TIMES = ("tokens_per_second", "seconds")
INTERRUPTED = 130


@dataclass
class Outcome:
    """The result of a variant of a setting."""

    setting: str
    variant: str
    starts: list[Start] = field(default_factory=list)
    runs: int = 0
    weights: bool = True
    metrics: bool = True
    evaluations: bool = True
    faults: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    """Moments that were aimed at but missed."""
    left_over: list[str] = field(default_factory=list)
    """Files in the finished folders that an unbroken run does not leave."""

    @property
    def good(self) -> bool:
        """Return whether everything equals the unbroken run."""
        return self.weights and self.metrics and self.evaluations and not self.faults

    def row(self) -> list[str]:
        """Return the line of the table."""
        stopped = [start for start in self.starts if start.end in ("killed", "SIGTERM")]
        where = ", ".join(f"{count} {name}" for name, count in Counter(start.where for start in stopped).most_common())
        steps = " ".join(str(start.from_step or "-") for start in self.starts if start.resumed)
        answers = ["yes" if same else "NO" for same in (self.weights, self.metrics, self.evaluations)]
        return [
            self.setting, self.variant, str(len(stopped)), where, str(self.runs), steps, *answers, str(len(self.faults))
        ]  # fmt: skip


HEAD = ["setting", "variant", "kills", "where", "runs", "resumed from", "weights", "metrics", "evaluations", "faults"]


class Trial:
    """The variants of one setting, compared with its unbroken run."""

    def __init__(self, name: str, store: Path, place: Path, options: argparse.Namespace) -> None:
        self.name, self.store, self.place = name, store, place / name
        self.updates, self.kills, self.forked = options.updates, options.kills, options.forked
        self.draw = random.Random(f"{options.seed} {name}")
        self.unbroken = self.run("unbroken")
        self.duration = self.work = 0.0

    def run(self, name: str) -> Run:
        """Return a run in a new folder."""
        return Run(SETTINGS[self.name], self.store, self.place / name, self.updates, forked=self.forked)

    def measure(self) -> None:
        """Make the unbroken run; record its total time, and the time of its work up to the published weights."""
        run = self.unbroken
        if run.forked:
            Command(["bertsmith", "--version"], run.errors, forked=True).wait()  # the imports are done now
        process, end = run.watch(lambda: run.working_seconds() > 0 and (run.out / WEIGHTS).is_file())
        self.work = run.working_seconds()
        end = end if end is not None else run.end_of(process)
        if end.code != 0:
            sys.exit(f"{self.name}: the unbroken run failed:\n{end.complaint}")
        self.duration = end.seconds

    def moments(self) -> list[tuple[bool, float]]:
        """Return the times of the kills: whether the clock starts after the start-up, and a share of that time."""
        whole = self.kills // 3
        late = self.kills - whole
        shares = [(True, (part + self.draw.random()) / late) for part in range(late)]
        shares += [(False, (part + self.draw.random()) / whole) for part in range(whole)]
        self.draw.shuffle(shares)
        return shares

    def due(self, run: Run, behind_start_up: bool, share: float) -> Callable[[], bool]:
        """Return whether a moment has come."""
        if behind_start_up:
            return lambda: run.working_seconds() >= share * self.work
        return lambda: run.seconds() >= share * self.duration

    def random(self) -> Outcome:
        """Kill at random moments, in as many runs as it takes to use them up."""
        outcome = Outcome(self.name, "random")
        runs = [self.run("random-0")]
        for behind_start_up, share in self.moments():
            for attempt in range(ATTEMPTS):
                end = self.killed(runs[-1], self.due(runs[-1], behind_start_up, share / 2**attempt))
                outcome.starts.append(end)
                if end.end == "killed":
                    break
                self.settle(outcome, runs[-1], end)
                runs.append(self.run(f"random-{outcome.runs}"))
        end = self.killed(runs[-1], lambda: False)
        outcome.starts.append(end)
        self.settle(outcome, runs[-1], end)
        return outcome

    def aimed(self) -> Outcome:
        """Kill in short moments; if one leaves a folder that cannot be resumed, the next one hits a new run."""
        outcome = Outcome(self.name, "aimed")
        run = self.run(f"aimed-{outcome.runs}")
        for aim in ("before run.json", "first evaluation", "checkpoint", "publishing", None):
            end = self.killed(run, aim_at(run, aim))
            outcome.starts.append(end)
            if end.end == "failed":
                self.settle(outcome, run, end)
                run = self.run(f"aimed-{outcome.runs}")
                end = self.killed(run, aim_at(run, aim))
                outcome.starts.append(end)
            if aim is not None and end.end == "finished":
                outcome.missed.append(aim)
            if end.end != "killed":
                self.settle(outcome, run, end)
                run = self.run(f"aimed-{outcome.runs}") if aim is not None else run
        return outcome

    def sigterm(self) -> Outcome:
        """Send SIGTERM to the process, then to its group, then let it finish."""
        outcome, run = Outcome(self.name, "sigterm"), self.run("sigterm-0")
        third = max(self.updates // 3, 4)
        alone = SETTINGS[self.name].processes > 1
        for whole_group in [False, not alone]:
            wanted = run.lines() + self.draw.randrange(3, third)
            process, end = run.watch(lambda: run.lines() >= wanted)  # noqa: B023
            if end is None:
                end = self.terminated(run, process, whole_group=whole_group)
            outcome.starts.append(end)
            if end.end != "SIGTERM":
                outcome.faults.append(f"{run.place}: start {run.count}: {end.end} {end.code}: {end.complaint}")
        end = self.killed(run, lambda: False)
        outcome.starts.append(end)
        self.settle(outcome, run, end)
        return outcome

    def terminated(self, run: Run, process: Command, *, whole_group: bool) -> Start:
        """Send SIGTERM and wait; the end is `SIGTERM` if it exited with 130 and printed what it saved."""
        if whole_group:
            os.killpg(process.pid, signal.SIGTERM)
        else:
            os.kill(process.pid, signal.SIGTERM)
        code = process.wait()
        if code is None:
            kill(process)
            return run.ended("hung", "updates", None, run.complaint())
        saved = "everything is saved in" in run.errors.read_text()
        good = saved and (code == INTERRUPTED or SETTINGS[self.name].processes > 1)
        where = "group" if whole_group else "process"
        return run.ended("SIGTERM" if good else "failed", where, code, "" if good else run.complaint())

    def killed(self, run: Run, moment: Callable[[], bool]) -> Start:
        """Start a run and kill it at a moment; return how it ended if it ended earlier by itself."""
        process, end = run.watch(moment)
        if end is None:
            kill(process)
            end = run.ended("killed", run.where(), process.poll())
        return end

    def settle(self, outcome: Outcome, run: Run, end: Start) -> None:
        """Compare a finished run with the unbroken one, resume it once more, and record differences."""
        outcome.runs += 1
        if end.end != "finished":
            outcome.faults.append(f"{run.place}: start {run.count}: {end.end} {end.code}: {end.complaint}")
            return
        # A run that was killed after its end answers with the result in its run.json.
        made_now = "is finished already" not in run.errors.read_text()
        if made_now and (run.answer["resumed_from_step"] or None) != end.from_step:
            outcome.faults.append(f"{run.place}: resumed from {run.answer['resumed_from_step']}, said {end.from_step}")
        self.compare(outcome, run.out)
        if run.count > 1:
            _, again = run.watch(lambda: False)
            if again is None or again.code != 0 or "is finished already" not in run.errors.read_text():
                outcome.faults.append(f"{run.place}: a finished run was not left alone: {run.complaint()}")
            self.compare(outcome, run.out)

    def compare(self, outcome: Outcome, out: Path) -> None:
        """Compare weights, metrics and evaluations with those of the unbroken run."""
        other = self.unbroken.out
        same = {
            "weights": (out / WEIGHTS).read_bytes() == (other / WEIGHTS).read_bytes(),
            "metrics": metrics(out) == metrics(other),
            "evaluations": evaluations(out) == evaluations(other),
        }
        for name, value in same.items():
            setattr(outcome, name, getattr(outcome, name) and value)
            if not value:
                outcome.faults.append(f"{out}: {name} differ")
        names = {str(path.relative_to(out)) for path in out.rglob("*")}
        more = names - {str(path.relative_to(other)) for path in other.rglob("*")}
        outcome.left_over = sorted({*outcome.left_over, *more})


def aim_at(run: Run, aim: str | None) -> Callable[[], bool]:
    """Return a test for the moment that is aimed at; None means never."""
    out = run.out
    if aim == "before run.json":
        return lambda: (out / "checkpoints").is_dir() and not (out / "run.json").exists()
    if aim == "first evaluation":
        return lambda: "model: " in run.errors.read_text() and run.where() == "first evaluation"
    if aim == "checkpoint":
        return lambda: run.fresh("checkpoints/.step-*.partial/model.safetensors")
    if aim == "publishing":
        return lambda: run.fresh(".model.partial/tokenizer.json")
    return lambda: False


def metrics(run: Path) -> list[dict[str, Any]]:
    """Return the lines of metrics.jsonl without their times."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in line.items() if name not in TIMES} for line in lines]


def evaluations(run: Path) -> list[Any]:
    """Return the evaluations before and after a run."""
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    return [record["evaluation_before"], record["evaluation"]]


def make_store(place: Path) -> Path:
    """Make a STORE of the texts of `help()`, one topic per document: half a megabyte in every Python."""
    from pydoc_data.topics import topics

    lines = [json.dumps({"id": name, "text": topics[name]}) for name in sorted(topics)]
    (place / "topics.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "bertsmith", "prepare", str(place / "topics.jsonl"), "--out", str(place / "store"),
               "--vocab-size", "1024", "--held-out", "0.05", "--workers", "1"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return place / "store"


def outcomes(options: argparse.Namespace, place: Path) -> Iterator[Outcome]:
    """Run each setting in each variant; remove the folders of those without a fault."""
    store = options.store.resolve() if options.store is not None else make_store(place)
    for name in options.settings:
        trial = Trial(name, store, place, options)
        trial.measure()
        print(f"{name}: unbroken {trial.duration:.1f} s, work {trial.work:.1f} s", flush=True)
        good = True
        for variant in options.variants:
            outcome: Outcome = getattr(trial, variant)()
            good = good and outcome.good
            yield outcome
        if good:
            shutil.rmtree(trial.place)


def show(rows: list[list[str]]) -> None:
    """Print a table."""
    print(f"\n| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def main() -> None:
    """Run the settings, print the table, exit with 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    variants = ["random", "aimed", "sigterm"]
    parser.add_argument("--store", type=Path)
    parser.add_argument("--updates", type=int, default=60)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--variants", nargs="+", choices=variants, default=variants)
    parser.add_argument("--forked", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    place = Path(tempfile.mkdtemp(prefix="kill-and-resume-"))
    done: list[Outcome] = []
    for outcome in outcomes(options, place):
        done.append(outcome)
        print("  " + "; ".join(outcome.row()[1:]), flush=True)
        for name in ("faults", "missed", "left_over"):
            for text in getattr(outcome, name):
                print(f"  {name.replace('_', ' ')}: {text}", flush=True)
        if options.out is not None:
            options.out.write_text(json.dumps([asdict(each) for each in done], indent=2) + "\n", encoding="utf-8")
    show([outcome.row() for outcome in done])
    if all(outcome.good for outcome in done):
        shutil.rmtree(place)
    else:
        sys.exit(f"\nfolders are kept in {place}")


if __name__ == "__main__":
    main()
