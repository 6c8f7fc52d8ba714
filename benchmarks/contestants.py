"""Shared parts of the pre-training benchmarks: stock transformers and bertsmith, each in its own process.

`stock` is transformers.Trainer with transformers.BertForPreTraining and DataCollatorForLanguageModeling, unchanged. Its
process imports nothing of bertsmith and has the environment of the benchmark's start (`import bertsmith` sets
OMP_WAIT_POLICY). It trains on the examples of `bertsmith pretrain`, read from a file, and masks them itself.
`bertsmith` is the command line `bertsmith pretrain ...`. Both processes measure the matrix-product peak before and
after their updates, and the cores that other programs use, because a machine's speed changes from minute to minute.
"""

from __future__ import annotations

import ctypes
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ENVIRONMENT = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
"""The environment before anything imports bertsmith."""

NEVER = "1000000000"
"""A value of --eval-every and --save-every that is never reached."""

PRODUCTS = ((2048, 1024, 2048), (4096, 768, 3072), (4096, 3072, 768))
"""Rows, inner, columns, as in bertsmith/runtime/peak.py."""


@dataclass(frozen=True)
class Stock:
    """Settings of a training by stock transformers.

    Attributes:
        examples, model, tokenizer: the files of `write_examples` and `write_config`, and the STORE's tokenizer.
        out: an empty folder for the Trainer, the record and the snapshots.
        allocator: whether glibc keeps freed memory, as bertsmith/runtime/machine.py sets it.
        limit: training seconds after which it is stopped, or None.
        snapshots: training seconds at which weights are saved, ascending; if there are any, the first and last
            weights are saved as well. Saving is not counted.
        peak_seconds: seconds for each of the two measurements of the peak.
    """

    examples: str
    model: str
    tokenizer: str
    out: str
    updates: int
    batch_size: int
    learning_rate: float
    bf16: bool = True
    allocator: bool = False
    limit: float | None = None
    snapshots: tuple[float, ...] = ()
    peak_seconds: float = 1.0


@dataclass(frozen=True)
class Bertsmith:
    """Settings of a training by `bertsmith pretrain`.

    Attributes:
        arguments: the arguments after `pretrain`.
        out: an empty folder for the RUN (`out`/run) and the record.
        evaluation_examples: limit for the evaluations before and after; None is the default of `pretrain`.
    """

    arguments: tuple[str, ...]
    out: str
    evaluation_examples: int | None = None
    peak_seconds: float = 1.0


def run(job: Stock | Bertsmith) -> dict[str, Any]:
    """Do a job in a fresh process and return its record. Exits if the process fails."""
    Path(job.out).mkdir(parents=True, exist_ok=True)
    given = json.dumps({"kind": type(job).__name__, **asdict(job)})
    run_quietly([sys.executable, __file__, given])
    record: dict[str, Any] = json.loads((Path(job.out) / "record.json").read_text(encoding="utf-8"))
    return record


def run_quietly(command: list[str]) -> str:
    """Run a command in the environment of the benchmark's start and return its output."""
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}\nexit code {done.returncode}")
    return done.stdout


def dry_run(arguments: tuple[str, ...]) -> dict[str, Any]:
    """Return the forecast of `bertsmith pretrain ... --dry-run`."""
    command = [sys.executable, "-m", "bertsmith", "pretrain", *arguments, "--out", "not-written", "--dry-run", "--json"]
    forecast: dict[str, Any] = json.loads(run_quietly(command).splitlines()[-1])["forecast"]
    return forecast


def pretrain_options(store: Path, **options: object) -> tuple[str, ...]:
    """Return the arguments of `bertsmith pretrain`."""
    words = [(f"--{name.replace('_', '-')}", str(value)) for name, value in options.items() if value is not None]
    return (str(store), *(word for pair in words for word in pair))


def write_examples(store: Path, count: int, sequence_length: int, file: Path) -> None:
    """Write the first examples of a training, unmasked: those of PretrainingDataset, epoch after epoch."""
    import numpy as np

    from bertsmith import PretrainingDataset

    data = PretrainingDataset(store, sequence_length=sequence_length)
    rows = data.plan.padded(np.arange(count), data.vocabulary)
    np.savez(
        file,
        input_ids=rows.input_ids.astype(np.int32),
        token_type_ids=rows.token_type_ids.astype(np.int8),
        lengths=rows.lengths,
        next_sentence_label=rows.next_sentence_label,
    )


def write_config(store: Path, size: str, folder: Path, dropout: float = 0.1) -> None:
    """Write the stock configuration of a size, for the tokenizer of a STORE."""
    from bertsmith.models.sizes import bert_shape, make_config
    from bertsmith.tokenization.folder import load_tokenizer

    tokenizer = load_tokenizer(str(store / "tokenizer"))
    config = make_config(bert_shape(size), len(tokenizer), int(tokenizer.pad_token_id))
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = dropout
    config.save_pretrained(folder)


