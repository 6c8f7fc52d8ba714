"""Texts without labels: a model learns only the predictions of its teacher from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from bertsmith.errors import BertsmithError, DataError, Interrupted, OptionError
from bertsmith.evaluation.dataset_roles import dataset_role
from bertsmith.finetuning.head_batches import HeadBatches, LabelledData
from bertsmith.finetuning.head_losses import Distillation, head_loss_sums
from bertsmith.finetuning.head_model import load_head
from bertsmith.finetuning.head_training import train_head
from bertsmith.finetuning.settings import HeadSettings
from bertsmith.inference.head_outputs import tensors
from bertsmith.runtime.files import sha256_of
from bertsmith.tasks.base import AnyTask, task_class
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.sequence_classification.problem_types import MULTI_LABEL, REGRESSION
from bertsmith.tasks.sequence_classification.task import SequenceClassification
from bertsmith.tasks.task_losses import task_losses
from bertsmith.tasks.values import SINGLE_LABEL
from bertsmith.tokenization.folder import load_tokenizer
from bertsmith.training.run_folder import RunFolder, read_metrics
from bertsmith.verbs.finetune import finetune

Labelled = Callable[..., Path]
Signalled = Callable[..., AbstractContextManager[None]]
TASK = "sequence-classification"
QUICK: dict[str, Any] = {"precision": "fp32", "max_length": 24, "learning_rate": 3e-3, "batch_size": 8, "epochs": 1}
KINDS = ["classes", "pairs", "sets", "numbers", "tags", "choices"]
TASK_OF = {"tags": "token-classification", "choices": "multiple-choice"}
PROBLEM = {"sets": MULTI_LABEL, "numbers": REGRESSION}


def task_of(kind: str) -> dict[str, Any]:
    """The options that say what kind of labels there is."""
    return {"task": TASK_OF.get(kind, TASK), "problem_type": PROBLEM.get(kind, SINGLE_LABEL)}


def rows(kind: str, count: int, *, first: int = 0) -> list[dict[str, Any]]:
    """Labelled examples, all of them different; the label stands last."""
    found: list[dict[str, Any]] = []
    for number in range(first, first + count):
        word, other = ("bread", "horses")[number % 2], ("food", "animal")[number % 2]
        words = [word, *["near", "the", "river"] * (1 + number % 5), *["hill"] * (number // 10)]
        text = " ".join(words)
        if kind == "tags":
            found.append({"tokens": words, "tags": [f"B-{other.upper()}", *["O"] * (len(words) - 1)]})
        elif kind == "choices":
            found.append({"prompt": text, "choices": ["horses"] * (1 + number % 3) + ["bread"], "label": number % 2})
        elif kind == "pairs":
            found.append({"text": text, "text_pair": "the market", "label": other})
        elif kind == "sets":
            found.append({"text": text, "label": [other] * (number % 3 > 0) + ["thing"] * (number % 3 > 1)})
        else:
            found.append({"text": text, "label": number / 10 if kind == "numbers" else other})
    return found


def written(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def without_labels(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name not in ("label", "tags")} for line in lines]


def same(one: Path, other: Path) -> bool:
    left, right = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


# The loss

WEIGHT, SOFTENED = 0.25, 2.0
CLASS_WEIGHTS = (0.5, 2.0)


LEARNT = {"batch_size": 8, "max_length": 24, "distillation": Distillation(WEIGHT, SOFTENED)}


def both(kind: str, run: Path, folder: Path) -> tuple[AnyTask, LabelledData, list[Any]]:
    """Ten labelled examples and behind them six without labels, taught at random; and what the teacher says of each."""
    head_type = task_class(TASK_OF.get(kind, TASK))
    file = written(folder / "train.jsonl", rows(kind, 10))
    known = head_type.read(file, Columns())
    head = head_type.for_training(known, SimpleNamespace(problem_type=PROBLEM.get(kind, SINGLE_LABEL), labels_are=None))
    more = written(folder / "more.jsonl", without_labels(rows(kind, 6, first=10)))
    examples = [*known, *head.read_unlabelled(more, Columns())]
    inputs = head.encode(load_tokenizer(str(run)), examples, 64)
    assert len(inputs.lengths) == 16, "none is divided into windows"
    draw = torch.Generator().manual_seed(0)
    sizes = {"numbers": lambda example: 1, "tags": lambda example: len(example.tokens) * len(head.labels)}
    sizes["choices"] = lambda example: len(example.choices)
    size = sizes.get(kind, lambda example: len(head.labels))
    said = [torch.randn(size(example), generator=draw) for example in examples]
    taught = LabelledData(inputs, head.targets(examples, "train"), lambda row: said[row].numpy(), labelled=10)
    return head, taught, said


def by_stock(kind: str, logits: Tensor, gold: Tensor, said: Tensor, labelled: bool, weighted: bool) -> Tensor:
    """The loss of one example by torch's own modules; logits of [losses, options]."""
    if kind == "numbers":
        hard, soft = nn.MSELoss(reduction="sum")(logits[0], gold), nn.MSELoss(reduction="sum")(logits[0], said)
    elif kind == "sets":
        hard = nn.BCEWithLogitsLoss(reduction="sum")(logits[0].double(), gold[0])
        two = [torch.stack([side, torch.zeros_like(side)], -1) / SOFTENED for side in (logits[0], said)]
        soft = nn.KLDivLoss(reduction="sum")(two[0].log_softmax(-1), two[1].softmax(-1)) * SOFTENED**2
    else:
        hard = nn.CrossEntropyLoss(reduction="sum")(logits, gold.long())
        wanted = (said.view(logits.shape) / SOFTENED).softmax(-1)
        soft = nn.KLDivLoss(reduction="sum")((logits / SOFTENED).log_softmax(-1), wanted) * SOFTENED**2
    scale = CLASS_WEIGHTS[int(gold)] if weighted and labelled else 1.0
    return scale * ((1 - WEIGHT) * hard + WEIGHT * soft) if labelled else soft


