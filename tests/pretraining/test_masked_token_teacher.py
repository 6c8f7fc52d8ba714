"""A teacher while pre-training: what is learnt of it, and what it must have."""

from __future__ import annotations

import copy
import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor
from torch.nn import functional

from bertsmith.errors import BertsmithError, ModelError, OptionError
from bertsmith.models.bert import BertForPreTraining
from bertsmith.models.fast.compute_weights import ComputeWeights
from bertsmith.models.fast.fast_bert import fast
from bertsmith.models.loading import quiet_transformers
from bertsmith.pretraining.masked_token_teacher import MaskedTokenTeacher
from bertsmith.pretraining.objective_losses import loss_sums
from bertsmith.tokenization.folder import load_tokenizer
from bertsmith.training.micro_batch_threads import MicroBatchThreads
from bertsmith.verbs.prepare import prepare
from bertsmith.verbs.pretrain import pretrain

ENTRIES = 90
NAMES = ("mlm_loss", "nsp_loss", "teacher_loss")


def a_bert(width: int = 32, *, rows: int = ENTRIES, seed: int = 0) -> BertForPreTraining:
    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=rows,
        hidden_size=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model: BertForPreTraining = BertForPreTraining._from_config(config, attn_implementation="eager")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.train()


def a_teacher(weight: float = 0.5, temperature: float = 2.0, **shape: int) -> MaskedTokenTeacher:
    return MaskedTokenTeacher(a_bert(48, seed=1, **shape), ENTRIES, weight=weight, temperature=temperature)


def a_batch() -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(2)
    return {
        "input_ids": torch.randint(5, ENTRIES, (3, 16), generator=draw),
        "token_type_ids": torch.zeros(3, 16, dtype=torch.long),
        "masked_positions": torch.tensor([1, 17, 40, 0]),
        "masked_labels": torch.tensor([7, 8, 60, -100]),
        "next_sentence_label": torch.tensor([0, 1, 1]),
    }


def gradients(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: part.grad.clone() for name, part in model.named_parameters() if part.grad is not None}


@pytest.mark.parametrize(("weight", "temperature"), [(0.5, 2.0), (1.0, 1.0), (0.2, 5.0)])
def test_losses_and_gradients_are_those_of_the_formula(weight: float, temperature: float) -> None:
    """DistilBERT's loss written out with stock modules, in which a position without a label does not count."""
    teacher, student, batch = a_teacher(weight, temperature), a_bert(), a_batch()
    found = loss_sums(NAMES, teacher)(student, batch)
    found.sum().backward()
    ours = gradients(student)

    stock = transformers.BertForPreTraining(student.config)
    stock.load_state_dict(student.state_dict())
    taught = transformers.BertForPreTraining(teacher.model.config).eval()
    taught.load_state_dict(teacher.model.state_dict())
    inputs = {name: batch[name] for name in ("input_ids", "token_type_ids")}
    output = stock(**inputs)
    with torch.no_grad():
        softened = (
            taught(**inputs).prediction_logits.flatten(0, 1)[batch["masked_positions"][:3]] / temperature
        ).softmax(-1)
    logits = output.prediction_logits.flatten(0, 1)[batch["masked_positions"][:3]]
    mlm = functional.cross_entropy(logits, batch["masked_labels"][:3], reduction="sum")
    nsp = functional.cross_entropy(output.seq_relationship_logits, batch["next_sentence_label"], reduction="sum")
    log_ratio = softened.log() - (logits / temperature).log_softmax(-1)
    answers = temperature**2 * (softened * log_ratio).sum()
    torch.testing.assert_close(found.detach(), torch.stack([mlm, nsp, answers]).detach())
    ((1 - weight) * mlm + nsp + weight * answers).backward()
    theirs = gradients(stock)
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, atol=1e-5, rtol=1e-4, msg=name)


def test_the_fast_operations_and_threads_give_the_same() -> None:
    teacher, student, batch = a_teacher(), a_bert(), a_batch()
    compute = loss_sums(NAMES, teacher)
    plain = copy.deepcopy(student)
    expected = compute(plain, batch)
    expected.sum().backward()
    quick = copy.deepcopy(student)
    with fast(quick, ComputeWeights.for_precision("fp32")):
        found = compute(quick, batch)
        found.sum().backward()
    with MicroBatchThreads(student, 2, ComputeWeights.for_precision("fp32"), precision="fp32") as threads:
        both = threads.backward([batch, batch], compute)
    torch.testing.assert_close(found, expected)
    for losses in both:
        torch.testing.assert_close(losses, expected.detach())
    ours, theirs = gradients(quick), gradients(plain)
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, atol=1e-5, rtol=1e-4, msg=name)
        torch.testing.assert_close(gradients(student)[name], 2 * gradient, atol=1e-5, rtol=1e-4, msg=name)


