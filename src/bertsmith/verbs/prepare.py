"""prepare: SOURCE to STORE."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bertsmith.config.cleaning import choose_steps
from bertsmith.config.extend_tokenizer import MIN_COUNT
from bertsmith.config.prepare import PrepareOptions
from bertsmith.config.verb import Result, verb
from bertsmith.corpus import build
from bertsmith.corpus.cleaning import CleaningOptions
from bertsmith.corpus.decisions import Division
from bertsmith.corpus.engine import Engine, check_engine
from bertsmith.corpus.forecast import Forecast, forecast, room_is_certain
from bertsmith.corpus.plan import Plan
from bertsmith.corpus.reading import SourceFile, find_files
from bertsmith.corpus.sentences import check_language
from bertsmith.corpus.stages import WITHOUT_TOKENS
from bertsmith.corpus.store import FORMAT, TokenStore, is_store
from bertsmith.corpus.text import reading_of, texts_of
from bertsmith.errors import DataError, InputError, OptionError, OutputError, ResourceError
from bertsmith.models.model_tokenizer import load_model_tokenizer, with_known_length
from bertsmith.runtime.console import progress, say, size_text, warn
from bertsmith.runtime.files import (
    claim_folder,
    disk_errors,
    free_bytes,
    publish_folder,
    read_json,
    settle_folder,
    sha256_of,
    sole_writer,
    write_json,
)
from bertsmith.runtime.machine import Choice, cores, versions
from bertsmith.tokenization.domain_words import Wanted, check_extendable, with_new_words
from bertsmith.tokenization.folder import (
    SPECIAL_TOKENS,
    model_of,
    record_of,
    save_tokenizer,
)
from bertsmith.tokenization.word_rules import WordRules
from bertsmith.tokenization.wordpiece import (
    ROWS,
    Alphabet,
    covering_alphabet,
    train_wordpiece,
    with_unused_rows,
)
from bertsmith.verbs.report import write_report

VOCABULARY_STEPS = (30_528, 16_384, 8_192, 4_096, 2_048, 1_024)
CHARACTERS_A_PIECE = 1_000
MANY = 0.1
DIVIDED = "divided.json"


@dataclass(frozen=True)
class PrepareResult(Result):
    """What `prepare` made; `documents_in` is `documents_kept` plus all that was dropped.

    `model` is the MODEL that `pretrain --from` continues on this STORE, if the tokenizer is that of a MODEL.
    """

    store: Path
    documents_in: int
    documents_kept: int
    dropped: dict[str, int]
    dropped_paragraphs: dict[str, int]
    held_out_documents: int
    sentences: int
    tokens: int
    vocab_size: int
    tokenizer_sha256: str
    stages: dict[str, float]
    seconds: float
    added_words: int = 0
    model: str | None = None


@verb(PrepareOptions)
def prepare(options: PrepareOptions) -> PrepareResult | Forecast:
    """Read, clean, de-duplicate and split text; train or take a tokenizer; write a STORE of token ids.

    Nothing appears at `out` before the STORE is whole. An interrupted run leaves what is done beside it, and `resume`
    goes on from there, to the same bytes.
    """
    started = time.monotonic()
    engine = Engine(options.engine, options.workers or cores(), options.engine_address)
    check_engine(engine)
    files = _visible_everywhere(find_files(options.sources), engine)
    check_language(options.language, identified="language" in choose_steps(options.clean))
    if options.tokenizer is not None:
        base = load_model_tokenizer(options.tokenizer)  # a mistake in it is to be found before hours of work
        if options.add_words is not None:
            check_extendable(base, options.tokenizer)
    aside = options.out.parent / f".{options.out.name}.preparing"
    identity = {**_identity(options), "files_sha256": _digest(files)}
    if options.resume and is_store(options.out) and not _is_interrupted(aside):
        with sole_writer(options.out, "prepare"):  # which also removes what a killed run left
            shutil.rmtree(aside, ignore_errors=True)
        return _already_done(options, identity)
    if options.resume and not is_store(options.out) and options.out.is_dir() and any(options.out.iterdir()):
        raise OutputError(f"--out {options.out}: the folder holds something that is no STORE; choose another --out")
    claim_folder(options.out, overwrite=options.overwrite, resume=options.resume, verb="prepare")
    plan = _plan(options, files)
    if options.dry_run:
        return forecast(plan, engine.workers, options.tokenizer, options.out)
    if not (options.resume and aside.exists()):  # what is done already lies on the disk
        _check_room(plan, engine, options)
    with sole_writer(options.out, "prepare"):
        try:
            _enter(aside, options, identity)
            build.write_plan(aside, plan)
            result = _make_store(options, engine, aside, identity, started)
            publish_folder(aside / "store", options.out)
        except InputError:
            # What is wrong with the text or the options stays wrong: there is nothing to go on from.
            shutil.rmtree(aside, ignore_errors=True)
            raise
        except ResourceError:
            if not any(aside.glob("clean/*.json")):
                shutil.rmtree(aside, ignore_errors=True)
            raise
        shutil.rmtree(aside)
    return result


class _Clock:
    """The seconds that each stage takes."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - started, 2)


