"""What `evaluate` refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from transformers import BertForNextSentencePrediction, BertForSequenceClassification

from bertsmith.tokenization.folder import load_tokenizer


def test_predictions_of_a_language_model(
    refused: Callable[..., str], run: Path, store: Path, tmp_path: Path, holds: Callable[..., None]
) -> None:
    message = refused("evaluate", run, store, "--predictions", tmp_path / "p.jsonl")
    holds(message, "--predictions: only for fine-tuned models")


def test_a_page_that_cannot_be_written(
    refused: Callable[..., str], run: Path, store: Path, tmp_path: Path, holds: Callable[..., None]
) -> None:
    """It is said before anything is measured."""
    message = refused("evaluate", run, store, "--report", tmp_path)
    holds(message, f"--report {tmp_path}: found a folder, expected the name of an .html file")
    missing = tmp_path / "none" / "page.html"
    message = refused("evaluate", run, store, "--report", missing)
    holds(message, f"--report {missing}: the folder {missing.parent}", f"mkdir -p {missing.parent}")


def test_figures_of_a_language_model_asked_of_a_head(
    refused: Callable[..., str],
    run: Path,
    store: Path,
    tmp_path: Path,
    holds: Callable[..., None],
    labelled: Callable[..., Path],
) -> None:
    head = tmp_path / "head"
    BertForSequenceClassification.from_pretrained(run).save_pretrained(head)
    load_tokenizer(str(run)).save_pretrained(head)
    data = labelled(tmp_path / "data.csv")
    holds(
        refused("evaluate", head, data, "--predictions", data), f"--predictions {data}: found the name of DATA itself"
    )
    for name, *value in (("--pseudo-perplexity",), ("--details",), ("--seed", 1), ("--sequence-length", 32)):
        message = refused("evaluate", head, data, name, *value)
        holds(message, f"{name}: only for language models; {head} is a sequence-classification model")


def test_what_a_language_model_has_no_use_for(
    refused: Callable[..., str], run: Path, store: Path, holds: Callable[..., None]
) -> None:
    for name, *value in (("--skip-broken-rows",), ("--max-length", 32), ("--slice", "text"), ("--format", "csv")):
        message = refused("evaluate", run, store, name, *value)
        holds(message, f"{name}: only for fine-tuned models; {run} is a language model")
    holds(refused("evaluate", run, store, "--separator", ";"), f"--separator: {store} is a STORE, not a table")
    message = refused("evaluate", run, store, "--max-sentences", 3)
    holds(message, "--max-sentences: found without --pseudo-perplexity, expected both")


def test_a_pseudo_perplexity_without_an_mlm_head(
    refused: Callable[..., str], run: Path, corpus_file: Path, tmp_path: Path, holds: Callable[..., None]
) -> None:
    bare = tmp_path / "bare"
    BertForNextSentencePrediction.from_pretrained(run).save_pretrained(bare)
    load_tokenizer(str(run)).save_pretrained(bare)
    message = refused("evaluate", bare, corpus_file, "--pseudo-perplexity", "--sequence-length", 32)
    holds(message, bare, "no trained MLM head", f"bertsmith pretrain STORE --from {bare} --objective mlm")


def test_an_empty_text_to_evaluate_on(
    refused: Callable[..., str], run: Path, tmp_path: Path, holds: Callable[..., None]
) -> None:
    text = tmp_path / "empty.txt"
    text.touch()
    message = refused("evaluate", run, text, "--details", "--pseudo-perplexity", "--report", tmp_path / "page.html")
    holds(message, text, "no document is left after cleaning; read 1, dropped: 1 empty")


def test_no_sentence_at_all(refused: Callable[..., str], run: Path, store: Path, holds: Callable[..., None]) -> None:
    message = refused("evaluate", run, store, "--pseudo-perplexity", "--max-sentences", 0)
    holds(message, "--max-sentences: found '0', expected above 0")


def test_data_that_is_not_there(
    refused: Callable[..., str], run: Path, tmp_path: Path, holds: Callable[..., None]
) -> None:
    holds(refused("evaluate", run, tmp_path / "none.txt"), tmp_path / "none.txt", "no such file or folder")
