"""The stages of a preparation: tasks that read their input below the work folder and leave files and a marker there.

Each task is a function of the folder and its number alone, writes its files whole or not at all, and its marker last.
A task that is done is never done again, so an interrupted preparation goes on, on any number of processes or machines,
and ends in the same bytes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bertsmith.corpus.blocks import read_block, write_block
from bertsmith.corpus.chunks import split_chunks
from bertsmith.corpus.cleaning import EMPTY, CleaningCounts, Dropped, clean_document
from bertsmith.corpus.decisions import Decision, json_lines, read_decision
from bertsmith.corpus.deduplication import DUPLICATE_PARAGRAPHS, Sidecars
from bertsmith.corpus.document import Document
from bertsmith.corpus.engine import marker
from bertsmith.corpus.fingerprints import (
    MIN_PARAGRAPH,
    MIN_WORDS,
    band_keys,
    document_digest,
    min_hash,
    signatures,
    sorted_keys,
    text_hash,
    words_of_chunks,
    write_array,
)
from bertsmith.corpus.plan import BLOCKS, CLEAN, COUNT, ENCODE, QUOTA, READ, Plan, numbered, read_blocks
from bertsmith.corpus.reading import ReadingNotes, read_documents
from bertsmith.corpus.sentences import split_sentences
from bertsmith.corpus.shards import Shard, read_shard, write_shard
from bertsmith.corpus.splitting import is_held_out, read_ids
from bertsmith.corpus.statistics import CleanStatistics, added, sentence_classes
from bertsmith.corpus.store import HELD_OUT, TRAIN, data_file, write_rows
from bertsmith.errors import BertsmithError
from bertsmith.runtime import random
from bertsmith.runtime.files import read_json, sha256_of, write_json, write_text, written_aside
from bertsmith.runtime.ragged import gather, offsets_of, sums
from bertsmith.tokenization.encoding import ChunkEncoder, SentenceEncoder
from bertsmith.tokenization.unspaced import count_words
from bertsmith.tokenization.wordpiece import count_words_of

Array = npt.NDArray[Any]

WITHOUT_TOKENS = "no tokens"
"""The reason for which a document is dropped whose characters the tokenizer drops (zero-width spaces and the like)."""

CHECKED_A_SHARD = 50
"""Sentences of each shard whose ids are compared with those of the stock tokenizer."""


def import_libraries() -> None:
    """Import here what every task needs, so that processes that are forked from this one need not do it each."""
    min_hash()
    pa.array(["pyarrow imports pandas when it is first given a list"])


def read_task(folder: Path, number: int) -> None:
    """Read a group of files into blocks."""
    plan = Plan.load(folder)
    first, last = plan.groups[number]
    notes = ReadingNotes()
    blocks: list[dict[str, Any]] = []
    waiting: list[Document] = []
    size = taken = 0

    def write_waiting() -> None:
        nonlocal size
        path = numbered(folder, READ, number, f"-{len(blocks):04d}.arrow")
        write_block(path, waiting)
        blocks.append({"file": path.relative_to(folder).as_posix(), "documents": len(waiting)})
        waiting.clear()
        size = 0

    for file in plan.files[first:last]:
        left = None if plan.max_documents is None else plan.max_documents - taken
        if left == 0:
            break
        for document in islice(read_documents(file, plan.reading, notes), left):
            waiting.append(document)
            size += sum(map(len, document.paragraphs))
            taken += 1
            if size >= plan.block_characters:
                write_waiting()
    if waiting:
        write_waiting()
    write_json(
        marker(folder, READ, number),
        {"blocks": blocks, "documents": taken, "detected": notes.detected, "replaced_bytes": notes.replaced_bytes},
    )


def arrange_blocks(folder: Path) -> dict[str, Any]:
    """Number all blocks; returns what the reading noted."""
    plan = Plan.load(folder)
    records = [read_json(marker(folder, READ, number)) for number in range(len(plan.groups))]
    blocks = [block for record in records for block in record["blocks"]]
    write_json(folder / BLOCKS, blocks)
    return {
        "documents_in": sum(block["documents"] for block in blocks),
        "detected": [line for record in records for line in record["detected"]],
        "replaced_bytes": sum(record["replaced_bytes"] for record in records),
    }


def sidecars(folder: Path, number: int) -> Sidecars:
    """The files of a shard's fingerprints."""
    names = (".documents.npy", ".bands.npy", ".paragraphs.npy", ".signatures.npy")
    return Sidecars(*(numbered(folder, CLEAN, number, name) for name in names))


