"""The tokenizer of a MODEL fits the model, and a RUN's says how many tokens its model takes."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from bertsmith.errors import ModelError
from bertsmith.models.loading import quiet_transformers
from bertsmith.models.model_tokenizer import UNLIMITED, load_model_tokenizer, with_known_length
from bertsmith.tokenization.folder import load_tokenizer, make_tokenizer
from bertsmith.tokenization.wordpiece_entries import SPECIAL_TOKENS
from bertsmith.training.run_folder import save_model
from bertsmith.verbs.extend_tokenizer import extend_tokenizer
from bertsmith.verbs.pretrain import pretrain

LONG = "the queen sold a strange map " * 60


def limit(folder: Path) -> float:
    """The length in a tokenizer folder, as stock reads it."""
    found: float = transformers.AutoTokenizer.from_pretrained(folder).model_max_length
    return found


@pytest.fixture
def model(run: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes a copy of the RUN with other values in its config.json."""

    def make(**values: Any) -> Path:
        folder = tmp_path / "model"
        shutil.copytree(run, folder, ignore=shutil.ignore_patterns("checkpoints", "run.json"))
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | values))
        return folder

    return make


def test_fewer_entries_than_rows_are_usual(model: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "bertsmith"):
        tokenizer = load_model_tokenizer(str(model(vocab_size=300)))
    assert len(tokenizer) == 256 and not caplog.records


@pytest.mark.parametrize("more", [["newword"], ["newword", "[E1]", "another"]])
def test_more_entries_than_rows(model: Callable[..., Path], more: list[str]) -> None:
    folder = model()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(more)
    tokenizer.save_pretrained(folder)
    message = f"found {256 + len(more)} entries in the tokenizer, expected at most 256"
    with pytest.raises(ModelError, match=message):
        load_model_tokenizer(str(folder))


def test_an_id_beyond_the_rows(model: Callable[..., Path]) -> None:
    """Few entries, but one of them has a high id."""
    folder = model()
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text())
    vocabulary = content["model"]["vocab"]
    last = max(vocabulary, key=vocabulary.__getitem__)
    vocabulary[last] = 700
    file.write_text(json.dumps(content))
    with pytest.raises(
        ModelError, match=r"found 256 entries in the tokenizer, with ids up to 700, expected at most 256"
    ):
        load_model_tokenizer(str(folder))


def test_another_padding_token_is_announced(model: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "bertsmith"):
        load_model_tokenizer(str(model(pad_token_id=7)))
    assert "pad_token_id is 7 in config.json but 0 in the tokenizer" in caplog.text


def test_a_padding_token_beyond_the_rows_is_refused(model: Callable[..., Path]) -> None:
    with pytest.raises(ModelError, match=r"found pad_token_id 400 in config.json but only 256 rows"):
        load_model_tokenizer(str(model(pad_token_id=400)))


@pytest.mark.parametrize("verb", [("prepare", "--tokenizer"), ("extend-tokenizer",), ("pretrain", "--from")])
def test_the_verbs_that_take_a_tokenizer_say_so(
    bertsmith: Callable[..., Any],
    model: Callable[..., Path],
    store: Path,
    corpus_file: Path,
    tmp_path: Path,
    verb: tuple[str, ...],
) -> None:
    folder, out = model(vocab_size=200), tmp_path / "out"
    words: tuple[Any, ...] = {
        "prepare": ("prepare", corpus_file, "--out", out, "--tokenizer", folder),
        "extend-tokenizer": ("extend-tokenizer", folder, corpus_file, "--add", 5, "--out", out),
        "pretrain": ("pretrain", store, "--out", out, "--from", folder, "--steps", 1),
    }[verb[0]]
    answer = bertsmith(*words)
    assert answer.code == 2, answer.stderr
    assert f"{folder}: found 256 entries in the tokenizer, expected at most 200" in answer.stderr
    assert not out.exists()


def test_a_run_knows_its_length_and_so_does_stock(run: Path) -> None:
    """64 positions: stock's pipeline cuts there, where it crashed before."""
    assert limit(run) == limit(run / "checkpoints" / "step-10") == 64
    with quiet_transformers():
        extract = transformers.pipeline("feature-extraction", model=str(run), tokenizer=str(run), device="cpu")
        (vectors,) = extract(LONG, tokenize_kwargs={"truncation": True})
    assert len(vectors) == 64


def test_a_run_that_continues_has_the_length_of_its_model(
    run: Path, store: Path, tiny: dict[str, Any], tmp_path: Path
) -> None:
    """Not that of the examples, nor what the tokenizer of the MODEL said."""
    folder = tmp_path / "model"
    shutil.copytree(run, folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.model_max_length = 1_000
    tokenizer.save_pretrained(folder)
    shape = {name: tiny[name] for name in ("sequence_length", "batch_size", "precision")}
    assert limit(pretrain(store, out=tmp_path / "run", from_=str(folder), steps=1, **shape).run) == 64


def test_a_model_that_counts_positions_from_its_padding_token(tmp_path: Path) -> None:
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.RobertaConfig(vocab_size=10, max_position_embeddings=20, pad_token_id=1, **shape)
    torch.manual_seed(0)
    save_model(transformers.RobertaModel(config), make_tokenizer([*SPECIAL_TOKENS], cased=False), tmp_path)
    assert limit(tmp_path) == 18


def test_a_tokenizer_without_a_model_has_no_length(store: Path, tmp_path: Path) -> None:
    assert limit(store / "tokenizer") > UNLIMITED
    name = str(store / "tokenizer")
    assert with_known_length(load_tokenizer(name), name).model_max_length > UNLIMITED


def test_the_tokenizer_of_a_model_takes_its_length_along(
    model: Callable[..., Path], corpus_file: Path, tmp_path: Path
) -> None:
    folder = model()
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text())
    del config["model_max_length"]
    file.write_text(json.dumps(config))
    extend_tokenizer(str(folder), str(corpus_file), add=3, out=tmp_path / "extended", workers=1, min_count=2)
    assert limit(tmp_path / "extended") == 64
