"""A general text beside the STORE: measured before, during and after a run, alone, resumed, and in two processes."""

from __future__ import annotations

import json
import logging
import os
import random
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from bertsmith.config.pretrain import PretrainOptions
from bertsmith.errors import DataError, Interrupted, OptionError
from bertsmith.pretraining.general_text import read_general_text
from bertsmith.tokenization.folder import load_tokenizer
from bertsmith.training.run_folder import read_metrics
from bertsmith.verbs.evaluate import evaluate
from bertsmith.verbs.pretrain import pretrain
from support.process import run_process

WORDS = ("boat", "river", "winter", "lamp", "church", "window", "apple", "captain", "library", "horse", "silver")


def some_text(documents: int, sentences: int = 12, seed: int = 0) -> str:
    draw = random.Random(seed)
    return "".join(
        json.dumps({"text": " ".join(f"The {' '.join(draw.choices(WORDS, k=9))}." for _ in range(sentences))}) + "\n"
        for _ in range(documents)
    )


@pytest.fixture(scope="module")
def general(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty documents in words of the corpus, in another order."""
    file = tmp_path_factory.mktemp("general") / "general.jsonl"
    file.write_text(some_text(40))
    return file


@pytest.fixture
def options(tiny: dict[str, Any], run: Path, general: Path) -> dict[str, Any]:
    """A run of six updates from the small RUN, with three evaluations."""
    plain = {name: tiny[name] for name in ("sequence_length", "batch_size", "precision")}
    return {"from_": str(run), "steps": 6, "eval_every": 2, "general_text": general, **plain}


def record(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "run.json").read_text())
    return content


def test_the_figures_are_those_of_evaluate(
    store: Path, run: Path, general: Path, options: dict[str, Any], tmp_path: Path
) -> None:
    result = pretrain(store, out=tmp_path / "run", **options)
    for model, found in ((run, result.general_evaluation_before), (result.run, result.general_evaluation)):
        assert found is not None
        assert found == pytest.approx(evaluate(model, general).to_dict(), rel=1e-5)
    assert found["num_pairs"] > 100
    lines = read_metrics(result.run)[1]
    losses = [line["general_evaluation"]["mlm_nats_per_masked_token"] for line in lines]
    assert [line["step"] for line in lines] == [2, 4] and len(set(losses)) == 2
    first, last = record(result.run)["curve_ends"]
    assert (first["step"], last["step"]) == (0, 6)
    masks = {item["general_evaluation"]["num_masked_tokens"] for item in (first, *lines, last)}
    assert len(masks) == 1, "the curve stands on the same examples throughout"
    page, card = ((result.run / name).read_text() for name in ("report.html", "README.md"))
    for text in (page, card):
        assert "Gain and forgetting" in text and "The loss on the held-out part " in text
    assert "general text: 4 points" in page
    assert record(result.run)["result"]["general_evaluation"] == result.general_evaluation


def test_nothing_is_left_of_the_encoded_text(
    store: Path,
    options: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at_update: Callable[..., AbstractContextManager[None]],
) -> None:
    aside = tmp_path / "aside"
    aside.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(aside))
    seen: list[list[Path]] = []
    with at_update(1, lambda: seen.append(list(aside.iterdir()))):
        assert pretrain(store, out=tmp_path / "run", **options).general_evaluation is not None
    assert seen == [[]], "it is mapped, and cannot be left by a run that is killed"


def test_a_resumed_run_goes_on_with_its_text(
    store: Path,
    options: dict[str, Any],
    tmp_path: Path,
    general: Path,
    signalled: Callable[..., AbstractContextManager[None]],
) -> None:
    whole = pretrain(store, out=tmp_path / "whole", **options)
    out = tmp_path / "run"
    with signalled(3), pytest.raises(Interrupted):
        pretrain(store, out=out, **options)
    other = tmp_path / "other.jsonl"
    other.write_text(some_text(40, seed=1))
    with pytest.raises(OptionError, match=r"--general-text: .* was started with"):
        pretrain(store, out=out, resume=True, general_text=other)
    before = general.read_text()
    try:
        general.write_text(some_text(40, seed=1))
        with pytest.raises(OptionError, match=r"the text has changed since .* was started"):
            pretrain(store, out=out, resume=True)
    finally:
        general.write_text(before)
    result = pretrain(store, out=out, resume=True)
    assert result.resumed_from_step == 3
    assert result.general_evaluation_before == whole.general_evaluation_before
    assert result.general_evaluation == whole.general_evaluation
    assert read_metrics(out)[1] == read_metrics(whole.run)[1]
    assert record(out)["curve_ends"] == record(whole.run)["curve_ends"]


def test_a_run_that_began_without_a_text_goes_on_without_one(
    store: Path, options: dict[str, Any], tmp_path: Path, general: Path
) -> None:
    pretrain(store, out=tmp_path / "run", **{**options, "general_text": None})
    with pytest.raises(OptionError, match=r"--general-text: .* was started without it"):
        pretrain(store, out=tmp_path / "run", resume=True, steps=8, general_text=general)


def test_a_store_is_no_text(store: Path, options: dict[str, Any], tmp_path: Path) -> None:
    """Its token ids would be read as characters."""
    with pytest.raises(OptionError, match=r"--general-text .*: found a STORE, expected text"):
        pretrain(store, out=tmp_path / "run", **{**options, "general_text": store})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"--general-text: .*text.txt: "),
        ("", r"--general-text: .*no document is left after cleaning; read 1"),
    ],
)
def test_a_text_that_says_nothing_is_refused(
    content: str | None, message: str, store: Path, options: dict[str, Any], tmp_path: Path
) -> None:
    text = tmp_path / "text.txt"
    if content is not None:
        text.write_text(content)
    for dry_run in (False, True):
        with pytest.raises(DataError, match=message):
            pretrain(store, out=tmp_path / "run", dry_run=dry_run, **{**options, "general_text": text})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "short.log",
            b"Three words here. The river and the lamp. " * 20,
            "tokens, expected at least 2,000: with fewer, the loss is",
        ),
        (
            "wiki.test.raw",
            ("The river, the boat: caf\u00e9. " * 20).encode("cp1252"),
            "not UTF-8; reading it as cp1252",
        ),
        ("NOTES", ("The river and the winter lamp. " * 20).encode("utf-16"), "not UTF-8; reading it as utf-16"),
    ],
)
def test_a_text_file_of_any_ending_size_and_usual_encoding_is_read(
    name: str,
    content: bytes,
    said: str,
    run: Path,
    options: dict[str, Any],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "bertsmith")
    (tmp_path / name).write_bytes(content)
    given = PretrainOptions.build(
        {**options, "general_text": str(tmp_path / name), "store": run, "out": tmp_path / "r"}
    )
    text = read_general_text(given, load_tokenizer(str(run)), None)
    assert text is not None and text.part.num_tokens > 100
    assert said in caplog.text
    assert "\ufffd" not in load_tokenizer(str(run)).decode(text.part.tokens(0, text.part.num_tokens))


def test_a_text_without_room_for_pairs_is_measured_by_masks_alone(
    store: Path, options: dict[str, Any], tmp_path: Path
) -> None:
    text = tmp_path / "text.txt"
    text.write_text(" ".join(f"The {' '.join(random.Random(number).choices(WORDS, k=80))}." for number in range(30)))
    result = pretrain(store, out=tmp_path / "run", **{**options, "general_text": text})
    assert result.general_evaluation is not None
    assert result.general_evaluation["num_pairs"] == 0 and result.general_evaluation["num_masked_tokens"] > 100
    assert result.evaluation["num_pairs"] > 0
    assert record(result.run)["general_text"]["objective"] == "mlm"


def test_a_model_without_a_head_is_told_apart(
    store: Path, run: Path, options: dict[str, Any], tmp_path: Path, bertsmith: Callable[..., Any]
) -> None:
    from transformers import AutoTokenizer, BertModel

    BertModel.from_pretrained(run).save_pretrained(tmp_path / "bare")
    AutoTokenizer.from_pretrained(run).save_pretrained(tmp_path / "bare")
    flags = ("--from", tmp_path / "bare", "--general-text", options["general_text"])
    shape = ("--steps", 2, "--sequence-length", 32, "--batch-size", 8)
    answer = bertsmith("pretrain", store, "--out", tmp_path / "run", *flags, *shape)
    assert answer.code == 0, answer.stderr
    assert "The MLM head was new" in answer.stderr
    assert "  general text      " in answer.stdout
    before = record(tmp_path / "run")["general_evaluation_before"]
    assert before["mlm_nats_per_masked_token"] == pytest.approx(before["unigram_nats_per_token"], abs=0.3)


def test_from_scratch_it_is_another_text(
    store: Path, tiny: dict[str, Any], general: Path, tmp_path: Path, bertsmith: Callable[..., Any]
) -> None:
    shape = [f"--{name.replace('_', '-')}={value}" for name, value in tiny.items()]
    flags = ("--out", tmp_path / "run", "--steps", 1, "--general-text", general, "--json", *shape)
    answer = bertsmith("pretrain", store, *flags)
    assert answer.json["general_evaluation"]["num_masked_tokens"] > 0
    assert "began from scratch, so there was nothing to forget" in answer.stderr
    assert bertsmith("pretrain", store, "--out", tmp_path / "run", "--resume", "--json").json == answer.json


@pytest.mark.slow
def test_two_processes_share_the_text(store: Path, options: dict[str, Any], tmp_path: Path) -> None:
    options["dropout"] = 0.0  # each process draws its own
    alone = pretrain(store, out=tmp_path / "alone", **options)
    words = [f"--{name.rstrip('_').replace('_', '-')}={value}" for name, value in options.items()]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = run_process(
        [*launcher, "-m", "bertsmith", "pretrain", str(store), "--out", str(tmp_path / "run"), "--json", *words],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=500,
    )
    for name in ("general_evaluation_before", "general_evaluation"):
        assert done.json[name] == pytest.approx(getattr(alone, name), rel=1e-4)
