"""Cleaning: turn a block of documents into a shard of clean sentences, with fingerprints for de-duplication."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.corpus.blocks import read_block
from bertsmith.corpus.chunks import split_chunks
from bertsmith.corpus.cleaning import EMPTY, CleaningCounts, DroppedText, clean_document
from bertsmith.corpus.decisions import to_json_lines
from bertsmith.corpus.document import Document
from bertsmith.corpus.engine import Engine, completion_marker, run_tasks
from bertsmith.corpus.fingerprints import MIN_PARAGRAPH, document_digest, text_hash
from bertsmith.corpus.plan import CorpusPlan, load_plan, read_blocks
from bertsmith.corpus.sentences import split_sentences
from bertsmith.corpus.shards import Shard, write_shard
from bertsmith.corpus.splitting import is_held_out, read_ids
from bertsmith.corpus.stages.fingerprint_files import fingerprint_paths, write_fingerprints
from bertsmith.corpus.statistics import CleanStatistics
from bertsmith.corpus.work_folder import CLEAN, read_as, shard_file, stage_file, write_as_json
from bertsmith.runtime.files import write_text

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class CleanedShard:
    """Record of a cleaning task: counts for one block.

    Attributes:
        kept: documents kept.
        dropped: dropped documents by reason.
        characters: characters of the clean text.
        first_id: id of the first kept document.
        statistics: of `corpus.statistics.CleanStatistics`, if the plan asks for them.
    """

    documents: int
    kept: int
    held_out: int
    dropped: dict[str, int]
    cleaning: CleaningCounts
    characters: int
    first_id: str | None
    statistics: dict[str, dict[str, int]] | None


def clean(folder: Path, *, engine: Engine, advance: Callable[[int, int], None]) -> list[CleanedShard]:
    """Clean all blocks into shards."""
    shards = len(read_blocks(folder))
    run_tasks(engine, CLEAN, clean_task, folder=folder, count=shards, advance=advance)
    return [read_as(CleanedShard, completion_marker(folder, CLEAN, number)) for number in range(shards)]


def clean_task(folder: Path, number: int) -> None:
    """Clean the documents of a block, split them into sentences, and write their shard and its fingerprints."""
    plan = load_plan(folder)
    block = read_blocks(folder)[number]
    held_out_ids = read_ids(Path(plan.held_out_file)) if plan.held_out_file is not None else None
    cleaned = _Cleaned(plan)
    for document in read_block(folder / block.file):
        cleaned.add(document)
    held_out = [
        is_held_out(name, plan.held_out_share, plan.seed) if held_out_ids is None else name in held_out_ids
        for name in cleaned.ids
    ]
    shard = cleaned.shard(np.array(held_out, bool))
    write_shard(shard_file(folder, number), shard)
    if plan.fingerprints:
        write_fingerprints(fingerprint_paths(folder, number), shard)
    if plan.keep_dropped:
        write_text(stage_file(folder, CLEAN, number, suffix=".dropped.jsonl"), to_json_lines(cleaned.dropped_texts))
    record = CleanedShard(
        documents=block.documents,
        kept=len(shard.ids),
        held_out=int(shard.held_out.sum()),
        dropped=dict(cleaned.dropped),
        cleaning=cleaned.counts,
        characters=cleaned.characters,
        first_id=shard.ids[0] if shard.ids else None,
        statistics=cleaned.statistics.to_dict() if plan.statistics else None,
    )
    write_as_json(completion_marker(folder, CLEAN, number), record)
    (folder / block.file).unlink(missing_ok=True)


class _Cleaned:
    """Collects the cleaned documents of a block, with counts and dropped texts."""

    def __init__(self, plan: CorpusPlan) -> None:
        self.plan = plan
        self.counts, self.statistics = CleaningCounts(), CleanStatistics()
        self.dropped: Counter[str] = Counter()
        self.dropped_texts: list[dict[str, Any]] = []
        self.characters = 0
        self.ids: list[str] = []
        self._digests: list[int] = []
        self._paragraphs: list[int] = []
        self._hashes: list[int] = []
        self._sentences_of_paragraph: list[int] = []
        self._sentences: list[str] = []

    def add(self, document: Document) -> None:
        """Clean and split a document; keep it, or drop it for a reason."""
        texts: list[DroppedText] | None = [] if self.plan.keep_dropped else None
        cleaned = clean_document(document, self.plan.cleaning, self.counts, dropped=texts)
        split = split_sentences(cleaned, self.plan.cleaning.language) if isinstance(cleaned, Document) else []
        if texts is not None:
            if isinstance(cleaned, str) and not any(item.paragraph is None for item in texts):
                texts.append(DroppedText(cleaned, "", None))
            self.dropped_texts += [{"id": document.id, **asdict(item)} for item in texts]
        if not isinstance(cleaned, Document) or not split:
            self.dropped[EMPTY if isinstance(cleaned, Document) else cleaned] += 1
            return
        self.ids.append(document.id)
        self._digests.append(document_digest(cleaned.paragraphs))
        self._paragraphs.append(len(split))
        self._sentences_of_paragraph += map(len, split)
        for paragraph in split:
            self._sentences += paragraph
        self._hashes += [text_hash(text) if len(text) >= MIN_PARAGRAPH else 0 for text in map(" ".join, split)]
        self.characters += sum(map(len, cleaned.paragraphs))
        if self.plan.statistics:
            self.statistics.add(cleaned)

    def shard(self, held_out: Array) -> Shard:
        """Return the kept documents as a shard; `held_out` is bool of [documents]."""
        chunks = split_chunks(self._sentences)
        return Shard(
            ids=self.ids,
            held_out=held_out,
            digests=np.array(self._digests, np.uint64),
            paragraphs=np.array(self._paragraphs, np.int64),
            paragraph_hashes=np.array(self._hashes, np.uint64),
            sentences=np.array(self._sentences_of_paragraph, np.int64),
            lengths=chunks.lengths,
            codes=chunks.codes,
            dictionary=chunks.dictionary,
        )
