"""Every option of every verb changes something that can be seen.

A function below stands for each option: it runs the verb with two values (or with and without), and asserts the very
difference that the option promises, in files, figures, weights or behaviour. `test_every_option_has_an_effect` fails
for an option that has no such function, so no flag can come in without one.
"""

from __future__ import annotations

import itertools
import json
import math
import multiprocessing
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from bertsmith.cli.app import verbs
from bertsmith.cli.command import command_of
from bertsmith.cli.tokenize import TokenizeOptions
from bertsmith.config.extend_tokenizer import ExtendTokenizerOptions
from bertsmith.config.options import Options
from bertsmith.config.prepare import PrepareOptions, TrainTokenizerOptions
from bertsmith.config.pretrain import PretrainOptions
from bertsmith.config.quickstart import QuickstartOptions
from bertsmith.config.report import ReportOptions
from bertsmith.errors import DataError, OptionError, OutputError
from bertsmith.evaluation.options import CompareOptions, EvaluateOptions
from bertsmith.finetuning.glue.options import GlueOptions
from bertsmith.finetuning.options import FinetuneOptions, HeadTrainingOptions
from bertsmith.tasks.embedding.command import EmbedOptions
from bertsmith.tasks.fill_mask.command import FillMaskOptions
from bertsmith.tasks.multiple_choice.command import ChooseOptions
from bertsmith.tasks.next_sentence.command import NextSentenceOptions
from bertsmith.tasks.question_answering.command import AnswerOptions
from bertsmith.tasks.score_options import ScoreOptions
from bertsmith.tasks.sequence_classification.command import ClassifyOptions
from bertsmith.tasks.token_classification.command import TagOptions

TASK = "sequence-classification"
Effect = Callable[["Bench"], None]
EFFECTS: dict[tuple[type[Options], str], Effect] = {}
SLOW: set[Effect] = set()


def effect(schema: type[Options], *names: str, slow: bool = False) -> Callable[[Effect], Effect]:
    """The function shows the effect of these options."""

    def register(function: Effect) -> Effect:
        for name in names:
            assert (schema, name) not in EFFECTS, f"{schema.__name__}.{name} has two effects"
            EFFECTS[schema, name] = function
        if slow:
            SLOW.add(function)
        return function

    return register


def schemas() -> list[type[Options]]:
    """The schema of every verb of the command line, and of the words that may follow one."""
    commands = map(command_of, verbs())
    return [one.schema for command in commands for one in (command, *command.words.values())]


# The bench: what the effects work with


@dataclass
class Bench:
    """Small inputs, verbs with small settings, and what can be read from their results."""

    place: Path
    corpus: Path
    store: Path
    run: Path
    head: Path
    labelled: Path
    tiny: dict[str, Any]
    bertsmith: Callable[..., Any]
    monkeypatch: pytest.MonkeyPatch
    request: pytest.FixtureRequest
    made: int = 0
    said: list[str] = field(default_factory=list)

    def fresh(self, ending: str = "") -> Path:
        """A path at which nothing is yet."""
        self.made += 1
        return self.place / f"made-{self.made}{ending}"

    def file(self, content: str | bytes, ending: str = ".txt") -> Path:
        """A new file."""
        path = self.fresh(ending)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def listen(self) -> None:
        """Keep every note that is said from now on."""
        from bertsmith.runtime import console

        self.monkeypatch.setattr(console._logger, "info", lambda text, *_: self.said.append(text))

    def watch(self, owner: Any, name: str, see: Callable[..., None]) -> None:
        """Call `see` with the arguments of each call of a function."""
        original = getattr(owner, name)

        def watched(*args: Any, **values: Any) -> Any:
            see(*args, **values)
            return original(*args, **values)

        self.monkeypatch.setattr(owner, name, watched)

    @property
    def base(self) -> Path:
        """The RUN that `pretrain()` makes without options: what the effect of an option is seen against."""
        path: Path = self.request.getfixturevalue("two_updates")
        return path

    # Verbs

    def prepare(self, *sources: Path, **options: Any) -> Any:
        """A STORE of 192 entries, a fifth held out, unless the options say otherwise; its path is `store`."""
        from bertsmith.verbs.prepare import prepare

        trained = {} if "tokenizer" in options else {"vocab_size": 192}
        # The texts below differ in a few words of each sentence, so they are near-duplicates.
        plain = {"clean": "no-near-duplicates"}
        defaults = {"out": self.fresh(), "held_out": 0.2, "workers": 1, **plain, **trained}
        return prepare(*(sources or (self.corpus,)), **{**defaults, **options})

    def tokenizer(self, *sources: Path, **options: Any) -> Any:
        """A tokenizer of 120 entries."""
        from bertsmith.verbs.train_tokenizer import train_tokenizer

        defaults = {"out": self.fresh(), "vocab_size": 128, "workers": 1}
        return train_tokenizer(*(sources or (self.corpus,)), **{**defaults, **options})

    def extend(self, *sources: Path, **options: Any) -> Any:
        """The tokenizer of the tiny RUN with a word more."""
        from bertsmith.verbs.extend_tokenizer import extend_tokenizer

        defaults = {"model": self.run, "out": self.fresh(), "add": 1, "workers": 1}
        return extend_tokenizer(**{**defaults, "sources": sources or (self.corpus,), **options})

    def added(self, *sources: Path, **options: Any) -> list[str]:
        """The words that it adds."""
        content = json.loads((self.extend(*sources, **options).tokenizer / "extension.json").read_text())
        return [word["token"] for word in content["added"]]

    def pretrain(self, *store: Path, **options: Any) -> Any:
        """A tiny RUN of two updates; its path is `run`."""
        from bertsmith.verbs.pretrain import pretrain

        timed = {} if {"minutes", "epochs", "steps", "resume"} & set(options) else {"steps": 2}
        shape = ("layers", "hidden_size", "attention_heads", "intermediate_size", "max_positions")
        tiny = {
            name: value
            for name, value in self.tiny.items()
            if not (name in shape and options.get("from_")) and not options.get("resume")
        }
        return pretrain(*(store or (self.store,)), **{"out": self.fresh(), **timed, **tiny, **options})

    def finetune(self, **options: Any) -> Any:
        """A head on the tiny RUN after two updates."""
        from bertsmith.verbs.finetune import finetune

        data = {"train": self.labelled, "dev": self.labelled, "model": self.run, "out": self.fresh()}
        settings = {"max_length": 32, "batch_size": 16, "epochs": 1, "precision": "fp32", "learning_rate": 1e-3}
        free = options.pop("free", ())
        settings = {name: value for name, value in settings.items() if name not in free}
        return finetune(TASK, **{**data, **settings, **options})

    def evaluate(self, *arguments: Any, **options: Any) -> Any:
        """Figures of the tiny RUN on its STORE."""
        from bertsmith.verbs.evaluate import evaluate

        return evaluate(*(arguments or (self.run, self.store)), **options)

    def evaluate_head(self, data: Path | None = None, **options: Any) -> Any:
        """Figures of the head on a labelled file."""
        return self.evaluate(self.head, data or self.labelled, **options)

    def compare(self, *arguments: Any, **options: Any) -> Any:
        """The head, and one that has learnt the opposite, on the labelled file."""
        from bertsmith.verbs.compare import compare

        return compare(*(arguments or (self.head, self.opposite(), self.labelled)), **options)

    def opposite(self) -> Path:
        """The head with its two labels turned round: what it says is wrong."""
        folder = self.fresh()
        shutil.copytree(self.head, folder)
        config = json.loads((folder / "config.json").read_text())
        names = [config["id2label"][number] for number in ("1", "0")]
        turned = {"id2label": dict(enumerate(names)), "label2id": {name: at for at, name in enumerate(names)}}
        (folder / "config.json").write_text(json.dumps(config | turned))
        return folder

    def score(self, task: str, *files: Path, **options: Any) -> dict[str, float]:
        """Figures of a file of predictions."""
        from bertsmith.verbs.score import score

        return {name: figure.value for name, figure in score(task, *files, **options).metrics.items()}

    def lines(self, *arguments: Any, stdin: str | None = None) -> list[Any]:
        """What a verb answers on the command line."""
        found: list[Any] = self.bertsmith(*arguments, "--json", stdin=stdin).json_lines
        return found

    # What can be read from results

    def manifest(self, store: Path) -> Any:
        """manifest.json."""
        return json.loads((store / "manifest.json").read_text(encoding="utf-8"))

    def record(self, run: Path) -> Any:
        """run.json."""
        return json.loads((run / "run.json").read_text(encoding="utf-8"))

    def vocabulary(self, folder: Path) -> list[str]:
        """The entries of a tokenizer."""
        from bertsmith.tokenization.folder import load_tokenizer

        ids = load_tokenizer(str(folder)).get_vocab()
        return sorted(ids, key=lambda entry: ids[entry])

    def held_out(self, store: Path) -> set[str]:
        """The ids of the documents that are held out."""
        from bertsmith.corpus.store import HELD_OUT, TokenStore

        return set(TokenStore(store).part(HELD_OUT).document_ids)

    def updates(self, run: Path) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl that are of updates."""
        from bertsmith.training.run_folder import read_metrics

        return read_metrics(run)[0]

    def evaluations(self, run: Path) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl that are of evaluations."""
        from bertsmith.training.run_folder import read_metrics

        return read_metrics(run)[1]

    def rates(self, run: Path) -> list[float]:
        """The learning rate of each update."""
        return [update["learning_rate"] for update in self.updates(run)]

    def weights(self, run: Path) -> dict[str, npt.NDArray[np.float32]]:
        """The weights of a RUN."""
        from safetensors.numpy import load_file

        return load_file(run / "model.safetensors")

    def distance(self, a: Path, b: Path) -> float:
        """The largest difference of two RUNs' weights."""
        ours, theirs = self.weights(a), self.weights(b)
        assert ours.keys() == theirs.keys()
        return max(float(np.abs(ours[name] - theirs[name]).max()) for name in ours)

    def training_batches(self) -> list[dict[str, Any]]:
        """Every batch that a model is given from now on while it trains."""
        from bertsmith.models.bert import BertForPreTraining

        seen: list[dict[str, Any]] = []

        def see(model: Any, *inputs: Any, **batch: Any) -> None:
            if model.training:
                seen.append(batch)

        self.watch(BertForPreTraining, "forward", see)
        return seen

    def head_batches(self) -> list[int]:
        """The number of texts in each batch that a head is given from now on outside training."""
        from transformers import BertForSequenceClassification

        seen: list[int] = []

        def see(model: Any, *inputs: Any, **batch: Any) -> None:
            if not model.training:
                seen.append(len(batch["input_ids"]))

        self.watch(BertForSequenceClassification, "forward", see)
        return seen


def sentence(number: int) -> tuple[str, str]:
    """A text and its label: which of two words stands in it says which; lengths differ."""
    word, label = (("bread", "good"), ("horses", "bad"))[number % 2]
    return f"{' '.join([word] * (3 + number % 5))} near the river", label


ROWS = 32
LEARNING: dict[str, Any] = {"epochs": 8, "batch_size": 8, "learning_rate": 1e-2}
"""Settings with which the tiny model learns these labels."""


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 labelled texts as CSV."""
    file = tmp_path_factory.mktemp("labelled") / "labelled.csv"
    file.write_text("\n".join(["text,label", *(",".join(sentence(number)) for number in range(ROWS))]) + "\n")
    return file


@pytest.fixture(scope="session")
def head(run: Path, labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head fine-tuned on them."""
    from bertsmith.verbs.finetune import finetune

    out = tmp_path_factory.mktemp("head") / "head"
    settings = {"max_length": 32, "precision": "fp32", **LEARNING}
    finetune(TASK, model=run, train=labelled, dev=labelled, out=out, **settings)
    return out