def update_seconds(lines: list[dict[str, Any]]) -> list[float]:
    """Return the training seconds of each update, from the lines of metrics.jsonl.

    Its clock includes evaluations and saving. The update after one counts with its own time, computed from its tokens
    and tokens per second.
    """
    found: list[float] = []
    clock, tokens, disturbed = 0.0, 0, False
    for line in lines:
        if "evaluation" in line:
            disturbed = True
            continue
        own = (line["tokens_seen"] - tokens) / line["tokens_per_second"]
        found.append(own if disturbed else line["seconds"] - clock)
        clock, tokens, disturbed = line["seconds"], line["tokens_seen"], False
    return found


def write_json(file: Path, content: Any) -> None:
    """Write JSON atomically."""
    aside = file.with_name(f".{file.name}.partial")
    aside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    aside.replace(file)


def once(file: Path, job: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the record in a file; if the file is missing, do the job and write it."""
    if not file.exists():
        write_json(file, job())
    record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return record


def show(head: list[str], rows: list[list[str]]) -> None:
    """Print an aligned table."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, ["-" * width for width in widths], *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print(f"| {' | '.join(cells)} |")


def picture(
    lines: dict[str, list[tuple[float, float]]],
    *,
    reference: tuple[str, float],
    title: str,
    x_label: str,
    y_label: str = "held-out loss, nats per masked token",
    points: dict[str, list[tuple[float, float]]] | None = None,
) -> str:
    """Draw held-out losses as a standalone SVG: lines, and separate points."""
    from importlib.resources import files

    from bertsmith.reporting.line_chart import Series, line_chart

    chart = line_chart(
        [*(Series(*one) for one in lines.items()), *(Series(*one, "points") for one in (points or {}).items())],
        x_label=x_label,
        y_label=y_label,
        reference_lines=[reference],
        title=title,
    )
    style = (files("bertsmith.reporting") / "page.css").read_text(encoding="utf-8")
    frame = ".chart { background: var(--background); font-family: sans-serif; }"
    start, _, rest = chart.partition(">")
    return f"{start}><style><![CDATA[{style}{frame}]]></style>{rest}\n"


# The rest runs in the processes of the contestants.


def matmul_peak(seconds: float) -> dict[str, float]:
    """Return the floating point operations per second of the fastest and of the median bfloat16 product.

    A virtual machine has bursts: the fastest product can be far above the sustained speed.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    best = {"best": 0.0, "median": 0.0}
    draw = torch.Generator(device).manual_seed(0)
    for rows, inner, columns in PRODUCTS:
        with torch.inference_mode():
            left, right = (
                torch.empty(shape, dtype=torch.bfloat16, device=device).normal_(generator=draw)
                for shape in ((rows, inner), (inner, columns))
            )
            out = torch.mm(left, right)
            times: list[float] = []
            end = time.perf_counter() + seconds / len(PRODUCTS)
            while not times or time.perf_counter() < end:
                start = time.perf_counter()
                torch.mm(left, right, out=out)
                if device == "cuda":
                    torch.cuda.synchronize()
                times.append(time.perf_counter() - start)
        work = 2.0 * rows * inner * columns
        for name, taken in (("best", min(times)), ("median", statistics.median(times))):
            best[name] = max(best[name], work / taken)
    return best


def keep_freed_memory() -> None:
    """Set what bertsmith/runtime/machine.py sets for `keep`: M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD, M_ARENA_MAX."""
    mallopt = ctypes.CDLL(None).mallopt
    for name, value in ((-4, 0), (-1, 2**31 - 1), (-2, 256 * 2**20), (-8, 1)):
        if mallopt(name, value) != 1:
            raise SystemExit(f"mallopt({name}, {value}) is refused")


class Others:
    """Cores that other programs use meanwhile, and cores that the hypervisor takes, from /proc."""

    def __init__(self) -> None:
        self.before = self.now()

    @staticmethod
    def now() -> tuple[float, float, float]:
        """Return wall-clock time, processor seconds of all other processes, and stolen seconds."""
        words = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()[1:]
        user, nice, system, _, _, interrupts, soft, steal = (int(word) / os.sysconf("SC_CLK_TCK") for word in words[:8])
        own = sum(os.times()[:4])
        return time.monotonic(), user + nice + system + interrupts + soft - own, steal

    def cores(self) -> dict[str, float]:
        """Return the cores used by others since this object was made."""
        wall, busy, stolen = (now - before for now, before in zip(self.now(), self.before, strict=True))
        return {"others": round(max(busy / wall, 0.0), 2), "stolen": round(stolen / wall, 2)}


def stock_examples(file: str) -> Any:
    """Return the examples in a file of columns as a torch data set."""
    import numpy as np
    from torch.utils.data import Dataset

    class Examples(Dataset[dict[str, Any]]):
        def __init__(self) -> None:
            self.columns = dict(np.load(file))

        def __len__(self) -> int:
            return len(self.columns["lengths"])

        def __getitem__(self, index: int) -> dict[str, Any]:
            length = self.columns["lengths"][index]
            example = {name: self.columns[name][index, :length].tolist() for name in ("input_ids", "token_type_ids")}
            return {**example, "next_sentence_label": int(self.columns["next_sentence_label"][index])}

    return Examples()


def stock_clock(job: Stock) -> Any:
    """Return a Trainer callback: seconds per update, snapshots at their times, a stop at the limit."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        def __init__(self) -> None:
            self.seconds: list[float] = []
            self.saved: list[dict[str, Any]] = []
            self.due = list(job.snapshots)

        def save(self, model: Any) -> None:
            step = len(self.seconds)
            folder = Path(job.out) / "snapshots" / str(step)
            if job.snapshots and not folder.exists():
                model.save_pretrained(folder)
                self.saved.append({"seconds": sum(self.seconds), "step": step, "folder": str(folder)})

        def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            self.save(more["model"])
            self.mark = time.perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            self.seconds.append(time.perf_counter() - self.mark)
            done = sum(self.seconds)
            if job.limit is not None and done >= job.limit:
                control.should_training_stop = True
            if self.due and done >= self.due[0]:
                self.due = [moment for moment in self.due if moment > done]
                self.save(more["model"])
            self.mark = time.perf_counter()

    return Clock()


def stock(job: Stock) -> dict[str, Any]:
    """Train with stock transformers."""
    import torch
    from transformers import (
        AutoTokenizer,
        BertConfig,
        BertForPreTraining,
        DataCollatorForLanguageModeling,
        Trainer,
        TrainingArguments,
    )

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    if job.allocator:
        keep_freed_memory()
    torch.manual_seed(0)
    model = BertForPreTraining(BertConfig.from_pretrained(job.model))
    clock = stock_clock(job)
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(Path(job.out) / "trainer"),
            max_steps=job.updates,
            per_device_train_batch_size=job.batch_size,
            learning_rate=job.learning_rate,
            bf16=job.bf16,
            use_cpu=not torch.cuda.is_available(),
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=stock_examples(job.examples),
        data_collator=DataCollatorForLanguageModeling(AutoTokenizer.from_pretrained(job.tokenizer)),
        callbacks=[clock],
    )
    before = matmul_peak(job.peak_seconds)
    others = Others()
    trainer.train()
    cores = others.cores()
    clock.save(model)
    record = {
        "seconds": clock.seconds,
        "peak": {"before": before, "after": matmul_peak(job.peak_seconds)},
        "busy_cores": cores,
        "snapshots": clock.saved,
        "optimizer": type(trainer.optimizer).__name__,
        "threads": torch.get_num_threads(),
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY"),
    }
    if "bertsmith" in sys.modules:
        raise SystemExit("bertsmith was imported: this is not stock")
    return record


