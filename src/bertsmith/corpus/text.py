"""A text as a corpus of its own: read and cleaned as `prepare` does, nothing held out and nothing taken for a copy."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bertsmith.config.cleaning import DEFAULT_STEPS
from bertsmith.config.prepare import SourceOptions
from bertsmith.corpus.cleaning import CleaningOptions
from bertsmith.corpus.decisions import Decision, read_decision
from bertsmith.corpus.engine import Engine
from bertsmith.corpus.plan import Plan, write_plan
from bertsmith.corpus.reading import ReadingOptions, SourceFile
from bertsmith.corpus.shards import read_shard
from bertsmith.corpus.stages.corpus import Corpus, read_and_clean
from bertsmith.corpus.stages.count import count_words
from bertsmith.corpus.stages.divide import keep_all
from bertsmith.corpus.store import TRAIN
from bertsmith.corpus.work_folder import shard_file
from bertsmith.errors import OptionError
from bertsmith.runtime.console import log_info, progress


def read_text(
    folder: Path,
    files: Sequence[SourceFile],
    reading: ReadingOptions,
    *,
    part: str = TRAIN,
    max_documents: int | None = None,
    workers: int = 1,
    steps: Sequence[str] = DEFAULT_STEPS,
) -> Corpus:
    """Read and clean files in an empty work folder, all documents in one part; what was detected is said.

    Raises DataError where no document is left.
    """
    cleaning = CleaningOptions(steps=frozenset(steps))
    asked = Plan(files=list(files), reading=reading, cleaning=cleaning, max_documents=max_documents)
    plan = write_plan(folder, asked)
    with progress("reading", unit="groups of files") as first, progress("cleaning", unit="blocks") as second:
        corpus = read_and_clean(
            folder,
            plan,
            Engine(workers=workers),
            reading=lambda done, total: first.update(done, total=total),
            cleaning=lambda done, total: second.update(done, total=total),
        )
    for line in corpus.counts.detected[:5]:
        log_info(line)
    corpus.check_not_empty()
    keep_all(corpus, part)
    return corpus


def reading_of(options: SourceOptions, files: Sequence[SourceFile]) -> ReadingOptions:
    """How the files of a verb's sources are read. Raises OptionError as `refuse_separator`."""
    refuse_separator(options.separator, files)
    return ReadingOptions(
        options.documents, options.text_column, options.encoding, options.encoding_errors, options.separator
    )


def refuse_separator(separator: str | None, files: Sequence[SourceFile]) -> None:
    """Raises OptionError if a separator is given, and none of the files has one."""
    if separator is not None and not any(file.form in (".csv", ".tsv") for file in files):
        raise OptionError(f"--separator: {files[0].name} is not CSV or TSV, it has no separator; leave it out")


def texts_of(corpus: Corpus, *, training_only: bool = False) -> Iterator[list[list[str]]]:
    """The documents of a corpus: their paragraphs, each a list of sentences.

    `training_only`: without what is held out, and what is dropped as a duplicate.
    """
    for number in range(corpus.shards):
        shard = read_shard(shard_file(corpus.folder, number))
        chosen = np.ones(len(shard.lengths), bool)
        if training_only:
            chosen = read_decision(corpus.folder, number).sentences == Decision.TRAIN
        for document in range(len(shard.ids)):
            first, last = shard.paragraph_offsets[document : document + 2].tolist()
            paragraphs = [
                list(itertools.compress(shard.texts(start, stop), chosen[start:stop]))
                for start, stop in itertools.pairwise(shard.sentence_offsets[first : last + 1].tolist())
            ]
            if any(paragraphs):
                yield [paragraph for paragraph in paragraphs if paragraph]


def words_as_written(corpus: Corpus) -> dict[str, int]:
    """How often each word occurs, with its capitals and accents; `words_of_chunks` makes lower case of it."""
    with progress("counting words", unit="blocks") as bar:
        return count_words(corpus, lambda done, total: bar.update(done, total=total))