@pytest.mark.parametrize("kind", [*KINDS, "weighted"])
def test_the_loss_is_that_of_stock_modules(
    kind: str, run: Path, tmp_path: Path, head_settings: Callable[..., HeadSettings]
) -> None:
    """Of a batch of both kinds, and of each kind alone; where none is labelled it has a gradient all the same."""
    weighted, kind = kind == "weighted", "classes" if kind == "weighted" else kind
    head, data, said = both(kind, run, tmp_path)
    losses = task_losses(TASK_OF.get(kind, TASK), head, CLASS_WEIGHTS if weighted else None)
    model = load_head(head_settings(head, run, **LEARNT, **task_of(kind))).eval()
    batches = HeadBatches(data, losses, 16, pad_token_id=0, with_types=True, seed=0)
    numbers = range(16)
    alone = {True: [n for n in numbers if batches.row(n) < 10], False: [n for n in numbers if batches.row(n) >= 10]}
    assert [len(part) for part in alone.values()] == [10, 6]

    def expected(number: int) -> Tensor:
        row = batches.row(number)
        inputs = tensors(head.batch(data.encoded, [row], 0, with_types=True))
        gold = torch.from_numpy(head.row_targets(data.encoded, data.targets, [row]))
        with torch.no_grad():
            logits = model(**inputs).logits
        if kind == "tags":
            logits, gold = logits[0][gold[0] >= 0], gold[gold >= 0]
        if kind == "choices":
            gold = gold[:, 0]
        return by_stock(kind, logits, gold, said[row], row < 10, weighted)

    compute = head_loss_sums(losses, Distillation(WEIGHT, SOFTENED))
    for chosen in (list(numbers), alone[True], alone[False]):
        model.zero_grad()
        batch = batches(chosen)
        found = compute(model, batch.inputs)
        assert float(found.detach()) == pytest.approx(float(sum(expected(number) for number in chosen)), rel=1e-4)
        found.sum().backward()
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        assert gradients and all(bool(gradient.isfinite().all()) for gradient in gradients)
        assert max(float(gradient.abs().max()) for gradient in gradients) > 0
        count = float(len(chosen))
        if kind in ("tags", "sets"):
            numbers_said = sum(len(said[batches.row(n)]) for n in chosen)
            count = numbers_said / len(head.labels) if kind == "tags" else numbers_said
        if weighted:
            count = sum(
                CLASS_WEIGHTS[int(data.targets[batches.row(n)])] if batches.row(n) < 10 else 1.0 for n in chosen
            )
        assert float(batch.loss_counts) == pytest.approx(count)


