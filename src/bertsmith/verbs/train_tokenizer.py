"""train-tokenizer: SOURCE to a Hugging Face tokenizer folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bertsmith.config.prepare import TrainTokenizerOptions
from bertsmith.config.verb import Result, verb
from bertsmith.corpus.reading import find_files
from bertsmith.corpus.text import read_text, reading_of, words_as_written
from bertsmith.models.model_tokenizer import load_model_tokenizer
from bertsmith.runtime.console import log_info, progress
from bertsmith.runtime.files import publish_folder, work_folder
from bertsmith.runtime.machine import cores
from bertsmith.tokenization.alphabet import covering_alphabet
from bertsmith.tokenization.entries import with_unused_rows
from bertsmith.tokenization.folder import save_tokenizer
from bertsmith.tokenization.measures import Fit, compare, fit
from bertsmith.tokenization.word_counts import words_of_chunks
from bertsmith.tokenization.word_rules import WordRules
from bertsmith.tokenization.wordpiece import train_wordpiece


@dataclass(frozen=True)
class TrainTokenizerResult(Result):
    """What was trained, and how it fits the text it was trained on."""

    tokenizer: Path
    vocab_size: int
    sha256: str
    tokens_per_word: float
    unknown_rate: float
    comparison: list[Fit] = field(default_factory=list)


@verb(TrainTokenizerOptions)
def train_tokenizer(options: TrainTokenizerOptions) -> TrainTokenizerResult:
    """Train a WordPiece tokenizer on the whole text of the sources. The same text gives the same file."""
    other = load_model_tokenizer(options.compare) if options.compare is not None else None
    files = find_files(options.sources)
    with work_folder(options.out, overwrite=options.overwrite, verb="train-tokenizer") as aside:
        corpus = read_text(
            aside,
            files,
            reading_of(options, files),
            max_documents=options.max_documents,
            workers=options.workers or cores(),
        )
        as_written = words_as_written(corpus)
        rules = WordRules.of_text(as_written, cased=options.cased, accents=options.accents)
        for choice in rules.choices:
            log_info(f"{choice.name}: {choice.value} ({choice.reason})")
        words = rules.words(as_written)
        with progress("training the tokenizer", unit="entries") as bar:
            vocabulary = train_wordpiece(
                words,
                vocab_size=options.vocab_size,
                alphabet_size=covering_alphabet(words, options.vocab_size).size,
                min_frequency=1,
                advance=lambda done, total: bar.update(done, total=total),
            )
        vocabulary = with_unused_rows(vocabulary)
        tokenizer = rules.tokenizer(vocabulary)
        sha256 = save_tokenizer(tokenizer, aside / "tokenizer")
        measured = fit(tokenizer, words)
        comparison: list[Fit] = []
        if other is not None:
            readable = words_of_chunks(as_written, lowercase=False, strip_accents=False, longest=rules.longest)
            comparison = compare({str(options.out): tokenizer, str(options.compare): other}, readable)
        publish_folder(aside / "tokenizer", options.out)
    return TrainTokenizerResult(
        options.out, len(vocabulary), sha256, measured["tokens_per_word"], measured["unknown_rate"], comparison
    )