def bertsmith(job: Bertsmith) -> dict[str, Any]:
    """Run `bertsmith pretrain`; `memory` is the resident bytes before it and at the peak, on Linux."""
    from importlib import import_module

    verb = import_module("bertsmith.verbs.pretrain")  # sets the environment first, then imports torch
    from bertsmith.cli.app import run as command
    from bertsmith.runtime.machine import prepare_process

    if job.evaluation_examples is not None:
        assert "EXAMPLES_AROUND" in vars(verb)
        vars(verb)["EXAMPLES_AROUND"] = job.evaluation_examples
    prepare_process()
    folder = Path(job.out) / "run"
    before = matmul_peak(job.peak_seconds) if job.peak_seconds else None
    memory = {"before": resident("VmRSS")}
    others = Others()
    code = command(["pretrain", *job.arguments, "--out", str(folder)])
    if code:
        raise SystemExit(code)
    cores = others.cores()
    memory["peak"] = resident("VmHWM")
    after = matmul_peak(job.peak_seconds) if job.peak_seconds else None
    metrics = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    lines = [json.loads(line) for line in metrics]
    seconds = update_seconds(lines)
    description = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return {
        "seconds": seconds,
        "curve": [
            {"seconds": sum(seconds[: line["step"]]), "step": line["step"], **line["evaluation"]}
            for line in lines
            if "evaluation" in line
        ],
        "peak": {"before": before, "after": after},
        "busy_cores": cores,
        "own_peak": description["matmul_peak_gflops"] * 1e9,
        "memory": memory,
        "memory_forecast": description["memory_forecast_bytes"],
        "learning_rate": description["learning_rate"],
        "precision": description["precision"],
        "result": description["result"],
    }


def resident(name: str) -> int | None:
    """Return VmRSS or VmHWM of this process in bytes. (getrusage would include the process before the fork.)"""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), None)


def main() -> None:
    """Do the job in the JSON on the command line and write its record."""
    given = json.loads(sys.argv[1])
    kind = given.pop("kind")
    record = stock(Stock(**given)) if kind == Stock.__name__ else bertsmith(Bertsmith(**given))
    write_json(Path(given["out"]) / "record.json", record)


if __name__ == "__main__":
    main()