def _visible_everywhere(files: list[SourceFile], engine: Engine) -> list[SourceFile]:
    """The files by paths that hold in any folder: on a cluster a task stands elsewhere."""
    if engine.name == "local":
        return files
    on_disk = {file for file in files if file.form != "hf" and not file.is_address}
    return [replace(file, location=str(file.path.absolute())) if file in on_disk else file for file in files]


def _plan(options: PrepareOptions, files: list[SourceFile]) -> Plan:
    steps = choose_steps(options.clean)
    share = options.held_out_share()
    return Plan(
        files=files,
        reading=reading_of(options, files),
        cleaning=CleaningOptions(steps, options.language, options.min_words),
        max_documents=options.max_documents,
        fingerprints=bool(steps & {"duplicates", "near-duplicates", "paragraphs"}),
        held_out_share=share or 0.0,
        held_out_file=str(Path(options.held_out).absolute()) if share is None else None,
        seed=options.seed,
        keep_dropped=options.keep_dropped,
        statistics=True,
    )


def _check_room(plan: Plan, engine: Engine, options: PrepareOptions) -> None:
    """Raise ResourceError where the disk would fill; a sample is read only where that is not out of the question."""
    free = free_bytes(options.out)
    if room_is_certain(plan, free):
        return
    expected = forecast(plan, engine.workers, options.tokenizer, options.out)
    if expected.disk_bytes > free:
        raise ResourceError(
            f"{options.out}: the disk would fill: about {size_text(expected.disk_bytes)} are needed while this works "
            f"({size_text(expected.store_bytes)} of them stay), {size_text(free)} are free there. Free some space, "
            "choose another --out, or give --max-documents."
        )


def _make_store(
    options: PrepareOptions, engine: Engine, aside: Path, identity: dict[str, Any], started: float
) -> PrepareResult:
    """From the plan to a whole STORE, still aside."""
    clock = _Clock()
    with (
        progress("reading", unit="groups of files") as reading,
        progress("cleaning", unit="blocks") as cleaning,
        clock.stage("read and clean"),
    ):
        corpus = build.read_and_clean(
            aside,
            engine,
            lambda done, total: reading.update(done, total=total),
            lambda done, total: cleaning.update(done, total=total),
        )
    _say_what_was_read(options, corpus)
    divided = _divide_and_train(options, corpus, clock)
    with progress("encoding", unit="shards") as bar, clock.stage("encode"):
        encoded = build.encode(corpus, divided["vocab_size"], lambda done, total: bar.update(done, total=total))
    parts = encoded.parts
    if not parts["held_out"]["tokens"] or not parts["train"]["tokens"]:
        raise DataError(
            f"the corpus is too small: {parts['train']['tokens']} tokens to train on, "
            f"{parts['held_out']['tokens']} held out. Add text."
        )
    division = divided["division"]
    dropped = {**corpus.counts["dropped"], **division["dropped"]}
    if encoded.without_tokens:
        dropped[WITHOUT_TOKENS] = encoded.without_tokens
    dropped_paragraphs = dict(corpus.counts["cleaning"]["paragraphs_dropped"])
    if division["dropped_paragraphs"]:
        dropped_paragraphs[build.DUPLICATE_PARAGRAPHS] = division["dropped_paragraphs"]
    result = PrepareResult(
        store=options.out,
        documents_in=corpus.counts["documents_in"],
        documents_kept=division["kept"] - encoded.without_tokens,
        dropped=dict(sorted(dropped.items())),
        dropped_paragraphs=dict(sorted(dropped_paragraphs.items())),
        held_out_documents=encoded.held_out_documents,
        sentences=parts["train"]["sentences"] + parts["held_out"]["sentences"],
        tokens=parts["train"]["tokens"] + parts["held_out"]["tokens"],
        vocab_size=divided["vocab_size"],
        tokenizer_sha256=divided["sha256"],
        stages=clock.seconds,
        seconds=round(time.monotonic() - started, 2),
        added_words=divided["added_words"],
        model=divided["model"],
    )
    _write_manifest(aside / "store", identity, result, corpus, encoded, divided)
    write_report(aside / "store", options.out.name)
    return result


