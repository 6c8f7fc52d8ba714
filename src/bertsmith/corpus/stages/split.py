"""The held-out part of a corpus: whole documents, listed ids, or spans of paragraphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bertsmith.corpus.decisions import (
    Decision,
    SplitSummary,
    decide_all,
    decide_documents,
    decide_paragraphs,
    read_decision,
)
from bertsmith.corpus.deduplication import Duplicates
from bertsmith.corpus.shards import read_shard
from bertsmith.corpus.splitting import MIN_DOCUMENTS, MIN_TOKENS, read_ids
from bertsmith.corpus.stages.cleaned_corpus import Corpus
from bertsmith.corpus.stages.encode import load_encoder
from bertsmith.corpus.store import TRAIN
from bertsmith.corpus.work_folder import shard_file
from bertsmith.errors import DataError
from bertsmith.runtime.ragged import gather
from bertsmith.tokenization.sentence_encoding import ChunkEncoder


def split_corpus(corpus: Corpus, duplicates: Duplicates | None) -> SplitSummary:
    """Hold out whole documents, by a hash of their id or by a list of ids."""
    plan = corpus.plan
    if plan.held_out_file is None:
        reason = f"{plan.held_out_share:.1%} of the documents, chosen by a hash of their id"
        return decide_documents(
            corpus.folder, corpus.shards, duplicates, split_summary=SplitSummary("documents", reason)
        )
    path = Path(plan.held_out_file)
    ids = read_ids(path)
    split_summary = decide_documents(corpus.folder, corpus.shards, duplicates, split_summary=SplitSummary("ids", ""))
    found = split_summary.held_out
    if not found or found == split_summary.kept:
        raise DataError(
            f"--held-out {path}: found {found} of its {len(ids)} ids among the {split_summary.kept} documents (the "
            f"first document is {corpus.first_id!r}), expected at least one document to hold out and one to train on"
        )
    split_summary.reason = f"{found} documents listed in {path.name}"
    if found < len(ids):
        split_summary.reason += f" ({len(ids) - found} ids were not found, or their documents were dropped)"
    return split_summary


def split_by_paragraphs(corpus: Corpus, split_summary: SplitSummary, reason: str) -> SplitSummary:
    """Hold out spans of paragraphs of all documents."""
    split_summary.by, split_summary.reason = "paragraphs", f"spans of paragraphs of all documents, because {reason}"
    share, seed = corpus.plan.held_out_share, corpus.plan.seed
    return decide_paragraphs(corpus.folder, corpus.shards, split_summary, share=share, seed=seed)


def too_few_documents(split_summary: SplitSummary) -> str | None:
    """Return why holding out whole documents leaves too few of them, or None."""
    if split_summary.held_out < MIN_DOCUMENTS or split_summary.held_out == split_summary.kept:
        return f"a hash would hold out {split_summary.held_out} of {split_summary.kept} documents"
    return None


def too_few_tokens(corpus: Corpus, split_summary: SplitSummary, tokenizer_json: Path) -> str | None:
    """Return why the held-out documents have too few tokens, or None. A chunk is almost always at least one token."""
    if split_summary.held_out_chunks >= 2 * MIN_TOKENS:
        return None
    encoder = load_encoder(tokenizer_json)
    tokens = 0
    for number in range(corpus.shards):
        shard = read_shard(shard_file(corpus.folder, number))
        chosen = np.flatnonzero(read_decision(corpus.folder, number).sentences == Decision.HELD_OUT)
        lengths = shard.lengths[chosen]
        codes = gather(shard.codes, shard.chunk_offsets[chosen], lengths)
        tokens += len(ChunkEncoder(encoder, shard.dictionary).encode(codes, lengths)[0])
        if tokens >= MIN_TOKENS:
            return None
    return f"whole held-out documents would have only {tokens:,} tokens, fewer than {MIN_TOKENS:,}"


def keep_all(corpus: Corpus, part: str) -> None:
    """Put all documents in one part, for a text to count words in or to evaluate on."""
    decide_all(corpus.folder, corpus.shards, Decision.TRAIN if part == TRAIN else Decision.HELD_OUT)
