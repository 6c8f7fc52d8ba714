"""From files to a STORE: the stages in a row, each run by an engine. The verbs put their own steps between them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.corpus import stages
from bertsmith.corpus.cleaning import CleaningCounts
from bertsmith.corpus.decisions import (
    Decision,
    Division,
    decide_all,
    decide_documents,
    decide_paragraphs,
    json_lines,
    name_clusters,
    read_decision,
)
from bertsmith.corpus.deduplication import DUPLICATE_PARAGRAPHS as DUPLICATE_PARAGRAPHS
from bertsmith.corpus.deduplication import NEAR_DUPLICATE as NEAR_DUPLICATE
from bertsmith.corpus.deduplication import Duplicates, find_duplicates
from bertsmith.corpus.engine import Engine, marker, run_tasks
from bertsmith.corpus.plan import CLEAN, COUNT, ENCODE, QUOTA, READ, Plan, block_characters, group_files, numbered
from bertsmith.corpus.plan import read_blocks as _blocks
from bertsmith.corpus.shards import read_arrays, read_shard
from bertsmith.corpus.splitting import MIN_DOCUMENTS, MIN_TOKENS, read_ids
from bertsmith.corpus.statistics import added
from bertsmith.corpus.store import HELD_OUT, TRAIN, data_file, finish_part
from bertsmith.errors import DataError
from bertsmith.runtime.files import read_json, write_json, write_text
from bertsmith.runtime.ragged import gather
from bertsmith.tokenization.encoding import ChunkEncoder

Advance = Callable[[int, int], None]
Array = npt.NDArray[Any]

SAMPLE_CHARACTERS = 256_000_000
"""Text that a tokenizer is trained on at most; more changes hardly a piece of it, and takes memory."""
CLUSTERS_SHOWN = 50
FREQUENT_WORDS = 60
WORD_STARTS = ("▁", "Ġ")
"""The marks before the first piece of a word in vocabularies of SentencePiece and of byte-level BPE."""


@dataclass
class Corpus:
    """A corpus in a work folder, cleaned: what the stages after it need.

    Attributes:
        folder: the work folder.
        shards: how many.
        documents: of each shard, those that are left after cleaning.
        counts: what was counted while reading and cleaning: `documents_in`, `dropped` (documents by reason),
            `cleaning` (see `CleaningCounts`), `characters`, `detected`, `replaced_bytes`, `statistics`.
        characters: of each shard.
    """

    folder: Path
    engine: Engine
    shards: int
    documents: list[int]
    counts: dict[str, Any]
    characters: list[int] = field(default_factory=list)


def write_plan(folder: Path, plan: Plan) -> Plan:
    """Group the files and write the plan, unless the folder has one: an interrupted preparation keeps its own."""
    if (folder / "plan.json").is_file():
        return Plan.load(folder)
    # With a limit one task reads all files, so that it stops where the limit is reached.
    groups = group_files(plan.files) if plan.max_documents is None else [(0, len(plan.files))]
    plan = replace(plan, groups=groups, block_characters=block_characters(plan.files))
    plan.save(folder)
    return plan


def read_and_clean(folder: Path, engine: Engine, reading: Advance, cleaning: Advance) -> Corpus:
    """Read all files into blocks, and clean all blocks into shards."""
    plan = Plan.load(folder)
    stages.import_libraries()
    run_tasks(engine, READ, stages.read_task, folder=folder, count=len(plan.groups), advance=reading)
    notes = stages.arrange_blocks(folder)
    shards = len(_blocks(folder))
    run_tasks(engine, CLEAN, stages.clean_task, folder=folder, count=shards, advance=cleaning)
    records = [read_json(marker(folder, CLEAN, number)) for number in range(shards)]
    cleaned = {name: added(record["cleaning"][name] for record in records) for name in vars(CleaningCounts())}
    counts = {
        **notes,
        "dropped": added(record["dropped"] for record in records),
        "cleaning": cleaned,
        "characters": sum(record["characters"] for record in records),
        "first_id": next((record["first_id"] for record in records if record["first_id"] is not None), None),
        "statistics": {
            name: added(record["statistics"][name] for record in records)
            for name in ("document_characters", "languages")
        }
        if plan.statistics
        else {},
    }
    return Corpus(
        folder,
        engine,
        shards,
        [record["kept"] for record in records],
        counts,
        [record["characters"] for record in records],
    )


def check_not_empty(corpus: Corpus) -> None:
    """Raise DataError where no document is left after cleaning."""
    if sum(corpus.documents):
        return
    first, *others = (file.location for file in Plan.load(corpus.folder).files)
    where = f"{first} and {len(others)} files more" if others else first
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in corpus.counts["dropped"].items()) or "none"
    read = corpus.counts["documents_in"]
    raise DataError(f"{where}: no document is left of {read:,} that were read; dropped: {dropped}")


def find_all_duplicates(corpus: Corpus, *, exact: bool, near: float | None, paragraphs: bool) -> Duplicates:
    """Duplicates over all shards."""
    held_out = [read_arrays(stages.shard_file(corpus.folder, number), "held_out")[0] for number in range(corpus.shards)]
    return find_duplicates(
        [stages.sidecars(corpus.folder, number) for number in range(corpus.shards)],
        corpus.documents,
        np.concatenate(held_out) if held_out else np.zeros(0, bool),
        exact=exact,
        near=near,
        paragraphs=paragraphs,
    )


def write_clusters(corpus: Corpus, duplicates: Duplicates, path: Path) -> list[dict[str, Any]]:
    """Write all groups of duplicates as JSON lines, the largest first; returns the first fifty."""
    ordered = sorted(duplicates.clusters, key=lambda cluster: (-len(cluster.dropped), cluster.kept))
    write_text(path, json_lines(name_clusters(corpus.folder, corpus.documents, ordered)))
    shown = name_clusters(corpus.folder, corpus.documents, islice(ordered, CLUSTERS_SHOWN))
    return [{**row, "dropped": row["dropped"][:10], "size": len(row["dropped"]) + 1} for row in shown]


def divide(corpus: Corpus, duplicates: Duplicates | None) -> Division:
    """Whole documents are held out, by a hash of their id or by a list of ids."""
    plan = Plan.load(corpus.folder)
    if plan.held_out_file is None:
        reason = f"{plan.held_out_share:.1%} of the documents by a hash of their id"
        return decide_documents(corpus.folder, corpus.shards, duplicates, Division("documents", reason))
    path = Path(plan.held_out_file)
    wanted = read_ids(path)
    division = decide_documents(corpus.folder, corpus.shards, duplicates, Division("ids", ""))
    found = division.held_out
    if not found or found == division.kept:
        raise DataError(
            f"--held-out {path}: {found} of its {len(wanted)} ids are among the {division.kept} documents "
            f"(the first of these is {corpus.counts['first_id']!r}); training and evaluation both need some"
        )
    division.reason = f"{found} documents that {path.name} lists"
    if found < len(wanted):
        division.reason += f" ({len(wanted) - found} ids were not found, or their documents were dropped)"
    return division


def divide_by_paragraphs(corpus: Corpus, division: Division, share: float, seed: int, why: str) -> Division:
    """Runs of paragraphs of all documents are held out."""
    division.by, division.reason = "paragraphs", f"runs of paragraphs of all documents: {why}"
    return decide_paragraphs(corpus.folder, corpus.shards, share, seed, division)


def too_few_documents(division: Division) -> str | None:
    """Why a division by documents will not do before anything is encoded, or None."""
    if division.held_out < MIN_DOCUMENTS or division.held_out == division.kept:
        return f"a hash would hold out {division.held_out} of {division.kept} documents"
    return None


def too_few_tokens(corpus: Corpus, division: Division, tokenizer_json: Path) -> str | None:
    """Why the held-out documents hold too few tokens, or None. A chunk is at least a token, as good as always."""
    if division.held_out_chunks >= 2 * MIN_TOKENS:
        return None
    encoder = stages.encoder_of(tokenizer_json)
    tokens = 0
    for number in range(corpus.shards):
        shard = read_shard(stages.shard_file(corpus.folder, number))
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


def count_words(corpus: Corpus, advance: Advance) -> dict[str, int]:
    """How often each word occurs in the training part as written, by BERT's rules, in a sample of at most 256 MB.

    Every shard gives its share of the sample, whole documents in the order of a hash of their id.
    """
    total = sum(corpus.characters)
    quota = [
        None if total <= SAMPLE_CHARACTERS else characters * SAMPLE_CHARACTERS // total
        for characters in corpus.characters
    ]
    write_json(corpus.folder / COUNT / QUOTA, quota)
    run_tasks(corpus.engine, COUNT, stages.count_task, folder=corpus.folder, count=corpus.shards, advance=advance)
    return stages.read_counts(corpus.folder, corpus.shards)


def forget_counts(corpus: Corpus) -> None:
    """Let the words be counted again: the training part is another one now."""
    shutil.rmtree(corpus.folder / COUNT, ignore_errors=True)


@dataclass(frozen=True)
class Encoded:
    """What was encoded.

    Attributes:
        parts: `documents` (rows), `sentences` and `tokens` of each part.
        files: size and checksum of each data file.
        without_tokens: documents of which the tokenizer leaves nothing.
        unigram: int64 of [vocabulary], how often each id occurs in the training part.
        sentence_tokens: how many sentences there are of each class of length.
    """

    parts: dict[str, dict[str, int]]
    files: dict[str, dict[str, Any]]
    held_out_documents: int
    without_tokens: int
    unigram: Array
    sentence_tokens: dict[str, int]


def encode(corpus: Corpus, vocab_size: int, advance: Advance) -> Encoded:
    """Encode all shards with the tokenizer in FOLDER/store/tokenizer; FOLDER/store is a `datasets` folder then."""
    store = corpus.folder / "store"
    write_json(corpus.folder / ENCODE / "vocabulary.json", {"vocab_size": vocab_size})
    run_tasks(corpus.engine, ENCODE, stages.encode_task, folder=corpus.folder, count=corpus.shards, advance=advance)
    for left in store.rglob("*.partial"):  # of a task that was killed
        left.unlink()
    records = [read_json(marker(corpus.folder, ENCODE, number)) for number in range(corpus.shards)]
    names = [data_file(number, corpus.shards) for number in range(corpus.shards)]
    parts: dict[str, dict[str, int]] = {}
    for part in (TRAIN, HELD_OUT):
        parts[part] = {
            name: sum(record["parts"][part][name] for record in records)
            for name in ("documents", "sentences", "tokens")
        }
        finish_part(store / part, names, vocab_size, parts[part]["tokens"])
    unigram = np.zeros(vocab_size, np.int64)
    for number in range(corpus.shards):
        unigram += np.load(numbered(corpus.folder, ENCODE, number, ".unigram.npy"))
    write_json(store / "unigram.json", unigram.tolist())
    write_json(store / "dataset_dict.json", {"splits": [TRAIN, HELD_OUT]})
    return Encoded(
        parts,
        {name: facts for record in records for name, facts in record["files"].items()},
        sum(record["held_out_documents"] for record in records),
        sum(record["without_tokens"] for record in records),
        unigram,
        added(record["sentence_tokens"] for record in records),
    )


def _entries(model: dict[str, Any]) -> tuple[dict[int, str], int]:
    """The entries of a tokenizer model by their ids, and the id of the unknown token, -1 if there is none.

    The vocabulary of a Unigram model is a list of entries with their scores, that of all others an object of ids.
    """
    vocabulary = model["vocab"]
    if isinstance(vocabulary, list):
        unknown = model.get("unk_id")
        return {number: token for number, (token, _) in enumerate(vocabulary)}, -1 if unknown is None else unknown
    return {number: token for token, number in vocabulary.items()}, vocabulary.get(model.get("unk_token"), -1)


def vocabulary_figures(encoded: Encoded, tokenizer_json: Path) -> dict[str, Any]:
    """How the vocabulary covers the training part: entries that occur, unknown tokens, the most frequent words."""
    names, unknown = _entries(read_json(tokenizer_json)["model"])
    total = max(int(encoded.unigram.sum()), 1)
    marked = not any(name.startswith("##") for name in names.values()) and any(
        name.startswith(WORD_STARTS) for name in names.values()
    )
    words: dict[str, int] = {}
    for number in np.argsort(-encoded.unigram, kind="stable").tolist():
        name = names.get(number, "")
        if not encoded.unigram[number] or len(words) == FREQUENT_WORDS:
            break
        if marked:
            name = name[1:] if name.startswith(WORD_STARTS) else ""
        if name.isalpha():
            words[name] = int(encoded.unigram[number])
    return {
        "vocabulary_used": int(np.count_nonzero(encoded.unigram)),
        "unknown_rate": int(encoded.unigram[unknown]) / total if unknown >= 0 else 0.0,
        "frequent_words": words,
    }