def _say_what_was_read(options: PrepareOptions, corpus: build.Corpus) -> None:
    counts = corpus.counts
    for line in counts["detected"][:5]:
        say(line)
    if len(counts["detected"]) > 5:
        say(f"... and {len(counts['detected']) - 5} files more; all of it is in the report")
    if counts["replaced_bytes"]:
        say(f"{counts['replaced_bytes']} bytes were not {options.encoding} and were replaced")
    build.check_not_empty(corpus)


def _already_done(options: PrepareOptions, identity: dict[str, Any]) -> PrepareResult:
    """The result of a finished STORE of the same options and files."""
    manifest = TokenStore(options.out).manifest
    before = {"accents": "auto", **manifest["options"]}  # STOREs of earlier versions know no such option
    if before != identity:
        same = {**before, "files_sha256": identity["files_sha256"]} == identity
        other = "from other files" if same else "with other options"
        raise OptionError(
            f"--resume: {options.out} is finished and was prepared {other}; "
            "give --overwrite to prepare it again, or another --out"
        )
    say(f"{options.out} is finished already")
    return PrepareResult(store=options.out, **manifest["result"])


def _identity(options: PrepareOptions) -> dict[str, Any]:
    """The options that decide what is in the STORE."""
    aside = ("overwrite", "resume", "dry_run", "workers", "out", "engine", "engine_address")
    decisive = {name: value for name, value in options.to_dict().items() if name not in aside}
    if options.held_out_share() is None:
        decisive["held_out_sha256"] = sha256_of(Path(options.held_out))
    return decisive


def _digest(files: list[SourceFile]) -> str:
    """What changes when a file is another one: names, sizes, times."""
    facts = json.dumps([(file.name, file.location, file.size, file.modified) for file in files])
    return hashlib.sha256(facts.encode()).hexdigest()


def _is_interrupted(aside: Path) -> bool:
    """Whether a work folder holds work to go on with; one whose STORE has its name already is only to be removed."""
    published = (aside / DIVIDED).is_file() and not (aside / "store").exists()
    return aside.exists() and not published


def _enter(aside: Path, options: PrepareOptions, identity: dict[str, Any]) -> None:
    """Make the work folder; what was done with other options or other files is not taken over."""
    path = aside / "options.json"
    same = path.is_file() and read_json(path) == identity
    if options.resume and not same:
        found = "the options or the files are others than those of" if aside.exists() else "there is no trace of"
        say(f"--resume: {found} an interrupted prepare; starting from the beginning")
    elif options.resume:
        say("going on with what was done already")
    if aside.exists() and not (options.resume and same):
        shutil.rmtree(aside)
    with disk_errors(options.out):
        aside.mkdir(parents=True, exist_ok=True)
    write_json(path, identity)


