"""Bad input: exit code 2, a message with where, what was found and what to do, and nothing half-written."""

from __future__ import annotations

import errno
import gzip
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from transformers import BertForNextSentencePrediction, BertForSequenceClassification

from bertsmith.cli import app
from bertsmith.tokenization.folder import load_tokenizer

TASK = "sequence-classification"


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder, hidden ones too, and what the files hold."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def refused(bertsmith: Callable[..., Any], tmp_path: Path) -> Callable[..., str]:
    """Runs a command line that has to be refused; returns its message. Nothing below tmp_path may change."""

    def call(*arguments: object, stdin: str | bytes | None = None) -> str:
        before = contents(tmp_path)
        answer = bertsmith(*arguments, stdin=stdin)
        assert answer.code == 2, answer.stderr
        assert answer.stdout == ""
        assert "Traceback" not in answer.stderr
        message = answer.stderr[answer.stderr.index("error: ") :]
        assert contents(tmp_path) == before
        return str(message)

    return call


def holds(message: str, *parts: object) -> None:
    """Each part stands in the message, in this order."""
    position = 0
    for part in map(str, parts):
        assert part in message[position:], f"{part!r} is not in {message[position:]!r}"
        position = message.index(part, position) + len(part)


# Texts


def test_a_missing_path(refused: Callable[..., str], tmp_path: Path) -> None:
    source = tmp_path / "none.txt"
    for verb in (("prepare",), ("train-tokenizer", "--vocab-size", 100)):
        message = refused(*verb, source, "--out", tmp_path / "out")
        holds(message, source, "no such file or folder, and no file matches it as a pattern")


def test_a_folder_without_text(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "notes.pdf").write_bytes(b"%PDF")
    message = refused("prepare", tmp_path / "texts", "--out", tmp_path / "out")
    holds(message, tmp_path / "texts", "no .txt or .jsonl file")


def test_a_file_of_another_form(refused: Callable[..., str], tmp_path: Path) -> None:
    source = tmp_path / "notes.pdf"
    source.write_bytes(b"%PDF")
    holds(refused("prepare", source, "--out", tmp_path / "out"), source, "expected .txt or .jsonl")


@pytest.mark.parametrize("name", ["text.txt", "text.jsonl"])
def test_an_empty_file(refused: Callable[..., str], tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    source.touch()
    for verb in (("prepare",), ("train-tokenizer", "--vocab-size", 100)):
        holds(
            refused(*verb, source, "--out", tmp_path / "out"),
            source,
            "no document is left of 1 that were read; dropped: 1 empty",
        )


def test_a_file_of_white_space(refused: Callable[..., str], tmp_path: Path) -> None:
    source = tmp_path / "text.txt"
    source.write_text(" \n\n\t\n")
    holds(
        refused("prepare", source, "--out", tmp_path / "out"),
        source,
        "no document is left of 1 that were read; dropped: 1 empty",
    )


@pytest.mark.parametrize("name", ["text.txt", "text.jsonl"])
def test_a_binary_file(refused: Callable[..., str], tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    source.write_bytes(b"\x7fELF\x02\x01\x01\x00\x00\x00")
    holds(refused("prepare", source, "--out", tmp_path / "out"), source, "byte 7", "binary file")


def test_bytes_that_are_not_utf8(refused: Callable[..., str], tmp_path: Path) -> None:
    source = tmp_path / "text.txt"
    source.write_bytes(b"The caf\xe9 is open.\n" * 3)
    message = refused("prepare", source, "--out", tmp_path / "out")
    holds(message, source, "byte 7 (0xe9) is not utf-8", "--encoding", "--encoding-errors replace")


def test_bytes_that_are_not_utf8_in_json_lines(refused: Callable[..., str], tmp_path: Path) -> None:
    source = tmp_path / "text.jsonl"
    first = b'{"text": "Fine."}\n'
    source.write_bytes(first + b'{"text": "The caf\xe9 is open."}\n')
    message = refused("prepare", source, "--out", tmp_path / "out")
    holds(message, source, "line 2", f"byte {len(first) + 17} (0xe9)")


def test_bytes_that_are_not_utf8_can_be_replaced(
    bertsmith: Callable[..., Any], tmp_path: Path, corpus_file: Path
) -> None:
    source = tmp_path / "text.jsonl"
    source.write_bytes(corpus_file.read_bytes().replace(b"bread", b"br\xe4d"))
    count = source.read_bytes().count(b"\xe4")
    assert count > 50
    out = tmp_path / "store"
    answer = bertsmith("prepare", source, "--out", out, "--vocab-size", 200, "--encoding-errors", "replace")
    assert answer.code == 0
    assert f"{count} bytes were not utf-8 and were replaced" in answer.stderr
    assert json.loads((out / "manifest.json").read_text())["replaced_bytes"] == count


def test_a_json_line_that_is_not_json(refused: Callable[..., str], tmp_path: Path) -> None:
    source = tmp_path / "text.jsonl"
    source.write_text('{"text": "Fine."}\n\n{"text": "Not fine.\n')
    message = refused("prepare", source, "--out", tmp_path / "out")
    holds(message, source, "line 3: not JSON", "column 10", '{"text": "Not fine.')


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ('["a"]', ("line 1: found list, expected an object",)),
        ('{"text": 3}', ("line 1: the text is int, expected a JSON string",)),
        ('{"words": "a", "id": 1}', ("line 1: no key named text", "'words', 'id'", "--text-column")),
    ],
)
def test_a_json_line_without_text(
    refused: Callable[..., str], tmp_path: Path, line: str, parts: tuple[str, ...]
) -> None:
    source = tmp_path / "text.jsonl"
    source.write_text(line + "\n")
    holds(refused("prepare", source, "--out", tmp_path / "out"), source, *parts)