@pytest.mark.parametrize("kind", ["classes", "tags", "weighted"])
def test_an_update_is_the_same_for_every_division(
    kind: str, still: Path, tmp_path: Path, head_settings: Callable[..., HeadSettings]
) -> None:
    """Micro-batches of few tokens, of one kind alone among them, and two side by side."""
    weights, kind = (CLASS_WEIGHTS, "classes") if kind == "weighted" else (None, kind)
    head, data, _ = both(kind, still, tmp_path)
    tokenizer = load_tokenizer(str(still))
    found = []
    for place, values in enumerate(({}, {"micro_batch_tokens": 24}, {"threads": 2})):
        settings = head_settings(head, still, class_weights=weights, **LEARNT, **task_of(kind), **values)
        folder = RunFolder(tmp_path / f"run-{place}")
        folder.path.mkdir()
        dev = LabelledData(data.encoded, data.targets)
        trained = train_head(settings, data, dev, tokenizer=tokenizer, folder=folder, seed=0, title="test")
        found.append({name: value.detach().clone() for name, value in trained.model.state_dict().items()})
    for other in found[1:]:
        for name, value in found[0].items():
            torch.testing.assert_close(other[name], value, rtol=1e-3, atol=1e-4)


# Files


@pytest.mark.parametrize("kind", KINDS)
def test_the_texts_are_learned_and_their_labels_are_not(kind: str, still: Path, tmp_path: Path) -> None:
    """A file without labels, one with labels and one with impossible ones teach the same; no file teaches less."""
    known, more = rows(kind, 10), rows(kind, 12, first=10)
    file = written(tmp_path / "train.jsonl", known)
    task = task_of(kind)
    options = {**QUICK, **task, "model": still, "train": file, "dev": file}
    teacher = finetune(**options, out=tmp_path / "teacher").run
    wrong = without_labels(more)
    name = "tags" if kind == "tags" else "label"
    for line in wrong:
        line[name] = {"never": "seen"}
    files = {"plain": without_labels(more), "labelled": more, "wrong": wrong}
    runs = {
        called: finetune(
            **options,
            teacher=teacher,
            unlabelled=written(tmp_path / f"{called}.jsonl", lines),
            out=tmp_path / called,
        ).run
        for called, lines in files.items()
    }
    assert same(runs["plain"], runs["labelled"])
    assert same(runs["plain"], runs["wrong"])
    alone = finetune(**options, teacher=teacher, out=tmp_path / "alone").run
    assert not same(runs["plain"], alone)
    assert (len(read_metrics(runs["plain"])[0]), len(read_metrics(alone)[0])) == (3, 2)


def test_columns_of_tokens_need_no_tags(still: Path, tmp_path: Path) -> None:
    """In CoNLL files too, beside records of the same sentences."""
    known, more = rows("tags", 10), rows("tags", 8, first=10)
    options = {**QUICK, **task_of("tags"), "model": still}

    def columns(name: str, lines: list[dict[str, Any]], *, tags: bool) -> Path:
        path = tmp_path / name
        sentences = [
            "\n".join(
                f"{token} {tag}" if tags else token for token, tag in zip(line["tokens"], line["tags"], strict=True)
            )
            for line in lines
        ]
        path.write_text("\n\n".join(sentences) + "\n")
        return path

    train = columns("train.conll", known, tags=True)
    options |= {"train": train, "dev": train}
    teacher = finetune(**options, out=tmp_path / "teacher").run
    bare, tagged = (columns(f"{tags}.conll", more, tags=tags) for tags in (False, True))
    one, other = (
        finetune(**options, teacher=teacher, unlabelled=file, out=tmp_path / file.stem).run for file in (bare, tagged)
    )
    assert same(one, other)


def test_hidden_labels_of_a_data_set_are_not_looked_at(still: Path, tmp_path: Path) -> None:
    """The parts without labels of the hub have -1 for each."""
    import datasets

    file = written(tmp_path / "train.jsonl", rows("classes", 10))
    options = {**QUICK, **task_of("classes"), "model": still, "train": file, "dev": file}
    teacher = finetune(**options, out=tmp_path / "teacher").run
    texts = [line["text"] for line in rows("classes", 6, first=10)]
    kinds = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    hidden = tmp_path / "hidden.parquet"
    datasets.Dataset.from_dict({"text": texts, "label": [-1] * 6}, features=kinds).to_parquet(hidden)
    result = finetune(**options, teacher=teacher, unlabelled=hidden, out=tmp_path / "student")
    record = json.loads((result.run / "run.json").read_text())
    assert [file["examples"] for file in record["data"]["files"] if file["part"] == "unlabelled"] == [6]


# What is said of them


