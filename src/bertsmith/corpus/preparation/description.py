"""The last stages: encode the text as token ids, then write the manifest and the report."""

from __future__ import annotations

from pathlib import Path

from bertsmith.corpus.deduplication import DUPLICATE_PARAGRAPHS
from bertsmith.corpus.preparation.state import PreparationState
from bertsmith.corpus.stages import encode as stage
from bertsmith.corpus.stages.dropped_texts import WITHOUT_TOKENS
from bertsmith.corpus.vocabulary_figures import vocabulary_figures
from bertsmith.errors import DataError
from bertsmith.records.manifest import (
    FORMAT,
    MANIFEST,
    VERSION,
    Cleaning,
    FileFacts,
    HeldOut,
    Manifest,
    Outcome,
    Statistics,
)
from bertsmith.reporting.store.report import store_report
from bertsmith.runtime.console import progress
from bertsmith.runtime.files import sha256_of, write_text
from bertsmith.runtime.machine import versions

REPORT = "report.html"


def encode_store(state: PreparationState) -> None:
    """Encode all shards. Raises DataError if the training or held-out part has no tokens."""
    with progress("encoding", unit="shards") as bar, state.timer.stage("encode"):
        state.encoded = stage.encode(
            state.corpus, state.corpus_split.vocab_size, lambda done, total: bar.update(done, total=total)
        )
    train, held_out = state.encoded.parts.train.tokens, state.encoded.parts.held_out.tokens
    if not held_out or not train:
        raise DataError(
            f"the corpus is too small: found {train} training tokens and {held_out} held-out tokens, expected some of "
            "each. Try: add text"
        )


def write_manifest(state: PreparationState) -> None:
    """Write manifest.json, including the checksums of all other files, and report.html."""
    for name in (MANIFEST, REPORT):  # left by a run that was interrupted while publishing
        (state.store / name).unlink(missing_ok=True)
    corpus, corpus_split, encoded = state.corpus, state.corpus_split, state.encoded
    vocabulary = vocabulary_figures(encoded.unigram, state.store / "tokenizer" / "tokenizer.json")
    state.manifest = Manifest(
        version=VERSION,
        format=FORMAT,
        options=state.identity,
        choices=corpus_split.choices,
        result=_outcome(state),
        parts=encoded.parts,
        held_out=HeldOut(by=corpus_split.summary.by, reason=corpus_split.summary.reason),
        detected=corpus.counts.detected,
        characters=corpus.characters,
        replaced_bytes=corpus.counts.replaced_bytes,
        cleaning=Cleaning(**corpus.cleaning),
        duplicates=corpus_split.clusters,
        statistics=Statistics(
            document_characters=corpus.statistics["document_characters"],
            languages=corpus.statistics["languages"],
            sentence_tokens=encoded.sentence_tokens,
            vocabulary_used=vocabulary.used,
            unknown_rate=vocabulary.unknown_rate,
            frequent_words=vocabulary.frequent_words,
        ),
        versions=versions(),
        files=_files(state.store, encoded.files),
    )
    state.manifest.write(state.store / MANIFEST)
    write_text(state.store / REPORT, store_report(state.options.out.name, state.manifest))


def _outcome(state: PreparationState) -> Outcome:
    """Return the counts; `documents_in` is `documents_kept` plus all dropped documents."""
    corpus, corpus_split, encoded = state.corpus, state.corpus_split, state.encoded
    dropped = corpus.dropped | (corpus_split.summary.dropped or {})
    if encoded.without_tokens:
        dropped[WITHOUT_TOKENS] = encoded.without_tokens
    paragraphs = dict(corpus.cleaning["paragraphs_dropped"])
    if corpus_split.summary.dropped_paragraphs:
        paragraphs[DUPLICATE_PARAGRAPHS] = corpus_split.summary.dropped_paragraphs
    both = encoded.parts.train + encoded.parts.held_out
    return Outcome(
        documents_in=corpus.counts.documents_in,
        documents_kept=corpus_split.summary.kept - encoded.without_tokens,
        dropped=dict(sorted(dropped.items())),
        dropped_paragraphs=dict(sorted(paragraphs.items())),
        held_out_documents=encoded.held_out_documents,
        sentences=both.sentences,
        tokens=both.tokens,
        vocab_size=corpus_split.vocab_size,
        tokenizer_sha256=corpus_split.sha256,
        stages=state.timer.stages,
        seconds=state.timer.seconds(),
        added_words=corpus_split.added_words,
        model=corpus_split.model,
    )


def _files(store: Path, known: dict[str, FileFacts]) -> dict[str, FileFacts]:
    """Return every file of the STORE by name; `known` has the checksums of the token ids."""
    files = dict(known)
    for path in store.rglob("*"):
        name = path.relative_to(store).as_posix()
        if path.is_file() and name not in files:
            files[name] = FileFacts(bytes=path.stat().st_size, sha256=sha256_of(path))
    return dict(sorted(files.items()))