def test_a_student_that_says_what_its_teacher_says_has_no_loss() -> None:
    teacher, batch = a_teacher(), a_batch()
    student = copy.deepcopy(teacher.model).requires_grad_(True)
    assert loss_sums(NAMES, teacher)(student, batch)[2].item() == pytest.approx(0, abs=1e-5)


def test_a_teacher_with_rows_beyond_its_tokenizer_is_asked_for_the_entries_alone() -> None:
    assert a_teacher(rows=ENTRIES + 6).logits(a_batch(), torch.tensor([1, 17, 40])).shape == (3, ENTRIES)


def test_a_teacher_does_not_learn() -> None:
    teacher, student, batch = a_teacher(), a_bert(), a_batch()
    before = copy.deepcopy(teacher.model.state_dict())
    everything = [*student.parameters(), *teacher.model.parameters()]
    optimizer = torch.optim.SGD(everything, lr=1.0)
    loss_sums(NAMES, teacher)(student, batch).sum().backward()
    optimizer.step()
    assert not teacher.model.training
    for name, tensor in teacher.model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_its_answers_are_in_the_precision_of_the_run() -> None:
    positions = torch.tensor([1, 17])
    for precision, expected in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        teacher = MaskedTokenTeacher(a_bert(48, seed=1), ENTRIES, weight=0.5, temperature=2.0, precision=precision)
        assert teacher.logits(a_batch(), positions).dtype == expected


@pytest.mark.parametrize(
    "options", [{"gradient_checkpointing": True}, {"precision": "bf16"}, {"auto_micro_batch": True}]
)
def test_a_teacher_goes_with_other_ways_to_compute(
    run: Path, store: Path, tmp_path: Path, tiny: dict[str, Any], options: dict[str, Any]
) -> None:
    settings = {**tiny, "teacher": str(run), "steps": 2}
    expected = updates_of(pretrain(store, out=tmp_path / "plain", **settings).run)
    found = updates_of(pretrain(store, out=tmp_path / "other", **{**settings, **options}).run)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours["teacher_loss"] == pytest.approx(theirs["teacher_loss"], rel=0.02) and ours["teacher_loss"] > 0
    plan = pretrain(store, out=tmp_path / "planned", dry_run=True, **{**settings, **options}).forecast
    alone = pretrain(store, out=tmp_path / "planned", dry_run=True, **{**tiny, **options}, steps=2).forecast
    assert plan["memory_bytes"] > alone["memory_bytes"]


def updates_of(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "mlm_loss" in line]


def test_a_run_does_not_replace_its_teacher_and_goes_on_with_the_same(
    run: Path, store: Path, tmp_path: Path, tiny: dict[str, Any]
) -> None:
    teacher = tmp_path / "teacher"
    shutil.copytree(run, teacher)
    with pytest.raises(OptionError, match="is the teacher itself"):
        pretrain(store, out=teacher, steps=1, teacher=str(teacher), overwrite=True, **tiny)
    with pytest.raises(OptionError, match="is the MODEL itself"):
        pretrain(store, out=teacher, steps=1, from_=str(teacher), overwrite=True, sequence_length=32)
    assert (teacher / "model.safetensors").is_file()
    out = pretrain(store, out=tmp_path / "run", steps=1, teacher=str(teacher), **tiny).run
    pretrain(store, out=tmp_path / "else", steps=1, **tiny)
    shutil.copyfile(tmp_path / "else" / "model.safetensors", teacher / "model.safetensors")
    with pytest.raises(OptionError, match=r"its weights have changed since .* was started"):
        pretrain(store, out=out, steps=2, resume=True)


@pytest.mark.usefixtures("all_checkpoints_kept")
def test_a_run_with_a_teacher_that_is_stopped_goes_on_to_the_same_weights(
    run: Path, store: Path, tmp_path: Path, tiny: dict[str, Any]
) -> None:
    whole = pretrain(store, out=tmp_path / "whole", steps=4, teacher=str(run), schedule="linear", save_every=2, **tiny)
    checkpoint = whole.run / "checkpoints" / "step-2"
    assert checkpoint.is_dir()
    from safetensors.torch import load_file

    expected = load_file(whole.run / "model.safetensors")
    (whole.run / "model.safetensors").unlink()
    for later in (whole.run / "checkpoints").iterdir():
        if later != checkpoint:
            for path in later.iterdir():
                path.unlink()
            later.rmdir()
    again = pretrain(store, out=whole.run, resume=True)
    assert again.resumed_from_step == 2
    found = load_file(again.run / "model.safetensors")
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def test_a_student_can_begin_with_layers_of_its_teacher(
    run: Path, store: Path, tmp_path: Path, tiny: dict[str, Any]
) -> None:
    shape = ("layers", "hidden_size", "attention_heads", "intermediate_size", "max_positions")
    settings = {name: value for name, value in tiny.items() if name not in shape}
    two = pretrain(store, out=tmp_path / "two", steps=1, **{**tiny, "layers": 2}).run
    result = pretrain(store, out=tmp_path / "one", steps=1, from_=str(two), layers=1, teacher=str(two), **settings)
    config = json.loads((result.run / "config.json").read_text())
    assert (config["num_hidden_layers"], config["hidden_size"]) == (1, 32)
    with pytest.raises(OptionError, match="--layers: found 3, expected at most 2"):
        pretrain(store, out=tmp_path / "three", steps=1, from_=str(two), layers=3, **settings)