@pytest.fixture
def bench(
    tmp_path: Path,
    corpus_file: Path,
    store: Path,
    run: Path,
    head: Path,
    labelled: Path,
    tiny: dict[str, Any],
    bertsmith: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Bench:
    monkeypatch.setattr("bertsmith.runtime.machine.STREAMS", 1)  # so that a batch is seen as a whole
    return Bench(tmp_path, corpus_file, store, run, head, labelled, tiny, bertsmith, monkeypatch, request)


@pytest.fixture(scope="session")
def two_updates(store: Path, tiny: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The RUN that `Bench.pretrain()` makes without options: what the effects of single options are seen against."""
    from bertsmith.verbs.pretrain import pretrain

    out = tmp_path_factory.mktemp("two-updates") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bertsmith.runtime.machine.STREAMS", 1)
        pretrain(store, out=out, steps=2, **tiny)
    return out


# The tests


def test_every_option_has_an_effect() -> None:
    """Every field of every verb's schema stands in the table, and nothing else does."""
    options = {(schema, name) for schema in schemas() for name in schema.model_fields}
    names = {f"{schema.__name__}.{name}" for schema, name in options ^ set(EFFECTS)}
    assert not names, f"without an effect, or with one that is of no option: {sorted(names)}"


def test_the_command_line_and_the_schemas_are_one() -> None:
    """All verbs are covered, and `finetune glue`; doctor has no option."""
    assert len(verbs()) == 19
    assert len(schemas()) == len(verbs()) + 1
    (without,) = [schema for schema in schemas() if not schema.model_fields]
    assert without.__name__ == "DoctorOptions"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a function; the table is complete only when this module has been read."""
    if "function" in metafunc.fixturenames:
        names: dict[Effect, list[str]] = {}
        for (schema, name), function in EFFECTS.items():
            names.setdefault(function, [schema.__name__.removesuffix("Options")]).append(name)
        cases = [
            pytest.param(function, id=".".join(words), marks=[pytest.mark.slow] if function in SLOW else [])
            for function, words in names.items()
        ]
        metafunc.parametrize("function", cases)


def test_effect(function: Effect, bench: Bench) -> None:
    function(bench)


# prepare


def texts(count: int = 120) -> list[str]:
    """Documents of twelve sentences, each with words of its own, so that none is a duplicate."""
    words = ["river", "letter", "market", "bridge", "winter", "captain", "lamp", "station", "garden", "window"]
    return [
        " ".join(
            f"The {words[(number + at) % 10]} of number {number} was {words[(number * at) % 10]} and the "
            f"{words[at % 10]} stood near {at} others."
            for at in range(12)
        )
        for number in range(count)
    ]


@effect(PrepareOptions, "sources")
def prepare_sources(bench: Bench) -> None:
    other = bench.file("\n".join(texts(3)))
    assert bench.prepare(documents="line").documents_in == 120
    assert bench.prepare(bench.corpus, other, documents="line").documents_in == 123


@effect(PrepareOptions, "documents")
def prepare_documents(bench: Bench) -> None:
    source = bench.file("\n\n".join("\n".join([text, "And nothing else."]) for text in texts()))
    found = {form: bench.prepare(source, documents=form) for form in ("auto", "file", "blank-line", "line")}
    counts = {form: (result.documents_in, result.dropped) for form, result in found.items()}
    assert counts == {
        "auto": (120, {}),
        "file": (1, {}),
        "blank-line": (120, {}),
        "line": (240, {"duplicate": 119}),
    }


@effect(PrepareOptions, "text_column")
def prepare_text_column(bench: Bench) -> None:
    rows = [{"text": text, "other": f"{text} {text}"} for text in texts()]
    source = bench.file("\n".join(map(json.dumps, rows)), ".jsonl")
    once, twice = bench.prepare(source), bench.prepare(source, text_column="other")
    assert twice.sentences == 2 * once.sentences
    with pytest.raises(DataError, match="no key 'words'; the keys there are 'text', 'other'"):
        bench.prepare(source, text_column="words")


def table_with_stars(bench: Bench, *rows: str) -> Path:
    """A table with a separator that its first rows do not show; the text is the second of two columns."""
    return bench.file("\n".join(("number*text", *(f"{number}*{row}" for number, row in enumerate(rows)))), ".csv")


@effect(PrepareOptions, "separator")
def prepare_separator(bench: Bench) -> None:
    source = table_with_stars(bench, *texts())
    with pytest.raises(DataError, match=r"no column|fields, expected"):
        bench.prepare(source, text_column="text")
    plain = bench.file("\n".join(texts()))
    assert bench.prepare(source, separator="*").sentences == bench.prepare(plain, documents="line").sentences


@effect(PrepareOptions, "encoding", "encoding_errors")
def prepare_encoding(bench: Bench) -> None:
    source = bench.file("\n".join(texts()).replace("winter", "été").encode("cp1252"))
    settings = {"documents": "line", "cased": True}
    with pytest.raises(DataError, match="is not utf-8"):
        bench.prepare(source, **settings)
    right = bench.prepare(source, encoding="cp1252", **settings)
    assert any("é" in entry for entry in bench.vocabulary(right.store))
    assert bench.manifest(right.store)["replaced_bytes"] == 0
    replaced = bench.prepare(source, encoding_errors="replace", **settings)
    assert not any("é" in entry for entry in bench.vocabulary(replaced.store))
    assert bench.manifest(replaced.store)["replaced_bytes"] == source.read_bytes().count(b"\xe9")


@effect(PrepareOptions, "language")
def prepare_language(bench: Bench) -> None:
    source = bench.file("\n".join(f"{text} Er kam am 3. Januar. Dann ging er." for text in texts()))
    english, german = (bench.prepare(source, documents="line", language=code) for code in ("en", "de"))
    assert english.sentences == german.sentences + 120, "only in German '3.' before a month ends no sentence"


@effect(PrepareOptions, "max_documents")
def prepare_max_documents(bench: Bench) -> None:
    assert bench.prepare(max_documents=100).documents_in == 100


def workers_seen(bench: Bench) -> list[int]:
    """In how many processes text was cleaned, from now on; blocks are small, so that there are several."""
    from bertsmith.corpus import engine, plan

    seen: list[int] = []
    original = engine.run_in_processes

    def watched(stage: Any, numbers: list[int], *, workers: int, advance: Any) -> None:
        if stage.name == "clean":
            seen.append(workers)
        original(stage, numbers, workers=workers, advance=advance)

    bench.monkeypatch.setattr(engine, "run_in_processes", watched)
    bench.monkeypatch.setattr(plan, "MIN_BLOCK", 5_000)
    return seen


@effect(PrepareOptions, "workers")
def prepare_workers(bench: Bench) -> None:
    seen = workers_seen(bench)
    results = [bench.prepare(workers=workers) for workers in (1, 2, 3)]
    assert seen == [2, 3]
    assert len({result.tokenizer_sha256 for result in results}) == 1
    files = [bench.manifest(result.store)["files"] for result in results]
    assert "train/data-00001-of-00002.arrow" in files[0] or len(files[0]) > 10
    assert all(facts == files[0][name] for some in files for name, facts in some.items() if name.endswith(".arrow"))


@effect(PrepareOptions, "out")
def prepare_out(bench: Bench) -> None:
    out = bench.place / "deep" / "store"
    assert bench.prepare(out=out).store == out
    assert (out / "manifest.json").is_file()
    assert [path.name for path in out.parent.iterdir()] == ["store"]


@effect(PrepareOptions, "vocab_size")
def prepare_vocab_size(bench: Bench) -> None:
    for size in (128, 192):
        result = bench.prepare(vocab_size=size)
        assert result.vocab_size == len(bench.vocabulary(result.store)) == size


@effect(PrepareOptions, "tokenizer")
def prepare_tokenizer(bench: Bench) -> None:
    result = bench.prepare(tokenizer=bench.run)
    assert bench.vocabulary(result.store) == bench.vocabulary(bench.run)
    assert bench.vocabulary(result.store) != bench.vocabulary(bench.prepare().store)


@effect(PrepareOptions, "add_words")
def prepare_add_words(bench: Bench) -> None:
    """Words that cost the tiny RUN's tokenizer most, behind its entries; no word more than there are."""
    base = bench.vocabulary(bench.run)
    for wanted in (1, 3):
        result = bench.prepare(tokenizer=bench.run, add_words=wanted)
        entries = bench.vocabulary(result.store)
        assert entries[: len(base)] == base
        assert len(entries) - len(base) == result.added_words == wanted
        assert all(entry.isalpha() for entry in entries[len(base) :])
    bench.listen()
    assert bench.prepare(tokenizer=bench.run).added_words == 0


@effect(PrepareOptions, "cased")
def prepare_cased(bench: Bench) -> None:
    uncased, cased = (bench.vocabulary(bench.prepare(cased=value).store) for value in (False, True))
    assert not any(entry[0].isupper() for entry in uncased)
    assert "The" in cased


@effect(PrepareOptions, "accents")
def prepare_accents(bench: Bench) -> None:
    """What the text asks for, and the opposite of it."""
    german = bench.file("\n".join(f"{text} Schöne Grüße." for text in texts()))
    hindi = bench.file("\n".join(f"{text} {'मैं पुणे में हूं। ' * 6}" for text in texts()))
    for source, asked, mark, kept in (
        (german, "auto", "ü", False),
        (german, "keep", "ü", True),
        (hindi, "auto", "े", True),
        (hindi, "strip", "े", False),
    ):
        vocabulary = bench.vocabulary(bench.prepare(source, documents="line", accents=asked).store)
        assert any(mark in entry for entry in vocabulary) is kept


@effect(PrepareOptions, "held_out")
def prepare_held_out(bench: Bench) -> None:
    few, many = (bench.held_out(bench.prepare(held_out=share).store) for share in (0.2, 0.4))
    assert few < many, "a larger share holds out the same documents and others"
    ids = bench.file("document-3\ndocument-5\ndocument-77\n")
    assert bench.held_out(bench.prepare(held_out=ids).store) == {"document-3", "document-5", "document-77"}


@effect(PrepareOptions, "seed")
def prepare_seed(bench: Bench) -> None:
    first, same, other = (bench.held_out(bench.prepare(seed=seed).store) for seed in (0, 0, 1))
    assert first == same != other


@effect(PrepareOptions, "overwrite")
def prepare_overwrite(bench: Bench) -> None:
    out = bench.prepare().store
    with pytest.raises(OutputError, match="not empty"):
        bench.prepare(out=out, vocab_size=128)
    assert bench.manifest(out)["result"]["vocab_size"] == 192
    bench.prepare(out=out, vocab_size=128, overwrite=True)
    assert bench.manifest(out)["result"]["vocab_size"] == 128


@effect(PrepareOptions, "resume")
def prepare_resume(bench: Bench) -> None:
    """Interrupted after the text is read; `resume` does not read it again, and without it it is read again."""
    from bertsmith.corpus.preparation import tokenizer
    from bertsmith.corpus.stages import read as stage

    def interrupt(*args: Any, **values: Any) -> None:
        raise KeyboardInterrupt

    read: list[Any] = []
    bench.watch(stage, "read_task", lambda *args, **values: read.append(args))
    stores = []
    for resume in (False, True):
        out = bench.fresh()
        with bench.monkeypatch.context() as patch:
            patch.setattr(tokenizer, "train_wordpiece", interrupt)
            with pytest.raises(KeyboardInterrupt):
                bench.prepare(out=out)
        assert not out.exists()
        read.clear()
        stores.append(bench.prepare(out=out, resume=resume).store)
        assert len(read) == (0 if resume else 1)
    first, second = (bench.manifest(store) for store in stores)
    assert first["files"]["train/data-00000-of-00001.arrow"] == second["files"]["train/data-00000-of-00001.arrow"]


@effect(PrepareOptions, "dry_run")
def prepare_dry_run(bench: Bench) -> None:
    found = bench.prepare(dry_run=True)
    assert (found.files, found.documents, found.fits) == (1, 120, True)
    assert 0 < found.store_bytes < found.disk_bytes < found.free_bytes
    assert list(bench.place.iterdir()) == []


@effect(PrepareOptions, "clean")
def prepare_clean(bench: Bench) -> None:
    source = bench.file("\n".join(["* * * * *", *texts(200)]))
    with_symbols = bench.prepare(source, clean="no-symbols,no-near-duplicates")
    assert bench.prepare(source).dropped_paragraphs == {"mostly symbols": 1}
    assert with_symbols.dropped_paragraphs == {}


@effect(PrepareOptions, "min_words")
def prepare_min_words(bench: Bench) -> None:
    source = bench.file("\n".join(["One two three four.", *texts(200)]))
    for words, dropped in ((3, {}), (5, {"too short": 1})):
        found = bench.prepare(source, documents="line", min_words=words).dropped
        assert {name: count for name, count in found.items() if name == "too short"} == dropped


@effect(PrepareOptions, "near_duplicates")
def prepare_near_duplicates(bench: Bench) -> None:
    words = [f"word{number}" for number in range(100)]
    like = [*words[:92], *(f"other{number}" for number in range(8))]  # 91 of 107 pairs in both: 0.85 or so
    others = np.random.default_rng(0).choice([f"item{number}" for number in range(500)], (200, 100))
    lines = [words, like, *others.tolist()]
    source = bench.file("\n".join(" ".join(line) + "." for line in lines))
    for threshold, dropped in ((0.5, 1), (1.0, 0)):
        found = bench.prepare(source, documents="line", near_duplicates=threshold, clean="none,near-duplicates")
        assert found.dropped.get("near-duplicate", 0) == dropped


@effect(PrepareOptions, "keep_dropped")
def prepare_keep_dropped(bench: Bench) -> None:
    source = bench.file("\n".join(["* * * * *", *texts(200)]))
    assert not (bench.prepare(source).store / "dropped").exists()
    lines = (bench.prepare(source, keep_dropped=True).store / "dropped" / "00000.jsonl").read_text().splitlines()
    assert [(json.loads(line)["reason"], json.loads(line)["text"]) for line in lines] == [
        ("mostly symbols", "* * * * *")
    ]


@effect(PrepareOptions, "engine", "engine_address")
def prepare_engine(bench: Bench) -> None:
    """The real clusters are in tests/corpus/test_engine.py; here: which engine is given the stages."""
    from bertsmith.corpus.engine import cluster

    seen: list[tuple[str, str | None]] = []

    def refuse(engine: Any, *rest: Any) -> None:
        seen.append((engine.name, engine.address))
        raise OptionError("no cluster")

    bench.monkeypatch.setattr(cluster, "run_on_cluster", refuse)
    with pytest.raises(OptionError, match="no cluster"):
        bench.prepare(engine="ray", engine_address="10.0.0.1:6379")
    assert seen == [("ray", "10.0.0.1:6379")]


# train-tokenizer


@effect(TrainTokenizerOptions, "sources")
def tokenizer_sources(bench: Bench) -> None:
    other = bench.file("\n".join(texts()).replace("the", "zyx"))
    assert "zyx" in bench.vocabulary(bench.tokenizer(bench.corpus, other).tokenizer)
    assert "zyx" not in bench.vocabulary(bench.tokenizer(bench.corpus).tokenizer)


@effect(TrainTokenizerOptions, "documents")
def tokenizer_documents(bench: Bench) -> None:
    """By lines, the lines of two words are documents, and dropped as too short."""
    source = bench.file("\n".join([*texts(5), *(f"Abracadabra {number}." for number in range(100))]))
    settings = {"vocab_size": 100}
    assert "abracadabra" in bench.vocabulary(bench.tokenizer(source, documents="file", **settings).tokenizer)
    assert "abracadabra" not in bench.vocabulary(bench.tokenizer(source, documents="line", **settings).tokenizer)


@effect(TrainTokenizerOptions, "text_column")
def tokenizer_text_column(bench: Bench) -> None:
    source = bench.file(
        json.dumps({"text": " ".join(texts(5)), "other": " ".join(texts(5)).replace("number", "zyx")}), ".jsonl"
    )
    settings = {"vocab_size": 80}
    assert "zyx" not in bench.vocabulary(bench.tokenizer(source, **settings).tokenizer)
    assert "zyx" in bench.vocabulary(bench.tokenizer(source, text_column="other", **settings).tokenizer)


@effect(TrainTokenizerOptions, "separator")
def tokenizer_separator(bench: Bench) -> None:
    source = table_with_stars(bench, *(f"{text} zyx" for text in texts()))
    assert "zyx" in bench.vocabulary(bench.tokenizer(source, separator="*", vocab_size=128).tokenizer)


@effect(TrainTokenizerOptions, "encoding", "encoding_errors")
def tokenizer_encoding(bench: Bench) -> None:
    source = bench.file(" ".join(texts(10)).replace("number", "été").encode("cp1252"))
    settings = {"cased": True, "vocab_size": 80}
    with pytest.raises(DataError, match="is not utf-8"):
        bench.tokenizer(source, **settings)
    assert "été" in bench.vocabulary(bench.tokenizer(source, encoding="cp1252", **settings).tokenizer)
    replaced = bench.tokenizer(source, encoding_errors="replace", **settings)
    assert not any("é" in entry for entry in bench.vocabulary(replaced.tokenizer))


@effect(TrainTokenizerOptions, "max_documents")
def tokenizer_max_documents(bench: Bench) -> None:
    source = bench.file("\n".join([*texts(5), *(text.replace("number", "zyx") for text in texts(10))]))
    settings = {"documents": "line", "vocab_size": 80}
    assert "zyx" in bench.vocabulary(bench.tokenizer(source, **settings).tokenizer)
    assert "zyx" not in bench.vocabulary(bench.tokenizer(source, max_documents=5, **settings).tokenizer)


@effect(TrainTokenizerOptions, "workers")
def tokenizer_workers(bench: Bench) -> None:
    seen = workers_seen(bench)
    assert len({bench.tokenizer(workers=workers).sha256 for workers in (1, 2, 3)}) == 1
    assert seen == [2, 3]


@effect(TrainTokenizerOptions, "out")
def tokenizer_out(bench: Bench) -> None:
    out = bench.place / "deep" / "tokenizer"
    assert bench.tokenizer(out=out).tokenizer == out
    assert (out / "tokenizer.json").is_file()
    assert [path.name for path in out.parent.iterdir()] == ["tokenizer"]


@effect(TrainTokenizerOptions, "vocab_size")
def tokenizer_vocab_size(bench: Bench) -> None:
    small, large = (bench.tokenizer(vocab_size=size) for size in (100, 192))
    assert (small.vocab_size, large.vocab_size) == (128, 192)
    assert "[unused27]" in bench.vocabulary(small.tokenizer)
    assert small.tokens_per_word > large.tokens_per_word


@effect(TrainTokenizerOptions, "cased")
def tokenizer_cased(bench: Bench) -> None:
    uncased, cased = (bench.vocabulary(bench.tokenizer(cased=value).tokenizer) for value in (False, True))
    assert not any(entry[0].isupper() for entry in uncased)
    assert "The" in cased


@effect(TrainTokenizerOptions, "accents")
def tokenizer_accents(bench: Bench) -> None:
    source = bench.file("\n".join(f"{text} Grüße {'かぎ, かき. ' * 6}" for text in texts()))
    for asked, kept in (("auto", True), ("keep", True), ("strip", False)):
        vocabulary = bench.vocabulary(bench.tokenizer(source, accents=asked).tokenizer)
        assert any("ü" in entry for entry in vocabulary) is kept
        assert any("ぎ" in entry for entry in vocabulary) is kept


@effect(TrainTokenizerOptions, "overwrite")
def tokenizer_overwrite(bench: Bench) -> None:
    out = bench.tokenizer().tokenizer
    with pytest.raises(OutputError, match="not empty"):
        bench.tokenizer(out=out, vocab_size=192)
    assert len(bench.vocabulary(out)) == 128
    bench.tokenizer(out=out, vocab_size=192, overwrite=True)
    assert len(bench.vocabulary(out)) == 192


@effect(TrainTokenizerOptions, "compare")
def tokenizer_compare(bench: Bench) -> None:
    assert bench.tokenizer().comparison == []
    own, other = bench.tokenizer(compare=str(bench.run)).comparison
    assert (own.vocab_size, other.vocab_size) == (128, 256)
    assert own.tokens_per_word > other.tokens_per_word
    out = ("--out", bench.fresh(), "--vocab-size", 120)
    answer = bench.bertsmith("train-tokenizer", bench.corpus, *out, "--compare", bench.run)
    (line,) = [line for line in answer.stdout.splitlines() if line.strip().startswith(f"{bench.run} ")]
    assert " 256 entries, " in line


# extend-tokenizer


def text_with(word: str) -> str:
    """The documents of `texts`, one a line, with a word in each."""
    return "\n".join(f"{text} And {word}." for text in texts())


@effect(ExtendTokenizerOptions, "model")
def extend_model(bench: Bench) -> None:
    """The word that is an entry of one tokenizer is new to the other."""
    own = bench.tokenizer(bench.file(text_with("zyxzyx zyxzyx")), vocab_size=200, documents="line").tokenizer
    assert "zyxzyx" in bench.vocabulary(own)
    source = bench.file(text_with("zyxzyx wow"))
    found = [bench.added(source, model=model, add=40, documents="line") for model in (bench.run, own)]
    assert [("zyxzyx" in words, "wow" in words) for words in found] == [(True, True), (False, True)]


@effect(ExtendTokenizerOptions, "sources")
def extend_sources(bench: Bench) -> None:
    other = bench.file(text_with("zyx"))
    settings = {"add": 400, "documents": "line"}
    assert "zyx" in bench.added(bench.corpus, other, **settings)
    assert "zyx" not in bench.added(bench.corpus, **settings)


@effect(ExtendTokenizerOptions, "documents")
def extend_documents(bench: Bench) -> None:
    """What is kept apart is whole documents where there are enough of them."""
    source = bench.file("\n".join(texts()))
    for form, level in (("line", "documents"), ("file", "paragraphs")):
        out = bench.extend(source, documents=form).tokenizer
        assert json.loads((out / "extension.json").read_text())["measured_on"] == f"a tenth of the text, by {level}"


@effect(ExtendTokenizerOptions, "text_column")
def extend_text_column(bench: Bench) -> None:
    rows = ({"text": text, "other": f"{text} And zyx."} for text in texts())
    source = bench.file("".join(json.dumps(row) + "\n" for row in rows), ".jsonl")
    assert "zyx" not in bench.added(source, add=400)
    assert "zyx" in bench.added(source, add=400, text_column="other")


@effect(ExtendTokenizerOptions, "separator")
def extend_separator(bench: Bench) -> None:
    source = table_with_stars(bench, *(f"{text} And zyx." for text in texts()))
    assert "zyx" in bench.added(source, add=400, separator="*")


@effect(ExtendTokenizerOptions, "encoding", "encoding_errors")
def extend_encoding(bench: Bench) -> None:
    source = bench.file(text_with("łódź").encode("cp1250"))
    settings = {"add": 400, "documents": "line"}
    with pytest.raises(DataError, match="is not utf-8"):
        bench.extend(source, **settings)
    assert "łodz" in bench.added(source, encoding="cp1250", **settings)
    replaced = bench.added(source, encoding_errors="replace", **settings)
    assert "łodz" not in replaced
    assert "number" in replaced


@effect(ExtendTokenizerOptions, "max_documents")
def extend_max_documents(bench: Bench) -> None:
    source = bench.file("\n".join([*texts(80), *[f"{text} And zyx." for text in texts()[80:]]]))
    settings = {"add": 400, "documents": "line"}
    assert "zyx" in bench.added(source, **settings)
    assert "zyx" not in bench.added(source, max_documents=80, **settings)


@effect(ExtendTokenizerOptions, "workers")
def extend_workers(bench: Bench) -> None:
    seen = workers_seen(bench)
    assert len({bench.extend(workers=workers).sha256 for workers in (1, 2, 3)}) == 1
    assert seen == [2, 3]


@effect(ExtendTokenizerOptions, "add")
def extend_add(bench: Bench) -> None:
    one, three = (bench.extend(add=number) for number in (1, 3))
    assert (one.vocab_size, three.vocab_size) == (257, 259)
    assert one.tokens_per_word["before"] == three.tokens_per_word["before"]
    assert one.tokens_per_word["after"] > three.tokens_per_word["after"]


@effect(ExtendTokenizerOptions, "out")
def extend_out(bench: Bench) -> None:
    out = bench.place / "deep" / "tokenizer"
    assert bench.extend(out=out).tokenizer == out
    assert (out / "tokenizer.json").is_file()
    assert [path.name for path in out.parent.iterdir()] == ["tokenizer"]


@effect(ExtendTokenizerOptions, "min_count")
def extend_min_count(bench: Bench) -> None:
    source = bench.file("\n".join([*texts(119), f"{texts()[119]} And zyx zyx."]))
    settings = {"add": 400, "documents": "line"}
    assert "zyx" in bench.added(source, min_count=2, **settings)
    assert "zyx" not in bench.added(source, **settings)


@effect(ExtendTokenizerOptions, "overwrite")
def extend_overwrite(bench: Bench) -> None:
    out = bench.extend().tokenizer
    with pytest.raises(OutputError, match="not empty"):
        bench.extend(out=out, add=2)
    assert len(bench.vocabulary(out)) == 257
    bench.extend(out=out, add=2, overwrite=True)
    assert len(bench.vocabulary(out)) == 258


# pretrain


@effect(PretrainOptions, "store")
def pretrain_store(bench: Bench) -> None:
    other = bench.prepare().store
    run = bench.pretrain(other).run
    assert bench.record(run)["data"]["checksum"] != bench.record(bench.base)["data"]["checksum"]
    assert len(bench.vocabulary(run)) == 192


@effect(PretrainOptions, "out")
def pretrain_out(bench: Bench) -> None:
    out = bench.place / "deep" / "run"
    assert bench.pretrain(out=out).run == out
    assert (out / "model.safetensors").is_file()
    assert [path.name for path in out.parent.iterdir()] == ["run"]


@effect(PretrainOptions, "from_")
def pretrain_from(bench: Bench) -> None:
    result = bench.pretrain(from_=bench.run)
    left = bench.record(bench.run)["evaluation"]["mlm_nats_per_masked_token"]
    assert result.evaluation_before["mlm_nats_per_masked_token"] == pytest.approx(left, abs=1e-5)
    assert bench.distance(result.run, bench.run) < bench.distance(result.run, bench.base)


@effect(PretrainOptions, "teacher", "distil_weight", "distil_temperature")
def pretrain_teacher(bench: Bench) -> None:
    """Each changes the weights; the teacher's loss is in the figures of each update."""
    plain = bench.pretrain().run
    taught = bench.pretrain(teacher=bench.run).run
    assert "teacher_loss" in bench.updates(taught)[0] and "teacher_loss" not in bench.updates(plain)[0]
    runs = [plain, taught]
    for options in ({"distil_weight": 1.0}, {"distil_temperature": 4.0}):
        runs.append(bench.pretrain(teacher=bench.run, **options).run)
    assert all(bench.distance(a, b) > 1e-6 for a, b in itertools.combinations(runs, 2))


@effect(PretrainOptions, "initial_values")
def pretrain_initial_values(bench: Bench) -> None:
    """With neighbours the first update is done on sines and cosines; without them on values of stock's kind."""
    deviations = {}
    for values in ("neighbours", "random"):
        run = bench.pretrain(steps=1, initial_values=values, learning_rate=1e-9).run
        table = bench.weights(run)["bert.embeddings.position_embeddings.weight"]
        deviations[values] = float(np.linalg.norm(table, axis=1).std())
    assert deviations["neighbours"] < deviations["random"] / 100
    assert bench.distance(bench.pretrain(initial_values="neighbours").run, bench.pretrain().run) == 0


@effect(PretrainOptions, "general_text")
def pretrain_general_text(bench: Bench) -> None:
    """Another text is measured before, during and after; without one there are no such figures."""
    text = bench.file(" ".join(f"the queen sold {number} horses ." for number in range(600)))
    result = bench.pretrain(general_text=text, eval_every=1)
    found = [result.general_evaluation_before, result.general_evaluation]
    found += [line["general_evaluation"] for line in bench.evaluations(result.run)]
    losses = [figures["mlm_nats_per_masked_token"] for figures in found]
    assert len(set(losses)) == len(losses) == 3
    assert bench.record(result.run)["general_text"]["source"] == str(text)
    plain = bench.pretrain(eval_every=1)
    assert plain.general_evaluation is None and plain.general_evaluation_before is None
    assert all("general_evaluation" not in line for line in bench.evaluations(plain.run))
    assert bench.distance(result.run, plain.run) == 0, "measuring changes nothing"


@effect(PretrainOptions, "size")
def pretrain_size(bench: Bench) -> None:
    """The model that would be trained is made and described."""
    bench.listen()
    shape = dict.fromkeys(("layers", "hidden_size", "attention_heads", "intermediate_size"))
    for size, words in (("tiny", "2 layers of 128, 2 heads"), ("mini", "4 layers of 256, 4 heads")):
        bench.pretrain(size=size, dry_run=True, **shape)
        assert any(f"model: {words}" in text for text in bench.said)


@effect(PretrainOptions, "layers", "hidden_size", "attention_heads", "intermediate_size", "max_positions")
def pretrain_shape(bench: Bench) -> None:
    """Each alone changes its part of config.json and the shapes of the weights, and nothing else."""
    values = {
        "layers": (2, "num_hidden_layers"),
        "hidden_size": (16, "hidden_size"),
        "attention_heads": (4, "num_attention_heads"),
        "intermediate_size": (48, "intermediate_size"),
        "max_positions": (40, "max_position_embeddings"),
    }
    before = json.loads((bench.base / "config.json").read_text())
    for option, (value, key) in values.items():
        run = bench.pretrain(steps=1, **{option: value}).run
        config = json.loads((run / "config.json").read_text())
        assert {name for name in config if config[name] != before[name]} == {key}
        assert config[key] == value
        shapes = [{name: array.shape for name, array in bench.weights(path).items()} for path in (run, bench.base)]
        assert (shapes[0] == shapes[1]) == (option == "attention_heads")


@effect(PretrainOptions, "objective")
def pretrain_objective(bench: Bench) -> None:
    found = {}
    for objective in ("mlm+nsp", "mlm", "nsp", "mlm+sop"):
        result = bench.pretrain(objective=objective)
        losses = {name for name in bench.updates(result.run)[0] if name.endswith("_loss")}
        measured = {name for name, value in result.evaluation.items() if value is not None}
        found[objective] = (
            losses,
            "mlm_nats_per_masked_token" in measured,
            "next_sentence_accuracy" in measured,
        )
    assert found == {
        "mlm+nsp": ({"mlm_loss", "nsp_loss"}, True, True),
        "mlm": ({"mlm_loss"}, True, False),
        "nsp": ({"nsp_loss"}, False, True),
        "mlm+sop": ({"mlm_loss", "nsp_loss"}, True, True),
    }
    sop, nsp = (bench.record(bench.pretrain(objective=name).run)["data"] for name in ("mlm+sop", "mlm+nsp"))
    assert sop["pairs"]["forced_random"] == 0, "order prediction needs no random sentence"
    assert nsp["pairs"]["forced_random"] > 0


@effect(PretrainOptions, "minutes")
def pretrain_minutes(bench: Bench) -> None:
    short, long = (bench.pretrain(minutes=minutes) for minutes in (0.005, 0.02))
    assert short.seconds >= 0.3
    assert long.seconds >= 1.2
    assert short.steps < long.steps
    rates = bench.rates(long.run)
    assert rates[-1] < max(rates) / 2, "the learning rate falls by the clock"


@effect(PretrainOptions, "steps")
def pretrain_steps(bench: Bench) -> None:
    for steps in (1, 3):
        result = bench.pretrain(steps=steps)
        assert result.steps == len(bench.updates(result.run)) == steps


@effect(PretrainOptions, "epochs")
def pretrain_epochs(bench: Bench) -> None:
    examples = bench.record(bench.base)["data"]["examples"]
    for epochs in (0.02, 0.05):
        assert bench.pretrain(epochs=epochs).steps == math.ceil(epochs * examples / 8)


@effect(PretrainOptions, "batch_size")
def pretrain_batch_size(bench: Bench) -> None:
    seen = bench.training_batches()
    bench.pretrain(batch_size=4)
    bench.pretrain(batch_size=12)
    assert [len(batch["input_ids"]) for batch in seen] == [4, 4, 12, 12]


@effect(PretrainOptions, "micro_batch_size")
def pretrain_micro_batch_size(bench: Bench) -> None:
    seen = bench.training_batches()
    whole = bench.pretrain()
    assert [len(batch["input_ids"]) for batch in seen] == [8, 8]
    seen.clear()
    split = bench.pretrain(micro_batch_size=3)
    assert [len(batch["input_ids"]) for batch in seen] == [3, 3, 2, 3, 3, 2]
    assert bench.distance(whole.run, split.run) < 1e-5
    assert split.tokens_seen == whole.tokens_seen


@effect(PretrainOptions, "sequence_length")
def pretrain_sequence_length(bench: Bench) -> None:
    seen = bench.training_batches()
    short, long = (bench.pretrain(sequence_length=length) for length in (16, 48))
    assert [batch["input_ids"].shape[1] for batch in seen] == [16, 16, 48, 48]
    assert short.tokens_seen < long.tokens_seen


@effect(PretrainOptions, "learning_rate")
def pretrain_learning_rate(bench: Bench) -> None:
    run = bench.pretrain(learning_rate=0.5).run
    assert max(bench.rates(run)) == 0.5
    assert bench.distance(run, bench.base) > 0.1


@effect(PretrainOptions, "optimizer")
def pretrain_optimizer(bench: Bench) -> None:
    """Muon moves the hidden matrices otherwise; its first update is nearly orthogonal, AdamW's a sign."""
    run = bench.pretrain(optimizer="muon", steps=1, schedule="linear", warmup=0.0, weight_decay=0.0).run
    adam = bench.pretrain(optimizer="adamw", steps=1, schedule="linear", warmup=0.0, weight_decay=0.0).run
    moved, beside = bench.weights(run), bench.weights(adam)
    hidden = "bert.encoder.layer.0.intermediate.dense.weight"
    assert np.abs(moved[hidden] - beside[hidden]).max() > 1e-5
    rest = "bert.embeddings.position_embeddings.weight"
    np.testing.assert_allclose(moved[rest], beside[rest], atol=1e-7)


@effect(PretrainOptions, "schedule", "warmup")
def pretrain_schedule(bench: Bench) -> None:
    def rates(**options: Any) -> list[float]:
        return bench.rates(bench.pretrain(steps=9, learning_rate=1.0, **options).run)

    # Update n of 9 stands at n / 10 of the run.
    wsd = rates(schedule="wsd", warmup=0.2)
    np.testing.assert_allclose(wsd, [0.5, 1, 1, 1, 1, 1, 1, 2 / 3, 1 / 3], atol=1e-9)
    np.testing.assert_allclose(rates(schedule="linear", warmup=0.2)[1:], [1 - at / 8 for at in range(8)], atol=1e-9)
    cosine = [(1 + math.cos(math.pi * at / 8)) / 2 for at in range(8)]
    np.testing.assert_allclose(rates(schedule="cosine", warmup=0.2)[1:], cosine, atol=1e-9)
    np.testing.assert_allclose(rates(schedule="wsd", warmup=0.5)[:5], [0.2, 0.4, 0.6, 0.8, 1], atol=1e-9)


@effect(PretrainOptions, "weight_decay")
def pretrain_weight_decay(bench: Bench) -> None:
    """Decay makes matrices smaller and leaves biases and LayerNorm alone (but for what follows in the next update)."""
    settings = {"steps": 1, "schedule": "linear", "warmup": 0.0, "learning_rate": 0.1}
    none, strong = (bench.weights(bench.pretrain(weight_decay=decay, **settings).run) for decay in (0.0, 5.0))
    name = "bert.encoder.layer.0.output.dense"
    assert np.abs(strong[f"{name}.weight"]).mean() < np.abs(none[f"{name}.weight"]).mean()
    np.testing.assert_array_equal(strong[f"{name}.bias"], none[f"{name}.bias"])


@effect(PretrainOptions, "mask_rate")
def pretrain_mask_rate(bench: Bench) -> None:
    seen = bench.training_batches()
    for rate in (0.15, 0.45):
        bench.pretrain(mask_rate=rate, steps=4)
    scratch = bench.pretrain(steps=4).run
    bench.pretrain(steps=4, from_=scratch)
    shares = [int((batch["masked_labels"] != -100).sum()) / int((batch["input_ids"] != 0).sum()) for batch in seen]
    for first, rate in enumerate((0.15, 0.45, 0.25, 0.15)):
        assert np.mean(shares[4 * first : 4 * first + 4]) == pytest.approx(rate, abs=0.02)


@effect(PretrainOptions, "mask_split")
def pretrain_mask_split(bench: Bench) -> None:
    from bertsmith.tokenization.folder import load_tokenizer

    mask = load_tokenizer(str(bench.run)).mask_token_id
    seen = bench.training_batches()
    found = {}
    for split in ((100, 0, 0), (0, 100, 0), (0, 0, 100)):
        seen.clear()
        bench.pretrain(mask_split=split)
        real = [batch["masked_labels"] != -100 for batch in seen]
        at_masks = [
            batch["input_ids"].flatten()[batch["masked_positions"]][there]
            for batch, there in zip(seen, real, strict=True)
        ]
        labels = [batch["masked_labels"][there] for batch, there in zip(seen, real, strict=True)]
        found[split] = (
            all(bool((ids == mask).all()) for ids in at_masks),
            all(bool((ids == truth).all()) for ids, truth in zip(at_masks, labels, strict=True)),
            any(bool((ids == mask).any()) for ids in at_masks),
        )
    assert found == {
        (100, 0, 0): (True, False, True),
        (0, 100, 0): (False, False, False),
        (0, 0, 100): (False, True, False),
    }


@effect(PretrainOptions, "precision")
def pretrain_precision(bench: Bench) -> None:
    full, half = (bench.pretrain(precision=precision).run for precision in ("fp32", "bf16"))
    difference = bench.updates(half)[0]["mlm_loss"] - bench.updates(bench.base)[0]["mlm_loss"]
    assert 0 < abs(difference) < 0.05
    assert bench.distance(half, bench.base) > 0
    assert [bench.record(run)["precision"] for run in (full, half)] == ["fp32", "bf16"]
    assert bench.distance(full, bench.base) == 0
    chosen = bench.pretrain(precision="auto").run
    reasons = [choice["reason"] for choice in bench.record(chosen)["choices"] if choice["name"] == "precision"]
    assert reasons != ["asked for with --precision"]


@effect(PretrainOptions, "attention")
def pretrain_attention(bench: Bench) -> None:
    eager, fused = (bench.pretrain(attention=attention).run for attention in ("eager", "sdpa"))
    automatic, other = (fused, eager) if torch.cuda.is_available() else (eager, fused)
    assert bench.distance(automatic, bench.base) == 0
    # The same numbers in another order of adding: equal up to rounding, and not in the last bit.
    assert 0 < bench.distance(other, bench.base) < 1e-3
    chosen = [
        choice["value"]
        for run in (eager, fused)
        for choice in bench.record(run)["choices"]
        if choice["name"] == "attention"
    ]
    assert chosen == ["eager", "sdpa"]


@effect(PretrainOptions, "compile")
def pretrain_compile(bench: Bench) -> None:
    import torch

    compiled: list[type] = []
    bench.monkeypatch.setattr(torch.nn.Module, "compile", lambda module: compiled.append(type(module)))
    run = bench.pretrain(compile=True).run
    assert [kind.__name__ for kind in compiled] == ["BertForPreTraining"]
    assert 0 < bench.distance(run, bench.base) < 1e-3, "the stock parts: the same up to rounding"


@effect(PretrainOptions, "dropout")
def pretrain_dropout(bench: Bench) -> None:
    none, some, more = (bench.pretrain(dropout=share).run for share in (0.0, 0.1, 0.5))
    assert bench.distance(none, bench.base) == 0, "from scratch there is none by default"
    assert bench.distance(some, none) > 0
    assert bench.distance(more, some) > 0
    assert json.loads((more / "config.json").read_text())["hidden_dropout_prob"] == 0.1, "it is of the training alone"


@effect(PretrainOptions, "max_grad_norm")
def pretrain_max_grad_norm(bench: Bench) -> None:
    clipped = bench.pretrain(max_grad_norm=1e-6).run
    first, second = bench.updates(clipped), bench.updates(bench.base)
    assert first[0]["grad_norm"] == pytest.approx(second[0]["grad_norm"]), "it is the norm before clipping"
    assert bench.distance(clipped, bench.base) > 1e-5


def checkpoints(run: Path) -> list[str]:
    """The names of a RUN's checkpoints."""
    return sorted(path.name for path in (run / "checkpoints").iterdir())


@effect(PretrainOptions, "save_every")
def pretrain_save_every(bench: Bench) -> None:
    from bertsmith.training.run_folder import RunFolder

    bench.monkeypatch.setattr(RunFolder, "keep_checkpoints", lambda folder, _: folder.checkpoints())
    found = {every: checkpoints(bench.pretrain(steps=4, save_every=every).run) for every in (1, 2, 9)}
    assert found == {1: ["step-3", "step-4"], 2: ["step-2", "step-4"], 9: ["step-4"]}


@effect(PretrainOptions, "eval_every")
def pretrain_eval_every(bench: Bench) -> None:
    found = {}
    for every in (1, 2, 9):
        run = bench.pretrain(steps=5, eval_every=every).run
        found[every] = [line["step"] for line in bench.evaluations(run)]
    assert found == {1: [1, 2, 3, 4], 2: [2, 4], 9: []}


@effect(PretrainOptions, "workers")
def pretrain_workers(bench: Bench) -> None:
    """Batches come from so many other processes; the weights are the same."""
    import bertsmith.pretraining.components as module

    seen: list[int] = []
    original = module.loss_sums

    def watched(names: Any, teacher: None) -> Any:
        compute = original(names, teacher)

        def count(model: Any, batch: Any) -> Any:
            seen.append(len(multiprocessing.active_children()))
            return compute(model, batch)

        return count

    bench.monkeypatch.setattr(module, "loss_sums", watched)
    runs = [bench.pretrain(workers=workers).run for workers in (0, 2)]
    assert seen == [0, 0, 2, 2]
    assert bench.distance(*runs) == 0


@effect(PretrainOptions, "seed")
def pretrain_seed(bench: Bench) -> None:
    seen = bench.training_batches()
    same, other = (bench.pretrain(seed=seed).run for seed in (0, 1))
    assert bench.distance(same, bench.base) == 0
    assert bench.distance(other, bench.base) > 0.01, "other weights to begin with"
    assert seen[0]["input_ids"].tolist() != seen[2]["input_ids"].tolist(), "other examples"


@effect(PretrainOptions, "overwrite")
def pretrain_overwrite(bench: Bench) -> None:
    out = bench.pretrain(steps=1).run
    with pytest.raises(OutputError, match="not empty"):
        bench.pretrain(out=out, steps=3)
    assert len(bench.updates(out)) == 1
    bench.pretrain(out=out, steps=3, overwrite=True)
    assert len(bench.updates(out)) == 3


@effect(PretrainOptions, "resume")
def pretrain_resume(bench: Bench) -> None:
    out = bench.pretrain(steps=2).run
    result = bench.pretrain(out=out, steps=4, resume=True)
    assert (result.resumed_from_step, result.steps) == (2, 4)
    assert [update["step"] for update in bench.updates(out)] == [1, 2, 3, 4]


@effect(PretrainOptions, "dry_run")
def pretrain_dry_run(bench: Bench) -> None:
    bench.listen()
    result = bench.pretrain(dry_run=True)
    out, forecast = result.run, result.forecast
    assert not out.exists()
    assert forecast["parameters"] == bench.record(bench.base)["model"]["parameters"]
    assert forecast["updates"] == 2 and forecast["seconds_per_update"] > 0 and forecast["memory_bytes"] > 0
    assert forecast["tokens_per_parameter"] == pytest.approx(forecast["tokens"] / forecast["parameters"], rel=0.01)
    assert any(text.startswith("model: 1 layers of 32, 2 heads, vocabulary 256") for text in bench.said)
    assert any("examples a pass" in text for text in bench.said)
    shutil.copytree(bench.base, out)
    bench.pretrain(out=out, overwrite=True, dry_run=True)
    assert (out / "model.safetensors").is_file(), "--overwrite deletes nothing in a dry run"


@effect(PretrainOptions, "auto_batch")
def pretrain_auto_batch(bench: Bench) -> None:
    """A memory that holds three examples at once gives micro-batches of two, and the same weights."""
    import torch

    from bertsmith.pretraining import micro_batch

    original = micro_batch.TrialStep.__call__

    def short_of_memory(self: micro_batch.TrialStep, size: int) -> float:
        if size > 3:
            raise torch.OutOfMemoryError
        return original(self, size)

    bench.monkeypatch.setattr(micro_batch.TrialStep, "__call__", short_of_memory)
    seen = bench.training_batches()
    run = bench.pretrain(auto_batch=True).run
    assert [len(batch["input_ids"]) for batch in seen[-8:]] == [2] * 8
    assert bench.distance(run, bench.base) < 1e-5


@effect(PretrainOptions, "batch_ramp")
def pretrain_batch_ramp(bench: Bench) -> None:
    """From 2 examples an update to 8 over the first half of the run."""
    seen = bench.training_batches()
    bench.pretrain(steps=8, batch_ramp="2,0.5")
    assert [len(batch["input_ids"]) for batch in seen] == [2, 2, 4, 6, 8, 8, 8, 8]


@effect(PretrainOptions, "short_phase")
def pretrain_short_phase(bench: Bench) -> None:
    seen = bench.training_batches()
    bench.pretrain(steps=4, sequence_length=32, short_phase="16,0.75")
    assert [batch["input_ids"].shape[1] for batch in seen] == [16, 16, 16, 32]


@effect(PretrainOptions, "mask_unit")
def pretrain_mask_unit(bench: Bench) -> None:
    """With whole words no piece of a word stays where another one of it is predicted; with spans words are near."""
    from bertsmith.tokenization.folder import load_tokenizer

    pieces = load_tokenizer(str(bench.run)).convert_ids_to_tokens(range(256))
    goes_on = {number for number, piece in enumerate(pieces) if piece.startswith("##")}
    seen = bench.training_batches()
    broken, apart = {}, {}
    for unit in ("token", "word", "span"):
        seen.clear()
        bench.pretrain(mask_unit=unit, steps=6, mask_rate=0.3)
        broken[unit], gaps = 0, []
        for batch in seen:
            original, flat = batch["input_ids"].flatten().clone(), batch["input_ids"].shape[1]
            real = batch["masked_labels"] != -100
            positions = batch["masked_positions"][real]
            original[positions] = batch["masked_labels"][real]
            predicted = set(positions.tolist())
            for at in range(1, len(original)):
                if int(original[at]) in goes_on and at % flat and int(original[at - 1]) > 4:
                    broken[unit] += (at in predicted) != (at - 1 in predicted)
            gaps += [later - earlier for earlier, later in itertools.pairwise(sorted(predicted))]
        apart[unit] = sum(gap == 1 for gap in gaps) / len(gaps)
    assert broken["token"] > 0 and broken["word"] == broken["span"] == 0
    assert apart["span"] > apart["token"] + 0.1


@effect(PretrainOptions, "negatives")
def pretrain_negatives(bench: Bench) -> None:
    documents = ["\n".join(texts(130)[start:]) for start in (0, 5)]
    store = bench.prepare(*(bench.file(text) for text in documents), clean="none", documents="file").store
    found = {}
    for negatives in ("other-document", "same-document"):
        pairs = bench.record(bench.pretrain(store, negatives=negatives).run)["data"]["pairs"]
        found[negatives] = (pairs["same_document_negatives"], pairs["not_next"])
    assert found["other-document"][0] == 0
    assert found["same-document"][0] == found["same-document"][1] > 0


@effect(PretrainOptions, "gradient_checkpointing")
def pretrain_gradient_checkpointing(bench: Bench) -> None:
    """Each layer is computed twice in an update, and the weights are the same."""
    from bertsmith.models.fast.fast_bert import FastBert

    calls: list[int] = []
    bench.watch(FastBert, "_layer", lambda parts, module, *_: calls.append(1) if module.training else None)
    counts, runs = [], []
    for chosen in (False, True):
        calls.clear()
        runs.append(bench.pretrain(gradient_checkpointing=chosen).run)
        counts.append(len(calls))
    assert counts[1] == 2 * counts[0] > 0
    assert bench.distance(*runs) < 1e-6


@effect(PretrainOptions, "patience")
def pretrain_patience(bench: Bench) -> None:
    """With a learning rate that destroys the model no evaluation gets better than the first."""
    settings = {"steps": 12, "eval_every": 1, "learning_rate": 5.0, "warmup": 0.5}
    on, result = bench.pretrain(**settings), bench.pretrain(patience=2, **settings)
    losses = {line["step"]: line["evaluation"]["mlm_nats_per_masked_token"] for line in bench.evaluations(result.run)}
    assert result.best_step == min(losses, key=losses.__getitem__)
    assert (on.steps, result.steps) == (12, result.best_step + 2)
    assert result.steps < 12
    best = bench.weights(result.run / "checkpoints" / f"step-{result.best_step}")
    published = bench.weights(result.run)
    assert all(np.array_equal(best[name], published[name]) for name in published)


@effect(PretrainOptions, "overfit_one_batch")
def pretrain_overfit_one_batch(bench: Bench) -> None:
    seen = bench.training_batches()
    bench.listen()
    result = bench.pretrain(overfit_one_batch=True, steps=150, learning_rate=1e-2)
    assert all(batch["input_ids"].equal(seen[0]["input_ids"]) for batch in seen)
    updates = bench.updates(result.run)
    assert updates[-1]["mlm_loss"] < 0.2 * updates[0]["mlm_loss"]
    assert result.warnings == [] and any("the training step is sound" in text for text in bench.said)
    assert "its loss is" in bench.pretrain(overfit_one_batch=True, steps=2).warnings[0]


@effect(PretrainOptions, "fsdp")
def pretrain_fsdp(bench: Bench) -> None:
    """In one process there is nothing to divide; several are in tests/training/test_distributed.py."""
    bench.pretrain(fsdp=False)
    with pytest.raises(OptionError, match="torchrun"):
        bench.pretrain(fsdp=True)


@effect(PretrainOptions, "tensorboard")
def pretrain_tensorboard(bench: Bench) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = bench.pretrain(tensorboard=True, steps=3, eval_every=1).run
    events = accumulators.EventAccumulator(str(run / "tensorboard")).Reload()
    losses = [(event.step, event.value) for event in events.Scalars("train/mlm_loss")]
    assert losses == [(line["step"], pytest.approx(line["mlm_loss"], rel=1e-6)) for line in bench.updates(run)]
    held_out = [event.step for event in events.Scalars("eval/mlm_nats_per_masked_token")]
    assert held_out == [line["step"] for line in bench.evaluations(run)] == [1, 2]
    assert not (bench.base / "tensorboard").exists()


# evaluate


@effect(EvaluateOptions, "model")
def evaluate_model(bench: Bench) -> None:
    here, there = bench.evaluate(bench.run, bench.store), bench.evaluate(bench.base, bench.store)
    assert here.mlm_nats_per_masked_token != there.mlm_nats_per_masked_token
    assert here.unigram_nats_per_token == there.unigram_nats_per_token
    assert here.num_masked_tokens == there.num_masked_tokens


@effect(EvaluateOptions, "data")
def evaluate_data(bench: Bench) -> None:
    on_store = bench.evaluate(bench.run, bench.store)
    on_text = bench.evaluate(bench.run, bench.file("\n\n".join(texts(10))))
    assert on_text.num_masked_tokens not in (0, on_store.num_masked_tokens)
    assert on_text.mlm_nats_per_masked_token != on_store.mlm_nats_per_masked_token


@effect(EvaluateOptions, "predictions")
def evaluate_predictions(bench: Bench) -> None:
    file = bench.fresh(".jsonl")
    figures = bench.evaluate_head(predictions=file)
    answers = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(answer["text"], answer["gold"]) for answer in answers] == [sentence(number) for number in range(ROWS)]
    right = np.mean([answer["label"] == answer["gold"] for answer in answers])
    assert figures.metrics["accuracy"]["value"] == pytest.approx(right)


@effect(EvaluateOptions, "slice")
def evaluate_slice(bench: Bench) -> None:
    """The figure of each value of the column; the rows of one of the two have wrong labels."""
    lines = [f"{sentence(number)[0]},{sentence(number + number // 16)[1]},{number // 16}" for number in range(ROWS)]
    data = bench.file("\n".join(["text,label,half", *lines]), ".csv")
    found = bench.evaluate_head(data, slice="half").slices
    assert found["by"] == "half" and found["metric"] == "accuracy"
    assert [(row["name"], row["examples"], row["value"]) for row in found["rows"]] == [("0", 16, 1.0), ("1", 16, 0.0)]
    assert bench.evaluate_head(data).slices is None
    with pytest.raises(OptionError, match="the columns there are 'text', 'label', 'half'"):
        bench.evaluate_head(data, slice="quarter")
    with pytest.raises(OptionError, match="--slice: belongs to a head"):
        bench.evaluate(slice="half")


def ratings(bench: Bench) -> Path:
    """A labelled file whose labels are numbers."""
    rows = [f"{sentence(number)[0]},{number % 5 / 2}" for number in range(ROWS)]
    return bench.file("\n".join(["text,label", *rows]), ".csv")


@effect(EvaluateOptions, "report")
def evaluate_report(bench: Bench) -> None:
    page = bench.fresh(".html")
    figures = bench.evaluate(report=page)
    assert figures.report == page and bench.evaluate().report is None
    html = page.read_text(encoding="utf-8")
    assert f"{figures.unigram_nats_per_token:.2f}" in html
    assert "Masked predictions" in html and "Sentence vectors" in html and "<svg" in html
    page = bench.fresh(".html")
    assert bench.evaluate_head(report=page).report == page and bench.evaluate_head().report is None
    assert "Worst errors" in page.read_text(encoding="utf-8")
    for wrong in (bench.fresh(".txt"), bench.place):
        for measured in (bench.evaluate, bench.evaluate_head):
            with pytest.raises(OptionError, match=r"--report .*expected the name of an \.html file to write"):
                measured(report=wrong)
        assert not wrong.is_file()


@effect(EvaluateOptions, "details")
def evaluate_details(bench: Bench) -> None:
    plain, detailed = bench.evaluate().to_dict(), bench.evaluate(details=True).to_dict()
    assert set(detailed) - set(plain) == {"breakdown", "next_sentence_length_only", "sentence_vectors"}
    assert {name: detailed[name] for name in plain} == plain


@effect(EvaluateOptions, "pseudo_perplexity", "max_sentences")
def evaluate_pseudo_perplexity(bench: Bench) -> None:
    assert "pseudo_perplexity" not in bench.evaluate().to_dict()
    few, same, many = (
        bench.evaluate(pseudo_perplexity=True, max_sentences=count).pseudo_perplexity for count in (3, 3, 9)
    )
    assert few == same
    assert (few["sentences"], many["sentences"]) == (3, 9)
    assert few["nats_per_token"] != many["nats_per_token"]


@effect(EvaluateOptions, "problem_type")
def evaluate_problem_type(bench: Bench) -> None:
    """A model whose configuration says the wrong thing is refused, and measured once the right thing is said."""
    run = bench.fresh()
    shutil.copytree(bench.head, run)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "problem_type": "regression"}))
    with pytest.raises(OptionError, match=r"--problem-type regression: .* has 2 outputs"):
        bench.evaluate(run, bench.labelled)
    figures = bench.evaluate(run, bench.labelled, problem_type="single_label_classification")
    assert figures.metrics == bench.evaluate_head().metrics


