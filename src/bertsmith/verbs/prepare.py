"""prepare: SOURCE to STORE."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.config.prepare import PrepareOptions
from bertsmith.config.verb import Result, verb
from bertsmith.corpus import build
from bertsmith.corpus.readers import ReadingOptions, SourceFile, find_files
from bertsmith.corpus.sentences import check_language
from bertsmith.corpus.spool import WITHOUT_TOKENS, finished_spool, write_spool
from bertsmith.corpus.store import FORMAT, TokenStore, is_store
from bertsmith.errors import DataError, InputError, OptionError, OutputError, ResourceError
from bertsmith.runtime.console import progress, say
from bertsmith.runtime.files import (
    claim_folder,
    disk_errors,
    publish_folder,
    read_json,
    sha256_of,
    write_json,
)
from bertsmith.runtime.machine import Choice, cores, versions
from bertsmith.tokenization.folder import SPECIAL_TOKENS, load_tokenizer, make_tokenizer, save_tokenizer
from bertsmith.tokenization.wordpiece import ALPHABET_SIZE, COVERAGE, covering_alphabet, train_wordpiece
from bertsmith.verbs.report import write_report

VOCABULARY_STEPS = (30_528, 16_384, 8_192, 4_096, 2_048, 1_024)
CHARACTERS_A_PIECE = 1_000


@dataclass(frozen=True)
class PrepareResult(Result):
    """What `prepare` made; `documents_in` is `documents_kept` plus all that was dropped."""

    store: Path
    documents_in: int
    documents_kept: int
    dropped: dict[str, int]
    held_out_documents: int
    sentences: int
    tokens: int
    vocab_size: int
    tokenizer_sha256: str
    seconds: float


@verb(PrepareOptions)
def prepare(options: PrepareOptions) -> PrepareResult:
    """Read, clean, de-duplicate and split text; train or take a tokenizer; write a STORE of token ids.

    Nothing appears at `out` before the STORE is whole. An interrupted run leaves its finished stages beside it, and
    `resume` goes on from them.
    """
    started = time.monotonic()
    files = find_files(options.sources)
    check_language(options.language)
    tokenizer = load_tokenizer(options.tokenizer) if options.tokenizer is not None else None
    if options.resume and is_store(options.out):
        return _already_done(options)
    if options.resume and options.out.is_dir() and any(options.out.iterdir()):
        raise OutputError(f"--out {options.out}: the folder holds something that is no STORE; choose another --out")
    claim_folder(options.out, overwrite=options.overwrite, resume=options.resume, verb="prepare")
    if options.dry_run:
        return _dry_run(options, files)
    aside = options.out.parent / f".{options.out.name}.preparing"
    try:
        _enter_stage(aside, options, files)
        counts = _spool(options, files, aside)
        result = _make_store(options, aside, tokenizer, counts, started)
        publish_folder(aside / "store", options.out)
    except (InputError, ResourceError) as error:
        # A text that was read to its end is kept for --resume where memory or disk ran short.
        if isinstance(error, InputError) or finished_spool(aside) is None:
            shutil.rmtree(aside, ignore_errors=True)
        raise
    shutil.rmtree(aside)
    return result


def _make_store(
    options: PrepareOptions, aside: Path, tokenizer: Any, counts: dict[str, Any], started: float
) -> PrepareResult:
    """From the spool to a whole STORE, still aside."""
    division, tokenizer, choices = _divide_and_train(options, aside, tokenizer, counts)
    store = aside / "store"
    shutil.rmtree(store, ignore_errors=True)
    with disk_errors(store):
        store.mkdir()
    sha256 = save_tokenizer(tokenizer, store / "tokenizer")
    with progress("encoding", unit="documents") as bar:
        encoded = build.encode_parts(
            aside, store, division, tokenizer, lambda done, total: bar.update(done, total=total)
        )
    parts = encoded.parts
    if not parts["held_out"]["tokens"] or not parts["train"]["tokens"]:
        raise DataError(
            f"the corpus is too small: {parts['train']['tokens']} tokens to train on, "
            f"{parts['held_out']['tokens']} held out. Add text."
        )
    dropped = counts["dropped"]
    if encoded.without_tokens:
        dropped = {**dropped, WITHOUT_TOKENS: encoded.without_tokens}
    result = PrepareResult(
        store=options.out,
        documents_in=counts["documents_in"],
        documents_kept=counts["documents_kept"] - encoded.without_tokens,
        dropped=dropped,
        held_out_documents=encoded.held_out_documents,
        sentences=parts["train"]["sentences"] + parts["held_out"]["sentences"],
        tokens=parts["train"]["tokens"] + parts["held_out"]["tokens"],
        vocab_size=len(tokenizer),
        tokenizer_sha256=sha256,
        seconds=round(time.monotonic() - started, 2),
    )
    _write_manifest(store, options, result, counts, parts, division, choices)
    write_report(store, options.out.name)
    return result


def _already_done(options: PrepareOptions) -> PrepareResult:
    """The result of a finished STORE of the same options."""
    manifest = TokenStore(options.out).manifest
    if manifest["options"] != _identity(options):
        raise OptionError(
            f"--resume: {options.out} is finished and was prepared with other options; "
            "give --overwrite to prepare it again, or another --out"
        )
    say(f"{options.out} is finished already")
    return PrepareResult(store=options.out, **manifest["result"])


def _identity(options: PrepareOptions) -> dict[str, Any]:
    """The options that decide what is in the STORE."""
    return {
        name: value
        for name, value in options.to_dict().items()
        if name not in ("overwrite", "resume", "dry_run", "workers", "out")
    }


def _enter_stage(aside: Path, options: PrepareOptions, files: list[SourceFile]) -> None:
    """Make the folder in which the STORE is made; stages of other options or other files are not taken over."""
    facts = [(file.path, file.path.stat()) for file in files]
    identity = {
        "options": _identity(options),
        "files": [[str(path), stat.st_size, stat.st_mtime_ns] for path, stat in facts],
    }
    path = aside / "options.json"
    same = path.is_file() and read_json(path) == identity
    if options.resume and not same:
        found = "the options or the files are others than those of" if aside.exists() else "there is no trace of"
        say(f"--resume: {found} an interrupted prepare; starting from the beginning")
    if aside.exists() and not (options.resume and same):
        shutil.rmtree(aside)
    with disk_errors(options.out):
        aside.mkdir(parents=True, exist_ok=True)
    write_json(path, identity)


def _spool(options: PrepareOptions, files: list[SourceFile], aside: Path) -> dict[str, Any]:
    counts = finished_spool(aside)
    if counts is not None:
        say("going on from the text that was read already")
        return counts
    reading = ReadingOptions(options.documents, options.text_column, options.encoding, options.encoding_errors)
    with progress("reading and cleaning", unit="bytes") as bar:
        counts = write_spool(
            aside,
            files,
            reading,
            language=options.language,
            max_documents=options.max_documents,
            workers=options.workers or cores(),
            advance=lambda done, total: bar.update(done, total=total),
        )
    for line in counts["detected"][:5]:
        say(line)
    if counts["replaced_bytes"]:
        say(f"{counts['replaced_bytes']} bytes were not {options.encoding} and were replaced")
    if counts["documents_kept"] == 0:
        raise DataError(f"no document is left: {counts['documents_in']} were read, dropped: {counts['dropped']}")
    return counts


def _divide_and_train(
    options: PrepareOptions, aside: Path, tokenizer: Any, counts: dict[str, Any]
) -> tuple[build.Division, Any, list[Choice]]:
    """The held-out part and the tokenizer: it is trained on the training part alone."""
    choices: list[Choice] = []
    share = options.held_out_share()
    division = _first_division(options, aside, share)
    trained = tokenizer or _train(options, aside, division, counts, choices)
    if division.by == "documents" and share is not None:
        why = build.too_few_tokens(aside, division, trained)
        if why is not None:
            choices.clear()
            division = build.divide_by_paragraphs(aside, share, options.seed, why)
            trained = tokenizer or _train(options, aside, division, counts, choices)
    say(f"held out: {division.reason}")
    for choice in choices:
        say(f"{choice.name}: {choice.value} ({choice.reason})")
    return division, trained, choices


def _first_division(options: PrepareOptions, aside: Path, share: float | None) -> build.Division:
    if share is None:
        return build.divide_by_ids(aside, Path(options.held_out))
    division = build.divide_by_documents(aside, share, options.seed)
    why = build.too_few_documents(division)
    return build.divide_by_paragraphs(aside, share, options.seed, why) if why is not None else division


def _train(
    options: PrepareOptions,
    aside: Path,
    division: build.Division,
    counts: dict[str, Any],
    choices: list[Choice],
) -> Any:
    with progress("counting words", unit="documents") as bar:
        words = build.training_words(
            aside, division, cased=options.cased, advance=lambda done, total: bar.update(done, total=total)
        )
    size, reason = options.vocab_size, ""
    if size is None:
        size, reason = default_vocab_size(counts["characters"], covering_alphabet(words))
    with progress("training the tokenizer", unit="entries") as bar:
        vocabulary = train_wordpiece(
            words,
            vocab_size=size,
            alphabet_size=covering_alphabet(words, size),
            # A size that was asked for is reached with pieces that occur once where it must be; one that was chosen
            # here stops before them.
            min_frequency=2 if options.vocab_size is None else 1,
            special_tokens=SPECIAL_TOKENS,
            fewer=options.vocab_size is None,
            advance=lambda done, total: bar.update(done, total=total),
        )
    if options.vocab_size is None:
        if len(vocabulary) < size:
            reason = f"all that the text supports; {size:,} was aimed at, {reason}"
        choices.append(Choice("vocabulary size", str(len(vocabulary)), reason))
    return make_tokenizer(vocabulary, cased=options.cased)


def default_vocab_size(characters: int, alphabet: int) -> tuple[int, str]:
    """The largest usual size that leaves each entry enough text to be learnt, and why.

    A script of thousands of characters, each an entry, needs twice as many entries whatever there is of it.
    """
    by_text = next((size for size in VOCABULARY_STEPS if size * CHARACTERS_A_PIECE <= characters), VOCABULARY_STEPS[-1])
    by_script = min((size for size in VOCABULARY_STEPS if size >= 2 * alphabet), default=VOCABULARY_STEPS[0])
    if alphabet > ALPHABET_SIZE and by_script > by_text:
        return by_script, f"twice the {alphabet:,} characters that make up {COVERAGE:.2%} of the text"
    return by_text, f"about {CHARACTERS_A_PIECE:,} characters an entry; the corpus has {characters:,}"


def _dry_run(options: PrepareOptions, files: list[SourceFile]) -> PrepareResult:
    """What would be read; nothing is written."""
    total = sum(file.path.stat().st_size for file in files)
    say(f"{len(files)} files of {total:,} bytes would be read into {options.out}; nothing is written")
    return PrepareResult(options.out, 0, 0, {}, 0, 0, 0, options.vocab_size or 0, "", 0.0)


def _write_manifest(
    store: Path,
    options: PrepareOptions,
    result: PrepareResult,
    counts: dict[str, Any],
    parts: dict[str, Any],
    division: build.Division,
    choices: list[Choice],
) -> None:
    figures = result.to_dict()
    figures.pop("store")
    names = [path for path in sorted(store.rglob("*")) if path.is_file()]
    write_json(
        store / "manifest.json",
        {
            "format": FORMAT,
            "options": _identity(options),
            "choices": [choice.to_dict() for choice in choices],
            "result": figures,
            "parts": parts,
            "held_out": {"by": division.by, "reason": division.reason},
            "detected": counts["detected"],
            "characters": counts["characters"],
            "replaced_bytes": counts["replaced_bytes"],
            "versions": versions(),
            "files": {
                path.relative_to(store).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
                for path in names
            },
        },
    )
