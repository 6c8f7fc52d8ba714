"""What all tests share: a small corpus, a STORE and a RUN made from it once a session, and the command line."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import logging
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings

# Threads of torch that spin while they wait cost a tiny model a factor of 40 where another process has the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# As in an active environment: printed commands begin with `bertsmith`.
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))

os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported: no test waits for a network

# Time proves nothing on cores that others use too: a slow draw or example is no failure.
settings.register_profile("bertsmith", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bertsmith")

pytest.register_assert_rewrite("support")

from support.process import CommandOutput, run_process  # noqa: E402 (after its assertions are to be shown)
from support.trainer_events import after_event  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the slow tests too, as `make test-all` does")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests marked slow, unless --all is given, -m chooses, or the command line names one of them."""
    if config.getoption("--all") or config.getoption("-m"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    chosen = {argument for argument in config.args if "::" in argument}
    left_out = [item for item in slow if not any(item.nodeid.startswith(argument) for argument in chosen)]
    config.hook.pytest_deselected(items=left_out)
    gone = set(map(id, left_out))
    items[:] = [item for item in items if id(item) not in gone]


SUBJECTS = (
    *("the baker", "a sailor", "the old teacher", "my neighbour", "the young doctor", "a farmer", "the queen"),
    *("her brother", "a quiet stranger", "the village painter", "every child", "the captain", "a tired soldier"),
)
VERBS = (
    *("found", "painted", "carried", "sold", "repaired", "admired", "remembered", "described", "borrowed"),
    *("discovered", "measured", "wrapped", "followed", "watched", "dropped"),
)
OBJECTS = (
    *("a wooden boat", "the red letter", "some bread", "an empty house", "the silver bell", "two horses"),
    *("a heavy basket", "the broken window", "seven green apples", "a strange map", "the music box"),
)
PLACES = (
    *("near the river", "in the market", "behind the church", "on the hill", "under the bridge"),
    *("at the harbour", "beside the railway station", "inside the library", "along the narrow street"),
)
ENDINGS = (
    *("before the winter came", "while it rained", "and nobody noticed", "because the night was cold", "again"),
    *("without a single word", "until the lamps were lit", "for the third time that week"),
)

DOCUMENTS, SENTENCES = 120, 12


def _at_update(
    number: int, act: Callable[[], None], training: str | None = None
) -> contextlib.AbstractContextManager[None]:
    def act_once(args: Any, state: Any) -> None:
        if state.global_step + 1 == number and training in (None, Path(args.output_dir).name):
            act()

    return after_event("on_pre_optimizer_step", act_once)


@pytest.fixture(scope="session")
def at_update() -> Callable[..., contextlib.AbstractContextManager[None]]:
    """Do something in the middle of an update, after its losses are known, of any training or of the one in the folder
    of a name: `with at_update(3, act, "seed-1"): ...`.
    """
    return _at_update


@pytest.fixture(scope="session")
def signalled() -> Callable[..., contextlib.AbstractContextManager[None]]:
    """A signal comes in the middle of an update: `with signalled(3, signal.SIGTERM, "seed-1"): ...`."""

    def at(
        number: int, kind: signal.Signals = signal.SIGTERM, training: str | None = None
    ) -> contextlib.AbstractContextManager[None]:
        return _at_update(number, lambda: os.kill(os.getpid(), kind), training)

    return at


def document_text(number: int) -> str:
    """A document of twelve sentences in three paragraphs; the same for the same number."""
    draw = random.Random(number)
    sentences = [
        f"{draw.choice(SUBJECTS)} {draw.choice(VERBS)} {draw.choice(OBJECTS)} {draw.choice(PLACES)} "
        f"{draw.choice(ENDINGS)}.".capitalize()
        for _ in range(SENTENCES)
    ]
    return "\n\n".join(" ".join(sentences[at : at + 4]) for at in range(0, SENTENCES, 4))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Models compute on one thread: for such small ones, on busy cores, threads that wait for each other cost more
    than the arithmetic (ten updates took 13 s on two threads beside other work, 1 s on one). Micro-batch threads follow
    from the cores, whatever OMP_NUM_THREADS says.
    """
    from bertsmith.runtime import machine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "choose_threads", lambda: machine.AutomaticChoice("threads", "1", "tests"))
        patch.setattr(machine, "requested_threads", lambda: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_machine() -> Iterator[None]:
    """The peak of the machine is measured with one small product (three quarters of a tiny pre-training went into it),
    and files are not flushed to the disk. Processes that tests start, and tests that set them, have the real ones.
    """
    from bertsmith.runtime import peak

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(peak, "PRODUCTS", ((256, 256, 256),))
        patch.setitem(peak.matmul_peak.__kwdefaults__, "seconds", 0.0)
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="session")
def corpus_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 English-like documents as JSON lines with ids; some 18,000 words."""
    file = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    lines = [json.dumps({"id": f"document-{number}", "text": document_text(number)}) for number in range(DOCUMENTS)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def store(corpus_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A STORE of that corpus: 256 entries, a fifth of the documents held out."""
    from bertsmith.verbs.prepare import prepare

    folder = tmp_path_factory.mktemp("store") / "store"
    prepare(corpus_file, out=folder, vocab_size=256, held_out=0.2, workers=1)
    return folder


TINY: dict[str, Any] = {
    "layers": 1,
    "hidden_size": 32,
    "attention_heads": 2,
    "intermediate_size": 64,
    "max_positions": 64,
    "sequence_length": 32,
    "batch_size": 8,
    "precision": "fp32",
}
"""Options of `pretrain` for a model that trains ten updates in a moment."""


@pytest.fixture(scope="session")
def tiny() -> dict[str, Any]:
    """Options of `pretrain` for a model that trains ten updates in a moment."""
    return dict(TINY)


@pytest.fixture(scope="session")
def run(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RUN of ten updates on that STORE, in float32."""
    from bertsmith.verbs.pretrain import pretrain

    folder = tmp_path_factory.mktemp("run") / "run"
    pretrain(store, out=folder, steps=10, **TINY)
    # Each run of the Trainer ends with a full garbage collection; it need not look at torch's own objects every time.
    gc.freeze()
    return folder


@pytest.fixture
def all_checkpoints_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A finished pre-training keeps every checkpoint that it has, as if it had been killed a moment before."""
    from bertsmith.training.run_folder import RunFolder

    monkeypatch.setattr(RunFolder, "keep_checkpoints", lambda folder, _: folder.checkpoints())


@pytest.fixture(scope="session")
def seed_models_kept() -> Callable[[], contextlib.AbstractContextManager[None]]:
    """A finished fine-tuning keeps the model of every seed: `with seed_models_kept(): finetune(...)`."""

    @contextlib.contextmanager
    def kept() -> Iterator[None]:
        with (
            mock.patch("bertsmith.verbs.finetune.remove_seed_models"),
            mock.patch("bertsmith.verbs.finetune_glue.remove_seed_models"),
        ):
            yield

    return kept


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a GPU: for what only CPUs have, such as micro-batch threads."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the repository."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data (../shared/data) is not on this machine")
    return folder


GLUE_HEADERS = {
    "CoLA": None,
    "SST-2": "sentence\tlabel",
    "MRPC": "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String",
    "STS-B": "index\tgenre\tsentence1\tsentence2\tscore",
    "QQP": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate",
    "MNLI": "index\tgenre\tsentence1\tsentence2\tlabel1\tgold_label",
    "QNLI": "index\tquestion\tsentence\tlabel",
    "RTE": "index\tsentence1\tsentence2\tlabel",
    "WNLI": "index\tsentence1\tsentence2\tlabel",
}
"""The first lines of GLUE's own files; CoLA has none."""


def glue_line(task: str, number: int) -> str:
    """A row of a task as GLUE writes it; the object of its first sentence tells the label."""
    draw = random.Random(f"{task}{number}")
    kind = number % (3 if task == "MNLI" else 2)
    text = f"{draw.choice(SUBJECTS)} {draw.choice(VERBS)} {OBJECTS[kind]} {draw.choice(PLACES)}."
    second = f'" {draw.choice(SUBJECTS)} {draw.choice(VERBS)} {draw.choice(OBJECTS)} .'
    entailed = ("entailment", "not_entailment")[kind % 2]
    fields: dict[str, tuple[object, ...]] = {
        "CoLA": ("gj04", kind, "*" if kind == 0 else "", text),
        "SST-2": (text, kind),
        "MRPC": (kind, 100 + number, 200 + number, text, second),
        "STS-B": (number, "news", text, second, f"{4.0 * kind + 0.01 * (number % 7):.3f}"),
        "QQP": (number, number, number + 1, text, second, kind),
        "MNLI": (number, "fiction", text, second, "neutral", ("contradiction", "entailment", "neutral")[kind]),
        "QNLI": (number, text, second, entailed),
        "RTE": (number, text, second, entailed),
        "WNLI": (number, text, second, kind),
    }
    return "\t".join(map(str, fields[task]))


@pytest.fixture(scope="session")
def glue_file() -> Callable[..., Path]:
    """Writes a file of a task as GLUE gives it: `glue_file(path, "MRPC", 20, first=100)`."""

    def make(path: Path, task: str, rows: int, *, first: int = 0) -> Path:
        header = GLUE_HEADERS[task]
        lines = [*([header] if header else []), *(glue_line(task, first + row) for row in range(rows))]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + ("" if task == "CoLA" else "\n"), encoding="utf-8")
        return path

    return make


@pytest.fixture
def glue(glue_file: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder of GLUE with these tasks: 24 rows to train on, 12 in each dev file."""

    def make(*tasks: str, rows: int = 24) -> Path:
        folder = tmp_path / "glue"
        for task in tasks:
            glue_file(folder / task / "train.tsv", task, rows)
            for place, dev in enumerate(("dev_matched", "dev_mismatched") if task == "MNLI" else ("dev",), start=1):
                glue_file(folder / task / f"{dev}.tsv", task, 12, first=1000 * place)
        return folder

    return make


class _Stdin(io.TextIOWrapper):
    """Standard input that holds given bytes; a terminal where there are none."""

    def __init__(self, content: str | bytes | None) -> None:
        raw = content.encode() if isinstance(content, str) else content or b""
        super().__init__(io.BytesIO(raw), encoding="utf-8")
        self.given = content is not None

    def isatty(self) -> bool:
        return not self.given


@contextlib.contextmanager
def _kept_logger() -> Iterator[None]:
    """The command line gives bertsmith's logger a handler; tests in Python see it as it was."""
    logger = logging.getLogger("bertsmith")
    before = logger.handlers, logger.level, logger.propagate
    try:
        yield
    finally:
        logger.handlers, logger.level, logger.propagate = before


@pytest.fixture(scope="session")
def bertsmith() -> Callable[..., CommandOutput]:
    """Runs one command line in this process: `bertsmith("fill-mask", run, "A [MASK].")`."""
    from bertsmith.cli import app

    def call(*arguments: object, stdin: str | bytes | None = None) -> CommandOutput:
        out, err, before = io.StringIO(), io.StringIO(), sys.stdin
        sys.stdin = _Stdin(stdin)
        try:
            with _kept_logger(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = app.run([str(argument) for argument in arguments])
        finally:
            sys.stdin = before
        return CommandOutput(code, out.getvalue(), err.getvalue())

    return call


@pytest.fixture(scope="session")
def bertsmith_process() -> Callable[..., CommandOutput]:
    """Runs one command line in a process of its own, as a user does."""

    def call(*arguments: object, stdin: str = "") -> CommandOutput:
        return run_process([sys.executable, "-m", "bertsmith", *map(str, arguments)], input=stdin)

    return call
