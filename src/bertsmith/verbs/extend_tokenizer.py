"""extend-tokenizer: add the words of a SOURCE to the tokenizer of a MODEL, in a new tokenizer folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bertsmith.config.extend_tokenizer import ExtendTokenizerOptions
from bertsmith.config.verb import Result, verb
from bertsmith.corpus.reading import find_files
from bertsmith.corpus.text_source import iterate_texts, read_text, reading_of
from bertsmith.models.model_tokenizer import load_model_tokenizer, with_known_length
from bertsmith.runtime.files import publish_folder, work_folder
from bertsmith.runtime.machine import cores
from bertsmith.tokenization.domain_words import WordRequest, add_domain_words, check_extendable
from bertsmith.tokenization.folder import save_tokenizer
from bertsmith.tokenization.measures import TokenizerFit


@dataclass(frozen=True)
class ExtendTokenizerResult(Result):
    """What was added, and how well the tokenizer fits held-out text before and after."""

    tokenizer: Path
    vocab_size: int
    sha256: str
    added: int
    tokens_per_word: dict[str, float]
    unknown_rate: dict[str, float]
    vocabulary_used: dict[str, float]

    def rows(self) -> list[TokenizerFit]:
        """Return the figures as a comparison of two tokenizers."""
        sizes = {"before": self.vocab_size - self.added, "after": self.vocab_size}
        return [
            TokenizerFit(name, size, self.tokens_per_word[name], self.unknown_rate[name], self.vocabulary_used[name])
            for name, size in sizes.items()
        ]


@verb(ExtendTokenizerOptions)
def extend_tokenizer(options: ExtendTokenizerOptions) -> ExtendTokenizerResult:
    """Add the words of a text that save the most tokens to the WordPiece vocabulary of a MODEL.

    A tenth of the text is held out: no word is chosen from it, and the gain is measured on it. With extension.json,
    which the folder also holds, `pretrain --from` starts each new word from the mean of its old pieces. The same text
    gives the same file.
    """
    base = with_known_length(load_model_tokenizer(options.model), options.model)
    check_extendable(base, options.model)
    files = find_files(options.sources)
    request = WordRequest(options.model, options.add, options.min_count, "--add", "more text or a smaller --min-count")
    with work_folder(options.out, overwrite=options.overwrite, verb="extend-tokenizer") as temporary:
        corpus = read_text(
            temporary,
            files,
            reading_of(options, files),
            max_documents=options.max_documents,
            workers=options.workers or cores(),
        )
        extended = add_domain_words(base, lambda: iterate_texts(corpus), request, sources=options.sources)
        sha256 = save_tokenizer(extended.tokenizer, temporary / "tokenizer")
        publish_folder(temporary / "tokenizer", options.out)
    rows = (extended.before, extended.after)
    return ExtendTokenizerResult(
        tokenizer=options.out,
        vocab_size=len(extended.tokenizer),
        sha256=sha256,
        added=extended.added,
        tokens_per_word={row.name: row.tokens_per_word for row in rows},
        unknown_rate={row.name: row.unknown_rate for row in rows},
        vocabulary_used={row.name: row.vocabulary_used for row in rows},
    )
