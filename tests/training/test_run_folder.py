"""What is written never replaces what is read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bertsmith.errors import InputError, OptionError
from bertsmith.records.pretraining import PretrainingRecord
from bertsmith.training.recorded_run import RecordedRun
from bertsmith.training.run_folder import check_inputs_outside
from bertsmith.verbs.pretrain import pretrain
from bertsmith.verbs.report import report


@pytest.mark.parametrize("out", ["google", ".", ".."])
def test_a_name_that_is_no_folder_stands_nowhere(out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name in ("google/bert", "hf:google/text"):
        check_inputs_outside(Path(out), {"the MODEL": name, "the teacher": None})
    Path("google/bert").mkdir(parents=True)
    with pytest.raises(OptionError, match=r"the MODEL google/bert is inside this folder"):
        check_inputs_outside(Path(out), {"the MODEL": "google/bert"})


def test_pretrain_does_not_replace_what_it_reads(run: Path, store: Path, tiny: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(run, out)
    shutil.copytree(store, out / "store")
    (out / "general.txt").write_text("A text.\n")
    for given, said in (
        ({"store": out / "store"}, "the STORE"),
        ({"store": store, "general_text": str(out / "general.txt")}, "--general-text"),
    ):
        with pytest.raises(OptionError, match=f"{said} .* is inside this folder"):
            pretrain(**given, out=out, overwrite=True, steps=1, **tiny)
    assert (out / "store" / "manifest.json").is_file() and (out / "general.txt").is_file()


def test_a_name_that_is_too_long_for_a_folder_is_refused_in_words(
    store: Path, tmp_path: Path, bertsmith: Callable[..., Any]
) -> None:
    for option in ("--from", "--teacher"):
        answered = bertsmith("pretrain", store, "--out", tmp_path / "run", "--steps", 1, option, "a" * 300)
        assert answered.code == 2 and f"{'a' * 59}… (300 characters): no such folder" in answered.stderr


@pytest.mark.parametrize(("content", "found"), [('{"kind": "pre', "Unterminated string"), ("[]", "no JSON object")])
def test_a_damaged_record_is_said(run: Path, tmp_path: Path, content: str, found: str) -> None:
    out = tmp_path / "run"
    shutil.copytree(run, out)
    (out / "run.json").write_text(content)
    with pytest.raises(InputError, match=rf"run\.json: .*{found}.*expected the"):
        report(out)
    with pytest.raises(InputError, match=rf"run\.json: .*{found}.*expected the"):
        RecordedRun(out, PretrainingRecord).claim(overwrite=False, resume=True, verb="pretrain")