def columns(bench: Bench) -> Path:
    """A labelled file with three texts and two labels in each row; which of them is taken is to be seen."""
    lines = ["text,second,third,label,verdict"]
    for number in range(ROWS):
        text, label = sentence(number)
        other_text, other = sentence(number + 1)
        lines.append(",".join([text, other_text, "the end", label, other]))
    return bench.file("\n".join(lines), ".csv")


@effect(EvaluateOptions, "text_column", "label_column")
def evaluate_columns(bench: Bench) -> None:
    """With the other text, or the other label, what was right is wrong; with both it is right again."""
    data = columns(bench)

    def accuracy(**options: Any) -> float:
        value: float = bench.evaluate_head(data, **options).metrics["accuracy"]["value"]
        return value

    assert accuracy() > 0.9, "the head has learnt its training file"
    assert accuracy(text_column="second") < 0.1
    assert accuracy(label_column="verdict") < 0.1
    assert accuracy(text_column="second", label_column="verdict") > 0.9


@effect(EvaluateOptions, "pair_column")
def evaluate_pair_column(bench: Bench) -> None:
    """The second text goes into the model behind the first."""
    from bertsmith.inference.predictor import Predictor

    seen: list[Any] = []
    bench.watch(Predictor, "head_outputs", lambda predictor, head, encoded, **values: seen.append(encoded))
    data = columns(bench)
    bench.evaluate_head(data)
    bench.evaluate_head(data, pair_column="third")
    single, pair = seen
    assert {len(set(types)) for types in single.token_type_ids} == {1}
    assert {len(set(types)) for types in pair.token_type_ids} == {2}
    assert all(long[: len(short)] == short for short, long in zip(single.input_ids, pair.input_ids, strict=True))


