"""Duplicates and the held-out part: decide whether each sentence is trained on, held out, or dropped."""

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
from bertsmith.runtime.console import log_detail, log_info, progress, warn
from bertsmith.runtime.files import disk_errors, flush_folder, sha256_of
from bertsmith.tokenization.folder import model_of

MANY_SHARE = 0.1


def record_duplicates(state: PreparationState) -> None:
    """Start a new STORE and find the duplicate documents and paragraphs to drop."""
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
    """Hold out whole documents, or spans of paragraphs if there are too few documents."""
    with state.timer.stage("duplicates"):
        state.split_summary = split_corpus(state.corpus, state.duplicates)
    _warn_of_many(state.split_summary)
    if not state.split_summary.kept:
        dropped = ", ".join(f"{count:,} {reason}" for reason, count in (state.split_summary.dropped or {}).items())
        cleaned = sum(state.corpus.documents)
        raise DataError(f"no document is left after removing duplicates; cleaned {cleaned:,}, dropped: {dropped}")
    if state.options.held_out_share() is not None and (reason := too_few_documents(state.split_summary)) is not None:
        state.split_summary = split_by_paragraphs(state.corpus, state.split_summary, reason)


def ensure_minimum_holdout(state: PreparationState) -> None:
    """Hold out spans of paragraphs if the held-out documents have too few tokens, and train the tokenizer again."""
    if state.split_summary.by != "documents":
        return
    reason = too_few_tokens(state.corpus, state.split_summary, state.store / "tokenizer" / "tokenizer.json")
    if reason is not None:
        state.split_summary = split_by_paragraphs(state.corpus, state.split_summary, reason)
        forget_counts(state.corpus)
        create_store_tokenizer(state)


def record_split(state: PreparationState) -> None:
    """Print the decisions and write divided.json: a resumed run starts after this stage."""
    log_info(f"held out: {state.split_summary.reason}")
    for choice in state.choices:
        log_detail(f"{choice.name}: {choice.value} ({choice.reason})")
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
    """Warn about many near-duplicates: texts made from one template are near-duplicates too."""
    near = (split_summary.dropped or {}).get(NEAR_DUPLICATE, 0)
    if near > 10 and near > MANY_SHARE * (split_summary.kept + near):
        warn(
            f"{near:,} near-duplicate documents are dropped (listed in STORE/duplicates.jsonl). If they are not copies "
            "but use the same template, set --near-duplicates 0.8 or --clean no-near-duplicates"
        )
