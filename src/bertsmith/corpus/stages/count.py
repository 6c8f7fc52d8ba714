"""Word counts of the training part: what a tokenizer is trained on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bertsmith.corpus.decisions import Decision, read_decision
from bertsmith.corpus.engine import marker, run_tasks
from bertsmith.corpus.plan import load_plan
from bertsmith.corpus.shards import Shard, read_shard
from bertsmith.corpus.stages.corpus import Corpus
from bertsmith.corpus.work_folder import COUNT, QUOTA, numbered, read_as, shard_file, write_as_json
from bertsmith.runtime import random
from bertsmith.runtime.files import atomic_write
from bertsmith.tokenization.word_counts import count_words_of

Array = npt.NDArray[Any]

SAMPLE_CHARACTERS = 256_000_000
"""Text that a tokenizer is trained on at most; more changes hardly a piece of it, and takes memory."""


@dataclass(frozen=True)
class CountedShard:
    """The record of a task: the sentences whose words were counted."""

    sentences: int


def count_words(corpus: Corpus, advance: Callable[[int, int], None]) -> dict[str, int]:
    """How often each word occurs in the training part as written, by BERT's rules, in a sample of at most 256 MB.

    Every shard gives its share of the sample, whole documents in the order of a hash of their id.
    """
    total = corpus.characters
    quota = [
        None if total <= SAMPLE_CHARACTERS else shard.characters * SAMPLE_CHARACTERS // total
        for shard in corpus.cleaned
    ]
    write_as_json(corpus.folder / COUNT / QUOTA, quota)
    run_tasks(corpus.engine, COUNT, count_task, folder=corpus.folder, count=corpus.shards, advance=advance)
    return _read_counts(corpus.folder, corpus.shards)


def forget_counts(corpus: Corpus) -> None:
    """Let the words be counted again: the training part has changed."""
    shutil.rmtree(corpus.folder / COUNT, ignore_errors=True)


def count_task(folder: Path, number: int) -> None:
    """Count the words of a shard's training part as they are written, in as many characters as its share of the sample.

    Whether capitals and marks stay is decided when the whole text is known (`tokenization.marks`).
    """
    shard = read_shard(shard_file(folder, number))
    decision = read_decision(folder, number)
    quota = read_as(list[int | None], folder / COUNT / QUOTA)[number]
    chosen = _sample(shard, decision, quota=quota, seed=load_plan(folder).seed)
    chunk_counts = np.bincount(shard.codes[np.repeat(chosen, shard.lengths)], minlength=len(shard.dictionary))
    words = count_words_of(shard.dictionary, chunk_counts, lowercase=False, longest=None)
    table = pa.table({"word": pa.array(list(words), pa.string()), "count": pa.array(list(words.values()), pa.int64())})
    with (
        atomic_write(numbered(folder, COUNT, number, suffix=".arrow")) as aside,
        pa.ipc.new_stream(str(aside), table.schema) as writer,
    ):
        writer.write_table(table)
    write_as_json(marker(folder, COUNT, number), CountedShard(int(chosen.sum())))


def _sample(shard: Shard, decision: Decision, *, quota: int | None, seed: int) -> Array:
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


def _read_counts(folder: Path, shards: int) -> dict[str, int]:
    """The word counts of all shards together."""
    files = [numbered(folder, COUNT, number, suffix=".arrow") for number in range(shards)]
    whole = pa.concat_tables([pa.ipc.open_stream(pa.memory_map(str(path))).read_all() for path in files])
    counts = whole.group_by("word").aggregate([("count", "sum")])
    return dict(zip(counts.column("word").to_pylist(), counts.column("count_sum").to_pylist(), strict=True))