def without_header(bench: Bench) -> Path:
    """The labelled file without its first line."""
    return bench.file("\n".join(bench.labelled.read_text().splitlines()[1:]) + "\n", ".csv")


@effect(EvaluateOptions, "no_header")
def evaluate_no_header(bench: Bench) -> None:
    data = without_header(bench)
    with pytest.raises(DataError, match="give --no-header if the first line is data"):
        bench.evaluate_head(data)
    assert bench.evaluate_head(data, no_header=True).num_examples == ROWS
    assert bench.evaluate_head(data, no_header=True, text_column=0, label_column=1).num_examples == ROWS


def of_another_ending(bench: Bench, path: Path) -> Path:
    """The same file with an ending that says nothing."""
    return bench.file(path.read_bytes(), ".data")


@effect(EvaluateOptions, "format")
def evaluate_format(bench: Bench) -> None:
    data = of_another_ending(bench, bench.labelled)
    with pytest.raises(
        DataError, match=r"the ending is not .csv, .tsv, .jsonl or .parquet; say what it is with --format"
    ):
        bench.evaluate_head(data)
    assert bench.evaluate_head(data, format="csv").metrics == bench.evaluate_head().metrics
    rows = [json.dumps(dict(zip(("text", "label"), sentence(number), strict=True))) for number in range(ROWS)]
    assert bench.evaluate_head(bench.file("\n".join(rows)), format="jsonl").metrics == bench.evaluate_head().metrics
    tabs = bench.file(bench.labelled.read_text().replace(",", "\t"))
    assert bench.evaluate_head(tabs, format="tsv").metrics == bench.evaluate_head().metrics


def in_latin1(bench: Bench) -> Path:
    """A labelled file with bytes that are not UTF-8."""
    return bench.file(bench.labelled.read_text().replace("bread", "brèad").encode("latin-1"), ".csv")


def with_stars(bench: Bench) -> Path:
    """The labelled file with a separator that its first rows do not show."""
    return bench.file(bench.labelled.read_text().replace(",", "*"), ".csv")


@effect(EvaluateOptions, "separator")
def evaluate_separator(bench: Bench) -> None:
    data = with_stars(bench)
    with pytest.raises(DataError, match=r"no column of the text .*'text\*label'"):
        bench.evaluate_head(data)
    assert bench.evaluate_head(data, separator="*").metrics == bench.evaluate_head().metrics
    tabs = bench.file(bench.labelled.read_text().replace(",", "\t"), ".csv")
    assert bench.evaluate_head(tabs, separator="tab").metrics == bench.evaluate_head().metrics
    with pytest.raises(OptionError, match="--separator: found '::', expected one character"):
        bench.evaluate_head(data, separator="::")