@pytest.fixture(scope="module")
def teacher(run: Path, labelled: Labelled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RUN that has learned the task."""
    files = {"model": run, "train": labelled("train", 48), "dev": labelled("dev", 20)}
    return finetune(TASK, **files, **QUICK, out=tmp_path_factory.mktemp("taught") / "teacher").run


@pytest.fixture
def options(run: Path, teacher: Path, labelled: Labelled) -> dict[str, Any]:
    files = {"train": labelled("train", 48), "dev": labelled("dev", 20), "unlabelled": labelled("more", 40)}
    return {**QUICK, **files, "model": run, "teacher": teacher}


def test_the_record_the_card_and_the_report_name_the_file(options: dict[str, Any], tmp_path: Path) -> None:
    train, dev = (options[part].read_text().splitlines() for part in ("train", "dev"))
    texts = [*train[:3], *dev[:2], *options["unlabelled"].read_text().splitlines()]
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_text("\n".join(texts) + "\n")
    result = finetune(TASK, **{**options, "unlabelled": mixed}, out=tmp_path / "run")
    record = json.loads((result.run / "run.json").read_text())
    (file,) = (each for each in record["data"]["files"] if each["part"] == "unlabelled")
    assert (file["name"], file["examples"], file["sha256"]) == (str(mixed), 45, sha256_of(mixed))
    report = record["data"]["report"]
    assert report["parts"]["unlabelled"]["examples"] == 45 and report["parts"]["unlabelled"]["labels"] == {}
    assert report["overlaps"]["unlabelled/dev"]["examples_in_both"] >= 2
    assert report["overlaps"]["train/unlabelled"]["examples_in_both"] >= 3
    (warning,) = (text for text in record["warnings"] if "unlabelled" in text)
    assert warning.startswith("dev: ") and "are also in unlabelled" in warning
    assert sum(record["data"]["labels"].values()) == 48, "labels are counted in the training file alone"
    assert result.baseline == finetune(TASK, **{**options, "unlabelled": None}, out=tmp_path / "b").baseline
    steps = -(-93 // QUICK["batch_size"])
    assert [line["step"] for line in read_metrics(result.run)[1]] == [steps], "an epoch has the rows of both files"
    card = (result.run / "README.md").read_text()
    assert f"| unlabelled | `{mixed}` | 45 |" in card and file["sha256"] in card
    assert "the whole loss of 45 examples without labels" in card
    assert "mixed.jsonl" in (result.run / "report.html").read_text()
    assert dataset_role(str(result.run), str(mixed), file["sha256"]) == "unlabelled"


def test_numbers_are_reported_without_those_that_stand_in(still: Path, tmp_path: Path) -> None:
    """The page shows the numbers of the labelled parts alone."""
    file = written(tmp_path / "train.jsonl", rows("numbers", 10))
    options = {**QUICK, **task_of("numbers"), "model": still, "train": file, "dev": file}
    taught = finetune(**options, out=tmp_path / "teacher").run
    more = written(tmp_path / "more.jsonl", without_labels(rows("numbers", 6, first=10)))
    result = finetune(**options, teacher=taught, unlabelled=more, out=tmp_path / "run")
    parts = json.loads((result.run / "run.json").read_text())["data"]["report"]["parts"]
    assert parts["unlabelled"]["quantity"] is None and parts["train"]["quantity"]["high"] == 0.9


def test_bad_input(options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before anything is encoded."""
    monkeypatch.delattr(SequenceClassification, "encode")

    def refused(error: type[BertsmithError], match: str, **other: Any) -> None:
        with pytest.raises(error, match=match):
            finetune(TASK, **{**options, **other}, out=tmp_path / "run")
        assert not (tmp_path / "run").exists()

    empty, columns = tmp_path / "empty.jsonl", tmp_path / "columns.jsonl"
    empty.write_text("")
    columns.write_text('{"words": "bread"}\n')
    pairs = written(tmp_path / "pairs.jsonl", rows("pairs", 4))
    copied = tmp_path / "copied.jsonl"
    copied.write_bytes(options["dev"].read_bytes())
    refused(OptionError, "--unlabelled needs --teacher, which is missing", teacher=None)
    refused(DataError, r"empty\.jsonl: the file is empty", unlabelled=empty)
    refused(DataError, r"columns\.jsonl: no column of the text with a usual name.*'words'", unlabelled=columns)
    refused(DataError, "found two texts per row, expected one as in the training file", unlabelled=pairs)
    refused(DataError, "nowhere", unlabelled=tmp_path / "nowhere.jsonl")
    refused(OptionError, r"--unlabelled .*: this is the --dev file", unlabelled=options["dev"])
    refused(OptionError, r"--unlabelled .*copied\.jsonl: this is the --dev file", unlabelled=copied)
    refused(
        OptionError,
        r"--unlabelled .*: this is the --train file, and the teacher already answers",
        unlabelled=options["train"],
    )
    refused(OptionError, r"--unlabelled .*: this is the --test file", test=options["unlabelled"])


def test_the_text_is_that_of_the_column_of_the_training_file(options: dict[str, Any], tmp_path: Path) -> None:
    """Also where another column has a name that is more usual."""
    for part in ("train", "unlabelled", "dev"):
        lines = [json.loads(line) for line in options[part].read_text().splitlines()]
        beside = {} if part == "train" else {"text": "id"}
        moved = [{**beside, "sentence": line["text"], "label": line.get("label")} for line in lines]
        options[part] = written(tmp_path / f"{part}.jsonl", moved)
    result = finetune(TASK, **options, out=tmp_path / "run")
    files = json.loads((result.run / "run.json").read_text())["data"]["files"]
    assert all(file["longest"] > 4 for file in files), "an id has one token between [CLS] and [SEP], or a few"


def test_of_a_part_of_the_training_file_the_rest_may_be_taught(options: dict[str, Any], tmp_path: Path) -> None:
    """The whole file is accepted as --unlabelled where its labels are looked at in a part alone."""
    options |= {"unlabelled": options["train"], "max_train_examples": 8}
    result = finetune(TASK, **options, out=tmp_path / "run")
    files = json.loads((result.run / "run.json").read_text())["data"]["files"]
    assert {file["part"]: file["examples"] for file in files} == {"train": 8, "unlabelled": 48, "dev": 20}


def test_questions_without_answers_are_labelled_ones(options: dict[str, Any], tmp_path: Path) -> None:
    lines = [{"question": "what", "context": "bread near", "answers": [{"text": "bread", "start": 0}]}] * 4
    file = written(tmp_path / "questions.jsonl", lines)
    with pytest.raises(OptionError, match=r"--unlabelled .* is not for question-answering, where a missing"):
        finetune(
            "question-answering", **{**options, "train": file, "dev": file, "unlabelled": file}, out=tmp_path / "run"
        )


def test_the_command_line_says_what_is_missing(
    bertsmith: Callable[..., Any], options: dict[str, Any], tmp_path: Path
) -> None:
    files = [word for part in ("train", "dev", "unlabelled") for word in (f"--{part}", options[part])]
    said = bertsmith("finetune", TASK, "--model", options["model"], *files, "--out", tmp_path / "run")
    assert said.code == 2 and not (tmp_path / "run").exists()
    assert "--unlabelled needs --teacher, which is missing" in said.stderr


# Going on


@pytest.mark.usefixtures("every_seed_model_kept")
def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    options: dict[str, Any], tmp_path: Path, signalled: Signalled
) -> None:
    """With dropout and two seeds; another file, or the same one with another text, is refused."""
    more = tmp_path / "more.jsonl"
    more.write_bytes(options["unlabelled"].read_bytes())
    options |= {"unlabelled": more, "seeds": 2, "eval_every": 4}
    unbroken = finetune(TASK, **options, out=tmp_path / "unbroken")
    out = tmp_path / "stopped"
    with signalled(5), pytest.raises(Interrupted, match="after update 5 of seed 0"):
        finetune(TASK, **options, out=out)
    content = more.read_text()
    more.write_text(content.replace("bread", "bell", 1))
    with pytest.raises(OptionError, match=r"more\.jsonl has changed since .* was started"):
        finetune(TASK, **options, out=out, resume=True)
    more.write_text(content)
    with pytest.raises(OptionError, match="was started with --unlabelled"):
        finetune(TASK, **{**options, "unlabelled": None}, out=out, resume=True)
    result = finetune(TASK, **options, out=out, resume=True)
    assert result.metrics == unbroken.metrics
    for seed in (0, 1):
        assert same(out / "seeds" / f"seed-{seed}", unbroken.run / "seeds" / f"seed-{seed}")


def test_a_search_learns_from_them_too(options: dict[str, Any], tmp_path: Path) -> None:
    """An epoch of each trial has the rows of both files."""
    pytest.importorskip("optuna")
    result = finetune(TASK, **options, search=2, search_space="distil_weight=0.2..0.8", out=tmp_path / "run")
    for number in range(2):
        updates = read_metrics(result.run / "search" / f"trial-{number}")[0]
        assert len(updates) == 88 // QUICK["batch_size"]
