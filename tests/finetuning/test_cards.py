"""Model cards say what was measured and seen, hold the files' own checksums, and are what the Hub takes."""

from __future__ import annotations

import hashlib
import json
import logging
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.records.search import Trial
from bertsmith.reporting.head_card import _training, head_card
from bertsmith.reporting.model_card import HubNames
from bertsmith.tasks.card_texts import card_texts
from bertsmith.verbs.cards import hub_ancestor, hub_data_sets
from bertsmith.verbs.finetune import FinetuneResult, finetune
from bertsmith.verbs.pretrain import pretrain

Labelled = Callable[..., Path]
QUICK: dict[str, Any] = {"precision": "fp32", "max_length": 8, "learning_rate": 3e-3, "batch_size": 16, "epochs": 1}
ODD = "odd|name `x` <b> *y*.jsonl"
"""A file name of what Markdown and HTML take for theirs."""


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rendered(card: ModelCard) -> str:
    """The HTML of a card, raw HTML left in as the Hub's own would be."""
    return MarkdownIt("commonmark").enable("table").render(card.text)


def sections(card: ModelCard) -> dict[str, str]:
    """The bodies of a card by their titles."""
    parts = card.text.split("\n## ")[1:]
    return {title: body for title, _, body in (part.partition("\n") for part in parts)}


def typed(record: dict[str, Any]) -> FinetuningRecord:
    return FinetuningRecord.model_validate(record)


def of(run: Path) -> ModelCard:
    return ModelCard.load(run / "README.md")


@pytest.fixture(scope="module")
def tuned(run: Path, labelled: Labelled, tmp_path_factory: pytest.TempPathFactory) -> FinetuneResult:
    """Two seeds, whose texts are cut, from files of odd names."""
    place = tmp_path_factory.mktemp("cards")
    for part, rows in (("train", 64), ("dev", 30), ("test", 40)):
        shutil.copy(labelled(part, rows), place / f"{part} {ODD}")
    files = {part: place / f"{part} {ODD}" for part in ("train", "dev", "test")}
    return finetune("sequence-classification", model=run, out=place / "head", seeds=2, **files, **QUICK)


def test_the_card_of_a_head(tuned: FinetuneResult) -> None:
    card, record = of(tuned.run), json.loads((tuned.run / "run.json").read_text())
    assert card.data.to_dict() == {
        "library_name": "transformers",
        "tags": ["bert", "sequence-classification", "bertsmith"],
        "pipeline_tag": "text-classification",
    }, "no licence, no language, no base model: nobody said one"
    body = sections(card)
    assert list(body) == [
        "Intended use", "Results on the test file", "Data", "Training", "Limits", "Repeat this run",
    ]  # fmt: skip
    figure = record["metrics"]["accuracy"]
    row = next(line for line in body["Results on the test file"].splitlines() if line.startswith("| accuracy"))
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "accuracy",
        f"{figure['mean']:.1%}",
        f"{figure['low']:.1%} to {figure['high']:.1%}",
        f"{figure['seeds'][tuned.best_seed]:.1%}",
        f"{record['baseline']['accuracy']:.1%}",
    ]
    assert "Means over 2 seeds (0, 1)" in body["Results on the test file"]
    assert "The test file was not used for selection" in body["Results on the test file"]
    assert record["command"] in body["Repeat this run"] and "bertsmith 0" in body["Repeat this run"]
    assert "`food`" in body["Intended use"] and "`thing`" in body["Intended use"]
    assert "train file: 100.0% of the texts are longer than 8 tokens" in body["Limits"]
    ece = record["errors"]["calibration"]["ece"]
    assert f"by {ece:.1%} on average" in body["Limits"]


def test_checksums_are_those_of_the_files_whatever_their_names(tuned: FinetuneResult) -> None:
    html = rendered(of(tuned.run))
    for part in ("train", "dev", "test"):
        file = tuned.run.parent / f"{part} {ODD}"
        escaped = str(file).replace("<", "&lt;").replace(">", "&gt;")
        rows = len(file.read_text().splitlines())
        (row,) = (line for line in html.split("<tr>")[1:] if f"<code>{escaped}</code></td>" in line)
        assert f"<code>{sha256(file)}</code>" in row and f">{rows}</td>" in row
    assert "<b>" not in html and "<em>" not in html
    command = next(part for part in html.split("<code") if "finetune sequence-classification" in part)
    assert shlex.quote(str(tuned.run.parent / f"train {ODD}")).split("<")[0] in command.replace("&quot;", '"')


