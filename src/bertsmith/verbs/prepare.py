"""prepare: SOURCE to STORE."""

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
from bertsmith.corpus.forecast import Forecast, check_disk_space, forecast
from bertsmith.corpus.plan import write_plan
from bertsmith.corpus.preparation.description import describe, encode
from bertsmith.corpus.preparation.division import ensure_minimum_holdout, find_duplicates, hold_out, record_split
from bertsmith.corpus.preparation.inputs import plan_of, source_files, store_options
from bertsmith.corpus.preparation.reading import read_and_clean
from bertsmith.corpus.preparation.resuming import enter, is_interrupted, same_options
from bertsmith.corpus.preparation.state import Clock, PreparationState, Stage
from bertsmith.corpus.preparation.tokenizer import make_tokenizer
from bertsmith.corpus.sentences import check_language
from bertsmith.corpus.store import TokenStore, is_store
from bertsmith.corpus.work_folder import DIVIDED
from bertsmith.errors import InputError, OptionError, OutputError, ResourceError
from bertsmith.models.model_tokenizer import load_model_tokenizer, with_known_length
from bertsmith.records.manifest import StoreOptions
from bertsmith.runtime.console import log_info
from bertsmith.runtime.files import claim_folder, folder_lock, publish_folder
from bertsmith.runtime.machine import cores
from bertsmith.tokenization.domain_words import check_extendable

STAGES = (
    Stage(read_and_clean),  # files to blocks of documents, blocks to shards of clean sentences
    Stage(find_duplicates, done_by=DIVIDED),  # documents and paragraphs to drop
    Stage(hold_out, done_by=DIVIDED),  # documents to hold out; each sentence is trained on, held out or dropped
    Stage(make_tokenizer, done_by=DIVIDED),  # words of the training part to a vocabulary
    Stage(ensure_minimum_holdout, done_by=DIVIDED),  # if the held-out documents are too small: paragraphs instead
    Stage(record_split, done_by=DIVIDED),  # divided.json: a resumed run starts behind it
    Stage(encode),  # sentences to token ids in Arrow files
    Stage(describe),  # manifest.json and report.html
)
"""The stages of a preparation, in their order; the result says how long they take (`stages`)."""


@dataclass(frozen=True)
class PrepareResult(Result):
    """What `prepare` made; `documents_in` is `documents_kept` plus all that was dropped.

    `model` is the MODEL that `pretrain --from` continues on this STORE, if the tokenizer is that of a MODEL.
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
def prepare(options: PrepareOptions) -> PrepareResult | Forecast:
    """Read, clean, de-duplicate and split text; train or take a tokenizer; write a STORE of token ids.

    Nothing appears at `out` before the STORE is whole. An interrupted run leaves its work next to it, and `resume`
    continues there, to the same bytes.
    """
    clock = Clock()
    engine = Engine(options.engine, options.workers or cores(), options.engine_address)
    check_engine(engine)
    files = source_files(options, engine)
    check_language(options.language, identified="language" in choose_steps(options.clean))
    base = _base_tokenizer(options)  # a mistake in it is found before hours of work
    folder = options.out.parent / f".{options.out.name}.preparing"
    identity = store_options(options, files)
    if options.resume and is_store(options.out) and not is_interrupted(folder):
        with folder_lock(options.out, "prepare"):
            shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed after it published
        return _already_done(options, identity)
    if options.resume and not is_store(options.out) and options.out.is_dir() and any(options.out.iterdir()):
        raise OutputError(f"--out {options.out}: the folder holds something that is no STORE; choose another --out")
    claim_folder(options.out, overwrite=options.overwrite, resume=options.resume, verb="prepare")
    plan = plan_of(options, files)
    if options.dry_run:
        return forecast(plan, engine.workers, options.out)
    if not (options.resume and folder.exists()):  # a resumed run has most of it on the disk already
        check_disk_space(plan, engine.workers, options.out)
    with folder_lock(options.out, "prepare"), _removed_if_useless(folder):
        enter(folder, identity, out=options.out, resume=options.resume)
        work = PreparationState(
            options=options,
            engine=engine,
            plan=write_plan(folder, plan),
            folder=folder,
            base=base,
            identity=identity,
            clock=clock,
        )
        for stage in STAGES:
            if stage.done_by is None or not (folder / stage.done_by).is_file():
                stage.run(work)
        publish_folder(work.store, options.out)
        shutil.rmtree(folder)
    return PrepareResult(store=options.out, **work.manifest.result.to_dict())


def _base_tokenizer(options: PrepareOptions) -> Any | None:
    """The tokenizer of the MODEL that --tokenizer names."""
    if options.tokenizer is None:
        return None
    base = with_known_length(load_model_tokenizer(options.tokenizer), options.tokenizer)
    if options.add_words is not None:
        check_extendable(base, options.tokenizer)
    return base


@contextmanager
def _removed_if_useless(folder: Path) -> Iterator[None]:
    """Remove the work folder if it is of no use to a later run."""
    try:
        yield
    except InputError:
        # A mistake in the text or the options stays: there is nothing to resume.
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except ResourceError:
        if not any(folder.glob("clean/*.json")):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _already_done(options: PrepareOptions, identity: StoreOptions) -> PrepareResult:
    """The result of a finished STORE of the same options and files."""
    manifest = TokenStore(options.out).manifest
    if not same_options(manifest.options, identity):
        other = "from other files" if same_options(manifest.options, identity, files=False) else "with other options"
        raise OptionError(
            f"--resume: {options.out} is finished and was prepared {other}; "
            "give --overwrite to prepare it again, or another --out"
        )
    log_info(f"{options.out} is finished already")
    return PrepareResult(store=options.out, **manifest.result.to_dict())
