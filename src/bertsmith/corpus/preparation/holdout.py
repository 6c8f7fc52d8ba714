"""Duplicates and the held-out part: each sentence is trained on, held out, or dropped."""

from __future__ import annotations

import shutil

from bertsmith.config.cleaning import choose_steps
from bertsmith.corpus.decisions import SplitSummary
from bertsmith.corpus.deduplication import NEAR_DUPLICATE
from bertsmith.corpus.preparation.state import CorpusSplit, PreparationState
from bertsmith.corpus.preparation.tokenizer import create_store_tokenizer
from bertsmith.corpus.stages.count import forget_counts
from bertsmith.corpus.stages.duplicates import find_all_duplicates, write_clusters
from bertsmith.corpus.stages.split import split_by_paragraphs, split_corpus, too_few_documents, too_few_tokens
from bertsmith.corpus.work_folder import DIVIDED, write_as_json
from bertsmith.errors import DataError
from bertsmith.runtime.console import log_info, progress, warn
from bertsmith.runtime.files import disk_errors, flush_folder, sha256_of
from bertsmith.tokenization.folder import model_of

MANY = 0.1


def record_duplicates(state: PreparationState) -> None:
    """Begin the STORE anew, and find the documents and paragraphs to drop as duplicates."""
    shutil.rmtree(state.store, ignore_errors=True)
    forget_counts(state.corpus)
    with disk_errors(state.store):
        state.store.mkdir()
    if not state.plan.fingerprints:
        return
    steps = choose_steps(state.options.clean)
    with progress("looking for duplicates", unit="documents"), state.timer.stage("duplicates"):
        state.duplicates = find_all_duplicates(
            state.corpus,
            exact="duplicates" in steps,
            near=state.options.near_duplicates if "near-duplicates" in steps else None,
            paragraphs="paragraphs" in steps,
        )
        state.clusters = write_clusters(state.corpus, state.duplicates, state.store / "duplicates.jsonl")


def hold_out(state: PreparationState) -> None:
    """Divide the documents; if there are too few of them, runs of paragraphs of all documents are held out."""
    with state.timer.stage("duplicates"):
        state.split_summary = split_corpus(state.corpus, state.duplicates)
    _warn_of_many(state.split_summary)
    if not state.split_summary.kept:
        raise DataError(f"no document is left: all of {sum(state.corpus.documents)} are {state.split_summary.dropped}")
    if state.options.held_out_share() is not None and (reason := too_few_documents(state.split_summary)) is not None:
        state.split_summary = split_by_paragraphs(state.corpus, state.split_summary, reason)


def ensure_minimum_holdout(state: PreparationState) -> None:
    """Hold out runs of paragraphs if the held-out documents have too few tokens; then the tokenizer is made again."""
    if state.split_summary.by != "documents":
        return
    reason = too_few_tokens(state.corpus, state.split_summary, state.store / "tokenizer" / "tokenizer.json")
    if reason is not None:
        state.split_summary = split_by_paragraphs(state.corpus, state.split_summary, reason)
        forget_counts(state.corpus)
        create_store_tokenizer(state)


def record_split(state: PreparationState) -> None:
    """Print what was decided, and write divided.json: a resumed run starts behind it."""
    log_info(f"held out: {state.split_summary.reason}")
    for choice in state.choices:
        log_info(f"{choice.name}: {choice.value} ({choice.reason})")
    given = state.options.tokenizer
    corpus_split = CorpusSplit(
        summary=state.split_summary,
        clusters=state.clusters,
        vocab_size=len(state.tokenizer),
        sha256=sha256_of(state.store / "tokenizer" / "tokenizer.json"),
        added_words=state.added_words,
        model=model_of(given, state.tokenizer) if given is not None else None,
        choices=state.choices,
    )
    with disk_errors(state.options.out):
        flush_folder(state.store)
    write_as_json(state.folder / DIVIDED, corpus_split)


def _warn_of_many(split_summary: SplitSummary) -> None:
    """Texts made from one template are near-duplicates too: if they are many, somebody should look."""
    gone = (split_summary.dropped or {}).get(NEAR_DUPLICATE, 0)
    if gone > 10 and gone > MANY * (split_summary.kept + gone):
        warn(
            f"{gone:,} documents are like others and are dropped (STORE/duplicates.jsonl lists them). If they are not "
            "copies but made from one template, give --near-duplicates 0.8 or --clean no-near-duplicates"
        )