def test_a_name_of_several_lines_stays_in_its_place(run: Path, labelled: Labelled, tmp_path: Path) -> None:
    file = tmp_path / "a\n\n```\n# b\n---\n.jsonl"
    shutil.copy(labelled("train", 40), file)
    result = finetune("sequence-classification", model=run, train=file, dev=file, out=tmp_path / "o\n# p", **QUICK)
    card = of(result.run)
    titles = [part.split("</h")[0] for part in rendered(card).split("<h")[1:]]
    assert titles[0] == "1>o # p"
    assert [title.removeprefix("2>") for title in titles[1:]] == [
        "Intended use", "Results on the dev file", "Data", "Training", "Limits", "Repeat this run",
    ]  # fmt: skip


def test_one_seed_chosen_on_its_own_figures(run: Path, labelled: Labelled, tmp_path: Path) -> None:
    """What makes a figure less than it seems is said; what was not done is not."""
    result = finetune(
        "sequence-classification",
        model=run,
        train=labelled("train", 64),
        dev=labelled("dev", 30),
        out=tmp_path / "run",
        layers=1,
        lora=2,
        teacher=None,
        max_train_examples=48,
        **QUICK | {"epochs": 8},
    )
    body = sections(of(result.run))
    assert "One seed, with 95% intervals over the examples" in body["Results on the dev file"]
    assert "the results are slightly too good" in body["Results on the dev file"]
    assert "LoRA) of rank 2, alpha 4, at the query and value projections" in body["Training"]
    assert "Keeps 1 layer" in body["Training"] and "Trained parameters: " in body["Training"]
    assert "Distilled" not in body["Training"] and "temperature" not in "".join(body.values())
    assert "on a random sample of the file: 48 of 64 rows" in body["Limits"]
    assert "One seed only" in body["Limits"] and "Means over" not in body["Results on the dev file"]


def test_a_teacher_and_a_temperature_are_named(
    tuned: FinetuneResult, run: Path, labelled: Labelled, tmp_path: Path
) -> None:
    result = finetune(
        "sequence-classification",
        model=run,
        train=labelled("train", 64),
        dev=labelled("dev", 30),
        out=tmp_path / "run",
        teacher=tuned.run,
        calibrate=True,
        class_weights="balanced",
        **QUICK | {"epochs": 6, "max_length": 32},
    )
    body, record = sections(of(result.run)), json.loads((tmp_path / "run" / "run.json").read_text())
    assert "on the predictions of the teacher" in body["Training"]
    assert "0.5 of the loss, at temperature 2." in body["Training"]
    assert "Class weights: food " in body["Training"]
    temperature = record["errors"]["calibration"]["temperature"]
    assert f"with the temperature {temperature:.3f}, fitted on the dev file" in body["Training"]
    assert "which also fitted the temperature" in body["Limits"]


