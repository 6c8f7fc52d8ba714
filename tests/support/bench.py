"""The bench for tests of options: small inputs, every verb with small settings, and readers of its results."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bertsmith.config.options import Options
from support.effect_files import LEARNING, ROWS, TASK, sentence
from support.notes import collected_notes

Effect = Callable[..., None]


def effect(schema: type[Options], *names: str) -> Callable[[Effect], Effect]:
    """Mark a test as the one that shows the effect of these options; test_every_option.py looks for the mark."""

    def mark(test: Effect) -> Effect:
        test.effects = [*getattr(test, "effects", []), *((schema, name) for name in names)]  # type: ignore[attr-defined]
        return test

    return mark


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
        """Collect in `said` every note that is logged from now on."""
        notes = collected_notes(warnings=False)
        self.said = notes.__enter__()
        self.request.addfinalizer(lambda: notes.__exit__(None, None, None))

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


def training_texts(bench: Bench) -> list[dict[str, Any]]:
    """The batches that a head trains on from now on."""
    from transformers import BertForSequenceClassification

    seen: list[dict[str, Any]] = []

    def see(model: Any, *inputs: Any, **batch: Any) -> None:
        if model.training:
            seen.append(batch)

    bench.watch(BertForSequenceClassification, "forward", see)
    return seen


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


def values_differ_a_little(exact: list[float], rounded: list[float]) -> None:
    """Numbers of float32 and of bfloat16: near, and not the same."""
    assert exact != rounded
    np.testing.assert_allclose(exact, rounded, atol=0.1)
