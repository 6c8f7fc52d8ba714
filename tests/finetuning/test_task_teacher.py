"""Distillation: what a student learns from a teacher, in every head; teachers that do not fit; fewer layers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch.nn import functional

from bertsmith.errors import Interrupted, ModelError, OptionError
from bertsmith.finetuning.task_teacher import TeacherLogits
from bertsmith.inference.predictor import Predictor
from bertsmith.models.layer_dropping import evenly_spaced, with_fewer_layers
from bertsmith.tasks.base import task_class
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.multiple_choice.head import ChoiceLosses
from bertsmith.tasks.multiple_choice.task import MultipleChoice
from bertsmith.tasks.question_answering.head import QuestionLosses
from bertsmith.tasks.question_answering.task import QuestionAnswering
from bertsmith.tasks.registry import trainable_tasks
from bertsmith.tasks.sequence_classification.head import SequenceLosses
from bertsmith.tasks.sequence_classification.problem_types import MULTI_LABEL, REGRESSION
from bertsmith.tasks.sequence_classification.task import SequenceClassification
from bertsmith.tasks.task_losses import soft_losses
from bertsmith.tasks.token_classification.head import TokenLosses
from bertsmith.tasks.token_classification.task import TokenClassification
from bertsmith.tasks.values import IGNORED, SINGLE_LABEL
from bertsmith.training.run_folder import read_metrics
from bertsmith.verbs.finetune import finetune
from support.stock import assert_same_model, load_stock

Labelled = Callable[..., Path]
Signalled = Callable[..., AbstractContextManager[None]]
TASK = "sequence-classification"
QUICK: dict[str, Any] = {"precision": "fp32", "max_length": 32, "learning_rate": 3e-3, "batch_size": 16, "epochs": 2}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    left, right = weights(one), weights(other)
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def losses(run: Path) -> list[float]:
    return [line["loss"] for line in read_metrics(run)[0]]


# The loss


def test_the_softened_loss_by_hand() -> None:
    """Teacher 0.75 and 0.25 at a temperature of 2, student 0.5 and 0.5; equal answers lose nothing."""
    teacher = 2 * torch.tensor([[3.0, 1.0], [1.0, 1.0]]).log()
    expected = 4 * (0.75 * np.log(0.75 / 0.5) + 0.25 * np.log(0.25 / 0.5))
    found = soft_losses(torch.zeros(2, 2), teacher, 2.0)
    assert found.tolist() == pytest.approx([expected, 0.0], abs=1e-6)


def test_the_gradient_is_that_of_the_softened_cross_entropy() -> None:
    draw = torch.Generator().manual_seed(0)
    teacher, student = torch.randn(5, 3, generator=draw), torch.randn(5, 3, generator=draw).requires_grad_()
    (found,) = torch.autograd.grad(soft_losses(student, teacher, 3.0).sum(), student)
    crossed = functional.cross_entropy(student / 3, (teacher / 3).softmax(-1), reduction="sum") * 9
    torch.testing.assert_close(found, torch.autograd.grad(crossed, student)[0])


def classes(problem_type: str = SINGLE_LABEL, class_weights: tuple[float, ...] | None = None) -> SequenceLosses:
    labels = [] if problem_type == REGRESSION else ["a", "b", "c"]
    return SequenceLosses(SequenceClassification(labels, problem_type), class_weights)


def test_the_losses_of_heads_by_hand() -> None:
    draw = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(4, 3, generator=draw), torch.randn(4, 3, generator=draw)
    output, each = SimpleNamespace(logits=student), soft_losses(student, teacher, 2.0)
    gold = torch.tensor([0.0, 1.0, 2.0, 1.0])
    assert float(classes().soft_loss_sum(output, teacher, gold, 2.0)) == pytest.approx(float(each.sum()))
    head = classes(class_weights=(1.0, 2.0, 4.0))
    weighted = (each * torch.tensor([1.0, 2.0, 4.0, 2.0])).sum()
    assert float(head.soft_loss_sum(output, teacher, gold, 2.0)) == pytest.approx(float(weighted))

    sets = classes(MULTI_LABEL).soft_loss_sum(output, teacher, torch.zeros(4, 3), 1.0)
    wanted, said = teacher.sigmoid(), student.sigmoid()
    by_hand = wanted * (wanted / said).log() + (1 - wanted) * ((1 - wanted) / (1 - said)).log()
    assert float(sets) == pytest.approx(float(by_hand.sum()), rel=1e-5)

    numbers = SimpleNamespace(logits=torch.tensor([[1.0], [2.0]]))
    soft = torch.tensor([[1.5], [0.0]])
    assert float(classes(REGRESSION).soft_loss_sum(numbers, soft, torch.zeros(2), 2.0)) == pytest.approx(4.25)


def test_what_is_not_there_counts_for_nothing() -> None:
    """Choices that an example lacks, padding behind a row, and words without a label."""
    scores, soft = torch.tensor([[1.0, 2.0, 9.0]]), torch.tensor([[2.0, 1.0, -1e9]])
    found = ChoiceLosses(MultipleChoice()).soft_loss_sum(
        SimpleNamespace(logits=scores), soft, torch.tensor([[0, 2]]), 2.0
    )
    assert float(found) == pytest.approx(float(soft_losses(scores[:, :2], soft[:, :2], 2.0).sum()), rel=1e-5)

    draw = torch.Generator().manual_seed(0)
    start, end = torch.randn(2, 1, 5, generator=draw)
    spans = torch.full((2, 1, 5), -1e9)
    spans[:, :, :3] = torch.randn(2, 1, 3, generator=draw)
    output = SimpleNamespace(start_logits=start, end_logits=end)
    found = QuestionLosses(QuestionAnswering()).soft_loss_sum(
        output, spans.transpose(0, 1), torch.tensor([[0, 1, 3]]), 1.0
    )
    expected = sum(float(soft_losses(side[:, :3], spans[place, :, :3], 1.0)) for place, side in enumerate((start, end)))
    assert float(found) == pytest.approx(expected / 2, rel=1e-5)

    tags = TokenLosses(TokenClassification(["x", "y"]))
    logits, soft = torch.randn(1, 4, 2, generator=draw), torch.randn(1, 4, 2, generator=draw)
    gold = torch.tensor([[IGNORED, 0, IGNORED, 1]])
    found = tags.soft_loss_sum(SimpleNamespace(logits=logits), soft, gold, 1.0)
    assert float(found) == pytest.approx(float(soft_losses(logits[0, [1, 3]], soft[0, [1, 3]], 1.0).sum()), rel=1e-5)


# Every head


def samples(task: str, path: Path) -> Path:
    """A labelled file of 12 examples, some of them longer than 24 tokens."""
    lines: list[dict[str, Any]] = []
    for number in range(12):
        words = [("bread", "horses")[number % 2], *["near", "the", "river"] * (1 + number % 7)]
        text, kind = " ".join(words), ("food", "animal")[number % 2]
        if task == "token-classification":
            lines.append({"tokens": words, "tags": [f"B-{kind.upper()}", *["O"] * (len(words) - 1)]})
        elif task == "question-answering":
            lines.append({"question": "what", "context": text, "answers": [{"text": words[0], "start": 0}]})
        elif task == "multiple-choice":
            choices = ["horses"] * (1 + number % 3) + ["bread"]
            lines.append({"prompt": text, "choices": choices, "label": len(choices) - 1})
        else:
            lines.append({"text": text, "label": kind})
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


@pytest.mark.parametrize("task", trainable_tasks())
def test_a_student_learns_the_teachers_logits_of_its_own_examples(task: str, still: Path, tmp_path: Path) -> None:
    """One that is its teacher has nothing to learn, batch by batch, in windows and with unequal numbers of choices."""
    sample = samples(task, tmp_path / "sample.jsonl")
    options = {**QUICK, "max_length": 24, "train": sample, "dev": sample, "learning_rate": 1e-2}
    learning = {"epochs": 8, "batch_size": 4, "eval_every": 100}
    teacher = finetune(task, **{**options, **learning}, model=still, out=tmp_path / "teacher").run
    taught = {**options, "teacher": teacher, "distil_weight": 1.0, "epochs": 1, "micro_batch_tokens": 60}
    nothing = finetune(task, **{**taught, "learning_rate": 1e-12}, model=teacher, out=tmp_path / "student").run
    assert max(map(abs, losses(nothing))) < 1e-5
    learned = finetune(task, **taught, model=still, out=tmp_path / "learned").run
    assert min(losses(learned)) > 1e-3
    assert not (learned / "teacher").exists()


def test_a_teacher_with_another_tokenizer_answers_by_words(
    run: Path, still: Path, corpus_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its words have other pieces and windows; what is learned of each word is what it says of that word."""
    from bertsmith.verbs.prepare import prepare
    from bertsmith.verbs.pretrain import pretrain

    store = prepare(corpus_file, out=tmp_path / "store", vocab_size=120, held_out=0.2, workers=1).store
    shape = {"layers": 1, "hidden_size": 16, "attention_heads": 2, "intermediate_size": 32, "max_positions": 32}
    small = {**shape, "sequence_length": 32, "batch_size": 8, "precision": "fp32", "steps": 1}
    other = pretrain(store, out=tmp_path / "other", **small).run
    sample = samples("token-classification", tmp_path / "sample.jsonl")
    options = {**QUICK, "train": sample, "dev": sample, "max_length": 64}
    teacher = finetune("token-classification", **{**options, "max_length": 32}, model=other, out=tmp_path / "t").run
    seen: list[Any] = []
    original = TeacherLogits.save
    monkeypatch.setattr(TeacherLogits, "save", lambda logits, at: (seen.extend(logits), original(logits, at)))
    finetune("token-classification", **options, model=still, teacher=teacher, out=tmp_path / "student")
    predictor = Predictor(str(teacher))
    head = task_class("token-classification").for_model(predictor.config, None, "")
    examples = head.read(sample, Columns())
    inputs = head.encode(predictor.tokenizer, examples, 32)
    assert inputs.windowed_examples
    outputs = predictor.head_outputs(head, inputs)
    assert [len(words) for words in seen] == [len(example.tokens) for example in examples]
    for words, numbers in zip(seen, outputs.numbers, strict=True):
        assert np.array_equal(words.argmax(-1), numbers)

    spans = samples("question-answering", tmp_path / "questions.jsonl")
    asked = {**QUICK, "max_length": 32, "train": spans, "dev": spans}
    answers = finetune("question-answering", **asked, model=other, out=tmp_path / "answers").run
    with pytest.raises(OptionError, match="its tokens or windows differ from those of"):
        finetune("question-answering", **asked, model=still, teacher=answers, out=tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


# Teachers and their labels


@pytest.fixture(scope="module")
def teacher(run: Path, labelled: Labelled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RUN that has learned the task."""
    files = {"model": run, "train": labelled("train", 48), "dev": labelled("dev", 20)}
    return finetune(TASK, **files, **QUICK, out=tmp_path_factory.mktemp("taught") / "teacher").run


def with_labels(teacher: Path, folder: Path, order: list[int], names: list[str] | None = None) -> Path:
    """The teacher with its labels in another order, or under other names."""
    shutil.copytree(teacher, folder)
    config, state = json.loads((folder / "config.json").read_text()), load_file(folder / "model.safetensors")
    labels = names or [config["id2label"][str(number)] for number in range(2)]
    config["id2label"] = {str(place): labels[number] for place, number in enumerate(order)}
    config["label2id"] = {labels[number]: place for place, number in enumerate(order)}
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("classifier.weight", "classifier.bias"):
        state[name] = state[name][order].contiguous()
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    return folder


def test_labels_in_another_order_are_mapped(run: Path, teacher: Path, labelled: Labelled, tmp_path: Path) -> None:
    turned = with_labels(teacher, tmp_path / "turned", [1, 0])
    files = {"model": run, "train": labelled("train", 48), "dev": labelled("dev", 20), **QUICK}
    one, other = (
        finetune(TASK, **files, teacher=name, out=tmp_path / f"by-{name.name}").run for name in (teacher, turned)
    )
    assert losses(one) == pytest.approx(losses(other), rel=1e-5)


def test_teachers_that_do_not_fit(run: Path, teacher: Path, labelled: Labelled, tmp_path: Path) -> None:
    files = {"model": run, "train": labelled("train", 48), "dev": labelled("dev", 20), **QUICK}
    out = tmp_path / "out"
    other = with_labels(teacher, tmp_path / "other", [0, 1], ["drink", "thing"])
    with pytest.raises(
        OptionError, match=r"found the labels drink, thing, expected those of the training file .*food, thing"
    ):
        finetune(TASK, **files, teacher=other, out=out)
    with pytest.raises(
        ModelError, match=rf"--teacher .*: found no classification head, .* Try: bertsmith finetune {TASK}"
    ):
        finetune(TASK, **files, teacher=run, out=out)
    words = samples("token-classification", tmp_path / "words.jsonl")
    with pytest.raises(ModelError, match=rf"--teacher .*: found a head of {TASK}, .* Try: bertsmith finetune token-"):
        finetune("token-classification", **{**files, "train": words, "dev": words}, teacher=teacher, out=out)
    with pytest.raises(
        OptionError, match=r"found the problem type single_label_classification, expected that of the student, mul"
    ):
        finetune(TASK, **files, teacher=teacher, out=out, problem_type=MULTI_LABEL)
    with pytest.raises(OptionError, match="is the teacher itself"):
        finetune(TASK, **files, teacher=teacher, out=teacher, overwrite=True)
    with pytest.raises(OptionError, match="--distil-weight needs --teacher, which is missing"):
        finetune(TASK, **files, distil_weight=0.5, out=out)
    with pytest.raises(ModelError, match="no such folder"):
        finetune(TASK, **files, teacher=tmp_path / "nowhere", out=out)
    assert not out.exists() and (teacher / "model.safetensors").is_file()


def test_numbers_have_no_temperature(run: Path, teacher: Path, tmp_path: Path) -> None:
    file = tmp_path / "numbers.jsonl"
    file.write_text("".join(f'{{"text": "bread near the river", "label": {value}}}\n' for value in range(8)))
    files = {"model": run, "train": file, "dev": file, "out": tmp_path / "out", "problem_type": REGRESSION}
    with pytest.raises(OptionError, match="--distil-temperature: a regression has no probabilities"):
        finetune(TASK, **files, **QUICK, teacher=teacher, distil_temperature=3)


# Stops


@pytest.mark.usefixtures("every_seed_model_kept")
def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    run: Path,
    teacher: Path,
    labelled: Labelled,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    signalled: Signalled,
) -> None:
    """With dropout and two seeds; the teacher is asked once, also over a stop."""
    files = {"model": run, "train": labelled("train", 48), "dev": labelled("dev", 20), "eval_every": 1}
    options = {**QUICK, **files, "teacher": teacher, "seeds": 2}
    asked: list[int] = []
    answers = Predictor.head_logits

    def counted(self: Predictor, *arguments: Any, **values: Any) -> Any:
        asked.append(1)
        return answers(self, *arguments, **values)

    monkeypatch.setattr(Predictor, "head_logits", counted)
    unbroken = finetune(TASK, **options, out=tmp_path / "unbroken")
    assert len(asked) == 1
    out = tmp_path / "stopped"
    with signalled(3), pytest.raises(Interrupted, match="after update 3 of seed 0"):
        finetune(TASK, **options, out=out)
    result = finetune(TASK, **options, out=out, resume=True)
    assert len(asked) == 2
    assert result.metrics == unbroken.metrics
    for seed in (0, 1):
        assert same(out / "seeds" / f"seed-{seed}", unbroken.run / "seeds" / f"seed-{seed}")


# Fewer layers


def test_evenly_spaced_layers() -> None:
    """Of twelve the six that DistilBERT starts from."""
    assert evenly_spaced(12, 6) == [0, 2, 4, 7, 9, 11]
    assert [evenly_spaced(6, count) for count in (1, 2, 3, 6)] == [[0], [0, 5], [0, 2, 5], [0, 1, 2, 3, 4, 5]]


SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 6,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 100,
    "pad_token_id": 0,
}


@pytest.mark.parametrize("kind", ["bert", "distilbert", "electra", "modernbert"])
def test_a_model_with_fewer_layers_is_an_ordinary_one(kind: str, tmp_path: Path) -> None:
    """What is saved is read again with the same answers, which are those of the model without the other layers."""
    special = {"bos_token_id": 1, "cls_token_id": 1, "eos_token_id": 2, "sep_token_id": 2}
    config = transformers.AutoConfig.for_model(kind, **SHAPE, **special)
    torch.manual_seed(0)
    model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    ids = torch.randint(5, 100, (3, 9), generator=torch.Generator().manual_seed(0))
    smaller = with_fewer_layers(model, 3)
    smaller.save_pretrained(tmp_path)
    loaded = load_stock(tmp_path, "AutoModelForSequenceClassification")
    layers = next(part for part in model.modules() if isinstance(part, torch.nn.ModuleList) and len(part) == 6)
    kept = [layers[number] for number in (0, 2, 5)]
    del layers[:]
    layers.extend(kept)
    model.config.num_hidden_layers = 3
    for one in (smaller, loaded):
        assert_same_model(one.eval(), model.eval(), {"input_ids": ids})


def test_layers_that_cannot_be_left_out() -> None:
    config = transformers.AlbertConfig(**SHAPE, embedding_size=16)
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    with pytest.raises(OptionError, match=r"--layers 3: the layers of this MODEL \(albert\) share their weights"):
        with_fewer_layers(model, 3)


def test_more_layers_than_there_are(run: Path, labelled: Labelled, tmp_path: Path) -> None:
    files = {"model": run, "train": labelled("train", 48), "dev": labelled("dev", 20), "out": tmp_path / "run"}
    with pytest.raises(OptionError, match="--layers: found 7, expected at most 1"):
        finetune(TASK, **files, **QUICK, layers=7)
    assert not files["out"].exists()
