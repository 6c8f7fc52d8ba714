"""The last stages: token ids, and the manifest and report that describe them."""

from __future__ import annotations

from pathlib import Path

from bertsmith.corpus.deduplication import DUPLICATE_PARAGRAPHS
from bertsmith.corpus.preparation.state import PreparationState
from bertsmith.corpus.stages import encode as stage
from bertsmith.corpus.stages.dropped import WITHOUT_TOKENS
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


def encode(work: PreparationState) -> None:
    """Encode all shards. Raises DataError if a part has no token."""
    with progress("encoding", unit="shards") as bar, work.clock.stage("encode"):
        work.encoded = stage.encode(
            work.corpus, work.divided.vocab_size, lambda done, total: bar.update(done, total=total)
        )
    train, held_out = work.encoded.parts.train.tokens, work.encoded.parts.held_out.tokens
    if not held_out or not train:
        raise DataError(f"the corpus is too small: {train} tokens to train on, {held_out} held out. Add text.")


def describe(work: PreparationState) -> None:
    """Write manifest.json, with the checksums of all other files, and report.html."""
    for name in (MANIFEST, REPORT):  # of a run that was stopped while it published
        (work.store / name).unlink(missing_ok=True)
    corpus, divided, encoded = work.corpus, work.divided, work.encoded
    vocabulary = vocabulary_figures(encoded.unigram, work.store / "tokenizer" / "tokenizer.json")
    work.manifest = Manifest(
        version=VERSION,
        format=FORMAT,
        options=work.identity,
        choices=divided.choices,
        result=_outcome(work),
        parts=encoded.parts,
        held_out=HeldOut(by=divided.division.by, reason=divided.division.reason),
        detected=corpus.counts.detected,
        characters=corpus.characters,
        replaced_bytes=corpus.counts.replaced_bytes,
        cleaning=Cleaning(**corpus.cleaning),
        duplicates=divided.clusters,
        statistics=Statistics(
            document_characters=corpus.statistics["document_characters"],
            languages=corpus.statistics["languages"],
            sentence_tokens=encoded.sentence_tokens,
            vocabulary_used=vocabulary.used,
            unknown_rate=vocabulary.unknown_rate,
            frequent_words=vocabulary.frequent_words,
        ),
        versions=versions(),
        files=_files(work.store, encoded.files),
    )
    work.manifest.write(work.store / MANIFEST)
    write_text(work.store / REPORT, store_report(work.options.out.name, work.manifest))


def _outcome(work: PreparationState) -> Outcome:
    """The counts; `documents_in` is `documents_kept` plus all that was dropped."""
    corpus, divided, encoded = work.corpus, work.divided, work.encoded
    dropped = corpus.dropped | (divided.division.dropped or {})
    if encoded.without_tokens:
        dropped[WITHOUT_TOKENS] = encoded.without_tokens
    paragraphs = dict(corpus.cleaning["paragraphs_dropped"])
    if divided.division.dropped_paragraphs:
        paragraphs[DUPLICATE_PARAGRAPHS] = divided.division.dropped_paragraphs
    both = encoded.parts.train + encoded.parts.held_out
    return Outcome(
        documents_in=corpus.counts.documents_in,
        documents_kept=divided.division.kept - encoded.without_tokens,
        dropped=dict(sorted(dropped.items())),
        dropped_paragraphs=dict(sorted(paragraphs.items())),
        held_out_documents=encoded.held_out_documents,
        sentences=both.sentences,
        tokens=both.tokens,
        vocab_size=divided.vocab_size,
        tokenizer_sha256=divided.sha256,
        stages=work.clock.stages,
        seconds=work.clock.seconds(),
        added_words=divided.added_words,
        model=divided.model,
    )


def _files(store: Path, known: dict[str, FileFacts]) -> dict[str, FileFacts]:
    """Every file of the STORE, sorted by name; the checksums of the token ids are known already."""
    files = dict(known)
    for path in store.rglob("*"):
        name = path.relative_to(store).as_posix()
        if path.is_file() and name not in files:
            files[name] = FileFacts(bytes=path.stat().st_size, sha256=sha256_of(path))
    return dict(sorted(files.items()))
