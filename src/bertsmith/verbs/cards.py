"""README.md of what a verb made: its model card, with what the Hub knows of it by its own names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bertsmith.corpus.reading.data_set_names import PREFIX, DataSetName
from bertsmith.corpus.store import TokenStore
from bertsmith.models.run_record import run_record
from bertsmith.records.manifest import MANIFEST
from bertsmith.reporting.head_card import head_card
from bertsmith.reporting.model_card import HubNames
from bertsmith.reporting.pretraining_card import pretraining_card
from bertsmith.reporting.suite_card import suite_card
from bertsmith.runtime.files import exists, read_json, sha256_of, write_text
from bertsmith.runtime.hub import came_from_hub
from bertsmith.tasks.head import head_class

CARD = "README.md"
_SPLIT = re.compile(r"\w+")

Record = Mapping[str, Any]


def write_head_card(run: Path, record: Record) -> None:
    """The card of a finished RUN of `finetune`."""
    head, files = head_class(record["task"]), record["data"]["files"]
    reported = "dev" if record["selected_on_reported_data"] else "test"
    hub = HubNames(
        head.pipeline_tag,
        hub_ancestor(record["options"]["model"]),
        hub_data_sets([file["name"] for file in files if file["part"] in ("train", "unlabelled")]),
        next(_on_hub(file["name"]) for file in files if file["part"] == reported),
    )
    write_text(run / CARD, head_card(run.resolve().name, record, hub, output=head.without_labels))


def write_pretraining_card(run: Path, record: Record, store: TokenStore) -> None:
    """The card of a finished RUN of `pretrain`."""
    options, manifest = record["options"], store.manifest
    hub = HubNames(
        # Without an MLM head nothing is filled in: what is left are vectors.
        "feature-extraction" if options["objective"] == "nsp" else "fill-mask",
        hub_ancestor(options["from"]),
        hub_data_sets(manifest.options.sources),
    )
    checksum = sha256_of(store.folder / MANIFEST)
    write_text(run / CARD, pretraining_card(run.resolve().name, record, manifest, checksum, hub))


def write_suite_card(out: Path, record: Record) -> None:
    """The card of the results of a suite."""
    files = {task: _files(out, entry) for task, entry in record["tasks"].items()}
    hub = HubNames(base_model=hub_ancestor(record["options"]["model"]))
    write_text(out / CARD, suite_card(out.resolve().name, record, files, hub))


def _files(out: Path, entry: Record) -> list[Record]:
    """The files of a task: those of its RUN, or the one that models of another task were measured on."""
    if "file" in entry:
        measured = {"name": entry["file"], "examples": entry["num_examples"], "sha256": entry["sha256"]}
        return [{"part": "measured", **measured}]
    files: list[Record] = read_json(out / Path(entry["run"]).name / "run.json")["data"]["files"]
    return files


def hub_ancestor(model: str | None) -> str | None:
    """The hub name of a MODEL, or of the one that a RUN goes back to; None where there is none to be known."""
    seen: set[str] = set()
    while model is not None and exists(folder := Path(model)):
        if model in seen or not (folder / "run.json").is_file():
            return None
        seen.add(model)
        options = run_record(folder).get("options", {})
        model = options.get("model") or options.get("from")
    return model if model is not None and came_from_hub(model) else None


def hub_data_sets(names: Sequence[str]) -> list[str]:
    """The data sets of the hub among sources, each once."""
    found = [_on_hub(name) for name in names if name.startswith(PREFIX)]
    return list(dict.fromkeys(each[0] for each in found if each is not None))


def _on_hub(name: str) -> tuple[str, str | None, str] | None:
    """Name, configuration and split of a data set of the hub; None for a file, and where the text leaves it open."""
    if not name.startswith(PREFIX):
        return None
    named = DataSetName.of(name)
    if named.folder is not None or len(named.candidates) > 1 or not _SPLIT.fullmatch(named.split):
        return None
    return (*named.candidates[0], named.split)