def test_a_head_that_does_not_beat_the_baseline_says_so_first(
    run: Path, labelled: Labelled, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = QUICK | {"learning_rate": 1e-9, "calibrate": True, "max_train_examples": 41}
    files = {"train": labelled("train", 40), "dev": labelled("dev", 30)}
    with caplog.at_level(logging.INFO, logger="bertsmith"):
        result = finetune("sequence-classification", model=run, out=tmp_path / "run", **files, **options)
    assert "--calibrate: seed 0 does not beat the baseline" in caplog.text
    assert "--max-train-examples 41: the file has 40 examples, all are used" in caplog.text
    page = (result.run / "report.html").read_text()
    assert page.index("Do not use this model: accuracy") < page.index("macro f1")
    opening = of(result.run).text.split("## ")[0]
    assert opening.index("This model does not beat the baseline: accuracy") < opening.index("fine-tuned from")
    assert json.loads((result.run / "run.json").read_text())["learnt_nothing"] is not None


def test_seldom_seen_and_seldom_right_labels(tuned: FinetuneResult) -> None:
    record = json.loads((tuned.run / "run.json").read_text())
    record["data"]["labels"] = {"food": 19, "thing": 20}
    label = {"precision": 1.0, "recall": 1.0}
    record["errors"]["labels"] = [
        {"label": "food", "f1": 0.49, "support": 7, **label},
        {"label": "thing", "f1": None, "support": 0, **label},
    ]
    record["baseline"]["accuracy"] = record["metrics"]["accuracy"]["low"]
    record["learnt_nothing"] = None
    limits = sections(
        ModelCard(head_card("n", typed(record), HubNames(), texts=card_texts(typed(record)), verb="classify"))
    )["Limits"]
    assert "fewer than 20 training examples: `food` 19." in limits
    assert "F1 below 50.0% on the test file (number of examples): `food` 49.0% (7)." in limits
    assert "so not measured: `thing`." in limits
    assert "The baseline of `accuracy`, " in limits


def test_searched_settings_are_those_that_were_trained_with(tuned: FinetuneResult) -> None:
    record = json.loads((tuned.run / "run.json").read_text())
    settings = {"batch_size": 8, "learning_rate": 7e-4, "freeze_layers": None}
    trials = [Trial.new(0, {}), Trial.new(1, settings)]
    search = {"metric": "accuracy", "lower_is_better": False, "trials_wanted": 2, "seed": 0, "space": "", "gain": None}
    record["search"] = search | {"trials": [trial.to_dict() for trial in trials], "best_trial": 1}
    training = "\n".join(_training(typed(record)))
    assert "learning rate 0.0007, 1 epoch, 8 rows per update" in training and "were frozen" not in training


def test_figures_for_the_hub_are_those_of_these_weights(tuned: FinetuneResult) -> None:
    record = json.loads((tuned.run / "run.json").read_text())
    hub = HubNames(
        "text-classification", "google-bert/bert-base-uncased", ["nyu-mll/glue"], ("nyu-mll/glue", "mrpc", "test")
    )
    data = ModelCard(head_card("head", typed(record), hub, texts=card_texts(typed(record)), verb="classify")).data
    assert (data.base_model, data.datasets) == ("google-bert/bert-base-uncased", ["nyu-mll/glue"])
    assert data.to_dict()["base_model_relation"] == "finetune"
    results = {result.metric_name: result for result in data.eval_results}
    assert {result.unique_identifier for result in data.eval_results} == {
        ("text-classification", "nyu-mll/glue", "mrpc", "test", None)
    }
    for metric, kind in (("accuracy", "accuracy"), ("macro_f1", "f1"), ("matthews", "matthews_correlation")):
        found = results[f"{metric} (test)"]
        assert found.metric_value == record["metrics"][metric]["seeds"][tuned.best_seed]
        assert found.metric_type == kind
    assert results["macro_f1 (test)"].metric_args == {"average": "macro"}


def test_what_the_hub_knows_is_named_and_nothing_else(run: Path, tuned: FinetuneResult, tmp_path: Path) -> None:
    assert hub_ancestor(str(run)) is None, "from scratch, on this machine"
    assert hub_ancestor(str(tuned.run)) is None
    assert hub_ancestor("google-bert/bert-base-uncased") == "google-bert/bert-base-uncased"
    for name, options in (("one", {"from": "org/bert"}), ("two", {"model": str(tmp_path / "one")})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps({"options": options, "data": {}}))
    assert hub_ancestor(str(tmp_path / "two")) == "org/bert", "the RUN goes back to it"
    (tmp_path / "two" / "run.json").write_text(json.dumps({"options": {"model": str(tmp_path / "two")}, "data": {}}))
    assert hub_ancestor(str(tmp_path / "two")) is None
    names = ["hf:imdb", "hf:imdb:test", "hf:org/name/config", f"hf:{tmp_path}", "file.csv", "hf:glue/mrpc"]
    assert hub_data_sets(names) == ["imdb", "org/name"], "glue/mrpc may be a data set of an owner called glue"


def test_the_card_of_a_pre_trained_run(run: Path, store: Path, tiny: dict[str, Any], tmp_path: Path) -> None:
    card, record = of(run), json.loads((run / "run.json").read_text())
    manifest = json.loads((store / "manifest.json").read_text())
    assert card.data.to_dict()["pipeline_tag"] == "fill-mask"
    body = sections(card)
    assert list(body) == [
        "Intended use", "Results on the held-out part", "Data", "Training", "Limits", "Repeat this run",
    ]  # fmt: skip
    for file in (store / "manifest.json", store / "tokenizer" / "tokenizer.json"):
        assert f"`{sha256(file)}`" in body["Data"]
    assert record["data"]["checksum"] in body["Data"]
    for part in ("train", "held_out"):
        counts = [f"{manifest['parts'][part][name]:,}" for name in ("documents", "sentences", "tokens")]
        assert f"| {part.replace('_', ' ')} | {' | '.join(counts)} |" in body["Data"]
    assert f"`{manifest['options']['sources'][0]}`" in body["Data"]
    assert record["command"] in body["Repeat this run"]
    assert "from the same sources" in body["Limits"]
    loss = record["evaluation"]["mlm_nats_per_masked_token"]
    assert f"| {loss:.4g} |" in body["Results on the held-out part"]

    shape = {name: tiny[name] for name in ("sequence_length", "batch_size", "precision")}
    result = pretrain(store, out=tmp_path / "run", steps=2, objective="nsp", from_=run, **shape)
    card, body = of(result.run), sections(of(result.run))
    assert card.data.to_dict()["pipeline_tag"] == "feature-extraction", "its MLM head says nothing"
    assert f"continued from `{run}`" in card.text and f"Continued from `{run}`" in body["Training"]
    taught = pretrain(store, out=tmp_path / "taught", steps=2, teacher=run, from_=run, layers=1, **shape)
    training = sections(of(taught.run))["Training"]
    assert f"Teacher: {run} (" in training and "Layers: 0 (--layers 1 of 1" in training
    assert "fill-mask" not in card.text and "Masked language modelling was not trained" in body["Limits"]
