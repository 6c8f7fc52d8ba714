"""quickstart: the whole life cycle on text that is already on every machine, in one folder.

OUT/corpus.jsonl      the documentation of Python and of the installed packages, one module a document
OUT/store             that text as token ids
OUT/model             a BERT pre-trained on it
OUT/classification    train.csv and dev.csv: sentences labelled with the package they are from
OUT/classifier        the BERT, fine-tuned on them
OUT/texts             the documentation of Python alone, a file for each module: a small corpus to try the verbs on
OUT/licences.txt      the licences of Python and the installed packages: a text of a different style
OUT/report.html       all of it to look at
OUT/quickstart.json   the result, as `--json` prints it
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from bertsmith.config.quickstart import QuickstartOptions
from bertsmith.config.verb import Result, verb
from bertsmith.corpus.document import Document, paragraphs_of
from bertsmith.corpus.python_documentation.corpus import write_corpus
from bertsmith.corpus.python_documentation.example_texts import write_licences, write_package_texts
from bertsmith.corpus.sentences import split_sentences
from bertsmith.corpus.splitting import is_held_out
from bertsmith.reporting.numbers import percent
from bertsmith.reporting.page import Page
from bertsmith.reporting.run_report import (
    add_evaluation_table,
    add_head_metrics,
    add_language_model_figures,
    add_loss_charts,
    add_provenance,
    add_samples,
    add_speed,
    add_warnings,
)
from bertsmith.reporting.without_reading import pair_audit
from bertsmith.runtime import random
from bertsmith.runtime.console import progress, say
from bertsmith.runtime.files import claim_folder, disk_errors, read_json, write_json, write_text
from bertsmith.runtime.machine import cores
from bertsmith.runtime.program import runnable
from bertsmith.training.run_folder import read_metrics
from bertsmith.verbs.finetune import FinetuneResult, finetune
from bertsmith.verbs.predict import load
from bertsmith.verbs.prepare import PrepareResult, prepare
from bertsmith.verbs.pretrain import pretrain

VOCAB_SIZE = 8_192
HELD_OUT = 0.02
CLASSES = 6
TRAIN_A_CLASS, DEV_A_CLASS = 400, 60
TEXTS = "python"
"""The package whose modules are written as files."""
SHORTEST, LONGEST = 8, 40
"""Words of a sentence that is labelled or shown."""


@dataclass(frozen=True)
class QuickstartResult(Result):
    """What came out, and where it is."""

    run: Path
    store: Path
    classifier: Path
    report: Path
    mlm_nats_before: float
    mlm_nats_after: float
    unigram_nats_per_token: float
    next_sentence_accuracy: float
    next_sentence_majority: float
    next_sentence: dict[str, Any]
    classifier_accuracy: float
    majority_accuracy: float
    documents: int
    tokens: int
    steps: int
    seconds: float
    next_commands: list[str]


@verb(QuickstartOptions)
def quickstart(options: QuickstartOptions) -> QuickstartResult:
    """Corpus, tokenizer, pre-training, evaluation, predictions, a classifier and a report, without a download."""
    started = time.monotonic()
    out = options.out
    claim_folder(out, overwrite=options.overwrite, resume=False, verb="quickstart")
    if out.exists():
        shutil.rmtree(out)
    with disk_errors(out):
        out.mkdir(parents=True)
    write_json(out / "quickstart.json", {"status": "running"})

    say("1/5  the documentation of Python and of the installed packages")
    corpus = out / "corpus.jsonl"
    with progress("reading docstrings", unit="modules") as bar:
        found = write_corpus(corpus, options.workers or cores(), lambda done, total: bar.update(done, total=total))
    say(f"     {found['characters'] / 1e6:.1f} MB of prose from {found['documents']:,} modules")
    write_package_texts(corpus, out / "texts", TEXTS)
    write_licences(out / "licences.txt")
    say("2/5  prepare")
    store = prepare(
        corpus, out=out / "store", vocab_size=VOCAB_SIZE, held_out=HELD_OUT, seed=options.seed, workers=options.workers
    )
    assert isinstance(store, PrepareResult)
    say(f"     {store.tokens:,} tokens, vocabulary {store.vocab_size:,}")
    say(f"3/5  pretrain, {options.minutes:g} minutes")
    run = pretrain(store.store, out=out / "model", size="mini", minutes=options.minutes, seed=options.seed)
    say("4/5  judge next sentences")
    documents = list(_documents(corpus, options.seed))
    judged = _judge(out / "model", documents, options.seed)
    say("5/5  fine-tune: which package is this sentence from?")
    head = _classify(out, documents, options.seed)
    result = QuickstartResult(
        run=out / "model",
        store=out / "store",
        classifier=out / "classifier",
        report=out / "report.html",
        mlm_nats_before=run.evaluation_before["mlm_nats_per_masked_token"],
        mlm_nats_after=run.evaluation["mlm_nats_per_masked_token"],
        unigram_nats_per_token=run.evaluation["unigram_nats_per_token"],
        next_sentence_accuracy=run.evaluation["next_sentence_accuracy"],
        next_sentence_majority=run.evaluation["next_sentence_majority"],
        next_sentence=judged,
        classifier_accuracy=head.metrics["accuracy"]["mean"],
        majority_accuracy=head.baseline["accuracy"],
        documents=store.documents_kept,
        tokens=store.tokens,
        steps=run.steps,
        seconds=round(time.monotonic() - started, 1),
        next_commands=[runnable(command) for command in _next_commands(out)],
    )
    write_text(result.report, _report(result, head))
    write_json(out / "quickstart.json", {"status": "finished", **result.to_dict()})
    return result


def _next_commands(out: Path) -> list[str]:
    """What to try next; each command works as it is, in this order."""
    model, classifier, licences = (quote(str(out / name)) for name in ("model", "classifier", "licences.txt"))
    return [
        f'bertsmith fill-mask {model} "This function returns a [MASK] of all values."',
        f'bertsmith classify {classifier} "Returns a tensor on the given device."',
        f"bertsmith prepare {licences} --out data/licences --tokenizer {model}",
        f"bertsmith pretrain data/licences --out runs/licences --from {model} --minutes 1",
    ]


@dataclass(frozen=True)
class _Module:
    package: str
    held_out: bool
    sentences: list[str]


def _documents(corpus: Path, seed: int) -> Iterator[_Module]:
    """The modules of the corpus with the sentences that are fit to be shown."""
    with corpus.open(encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            paragraphs = split_sentences(Document(record["id"], paragraphs_of(record["text"])), "en")
            sentences = [sentence for paragraph in paragraphs for sentence in paragraph]
            yield _Module(record["package"], is_held_out(record["id"], HELD_OUT, seed), sentences)


def _fit(sentence: str) -> bool:
    return SHORTEST <= len(sentence.split()) <= LONGEST


def _judge(model: Path, documents: list[_Module], seed: int) -> dict[str, Any]:
    """A held-out sentence with the one that follows it, and with one of another module."""
    pairs = [
        (number, a, b)
        for number, module in enumerate(documents)
        if module.held_out
        for a, b in zip(module.sentences, module.sentences[1:], strict=False)
        if _fit(a) and _fit(b)
    ]
    number, a, b = pairs[random.key("shown pair", seed) % len(pairs)]
    others = [other for position, other, _ in pairs if position != number]
    other = others[random.key("shown other", seed) % len(others)]
    predictor = load(model)
    return {
        "a": a,
        "true": {"b": b, **predictor.next_sentence(a, b).to_dict()},
        "false": {"b": other, **predictor.next_sentence(a, other).to_dict()},
    }


def _classify(out: Path, documents: list[_Module], seed: int) -> FinetuneResult:
    """Sentences of the packages with most of them; the dev file is of modules that the model has not seen."""
    by_package: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for module in documents:
        by_package[module.package, module.held_out] += [text for text in module.sentences if _fit(text)]
    packages = sorted({package for package, _ in by_package}, key=lambda name: -len(by_package[name, True]))[:CLASSES]
    folder = out / "classification"
    folder.mkdir()
    for name, held_out, limit in (("train", False, TRAIN_A_CLASS), ("dev", True, DEV_A_CLASS)):
        table = io.StringIO()
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(("text", "label"))
        for package in sorted(packages):
            sentences = by_package[package, held_out]
            order = random.generator("labelled", seed, package, name).permutation(len(sentences))[:limit]
            rows.writerows((sentences[at], package) for at in order)
        write_text(folder / f"{name}.csv", table.getvalue())
    return finetune(
        "sequence-classification",
        model=str(out / "model"),
        train=folder / "train.csv",
        dev=folder / "dev.csv",
        out=out / "classifier",
        max_length=64,
        epochs=3,
        seed=seed,
    )


def _report(result: QuickstartResult, head: FinetuneResult) -> str:
    record = read_json(result.run / "run.json")
    updates, evaluations = read_metrics(result.run)
    before, after = record["evaluation_before"], record["evaluation"]
    page = Page(
        "A BERT from the documentation on this machine",
        subtitle=f"{result.documents:,} modules, {result.tokens:,} tokens, {result.steps:,} updates",
    )
    add_language_model_figures(page, after, before, pair_audit(record))
    add_warnings(page, record)
    page.section("Losses", "The loss of each update, and of held-out modules on frozen masks.")
    add_loss_charts(page, updates, evaluations, before, after)
    add_evaluation_table(page, before, after)
    page.section("Masks filled", "Held-out sentences with one word hidden; the true word is marked.")
    add_samples(page, record["samples"])
    page.section("Next sentence", "A held-out sentence, with the one that follows it and one of another module.")
    page.text(result.next_sentence["a"])
    page.table(
        ["next sentence?", "truth", "answer", "probability of IsNext"],
        [
            (item["b"], truth, item["label"], percent(item["is_next_probability"]))
            for truth, item in (("IsNext", result.next_sentence["true"]), ("NotNext", result.next_sentence["false"]))
        ],
        caption="Label 0 of the model is IsNext, 1 is NotNext",
    )
    classifier = read_json(result.classifier / "run.json")
    add_head_metrics(page, head.metrics, head.baseline, "Which package is this sentence from?")
    page.text(
        f"Fine-tuned on {classifier['data']['files'][0]['examples']:,} sentences, measured on {head.num_examples:,} of "
        "modules that the model has not seen. The checkpoint was chosen on these, so the figures are a little too good."
    )
    page.section("How it was made")
    add_speed(page, updates)
    add_provenance(page, record)
    page.section("Next")
    for line in result.next_commands:
        page.code(line)
    return page.html()
