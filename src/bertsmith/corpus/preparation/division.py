"""Duplicates and the held-out part: each sentence is trained on, held out, or dropped."""

from __future__ import annotations

import shutil

from bertsmith.config.cleaning import choose_steps
from bertsmith.corpus.decisions import Division
from bertsmith.corpus.deduplication import NEAR_DUPLICATE
from bertsmith.corpus.preparation.state import CorpusSplit, PreparationState
from bertsmith.corpus.preparation.tokenizer import make_tokenizer
from bertsmith.corpus.stages.count import forget_counts
from bertsmith.corpus.stages.divide import divide, split_by_paragraphs, too_few_documents, too_few_tokens
from bertsmith.corpus.stages.duplicates import find_all_duplicates, write_clusters
from bertsmith.corpus.work_folder import DIVIDED, write_as_json
from bertsmith.errors import DataError
from bertsmith.runtime.console import log_info, progress, warn
from bertsmith.runtime.files import disk_errors, flush_folder, sha256_of
from bertsmith.tokenization.folder import model_of

MANY = 0.1


def find_duplicates(work: PreparationState) -> None:
    """Begin the STORE anew, and find the documents and paragraphs to drop as duplicates."""
    shutil.rmtree(work.store, ignore_errors=True)
    forget_counts(work.corpus)
    with disk_errors(work.store):
        work.store.mkdir()
    if not work.plan.fingerprints:
        return
    steps = choose_steps(work.options.clean)
    with progress("looking for duplicates", unit="documents"), work.clock.stage("duplicates"):
        work.duplicates = find_all_duplicates(
            work.corpus,
            exact="duplicates" in steps,
            near=work.options.near_duplicates if "near-duplicates" in steps else None,
            paragraphs="paragraphs" in steps,
        )
        work.clusters = write_clusters(work.corpus, work.duplicates, work.store / "duplicates.jsonl")


def hold_out(work: PreparationState) -> None:
    """Divide the documents; if there are too few of them, runs of paragraphs of all documents are held out."""
    with work.clock.stage("duplicates"):
        work.division = divide(work.corpus, work.duplicates)
    _warn_of_many(work.division)
    if not work.division.kept:
        raise DataError(f"no document is left: all of {sum(work.corpus.documents)} are {work.division.dropped}")
    if work.options.held_out_share() is not None and (why := too_few_documents(work.division)) is not None:
        work.division = split_by_paragraphs(work.corpus, work.division, why)


def ensure_minimum_holdout(work: PreparationState) -> None:
    """Hold out runs of paragraphs if the held-out documents have too few tokens; then the tokenizer is made again."""
    if work.division.by != "documents":
        return
    why = too_few_tokens(work.corpus, work.division, work.store / "tokenizer" / "tokenizer.json")
    if why is not None:
        work.division = split_by_paragraphs(work.corpus, work.division, why)
        forget_counts(work.corpus)
        make_tokenizer(work)


def record_split(work: PreparationState) -> None:
    """Print what was decided, and write divided.json: a resumed run starts behind it."""
    log_info(f"held out: {work.division.reason}")
    for choice in work.choices:
        log_info(f"{choice.name}: {choice.value} ({choice.reason})")
    given = work.options.tokenizer
    divided = CorpusSplit(
        division=work.division,
        clusters=work.clusters,
        vocab_size=len(work.tokenizer),
        sha256=sha256_of(work.store / "tokenizer" / "tokenizer.json"),
        added_words=work.added_words,
        model=model_of(given, work.tokenizer) if given is not None else None,
        choices=work.choices,
    )
    with disk_errors(work.options.out):
        flush_folder(work.store)
    write_as_json(work.folder / DIVIDED, divided)


def _warn_of_many(division: Division) -> None:
    """Texts made from one template are near-duplicates too: if they are many, somebody should look."""
    gone = (division.dropped or {}).get(NEAR_DUPLICATE, 0)
    if gone > 10 and gone > MANY * (division.kept + gone):
        warn(
            f"{gone:,} documents are like others and are dropped (STORE/duplicates.jsonl lists them). If they are not "
            "copies but made from one template, give --near-duplicates 0.8 or --clean no-near-duplicates"
        )