def shard_file(folder: Path, number: int) -> Path:
    """The file of a shard."""
    return numbered(folder, CLEAN, number, ".npz")


def clean_task(folder: Path, number: int) -> None:
    """Clean the documents of a block, split them into sentences, write their shard and its fingerprints."""
    plan = Plan.load(folder)
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
        _write_fingerprints(sidecars(folder, number), shard)
    if plan.keep_dropped:
        write_text(numbered(folder, CLEAN, number, ".dropped.jsonl"), json_lines(cleaned.gone))
    write_json(
        marker(folder, CLEAN, number),
        {
            "documents": block.documents,
            "kept": len(shard.ids),
            "held_out": int(shard.held_out.sum()),
            "dropped": dict(cleaned.dropped),
            "cleaning": {name: dict(values) for name, values in vars(cleaned.counts).items()},
            "characters": cleaned.characters,
            "first_id": shard.ids[0] if shard.ids else None,
            "statistics": cleaned.statistics.to_dict() if plan.statistics else None,
        },
    )
    (folder / block.file).unlink(missing_ok=True)


class _Cleaned:
    """The documents of a block, cleaned and split one after the other, and what was counted and dropped."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.counts, self.statistics = CleaningCounts(), CleanStatistics()
        self.dropped: Counter[str] = Counter()
        self.gone: list[dict[str, Any]] = []
        self.characters = 0
        self.ids: list[str] = []
        self._digests: list[int] = []
        self._paragraphs: list[int] = []
        self._hashes: list[int] = []
        self._sentences_of_paragraph: list[int] = []
        self._sentences: list[str] = []

    def add(self, document: Document) -> None:
        """Clean and split a document; it is kept, or dropped for a reason."""
        texts: list[Dropped] | None = [] if self.plan.keep_dropped else None
        cleaned = clean_document(document, self.plan.cleaning, self.counts, texts)
        split = split_sentences(cleaned, self.plan.cleaning.language) if isinstance(cleaned, Document) else []
        if texts is not None:
            if isinstance(cleaned, str) and not any(item.paragraph is None for item in texts):
                texts.append(Dropped(cleaned, "", None))
            self.gone += [{"id": document.id, **asdict(item)} for item in texts]
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
        """What was kept; `held_out` is bool of [documents]."""
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


def _write_fingerprints(paths: Sidecars, shard: Shard) -> None:
    numbers = np.arange(len(shard.ids))
    write_array(paths.documents, sorted_keys(shard.digests, numbers))
    rows = signatures(*words_of_chunks(shard.dictionary), shard.codes, np.diff(shard.document_chunks))
    write_array(paths.signatures, rows)
    sizes = np.fromiter(map(count_words, shard.dictionary), np.int64, len(shard.dictionary))
    words = sums(sizes[shard.codes], np.diff(shard.document_chunks))
    write_array(paths.bands, band_keys(rows, np.flatnonzero(words >= MIN_WORDS)))
    places = np.arange(len(shard.paragraph_hashes))
    chosen = shard.paragraph_hashes != 0
    documents = np.repeat(numbers, shard.paragraphs)
    write_array(paths.paragraphs, sorted_keys(shard.paragraph_hashes[chosen], documents[chosen], places[chosen]))


def count_task(folder: Path, number: int) -> None:
    """Count the words of a shard's training part as they are written, in as many characters as its share of the sample.

    Whether capitals and marks stay is decided when the whole text is known (`tokenization.marks`).
    """
    plan = Plan.load(folder)
    shard = read_shard(shard_file(folder, number))
    decision = read_decision(folder, number)
    quota = read_json(folder / COUNT / QUOTA)[number]
    chosen = _sample(shard, decision, quota, plan.seed)
    chunk_counts = np.bincount(shard.codes[np.repeat(chosen, shard.lengths)], minlength=len(shard.dictionary))
    words = count_words_of(shard.dictionary, chunk_counts, lowercase=False, longest=None)
    table = pa.table({"word": pa.array(list(words), pa.string()), "count": pa.array(list(words.values()), pa.int64())})
    with (
        written_aside(numbered(folder, COUNT, number, ".arrow")) as aside,
        pa.ipc.new_stream(str(aside), table.schema) as writer,
    ):
        writer.write_table(table)
    write_json(marker(folder, COUNT, number), {"sentences": int(chosen.sum())})


def _sample(shard: Shard, decision: Decision, quota: int | None, seed: int) -> Array:
    """bool of [sentences]: those of the training part that are counted; whole documents in the order of a hash."""
    training: Array = decision.sentences == decision.TRAIN
    if quota is None:
        return training
    sizes = np.fromiter(map(len, shard.dictionary), np.int64, len(shard.dictionary))
    characters = shard.words_of_sentences(sizes + 1) * training
    chosen = np.zeros(len(training), bool)
    for document in sorted(range(len(shard.ids)), key=lambda place: random.key("sample", seed, shard.ids[place])):
        if quota <= 0:
            break
        start, stop = shard.document_sentences[document : document + 2].tolist()
        reached = np.cumsum(characters[start:stop])
        chosen[start:stop] = training[start:stop] & (reached - characters[start:stop] < quota)
        quota -= int(reached[-1])
    return chosen


def read_counts(folder: Path, shards: int) -> dict[str, int]:
    """The word counts of all shards together."""
    files = [numbered(folder, COUNT, number, ".arrow") for number in range(shards)]
    whole = pa.concat_tables([pa.ipc.open_stream(pa.memory_map(str(path))).read_all() for path in files])
    counts = whole.group_by("word").aggregate([("count", "sum")])
    return dict(zip(counts.column("word").to_pylist(), counts.column("count_sum").to_pylist(), strict=True))


_encoders: dict[str, SentenceEncoder] = {}
"""The encoder of this process: what it has learnt serves all its shards."""


def encoder_of(tokenizer_json: Path) -> SentenceEncoder:
    """The encoder of a tokenizer file, kept for the next task of this process."""
    content = tokenizer_json.read_text(encoding="utf-8")
    key = hashlib.sha256(content.encode()).hexdigest()
    if key not in _encoders:
        _encoders.clear()
        _encoders[key] = SentenceEncoder(content)
    return _encoders[key]


def encode_task(folder: Path, number: int) -> None:
    """Encode a shard: one Arrow file for each part of the STORE."""
    plan = Plan.load(folder)
    shards = len(read_blocks(folder))
    shard = read_shard(shard_file(folder, number))
    decision = read_decision(folder, number)
    store = folder / "store"
    encoder = encoder_of(store / "tokenizer" / "tokenizer.json")
    chunks = ChunkEncoder(encoder, shard.dictionary)
    vocab_size = read_json(folder / ENCODE / "vocabulary.json")["vocab_size"]
    record: dict[str, Any] = {"parts": {}, "files": {}}
    kept = decision.sentences != decision.DROPPED
    document_of_sentence = np.repeat(np.arange(len(shard.ids)), np.diff(shard.document_sentences))
    tokens_of_document = np.zeros(len(shard.ids), np.int64)
    sentence_tokens: list[dict[str, int]] = []
    for part, side in ((TRAIN, decision.TRAIN), (HELD_OUT, decision.HELD_OUT)):
        sentences = np.flatnonzero(decision.sentences == side)
        lengths = shard.lengths[sentences]
        codes = gather(shard.codes, shard.chunk_offsets[sentences], lengths)
        ids, counts = chunks.encode(codes, lengths)
        _check(encoder, shard, sentences, ids, counts)
        documents = document_of_sentence[sentences]
        np.add.at(tokens_of_document, documents, counts)
        path = store / part / data_file(number, shards)
        rows = write_rows(
            path,
            vocab_size,
            ids,
            counts,
            documents=documents,
            document_ids=shard.ids,
            sentences=sentences - shard.document_sentences[documents],
        )
        record["parts"][part] = {"documents": rows, "sentences": int((counts > 0).sum()), "tokens": len(ids)}
        record["files"][f"{part}/{path.name}"] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        if part == TRAIN:
            write_array(numbered(folder, ENCODE, number, ".unigram.npy"), np.bincount(ids, minlength=vocab_size))
        else:
            record["held_out_documents"] = len(np.unique(documents[counts > 0]))
        sentence_tokens.append(sentence_classes(counts[counts > 0]))
    present = np.zeros(len(shard.ids), bool)
    present[document_of_sentence[kept]] = True
    record["without_tokens"] = int((present & (tokens_of_document == 0)).sum())
    record["sentence_tokens"] = added(sentence_tokens)
    if plan.keep_dropped:
        _write_dropped(folder, number, shard, decision, np.flatnonzero(present & (tokens_of_document == 0)))
    write_json(marker(folder, ENCODE, number), record)


def _check(encoder: SentenceEncoder, shard: Shard, sentences: Array, ids: Array, counts: Array) -> None:
    """Compare the ids of a few sentences with those of the stock tokenizer."""
    if not len(sentences) or not encoder.by_chunks:
        return
    offsets = offsets_of(counts)
    chosen = np.unique(np.linspace(0, len(sentences) - 1, CHECKED_A_SHARD).astype(np.int64)).tolist()
    texts = [shard.texts(int(sentences[place]), int(sentences[place]) + 1)[0] for place in chosen]
    expected, lengths = encoder.encode(texts)
    found = [ids[offsets[place] : offsets[place + 1]] for place in chosen]
    if not np.array_equal(np.concatenate(found), expected) or not np.array_equal(counts[chosen], lengths):
        wrong = next(
            text for text, some in zip(texts, found, strict=True) if not np.array_equal(some, encoder.encode([text])[0])
        )
        raise BertsmithError(f"the ids of a sentence are not those of the stock tokenizer: {wrong[:200]!r}")


def _write_dropped(folder: Path, number: int, shard: Shard, decision: Decision, without_tokens: Array) -> None:
    """What was dropped of a shard and why, for people to read: a line each."""
    rows = []
    for document in [*np.flatnonzero(decision.documents).tolist(), *without_tokens.tolist()]:
        sentences = shard.texts(*shard.document_sentences[document : document + 2].tolist())
        dropped = Dropped(decision.reason(document) or WITHOUT_TOKENS, " ".join(sentences), None)
        rows.append({"id": shard.ids[document], **asdict(dropped)})
    for document, paragraph in decision.paragraphs.tolist():
        if not decision.documents[document]:
            sentences = shard.texts(*shard.sentence_offsets[paragraph : paragraph + 2].tolist())
            place = paragraph - int(shard.paragraph_offsets[document])
            rows.append(
                {"id": shard.ids[document], **asdict(Dropped(DUPLICATE_PARAGRAPHS, " ".join(sentences), place))}
            )
    cleaned = numbered(folder, CLEAN, number, ".dropped.jsonl").read_text(encoding="utf-8")
    write_text(folder / "store" / "dropped" / f"{number:05d}.jsonl", cleaned + json_lines(rows))
