"""Everything that a verb leaves has the mode that the umask asks for: weights too, which safetensors writes as 0600."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bertsmith.verbs.finetune import finetune
from bertsmith.verbs.prepare import prepare
from bertsmith.verbs.pretrain import pretrain


@pytest.fixture(params=[0o022, 0o007], ids=["022", "007"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """The umask of the process during a test."""
    before = os.umask(request.param)
    yield int(request.param)
    os.umask(before)


def test_a_store_and_both_kinds_of_runs(umask: int, corpus_file: Path, tiny: dict[str, Any], tmp_path: Path) -> None:
    store, run, tuned = (tmp_path / name for name in ("store", "run", "tuned"))
    prepare(corpus_file, out=store, vocab_size=256, held_out=0.2, workers=1)
    pretrain(store, out=run, steps=1, **tiny)
    rows = tmp_path / "rows.csv"
    rows.write_text("text,label\n" + "".join(f"the bell {number},{'ab'[number % 2]}\n" for number in range(8)))
    length = {"max_length": 16, "epochs": 1, "precision": "fp32"}
    finetune("sequence-classification", model=run, train=rows, dev=rows, out=tuned, **length)
    for folder in (store, run, tuned):
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert len(files) > 8
        modes = {path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in files}
        assert {name: oct(mode) for name, mode in modes.items() if mode != 0o666 & ~umask} == {}
