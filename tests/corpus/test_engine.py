"""Engines: every task runs once, whatever is killed; errors reach the caller unchanged; Ray and Slurm if installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bertsmith.config import extras
from bertsmith.corpus.engine import Engine, check_engine, completion_marker, run_tasks
from bertsmith.corpus.engine.slurm_options import slurm_options
from bertsmith.corpus.engine.stage import TaskStage
from bertsmith.errors import BertsmithError, DataError, OptionError, ResourceError
from bertsmith.runtime.files import read_json, write_json, write_text

HERE = Path(__file__).parent
IMPORTABLE = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
COUNT = 6
FEWER = 4
"""Tasks of a stage on a cluster: each starts an interpreter there."""
SQUARES = [number * number for number in range(COUNT)]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers on a cluster import a task by its name."""
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", IMPORTABLE)


@pytest.fixture
def toy(importable: None) -> ModuleType:
    return importlib.import_module("engine_toy")


def nobody(done: int, total: int) -> None:
    """Nobody watches."""


def until(condition: Callable[[], Any]) -> None:
    """Wait for a condition that must become true; give up after a minute."""
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up, "waited for a minute"
        time.sleep(0.02)


def alive(process: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def test_the_name_of_a_marker(tmp_path: Path) -> None:
    assert completion_marker(tmp_path, "read", 7) == tmp_path / "read" / "00007.json"
    assert completion_marker(tmp_path, "read", 123456) == tmp_path / "read" / "123456.json"


@pytest.mark.parametrize("workers", [1, 2, 9])
def test_every_task_is_run_once(tmp_path: Path, toy: ModuleType, workers: int) -> None:
    folder = toy.lay_out(tmp_path, COUNT)
    said: list[tuple[int, int]] = []
    for _ in range(2):
        run_tasks(
            Engine(workers=workers),
            toy.STAGE,
            toy.square,
            folder=folder,
            count=COUNT,
            advance=lambda *pair: said.append(pair),
        )
        assert toy.everything(folder) == SQUARES
        assert [len(toy.starts(folder, number)) for number in range(COUNT)] == [1] * COUNT
    assert said[0] == (0, COUNT) and said[-2:] == [(COUNT, COUNT)] * 2 and said[:-1] == sorted(said[:-1])
    processes = {toy.starts(folder, number)[0] for number in range(COUNT)}
    assert (processes == {os.getpid()}) if workers == 1 else (os.getpid() not in processes)


def test_only_what_is_missing_is_run(tmp_path: Path, toy: ModuleType) -> None:
    folder = toy.lay_out(tmp_path, COUNT)
    run_tasks(Engine(workers=2), toy.STAGE, toy.square, folder=folder, count=COUNT, advance=nobody)
    for number in (1, 4):
        completion_marker(folder, toy.STAGE, number).unlink()
    said: list[tuple[int, int]] = []
    run_tasks(
        Engine(workers=2), toy.STAGE, toy.square, folder=folder, count=COUNT, advance=lambda *pair: said.append(pair)
    )
    assert [len(toy.starts(folder, number)) for number in range(COUNT)] == [1, 2, 1, 1, 2, 1]
    assert said[0] == (COUNT - 2, COUNT) and toy.everything(folder) == SQUARES


def test_errors_of_an_earlier_run_are_forgotten(tmp_path: Path, toy: ModuleType) -> None:
    error = tmp_path / toy.STAGE / "00001.error.json"
    write_json(error, {"error": "DataError", "text": "no text"})
    with pytest.raises(DataError, match="no text"):
        TaskStage(tmp_path, toy.STAGE, toy.square, 2).raise_error()
    run_tasks(Engine(), toy.STAGE, toy.square, folder=toy.lay_out(tmp_path, 2), count=2, advance=nobody)
    assert toy.everything(tmp_path) == SQUARES[:2] and not error.exists()


def test_a_stage_of_no_tasks(tmp_path: Path, toy: ModuleType) -> None:
    said: list[tuple[int, int]] = []
    run_tasks(
        Engine(workers=2), toy.STAGE, toy.square, folder=tmp_path, count=0, advance=lambda *pair: said.append(pair)
    )
    assert list(tmp_path.rglob("[0-9]*")) == [], "no task has left anything"
    assert all(pair == (0, 0) for pair in said), "no task is counted"


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_arrive_as_they_are(tmp_path: Path, toy: ModuleType, workers: int) -> None:
    engine = Engine(workers=workers)
    folder = toy.lay_out(tmp_path / "mistake", COUNT)
    with pytest.raises(DataError) as data:
        run_tasks(engine, toy.STAGE, toy.refuse, folder=folder, count=COUNT, advance=nobody)
    assert type(data.value) is DataError
    assert str(data.value) == 'corpus/1.jsonl: line 3: no text, expected a key "text"'
    run_tasks(engine, toy.STAGE, toy.square, folder=folder, count=COUNT, advance=nobody)
    assert toy.everything(folder) == SQUARES
    folder = toy.lay_out(tmp_path / "bug", COUNT)
    with pytest.raises(ZeroDivisionError) as bug:
        run_tasks(engine, toy.STAGE, toy.stumble, folder=folder, count=COUNT, advance=nobody)
    assert str(bug.value) == "a bug in task 1"
    assert workers == 1 or "in stumble" in bug.value.__notes__[0]


def test_an_exception_that_does_not_travel_arrives_as_text(tmp_path: Path, toy: ModuleType) -> None:
    with pytest.raises(BertsmithError, match=r"(?s)in stumble_oddly.*\d and \d"):
        run_tasks(Engine(workers=2), toy.STAGE, toy.stumble_oddly, folder=tmp_path, count=2, advance=nobody)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_task_without_a_marker_is_a_bug(tmp_path: Path, toy: ModuleType, workers: int) -> None:
    with pytest.raises(BertsmithError, match=r"task [01] ended without its marker"):
        run_tasks(Engine(workers=workers), toy.STAGE, toy.forget, folder=tmp_path, count=2, advance=nobody)


def test_a_worker_has_one_core(tmp_path: Path, toy: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa

    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    before = pa.cpu_count(), pa.io_thread_count()
    run_tasks(Engine(workers=2), toy.STAGE, toy.look_at_threads, folder=tmp_path, count=2, advance=nobody)
    assert read_json(completion_marker(tmp_path, toy.STAGE, 1)) == {"arrow": [1, 1], "tokenizers": "false"}
    assert (pa.cpu_count(), pa.io_thread_count()) == before and os.environ["TOKENIZERS_PARALLELISM"] == "true"


DRIVER = """
import sys
from pathlib import Path
import engine_toy as toy
from bertsmith.corpus.engine import Engine, run_tasks
try:
    run_tasks(Engine(sys.argv[3], 2, sys.argv[4] or None), toy.STAGE, toy.square,
              folder=Path(sys.argv[1]), count=int(sys.argv[2]), advance=lambda done, total: None)
except BaseException as error:
    print(type(error).__name__, error)
"""


def start_driver(folder: Path, count: int, name: str = "local", address: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", DRIVER, str(folder), str(count), name, address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("whom", "how", "expected"),
    [
        ("worker", signal.SIGKILL, "ResourceError square: a worker process was killed during task 2"),
        ("group", signal.SIGINT, "KeyboardInterrupt"),
        ("parent", signal.SIGTERM, "Interrupted stopped by SIGTERM"),
        ("parent", signal.SIGKILL, ""),
    ],
)
def test_killed_and_resumed(tmp_path: Path, toy: ModuleType, whom: str, how: signal.Signals, expected: str) -> None:
    """Tasks 2 and 3 are running at the kill: no process is left, and a second run produces the same files."""
    folder = toy.lay_out(tmp_path, COUNT)
    held = [toy.hold(folder, number) for number in (2, 3)]
    with start_driver(folder, COUNT) as driver:
        until(lambda: toy.starts(folder, 2) and toy.starts(folder, 3))
        workers = [toy.starts(folder, number)[0] for number in (2, 3)]
        if whom == "group":
            os.killpg(driver.pid, how)
        else:
            os.kill(driver.pid if whom == "parent" else workers[0], how)
        out, err = driver.communicate()
    assert out.startswith(expected) and bool(out) == bool(expected)
    assert err == ""
    until(lambda: not any(map(alive, workers)))
    for file in held:
        file.unlink()
    assert [completion_marker(folder, toy.STAGE, number).exists() for number in range(COUNT)] == [True] * 2 + [
        False
    ] * 4
    run_tasks(Engine(workers=2), toy.STAGE, toy.square, folder=folder, count=COUNT, advance=nobody)
    assert toy.everything(folder) == SQUARES
    assert [len(toy.starts(folder, number)) for number in range(COUNT)] == [1, 1, 2, 2, 1, 1]


def test_slurm_options() -> None:
    assert slurm_options(None) == {}
    assert slurm_options("cpu,long") == {"partition": "cpu,long"}
    assert slurm_options("partition=cpu,long,time=04:00:00,mem-per-cpu=4G") == {
        "partition": "cpu,long",
        "time": "04:00:00",
        "mem-per-cpu": "4G",
    }
    for wrong, word in (("time=", "'time='"), ("partition=a,array=0-3", "bertsmith sets array itself")):
        with pytest.raises(OptionError, match=word):
            slurm_options(wrong)


def test_engines_that_cannot_be_used_say_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--engine-address cpu: needs --engine ray or --engine slurm"):
        check_engine(Engine(address="cpu"))
    with pytest.raises(OptionError, match="--workers 0"):
        check_engine(Engine(workers=0))
    monkeypatch.setattr(extras, "find_spec", lambda name: object())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OptionError, match="sbatch was not found"):
        check_engine(Engine("slurm"))
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    for engine in (Engine("ray"), Engine("slurm")):
        with pytest.raises(OptionError, match=r"pip install 'bertsmith\[cluster\]'"):
            check_engine(engine)


# ---------------------------------------------------------------------------------------------------------- clusters


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[Engine]:
    """A Ray cluster of two cores on this machine, on loopback."""
    if importlib.util.find_spec("ray") is None or importlib.util.find_spec("datatrove") is None:
        pytest.skip("ray and datatrove are not installed: pip install 'bertsmith[cluster]'")
    folder = Path(
        tempfile.mkdtemp(prefix="ray", dir="/tmp")
    )  # a short path, because the length of socket names is limited
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [
        *("--head", "--block", "--num-cpus=2", f"--port={port}", "--node-ip-address=127.0.0.1"),
        *("--include-dashboard=false", "--disable-usage-stats", "--object-store-memory=80000000"),
        f"--temp-dir={folder}",
    ]
    ray = Path(sys.executable).with_name("ray")
    environment = os.environ | {"PYTHONPATH": IMPORTABLE, "PYTHONWARNINGS": "ignore", "RAY_USAGE_STATS_ENABLED": "0"}
    with (folder / "log").open("w") as log:
        node = subprocess.Popen([ray, "start", *options], stdout=log, stderr=log, env=environment)
    try:
        until(lambda: node.poll() is not None or "block forever" in (folder / "log").read_text())
        assert node.poll() is None, (folder / "log").read_text()
        yield Engine("ray", 2, f"127.0.0.1:{port}")
    finally:
        node.terminate()
        node.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def slurm_cluster() -> Engine:
    """The Slurm of this machine (slurm_on_one_node.sh starts one)."""
    if importlib.util.find_spec("datatrove") is None:
        pytest.skip("datatrove is not installed: pip install 'bertsmith[cluster]'")
    if shutil.which("sinfo") is None or subprocess.run(["sinfo"], capture_output=True, check=False).returncode:
        pytest.skip("no Slurm answers to sinfo (tests/corpus/slurm_on_one_node.sh starts one)")
    return Engine("slurm", 2)


@pytest.fixture(params=["ray", "slurm"])
def cluster(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Engine:
    from bertsmith.corpus.engine import cluster as module

    monkeypatch.setattr(module, "MARKER_TIMEOUT_SECONDS", 1.0)
    found: Engine = request.getfixturevalue(f"{request.param}_cluster")
    return found


def test_a_cluster_loses_and_doubles_nothing(tmp_path: Path, toy: ModuleType, cluster: Engine) -> None:
    """The process of task 2 is killed with -9: only this task runs again."""
    folder = toy.lay_out(tmp_path, FEWER)
    held = toy.hold(folder, 2)
    with ThreadPoolExecutor(1) as pool:
        end: Future[None] = pool.submit(
            run_tasks, cluster, toy.STAGE, toy.square, folder=folder, count=FEWER, advance=nobody
        )
        until(lambda: end.done() or toy.starts(folder, 2))
        os.kill(toy.starts(folder, 2)[0], signal.SIGKILL)
        held.unlink()
        end.result()
    assert toy.everything(folder) == SQUARES[:FEWER]
    assert [len(toy.starts(folder, number)) for number in range(FEWER)] == [1, 1, 2, 1]


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_a_cluster_goes_on_after_its_driver_was_killed(
    tmp_path: Path, toy: ModuleType, cluster: Engine, how: signal.Signals
) -> None:
    folder = toy.lay_out(tmp_path, FEWER)
    held = [toy.hold(folder, number) for number in (2, 3)]
    with start_driver(folder, FEWER, cluster.name, cluster.address or "") as driver:
        until(lambda: driver.poll() is not None or (toy.starts(folder, 2) and toy.starts(folder, 3)))
        workers = [toy.starts(folder, number)[0] for number in (2, 3)]
        driver.send_signal(how)
        out, err = driver.communicate()
    assert out.startswith("Interrupted" if how == signal.SIGTERM else "") and err == ""
    if cluster.name == "ray" or how == signal.SIGTERM:
        until(lambda: not any(map(alive, workers)))
    with ThreadPoolExecutor(1) as pool:
        end: Future[None] = pool.submit(
            run_tasks, cluster, toy.STAGE, toy.square, folder=folder, count=FEWER, advance=nobody
        )
        until(lambda: not any(map(alive, workers)))  # first cancel the jobs of the earlier run
        for file in held:
            file.unlink()
        end.result()
    assert toy.everything(folder) == SQUARES[:FEWER]
    assert [len(toy.starts(folder, number)) for number in range(FEWER)] == [1, 1, 2, 2]


@pytest.mark.slow
def test_a_mistake_of_the_user_comes_back_from_a_cluster(tmp_path: Path, toy: ModuleType, cluster: Engine) -> None:
    """Also, datatrove's markers of a run whose outputs are gone are ignored."""
    folder = toy.lay_out(tmp_path, 2)
    for number in range(2):
        write_text(folder / "logs" / toy.STAGE / "round-1" / "completions" / f"{number:05d}", "")
    with pytest.raises(DataError) as data:
        run_tasks(cluster, toy.STAGE, toy.refuse, folder=folder, count=2, advance=nobody)
    assert type(data.value) is DataError
    assert str(data.value) == 'corpus/1.jsonl: line 3: no text, expected a key "text"'


@pytest.mark.slow
def test_a_task_that_never_ends_well_is_named(tmp_path: Path, toy: ModuleType, cluster: Engine) -> None:
    folder = toy.lay_out(tmp_path, 2)
    with pytest.raises(ResourceError, match=r"square: 1 of 2 tasks .* 3 rounds on \w+: 1 \((.*)\); ") as error:
        run_tasks(cluster, toy.STAGE, toy.stumble, folder=folder, count=2, advance=nobody)
    log = Path(str(error.value).split(": 1 (")[1].split(")")[0])
    assert "ZeroDivisionError: a bug in task 1" in log.read_text()
    assert log.is_relative_to(folder / "logs" / toy.STAGE / "round-3")
    assert len(toy.starts(folder, 0)) == 1


@pytest.mark.slow
def test_a_cluster_that_is_not_there(tmp_path: Path, toy: ModuleType, cluster: Engine) -> None:
    wrong = {"ray": "127.0.0.1:1", "slurm": "no-such-partition"}[cluster.name]
    with pytest.raises(
        OptionError, match=rf"--engine-address {wrong}: .*(found no usable Ray cluster|invalid partition)"
    ):
        run_tasks(
            Engine(cluster.name, 2, wrong),
            toy.STAGE,
            toy.square,
            folder=toy.lay_out(tmp_path, 2),
            count=2,
            advance=nobody,
        )


@pytest.mark.slow
def test_a_corpus_prepared_on_a_cluster_has_the_same_bytes(
    tmp_path: Path, corpus_file: Path, cluster: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real `prepare`; on Ray the processes of tasks are killed with -9 once, in the middle of cleaning."""
    import psutil

    from bertsmith.corpus import plan
    from bertsmith.verbs.prepare import prepare

    monkeypatch.setattr(plan, "MIN_BLOCK", 25_000)
    lines = corpus_file.read_text(encoding="utf-8").splitlines(keepends=True)
    source = tmp_path / "source"
    source.mkdir()
    for number in range(2):
        (source / f"part-{number}.jsonl").write_text("".join(lines[number::2]), encoding="utf-8")
    options = {"vocab_size": 256, "held_out": 0.2, "keep_dropped": True}
    here = prepare(source, out=tmp_path / "here", workers=1, **options)
    killed = 0
    with ThreadPoolExecutor(1) as pool:
        end = pool.submit(
            prepare, source, out=tmp_path / "there", engine=cluster.name, workers=2, **_address(cluster), **options
        )
        if cluster.name == "ray":
            until(lambda: end.done() or any((tmp_path / ".there.preparing" / "clean").glob("*.json")))
            for process in psutil.process_iter(["cmdline"]):
                if (process.info["cmdline"] or [""])[0].startswith("ray::TaskActor"):
                    process.kill()
                    killed += 1
        there = end.result()
    assert killed or cluster.name != "ray"
    files = [read_json(store / "manifest.json")["files"] for store in (here.store, there.store)]
    assert sum(name.startswith("train/data-") for name in files[0]) >= 3
    assert files[0] == files[1]
    assert {**here.to_dict(), "store": 0, "seconds": 0, "stages": 0} == {
        **there.to_dict(),
        "store": 0,
        "seconds": 0,
        "stages": 0,
    }


def _address(cluster: Engine) -> dict[str, str]:
    return {} if cluster.address is None else {"engine_address": cluster.address}
