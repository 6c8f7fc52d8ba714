"""The inputs of `prepare`: the source files, the plan, and the options that determine the STORE."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bertsmith.config.cleaning import choose_steps
from bertsmith.config.prepare import PrepareOptions
from bertsmith.corpus.cleaning import CleaningOptions
from bertsmith.corpus.engine import Engine
from bertsmith.corpus.plan import CorpusPlan
from bertsmith.corpus.reading import SourceFile, find_files
from bertsmith.corpus.text_source import reading_of
from bertsmith.records.manifest import StoreOptions
from bertsmith.runtime.files import sha256_of

_WITHOUT_EFFECT = ("overwrite", "resume", "dry_run", "workers", "out", "engine", "engine_address")
"""Options that change nothing in the STORE."""


def source_files(options: PrepareOptions, engine: Engine) -> list[SourceFile]:
    """Find the source files. For a cluster their paths are absolute, because its tasks run in other folders."""
    files = find_files(options.sources)
    if engine.name == "local":
        return files
    on_disk = {file for file in files if file.form != "hf" and not file.is_address}
    return [replace(file, location=str(file.path.absolute())) if file in on_disk else file for file in files]


def plan_of(options: PrepareOptions, files: list[SourceFile]) -> CorpusPlan:
    """Return the plan for these options; its files are not grouped yet."""
    steps = choose_steps(options.clean)
    share = options.held_out_share()
    return CorpusPlan(
        files=files,
        reading=reading_of(options, files),
        cleaning=CleaningOptions(steps, options.language, options.min_words),
        max_documents=options.max_documents,
        fingerprints=bool(steps & {"duplicates", "near-duplicates", "paragraphs"}),
        held_out_share=share or 0.0,
        held_out_file=str(Path(options.held_out).absolute()) if share is None else None,
        seed=options.seed,
        keep_dropped=options.keep_dropped,
        statistics=True,
    )


def store_options(options: PrepareOptions, files: Sequence[SourceFile]) -> StoreOptions:
    """Return the options that determine the STORE, with checksums of the files."""
    relevant = {name: value for name, value in options.to_dict().items() if name not in _WITHOUT_EFFECT}
    if options.held_out_share() is None:
        relevant["held_out_sha256"] = sha256_of(Path(options.held_out))
    return StoreOptions(**relevant, files_sha256=_digest(files))


def _digest(files: Sequence[SourceFile]) -> str:
    """Return a checksum of the names, sizes and times of the files."""
    facts = json.dumps([(file.name, file.location, file.size, file.modified) for file in files])
    return hashlib.sha256(facts.encode()).hexdigest()