def _divide_and_train(options: PrepareOptions, corpus: build.Corpus, clock: _Clock) -> dict[str, Any]:
    """Duplicates, the held-out part, the tokenizer (trained on the training part alone), as a record on the disk."""
    path = corpus.folder / DIVIDED
    if path.is_file():
        divided: dict[str, Any] = read_json(path)
        return divided
    store = corpus.folder / "store"
    shutil.rmtree(store, ignore_errors=True)
    build.forget_counts(corpus)
    with disk_errors(store):
        store.mkdir()
    steps = choose_steps(options.clean)
    duplicates, clusters = None, []
    with progress("looking for duplicates", unit="documents"), clock.stage("duplicates"):
        if Plan.load(corpus.folder).fingerprints:
            duplicates = build.find_all_duplicates(
                corpus,
                exact="duplicates" in steps,
                near=options.near_duplicates if "near-duplicates" in steps else None,
                paragraphs="paragraphs" in steps,
            )
            clusters = build.write_clusters(corpus, duplicates, store / "duplicates.jsonl")
        division = build.divide(corpus, duplicates)
    _warn_of_many(division)
    if not division.kept:
        raise DataError(f"no document is left: all of {sum(corpus.documents)} are {division.dropped}")
    share = options.held_out_share()
    choices: list[Choice] = []
    why = build.too_few_documents(division) if share is not None else None
    if why is None:
        tokenizer = _tokenizer(options, corpus, choices, clock)
        sha256 = save_tokenizer(tokenizer, store / "tokenizer")
        if share is not None:
            why = build.too_few_tokens(corpus, division, store / "tokenizer" / "tokenizer.json")
    if why is not None and share is not None:
        choices.clear()
        division = build.divide_by_paragraphs(corpus, division, share, options.seed, why)
        build.forget_counts(corpus)
        tokenizer = _tokenizer(options, corpus, choices, clock)
        sha256 = save_tokenizer(tokenizer, store / "tokenizer")
    say(f"held out: {division.reason}")
    for choice in choices:
        say(f"{choice.name}: {choice.value} ({choice.reason})")
    record = record_of(tokenizer) if options.add_words is not None else None
    divided = {
        "division": asdict(division),
        "clusters": clusters,
        "vocab_size": len(tokenizer),
        "sha256": sha256,
        "added_words": len(record["added"]) if record is not None else 0,
        "model": model_of(options.tokenizer, tokenizer) if options.tokenizer is not None else None,
        "choices": [choice.to_dict() for choice in choices],
    }
    with disk_errors(options.out):
        settle_folder(store)
    write_json(path, divided)
    return divided


def _warn_of_many(division: Division) -> None:
    """Texts made from one template are near-duplicates too: where they are many, somebody should look."""
    gone = (division.dropped or {}).get(build.NEAR_DUPLICATE, 0)
    if gone > 10 and gone > MANY * (division.kept + gone):
        warn(
            f"{gone:,} documents are like others and are dropped (STORE/duplicates.jsonl lists them). If they are not "
            "copies but made from one template, give --near-duplicates 0.8 or --clean no-near-duplicates"
        )


