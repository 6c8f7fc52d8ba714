"""quickstart: the whole life cycle in one folder, on text that every machine already has.

OUT/corpus.jsonl      the documentation of Python and of the installed packages, one document per module
OUT/store             that text as token ids
OUT/model             a BERT pre-trained on it
OUT/classification    train.csv and dev.csv: sentences labelled with the package they are from
OUT/classifier        the BERT, fine-tuned on them
OUT/texts             the documentation of Python only, one file per module: a small corpus to try the verbs on
OUT/licences.txt      the licences of Python and of the installed packages: text in a different style
OUT/report.html       all results on one page
OUT/quickstart.json   the result, as `--json` prints it
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from bertsmith.config.quickstart import QuickstartOptions
from bertsmith.config.verb import verb
from bertsmith.corpus.module_sentences import ModuleSentences, pair_to_score, read_modules, write_labelled
from bertsmith.corpus.python_documentation.corpus import write_corpus
from bertsmith.corpus.python_documentation.example_texts import write_licences, write_package_texts
from bertsmith.records.finetuning import FinetuningRecord
from bertsmith.records.pretraining import PretrainingRecord
from bertsmith.records.quickstart import QuickstartResult
from bertsmith.records.run import FILE
from bertsmith.reporting.quickstart_report import quickstart_report
from bertsmith.runtime.console import log_info, progress
from bertsmith.runtime.files import claim_folder, disk_errors, write_json, write_text
from bertsmith.runtime.machine import cores
from bertsmith.runtime.program import runnable
from bertsmith.training.run_folder import read_metrics
from bertsmith.verbs.finetune import FinetuneResult, finetune
from bertsmith.verbs.predict import load
from bertsmith.verbs.prepare import PrepareResult, prepare
from bertsmith.verbs.pretrain import pretrain

VOCAB_SIZE = 8_192
HELD_OUT = 0.02
TEXTS = "python"
"""The package whose modules are written as separate files."""


@verb(QuickstartOptions)
def quickstart(options: QuickstartOptions) -> QuickstartResult:
    """Make a corpus, a tokenizer, a BERT, a classifier and a report from text on this machine, without a download."""
    started = time.monotonic()
    out = options.out
    claim_folder(out, overwrite=options.overwrite, resume=False, verb="quickstart")
    if out.exists():
        shutil.rmtree(out)
    with disk_errors(out):
        out.mkdir(parents=True)
    write_json(out / "quickstart.json", {"status": "running"})

    log_info("1/5  Collect the documentation of Python and of the installed packages")
    corpus = out / "corpus.jsonl"
    with progress("reading docstrings", unit="modules") as bar:
        found = write_corpus(corpus, options.workers or cores(), lambda done, total: bar.update(done, total=total))
    log_info(f"     {found['characters'] / 1e6:.1f} MB of text from {found['documents']:,} modules")
    write_package_texts(corpus, out / "texts", TEXTS)
    write_licences(out / "licences.txt")
    log_info("2/5  Prepare it: clean, de-duplicate, train a tokenizer, encode")
    store = prepare(
        corpus, out=out / "store", vocab_size=VOCAB_SIZE, held_out=HELD_OUT, seed=options.seed, workers=options.workers
    )
    assert isinstance(store, PrepareResult)
    log_info(f"     {store.tokens:,} tokens, {store.vocab_size:,} vocabulary entries")
    log_info(f"3/5  Pre-train a BERT for {options.minutes:g} minutes")
    run = pretrain(store.store, out=out / "model", size="mini", minutes=options.minutes, seed=options.seed)
    log_info("4/5  Try next-sentence prediction")
    modules = list(read_modules(corpus, held_out=HELD_OUT, seed=options.seed))
    next_sentence = _example_answers(out / "model", pair_to_score(modules, options.seed))
    log_info("5/5  Fine-tune a classifier: which package is a sentence from?")
    head = _classify(out, modules, options.seed)
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
        next_sentence=next_sentence,
        classifier_accuracy=head.metrics["accuracy"]["mean"],
        majority_accuracy=head.baseline["accuracy"],
        documents=store.documents_kept,
        tokens=store.tokens,
        steps=run.steps,
        seconds=round(time.monotonic() - started, 1),
        next_commands=[runnable(command) for command in _next_commands(out)],
    )
    write_text(result.report, _report(result))
    write_json(out / "quickstart.json", {"status": "finished", **result.to_dict()})
    return result


def _next_commands(out: Path) -> list[str]:
    """Return commands to try next; each works as it is, in this order."""
    model, classifier, licences = (quote(str(out / name)) for name in ("model", "classifier", "licences.txt"))
    return [
        f'bertsmith fill-mask {model} "This function returns a [MASK] of all values."',
        f'bertsmith classify {classifier} "Returns a tensor on the given device."',
        f"bertsmith prepare {licences} --out data/licences --tokenizer {model}",
        f"bertsmith pretrain data/licences --out runs/licences --from {model} --minutes 1",
    ]


def _example_answers(model: Path, pair: tuple[str, str, str]) -> dict[str, Any]:
    """Return what the model answers for the true next sentence, and for a sentence from a different module."""
    predictor, (a, b, other) = load(model), pair
    return {
        "a": a,
        "true": {"b": b, **predictor.next_sentence(a, b).to_dict()},
        "false": {"b": other, **predictor.next_sentence(a, other).to_dict()},
    }


def _classify(out: Path, modules: Sequence[ModuleSentences], seed: int) -> FinetuneResult:
    """Fine-tune the model to recognise the package that a sentence is from."""
    folder = out / "classification"
    folder.mkdir()
    write_labelled(modules, folder, seed)
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


def _report(result: QuickstartResult) -> str:
    updates, evaluations = read_metrics(result.run)
    run = PretrainingRecord.read(result.run / FILE)
    classifier = FinetuningRecord.read(result.classifier / FILE)
    return quickstart_report(result, run, classifier, updates=updates, evaluations=evaluations)
