"""train-tokenizer: SOURCE to a Hugging Face tokenizer folder."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bertsmith.config.prepare import TrainTokenizerOptions
from bertsmith.config.verb import Result, verb
from bertsmith.corpus.readers import ReadingOptions, find_files
from bertsmith.corpus.spool import read_spool, write_spool
from bertsmith.runtime.console import progress, say
from bertsmith.runtime.files import claim_folder, disk_errors, publish_folder
from bertsmith.runtime.machine import cores
from bertsmith.tokenization.folder import SPECIAL_TOKENS, make_tokenizer, save_tokenizer
from bertsmith.tokenization.measures import fit
from bertsmith.tokenization.wordpiece import count_chunks, covering_alphabet, train_wordpiece, words_of_chunks


@dataclass(frozen=True)
class TrainTokenizerResult(Result):
    """What was trained, and how it fits the text it was trained on."""

    tokenizer: Path
    vocab_size: int
    sha256: str
    tokens_per_word: float
    unknown_rate: float


@verb(TrainTokenizerOptions)
def train_tokenizer(options: TrainTokenizerOptions) -> TrainTokenizerResult:
    """Train a WordPiece tokenizer on the whole text of the sources. The same text gives the same file."""
    files = find_files(options.sources)
    claim_folder(options.out, overwrite=options.overwrite, resume=False, verb="train-tokenizer")
    aside = options.out.parent / f".{options.out.name}.training"
    shutil.rmtree(aside, ignore_errors=True)
    with disk_errors(options.out):
        aside.mkdir(parents=True)
    try:
        with progress("reading and cleaning", unit="bytes") as bar:
            counts = write_spool(
                aside,
                files,
                ReadingOptions(options.documents, options.text_column, options.encoding, options.encoding_errors),
                language="en",  # where sentences end changes no word
                max_documents=options.max_documents,
                workers=options.workers or cores(),
                advance=lambda done, total: bar.update(done, total=total),
            )
        for line in counts["detected"][:5]:
            say(line)
        words = words_of_chunks(_chunks(aside), lowercase=not options.cased)
        with progress("training the tokenizer", unit="entries") as bar:
            vocabulary = train_wordpiece(
                words,
                vocab_size=options.vocab_size,
                alphabet_size=covering_alphabet(words, options.vocab_size),
                min_frequency=1,
                special_tokens=SPECIAL_TOKENS,
                advance=lambda done, total: bar.update(done, total=total),
            )
        tokenizer = make_tokenizer(vocabulary, cased=options.cased)
        sha256 = save_tokenizer(tokenizer, aside / "tokenizer")
        measured = fit(tokenizer, words)
        publish_folder(aside / "tokenizer", options.out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return TrainTokenizerResult(
        options.out, len(vocabulary), sha256, measured["tokens_per_word"], measured["unknown_rate"]
    )


def _chunks(folder: Path) -> Counter[str]:
    chunks: Counter[str] = Counter()
    for document in read_spool(folder):
        chunks.update(count_chunks(document.sentences))
    return chunks
