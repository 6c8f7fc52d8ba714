"""prepare: make a STORE from SOURCE."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.config.cleaning import choose_steps
from bertsmith.config.prepare import PrepareOptions
from bertsmith.config.verb import Result, verb
from bertsmith.corpus.engine import Engine, check_engine
from bertsmith.corpus.plan import write_plan
from bertsmith.corpus.preparation.description import encode_store, write_manifest
from bertsmith.corpus.preparation.holdout import ensure_minimum_holdout, hold_out, record_duplicates, record_split
from bertsmith.corpus.preparation.interrupted_work import is_interrupted, prepare_work_folder, same_options
from bertsmith.corpus.preparation.planning import plan_of, source_files, store_options
from bertsmith.corpus.preparation.reading import read_and_clean
from bertsmith.corpus.preparation.state import PreparationStage, PreparationState, StageTimer
from bertsmith.corpus.preparation.tokenizer import create_store_tokenizer
from bertsmith.corpus.preparation_estimate import PreparationEstimate, check_disk_space, estimate_preparation
from bertsmith.corpus.sentences import check_language
from bertsmith.corpus.store import TokenStore, is_store
from bertsmith.corpus.work_folder import DIVIDED
from bertsmith.errors import InputError, OptionError, OutputError, ResourceError
from bertsmith.models.model_tokenizer import load_model_tokenizer, with_known_length
from bertsmith.records.manifest import StoreOptions
from bertsmith.reporting.numbers import counted
from bertsmith.runtime.console import log_info
from bertsmith.runtime.files import claim_folder, folder_lock, publish_folder
from bertsmith.runtime.machine import cores
from bertsmith.tokenization.domain_words import check_extendable

STAGES = (
    PreparationStage(read_and_clean),  # files to blocks of documents, blocks to shards of clean sentences
    PreparationStage(record_duplicates, completion_file=DIVIDED),  # documents and paragraphs to drop
    PreparationStage(hold_out, completion_file=DIVIDED),  # each sentence goes to training, is held out, or is dropped
    PreparationStage(create_store_tokenizer, completion_file=DIVIDED),  # a vocabulary from the training part
    PreparationStage(ensure_minimum_holdout, completion_file=DIVIDED),  # paragraphs, if there are too few documents
    PreparationStage(record_split, completion_file=DIVIDED),  # divided.json: a resumed run starts after it
    PreparationStage(encode_store),  # sentences to token ids in Arrow files
    PreparationStage(write_manifest),  # manifest.json and report.html
)
"""The stages in their order. `PrepareResult.stages` has the seconds of each."""


@dataclass(frozen=True)
class PrepareResult(Result):
    """The STORE that `prepare` made; `documents_in` equals `documents_kept` plus all dropped documents.

    `model` is the MODEL that `pretrain --from` can continue on this STORE, if the tokenizer is that of a MODEL.
    """

    store: Path
    documents_in: int
    documents_kept: int
    dropped: dict[str, int]
    dropped_paragraphs: dict[str, int]
    held_out_documents: int
    sentences: int
    tokens: int
    vocab_size: int
    tokenizer_sha256: str
    stages: dict[str, float]
    seconds: float
    added_words: int = 0
    model: str | None = None


@verb(PrepareOptions)
def prepare(options: PrepareOptions) -> PrepareResult | PreparationEstimate:
    """Read, clean, de-duplicate and split text; train or take a tokenizer; write a STORE of token ids.

    `out` appears only when the STORE is complete. An interrupted run keeps its work in a folder next to it; `resume`
    continues there and ends with the same bytes.
    """
    timer = StageTimer()
    engine = Engine(options.engine, options.workers or cores(), options.engine_address)
    check_engine(engine)
    files = source_files(options, engine)
    check_language(options.language, identified="language" in choose_steps(options.clean))
    base = _base_tokenizer(options)  # finds a mistake in --tokenizer before hours of work
    folder = options.out.parent / f".{options.out.name}.preparing"
    identity = store_options(options, files)
    if options.resume and is_store(options.out) and not is_interrupted(folder):
        with folder_lock(options.out, "prepare"):
            shutil.rmtree(folder, ignore_errors=True)  # left by a run that was killed after it published the STORE
        return _already_done(options, identity)
    if options.resume and not is_store(options.out) and options.out.is_dir() and any(options.out.iterdir()):
        raise OutputError(f"--out {options.out}: found files that are not a STORE. Try: another --out")
    claim_folder(options.out, overwrite=options.overwrite, resume=options.resume, verb="prepare")
    plan = plan_of(options, files)
    if options.dry_run:
        return estimate_preparation(plan, engine.workers, options.out)
    if not (options.resume and folder.exists()):  # a resumed run already has most of it on the disk
        check_disk_space(plan, engine.workers, options.out)
    log_info(f"Source: {counted(len(files), 'file')}, {engine.name} engine, {counted(engine.workers, 'worker')}")
    log_info(f"Output: {options.out}")
    with folder_lock(options.out, "prepare"), _removed_if_useless(folder):
        prepare_work_folder(folder, identity, out=options.out, resume=options.resume)
        state = PreparationState(
            options=options,
            engine=engine,
            plan=write_plan(folder, plan),
            folder=folder,
            base=base,
            identity=identity,
            timer=timer,
        )
        for stage in STAGES:
            if stage.completion_file is None or not (folder / stage.completion_file).is_file():
                stage.run(state)
        publish_folder(state.store, options.out)
        shutil.rmtree(folder)
    return PrepareResult(store=options.out, **state.manifest.result.to_dict())


def _base_tokenizer(options: PrepareOptions) -> Any | None:
    """Return the tokenizer of the MODEL that --tokenizer names."""
    if options.tokenizer is None:
        return None
    base = with_known_length(load_model_tokenizer(options.tokenizer), options.tokenizer)
    if options.add_words is not None:
        check_extendable(base, options.tokenizer)
    return base


@contextmanager
def _removed_if_useless(folder: Path) -> Iterator[None]:
    """Remove the work folder after an error if no later run can use it."""
    try:
        yield
    except InputError:
        # A mistake in the text or the options would occur again: there is nothing to resume.
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except ResourceError:
        if not any(folder.glob("clean/*.json")):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _already_done(options: PrepareOptions, identity: StoreOptions) -> PrepareResult:
    """Return the result of a finished STORE with the same options and files."""
    manifest = TokenStore(options.out).manifest
    if not same_options(manifest.options, identity):
        cause = (
            "from different files"
            if same_options(manifest.options, identity, files=False)
            else "with different options"
        )
        raise OptionError(
            f"--resume: {options.out} is finished and was prepared {cause}. "
            "Try: --overwrite to prepare it again, or another --out"
        )
    log_info(f"{options.out} is already finished")
    return PrepareResult(store=options.out, **manifest.result.to_dict())