@effect(EvaluateOptions, "encoding")
def evaluate_encoding(bench: Bench) -> None:
    data = in_latin1(bench)
    with pytest.raises(DataError, match="is not utf-8"):
        bench.evaluate_head(data)
    assert bench.evaluate_head(data, encoding="latin-1").metrics == bench.evaluate_head().metrics, (
        "accents are stripped"
    )
    text = bench.file("\n\n".join(texts(10)).replace("winter", "été").encode("latin-1"))
    with pytest.raises(DataError, match="is not utf-8"):
        bench.evaluate(bench.run, text)
    assert bench.evaluate(bench.run, text, encoding="latin-1").num_masked_tokens > 0


@effect(EvaluateOptions, "sequence_length")
def evaluate_sequence_length(bench: Bench) -> None:
    short, default, long = (bench.evaluate(sequence_length=length) for length in (16, None, 60))
    assert short.num_pairs > default.num_pairs > long.num_pairs
    assert default == bench.evaluate(sequence_length=32), "as in pre-training"


@effect(EvaluateOptions, "max_length")
def evaluate_max_length(bench: Bench) -> None:
    assert bench.evaluate_head(max_length=64).truncated_tokens == 0
    assert bench.evaluate_head(max_length=8).truncated_tokens > 0
    with pytest.raises(OptionError, match="--max-length 65: the model has 64 positions"):
        bench.evaluate_head(max_length=65)


@effect(EvaluateOptions, "batch_size")
def evaluate_batch_size(bench: Bench) -> None:
    """More examples at once, fewer passes of the model, the same figures."""
    from bertsmith.models.bert import BertForPreTraining

    sizes: list[int] = []
    bench.watch(BertForPreTraining, "forward", lambda model, **batch: sizes.append(len(batch["input_ids"])))
    results = {size: bench.evaluate(batch_size=size).mlm_nats_per_masked_token for size in (10, 100)}
    assert {10, 100} <= set(sizes) and max(sizes) == 100
    assert results[10] == pytest.approx(results[100], abs=1e-5)
    passes = {}
    for size in (4, 32):
        seen = bench.head_batches()
        bench.evaluate_head(batch_size=size, max_length=32)
        passes[size] = len(seen)
    assert passes[4] > passes[32] == 1


@effect(EvaluateOptions, "seed")
def evaluate_seed(bench: Bench) -> None:
    first, same, other = (bench.evaluate(seed=seed) for seed in (0, 0, 1))
    assert first == same
    assert first.mlm_nats_per_masked_token != other.mlm_nats_per_masked_token
    recorded = bench.record(bench.run)["evaluation"]["mlm_nats_per_masked_token"]
    assert first.mlm_nats_per_masked_token == pytest.approx(recorded, abs=1e-5), "0 is what a RUN reports"


@effect(EvaluateOptions, "precision")
def evaluate_precision(bench: Bench) -> None:
    full, half = (bench.evaluate(precision=precision).mlm_nats_per_masked_token for precision in ("fp32", "bf16"))
    assert 0 < abs(full - half) < 0.05


# compare


@effect(CompareOptions, "model_a", "model_b", "data")
def compare_models(bench: Bench) -> None:
    """Who is A and who is B is seen in the sign, and the data in the figures."""
    other = bench.opposite()
    worse, better = bench.compare(), bench.compare(other, bench.head, bench.labelled)
    assert worse.metrics["accuracy"]["difference"] < -0.9 < 0.9 < better.metrics["accuracy"]["difference"]
    assert (worse.metrics["accuracy"]["better"], better.metrics["accuracy"]["better"]) == ("a", "b")
    turned = bench.file(bench.labelled.read_text().replace(",good", ",bad"), ".csv")
    assert bench.compare(bench.head, other, turned).metrics["accuracy"]["a"] == pytest.approx(0.5)


@effect(CompareOptions, "problem_type")
def compare_problem_type(bench: Bench) -> None:
    with pytest.raises(OptionError, match=r"--problem-type regression: .* has 2 outputs"):
        bench.compare(problem_type="regression")


@effect(CompareOptions, "text_column", "label_column")
def compare_columns(bench: Bench) -> None:
    data = columns(bench)

    def accuracy(**options: Any) -> float:
        value: float = bench.compare(bench.head, bench.head, data, **options).metrics["accuracy"]["a"]
        return value

    assert accuracy() > 0.9 > 0.1 > accuracy(text_column="second")
    assert accuracy(label_column="verdict") < 0.1


@effect(CompareOptions, "pair_column", "max_length", "precision")
def compare_inputs(bench: Bench) -> None:
    """What goes into both models."""
    from bertsmith.inference.predictor import Predictor

    seen: list[tuple[Any, str]] = []
    bench.watch(
        Predictor,
        "head_outputs",
        lambda predictor, head, encoded, **values: seen.append((encoded, predictor.precision)),
    )
    data = columns(bench)
    bench.compare(bench.head, bench.head, data)
    bench.compare(bench.head, bench.head, data, pair_column="third")
    cut = bench.compare(bench.head, bench.head, data, max_length=8)
    bench.compare(bench.head, bench.head, data, precision="bf16")
    single, pair, short, half = (seen[at : at + 2] for at in range(0, 8, 2))
    assert all({len(set(types)) for types in encoded.token_type_ids} == {1} for encoded, _ in single)
    assert all({len(set(types)) for types in encoded.token_type_ids} == {2} for encoded, _ in pair)
    assert all(max(encoded.lengths) == 8 for encoded, _ in short)
    assert min(cut.truncated_tokens.values()) > 0
    assert [precision for _, precision in (*single, *half)] == ["fp32", "fp32", "bf16", "bf16"]


@effect(CompareOptions, "batch_size")
def compare_batch_size(bench: Bench) -> None:
    passes = {}
    for size in (4, 32):
        seen = bench.head_batches()
        bench.compare(bench.head, bench.head, bench.labelled, batch_size=size, max_length=32)
        passes[size] = len(seen)
    assert passes[4] > passes[32] == 2, "one of either model"


@effect(CompareOptions, "no_header")
def compare_no_header(bench: Bench) -> None:
    data = without_header(bench)
    with pytest.raises(DataError, match="give --no-header if the first line is data"):
        bench.compare(bench.head, bench.head, data)
    assert bench.compare(bench.head, bench.head, data, no_header=True).num_examples == ROWS


@effect(CompareOptions, "format")
def compare_format(bench: Bench) -> None:
    data = of_another_ending(bench, bench.labelled)
    with pytest.raises(DataError, match="say what it is with --format"):
        bench.compare(bench.head, bench.head, data)
    assert bench.compare(bench.head, bench.head, data, format="csv").num_examples == ROWS


@effect(CompareOptions, "separator")
def compare_separator(bench: Bench) -> None:
    data = with_stars(bench)
    assert bench.compare(bench.head, bench.head, data, separator="*").num_examples == ROWS


@effect(CompareOptions, "encoding")
def compare_encoding(bench: Bench) -> None:
    data = in_latin1(bench)
    with pytest.raises(DataError, match="is not utf-8"):
        bench.compare(bench.head, bench.head, data)
    assert bench.compare(bench.head, bench.head, data, encoding="latin-1").num_examples == ROWS


@effect(CompareOptions, "skip_broken_rows")
def compare_skip_broken_rows(bench: Bench) -> None:
    data = bench.file(bench.labelled.read_text() + "one field\n", ".csv")
    with pytest.raises(DataError, match=f"line {ROWS + 2}: 1 fields, expected 2"):
        bench.compare(bench.head, bench.head, data)
    assert bench.compare(bench.head, bench.head, data, skip_broken_rows=True).num_examples == ROWS


# score


def predictions(bench: Bench) -> Path:
    """What the head predicts for the labelled file, with every fourth label made wrong."""
    file = bench.fresh(".jsonl")
    bench.evaluate_head(predictions=file)
    answers = [json.loads(line) for line in file.read_text().splitlines()]
    for number, answer in enumerate(answers):
        if number % 4 == 0:
            answer["label"] = {"good": "bad", "bad": "good"}[answer["label"]]
    return bench.file("".join(f"{json.dumps(answer)}\n" for answer in answers), ".jsonl")


@effect(ScoreOptions, "task")
def score_task(bench: Bench) -> None:
    """Each task reads files of its own form and has metrics of its own."""
    labels = bench.file('{"text": "a", "label": "x", "gold": "x"}\n', ".jsonl")
    tags, answers = (
        bench.file("a B-X\n"),
        bench.file('{"data": [{"paragraphs": [{"qas": [{"id": "1", "answers": []}]}]}]}'),
    )
    assert "matthews" in bench.score(TASK, labels, labels, label_column="gold")
    assert "recall" in bench.score("token-classification", tags, tags)
    assert "exact_match" in bench.score("question-answering", answers, bench.file('{"1": ""}'))
    with pytest.raises(OptionError, match=r"TASK: found 'tagging', expected one of sequence-.*, token-.*, question-"):
        bench.score("tagging", tags, tags)


@effect(ScoreOptions, "gold", "predictions")
def score_files(bench: Bench) -> None:
    """What evaluate writes is scored as evaluate scored it, intervals included; another file on either side is not."""
    from bertsmith.verbs.score import score

    file = bench.fresh(".jsonl")
    expected = bench.evaluate_head(predictions=file).metrics
    metrics = score(TASK, bench.labelled, file).metrics
    assert {name: metrics[name].to_dict() for name in expected} == expected
    worse = predictions(bench)
    assert bench.score(TASK, bench.labelled, worse)["accuracy"] == pytest.approx(expected["accuracy"]["value"] - 0.25)
    other = bench.file(bench.labelled.read_text().replace(",good", ",bad"), ".csv")
    assert bench.score(TASK, other, file)["accuracy"] == pytest.approx(0.5)


@effect(ScoreOptions, "text_column", "label_column")
def score_columns(bench: Bench) -> None:
    data, file = columns(bench), predictions(bench)
    assert bench.score(TASK, data, file)["accuracy"] == pytest.approx(0.75)
    assert bench.score(TASK, data, file, label_column="verdict")["accuracy"] == pytest.approx(0.25)
    with pytest.raises(DataError, match="line 1: the text is"):
        bench.score(TASK, data, file, text_column="second")


@effect(ScoreOptions, "no_header")
def score_no_header(bench: Bench) -> None:
    data, file = without_header(bench), predictions(bench)
    with pytest.raises(DataError, match="give --no-header if the first line is data"):
        bench.score(TASK, data, file)
    assert bench.score(TASK, data, file, no_header=True)["accuracy"] == pytest.approx(0.75)


@effect(ScoreOptions, "format")
def score_format(bench: Bench) -> None:
    data, file = of_another_ending(bench, bench.labelled), predictions(bench)
    with pytest.raises(
        DataError, match=r"the ending is not .csv, .tsv, .jsonl or .parquet; say what it is with --format"
    ):
        bench.score(TASK, data, file)
    assert bench.score(TASK, data, file, format="csv")["accuracy"] == pytest.approx(0.75)


@effect(ScoreOptions, "skip_broken_rows")
def score_skip_broken_rows(bench: Bench) -> None:
    data, file = bench.file(bench.labelled.read_text() + "one field\n", ".csv"), predictions(bench)
    with pytest.raises(DataError, match=f"line {ROWS + 2}: 1 fields, expected 2"):
        bench.score(TASK, data, file)
    assert bench.score(TASK, data, file, skip_broken_rows=True)["accuracy"] == pytest.approx(0.75)


@effect(ScoreOptions, "separator")
def score_separator(bench: Bench) -> None:
    data, file = with_stars(bench), predictions(bench)
    with pytest.raises(DataError, match=r"no column of the text .*'text\*label'"):
        bench.score(TASK, data, file)
    assert bench.score(TASK, data, file, separator="*")["accuracy"] == pytest.approx(0.75)


@effect(ScoreOptions, "encoding")
def score_encoding(bench: Bench) -> None:
    """Of GOLD, a table or in columns; predictions are UTF-8."""
    labelled, lines = bench.file("text,label\né,x\n".encode("latin-1"), ".csv"), '{"text": "é", "label": "x"}\n'
    tags, columns = bench.file("é B-X\n".encode("latin-1")), bench.file("é B-X\n")
    for task, gold, file in ((TASK, labelled, bench.file(lines)), ("token-classification", tags, columns)):
        with pytest.raises(DataError, match="is not utf-8; give --encoding"):
            bench.score(task, gold, file)
        assert bench.score(task, gold, file, encoding="latin-1")["accuracy"] == 1
        with pytest.raises(DataError, match="is not utf-8; predictions are read as UTF-8, convert the file"):
            bench.score(task, gold, gold, encoding="latin-1", **({"label_column": "label"} if task == TASK else {}))
    questions = bench.file("question,context,answer\nwho?,é,é\n".encode("latin-1"), ".csv")
    answers = bench.file('{"1": "é"}')
    with pytest.raises(DataError, match="is not utf-8; give --encoding"):
        bench.score("question-answering", questions, answers)
    assert bench.score("question-answering", questions, answers, encoding="latin-1")["exact_match"] == 100


@effect(ScoreOptions, "scheme")
def score_scheme(bench: Bench) -> None:
    """It says which tags there may be, and, read strictly, which entities."""
    gold, singles = bench.file("a B-X\nb I-X\nc B-X\n"), bench.file("a B-X\nb E-X\nc S-X\n")
    with pytest.raises(DataError, match="line 2: the tag is 'E-X', which BIO does not have; give --scheme BIOES"):
        bench.score("token-classification", gold, singles)
    assert bench.score("token-classification", gold, singles, scheme="BIOES")["f1"] == 1
    # The first tag: no entity in IOB1. Then an I behind it, and a B behind its own type, are one each.
    found = {
        scheme: bench.score("token-classification", gold, bench.file("a O\nb I-X\nc B-X\n"), scheme=scheme, strict=True)
        for scheme in ("BIO", "IOB1")
    }
    assert (found["BIO"]["precision"], found["BIO"]["recall"]) == (1, 0.5)
    assert (found["IOB1"]["precision"], found["IOB1"]["recall"]) == (1, 1)


@effect(ScoreOptions, "strict")
def score_strict(bench: Bench) -> None:
    """An I behind an O is an entity to conlleval, and none in BIO."""
    gold, file = bench.file("a B-X\nb O\nc B-X\n"), bench.file("a B-X\nb O\nc I-X\n")
    assert bench.score("token-classification", gold, file)["recall"] == 1
    assert bench.score("token-classification", gold, file, strict=True)["recall"] == 0.5


@effect(ScoreOptions, "no_answer_probabilities", "no_answer_threshold")
def score_no_answer(bench: Bench) -> None:
    """With probabilities the best threshold is found; with a threshold, what is above it is left unanswered."""
    qas = [{"id": "1", "answers": [{"text": "x"}]}, {"id": "2", "answers": []}]
    gold = bench.file(json.dumps({"data": [{"paragraphs": [{"qas": qas}]}]}))
    file, probabilities = bench.file('{"1": "x", "2": "x"}'), bench.file('{"1": 0.2, "2": 0.8}')

    def score(**options: Any) -> dict[str, Any]:
        from bertsmith.verbs.score import score as verb

        found: dict[str, Any] = verb("question-answering", gold, file, **options).to_dict()
        return found

    assert score()["best_f1"] is None
    found = score(no_answer_probabilities=probabilities)
    assert (found["f1"], found["best_f1"], found["best_f1_threshold"]) == (50, 100, 0.2)
    reached = [score(no_answer_probabilities=probabilities, no_answer_threshold=at)["f1"] for at in (0.1, 0.5, 0.9)]
    assert reached == [50, 100, 50]
    assert score(no_answer_probabilities=bench.file('{"1": 0.8, "2": 0.2}'), no_answer_threshold=0.5)["f1"] == 0


# finetune


@effect(FinetuneOptions, "task")
def finetune_task(bench: Bench) -> None:
    """It stands in run.json, the model is of its class, and another is refused."""
    from bertsmith.verbs.finetune import finetune

    assert bench.record(bench.head)["task"] == TASK
    tagger = tagging_run(bench)
    assert bench.record(tagger)["task"] == "token-classification"
    config = json.loads((tagger / "config.json").read_text())
    assert config["architectures"] == ["BertForTokenClassification"]
    with pytest.raises(OptionError, match=f"TASK: found 'tagging', expected one of {TASK}"):
        finetune("tagging", model=bench.run, train=bench.labelled, dev=bench.labelled, out=bench.fresh())


@effect(FinetuneOptions, "model")
def finetune_model(bench: Bench) -> None:
    here, there = (bench.finetune(model=model, learning_rate=1e-9).run for model in (bench.run, bench.base))
    name = "bert.embeddings.word_embeddings.weight"
    np.testing.assert_allclose(bench.weights(here)[name], bench.weights(bench.run)[name], atol=1e-6)
    np.testing.assert_allclose(bench.weights(there)[name], bench.weights(bench.base)[name], atol=1e-6)


def shuffled(bench: Bench, *, wrong: bool = False, rows: int = ROWS) -> Path:
    """Another labelled file; where it is wrong, every label is the other one."""
    lines = [",".join((sentence(number)[0], sentence(number + wrong)[1])) for number in range(rows)]
    return bench.file("\n".join(["text,label", *lines]) + "\n", ".csv")


@effect(FinetuneOptions, "train")
def finetune_train(bench: Bench) -> None:
    """What is trained on the opposite answers the opposite."""
    right = bench.finetune(**LEARNING).metrics["accuracy"]["mean"]
    wrong = bench.finetune(train=shuffled(bench, wrong=True), eval_every=1000, **LEARNING).metrics["accuracy"]["mean"]
    assert right > 0.9
    assert wrong < 0.1


@effect(FinetuneOptions, "dev")
def finetune_dev(bench: Bench) -> None:
    """The reported figures are of it, and the best checkpoint is the one that it is best on."""
    result = bench.finetune(dev=shuffled(bench, rows=10))
    assert result.num_examples == 10
    assert result.selected_on_reported_data


