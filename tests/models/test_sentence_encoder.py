"""A sentence encoder that is trained further stays one, and `embed` pools as its folder says."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import bertsmith
from bertsmith.errors import ModelError
from bertsmith.models.sentence_encoder import sentence_encoder
from bertsmith.verbs.finetune import finetune
from bertsmith.verbs.pretrain import pretrain

TEXT = "The queen sold a strange map."
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
    {"idx": 3, "name": "3", "path": "3_Normalize", "type": "sentence_transformers.models.Normalize"},
]
FACTS = {"__version__": {"sentence_transformers": "2.0.0"}, "prompts": {}}


def write(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def encoder(run: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes a sentence encoder of the RUN: `encoder({"pooling_mode_cls_token": True}, max_seq_length=24)`."""

    def make(pooling: dict[str, Any], **length: Any) -> Path:
        folder = tmp_path / "encoder"
        shutil.copytree(run, folder, ignore=shutil.ignore_patterns("checkpoints", "run.json"))
        write(folder / "modules.json", MODULES)
        write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 32, **pooling})
        write(folder / "2_Dense" / "config.json", {"in_features": 32, "out_features": 8})
        (folder / "2_Dense" / "model.safetensors").write_bytes(b"dense")
        write(folder / "config_sentence_transformers.json", FACTS)
        if length:
            write(folder / "sentence_bert_config.json", {"do_lower_case": False, **length})
        return folder

    return make


@pytest.mark.parametrize(
    ("length", "expected"), [({"max_seq_length": 24}, 24), ({"max_seq_length": 512}, 64), ({}, 64)]
)
def test_a_run_that_continues_one_keeps_its_files(
    encoder: Callable[..., Path],
    store: Path,
    tiny: dict[str, Any],
    tmp_path: Path,
    length: dict[str, int],
    expected: int,
) -> None:
    """The model has 64 positions."""
    model, out = (
        encoder({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, **length),
        tmp_path / "run",
    )
    shape = {name: tiny[name] for name in ("sequence_length", "batch_size", "precision")}
    pretrain(store, out=out, from_=str(model), steps=1, **shape)
    for file in (
        "modules.json",
        "1_Pooling/config.json",
        "2_Dense/model.safetensors",
        "config_sentence_transformers.json",
    ):
        assert (out / file).read_bytes() == (model / file).read_bytes()
    assert json.loads((out / "sentence_bert_config.json").read_text())["max_seq_length"] == expected
    again = pretrain(store, out=out, resume=True, steps=2)
    assert again.resumed_from_step == 1 and (out / "1_Pooling" / "config.json").is_file()
    ours = bertsmith.load(out)
    assert ours.embed(TEXT) == ours.embed(TEXT, pooling="cls") != ours.embed(TEXT, pooling="mean")


def test_a_classifier_made_of_one_is_none(encoder: Callable[..., Path], tmp_path: Path) -> None:
    model, rows = encoder({"pooling_mode_mean_tokens": True}), tmp_path / "rows.csv"
    rows.write_text("text,label\n" + "".join(f"the bell {number},{'ab'[number % 2]}\n" for number in range(8)))
    options = {"max_length": 16, "epochs": 1, "precision": "fp32"}
    out = finetune("sequence-classification", model=str(model), train=rows, dev=rows, out=tmp_path / "t", **options).run
    names = {path.name for path in out.rglob("*")}
    assert not names & {"modules.json", "1_Pooling", "sentence_bert_config.json", "config_sentence_transformers.json"}


@pytest.mark.parametrize(
    ("pooling", "expected", "said"),
    [
        (
            {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
            "cls",
            "pooling: cls (from the 1_Pooling",
        ),
        (
            {"pooling_mode_cls_token": False, "pooling_mode_max_tokens": True},
            "max",
            "pooling: max (from the 1_Pooling",
        ),
        ({"pooling_mode": "cls"}, "cls", "pooling: cls"),
        ({"pooling_mode_mean_tokens": True}, "mean", None),
        ({}, "mean", None),
        ({"pooling_mode_lasttoken": True}, "mean", "its pooling is lasttoken, which embed does not support"),
        (
            {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
            "mean",
            "its pooling is cls+mean, which embed does not support",
        ),
    ],
)
def test_embed_pools_as_the_folder_says(
    encoder: Callable[..., Path],
    caplog: pytest.LogCaptureFixture,
    pooling: dict[str, Any],
    expected: str,
    said: str | None,
) -> None:
    with caplog.at_level(logging.INFO, "bertsmith"):
        model = bertsmith.load(encoder(pooling))
        found = model.embed(TEXT)
    assert found == model.embed(TEXT, pooling=expected)
    assert torch.tensor(found.embedding).shape == (32,)
    assert (said in caplog.text) if said is not None else "pooling" not in caplog.text


def test_what_is_broken_is_named(encoder: Callable[..., Path], run: Path) -> None:
    assert sentence_encoder(str(run)) is None
    folder = encoder({})
    assert sentence_encoder(str(folder)).parts == ("1_Pooling", "2_Dense")  # type: ignore[union-attr]
    shutil.rmtree(folder / "2_Dense")
    with pytest.raises(ModelError, match=r"2_Dense: not found, but modules.json names this folder"):
        sentence_encoder(str(folder))
    (folder / "1_Pooling" / "config.json").write_text("[]")
    with pytest.raises(ModelError, match=r"1_Pooling/config.json: found list, expected an object"):
        sentence_encoder(str(folder))
    write(folder / "modules.json", [{"path": "../../etc", "type": "Pooling"}])
    with pytest.raises(ModelError, match=r"found the path '../../etc', expected a folder in"):
        sentence_encoder(str(folder))
    (folder / "modules.json").write_text("{")
    with pytest.raises(ModelError, match=r"modules.json: cannot be read"):
        sentence_encoder(str(folder))
