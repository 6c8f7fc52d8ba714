"""The effect of each option of `tokenize`, `fill-mask`, `next-sentence`, `embed` and `classify`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from bertsmith.cli.tokenize import TokenizeOptions
from bertsmith.tasks.embedding.command import EmbedOptions
from bertsmith.tasks.fill_mask.command import FillMaskOptions
from bertsmith.tasks.next_sentence.command import NextSentenceOptions
from bertsmith.tasks.sequence_classification.command import ClassifyOptions
from support.bench import Bench, effect, values_differ_a_little
from support.effect_files import ratings, sentence

MASKED = ["the baker [MASK] some bread.", "a sailor sold [MASK] horses."]


@effect(TokenizeOptions, "model")
def test_tokenize_model(bench: Bench) -> None:
    other = bench.prepare(cased=True).store
    here, there = (bench.lines("tokenize", model, "The Baker")[0]["tokens"] for model in (bench.run, other))
    assert "the" in here and "The" not in here
    assert "The" in there


@effect(TokenizeOptions, "texts")
def test_tokenize_texts(bench: Bench) -> None:
    assert [line["text"] for line in bench.lines("tokenize", bench.run, "one bell", "two")] == ["one bell", "two"]
    assert [line["text"] for line in bench.lines("tokenize", bench.run, stdin="three\nfour\n")] == ["three", "four"]


@effect(TokenizeOptions, "input")
def test_tokenize_input(bench: Bench) -> None:
    answers = bench.lines("tokenize", bench.run, "--input", bench.file("one bell\ntwo\n"), stdin="three")
    assert [line["text"] for line in answers] == ["one bell", "two"]


@effect(FillMaskOptions, "model")
def test_fill_mask_model(bench: Bench) -> None:
    here, there = (bench.lines("fill-mask", model, MASKED[0]) for model in (bench.run, bench.base))
    assert here[0]["masks"] != there[0]["masks"]


@effect(FillMaskOptions, "texts")
def test_fill_mask_texts(bench: Bench) -> None:
    answers = bench.lines("fill-mask", bench.run, *MASKED)
    assert [line["text"] for line in answers] == MASKED
    assert answers[0]["masks"] != answers[1]["masks"]


@effect(FillMaskOptions, "input")
def test_fill_mask_input(bench: Bench) -> None:
    answers = bench.lines("fill-mask", bench.run, "--input", bench.file("\n".join(MASKED)))
    assert [line["text"] for line in answers] == MASKED


@effect(FillMaskOptions, "top_k")
def test_fill_mask_top_k(bench: Bench) -> None:
    one, nine = (bench.lines("fill-mask", bench.run, MASKED[0], "--top-k", count)[0]["masks"][0] for count in (1, 9))
    assert len(one["predictions"]) == 1
    assert len(nine["predictions"]) == 9
    assert one["predictions"][0] == nine["predictions"][0]


@effect(FillMaskOptions, "precision")
def test_fill_mask_precision(bench: Bench) -> None:
    found = []
    for precision in ("fp32", "bf16"):
        (answer,) = bench.lines("fill-mask", bench.run, MASKED[0], "--precision", precision)
        found.append([item["probability"] for item in answer["masks"][0]["predictions"]])
    values_differ_a_little(*found)


A, B = "the queen sold a strange map.", "two horses followed the captain."


@effect(NextSentenceOptions, "model")
def test_next_sentence_model(bench: Bench) -> None:
    here, there = (bench.lines("next-sentence", model, A, B)[0]["logits"] for model in (bench.run, bench.base))
    assert here != there


@effect(NextSentenceOptions, "a", "b")
def test_next_sentence_pair(bench: Bench) -> None:
    pairs = [(A, B), (B, A), (A, A)]
    logits = [tuple(bench.lines("next-sentence", bench.run, a, b)[0]["logits"]) for a, b in pairs]
    assert len(set(logits)) == 3


@effect(NextSentenceOptions, "input")
def test_next_sentence_input(bench: Bench) -> None:
    answers = bench.lines("next-sentence", bench.run, "--input", bench.file(f"{A}\t{B}\n{B}\t{A}\n"))
    alone = [bench.lines("next-sentence", bench.run, *pair)[0] for pair in ((A, B), (B, A))]
    assert answers == alone


@effect(NextSentenceOptions, "precision")
def test_next_sentence_precision(bench: Bench) -> None:
    values_differ_a_little(
        *(bench.lines("next-sentence", bench.run, A, B, "--precision", name)[0]["logits"] for name in ("fp32", "bf16"))
    )


def hidden(bench: Bench, layer: int) -> npt.NDArray[np.float32]:
    """float32 of [tokens, width]: stock's vectors of the text A."""
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(bench.run).eval()
    tokenizer = AutoTokenizer.from_pretrained(bench.run)
    with torch.no_grad():
        states = model(**tokenizer(A, return_tensors="pt"), output_hidden_states=True).hidden_states
    array: npt.NDArray[np.float32] = states[layer][0].numpy()
    return array