@effect(FinetuneOptions, "test")
def finetune_test(bench: Bench) -> None:
    result = bench.finetune(test=shuffled(bench, wrong=True, rows=10), **LEARNING)
    assert result.num_examples == 10
    assert not result.selected_on_reported_data
    assert result.metrics["accuracy"]["mean"] < 0.1, "the figures are of the test file, whose labels are wrong"


@effect(FinetuneOptions, "out")
def finetune_out(bench: Bench) -> None:
    out = bench.place / "deep" / "head"
    assert bench.finetune(out=out).run == out
    assert (out / "model.safetensors").is_file()
    assert [path.name for path in out.parent.iterdir()] == ["head"]


@effect(FinetuneOptions, "problem_type")
def finetune_problem_type(bench: Bench) -> None:
    data = ratings(bench)
    with pytest.raises(DataError, match=r"all 5 different labels are numbers; .* --problem-type single_label_class"):
        bench.finetune(train=data, dev=data)
    classes = bench.finetune(train=data, dev=data, problem_type="single_label_classification")
    number = bench.finetune(train=data, dev=data, problem_type="regression")
    assert set(classes.metrics) == {"accuracy", "macro_f1", "matthews"}
    assert set(number.metrics) == {"pearson", "spearman", "mean_squared_error"}
    assert bench.weights(classes.run)["classifier.weight"].shape == (5, 32)
    assert bench.weights(number.run)["classifier.weight"].shape == (1, 32)
    several = bench.finetune(train=data, dev=data, problem_type="multi_label_classification")
    assert set(several.metrics) == {"micro_f1", "macro_f1", "accuracy"}
    assert bench.lines("classify", several.run, A)[0]["label"] is None


@effect(FinetuneOptions, "metric")
def finetune_metric(bench: Bench) -> None:
    """The figure is in each evaluation, and the kept weights are those of its best, also where lower is better."""
    run = bench.finetune(metric="matthews", epochs=2).run
    assert [set(line["evaluation"]) for line in bench.evaluations(run)] == [{"matthews"}] * 2
    data = ratings(bench)
    for metric, best in (("mean_squared_error", min), ("spearman", max)):
        options = {"metric": metric, "problem_type": "regression", "epochs": 4, "learning_rate": 1e-2}
        found = bench.finetune(train=data, dev=data, **options)
        values = [line["evaluation"][metric] for line in bench.evaluations(found.run)]
        assert len(set(values)) > 1
        assert best(found.metrics[metric]["mean"], *values) == found.metrics[metric]["mean"]


def training_texts(bench: Bench) -> list[dict[str, Any]]:
    """The batches that a head trains on from now on."""
    from transformers import BertForSequenceClassification

    seen: list[dict[str, Any]] = []

    def see(model: Any, *inputs: Any, **batch: Any) -> None:
        if model.training:
            seen.append(batch)

    bench.watch(BertForSequenceClassification, "forward", see)
    return seen


@effect(FinetuneOptions, "class_weights")
def finetune_class_weights(bench: Bench) -> None:
    """The losses are others, the weights stand among the choices, and numbers have no classes to weigh."""
    rows = [number for number in range(ROWS) if number % 2 == 0 or number < 10]
    data = bench.file("\n".join(["text,label", *(",".join(sentence(number)) for number in rows)]) + "\n", ".csv")
    plain, weighted = (bench.finetune(train=data, class_weights=kind).run for kind in (None, "balanced"))
    assert not np.array_equal(bench.weights(plain)["classifier.weight"], bench.weights(weighted)["classifier.weight"])
    choices = {choice["name"]: choice["value"] for choice in bench.record(weighted)["choices"]}
    assert "class weights" in choices
    assert "class weights" not in {choice["name"] for choice in bench.record(plain)["choices"]}
    with pytest.raises(OptionError, match="--class-weights balanced: needs one class an example"):
        bench.finetune(train=ratings(bench), dev=ratings(bench), problem_type="regression", class_weights="balanced")


@effect(FinetuneOptions, "calibrate")
def finetune_calibrate(bench: Bench) -> None:
    """Dev labels of which some are wrong: the probabilities are others, the figures are not."""
    lines = [f"{sentence(number)[0]},{sentence(number + (number % 8 == 0))[1]}" for number in range(ROWS)]
    dev = bench.file("\n".join(["text,label", *lines]), ".csv")
    plain, calibrated = (bench.finetune(dev=dev, calibrate=given, **LEARNING) for given in (False, True))
    assert plain.metrics == calibrated.metrics
    assert "temperature" not in plain.calibration and calibrated.calibration["temperature"] != 1
    assert calibrated.calibration["nll"] < plain.calibration["nll"]


@effect(FinetuneOptions, "text_column", "label_column")
def finetune_columns(bench: Bench) -> None:
    data = columns(bench)
    for text, label in (("second", "label"), ("text", "verdict")):
        run = bench.finetune(train=data, dev=data, text_column=text, label_column=label, **LEARNING).run
        accuracy = bench.evaluate(run, bench.labelled).metrics["accuracy"]["value"]
        assert accuracy < 0.1, "it has learnt the opposite of what the usual columns say"


@effect(FinetuneOptions, "pair_column")
def finetune_pair_column(bench: Bench) -> None:
    seen, data = training_texts(bench), columns(bench)
    bench.finetune(train=data, dev=data)
    assert all(int(batch["token_type_ids"].max()) == 0 for batch in seen)
    seen.clear()
    bench.finetune(train=data, dev=data, pair_column="third")
    assert seen and all(int(batch["token_type_ids"].max()) == 1 for batch in seen)


@effect(FinetuneOptions, "no_header")
def finetune_no_header(bench: Bench) -> None:
    data = without_header(bench)
    with pytest.raises(DataError, match="give --no-header if the first line is data"):
        bench.finetune(train=data, dev=data)
    assert bench.finetune(train=data, dev=data, no_header=True).num_examples == ROWS


@effect(FinetuneOptions, "format")
def finetune_format(bench: Bench) -> None:
    data = of_another_ending(bench, bench.labelled)
    with pytest.raises(DataError, match="say what it is with --format"):
        bench.finetune(train=data, dev=data)
    assert bench.finetune(train=data, dev=data, format="csv").num_examples == ROWS


@effect(FinetuneOptions, "separator")
def finetune_separator(bench: Bench) -> None:
    data = with_stars(bench)
    with pytest.raises(DataError, match=r"no column of the text .*'text\*label'"):
        bench.finetune(train=data, dev=data)
    assert bench.finetune(train=data, dev=data, separator="*").num_examples == ROWS


@effect(FinetuneOptions, "encoding")
def finetune_encoding(bench: Bench) -> None:
    data = in_latin1(bench)
    with pytest.raises(DataError, match="is not utf-8"):
        bench.finetune(train=data, dev=data)
    assert bench.finetune(train=data, dev=data, encoding="latin-1").num_examples == ROWS


@effect(FinetuneOptions, "skip_broken_rows")
def finetune_skip_broken_rows(bench: Bench) -> None:
    data = bench.file(bench.labelled.read_text() + "one field\n", ".csv")
    with pytest.raises(DataError, match=f"line {ROWS + 2}: 1 fields, expected 2"):
        bench.finetune(train=data, dev=data)
    assert bench.finetune(train=data, dev=data, skip_broken_rows=True).num_examples == ROWS


@effect(EvaluateOptions, "skip_broken_rows")
def evaluate_skip_broken_rows(bench: Bench) -> None:
    data = bench.file(bench.labelled.read_text() + "one field\n", ".csv")
    with pytest.raises(DataError, match=f"line {ROWS + 2}: 1 fields, expected 2"):
        bench.evaluate_head(data)
    assert bench.evaluate_head(data, skip_broken_rows=True).num_examples == ROWS
    assert bench.evaluate_head(data, skip_broken_rows=True, slice="label").slices["by"] == "label"


@effect(FinetuneOptions, "max_train_examples")
def finetune_max_train_examples(bench: Bench) -> None:
    """So many rows of the file, the same for each seed, and among those of a larger number."""

    def trained_on(count: int | None, seed: int) -> tuple[int, set[str]]:
        seen = training_texts(bench)
        run = bench.finetune(max_train_examples=count, seed=seed, batch_size=4).run
        (train, _) = bench.record(run)["data"]["files"]
        assert train.get("drawn_from") == (None if count is None else ROWS)
        return train["examples"], {str(row[row > 0].tolist()) for batch in seen for row in batch["input_ids"]}

    (six, few), (again, same), (nine, more) = trained_on(6, 0), trained_on(6, 1), trained_on(9, 0)
    assert (six, again, nine) == (6, 6, 9)
    assert few == same
    assert few < more
    assert trained_on(None, 0)[0] == ROWS


@effect(FinetuneOptions, "max_length")
def finetune_max_length(bench: Bench) -> None:
    seen = training_texts(bench)
    assert bench.finetune(max_length=32).truncated_tokens == 0
    assert max(batch["input_ids"].shape[1] for batch in seen) > 8
    seen.clear()
    assert bench.finetune(max_length=8).truncated_tokens > 0
    assert max(batch["input_ids"].shape[1] for batch in seen) == 8


@effect(FinetuneOptions, "epochs")
def finetune_epochs(bench: Bench) -> None:
    for epochs, updates in ((0.5, 1), (2, 4)):
        assert len(bench.updates(bench.finetune(epochs=epochs).run)) == updates


@effect(FinetuneOptions, "batch_size")
def finetune_batch_size(bench: Bench) -> None:
    for size, updates in ((8, 4), (32, 1)):
        assert len(bench.updates(bench.finetune(batch_size=size).run)) == updates


@effect(FinetuneOptions, "eval_batch_size")
def finetune_eval_batch_size(bench: Bench) -> None:
    """Smaller batches in evaluation, the same figures."""
    seen = bench.head_batches()
    found = {}
    for size in (2, 64):
        seen.clear()
        metrics = bench.finetune(eval_batch_size=size).metrics
        found[size] = (max(seen), metrics)
    assert found[2][0] < found[64][0] == ROWS
    assert found[2][1] == found[64][1]


@effect(FinetuneOptions, "eval_every")
def finetune_eval_every(bench: Bench) -> None:
    found = {}
    for every in (1, 2, None):
        run = bench.finetune(eval_every=every, batch_size=8, epochs=2).run
        found[every] = [line["step"] for line in bench.evaluations(run)]
    assert found == {1: [1, 2, 3, 4, 5, 6, 7, 8], 2: [2, 4, 6, 8], None: [4, 8]}


@effect(FinetuneOptions, "learning_rate")
def finetune_learning_rate(bench: Bench) -> None:
    high, low = (bench.finetune(learning_rate=rate).run for rate in (0.1, 1e-5))
    assert max(bench.rates(high)) == pytest.approx(1e4 * max(bench.rates(low)))
    start = bench.weights(bench.run)["bert.embeddings.word_embeddings.weight"]
    moved = [np.abs(bench.weights(run)["bert.embeddings.word_embeddings.weight"] - start).max() for run in (high, low)]
    assert moved[0] > 100 * moved[1]


@effect(FinetuneOptions, "weight_decay")
def finetune_weight_decay(bench: Bench) -> None:
    none, strong = (bench.weights(bench.finetune(weight_decay=decay, learning_rate=0.1).run) for decay in (0.0, 9.0))
    # The rows of tokens that no text holds have no gradient: what happens to them is decay alone.
    unused = (
        np.abs(
            none["bert.embeddings.word_embeddings.weight"]
            - bench.weights(bench.run)["bert.embeddings.word_embeddings.weight"]
        ).max(axis=1)
        == 0
    )
    assert unused.sum() > 50
    decayed = strong["bert.embeddings.word_embeddings.weight"][unused]
    kept = none["bert.embeddings.word_embeddings.weight"][unused]
    assert np.abs(decayed).sum() < 0.7 * np.abs(kept).sum()


@effect(FinetuneOptions, "precision")
def finetune_precision(bench: Bench) -> None:
    full, half = (bench.finetune(precision=precision).run for precision in ("fp32", "bf16"))
    losses = [bench.updates(run)[0]["loss"] for run in (full, half)]
    assert 0 < abs(losses[0] - losses[1]) < 0.05


@effect(FinetuneOptions, "seeds", "seed")
def finetune_seeds(bench: Bench) -> None:
    import bertsmith.verbs.finetune as module

    bench.monkeypatch.setattr(module, "remove_seed_models", lambda *_: None)
    result = bench.finetune(seeds=3, seed=7)
    assert len(result.metrics["accuracy"]["seeds"]) == 3
    assert sorted(path.name for path in (result.run / "seeds").iterdir()) == ["seed-7", "seed-8", "seed-9"]
    assert result.best_seed in (7, 8, 9)
    seven, eight = (result.run / "seeds" / f"seed-{seed}" for seed in (7, 8))
    assert bench.distance(seven, eight) > 0
    assert bench.distance(bench.finetune(seed=7).run, seven) == 0


@effect(FinetuneOptions, "patience")
def finetune_patience(bench: Bench) -> None:
    """At a rate that changes nothing no evaluation is better than the first."""
    run = bench.finetune(patience=2, epochs=5, learning_rate=1e-9).run
    assert len(bench.updates(run)) == 6
    assert len(bench.updates(bench.finetune(epochs=5, learning_rate=1e-9).run)) == 10


@effect(FinetuneOptions, "layer_decay")
def finetune_layer_decay(bench: Bench) -> None:
    """One layer: the embeddings stand two steps below the head."""
    whole, small = (bench.finetune(layer_decay=decay, learning_rate=1e-3).run for decay in (1.0, 0.1))
    start, name = bench.weights(bench.run), "bert.embeddings.position_embeddings.weight"
    moved = [float(np.abs(bench.weights(run)[name] - start[name]).max()) for run in (whole, small)]
    assert moved[1] == pytest.approx(0.01 * moved[0], rel=0.01)


@effect(FinetuneOptions, "freeze_layers")
def finetune_freeze_layers(bench: Bench) -> None:
    start = bench.weights(bench.run)
    for layers, parts in ((0, {"embeddings"}), (1, {"embeddings", "encoder"})):
        tuned = bench.weights(bench.finetune(freeze_layers=layers, learning_rate=1e-2).run)
        same = {name for name in start if name in tuned and np.array_equal(start[name], tuned[name])}
        assert same == {name for name in tuned if name.split(".")[1] in parts}


@effect(FinetuneOptions, "lora", "lora_targets")
def finetune_lora(bench: Bench) -> None:
    """In the encoder the weights of the targets learn alone."""
    start, layer = bench.weights(bench.run), "bert.encoder.layer.0"
    for targets, moved in (
        (None, {"attention.self.query", "attention.self.value"}),
        ("key", {"attention.self.key"}),
        ("output.dense", {"attention.output.dense", "output.dense"}),
    ):
        tuned = bench.weights(bench.finetune(lora=2, lora_targets=targets, learning_rate=1e-2).run)
        inside = [name for name in tuned if name.startswith("bert.") and "pooler" not in name]
        other = {name for name in inside if not np.array_equal(start[name], tuned[name])}
        assert other == {f"{layer}.{name}.weight" for name in moved}


@effect(FinetuneOptions, "lora_alpha")
def finetune_lora_alpha(bench: Bench) -> None:
    """What an adapter of rank 2 adds is halved and multiplied by alpha."""
    name = "bert.encoder.layer.0.attention.self.value.weight"
    start, moved = bench.weights(bench.run)[name], []
    for alpha in (2, 200):
        tuned = bench.weights(bench.finetune(lora=2, lora_alpha=alpha).run)[name]
        moved.append(float(np.abs(tuned - start).max()))
    assert moved[1] > 20 * moved[0] > 0


@effect(FinetuneOptions, "layers")
def finetune_layers(bench: Bench) -> None:
    large = bench.pretrain(layers=3).run
    start = bench.weights(large)
    small = bench.finetune(model=large, layers=2, learning_rate=1e-9).run
    assert json.loads((small / "config.json").read_text())["num_hidden_layers"] == 2
    tuned = bench.weights(small)
    for place, layer in ((0, 0), (1, 2)):
        ours, theirs = (f"bert.encoder.layer.{number}.output.dense.weight" for number in (place, layer))
        assert np.abs(tuned[ours] - start[theirs]).max() < 1e-6
    assert not any(name.startswith("bert.encoder.layer.2") for name in tuned)


@effect(FinetuneOptions, "teacher", "distil_weight", "distil_temperature")
def finetune_teacher(bench: Bench) -> None:
    """The first loss is what the options make of that of the labels and that of the teacher's answers."""

    def first(**options: Any) -> float:
        return float(bench.updates(bench.finetune(**options).run)[0]["loss"])

    taught = {"teacher": bench.finetune(**LEARNING).run}
    labels, answers = first(), first(**taught, distil_weight=1)
    assert answers != pytest.approx(labels, rel=0.1)
    assert first(**taught, distil_weight=0.25) == pytest.approx(0.75 * labels + 0.25 * answers, rel=1e-5)
    assert first(**taught, distil_weight=1, distil_temperature=0.1) != pytest.approx(answers, rel=0.1)


@effect(FinetuneOptions, "unlabelled")
def finetune_unlabelled(bench: Bench) -> None:
    """Its texts are trained on too."""
    file = bench.file("".join(f'{{"text": "the {word} is new"}}\n' for word in ("bell", "boat", "river")), ".jsonl")
    seen = training_texts(bench)

    def trained_on(**options: Any) -> set[str]:
        seen.clear()
        bench.finetune(teacher=bench.head, **options)
        return {str(row[row > 0].tolist()) for batch in seen for row in batch["input_ids"]}

    labelled = trained_on()
    both = trained_on(unlabelled=file)
    assert labelled < both and len(both - labelled) == 3


@effect(FinetuneOptions, "search", "search_space")
def finetune_search(bench: Bench) -> None:
    """So many settings are tried, within what the space says."""
    for count, space, within in (
        (3, "learning_rate=1e-3..2e-3", {"learning_rate": (1e-3, 2e-3)}),
        (4, {"batch_size": [8, 16, 24], "epochs": "1..2"}, {"batch_size": (8, 24), "epochs": (1, 2)}),
    ):
        trials = bench.finetune(free=within, search=count, search_space=space).search["trials"]
        assert len(trials) == count
        for trial in trials[1:]:
            assert trial["settings"].keys() == within.keys()
            assert all(low <= trial["settings"][name] <= high for name, (low, high) in within.items())


