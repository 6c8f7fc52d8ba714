"""README.md of what a verb made: its model card, with what the Hub knows of it by its own names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from bertsmith.corpus.reading.data_set_names import PREFIX, DataSetName
from bertsmith.corpus.store import TokenStore
from bertsmith.records.any_run import run_of_model
from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.records.labelled_files import DataFile
from bertsmith.records.manifest import MANIFEST
from bertsmith.records.pretraining import PretrainingRecord
from bertsmith.records.run import FILE
from bertsmith.records.suite import SuiteRecord, SuiteTask
from bertsmith.reporting.head_card import head_card
from bertsmith.reporting.model_card import HubNames
from bertsmith.reporting.pretraining_card import pretraining_card
from bertsmith.reporting.suite_card import suite_card
from bertsmith.runtime.files import exists, sha256_of, write_text
from bertsmith.runtime.hub import is_from_hub
from bertsmith.tasks.base import task_class
from bertsmith.tasks.registry import TASKS
from bertsmith.tasks.texts import texts_of

CARD = "README.md"
_SPLIT = re.compile(r"\w+")


def write_head_card(run: Path, record: FinetuningRecord) -> None:
    """The card of a finished RUN of `finetune`."""
    head, files = task_class(record.task), record.data.files
    reported = "dev" if record.selected_on_reported_data else "test"
    hub = HubNames(
        head.pipeline_tag,
        hub_ancestor(record.options["model"]),
        hub_data_sets([file.name for file in files if file.part in ("train", "unlabelled")]),
        next(_on_hub(file.name) for file in files if file.part == reported),
    )
    verb = TASKS[record.task].verb
    write_text(run / CARD, head_card(run.resolve().name, record, hub, texts=texts_of(record), verb=verb))


def write_pretraining_card(run: Path, record: PretrainingRecord, store: TokenStore) -> None:
    """The card of a finished RUN of `pretrain`."""
    options, manifest = record.options, store.manifest
    hub = HubNames(
        # Without an MLM head nothing is filled in: vectors remain.
        "feature-extraction" if options["objective"] == "nsp" else "fill-mask",
        hub_ancestor(options["from"]),
        hub_data_sets(manifest.options.sources),
    )
    checksum = sha256_of(store.folder / MANIFEST)
    card = pretraining_card(run.resolve().name, record, manifest, manifest_sha256=checksum, hub=hub)
    write_text(run / CARD, card)


def write_suite_card(out: Path, record: SuiteRecord) -> None:
    """The card of the results of a suite."""
    files = {name: _files(out, task) for name, task in record.tasks.items()}
    hub = HubNames(base_model=hub_ancestor(record.model))
    write_text(out / CARD, suite_card(out.resolve().name, record, files, hub=hub))


def _files(out: Path, task: SuiteTask) -> list[DataFile]:
    """The files of a task: those of its RUN, or the one that models of another task were measured on."""
    if task.file is not None:
        return [DataFile(name=task.file, part="measured", examples=task.num_examples, sha256=task.sha256)]
    return FinetuningRecord.read(out / Path(task.run).name / FILE).data.files


def hub_ancestor(model: str | None) -> str | None:
    """The hub name of a MODEL, or of the one that a RUN goes back to; None if it is unknown."""
    seen: set[str] = set()
    while model is not None and exists(folder := Path(model)):
        if model in seen or not (folder / "run.json").is_file():
            return None
        seen.add(model)
        record = run_of_model(folder)
        options = record.options if record is not None else {}
        model = options.get("model") or options.get("from")
    return model if model is not None and is_from_hub(model) else None


def hub_data_sets(names: Sequence[str]) -> list[str]:
    """The data sets of the hub among sources, each once."""
    found = [_on_hub(name) for name in names if name.startswith(PREFIX)]
    return list(dict.fromkeys(each[0] for each in found if each is not None))


def _on_hub(name: str) -> tuple[str, str | None, str] | None:
    """Name, configuration and split of a data set of the hub; None for a file, and if the text leaves it open."""
    if not name.startswith(PREFIX):
        return None
    named = DataSetName.of(name)
    if named.folder is not None or len(named.candidates) > 1 or not _SPLIT.fullmatch(named.split):
        return None
    return (*named.candidates[0], named.split)
