"""Encoding: turn shards of sentences into the token ids of a STORE, and compare samples with the stock tokenizer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith.corpus.decisions import read_decision
from bertsmith.corpus.engine import completion_marker, run_tasks
from bertsmith.corpus.fingerprints import write_array
from bertsmith.corpus.plan import load_plan, read_blocks
from bertsmith.corpus.shards import Shard, read_shard
from bertsmith.corpus.stages.cleaned_corpus import Corpus
from bertsmith.corpus.stages.dropped_texts import write_dropped
from bertsmith.corpus.statistics import sentence_classes, sum_counts
from bertsmith.corpus.store import HELD_OUT, TRAIN, data_file, finish_part, write_rows
from bertsmith.corpus.work_folder import ENCODE, STORE, read_as, shard_file, stage_file, write_as_json
from bertsmith.errors import BertsmithError
from bertsmith.records.manifest import FileFacts, PartCounts, Parts
from bertsmith.runtime.files import sha256_of, write_json
from bertsmith.runtime.ragged import gather, offsets_of
from bertsmith.tokenization.sentence_encoding import CachedSentenceEncoder, ChunkEncoder

Array = npt.NDArray[Any]

VOCABULARY_FILE = "vocabulary.json"
CHECKED_PER_SHARD = 50
"""Sentences per shard whose ids are compared with those of the stock tokenizer."""


@dataclass(frozen=True)
class EncodedShard:
    """Record of an encoding task: sizes of both parts, and size and checksum of the files.

    Attributes:
        held_out_documents: documents with at least one held-out sentence.
        without_tokens: documents without any token.
        sentence_tokens: number of sentences per length class.
    """

    parts: Parts
    files: dict[str, FileFacts]
    held_out_documents: int
    without_tokens: int
    sentence_tokens: dict[str, int]


@dataclass(frozen=True)
class EncodedCorpus(EncodedShard):
    """Sums over all shards; `unigram` is int64 of [vocabulary], the count of each id in the training part."""

    unigram: Array


@dataclass(frozen=True)
class VocabularySize:
    """The size of the vocabulary of FOLDER/store/tokenizer, for the tasks."""

    vocab_size: int


def encode(corpus: Corpus, vocab_size: int, advance: Callable[[int, int], None]) -> EncodedCorpus:
    """Encode all shards with the tokenizer in FOLDER/store/tokenizer; make FOLDER/store a `datasets` folder."""
    store = corpus.folder / STORE
    write_as_json(corpus.folder / ENCODE / VOCABULARY_FILE, VocabularySize(vocab_size))
    run_tasks(corpus.engine, ENCODE, encode_task, folder=corpus.folder, count=corpus.shards, advance=advance)
    for partial in store.rglob("*.partial"):  # left by a task that was killed
        partial.unlink()
    records = [
        read_as(EncodedShard, completion_marker(corpus.folder, ENCODE, number)) for number in range(corpus.shards)
    ]
    names = [data_file(number, corpus.shards) for number in range(corpus.shards)]
    parts = Parts(
        train=sum((record.parts.train for record in records), PartCounts()),
        held_out=sum((record.parts.held_out for record in records), PartCounts()),
    )
    for part, counts in ((TRAIN, parts.train), (HELD_OUT, parts.held_out)):
        finish_part(store / part, names, vocab_size=vocab_size, tokens=counts.tokens)
    unigram = np.zeros(vocab_size, np.int64)
    for number in range(corpus.shards):
        unigram += np.load(stage_file(corpus.folder, ENCODE, number, suffix=".unigram.npy"))
    write_json(store / "unigram.json", unigram.tolist())
    write_json(store / "dataset_dict.json", {"splits": [TRAIN, HELD_OUT]})
    return EncodedCorpus(
        parts=parts,
        files={name: facts for record in records for name, facts in record.files.items()},
        held_out_documents=sum(record.held_out_documents for record in records),
        without_tokens=sum(record.without_tokens for record in records),
        sentence_tokens=sum_counts(record.sentence_tokens for record in records),
        unigram=unigram,
    )


_encoders: dict[str, CachedSentenceEncoder] = {}
"""The encoder of this process; all its shards share the cache."""


def load_encoder(tokenizer_json: Path) -> CachedSentenceEncoder:
    """Load the encoder of a tokenizer file, cached for the next task of this process."""
    content = tokenizer_json.read_text(encoding="utf-8")
    key = hashlib.sha256(content.encode()).hexdigest()
    if key not in _encoders:
        _encoders.clear()
        _encoders[key] = CachedSentenceEncoder(content)
    return _encoders[key]


def encode_task(folder: Path, number: int) -> None:
    """Encode a shard into one Arrow file per part of the STORE."""
    shards = len(read_blocks(folder))
    shard, decision = read_shard(shard_file(folder, number)), read_decision(folder, number)
    encoder = load_encoder(folder / STORE / "tokenizer" / "tokenizer.json")
    chunks = ChunkEncoder(encoder, shard.dictionary)
    vocab_size = read_as(VocabularySize, folder / ENCODE / VOCABULARY_FILE).vocab_size
    document_of_sentence = np.repeat(np.arange(len(shard.ids)), np.diff(shard.document_sentences))
    tokens_of_document = np.zeros(len(shard.ids), np.int64)
    parts: dict[str, PartCounts] = {}
    files: dict[str, FileFacts] = {}
    classes: list[dict[str, int]] = []
    held_out_documents = 0
    for part, side in ((TRAIN, decision.TRAIN), (HELD_OUT, decision.HELD_OUT)):
        sentences = np.flatnonzero(decision.sentences == side)
        lengths = shard.lengths[sentences]
        ids, counts = chunks.encode(gather(shard.codes, shard.chunk_offsets[sentences], lengths), lengths)
        _check(encoder, shard, sentences, ids=ids, counts=counts)
        documents = document_of_sentence[sentences]
        np.add.at(tokens_of_document, documents, counts)
        path = folder / STORE / part / data_file(number, shards)
        rows = write_rows(
            path,
            vocab_size,
            ids=ids,
            lengths=counts,
            documents=documents,
            document_ids=shard.ids,
            sentences=sentences - shard.document_sentences[documents],
        )
        parts[part] = PartCounts(documents=rows, sentences=int((counts > 0).sum()), tokens=len(ids))
        files[f"{part}/{path.name}"] = FileFacts(bytes=path.stat().st_size, sha256=sha256_of(path))
        if part == TRAIN:
            frequencies = np.bincount(ids, minlength=vocab_size)
            write_array(stage_file(folder, ENCODE, number, suffix=".unigram.npy"), frequencies)
        else:
            held_out_documents = len(np.unique(documents[counts > 0]))
        classes.append(sentence_classes(counts[counts > 0]))
    present = np.zeros(len(shard.ids), bool)
    present[document_of_sentence[decision.sentences != decision.DROPPED]] = True
    without_tokens = np.flatnonzero(present & (tokens_of_document == 0))
    if load_plan(folder).keep_dropped:
        write_dropped(folder, number, shard, decision=decision, without_tokens=without_tokens)
    record = EncodedShard(
        parts=Parts(**parts),
        files=files,
        held_out_documents=held_out_documents,
        without_tokens=len(without_tokens),
        sentence_tokens=sum_counts(classes),
    )
    write_as_json(completion_marker(folder, ENCODE, number), record)


def _check(encoder: CachedSentenceEncoder, shard: Shard, sentences: Array, *, ids: Array, counts: Array) -> None:
    """Compare the ids of a few sentences with those of the stock tokenizer."""
    if not len(sentences) or not encoder.by_chunks:
        return
    offsets = offsets_of(counts)
    chosen = np.unique(np.linspace(0, len(sentences) - 1, CHECKED_PER_SHARD).astype(np.int64)).tolist()
    texts = [shard.texts(int(sentences[index]), int(sentences[index]) + 1)[0] for index in chosen]
    expected, lengths = encoder.encode(texts)
    found = [ids[offsets[index] : offsets[index + 1]] for index in chosen]
    if not np.array_equal(np.concatenate(found), expected) or not np.array_equal(counts[chosen], lengths):
        wrong = next(
            text
            for text, ids_found in zip(texts, found, strict=True)
            if not np.array_equal(ids_found, encoder.encode([text])[0])
        )
        raise BertsmithError(f"the ids of a sentence differ from those of the stock tokenizer: {wrong[:200]!r}")