@effect(EmbedOptions, "model")
def test_embed_model(bench: Bench) -> None:
    here, there = (bench.lines("embed", model, A)[0]["embedding"] for model in (bench.run, bench.base))
    assert here != there


@effect(EmbedOptions, "texts")
def test_embed_texts(bench: Bench) -> None:
    first, second = bench.lines("embed", bench.run, A, B)
    assert (first["text"], second["text"]) == (A, B)
    assert first["embedding"] != second["embedding"]


@effect(EmbedOptions, "input")
def test_embed_input(bench: Bench) -> None:
    assert bench.lines("embed", bench.run, "--input", bench.file(f"{A}\n{B}")) == bench.lines("embed", bench.run, A, B)


@effect(EmbedOptions, "pooling")
def test_embed_pooling(bench: Bench) -> None:
    states = hidden(bench, -1)
    for name, expected in (("mean", states.mean(0)), ("max", states.max(0)), ("cls", states[0])):
        (answer,) = bench.lines("embed", bench.run, A, "--pooling", name)
        np.testing.assert_allclose(answer["embedding"], expected, atol=1e-5)
    (answer,) = bench.lines("embed", bench.run, A)
    np.testing.assert_allclose(answer["embedding"], states.mean(0), atol=1e-5, err_msg="the default is the mean")


@effect(EmbedOptions, "layer")
def test_embed_layer(bench: Bench) -> None:
    for layer in (0, 1, -1, -2):
        (answer,) = bench.lines("embed", bench.run, A, "--layer", layer)
        np.testing.assert_allclose(answer["embedding"], hidden(bench, layer).mean(0), atol=1e-5)
    assert np.abs(hidden(bench, 0) - hidden(bench, 1)).max() > 0.01


@effect(EmbedOptions, "precision")
def test_embed_precision(bench: Bench) -> None:
    values_differ_a_little(
        *(bench.lines("embed", bench.run, A, "--precision", name)[0]["embedding"] for name in ("fp32", "bf16"))
    )


def with_config(bench: Bench, model: Path, **values: Any) -> Path:
    """The MODEL with other values in its config.json."""
    folder = bench.fresh()
    shutil.copytree(model, folder)
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))
    return folder


@effect(ClassifyOptions, "model")
def test_classify_model(bench: Bench) -> None:
    data = ratings(bench)
    other = bench.finetune(train=data, dev=data, problem_type="single_label_classification").run
    assert set(bench.lines("classify", bench.head, A)[0]["probabilities"]) == {"good", "bad"}
    assert set(bench.lines("classify", other, A)[0]["probabilities"]) == {"0.0", "0.5", "1.0", "1.5", "2.0"}


@effect(ClassifyOptions, "texts")
def test_classify_texts(bench: Bench) -> None:
    answers = bench.lines("classify", bench.head, sentence(0)[0], sentence(1)[0])
    assert [answer["label"] for answer in answers] == ["good", "bad"]


@effect(ClassifyOptions, "input")
def test_classify_input(bench: Bench) -> None:
    file = bench.file(f"{sentence(1)[0]}\n{sentence(0)[0]}\n")
    assert [answer["label"] for answer in bench.lines("classify", bench.head, "--input", file)] == ["bad", "good"]


@effect(ClassifyOptions, "pair")
def test_classify_pair(bench: Bench) -> None:
    of_pairs = with_config(bench, bench.head, text_columns=["first", "second"])
    pair, other = (bench.lines("classify", of_pairs, A, "--pair", text)[0]["probabilities"] for text in (B, A))
    assert pair != other
    (line,) = bench.lines("classify", of_pairs, stdin=f"{A}\t{B}\n")
    assert line["probabilities"] == pytest.approx(pair, abs=1e-6)


@effect(ClassifyOptions, "max_length")
def test_classify_max_length(bench: Bench) -> None:
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
def test_classify_precision(bench: Bench) -> None:
    found = [
        bench.lines("classify", bench.head, A, "--precision", name)[0]["probabilities"]["good"]
        for name in ("fp32", "bf16")
    ]
    values_differ_a_little([found[0]], [found[1]])
