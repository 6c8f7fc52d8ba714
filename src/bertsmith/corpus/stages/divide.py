"""The held-out part of a corpus: by documents, by ids, or by runs of paragraphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bertsmith.corpus.decisions import (
    Decision,
    Division,
    decide_all,
    decide_documents,
    decide_paragraphs,
    read_decision,
)
from bertsmith.corpus.deduplication import Duplicates
from bertsmith.corpus.shards import read_shard
from bertsmith.corpus.splitting import MIN_DOCUMENTS, MIN_TOKENS, read_ids
from bertsmith.corpus.stages.corpus import Corpus
from bertsmith.corpus.stages.encode import encoder_of
from bertsmith.corpus.store import TRAIN
from bertsmith.corpus.work_folder import shard_file
from bertsmith.errors import DataError
from bertsmith.runtime.ragged import gather
from bertsmith.tokenization.encoding import ChunkEncoder


def divide(corpus: Corpus, duplicates: Duplicates | None) -> Division:
    """Whole documents are held out, by a hash of their id or by a list of ids."""
    plan = corpus.plan
    if plan.held_out_file is None:
        reason = f"{plan.held_out_share:.1%} of the documents by a hash of their id"
        return decide_documents(corpus.folder, corpus.shards, duplicates, division=Division("documents", reason))
    path = Path(plan.held_out_file)
    wanted = read_ids(path)
    division = decide_documents(corpus.folder, corpus.shards, duplicates, division=Division("ids", ""))
    found = division.held_out
    if not found or found == division.kept:
        raise DataError(
            f"--held-out {path}: {found} of its {len(wanted)} ids are among the {division.kept} documents "
            f"(the first of these is {corpus.first_id!r}); training and evaluation both need some"
        )
    division.reason = f"{found} documents that {path.name} lists"
    if found < len(wanted):
        division.reason += f" ({len(wanted) - found} ids were not found, or their documents were dropped)"
    return division


def split_by_paragraphs(corpus: Corpus, division: Division, why: str) -> Division:
    """Runs of paragraphs of all documents are held out."""
    division.by, division.reason = "paragraphs", f"runs of paragraphs of all documents: {why}"
    share, seed = corpus.plan.held_out_share, corpus.plan.seed
    return decide_paragraphs(corpus.folder, corpus.shards, division, share=share, seed=seed)


def too_few_documents(division: Division) -> str | None:
    """Why a division by documents will not do before anything is encoded, or None."""
    if division.held_out < MIN_DOCUMENTS or division.held_out == division.kept:
        return f"a hash would hold out {division.held_out} of {division.kept} documents"
    return None


def too_few_tokens(corpus: Corpus, division: Division, tokenizer_json: Path) -> str | None:
    """Why the held-out documents hold too few tokens, or None. A chunk is at least a token, as good as always."""
    if division.held_out_chunks >= 2 * MIN_TOKENS:
        return None
    encoder = encoder_of(tokenizer_json)
    tokens = 0
    for number in range(corpus.shards):
        shard = read_shard(shard_file(corpus.folder, number))
        chosen = np.flatnonzero(read_decision(corpus.folder, number).sentences == Decision.HELD_OUT)
        lengths = shard.lengths[chosen]
        codes = gather(shard.codes, shard.chunk_offsets[chosen], lengths)
        tokens += len(ChunkEncoder(encoder, shard.dictionary).encode(codes, lengths)[0])
        if tokens >= MIN_TOKENS:
            return None
    return f"held-out documents would hold {tokens:,} tokens, fewer than {MIN_TOKENS:,}"


def keep_all(corpus: Corpus, part: str) -> None:
    """All documents in one part: a text to count words of, or to evaluate on."""
    decide_all(corpus.folder, corpus.shards, Decision.TRAIN if part == TRAIN else Decision.HELD_OUT)
