"""A head that no run trained is not asked, one that was left as it is speaks with a warning."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bertsmith as api
from bertsmith.errors import ModelError
from bertsmith.evaluation.dataset_roles import dataset_role
from bertsmith.models.loading import load_bert
from bertsmith.verbs.cards import hub_ancestor
from bertsmith.verbs.pretrain import pretrain

TEXT = "The [MASK] found a wooden boat."
PAIR = ("The baker found a wooden boat.", "It was near the river.")


@pytest.fixture(scope="module")
def made(store: Path, tiny: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A RUN of one update with an objective, from scratch or from a MODEL; the same one when asked again."""
    folder, runs = tmp_path_factory.mktemp("runs"), dict[str, Path]()

    def make(objective: str, origin: Path | None = None) -> Path:
        name = f"{objective}{'-from-' + origin.name if origin is not None else ''}"
        if name not in runs:
            shape = {key: tiny[key] for key in ("sequence_length", "batch_size", "precision")} if origin else tiny
            pretrain(store, out=folder / name, steps=1, objective=objective, from_=origin and str(origin), **shape)
            runs[name] = folder / name
        return runs[name]

    return make


def answers(model: Path, head: str) -> Any:
    predictor = api.load(model)
    return predictor.fill_mask(TEXT) if head == "mlm" else predictor.next_sentence(*PAIR)


@pytest.mark.parametrize(("objective", "head"), [("mlm", "nsp"), ("nsp", "mlm")])
def test_a_head_that_no_run_trained_counts_as_missing(
    made: Callable[..., Path], bertsmith: Callable[..., Any], objective: str, head: str
) -> None:
    run = made(objective)
    for model in (run, run / "checkpoints" / "step-1", made(objective, run)):
        loaded = load_bert(str(model))
        assert {"mlm": loaded.has_mlm_head, "nsp": loaded.has_nsp_head} == {objective: True, head: False}
        with pytest.raises(
            ModelError, match=f"has no trained {head.upper()} head. Try: bertsmith pretrain STORE --from"
        ):
            answers(model, head)
        assert answers(model, objective).warnings is None
    command = ("fill-mask", run, TEXT) if head == "mlm" else ("next-sentence", run, *PAIR)
    answered = bertsmith(*command, "--json")
    assert (answered.code, answered.stdout) == (2, "")
    assert f"no trained {head.upper()} head" in answered.stderr


@pytest.mark.parametrize(("objective", "head"), [("mlm", "nsp"), ("nsp", "mlm")])
def test_a_head_of_the_model_before_answers_with_a_warning(
    run: Path,
    made: Callable[..., Path],
    bertsmith: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    objective: str,
    head: str,
) -> None:
    model = made(objective, run)
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="bertsmith"):
        predictor = api.load(model)
        for _ in range(2):
            found = predictor.fill_mask([TEXT])[0] if head == "mlm" else predictor.next_sentence(*PAIR)
            assert found.warnings is not None and len(found.warnings) == 1
    assert [record.getMessage() for record in caplog.records] == [f"warning: {found.warnings[0]}"]
    assert answers(run, head).warnings is None
    command = ("fill-mask", model, TEXT) if head == "mlm" else ("next-sentence", model, *PAIR)
    answered = bertsmith(*command, "--json")
    assert answered.json["warnings"] == found.warnings
    assert f"its {head.upper()} head was not trained in this RUN (--objective {objective})" in answered.stderr


def test_a_head_of_sentence_order_says_what_it_was_trained_for(made: Callable[..., Path]) -> None:
    assert "mlm+sop" in answers(made("mlm+sop"), "nsp").warnings[0]
    assert answers(made("mlm+sop"), "mlm").warnings is None


def test_a_run_that_trains_the_missing_head_has_it(run: Path, made: Callable[..., Path]) -> None:
    record = json.loads((made("mlm") / "run.json").read_text())
    assert record["untrained_heads"] == ["nsp"]
    whole = made("mlm+nsp", made("mlm"))
    assert json.loads((whole / "run.json").read_text())["untrained_heads"] == []
    assert answers(whole, "nsp").warnings is None


def of_an_earlier_version(run: Path, folder: Path) -> Path:
    """A copy of a RUN whose run.json does not say which heads no one has trained."""
    shutil.copytree(run, folder)
    record = json.loads((folder / "run.json").read_text())
    del record["untrained_heads"]
    (folder / "run.json").write_text(json.dumps(record))
    return folder


@pytest.mark.parametrize(("objective", "head"), [("mlm", "nsp"), ("nsp", "mlm")])
def test_nobody_trained_the_other_head_of_an_earlier_version_from_scratch(
    made: Callable[..., Path], tmp_path: Path, objective: str, head: str
) -> None:
    old = of_an_earlier_version(made(objective), tmp_path / "old")
    with pytest.raises(ModelError, match=f"has no trained {head.upper()} head"):
        answers(old, head)
    assert answers(old, objective).warnings is None


def test_the_other_head_of_an_earlier_version_from_a_model_is_asked_with_a_warning(
    run: Path, made: Callable[..., Path], tmp_path: Path
) -> None:
    """Whether the MODEL had it is not known."""
    old = of_an_earlier_version(made("mlm", run), tmp_path / "old")
    assert "not trained in this RUN" in answers(old, "nsp").warnings[0]


FOREIGN = [
    "[]", "no JSON", '"text"', '{"kind": "pretraining"}', '{"kind": "pretraining", "options": [], "data": {}}',
    '{"kind": "pretraining", "options": {"objective": "clm"}, "data": {}}', '{"kind": "finetuning"}',
    '{"kind": "finetuning", "options": {}, "data": {}}',
]  # fmt: skip


@pytest.mark.parametrize("content", FOREIGN)
def test_a_run_json_of_somebody_else_says_nothing(run: Path, tmp_path: Path, content: str) -> None:
    model = tmp_path / "model"
    shutil.copytree(run, model, ignore=shutil.ignore_patterns("checkpoints"))
    (model / "run.json").write_text(content)
    loaded = load_bert(str(model))
    assert loaded.has_mlm_head and loaded.has_nsp_head and not loaded.doubts
    assert dataset_role(str(model), "file.csv", None) == "unknown"
    assert hub_ancestor(str(model)) is None