def _tokenizer(options: PrepareOptions, corpus: build.Corpus, choices: list[Choice], clock: _Clock) -> Any:
    """The tokenizer that was asked for, or one trained on the training part."""
    if options.tokenizer is not None:
        base = with_known_length(load_model_tokenizer(options.tokenizer), options.tokenizer)
        if options.add_words is None:
            return base
        with clock.stage("choose new words"):
            return _extended(options, base, corpus, choices)
    with progress("counting words", unit="shards") as bar, clock.stage("count words"):
        as_written = build.count_words(corpus, lambda done, total: bar.update(done, total=total))
        rules = WordRules.of_text(as_written, cased=options.cased, accents=options.accents)
        words = rules.words(as_written)
        del as_written
    choices += rules.choices
    alphabet = covering_alphabet(words)
    size, reason = options.vocab_size, ""
    if size is None:
        size, reason = default_vocab_size(corpus.counts["characters"], alphabet)
    alphabet = covering_alphabet(words, size)
    with progress("training the tokenizer", unit="entries") as bar, clock.stage("train the tokenizer"):
        vocabulary = train_wordpiece(
            words,
            vocab_size=size,
            alphabet_size=alphabet.size,
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
    if alphabet.size < alphabet.characters:
        reason = (
            f"the most frequent of {alphabet.characters:,}; the others are {alphabet.left_out:.2%} of the text, and a "
            "word with one of them is [UNK]"
        )
        choices.append(Choice("characters", f"{alphabet.size:,}", reason))
    rows = with_unused_rows(vocabulary)
    if len(rows) > len(vocabulary):
        unused = f"{len(vocabulary):,} entries that are used and {len(rows) - len(vocabulary)} [unused] ones"
        choices.append(Choice("vocabulary rows", str(len(rows)), f"{unused}, up to a multiple of {ROWS}"))
    return rules.tokenizer(rows)


def _extended(options: PrepareOptions, base: Any, corpus: build.Corpus, choices: list[Choice]) -> Any:
    """The tokenizer of a MODEL with words of the training part."""
    assert options.tokenizer is not None and options.add_words is not None
    wanted = Wanted(
        options.tokenizer, options.add_words, MIN_COUNT, "--add-words", "more text (extend-tokenizer has --min-count)"
    )
    origin = {"model": options.tokenizer, "sources": list(options.sources)}
    extended = with_new_words(base, lambda: texts_of(corpus, training_only=True), wanted, origin)
    gain = f"{extended.before.tokens_per_word:.3f} tokens a word became {extended.after.tokens_per_word:.3f}"
    reason = f"{gain}; pretrain --from {options.tokenizer} takes them up"
    choices.append(Choice("new words", f"{extended.added:,}", reason))
    return extended.tokenizer


def default_vocab_size(characters: int, alphabet: Alphabet) -> tuple[int, str]:
    """The largest usual size that leaves each entry enough text to be learnt, and why.

    Each character is an entry (two if it both begins words and continues them). If they would fill more than half of
    that size, it is the next usual size that is at least twice their number: room for as many pieces of words.
    """
    by_text = next((size for size in VOCABULARY_STEPS if size * CHARACTERS_A_PIECE <= characters), VOCABULARY_STEPS[-1])
    by_script = min((size for size in VOCABULARY_STEPS if size >= 2 * alphabet.entries), default=VOCABULARY_STEPS[0])
    if by_script > by_text:
        return by_script, (
            f"twice the {alphabet.entries:,} entries of the {min(alphabet.size, alphabet.characters):,} characters "
            f"that make up {1 - alphabet.left_out:.2%} of the text"
        )
    return by_text, f"about {CHARACTERS_A_PIECE:,} characters an entry; the corpus has {characters:,}"


def _write_manifest(
    store: Path,
    identity: dict[str, Any],
    result: PrepareResult,
    corpus: build.Corpus,
    encoded: build.Encoded,
    divided: dict[str, Any],
) -> None:
    for name in ("manifest.json", "report.html"):  # of a run that was stopped while it published
        (store / name).unlink(missing_ok=True)
    figures = result.to_dict()
    figures.pop("store")
    counts, division = corpus.counts, divided["division"]
    files = dict(encoded.files)
    for path in sorted(store.rglob("*")):
        name = path.relative_to(store).as_posix()
        if path.is_file() and name not in files:
            files[name] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    write_json(
        store / "manifest.json",
        {
            "format": FORMAT,
            "options": identity,
            "choices": divided["choices"],
            "result": figures,
            "parts": encoded.parts,
            "held_out": {"by": division["by"], "reason": division["reason"]},
            "detected": counts["detected"],
            "characters": counts["characters"],
            "replaced_bytes": counts["replaced_bytes"],
            "cleaning": counts["cleaning"],
            "duplicates": divided["clusters"],
            "statistics": {
                **counts["statistics"],
                "sentence_tokens": encoded.sentence_tokens,
                **build.vocabulary_figures(encoded, store / "tokenizer" / "tokenizer.json"),
            },
            "versions": versions(),
            "files": dict(sorted(files.items())),
        },
    )
