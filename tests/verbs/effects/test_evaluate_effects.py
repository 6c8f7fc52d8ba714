"""The effect of each option of `evaluate`."""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np
import pytest

from bertsmith.errors import DataError, OptionError
from bertsmith.evaluation.options import EvaluateOptions
from support.bench import Bench, effect
from support.effect_files import (
    ROWS,
    columns,
    in_latin1,
    of_another_ending,
    sentence,
    texts,
    with_stars,
    without_header,
)


@effect(EvaluateOptions, "model")
def test_evaluate_model(bench: Bench) -> None:
    here, there = bench.evaluate(bench.run, bench.store), bench.evaluate(bench.base, bench.store)
    assert here.mlm_nats_per_masked_token != there.mlm_nats_per_masked_token
    assert here.unigram_nats_per_token == there.unigram_nats_per_token
    assert here.num_masked_tokens == there.num_masked_tokens


@effect(EvaluateOptions, "data")
def test_evaluate_data(bench: Bench) -> None:
    on_store = bench.evaluate(bench.run, bench.store)
    on_text = bench.evaluate(bench.run, bench.file("\n\n".join(texts(10))))
    assert on_text.num_masked_tokens not in (0, on_store.num_masked_tokens)
    assert on_text.mlm_nats_per_masked_token != on_store.mlm_nats_per_masked_token


@effect(EvaluateOptions, "predictions")
def test_evaluate_predictions(bench: Bench) -> None:
    file = bench.fresh(".jsonl")
    figures = bench.evaluate_head(predictions=file)
    answers = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(answer["text"], answer["gold"]) for answer in answers] == [sentence(number) for number in range(ROWS)]
    right = np.mean([answer["label"] == answer["gold"] for answer in answers])
    assert figures.metrics["accuracy"]["value"] == pytest.approx(right)


@effect(EvaluateOptions, "slice")
def test_evaluate_slice(bench: Bench) -> None:
    """The figure of each value of the column; the rows of one of the two have wrong labels."""
    lines = [f"{sentence(number)[0]},{sentence(number + number // 16)[1]},{number // 16}" for number in range(ROWS)]
    data = bench.file("\n".join(["text,label,half", *lines]), ".csv")
    found = bench.evaluate_head(data, slice="half").slices
    assert found["by"] == "half" and found["metric"] == "accuracy"
    assert [(row["name"], row["examples"], row["value"]) for row in found["rows"]] == [("0", 16, 1.0), ("1", 16, 0.0)]
    assert bench.evaluate_head(data).slices is None
    with pytest.raises(OptionError, match="the columns are 'text', 'label', 'half'"):
        bench.evaluate_head(data, slice="quarter")
    with pytest.raises(OptionError, match="--slice: only for fine-tuned models"):
        bench.evaluate(slice="half")


@effect(EvaluateOptions, "report")
def test_evaluate_report(bench: Bench) -> None:
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
def test_evaluate_details(bench: Bench) -> None:
    plain, detailed = bench.evaluate().to_dict(), bench.evaluate(details=True).to_dict()
    assert set(detailed) - set(plain) == {"breakdown", "next_sentence_length_only", "sentence_vectors"}
    assert {name: detailed[name] for name in plain} == plain


@effect(EvaluateOptions, "pseudo_perplexity", "max_sentences")
def test_evaluate_pseudo_perplexity(bench: Bench) -> None:
    assert "pseudo_perplexity" not in bench.evaluate().to_dict()
    few, same, many = (
        bench.evaluate(pseudo_perplexity=True, max_sentences=count).pseudo_perplexity for count in (3, 3, 9)
    )
    assert few == same
    assert (few["sentences"], many["sentences"]) == (3, 9)
    assert few["nats_per_token"] != many["nats_per_token"]


@effect(EvaluateOptions, "problem_type")
def test_evaluate_problem_type(bench: Bench) -> None:
    """A model whose configuration says the wrong thing is refused, and measured once the right thing is said."""
    run = bench.fresh()
    shutil.copytree(bench.head, run)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "problem_type": "regression"}))
    with pytest.raises(OptionError, match=r"--problem-type regression: found 2 outputs"):
        bench.evaluate(run, bench.labelled)
    figures = bench.evaluate(run, bench.labelled, problem_type="single_label_classification")
    assert figures.metrics == bench.evaluate_head().metrics