@effect(FinetuneOptions, "micro_batch_tokens")
def finetune_micro_batch_tokens(bench: Bench) -> None:
    import bertsmith.finetuning.head_batches as module

    counts: list[int] = []
    original = module.TokenBudgetDataset.divide

    def divide(self: Any, update: Any) -> Any:
        found = original(self, update)
        counts.append(len(found))
        return found

    bench.monkeypatch.setattr(module.TokenBudgetDataset, "divide", divide)
    bench.finetune()
    few, counts[:] = max(counts), []
    bench.finetune(micro_batch_tokens=40)
    assert max(counts) > few


@effect(FinetuneOptions, "save_every")
def finetune_save_every(bench: Bench) -> None:
    """Stopped in the middle, a run without it has nothing to go on from."""
    import bertsmith.training.trainer as module

    original = module.ExactTrainer.make_update

    def stops(self: Any, *arguments: Any) -> None:
        original(self, *arguments)
        if self.state.global_step == 3:
            raise KeyboardInterrupt

    bench.monkeypatch.setattr(module.ExactTrainer, "make_update", stops)
    for every, left in ((2, ["step-2"]), (None, [])):
        out = bench.fresh()
        with pytest.raises(KeyboardInterrupt):
            bench.finetune(out=out, epochs=3, save_every=every)
        assert sorted(path.name for path in out.glob("seeds/seed-0/checkpoints/step-*")) == left


@effect(FinetuneOptions, "overwrite")
def finetune_overwrite(bench: Bench) -> None:
    out = bench.finetune().run
    with pytest.raises(OutputError, match="not empty"):
        bench.finetune(out=out, epochs=2)
    assert len(bench.updates(out)) == 2
    bench.finetune(out=out, epochs=2, overwrite=True)
    assert len(bench.updates(out)) == 4


@effect(FinetuneOptions, "resume")
def finetune_resume(bench: Bench) -> None:
    """Stopped in its second seed; `resume` trains that one alone."""
    import bertsmith.finetuning.seed_training as module

    original, trained = module.train_head, []

    def train(*args: Any, **values: Any) -> Any:
        trained.append(values["seed"])
        if trained == [0, 1]:
            raise KeyboardInterrupt
        return original(*args, **values)

    bench.monkeypatch.setattr(module, "train_head", train)
    out = bench.fresh()
    with pytest.raises(KeyboardInterrupt):
        bench.finetune(out=out, seeds=2)
    result = bench.finetune(out=out, seeds=2, resume=True)
    assert trained == [0, 1, 1]
    assert len(result.metrics["accuracy"]["seeds"]) == 2


@effect(FinetuneOptions, "dry_run")
def finetune_dry_run(bench: Bench) -> None:
    bench.listen()
    out = bench.finetune(dry_run=True).run
    assert not out.exists()
    assert "2 updates" in bench.said
    assert "train: labels: bad 16 (50.0%), good 16 (50.0%)" in bench.said


# finetune glue


def glue(bench: Bench, *tasks: str, out: Path | None = None, **options: Any) -> Any:
    """Heads on the tasks of a folder of GLUE, after two updates each."""
    from bertsmith.verbs.finetune_glue import finetune_glue

    data = options.pop("data", None) or glue_data(bench, *(tasks or ("RTE",)))
    settings = {"max_length": 32, "batch_size": 16, "epochs": 1, "precision": "fp32", "learning_rate": 1e-3}
    return finetune_glue(**{"model": bench.run, "data": data, "out": out or bench.fresh(), **settings, **options})


def glue_data(bench: Bench, *tasks: str) -> Path:
    """A folder of GLUE."""
    folder, make = bench.fresh(), bench.request.getfixturevalue("glue_file")
    for task in tasks:
        for part, first in (("train", 0), ("dev", 1000)):
            make(folder / task / f"{part}.tsv", task, 20, first=first)
    return folder


TRAINING: dict[str, Any] = {
    "max_train_examples": 16,
    "max_length": 24,
    "epochs": 2.0,
    "batch_size": 8,
    "eval_batch_size": 4,
    "eval_every": 1,
    "learning_rate": 1e-4,
    "weight_decay": 0.1,
    "precision": "fp32",
    "patience": 3,
    "layer_decay": 0.9,
    "freeze_layers": 0,
    "lora": 2,
    "lora_alpha": 5.0,
    "lora_targets": ("value",),
    "layers": 1,
    "micro_batch_tokens": 512,
    "save_every": 2,
    "seeds": 2,
    "seed": 5,
}
"""What no option is by default."""


@effect(GlueOptions, *TRAINING)
def glue_training(bench: Bench) -> None:
    """`finetune` is told the same for each task; what it does then is shown above."""
    import bertsmith.verbs.finetune_glue as module

    assert set(TRAINING) | {"overwrite", "resume", "dry_run"} == set(HeadTrainingOptions.model_fields)
    told: list[dict[str, Any]] = []
    bench.watch(module, "train_seeds", lambda options: told.append({name: getattr(options, name) for name in TRAINING}))
    result = glue(bench, "CoLA", "RTE", **TRAINING)
    assert told == [TRAINING] * 2
    assert sorted(path.name for path in (result.out / "RTE" / "seeds").iterdir()) == ["seed-5", "seed-6"]
    told.clear()
    glue(bench)
    assert not any(
        told[0][name] == value for name, value in TRAINING.items() if name not in ("precision", "max_length")
    )


@effect(GlueOptions, "model", "data", "out")
def glue_model(bench: Bench) -> None:
    """The weights come from the MODEL, the rows from the folder, and all of it goes to another one."""
    out, name = bench.place / "deep" / "glue", "bert.embeddings.word_embeddings.weight"
    result = glue(bench, "RTE", out=out, learning_rate=1e-9)
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "RTE", "report.html", "suite.json"]
    np.testing.assert_allclose(bench.weights(out / "RTE")[name], bench.weights(bench.run)[name], atol=1e-6)
    assert list(result.tasks) == ["RTE"]
    other = glue(bench, "CoLA", model=bench.base, learning_rate=1e-9)
    np.testing.assert_allclose(bench.weights(other.out / "CoLA")[name], bench.weights(bench.base)[name], atol=1e-6)
    assert list(other.tasks) == ["CoLA"]


@effect(GlueOptions, "tasks")
def glue_tasks(bench: Bench) -> None:
    data = glue_data(bench, "CoLA", "SST-2", "RTE")
    for written, names in (("rte,cola", ["CoLA", "RTE"]), (("sst2",), ["SST-2"]), ("all", ["CoLA", "SST-2", "RTE"])):
        assert list(glue(bench, data=data, tasks=written, dry_run=True).tasks) == names


@effect(GlueOptions, "report_on")
def glue_report_on(bench: Bench) -> None:
    data = glue_data(bench, "RTE")
    bench.request.getfixturevalue("glue_file")(data / "RTE" / "test.tsv", "RTE", 9, first=2000)
    for part, rows in (("dev", 20), ("test", 9)):
        entry = glue(bench, data=data, report_on=part).tasks["RTE"]
        assert (entry["num_examples"], entry["protocol"]["figures_of"]) == (rows, f"{part}.tsv")


@effect(GlueOptions, "over_seeds")
def glue_over_seeds(bench: Bench) -> None:
    """The same seeds in three tables."""
    data, out, found = glue_data(bench, "RTE"), bench.fresh(), {}
    for over_seeds in ("mean", "median", "best"):
        entry = glue(bench, data=data, out=out, seeds=3, resume=out.exists(), over_seeds=over_seeds).tasks["RTE"]
        found[over_seeds] = entry["figures"]["accuracy"]["value"]
        seeds = entry["metrics"]["accuracy"]["seeds"]
    best = seeds[entry["seeds"].index(entry["best_seed"])]
    assert found == {"mean": pytest.approx(np.mean(seeds)), "median": np.median(seeds), "best": best}


@effect(GlueOptions, "overwrite", "resume", "dry_run")
def glue_again(bench: Bench) -> None:
    data, out = glue_data(bench, "RTE"), bench.fresh()
    assert glue(bench, data=data, out=out, dry_run=True).report is None
    assert not out.exists()
    glue(bench, data=data, out=out)
    with pytest.raises(OutputError, match="not empty"):
        glue(bench, data=data, out=out)
    weights, left = out / "RTE" / "model.safetensors", out / "left.txt"
    left.write_text("of the first time")
    before = weights.stat().st_mtime_ns
    glue(bench, data=data, out=out, resume=True)
    assert weights.stat().st_mtime_ns == before and left.is_file()
    glue(bench, data=data, out=out, overwrite=True)
    assert weights.stat().st_mtime_ns > before and not left.exists()


# Verbs that predict

MASKED = ["the baker [MASK] some bread.", "a sailor sold [MASK] horses."]


@effect(TokenizeOptions, "model")
def tokenize_model(bench: Bench) -> None:
    other = bench.prepare(cased=True).store
    here, there = (bench.lines("tokenize", model, "The Baker")[0]["tokens"] for model in (bench.run, other))
    assert "".join(here).islower() or "the" in here
    assert "The" in there


@effect(TokenizeOptions, "texts")
def tokenize_texts(bench: Bench) -> None:
    assert [line["text"] for line in bench.lines("tokenize", bench.run, "one bell", "two")] == ["one bell", "two"]
    assert [line["text"] for line in bench.lines("tokenize", bench.run, stdin="three\nfour\n")] == ["three", "four"]


@effect(TokenizeOptions, "input")
def tokenize_input(bench: Bench) -> None:
    answers = bench.lines("tokenize", bench.run, "--input", bench.file("one bell\ntwo\n"), stdin="three")
    assert [line["text"] for line in answers] == ["one bell", "two"]


@effect(FillMaskOptions, "model")
def fill_mask_model(bench: Bench) -> None:
    here, there = (bench.lines("fill-mask", model, MASKED[0]) for model in (bench.run, bench.base))
    assert here[0]["masks"] != there[0]["masks"]


@effect(FillMaskOptions, "texts")
def fill_mask_texts(bench: Bench) -> None:
    answers = bench.lines("fill-mask", bench.run, *MASKED)
    assert [line["text"] for line in answers] == MASKED
    assert answers[0]["masks"] != answers[1]["masks"]


@effect(FillMaskOptions, "input")
def fill_mask_input(bench: Bench) -> None:
    answers = bench.lines("fill-mask", bench.run, "--input", bench.file("\n".join(MASKED)))
    assert [line["text"] for line in answers] == MASKED


@effect(FillMaskOptions, "top_k")
def fill_mask_top_k(bench: Bench) -> None:
    one, nine = (bench.lines("fill-mask", bench.run, MASKED[0], "--top-k", count)[0]["masks"][0] for count in (1, 9))
    assert len(one["predictions"]) == 1
    assert len(nine["predictions"]) == 9
    assert one["predictions"][0] == nine["predictions"][0]


def values_differ_a_little(exact: list[float], rounded: list[float]) -> None:
    """Numbers of float32 and of bfloat16: near, and not the same."""
    assert exact != rounded
    np.testing.assert_allclose(exact, rounded, atol=0.1)


@effect(FillMaskOptions, "precision")
def fill_mask_precision(bench: Bench) -> None:
    found = []
    for precision in ("fp32", "bf16"):
        (answer,) = bench.lines("fill-mask", bench.run, MASKED[0], "--precision", precision)
        found.append([item["probability"] for item in answer["masks"][0]["predictions"]])
    values_differ_a_little(*found)


A, B = "the queen sold a strange map.", "two horses followed the captain."


@effect(NextSentenceOptions, "model")
def next_sentence_model(bench: Bench) -> None:
    here, there = (bench.lines("next-sentence", model, A, B)[0]["logits"] for model in (bench.run, bench.base))
    assert here != there


@effect(NextSentenceOptions, "a", "b")
def next_sentence_pair(bench: Bench) -> None:
    pairs = [(A, B), (B, A), (A, A)]
    logits = [tuple(bench.lines("next-sentence", bench.run, a, b)[0]["logits"]) for a, b in pairs]
    assert len(set(logits)) == 3


@effect(NextSentenceOptions, "input")
def next_sentence_input(bench: Bench) -> None:
    answers = bench.lines("next-sentence", bench.run, "--input", bench.file(f"{A}\t{B}\n{B}\t{A}\n"))
    alone = [bench.lines("next-sentence", bench.run, *pair)[0] for pair in ((A, B), (B, A))]
    assert answers == alone


@effect(NextSentenceOptions, "precision")
def next_sentence_precision(bench: Bench) -> None:
    values_differ_a_little(
        *(bench.lines("next-sentence", bench.run, A, B, "--precision", name)[0]["logits"] for name in ("fp32", "bf16"))
    )


@effect(EmbedOptions, "model")
def embed_model(bench: Bench) -> None:
    here, there = (bench.lines("embed", model, A)[0]["embedding"] for model in (bench.run, bench.base))
    assert here != there


@effect(EmbedOptions, "texts")
def embed_texts(bench: Bench) -> None:
    first, second = bench.lines("embed", bench.run, A, B)
    assert (first["text"], second["text"]) == (A, B)
    assert first["embedding"] != second["embedding"]


@effect(EmbedOptions, "input")
def embed_input(bench: Bench) -> None:
    assert bench.lines("embed", bench.run, "--input", bench.file(f"{A}\n{B}")) == bench.lines("embed", bench.run, A, B)


