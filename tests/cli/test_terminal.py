"""The terminal: a few lines before training, no lines of libraries, reasons with --verbose, a verdict at the end."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bertsmith.cli.verdicts import language_model_lines
from bertsmith.records.error_report import Figure
from bertsmith.records.pretraining import PairAudit
from bertsmith.runtime.console import WIDTH, wrapped

SHAPE = ["--layers", "1", "--hidden-size", "32", "--attention-heads", "2", "--intermediate-size", "64"]
BEGINNINGS = (
    "Source: ", "Output: ", "Model: ", "Data: ", "Training: ", "Task: ", "Train: ", "Dev: ", "Labels: ", "Checkpoint: ",
    "warning: ", "held out: ", "corpus.jsonl: ", "store is", "run is", "head is", "Masked tokens: ", "Next sentence: ",
    "Learned: ", "Uncertain: ", "Not learned: ", "About ", "Fewer ", "The baseline", "Do not use", "The checkpoint was",
    "Next:", "  ",
)  # fmt: skip
"""How the lines of `prepare`, `pretrain` and `finetune` begin."""


def in_a_terminal(*commands: list[object], folder: Path) -> list[str]:
    """Run command lines in a terminal of 80 columns; return the lines that stay, so not those of progress bars."""
    code = (
        "import sys, json\n"
        "from bertsmith.cli.app import main\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    try:\n        main(words)\n"
        "    except SystemExit as end:\n        assert end.code == 0, end.code\n"
    )
    ours, theirs = pty.openpty()
    words = json.dumps([[str(word) for word in command] for command in commands])
    environment = os.environ | {"COLUMNS": str(WIDTH), "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-c", code, words], stdout=theirs, stderr=theirs, env=environment, cwd=folder
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            found = os.read(ours, 65_536)
        except OSError:  # the other end is closed
            break
        if not found:
            break
        written += found
    os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode())
    assert process.wait() == 0, text
    return [line for line in re.split(r"[\r\n]+", text) if line and "━" not in line]


def test_only_our_lines_and_few_of_them_before_training(
    corpus_file: Path, labelled: Callable[..., Path], tmp_path: Path
) -> None:
    labelled(tmp_path / "train.csv", rows=40)
    labelled(tmp_path / "dev.csv", rows=20)
    shutil.copy(corpus_file, tmp_path / "corpus.jsonl")
    files = ["--train", "train.csv", "--dev", "dev.csv", "--out", "head"]
    lines = in_a_terminal(
        ["prepare", "corpus.jsonl", "--out", "store", "--vocab-size", 256, "--workers", 1],
        ["pretrain", "store", "--out", "run", *SHAPE, "--steps", 3, "--batch-size", 16, "--sequence-length", 32],
        ["finetune", "sequence-classification", "--model", "run", *files, "--epochs", 1],
        folder=tmp_path,
    )
    assert [line for line in lines if not line.startswith(BEGINNINGS)] == []
    assert all(len(line) <= WIDTH for line in lines)
    # The screen has 24 lines. The labelled files share texts, so fine-tuning also has warnings.
    for first, last, most in (("Source: ", "store is", 10), ("Model: ", "Checkpoint: ", 10), ("Task: ", "head is", 23)):
        start, end = (next(at for at, line in enumerate(lines) if line.startswith(words)) for words in (first, last))
        assert end - start <= most, lines[start:end]
    assert not any(line.startswith(("threads", "device", "precision")) for line in lines), "reasons are for --verbose"


def test_verbose_shows_the_reasons_and_leaves_the_json_as_it_is(
    bertsmith: Callable[..., Any], run: Path, labelled: Callable[..., Path], tmp_path: Path
) -> None:
    train = labelled(tmp_path / "train.csv")
    words = ["finetune", "sequence-classification", "--model", run, "--train", train, "--dev", train]
    words += ["--out", tmp_path / "out", "--dry-run", "--json"]
    plain, verbose = bertsmith(*words), bertsmith(*words, "--verbose")
    assert plain.code == verbose.code == 0
    assert plain.stdout == verbose.stdout
    for name in ("threads", "device", "precision", "learning rate"):
        reason = re.compile(rf"^{name}: \S+ \(.+\)$", re.MULTILINE)
        assert reason.search(verbose.stderr) and not reason.search(plain.stderr), name
    assert set(plain.stderr.splitlines()) <= set(verbose.stderr.splitlines())
    assert len(plain.stderr.splitlines()) <= 10


FIGURES: dict[str, Any] = {
    "mlm_nats_per_masked_token": 5.0,
    "mlm_accuracy": 0.2,
    "perplexity": 148.4,
    "unigram_nats_per_token": 6.5,
    "next_sentence_accuracy": 0.75,
    "next_sentence_majority": 0.5,
    "nsp_nats_per_pair": 0.5,
    "num_masked_tokens": 1_000,
    "num_pairs": 1_000,
}


def audit(lengths: float) -> PairAudit:
    """The audit of 1,000 held-out pairs, of which segment lengths alone get this share right."""
    counts = dict.fromkeys(("is_next", "not_next", "forced_random", "same_document_negatives", "left_out_tokens"), 0)
    figure = Figure(value=lengths, low=lengths - 0.03, high=lengths + 0.03)
    return PairAudit(pairs=1_000, swap=False, held_out_pairs=1_000, majority=0.5, length_only=figure, **counts)


@pytest.mark.parametrize(
    ("lengths", "words"),
    [
        (0.76, "Next sentence: no better than segment lengths alone (76.0%). The model is right on 75.0% of 1,000"),
        (0.75, "Next sentence: no better than segment lengths alone (75.0%)."),
        (0.74, "Next sentence: uncertain. The model is right on 75.0% of 1,000 held-out pairs: too few"),
        (0.60, "Next sentence: learned. The model is right on 75.0% of 1,000 held-out pairs and beats segment lengths"),
    ],
)
def test_a_next_sentence_figure_is_compared_with_segment_lengths(lengths: float, words: str) -> None:
    text = " ".join(" ".join(language_model_lines(FIGURES, None, audit(lengths))).split())
    assert words in text


@pytest.mark.parametrize(
    ("nats", "before", "words"),
    [
        (5.0, 6.6, "Masked tokens: learned. Held-out loss 5.000 nats"),
        (6.4, 6.6, "Masked tokens: uncertain."),
        (
            6.6,
            6.6,
            "Masked tokens: not learned. The held-out loss of 6.600 nats is no better than the unigram baseline",
        ),
        (5.0, 5.5, "Masked tokens: improved. Held-out loss 5.000 nats"),
        (5.5, 5.0, "Masked tokens: no better than before training."),
    ],
)
def test_a_loss_is_compared_with_the_unigram_baseline_and_with_before(nats: float, before: float, words: str) -> None:
    after = FIGURES | {"mlm_nats_per_masked_token": nats}
    lines = language_model_lines(after, FIGURES | {"mlm_nats_per_masked_token": before}, None)
    assert words in " ".join(" ".join(lines).split())
    assert all(len(line) < WIDTH for text in lines for line in text.split("\n"))


def test_evaluate_compares_with_lengths_that_the_run_has_recorded(
    bertsmith: Callable[..., Any], run: Path, store: Path
) -> None:
    shown = bertsmith("evaluate", run, store)
    assert shown.code == 0, shown.stderr
    (line,) = [line for line in shown.stdout.splitlines() if line.startswith("Next sentence: ")]
    assert "--details" not in shown.stdout, "the record of the RUN has the accuracy of lengths alone"
    assert bertsmith("evaluate", run, store, "--json").json["num_pairs"] > 0 and len(line) <= WIDTH


def test_wrapped_lines_are_short_and_commands_stay_whole() -> None:
    command = f"  bertsmith pretrain {'x' * 100}"
    text = f"a warning {'word ' * 40}\n{command}\n/a/path/{'y' * 90}"
    lines = wrapped(text).split("\n")
    assert lines[-2:] == [command, f"/a/path/{'y' * 90}"]
    assert all(len(line) < WIDTH for line in lines[:-2])
    assert " ".join(" ".join(lines[:-2]).split()) == f"a warning {'word ' * 40}".strip()