@pytest.fixture
def other_words(corpus_file: Path, tmp_path: Path) -> Path:
    """A STORE whose tokenizer has fewer entries."""
    prepare(corpus_file, out=tmp_path / "other", vocab_size=200, held_out=0.2, workers=1)
    return tmp_path / "other"


def test_another_tokenizer_is_refused(run: Path, other_words: Path, tmp_path: Path, tiny: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"^--teacher .*its tokenizer differs from that of .*--tokenizer [^ \n]*$"):
        pretrain(other_words, out=tmp_path / "run", steps=1, teacher=str(run), **tiny)
    assert not (tmp_path / "run").exists()


def test_all_that_is_wrong_with_a_teacher_is_said_at_once(
    run: Path, other_words: Path, tmp_path: Path, tiny: dict[str, Any]
) -> None:
    """Another tokenizer and no head: the commands are those that are run one after the other."""
    encoder = tmp_path / "encoder"
    with quiet_transformers():
        transformers.BertModel.from_pretrained(run).save_pretrained(encoder)
        load_tokenizer(str(run)).save_pretrained(encoder)
    with pytest.raises(ModelError) as raised:
        pretrain(other_words, out=tmp_path / "run", steps=1, teacher=str(encoder), **tiny)
    tokenizer, head = str(raised.value).splitlines()
    assert tokenizer.startswith(f"--teacher {encoder}: its tokenizer differs from that of {other_words}")
    assert tokenizer.endswith(f"bertsmith prepare SOURCE --out STORE --tokenizer {encoder}")
    assert head.startswith(f"--teacher {encoder}: it has no trained head for masked language modelling")
    assert f"bertsmith pretrain STORE --out TEACHER --from {encoder} --objective mlm" in head


def test_a_teacher_without_a_head_or_with_too_few_positions_is_refused(
    run: Path, store: Path, tmp_path: Path, tiny: dict[str, Any]
) -> None:
    tokenizer = load_tokenizer(str(run))
    encoder = transformers.BertModel.from_pretrained(run)
    with quiet_transformers():
        encoder.save_pretrained(tmp_path / "encoder")
        tokenizer.save_pretrained(tmp_path / "encoder")
    with pytest.raises(ModelError, match=rf"^[^\n]*no trained head for masked.* pretrain {store} --out TEACHER"):
        pretrain(store, out=tmp_path / "run", steps=1, teacher=str(tmp_path / "encoder"), **tiny)
    longer = {**tiny, "max_positions": 128, "sequence_length": 100}
    with pytest.raises(OptionError, match=r"it has 64 positions. Try: --sequence-length 64 or less"):
        pretrain(store, out=tmp_path / "run", steps=1, teacher=str(run), **longer)
    with pytest.raises(BertsmithError, match="no such folder"):
        pretrain(store, out=tmp_path / "run", steps=1, teacher=str(tmp_path / "nowhere"), **tiny)
    assert not (tmp_path / "run").exists()


def test_a_teacher_whose_head_was_left_as_it_was_teaches_with_a_warning(
    run: Path, store: Path, tmp_path: Path, tiny: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    settings = {key: tiny[key] for key in ("sequence_length", "batch_size", "precision")}
    doubted = pretrain(store, out=tmp_path / "nsp", steps=1, from_=str(run), objective="nsp", **settings).run
    said = "its MLM head was not trained in this RUN (--objective nsp)"
    for teacher, expected in ((run, 0), (doubted, 1)):
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="bertsmith"):
            pretrain(store, out=tmp_path / "student", dry_run=True, steps=1, teacher=str(teacher), **tiny)
        warnings = [record.getMessage() for record in caplog.records if said in record.getMessage()]
        assert len(warnings) == expected
        assert all(warning.startswith(f"warning: --teacher {teacher}: ") for warning in warnings)