@effect(EvaluateOptions, "text_column", "label_column")
def test_evaluate_columns(bench: Bench) -> None:
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
def test_evaluate_pair_column(bench: Bench) -> None:
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


@effect(EvaluateOptions, "no_header")
def test_evaluate_no_header(bench: Bench) -> None:
    data = without_header(bench)
    with pytest.raises(DataError, match="or --no-header if the first line is data"):
        bench.evaluate_head(data)
    assert bench.evaluate_head(data, no_header=True).num_examples == ROWS
    assert bench.evaluate_head(data, no_header=True, text_column=0, label_column=1).num_examples == ROWS


@effect(EvaluateOptions, "format")
def test_evaluate_format(bench: Bench) -> None:
    data = of_another_ending(bench, bench.labelled)
    with pytest.raises(DataError, match=r"expected .csv, .tsv, .jsonl or .parquet. Try: --format"):
        bench.evaluate_head(data)
    assert bench.evaluate_head(data, format="csv").metrics == bench.evaluate_head().metrics
    rows = [json.dumps(dict(zip(("text", "label"), sentence(number), strict=True))) for number in range(ROWS)]
    assert bench.evaluate_head(bench.file("\n".join(rows)), format="jsonl").metrics == bench.evaluate_head().metrics
    tabs = bench.file(bench.labelled.read_text().replace(",", "\t"))
    assert bench.evaluate_head(tabs, format="tsv").metrics == bench.evaluate_head().metrics


@effect(EvaluateOptions, "separator")
def test_evaluate_separator(bench: Bench) -> None:
    data = with_stars(bench)
    with pytest.raises(DataError, match=r"no column of the text .*'text\*label'"):
        bench.evaluate_head(data)
    assert bench.evaluate_head(data, separator="*").metrics == bench.evaluate_head().metrics
    tabs = bench.file(bench.labelled.read_text().replace(",", "\t"), ".csv")
    assert bench.evaluate_head(tabs, separator="tab").metrics == bench.evaluate_head().metrics
    with pytest.raises(OptionError, match="--separator: found '::', expected one character"):
        bench.evaluate_head(data, separator="::")


@effect(EvaluateOptions, "encoding")
def test_evaluate_encoding(bench: Bench) -> None:
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
def test_evaluate_sequence_length(bench: Bench) -> None:
    short, default, long = (bench.evaluate(sequence_length=length) for length in (16, None, 60))
    assert short.num_pairs > default.num_pairs > long.num_pairs
    assert default == bench.evaluate(sequence_length=32), "as in pre-training"


@effect(EvaluateOptions, "max_length")
def test_evaluate_max_length(bench: Bench) -> None:
    assert bench.evaluate_head(max_length=64).truncated_tokens == 0
    assert bench.evaluate_head(max_length=8).truncated_tokens > 0
    with pytest.raises(OptionError, match="--max-length: found 65, expected 8 to 64, the number of positions"):
        bench.evaluate_head(max_length=65)


@effect(EvaluateOptions, "batch_size")
def test_evaluate_batch_size(bench: Bench) -> None:
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
def test_evaluate_seed(bench: Bench) -> None:
    first, same, other = (bench.evaluate(seed=seed) for seed in (0, 0, 1))
    assert first == same
    assert first.mlm_nats_per_masked_token != other.mlm_nats_per_masked_token
    recorded = bench.record(bench.run)["evaluation"]["mlm_nats_per_masked_token"]
    assert first.mlm_nats_per_masked_token == pytest.approx(recorded, abs=1e-5), "0 is what a RUN reports"


@effect(EvaluateOptions, "precision")
def test_evaluate_precision(bench: Bench) -> None:
    full, half = (bench.evaluate(precision=precision).mlm_nats_per_masked_token for precision in ("fp32", "bf16"))
    assert 0 < abs(full - half) < 0.05


@effect(EvaluateOptions, "skip_broken_rows")
def test_evaluate_skip_broken_rows(bench: Bench) -> None:
    data = bench.file(bench.labelled.read_text() + "one field\n", ".csv")
    with pytest.raises(DataError, match=f"line {ROWS + 2}: found 1 fields, expected 2"):
        bench.evaluate_head(data)
    assert bench.evaluate_head(data, skip_broken_rows=True).num_examples == ROWS
    assert bench.evaluate_head(data, skip_broken_rows=True, slice="label").slices["by"] == "label"