@pytest.mark.parametrize("ending", [".gz", ".zst"])
@pytest.mark.parametrize("name", ["text.txt", "text.jsonl"])
def test_a_compressed_file_that_is_cut_off(
    refused: Callable[..., str], tmp_path: Path, corpus_file: Path, name: str, ending: str
) -> None:
    pack = gzip.compress if ending == ".gz" else zstandard.ZstdCompressor().compress
    whole = pack(corpus_file.read_bytes())
    source = tmp_path / (name + ending)
    for cut in (whole[: len(whole) // 2], whole[:-3]):
        source.write_bytes(cut)
        message = refused("prepare", source, "--out", tmp_path / "out")
        holds(message, source, "cannot be read to its end", "Is the file cut off or damaged?")


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_file_that_is_not_compressed(refused: Callable[..., str], tmp_path: Path, ending: str) -> None:
    source = tmp_path / f"text.txt{ending}"
    source.write_text("The bell rang.\n")
    holds(refused("prepare", source, "--out", tmp_path / "out"), source, "cannot be read to its end")


def test_a_corpus_too_small_for_its_held_out_part(refused: Callable[..., str], tmp_path: Path) -> None:
    source = tmp_path / "text.txt"
    source.write_text("The bell rang. Nobody came. It rang again.\n")
    message = refused("prepare", source, "--out", tmp_path / "out")
    holds(message, "the corpus is too small for a held-out part", "8 words", "add text")


def test_held_out_ids_that_are_not_there(refused: Callable[..., str], tmp_path: Path, corpus_file: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("document-x\n")
    message = refused("prepare", corpus_file, "--out", tmp_path / "out", "--held-out", ids)
    holds(message, ids, "0 of its 1 ids are among the 119 documents", "'document-0'")


def test_more_entries_than_the_text_supports(refused: Callable[..., str], tmp_path: Path, corpus_file: Path) -> None:
    message = refused("prepare", corpus_file, "--out", tmp_path / "out", "--vocab-size", 30000)
    holds(message, "30,000 entries", "set --vocab-size to")


def test_a_language_that_is_none(refused: Callable[..., str], tmp_path: Path, corpus_file: Path) -> None:
    message = refused("prepare", corpus_file, "--out", tmp_path / "out", "--language", "e")
    holds(message, "--language", "'e'", "such as en, de or zh")


# Texts to predict on


def test_a_text_without_a_mask(refused: Callable[..., str], run: Path) -> None:
    message = refused("fill-mask", run, "the baker found [MASK].", "no mask here")
    holds(message, "fill-mask: no [MASK] in the text 'no mask here'")


def test_a_text_beyond_the_model_s_length(refused: Callable[..., str], run: Path) -> None:
    text = "the " * 100 + "[MASK]."
    holds(refused("fill-mask", run, text), "fill-mask: the text has 104 tokens, the model takes 64; shorten it")
    holds(refused("next-sentence", run, "the " * 60, "a " * 60), "the text has 123 tokens, the model takes 64")


def test_a_text_beyond_the_model_s_length_is_cut_and_counted(bertsmith: Callable[..., Any], run: Path) -> None:
    answer = bertsmith("embed", run, "the " * 100, "the end", "--json")
    assert [item["truncated_tokens"] for item in answer.json_lines] == [38, 0]
    assert (
        "warning: 1 of 2 texts are longer than the model's 64 tokens and were cut (38 tokens in all)" in answer.stderr
    )


def test_inputs_that_cannot_be_read(refused: Callable[..., str], run: Path, tmp_path: Path) -> None:
    holds(refused("embed", run, "--input", tmp_path / "none"), tmp_path / "none", "No such file")
    holds(refused("embed", run, "--input", tmp_path), tmp_path, "Is a directory")
    (tmp_path / "texts").write_bytes(b"fine\n\xff\n")
    holds(refused("embed", run, "--input", tmp_path / "texts"), tmp_path / "texts", "byte 5 is not UTF-8")
    holds(refused("embed", run, stdin=b"\xff"), "standard input: byte 0 is not UTF-8")
    holds(refused("embed", run, stdin="\n \n"), "standard input: no text in it")


def test_a_pair_that_is_none(refused: Callable[..., str], run: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs").write_text("It rang.\tNobody came.\n\nIt rang again.\n")
    message = refused("next-sentence", run, "--input", tmp_path / "pairs")
    holds(message, tmp_path / "pairs", "line 3: found 'It rang again.', expected A, a tab, B")
    holds(refused("next-sentence", run, "It rang."), 'give both sentences: bertsmith next-sentence MODEL "A." "B."')


def test_a_layer_that_is_not_there(refused: Callable[..., str], run: Path) -> None:
    holds(refused("embed", run, "a", "--layer", "5"), "--layer 5: the model has layers 0 (the embeddings) to 1")


# Models

PREDICTING = [("fill-mask", "a [MASK]"), ("next-sentence", "a", "b"), ("embed", "a"), ("classify", "a"), ("tag", "a")]


@pytest.mark.parametrize("verb", PREDICTING, ids=lambda verb: verb[0])
def test_a_folder_that_is_no_model(refused: Callable[..., str], tmp_path: Path, verb: tuple[str, ...]) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("notes")
    message = refused(verb[0], tmp_path / "folder", *verb[1:])
    holds(message, tmp_path / "folder", "not a model folder (no config.json in it)")


@pytest.mark.parametrize("verb", [*PREDICTING, ("tokenize", "a")], ids=lambda verb: verb[0])
def test_a_missing_model(refused: Callable[..., str], tmp_path: Path, verb: tuple[str, ...]) -> None:
    holds(refused(verb[0], tmp_path / "none", *verb[1:]), tmp_path / "none", "no such folder")
    holds(refused(verb[0], "no-such-model", *verb[1:]), "error: no-such-model: no ")


@pytest.mark.parametrize("verb", PREDICTING, ids=lambda verb: verb[0])
def test_a_store_in_the_place_of_a_model(refused: Callable[..., str], store: Path, verb: tuple[str, ...]) -> None:
    message = refused(verb[0], store, *verb[1:])
    holds(message, store, "is a STORE, not a model", f"`bertsmith pretrain {store} --out RUN`")


@pytest.fixture
def unfinished(run: Path, tmp_path: Path) -> Path:
    """A RUN that was interrupted: its checkpoints are there, its weights at the top are not."""
    folder = tmp_path / "unfinished"
    shutil.copytree(run, folder)
    (folder / "model.safetensors").unlink()
    return folder


@pytest.mark.parametrize("verb", PREDICTING, ids=lambda verb: verb[0])
@pytest.mark.parametrize("with_config", [True, False])
def test_an_unfinished_run(
    refused: Callable[..., str], unfinished: Path, verb: tuple[str, ...], with_config: bool
) -> None:
    if not with_config:
        (unfinished / "config.json").unlink()
    message = refused(verb[0], unfinished, *verb[1:])
    holds(message, unfinished, "this RUN is not finished", "--resume", unfinished / "checkpoints" / "step-10")


def test_a_checkpoint_can_be_used(bertsmith: Callable[..., Any], unfinished: Path) -> None:
    """What the message for an unfinished RUN proposes works."""
    assert bertsmith("fill-mask", unfinished / "checkpoints" / "step-10", "a [MASK]", "--json").json["masks"]


def test_weights_that_are_cut_off(refused: Callable[..., str], run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    shutil.copytree(run, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    holds(refused("fill-mask", folder, "a [MASK]"), folder, "the weights cannot be read")


def test_a_model_without_the_head(refused: Callable[..., str], run: Path) -> None:
    message = refused("classify", run, "a text")
    holds(message, run, "has no classification head", f"bertsmith finetune {TASK} --model {run}")


def test_a_file_in_the_place_of_a_model(refused: Callable[..., str], corpus_file: Path) -> None:
    holds(refused("fill-mask", corpus_file, "a [MASK]"), corpus_file, "is a file, expected the folder of a model")


# Output folders


def test_an_output_folder_that_is_not_empty(
    refused: Callable[..., str], tmp_path: Path, corpus_file: Path, store: Path, run: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("four years of work")
    train = labelled(tmp_path / "train.csv")
    for arguments in (
        ("prepare", corpus_file),
        ("pretrain", store, "--sequence-length", 32),
        ("finetune", TASK, "--model", run, "--train", train, "--dev", train, "--max-length", 32),
    ):
        message = refused(*arguments, "--out", out)
        holds(message, f"--out {out}", "the folder is not empty", "--overwrite", "--resume", "another --out")
        message = refused(*arguments, "--out", out, "--overwrite")
        holds(message, f"--out {out}", "--overwrite replaces only what bertsmith", "Delete it yourself")
        message = refused(*arguments, "--out", out, "--resume")
        assert str(out) in message
    for verb in (("train-tokenizer", corpus_file, "--vocab-size", 100), ("quickstart",)):
        holds(refused(*verb, "--out", out), f"--out {out}", "the folder is not empty", "--overwrite")
        holds(refused(*verb, "--out", out, "--overwrite"), "--overwrite replaces only what bertsmith")


def test_an_output_folder_that_is_a_file(refused: Callable[..., str], tmp_path: Path, corpus_file: Path) -> None:
    (tmp_path / "out").write_text("a file")
    for flags in ((), ("--overwrite",), ("--resume",)):
        message = refused("prepare", corpus_file, "--out", tmp_path / "out", *flags)
        holds(message, f"--out {tmp_path / 'out'}", "is a file")


def test_a_mistake_keeps_the_run_that_would_be_replaced(
    refused: Callable[..., str], store: Path, run: Path, tmp_path: Path
) -> None:
    """--overwrite deletes the old RUN only when the new one can begin."""
    out = tmp_path / "run"
    shutil.copytree(run, out)
    refused("pretrain", store, "--out", out, "--overwrite", "--sequence-length", 600)
    refused("pretrain", store, "--out", out, "--overwrite", "--hidden-size", 32, "--attention-heads", 3)
    refused("pretrain", tmp_path / "no-store", "--out", out, "--overwrite")
    one_class = labelled(tmp_path / "one.csv", labels=("same", "same"))
    refused("finetune", TASK, "--model", run, "--train", one_class, "--dev", one_class, "--out", out, "--overwrite")


def test_a_model_cannot_be_replaced_by_what_starts_from_it(
    refused: Callable[..., str], run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(run, out)
    train = labelled(tmp_path / "train.csv")
    data = ("--train", train, "--dev", train, "--max-length", 32)
    message = refused("finetune", TASK, "--model", out, *data, "--out", out, "--overwrite")
    holds(message, f"--out {out}", "is the MODEL itself")


def test_what_is_read_cannot_be_replaced_by_what_is_written(
    refused: Callable[..., str], run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "old"
    shutil.copytree(run, out)
    shutil.copytree(run, out / "seeds" / "seed-1")
    train, inside = labelled(tmp_path / "train.csv"), labelled(out / "train.csv")
    options = ("--max-length", 32, "--out", out, "--overwrite")
    model = ("--model", out / "seeds" / "seed-1")
    message = refused("finetune", TASK, *model, "--train", train, "--dev", train, *options)
    holds(message, f"--out {out}: the MODEL {model[1]} stands in it")
    message = refused("finetune", TASK, "--model", run, "--train", inside, "--dev", train, *options)
    holds(message, f"--out {out}: --train {inside} stands in it")
    assert inside.is_file() and (out / "model.safetensors").is_file()


# Options


def test_an_unknown_size(refused: Callable[..., str], store: Path, tmp_path: Path) -> None:
    message = refused("pretrain", store, "--out", tmp_path / "out", "--size", "smal")
    holds(message, "--size: found 'smal'", "tiny, mini, small, medium, base, large", "did you mean 'small'?")


def test_a_key_with_a_typing_error(refused: Callable[..., str], store: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("mask_rte: 0.2\n")
    message = refused("pretrain", store, "--out", tmp_path / "out", "--config", file)
    holds(message, f"--config {file}: there is no option 'mask_rte'; did you mean 'mask-rate'?")


def test_an_option_with_a_typing_error(refused: Callable[..., str], store: Path, tmp_path: Path) -> None:
    message = refused("pretrain", store, "--out", tmp_path / "out", "--mask-rte", "0.2")
    holds(message, "there is no option '--mask-rte'; did you mean 'mask-rate'?", "bertsmith pretrain --help")
    message = refused("pretrain", store, "--out", tmp_path / "out", "--mask-rate")
    holds(message, "--mask-rate needs a value behind it")
    message = refused("pretrain", store, "another", "--out", tmp_path / "out")
    holds(message, "found more values than expected: another")
    message = refused("pretrain", store, "--out", tmp_path / "out", "--steps", 1, "--steps", 2)
    holds(message, "--steps is given more than once")


@pytest.mark.parametrize(("verb", "near"), [("pretrian", "pretrain"), ("fillmask", "fill-mask")])
def test_an_unknown_verb(refused: Callable[..., str], verb: str, near: str) -> None:
    holds(refused(verb), f"there is no verb '{verb}'; did you mean '{near}'?", "bertsmith --help")


def test_minutes_together_with_steps(refused: Callable[..., str], store: Path, tmp_path: Path) -> None:
    message = refused("pretrain", store, "--out", tmp_path / "out", "--minutes", "1", "--steps", "5")
    holds(message, "--minutes and --steps contradict each other: give one of them")


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--short-phase", "128,0.5"), ("--short-phase: found 128 tokens", "from 8 to less than the 128")),
        (
            ("--short-phase", "64"),
            ("--short-phase: found '64', expected a whole number and a share", "such as 64,0.75"),
        ),
        (("--short-phase", "64,75"), ("--short-phase: found '64,75'", "a share between 0 and 1")),
        (("--batch-ramp", "32,0.5"), ("--batch-ramp: found 32 examples, expected less than the 32 of --batch-size",)),
        (("--batch-ramp", "eight,0.5"), ("--batch-ramp: found 'eight,0.5'",)),
        (("--batch-ramp", "8,0.5", "--epochs", 2), ("--epochs counts passes", "give --steps or --minutes")),
        (("--auto-batch", "--micro-batch-size", 4), ("--auto-batch finds the micro-batch", "give one of them")),
        (("--fsdp", "--optimizer", "muon"), ("--fsdp needs --optimizer adamw",)),
        (("--fsdp", "--size", "tiny"), ("--fsdp divides a model over processes and there is one", "torchrun")),
        (("--overfit-one-batch", "--patience", 3), ("--overfit-one-batch takes one batch: leave out",)),
        (("--mask-unit", "words"), ("--mask-unit: found 'words', expected one of token, word, span", "mean 'word'")),
        (("--patience", 0), ("--patience: found '0', expected above 0",)),
    ],
)
def test_options_of_a_run_that_contradict_each_other(
    refused: Callable[..., str], store: Path, tmp_path: Path, options: tuple[object, ...], parts: tuple[str, ...]
) -> None:
    holds(refused("pretrain", store, "--out", tmp_path / "out", *options), *parts)


@pytest.mark.parametrize("launcher", ["torchrun", "accelerate"])
def test_fsdp_that_would_not_be_in_effect(
    refused: Callable[..., str], store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, launcher: str
) -> None:
    """accelerate takes FSDP on a CPU for DDP, without a word."""
    if launcher == "torchrun":
        message = refused("pretrain", store, "--out", tmp_path / "out", "--fsdp")
        holds(message, "--fsdp divides a model over processes and there is one: start it with torchrun")
    else:
        monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
        message = refused("pretrain", store, "--out", tmp_path / "out")
        holds(message, "accelerate is configured for FSDP", "not in effect here", "and give --fsdp")


def test_an_option_whose_extra_is_missing(
    refused: Callable[..., str], store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bertsmith.config import extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    message = refused("pretrain", store, "--out", tmp_path / "out", "--tensorboard")
    holds(message, "--tensorboard needs tensorboard, which is not installed", "pip install 'bertsmith[tensorboard]'")


def test_memory_that_is_short_is_exit_3(
    bertsmith: Callable[..., Any], store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bertsmith.pretraining import assembly

    monkeypatch.setattr(assembly, "free_memory", lambda device: 150_000_000)
    answer = bertsmith("pretrain", store, "--out", tmp_path / "out", "--size", "tiny", "--batch-size", 256)
    assert (answer.code, answer.stdout) == (3, "")
    holds(answer.stderr, "256 examples at once take", "150.0 MB are free; --micro-batch-size", "--auto-batch")
    assert not (tmp_path / "out").exists()


def test_only_pretrain_runs_in_several_processes(
    refused: Callable[..., str], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    holds(refused("tokenize", run, "a text"), "tokenize runs in one process; found 2")


def test_heads_that_do_not_divide_the_width(refused: Callable[..., str], store: Path, tmp_path: Path) -> None:
    message = refused("pretrain", store, "--out", tmp_path / "out", "--hidden-size", 48, "--attention-heads", 5)
    holds(message, "--attention-heads 5 does not divide --hidden-size 48", "nearest that do are", "4", "6")
    message = refused("pretrain", store, "--out", tmp_path / "out", "--hidden-size", 100)
    holds(message, "--hidden-size 100: not a multiple of 64", "--attention-heads")


def test_a_sequence_beyond_the_positions(refused: Callable[..., str], store: Path, run: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out")
    message = refused("pretrain", store, *out, "--size", "tiny", "--sequence-length", 600)
    holds(message, "--sequence-length 600: the model has 512 positions", "at most 512, or --max-positions")
    message = refused("pretrain", store, *out, "--from", run, "--sequence-length", 100)
    holds(message, "--sequence-length 100: the model has 64 positions; give at most 64\n")
    message = refused("evaluate", run, store, "--sequence-length", 100)
    holds(message, "--sequence-length 100: the model has 64 positions")
    train = labelled(tmp_path / "train.csv")
    message = refused("finetune", TASK, "--model", run, "--train", train, "--dev", train, *out, "--max-length", 100)
    holds(message, "--max-length 100: the model has 64 positions")


@pytest.mark.parametrize("what", ["missing", "run", "empty"])
def test_what_is_no_store(refused: Callable[..., str], tmp_path: Path, run: Path, what: str) -> None:
    folder = run if what == "run" else tmp_path / what
    if what == "empty":
        folder.mkdir()
    message = refused("pretrain", folder, "--out", tmp_path / "out")
    holds(message, folder, "no such folder" if what == "missing" else "not a STORE", "bertsmith prepare SOURCE --out")


def test_a_store_of_another_tokenizer(
    refused: Callable[..., str], bertsmith: Callable[..., Any], run: Path, corpus_file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    assert bertsmith("prepare", corpus_file, "--out", other, "--vocab-size", 192).code == 0
    out = ("--out", tmp_path / "out")
    message = refused("pretrain", other, *out, "--from", run, "--sequence-length", 32)
    holds(message, "its tokenizer (256 entries) is not that of", "(192)", f"--tokenizer {run}")
    message = refused("evaluate", run, other)
    holds(message, other, "was prepared with another tokenizer", f"--tokenizer {run}")


def test_a_store_that_is_cut_off(refused: Callable[..., str], store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    shutil.copytree(store, folder)
    data = folder / "train" / "data-00000-of-00001.arrow"
    data.write_bytes(data.read_bytes()[:-100])
    message = refused("pretrain", folder, "--out", tmp_path / "out", "--sequence-length", 32)
    holds(message, data, "bytes, the manifest says", "prepare the STORE again")


def test_a_report_of_nothing(refused: Callable[..., str], tmp_path: Path) -> None:
    holds(refused("report", tmp_path), tmp_path, "neither a STORE (manifest.json) nor a RUN (run.json)")


def test_resume_with_other_options(refused: Callable[..., str], unfinished: Path, store: Path) -> None:
    message = refused("pretrain", store, "--out", unfinished, "--resume", "--mask-rate", "0.3")
    holds(message, "--mask-rate", "was started without it, found 0.3", "leave it out to go on")


# Labelled files


def labelled(path: Path, labels: tuple[str, str] = ("good", "bad"), header: str = "text,label", rows: int = 8) -> Path:
    """A labelled file in which the text says the label."""
    lines = [header, *(f"it was {labels[number % 2]} number {number},{labels[number % 2]}" for number in range(rows))]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def finetune(refused: Callable[..., str], run: Path, tmp_path: Path) -> Callable[..., str]:
    """The message for a fine-tuning that has to be refused."""

    def call(train: Path, dev: Path | None = None, *more: object) -> str:
        data = ("--train", train, "--dev", dev or train, "--out", tmp_path / "out")
        return refused("finetune", TASK, "--model", run, *data, "--max-length", 32, *more)

    return call


def test_a_labelled_file_without_the_column(finetune: Callable[..., str], tmp_path: Path) -> None:
    train = labelled(tmp_path / "train.csv", header="words,verdict")
    holds(finetune(train), train, "no column of the text by its usual names", "'words', 'verdict'", "--text-column")
    message = finetune(train, None, "--text-column", "words")
    holds(message, train, "no column of the label", "'words', 'verdict'", "--label-column")
    message = finetune(train, None, "--text-column", "word", "--label-column", "verdict")
    holds(message, train, "no column 'word'", "'words', 'verdict'")
    message = finetune(train, None, "--text-column", "words", "--label-column", "verdict", "--pair-column", "second")
    holds(message, train, "no column 'second'")


def test_a_label_that_training_does_not_know(finetune: Callable[..., str], tmp_path: Path) -> None:
    train = labelled(tmp_path / "train.csv")
    dev = labelled(tmp_path / "dev.csv", labels=("good", "mediocre"))
    holds(finetune(train, dev), dev, "line 3: label 'mediocre' is not among those of the model (bad, good)")


def test_one_class_only(finetune: Callable[..., str], tmp_path: Path) -> None:
    train = labelled(tmp_path / "train.csv", labels=("good", "good"))
    holds(finetune(train), "one class alone, 'good'; expected at least two")


def test_a_figure_that_a_task_does_not_have(finetune: Callable[..., str], tmp_path: Path) -> None:
    train = labelled(tmp_path / "train.csv")
    message = finetune(train, None, "--metric", "mathews")
    holds(message, "--metric: found 'mathews', expected one of accuracy, f1, macro_f1, matthews", "did you mean 'matth")
    message = finetune(train, None, "--metric", "pearson")
    holds(message, "--metric: found 'pearson', expected one of accuracy, f1, macro_f1, matthews")


def test_several_labels_for_one_class(finetune: Callable[..., str], tmp_path: Path) -> None:
    train = tmp_path / "train.jsonl"
    train.write_text('{"text": "one", "label": ["a"]}\n{"text": "two", "label": []}\n')
    message = finetune(train)
    holds(message, train, "line 1: the label is a list; give --problem-type multi_label_classification")
    message = finetune(train, None, "--problem-type", "multi_label_classification")
    holds(message, "the training file has one label alone, 'a'; expected at least two")


def test_a_label_that_is_no_number(finetune: Callable[..., str], tmp_path: Path) -> None:
    train = labelled(tmp_path / "train.csv")
    message = finetune(train, None, "--problem-type", "regression")
    holds(message, train, "line 2: label 'good', expected a finite number for regression")
    scores = tmp_path / "scores.csv"
    scores.write_text("text,score\nfine,1.5\nbad,nan\n")
    message = finetune(scores, None, "--problem-type", "regression")
    holds(message, scores, "line 3: label 'nan', expected a finite number for regression")
    scores = tmp_path / "scores.jsonl"
    scores.write_text('{"text": "fine", "score": 1.5}\n{"text": "bad", "score": NaN}\n')
    message = finetune(scores, None, "--problem-type", "regression")
    holds(message, scores, "line 2: column 'score' is missing, found NaN")


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("a.csv", b"", ("the file is empty",)),
        ("a.csv", b"text,label\n", ("no rows in this file",)),
        ("a.csv", b"text,label\nfine,a\ntoo,many,fields\n", ("line 3: 3 fields, expected 2 (text, label)",)),
        ("a.csv", b'text,label\n"open,a\n', ("line 2",)),
        ("a.csv", b"text,label\n ,a\n", ("line 2: the text is empty",)),
        ("a.csv", b"text,label\nfine,\n", ("line 2: the label is empty",)),
        ("a.csv", b"text,label\ncaf\xe9,a\n", ("line 2, byte 14 (0xe9) is not utf-8", "--encoding", "windows-1252")),
        ("a.tsv.gz", b"text\tlabel\n", ("cannot be read to its end", "Is the file cut off or damaged?")),
        ("a.parquet", b"", ("the file is empty",)),
        ("a.parquet", b"text,label\nfine,a\n", ("cannot be read to its end", "Is the file cut off or damaged?")),
        ("a.jsonl", b'{"text": "a", "label": 1}\n{"text"\n', ("line 2: not JSON",)),
        ("a.jsonl", b'{"text": "a", "label": 1}\n{"text": "b"}\n', ("line 2: column 'label' is missing",)),
        ("a.jsonl", b"[1]\n", ("line 1: found list, expected an object",)),
        ("a.doc", b"text,label\nfine,a\n", ("the ending is not .csv, .tsv, .jsonl or .parquet", "--format")),
    ],
)
def test_a_labelled_file_that_is_wrong(
    finetune: Callable[..., str], tmp_path: Path, name: str, content: bytes, parts: tuple[str, ...]
) -> None:
    train = tmp_path / name
    train.write_bytes(content)
    holds(finetune(train), train, *parts)


def test_a_data_set_that_is_not_there(finetune: Callable[..., str], tmp_path: Path) -> None:
    train = labelled(tmp_path / "train.csv")
    holds(finetune(Path("hf:no/such")), "hf:no/such:train: ", "Check the name and the connection", "hf:./FOLDER")
    holds(finetune(train, Path("hf:no/such")), "hf:no/such:validation: ")
    holds(finetune(Path("hf:./nothing")), "hf:./nothing: neither a folder that is there nor a data set of the hub")


def test_columns_of_another_width(refused: Callable[..., str], run: Path, tmp_path: Path) -> None:
    train = tmp_path / "train.conll"
    train.write_text("Cystic\tB-X\nfibrosis\n")
    data = ("--train", train, "--dev", train, "--out", tmp_path / "out", "--max-length", 32)
    message = refused("finetune", "token-classification", "--model", run, *data)
    holds(message, train, "line 2: found 'fibrosis', expected a token and, as last column, its tag")
    train.write_text("Cystic NN B-X\nfibrosis I-X\n")
    message = refused("finetune", "token-classification", "--model", run, *data)
    holds(message, train, "line 2: 2 columns, expected 3 as in line 1")


def test_a_head_of_other_labels(
    bertsmith: Callable[..., Any], refused: Callable[..., str], run: Path, tmp_path: Path
) -> None:
    """It is replaced by a fresh one in fine-tuning, which is said, and refused in evaluation."""
    train, other = labelled(tmp_path / "train.csv"), labelled(tmp_path / "other.csv", labels=("fast", "slow"))
    quick = ("--epochs", 1, "--max-length", 32, "--precision", "fp32")
    first = bertsmith(
        "finetune", TASK, "--model", run, "--train", train, "--dev", train, "--out", tmp_path / "a", *quick
    )
    assert first.code == 0, first.stderr
    assert "head: fresh" not in first.stderr
    holds(
        refused("evaluate", tmp_path / "a", other),
        other,
        "line 2: label 'fast' is not among those of the model (bad, good)",
    )
    data = ("--train", other, "--dev", other, "--out", tmp_path / "b", "--dry-run")
    second = bertsmith("finetune", TASK, "--model", tmp_path / "a", *data, *quick)
    assert "head: fresh (that of the MODEL has other labels: bad, good)" in second.stderr


def test_a_text_beyond_the_window_is_cut_and_counted(bertsmith: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    train = tmp_path / "train.csv"
    train.write_text(f"text,label\n{'the ' * 100},a\nthe end,b\n")
    data = ("--train", train, "--dev", train, "--out", tmp_path / "out", "--max-length", 32, "--dry-run")
    answer = bertsmith("finetune", TASK, "--model", run, *data)
    assert answer.code == 0
    assert f"{train}: 2 examples, the longest has 102 tokens, 1 texts cut at 32 (50.0%)" in answer.stderr


def test_a_labelled_file_that_is_not_there(finetune: Callable[..., str], tmp_path: Path) -> None:
    holds(finetune(tmp_path / "none.csv"), tmp_path / "none.csv", "no such file")
    holds(finetune(tmp_path), tmp_path, "is a folder, expected a labelled file")


# finetune glue


@pytest.fixture
def finetune_glue(refused: Callable[..., str], run: Path, tmp_path: Path) -> Callable[..., str]:
    """The message for tasks of GLUE that have to be refused; nothing is written."""

    def call(data: Path, *more: object) -> str:
        message = refused("finetune", "glue", "--model", run, "--data", data, "--out", tmp_path / "out", *more)
        assert not (tmp_path / "out").exists()
        return message

    return call


def test_a_suite_that_there_is_not(refused: Callable[..., str], run: Path, tmp_path: Path) -> None:
    message = refused("finetune", "gleu", "--model", run, "--data", tmp_path, "--out", tmp_path / "out")
    holds(message, "TASK: found 'gleu'", TASK, "or the suite glue", "did you mean 'glue'?")
    message = refused("finetune", TASK, "--model", run, "--data", tmp_path, "--out", tmp_path / "out")
    holds(message, "there is no option '--data'")
    files = ("--train", tmp_path / "a.csv", "--dev", tmp_path / "b.csv")
    message = refused("finetune", "gleu", "--model", run, *files, "--out", tmp_path / "out")
    holds(message, "TASK: found 'gleu'", TASK, "or the suite glue", "did you mean 'glue'?")
    message = refused("finetune", "--model", run, *files, "--out", tmp_path / "out", "glue")
    holds(message, "right behind the verb: bertsmith finetune glue")


def test_a_folder_without_a_task_of_glue(finetune_glue: Callable[..., str], glue: Callable[..., Path]) -> None:
    folder = glue("RTE")
    holds(finetune_glue(folder.parent / "none"), f"--data {folder.parent / 'none'}: no such folder")
    holds(finetune_glue(folder / "RTE" / "dev.tsv"), "is a file, expected the folder of GLUE")
    empty = folder.parent / "empty"
    empty.mkdir()
    holds(finetune_glue(empty), f"--data {empty}: no task of GLUE (CoLA, SST-2, MRPC", "there is nothing")
    (empty / "notes.txt").write_text("a")
    (empty / "books").mkdir()
    holds(finetune_glue(empty), "looked for folders of these names; there is books/, notes.txt")
    message = finetune_glue(folder / "RTE")
    holds(message, "is the folder of RTE alone", f"give --data {folder} --tasks RTE")


def test_a_task_that_the_folder_lacks(finetune_glue: Callable[..., str], glue: Callable[..., Path]) -> None:
    folder = glue("RTE")
    holds(finetune_glue(folder, "--tasks", "RTE,MRPC"), f"--data {folder}: no folder of MRPC in it", "there is RTE/")
    holds(finetune_glue(folder, "--tasks", "RTF"), "--tasks: found 'RTF'", "CoLA, SST-2", "did you mean 'RTE'?")


def test_a_task_without_its_dev_file(finetune_glue: Callable[..., str], glue: Callable[..., Path]) -> None:
    folder = glue("RTE", "CoLA")
    (folder / "RTE" / "dev.tsv").rename(folder / "RTE" / "development.tsv")
    message = finetune_glue(folder)
    holds(message, "RTE: no dev file in", "looked for dev.tsv and validation.tsv", "development.tsv, train.tsv")
    holds(message, "Leave the task out with --tasks")


def test_a_model_that_the_tasks_cannot_use(
    finetune_glue: Callable[..., str], refused: Callable[..., str], glue: Callable[..., Path], tmp_path: Path
) -> None:
    """It is no failure of a task: all would fail."""
    folder = glue("RTE")
    holds(finetune_glue(folder, "--max-length", 100), "--max-length 100: the model has 64 positions")
    message = refused("finetune", "glue", "--model", tmp_path, "--data", folder, "--out", tmp_path / "out")
    holds(message, tmp_path)
    assert not (tmp_path / "out").exists()


def test_predictions_of_a_language_model(refused: Callable[..., str], run: Path, store: Path, tmp_path: Path) -> None:
    message = refused("evaluate", run, store, "--predictions", tmp_path / "p.jsonl")
    holds(message, "--predictions: a language model makes none")


def test_a_page_that_cannot_be_written(refused: Callable[..., str], run: Path, store: Path, tmp_path: Path) -> None:
    """It is said before anything is measured."""
    message = refused("evaluate", run, store, "--report", tmp_path)
    holds(message, f"--report {tmp_path}: is a folder, expected the name of an .html file")
    missing = tmp_path / "none" / "page.html"
    message = refused("evaluate", run, store, "--report", missing)
    holds(message, f"--report {missing}: there is no folder {missing.parent}", f"mkdir -p {missing.parent}")


def test_figures_of_a_language_model_asked_of_a_head(
    refused: Callable[..., str], run: Path, store: Path, tmp_path: Path
) -> None:
    head = tmp_path / "head"
    BertForSequenceClassification.from_pretrained(run).save_pretrained(head)
    load_tokenizer(str(run)).save_pretrained(head)
    data = labelled(tmp_path / "data.csv")
    for name, *value in (("--pseudo-perplexity",), ("--details",), ("--seed", 1), ("--sequence-length", 32)):
        message = refused("evaluate", head, data, name, *value)
        holds(message, f"{name}: belongs to a language model; {head} is a sequence-classification model")


def test_what_a_language_model_has_no_use_for(refused: Callable[..., str], run: Path, store: Path) -> None:
    for name, *value in (("--skip-broken-rows",), ("--max-length", 32), ("--slice", "text"), ("--format", "csv")):
        message = refused("evaluate", run, store, name, *value)
        holds(message, f"{name}: belongs to a head on a labelled file, and {run} has none")
    message = refused("evaluate", run, store, "--max-sentences", 3)
    holds(message, "--max-sentences: belongs to --pseudo-perplexity, which is missing")


def test_a_pseudo_perplexity_without_an_mlm_head(
    refused: Callable[..., str], run: Path, corpus_file: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    BertForNextSentencePrediction.from_pretrained(run).save_pretrained(bare)
    load_tokenizer(str(run)).save_pretrained(bare)
    message = refused("evaluate", bare, corpus_file, "--pseudo-perplexity", "--sequence-length", 32)
    holds(message, bare, "no trained MLM head", f"bertsmith pretrain STORE --from {bare} --objective mlm")


def test_an_empty_text_to_evaluate_on(refused: Callable[..., str], run: Path, tmp_path: Path) -> None:
    text = tmp_path / "empty.txt"
    text.touch()
    message = refused("evaluate", run, text, "--details", "--pseudo-perplexity", "--report", tmp_path / "page.html")
    holds(message, text, "no document is left of 1 that were read; dropped: 1 empty")


def test_no_sentence_at_all(refused: Callable[..., str], run: Path, store: Path) -> None:
    message = refused("evaluate", run, store, "--pseudo-perplexity", "--max-sentences", 0)
    holds(message, "--max-sentences: found '0', expected above 0")


def test_data_that_is_not_there(refused: Callable[..., str], run: Path, tmp_path: Path) -> None:
    holds(refused("evaluate", run, tmp_path / "none.txt"), tmp_path / "none.txt", "no such file or folder")


# Files of predictions

QUESTIONS = json.dumps(
    {"data": [{"paragraphs": [{"qas": [{"id": "1", "answers": [{"text": "x"}]}, {"id": "2", "answers": []}]}]}]}
)


def of_2(answers: str) -> str:
    """SQuAD JSON of one question with these answers."""
    return f'{{"data": [{{"paragraphs": [{{"qas": [{{"id": "1", "answers": {answers}}}]}}]}}]}}'


@pytest.fixture
def scored(refused: Callable[..., str], tmp_path: Path) -> Callable[..., tuple[str, Path, Path]]:
    """The message for files that cannot be scored, and the two files; a content of None is no file."""

    def call(
        task: str, gold: str | None, predictions: str | None, *more: object, ending: str = ".txt"
    ) -> tuple[str, Path, Path]:
        files = (tmp_path / f"gold{ending}", tmp_path / "predictions.json")
        for file, content in zip(files, (gold, predictions), strict=True):
            if content is not None:
                file.write_text(content, encoding="utf-8")
        return refused("score", task, *files, *more), *files

    return call


@pytest.mark.parametrize(
    ("gold", "parts"),
    [
        (None, ("no such file",)),
        ("", ("line 1: not JSON", "expected SQuAD JSON: an object with 'data'")),
        ("{\n{", ("line 2: not JSON", "expected SQuAD JSON")),
        ("[" * 100_000, ("JSON that cannot be read (nested too deeply)",)),
        ("9" * 5_000, ("JSON that cannot be read (a number of too many digits)",)),
        ("[]", ("found a list, expected SQuAD JSON: an object with 'data'",)),
        ("{}", ("data is missing, expected SQuAD JSON (data, paragraphs, qas, answers)",)),
        ('{"data": {}}', ("data: found an object, expected a list",)),
        ('{"data": [1]}', ("data[0]: found a number, expected an object",)),
        ('{"data": []}', ("no question in this file",)),
        (of_2("null"), ("data[0].paragraphs[0].qas[0].answers: found null, expected a list",)),
        (
            of_2('[{"text": "x"}, {}]'),
            ("data[0].paragraphs[0].qas[0].answers[1].text: found nothing, expected a text",),
        ),
        (QUESTIONS.replace('"2"', '"1"'), ("data[0].paragraphs[0].qas[1]: the id '1' stands twice",)),
        (QUESTIONS.replace('"2"', "2"), ("data[0].paragraphs[0].qas[1].id: found a number, expected a text",)),
    ],
)
def test_questions_that_are_none(
    scored: Callable[..., tuple[str, Path, Path]], gold: str | None, parts: tuple[str, ...]
) -> None:
    message, file, _ = scored("question-answering", gold, '{"1": "x"}')
    holds(message, file, *parts)


@pytest.mark.parametrize(
    ("predictions", "parts"),
    [
        (None, ("no such file",)),
        ('{"1": "x"', ("line 1: not JSON", "expected an object of id to text")),
        ('["x"]', ("found a list, expected an object of id to text",)),
        ('{"1": ["x", 0.5]}', ("id '1': found a list, expected the text of the answer",)),
        ('{"1": null}', ("id '1': found null, expected the text of the answer",)),
        ('{"7": "x", "8": "x"}', ("none of its 2 ids is that of a question of",)),
    ],
)
def test_answers_that_are_none(
    scored: Callable[..., tuple[str, Path, Path]], predictions: str | None, parts: tuple[str, ...]
) -> None:
    message, _, file = scored("question-answering", QUESTIONS, predictions)
    holds(message, file, *parts)


@pytest.mark.parametrize(
    ("probabilities", "parts"),
    [
        ('{"1": 0.5, "2": NaN}', ("id '2': found nan, expected a finite number",)),
        ('{"1": 0.5, "2": Infinity}', ("id '2': found inf, expected a finite number",)),
        ('{"1": 1' + "0" * 400 + "}", ("id '1': found 10000", "expected a finite number")),
        ('{"1": "0.5"}', ("id '1': found a text, expected a number",)),
        ('{"1": true}', ("id '1': found true or false, expected a number",)),
        ('{"1": 0.5}', ("1 questions with a prediction have no probability, the first is '2'",)),
        ("[0.5]", ("found a list, expected an object of id to number",)),
    ],
)
def test_probabilities_that_are_none(
    scored: Callable[..., tuple[str, Path, Path]], tmp_path: Path, probabilities: str, parts: tuple[str, ...]
) -> None:
    file = tmp_path / "probabilities.json"
    file.write_text(probabilities)
    more = ("--no-answer-probabilities", file)
    message, _, _ = scored("question-answering", QUESTIONS, '{"1": "x", "2": ""}', *more)
    holds(message, file, *parts)


def test_thresholds_that_mean_nothing(scored: Callable[..., tuple[str, Path, Path]], tmp_path: Path) -> None:
    message, *_ = scored("question-answering", QUESTIONS, '{"1": "x"}', "--no-answer-threshold", 0.5)
    holds(message, "--no-answer-threshold needs the probabilities: give --no-answer-probabilities FILE")
    (tmp_path / "p.json").write_text('{"1": 0.5}')
    more = ("--no-answer-probabilities", tmp_path / "p.json")
    message, gold, _ = scored("question-answering", of_2('[{"text": "x"}]'), '{"1": "x"}', *more)
    holds(message, "--no-answer-probabilities: every question of", gold, "has an answer")


@pytest.mark.parametrize(
    ("task", "option"),
    [
        ("question-answering", ("--scheme", "BIO")),
        ("question-answering", ("--strict",)),
        ("question-answering", ("--encoding", "cp1252")),
        ("question-answering", ("--text-column", "words")),
        ("token-classification", ("--no-header",)),
        ("token-classification", ("--no-answer-threshold", "0.5")),
        (TASK, ("--no-answer-probabilities", "p.json")),
    ],
)
def test_an_option_of_another_task(
    scored: Callable[..., tuple[str, Path, Path]], task: str, option: tuple[str, ...]
) -> None:
    holds(scored(task, "", "", *option)[0], f"{option[0]} belongs to ", f", found {task}")


TAGS = "a B-X\nb I-X\n\nc O\n"


@pytest.mark.parametrize(
    ("predictions", "parts"),
    [
        (None, ("no such file",)),
        ("", ("the file is empty",)),
        ("\n \n", ("no token in this file",)),
        ("a B-X\nb\n", ("line 2: found 'b', expected a token and, as last column, its tag",)),
        ("a B-X\nb\t\n", ("line 2: found 'b', expected a token",)),
        ("a B-X\nb PER\n", ("line 2: the tag (last column) is 'PER', expected O, or B-, I-, E- or S- and a type",)),
        ("a B-X\nB I-X\n\nc O\n", ("line 2: the token is 'B', expected 'b' as in line 2 of",)),
        ("a B-X\n\nc O\n", ("line 1: sentence 1 has 1 tokens, expected 2 as in line 1 of",)),
        ("a B-X\nb I-X\nc O\n", ("line 1: sentence 1 has 3 tokens, expected 2 as in line 1 of",)),
        ("a B-X\nb I-X\n\nc O\nd O\n", ("line 4: sentence 2 has 2 tokens, expected 1 as in line 4 of",)),
        ("a B-X\nb I-X\n", ("1 sentences, expected 2 as in",)),
        ("a B-X\nb I-X\n\nc O\n\nd O\n", ("3 sentences, expected 2 as in",)),
        ("a B-X\nb I-X\n\nc S-X\n", ("line 4: the tag is 'S-X', which BIO does not have; give --scheme BIOES",)),
    ],
)
def test_tags_that_do_not_fit(
    scored: Callable[..., tuple[str, Path, Path]], predictions: str | None, parts: tuple[str, ...]
) -> None:
    message, _, file = scored("token-classification", TAGS, predictions)
    holds(message, file, *parts)


ROWS_OF_GOLD = "text,label\none,a\ntwo,b\n"
ONE, TWO = '{"text": "one", "label": "a"}\n', '{"text": "two", "label": "b"}\n'


@pytest.mark.parametrize(
    ("predictions", "parts"),
    [
        (None, ("no such file",)),
        ("", ("the file is empty",)),
        (ONE, ("1 predictions, expected 2, one for each row of",)),
        (ONE + TWO + TWO, ("line 3: more predictions than the 2 rows of",)),
        (TWO + ONE, ("line 1: the text is 'two', expected 'one' of row 1 of", "in the order of the rows")),
        (ONE + "{", ("line 2: not JSON",)),
        (ONE + "[" * 100_000, ("line 2: JSON that cannot be read (nested too deeply)",)),
        ('{"label": "a"}\n', ("line 1: the text is missing, expected 'one' of row 1",)),
        (
            '{"text": "one"}\n',
            ("line 1: neither 'label', 'labels' nor 'value', expected JSON lines", "evaluate --predictions"),
        ),
        ('{"text": "one", "label": 1}\n', ("line 1: 'label': found a number, expected the text of a label",)),
        ('{"text": "one", "value": NaN}\n', ("line 1: 'value': found nan, expected a finite number",)),
        (ONE + '{"text": "two", "value": 1}\n', ("line 2: 'label' and 'value' are mixed",)),
        (ONE + '{"text": "two", "labels": ["a"]}\n', ("line 2: 'label' and 'labels' are mixed",)),
        ('{"text": "one", "labels": "a"}\n', ("line 1: 'labels': found a text, expected a list of labels",)),
        ('{"text": "one", "labels": ["a", 1]}\n', ("line 1: 'labels': found 1 in the list, expected the texts",)),
        (
            '{"text": "one", "label": "a", "probabilities": [1]}\n',
            ("line 1: 'probabilities': found a list, expected an object of label to number",),
        ),
    ],
)
def test_labels_that_do_not_fit(
    scored: Callable[..., tuple[str, Path, Path]], predictions: str | None, parts: tuple[str, ...]
) -> None:
    message, _, file = scored(TASK, ROWS_OF_GOLD, predictions, ending=".csv")
    holds(message, file, *parts)


def test_values_for_classes(scored: Callable[..., tuple[str, Path, Path]]) -> None:
    values = '{"text": "one", "value": 1}\n{"text": "two", "value": 2}\n'
    message, gold, file = scored(TASK, ROWS_OF_GOLD, values, ending=".csv")
    holds(message, gold, "line 2: label 'a', expected a finite number:", file, "holds values, not labels")


def test_predictions_that_are_scored_by_themselves(refused: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text(ONE)
    message = refused("score", TASK, file, file)
    holds(message, "GOLD and PREDICTIONS are one file", file, "give --label-column gold")


# Nothing of the above needs a bug or a full disk; these do


def test_a_full_disk_is_exit_3(
    bertsmith: Callable[..., Any], corpus_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when the STORE's manifest is written: 3, the place, the free space, and no STORE."""
    original = Path.open

    def full(self: Path, mode: str = "r", *more: Any, **options: Any) -> Any:
        if "manifest.json" in self.name and "w" in mode:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(self, mode, *more, **options)

    monkeypatch.setattr(Path, "open", full)
    answer = bertsmith("prepare", corpus_file, "--out", tmp_path / "store", "--vocab-size", 200)
    assert answer.code == 3
    assert "Traceback" not in answer.stderr
    holds(answer.stderr, "error: ", "manifest.json: cannot be written: No space left on device", "GB free", "--out")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("verb", ["pretrain", "finetune"])
def test_a_full_disk_in_training_is_exit_3(
    bertsmith: Callable[..., Any],
    store: Path,
    run: Path,
    tmp_path: Path,
    tiny: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
) -> None:
    """The weights at the top of the RUN cannot be written: 3, and no folder that looks finished."""
    import transformers

    def full(self: Any, folder: Any, *more: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    out = tmp_path / "out"
    train = labelled(tmp_path / "train.csv")
    arguments: tuple[object, ...] = (TASK, "--model", run, "--train", train, "--dev", train, "--max-length", 32)
    if verb == "pretrain":
        arguments = (store, "--steps", 1, *(f"--{name.replace('_', '-')}={value}" for name, value in tiny.items()))
    monkeypatch.setattr(transformers.PreTrainedModel, "save_pretrained", full)
    answer = bertsmith(verb, *arguments, "--out", out)
    assert answer.code == 3
    assert "Traceback" not in answer.stderr
    holds(answer.stderr, "cannot be written: No space left on device", "GB free", "--out")
    assert not (out / "model.safetensors").exists()
    assert not [path for path in out.rglob("*") if path.name.startswith(".step")]


def test_out_of_memory_is_exit_3(bertsmith: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, MemoryError())
    answer = bertsmith("doctor")
    assert answer.code == 3
    assert "out of memory; give a smaller --batch-size" in answer.stderr
    fail_with(monkeypatch, type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried to allocate"))
    answer = bertsmith("doctor")
    assert answer.code == 3
    holds(answer.stderr, "error: the device is out of memory: CUDA out of memory", "--micro-batch-size")


def test_control_c_is_exit_130(bertsmith: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, KeyboardInterrupt())
    answer = bertsmith("doctor")
    assert answer.code == 130
    assert answer.stderr == "interrupted\n"


def test_a_bug_is_exit_1_with_how_to_report_it(bertsmith: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, RuntimeError("the unexpected"))
    answer = bertsmith("doctor", "--json")
    assert answer.code == 1
    assert answer.stdout == ""
    holds(answer.stderr, "RuntimeError: the unexpected", "This is a bug in bertsmith", "bertsmith doctor --json")


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make the verb `doctor` raise this."""
    import bertsmith.verbs.doctor as module

    def fail() -> None:
        raise error

    monkeypatch.setattr(module, "describe_machine", fail)


@pytest.mark.parametrize("seed", range(3))
def test_no_command_line_brings_a_traceback(bertsmith: Callable[..., Any], seed: int) -> None:
    """Words thrown together: refused, and never exit code 1."""
    draw = random.Random(seed)
    words = [
        "--out",
        "--steps",
        "-1",
        "--size",
        "--json",
        "x",
        "--",
        "--set",
        "a=b",
        "--config",
        "",
        "-",
        "=",
        "--=",
        "é",
    ]
    for _ in range(60):
        verb = draw.choice([name for name in app.VERBS if name not in ("quickstart", "doctor")])
        arguments = draw.choices(words, k=draw.randint(0, 6))
        answer = bertsmith(verb, *arguments, stdin="")
        assert answer.code == 2, (verb, arguments, answer.stderr)


# Questions


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1: not JSON"),
        ("[]", "line 1: found list, expected an object"),
        ('{"question": "who?"}', "line 1: 'context': found nothing, expected a text"),
        ('{"question": 1, "context": "a"}', "line 1: 'question': found a number, expected a text"),
        ('{"question": " ", "context": "a"}', "line 1: 'question': the text is empty"),
    ],
)
def test_questions_that_cannot_be_answered(
    refused: Callable[..., str], run: Path, tmp_path: Path, line: str, said: str
) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(f"{line}\n")
    holds(refused("answer", run, "--input", file), file, said)


def test_half_a_question(refused: Callable[..., str], run: Path, tmp_path: Path) -> None:
    holds(refused("answer", run, "--question", "who?"), "answer: give both texts")
    both = ("--question", "who?", "--context", "the baker")
    holds(refused("answer", run, *both, "--input", tmp_path / "q.jsonl"), "and with --input; give one of them")
    holds(refused("answer", run, *both), "has no question-answering head")