def hidden(bench: Bench, layer: int) -> npt.NDArray[np.float32]:
    """float32 of [tokens, width]: stock's vectors of the text A."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(bench.run).eval()
    tokenizer = AutoTokenizer.from_pretrained(bench.run)
    with torch.no_grad():
        states = model(**tokenizer(A, return_tensors="pt"), output_hidden_states=True).hidden_states
    array: npt.NDArray[np.float32] = states[layer][0].numpy()
    return array


@effect(EmbedOptions, "pooling")
def embed_pooling(bench: Bench) -> None:
    states = hidden(bench, -1)
    for name, expected in (("mean", states.mean(0)), ("max", states.max(0)), ("cls", states[0])):
        (answer,) = bench.lines("embed", bench.run, A, "--pooling", name)
        np.testing.assert_allclose(answer["embedding"], expected, atol=1e-5)
    (answer,) = bench.lines("embed", bench.run, A)
    np.testing.assert_allclose(answer["embedding"], states.mean(0), atol=1e-5, err_msg="the default is the mean")


@effect(EmbedOptions, "layer")
def embed_layer(bench: Bench) -> None:
    for layer in (0, 1, -1, -2):
        (answer,) = bench.lines("embed", bench.run, A, "--layer", layer)
        np.testing.assert_allclose(answer["embedding"], hidden(bench, layer).mean(0), atol=1e-5)
    assert np.abs(hidden(bench, 0) - hidden(bench, 1)).max() > 0.01


@effect(EmbedOptions, "precision")
def embed_precision(bench: Bench) -> None:
    values_differ_a_little(
        *(bench.lines("embed", bench.run, A, "--precision", name)[0]["embedding"] for name in ("fp32", "bf16"))
    )


@effect(ClassifyOptions, "model")
def classify_model(bench: Bench) -> None:
    data = ratings(bench)
    other = bench.finetune(train=data, dev=data, problem_type="single_label_classification").run
    assert set(bench.lines("classify", bench.head, A)[0]["probabilities"]) == {"good", "bad"}
    assert set(bench.lines("classify", other, A)[0]["probabilities"]) == {"0.0", "0.5", "1.0", "1.5", "2.0"}


@effect(ClassifyOptions, "texts")
def classify_texts(bench: Bench) -> None:
    answers = bench.lines("classify", bench.head, sentence(0)[0], sentence(1)[0])
    assert [answer["label"] for answer in answers] == ["good", "bad"]


@effect(ClassifyOptions, "input")
def classify_input(bench: Bench) -> None:
    file = bench.file(f"{sentence(1)[0]}\n{sentence(0)[0]}\n")
    assert [answer["label"] for answer in bench.lines("classify", bench.head, "--input", file)] == ["bad", "good"]


def with_config(bench: Bench, model: Path, **values: Any) -> Path:
    """The MODEL with other values in its config.json."""
    folder = bench.fresh()
    shutil.copytree(model, folder)
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))
    return folder


@effect(ClassifyOptions, "pair")
def classify_pair(bench: Bench) -> None:
    of_pairs = with_config(bench, bench.head, text_columns=["first", "second"])
    pair, other = (bench.lines("classify", of_pairs, A, "--pair", text)[0]["probabilities"] for text in (B, A))
    assert pair != other
    (line,) = bench.lines("classify", of_pairs, stdin=f"{A}\t{B}\n")
    assert line["probabilities"] == pytest.approx(pair, abs=1e-6)


@effect(ClassifyOptions, "max_length")
def classify_max_length(bench: Bench) -> None:
    """As `evaluate --max-length`; without the option the length of the training, 32."""
    text, cut = f"{A} " * 5, {}
    for length in (8, 32, 64):
        (found,) = bench.lines("classify", bench.head, text, "--max-length", length)
        cut[length] = found["truncated_tokens"]
        data = bench.file(f"text,label\n{text},good\n", ".csv")
        assert bench.evaluate(bench.head, data, max_length=length).truncated_tokens == cut[length]
    assert cut[8] == cut[32] + 24 > cut[64]
    assert bench.lines("classify", bench.head, text)[0]["truncated_tokens"] == cut[32]


@effect(ClassifyOptions, "precision")
def classify_precision(bench: Bench) -> None:
    found = [
        bench.lines("classify", bench.head, A, "--precision", name)[0]["probabilities"]["good"]
        for name in ("fp32", "bf16")
    ]
    values_differ_a_little([found[0]], [found[1]])


def tagging_run(bench: Bench, type_: str = "FOOD") -> Path:
    """A RUN that tags "bread" as this type."""
    from bertsmith.verbs.finetune import finetune

    sentences = [sentence(number)[0].split() for number in range(ROWS)]
    blocks = ("".join(f"{word} {f'B-{type_}' if word == 'bread' else 'O'}\n" for word in words) for words in sentences)
    data = bench.file("\n".join(blocks), ".conll")
    settings = {"max_length": 32, "precision": "fp32", **LEARNING}
    result = finetune("token-classification", model=bench.run, train=data, dev=data, out=bench.fresh(), **settings)
    assert result.metrics["f1"]["mean"] > 0.9
    return result.run


@effect(TagOptions, "model")
def tag_model(bench: Bench) -> None:
    for type_ in ("FOOD", "MEAL"):
        (answer,) = bench.lines("tag", tagging_run(bench, type_), "bread near the river")
        assert [entity["label"] for entity in answer["entities"]] == [type_]


@effect(TagOptions, "max_length")
def tag_max_length(bench: Bench) -> None:
    """Windows of other lengths see other words around a word."""
    run, text = tagging_run(bench), f"bread {'near the river ' * 8}bread"
    at_8, at_32, default = (
        bench.lines("tag", run, text, *options)[0] for options in (("--max-length", 8), ("--max-length", 32), ())
    )
    assert default == at_32
    assert [entity["score"] for entity in at_8["entities"]] != [entity["score"] for entity in at_32["entities"]]


@effect(TagOptions, "texts", "input", "precision")
def tag_texts_and_precision(bench: Bench) -> None:
    run = tagging_run(bench)
    texts = ["horses near the river", "bread near the river"]
    answers = bench.lines("tag", run, *texts)
    assert [answer["text"] for answer in answers] == texts
    assert [len(answer["entities"]) for answer in answers] == [0, 1]
    file = bench.file("\n".join(reversed(texts)) + "\n")
    assert bench.lines("tag", run, "--input", file) == answers[::-1]
    assert bench.lines("tag", run, stdin="\n".join(texts)) == answers
    blank = {"text": "", "entities": []}
    assert bench.lines("tag", run, stdin="\r\n\n".join(["", *texts, ""])) == [
        *(blank, blank, answers[0], blank, answers[1], blank)
    ]
    (half,) = bench.lines("tag", run, texts[1], "--precision", "bf16")
    values_differ_a_little([answers[1]["entities"][0]["score"]], [half["entities"][0]["score"]])


@effect(FinetuneOptions, "labels_are", "label_names")
@effect(EvaluateOptions, "labels_are", "label_names")
@effect(CompareOptions, "labels_are", "label_names")
@effect(ScoreOptions, "labels_are", "label_names")
def kind_and_names_of_tags(bench: Bench) -> None:
    """Numbers are the tags of entities by their names, and plain labels if that is said."""
    from bertsmith.verbs.finetune import finetune

    data = bench.file('{"tokens": ["some", "bread"], "ner_tags": [0, 1]}\n' * 8, ".jsonl")
    names = {"label_names": "O,B-FOOD"}
    plain, unnamed = {**names, "labels_are": "plain"}, pytest.raises(DataError, match="line 1: found the tag '0'")

    def tagged(**options: Any) -> Any:
        settings = {"max_length": 16, "precision": "fp32", "epochs": 1, **options}
        files = {"train": data, "dev": data, "model": bench.run, "out": bench.fresh()}
        return finetune("token-classification", **files, **settings)

    run = tagged(**names)
    assert "f1" in run.metrics and list(tagged(**plain).metrics) == ["accuracy"]
    file = bench.fresh(".conll")
    assert "f1" in bench.evaluate(run.run, data, predictions=file, **names).metrics
    assert list(bench.evaluate(run.run, data, **plain).metrics) == ["accuracy"]
    assert "f1" in bench.compare(run.run, run.run, data, **names).metrics
    assert list(bench.compare(run.run, run.run, data, **plain).metrics) == ["accuracy"]
    assert "f1" in bench.score("token-classification", data, file, **names)
    assert list(bench.score("token-classification", data, file, **plain)) == ["accuracy"]
    in_a_file = {"label_names": bench.file("O\nB-FOOD\n")}
    assert bench.score("token-classification", data, file, **in_a_file)["accuracy"] >= 0
    with unnamed:
        tagged()
    with unnamed:
        bench.evaluate(run.run, data)
    with unnamed:
        bench.compare(run.run, run.run, data)
    with unnamed:
        bench.score("token-classification", data, file)


def questions(bench: Bench, right: str = "bread", ending: str = ".csv") -> Path:
    """A table of questions whose right choice is this word; other columns hold the choices turned round."""
    rows = ["prompt,choice0,choice1,label,turned0,turned1"]
    for number in range(ROWS):
        choices = ["bread", "horses"][:: 1 if number % 2 else -1]
        turned = ",".join(reversed(choices))
        rows.append(f"{'near ' * (1 + number % 5)}the river,{','.join(choices)},{choices.index(right)},{turned}")
    return bench.file("\n".join(rows) + "\n", ending)


def choosing_run(bench: Bench, right: str = "bread", **options: Any) -> Path:
    """A RUN that chooses this word."""
    from bertsmith.verbs.finetune import finetune

    data = questions(bench, right)
    settings = {"max_length": 32, "precision": "fp32", **LEARNING, **options}
    return finetune("multiple-choice", model=bench.run, train=data, dev=data, out=bench.fresh(), **settings).run


@effect(FinetuneOptions, "choice_columns")
@effect(EvaluateOptions, "choice_columns")
@effect(CompareOptions, "choice_columns")
@effect(ScoreOptions, "choice_columns")
def choice_columns(bench: Bench) -> None:
    """The columns that hold the choices turned round make what is learnt, measured and scored the opposite."""
    data, file = questions(bench), bench.fresh(".jsonl")
    run, turned = choosing_run(bench), choosing_run(bench, choice_columns="turned0,turned1")
    for model, columns, right in ((run, None, 1), (run, "turned0,turned1", 0), (turned, None, 0)):
        figures = bench.evaluate(model, data, choice_columns=columns, predictions=file).metrics
        assert figures["accuracy"]["value"] == right
        compared = bench.compare(model, model, data, choice_columns=columns).metrics
        assert compared["accuracy"]["a"] == compared["accuracy"]["b"] == right
    bench.evaluate(run, data, predictions=file)
    assert bench.score("multiple-choice", data, file) == {"accuracy": 1}
    with pytest.raises(DataError, match="line 1: the choice is 'bread', expected 'horses', the one with the index"):
        bench.score("multiple-choice", data, file, choice_columns=["turned0", "turned1"])


@effect(FinetuneOptions, "labels_from")
@effect(EvaluateOptions, "labels_from")
@effect(CompareOptions, "labels_from")
@effect(ScoreOptions, "labels_from")
def labels_from(bench: Bench) -> None:
    """The label 1 is the second choice if labels count from 0, and the first choice if they count from 1."""
    from bertsmith.verbs.finetune import finetune

    rows = [f"{'near ' * (1 + number % 5)}the river,horses,bread,1" for number in range(ROWS)]
    data, file = bench.file("\n".join(["prompt,choice0,choice1,label", *rows]) + "\n", ".csv"), bench.fresh(".jsonl")
    given = {"model": bench.run, "train": data, "dev": data, "max_length": 32, "precision": "fp32", **LEARNING}
    runs = [finetune("multiple-choice", **given, labels_from=start, out=bench.fresh()).run for start in (0, 1)]
    words = ("--prompt", "near the river", "--choice", "horses", "--choice", "bread")
    assert [json.loads((run / "config.json").read_text())["choice_labels_from"] for run in runs] == [0, 1]
    assert [bench.lines("choose", run, *words)[0]["choice"] for run in runs] == ["bread", "horses"]
    for start, right in ((0, 1), (1, 0)):
        figures = bench.evaluate(runs[0], data, labels_from=start, predictions=file).metrics
        assert figures["accuracy"]["value"] == right
        assert bench.compare(runs[0], runs[0], data, labels_from=start).metrics["accuracy"]["a"] == right
        assert bench.score("multiple-choice", data, file, labels_from=start) == {"accuracy": right}


@effect(ChooseOptions, "model", "prompt", "choice", "input", "precision", "max_length")
def choose(bench: Bench) -> None:
    run, other = choosing_run(bench), choosing_run(bench, "horses")
    words = ("--choice", "horses", "--choice", "bread")
    found = [bench.lines("choose", model, "--prompt", "the river", *words)[0] for model in (run, other)]
    assert [(answer["choice"], answer["index"]) for answer in found] == [("bread", 1), ("horses", 0)]
    (three,) = bench.lines("choose", run, "--prompt", "the river", *words, "--choice", "some bread")
    assert len(three["probabilities"]) == 3
    cut = [
        bench.lines("choose", run, "--prompt", "near " * 80, *words, *options)[0]["truncated_tokens"]
        for options in ((), ("--max-length", 32), ("--max-length", 64))
    ]
    assert cut[0] == cut[1] == cut[2] + 2 * 32, "the length of the training, for both choices"
    (longer,) = bench.lines("choose", run, "--prompt", "near near the river", *words)
    assert longer["probabilities"] != found[0]["probabilities"]
    lines = [{"prompt": prompt, "choices": ["horses", "bread"]} for prompt in ("the river", "near near the river")]
    file = bench.file("".join(f"{json.dumps(line)}\n" for line in lines), ".jsonl")
    answers = bench.lines("choose", run, "--input", file)
    assert [answer["index"] for answer in answers] == [1, 1]
    np.testing.assert_allclose(answers[1]["probabilities"], longer["probabilities"], atol=1e-6)
    (half,) = bench.lines("choose", run, "--prompt", "the river", *words, "--precision", "bf16")
    values_differ_a_little(found[0]["probabilities"], half["probabilities"])


def answering_run(bench: Bench, person: str = "baker") -> Path:
    """A RUN that answers with this person, whatever the question, where it stands in the context."""
    from bertsmith.verbs.finetune import finetune

    lines = []
    for number in range(ROWS):
        context = f"{'near the river ' * (number % 4)}the {person} sold bread"
        answers = [{"text": person, "start": context.index(person)}]
        lines.append(json.dumps({"question": "who?", "context": context, "answers": answers}))
    data = bench.file("\n".join(lines), ".jsonl")
    settings = {"max_length": 48, "precision": "fp32", **LEARNING}
    result = finetune("question-answering", model=bench.run, train=data, dev=data, out=bench.fresh(), **settings)
    assert result.metrics["f1"]["mean"] > 90
    return result.run


ASKED = ("--question", "who?", "--context", "the baker sold bread")


@effect(AnswerOptions, "model")
def answer_model(bench: Bench) -> None:
    (answer,) = bench.lines("answer", answering_run(bench), *ASKED)
    (other,) = bench.lines("answer", answering_run(bench, "bread"), *ASKED)
    assert (answer["answer"], answer["start"], answer["end"]) == ("baker", 4, 9)
    assert other["answer"] != "baker"


@effect(AnswerOptions, "max_length")
def answer_max_length(bench: Bench) -> None:
    """Windows of other lengths hold other spans."""
    run = answering_run(bench)
    asked = ("--question", "who?", "--context", f"{'near the river ' * 20}the baker sold bread")
    at_16, at_48, default = (
        bench.lines("answer", run, *asked, *options)[0] for options in (("--max-length", 16), ("--max-length", 48), ())
    )
    assert default == at_48
    assert default["no_answer_probability"] != at_16["no_answer_probability"]


@effect(AnswerOptions, "question", "context", "input", "top_k", "no_answer_threshold", "precision")
def answer_options(bench: Bench) -> None:
    run = answering_run(bench)
    (answer,) = bench.lines("answer", run, *ASKED)
    (question,) = bench.lines("answer", run, "--question", "bread near the river?", *ASKED[2:])
    assert question["no_answer_probability"] != answer["no_answer_probability"]
    (context,) = bench.lines("answer", run, *ASKED[:3], "near the river the baker sold bread")
    assert (context["answer"], context["start"]) == ("baker", 19)
    lines = "".join(f"{json.dumps({'question': 'who?', 'context': text})}\n" for text in (ASKED[3], "the river"))
    found = bench.lines("answer", run, "--input", bench.file(lines))
    assert found == bench.lines("answer", run, stdin=lines) and len(found) == 2
    assert found[0]["answer"] == answer["answer"]
    blank = bench.lines("answer", run, "--top-k", 2, stdin=lines.replace("\n", "\n\n"))
    assert [line["answer"] is None for line in blank] == [False, True, False, True]
    assert blank[1] == {**dict.fromkeys(answer), "candidates": []}
    (several,) = bench.lines("answer", run, *ASKED, "--top-k", 3)
    assert "candidates" not in answer and len(several["candidates"]) == 3
    assert several["candidates"][0]["answer"] == answer["answer"]
    (left,) = bench.lines("answer", run, *ASKED, "--no-answer-threshold", 0)
    assert left["answer"] == "" != answer["answer"]
    (half,) = bench.lines("answer", run, *ASKED, "--precision", "bf16")
    values_differ_a_little([answer["no_answer_probability"]], [half["no_answer_probability"]])


# quickstart and report


def quickstart(bench: Bench, **options: Any) -> tuple[Any, list[int]]:
    """The whole quickstart on a small corpus of eight packages, with a tiny model; also the workers it reads with."""
    import bertsmith.verbs.quickstart as module
    from bertsmith.corpus import module_sentences
    from bertsmith.verbs.pretrain import pretrain

    workers: list[int] = []

    def write_corpus(path: Path, count: int, advance: Any) -> dict[str, int]:
        workers.append(count)
        shutil.copyfile(bench.corpus, path)
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        rows = [{**row, "package": f"package-{number % 6}"} for number, row in enumerate(rows)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return {"characters": path.stat().st_size, "documents": len(rows)}

    def small(store: Path, *, size: str, **values: Any) -> Any:
        return pretrain(store, **{**bench.tiny, "max_positions": 128, **values})

    for name, value in {
        "write_corpus": write_corpus,
        "pretrain": small,
        "VOCAB_SIZE": 200,
        "HELD_OUT": 0.2,
        "TEXTS": "package-0",
    }.items():
        bench.monkeypatch.setattr(module, name, value)
    for name, value in (("TRAIN_PER_CLASS", 8), ("DEV_PER_CLASS", 4)):
        bench.monkeypatch.setattr(module_sentences, name, value)
    defaults = {"out": bench.fresh(), "minutes": 0.005, "workers": 1}
    return module.quickstart(**{**defaults, **options}), workers


@effect(QuickstartOptions, "minutes", "seed", slow=True)
def quickstart_minutes_and_seed(bench: Bench) -> None:
    short, _ = quickstart(bench, minutes=0.005, seed=0)
    long, _ = quickstart(bench, minutes=0.02, seed=1)
    results = [short, long]
    trained = [bench.record(result.run) for result in results]
    assert [record["options"]["minutes"] for record in trained] == [0.005, 0.02]
    assert trained[0]["result"]["seconds"] >= 0.3
    assert trained[1]["result"]["seconds"] >= 1.2
    assert [record["options"]["seed"] for record in trained] == [0, 1]
    assert [bench.record(result.classifier)["options"]["seed"] for result in results] == [0, 1]
    assert bench.held_out(short.store) != bench.held_out(long.store)
    labelled = [(result.run.parent / "classification" / "train.csv").read_text() for result in results]
    assert labelled[0] != labelled[1]


@effect(QuickstartOptions, "workers", slow=True)
def quickstart_workers(bench: Bench) -> None:
    """So many processes read the documentation, and so many clean it."""
    cleaning = workers_seen(bench)
    assert quickstart(bench, workers=3)[1] == [3]
    assert cleaning == [3]


@effect(QuickstartOptions, "out", "overwrite", slow=True)
def quickstart_out(bench: Bench) -> None:
    out = bench.place / "deep" / "quickstart"
    _, workers = quickstart(bench, out=out, workers=None)
    assert workers == [len(os.sched_getaffinity(0))], "one a core by default"
    assert [path.name for path in out.parent.iterdir()] == ["quickstart"]
    made = {"corpus.jsonl", "store", "model", "classification", "classifier", "report.html", "quickstart.json"}
    made |= {"texts", "licences.txt"}
    assert {path.name for path in out.iterdir()} == made
    assert {path.name for path in (out / "classification").iterdir()} == {"train.csv", "dev.csv"}
    assert len(list((out / "texts").iterdir())) == 20, "a sixth of the documents is of one package"
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    for name in re.findall(r"runs/quickstart/([\w./-]*\w)", readme):
        assert (out / name).exists(), f"README.md uses runs/quickstart/{name}"
    (out / "left.txt").write_text("of the first run")
    with pytest.raises(OutputError, match="not empty"):
        quickstart(bench, out=out)
    assert (out / "left.txt").is_file()
    quickstart(bench, out=out, overwrite=True)
    assert not (out / "left.txt").exists()


@effect(ReportOptions, "folder")
def report_folder(bench: Bench) -> None:
    """It is written from what the folder holds now."""
    from bertsmith.verbs.report import report

    for source, file in ((bench.store, "manifest.json"), (bench.base, "run.json")):
        folder = bench.fresh()
        shutil.copytree(source, folder)
        (folder / "report.html").unlink()
        content = json.loads((folder / file).read_text())
        content["versions"]["torch"] = "9.8.7-of-this-test"
        (folder / file).write_text(json.dumps(content))
        assert report(folder).report == folder / "report.html"
        html = (folder / "report.html").read_text(encoding="utf-8")
        assert folder.name in html
        assert "9.8.7-of-this-test" in html


@effect(ReportOptions, "watch")
def report_watch(bench: Bench) -> None:
    """It returns when the run has ended, with the figures of that end."""
    import bertsmith.verbs.report as module

    run = bench.fresh()
    shutil.copytree(bench.base, run)
    record = bench.record(run)

    def save(status: str) -> None:
        (run / "run.json").write_text(json.dumps({**record, "status": status}))

    save("running")
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            save("finished")

    bench.monkeypatch.setattr(module.time, "sleep", wait)
    module.report(run)
    assert waited == []
    module.report(run, watch=True)
    assert len(waited) == 3
    assert "running" not in (run / "report.html").read_text().split("</header>")[0]
