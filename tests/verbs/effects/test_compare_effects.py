"""The effect of each option of `compare`."""

from __future__ import annotations

from typing import Any

import pytest

from bertsmith.errors import DataError, OptionError
from bertsmith.evaluation.options import CompareOptions
from support.bench import Bench, effect
from support.effect_files import ROWS, columns, in_latin1, of_another_ending, with_stars, without_header


@effect(CompareOptions, "model_a", "model_b", "data")
def test_compare_models(bench: Bench) -> None:
    """Who is A and who is B is seen in the sign, and the data in the figures."""
    other = bench.opposite()
    worse, better = bench.compare(), bench.compare(other, bench.head, bench.labelled)
    assert worse.metrics["accuracy"]["difference"] < -0.9 < 0.9 < better.metrics["accuracy"]["difference"]
    assert (worse.metrics["accuracy"]["better"], better.metrics["accuracy"]["better"]) == ("a", "b")
    turned = bench.file(bench.labelled.read_text().replace(",good", ",bad"), ".csv")
    assert bench.compare(bench.head, other, turned).metrics["accuracy"]["a"] == pytest.approx(0.5)


@effect(CompareOptions, "problem_type")
def test_compare_problem_type(bench: Bench) -> None:
    with pytest.raises(OptionError, match=r"--problem-type regression: found 2 outputs"):
        bench.compare(problem_type="regression")


@effect(CompareOptions, "text_column", "label_column")
def test_compare_columns(bench: Bench) -> None:
    data = columns(bench)

    def accuracy(**options: Any) -> float:
        value: float = bench.compare(bench.head, bench.head, data, **options).metrics["accuracy"]["a"]
        return value

    assert accuracy() > 0.9 > 0.1 > accuracy(text_column="second")
    assert accuracy(label_column="verdict") < 0.1


@effect(CompareOptions, "pair_column", "max_length", "precision")
def test_compare_inputs(bench: Bench) -> None:
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
def test_compare_batch_size(bench: Bench) -> None:
    passes = {}
    for size in (4, 32):
        seen = bench.head_batches()
        bench.compare(bench.head, bench.head, bench.labelled, batch_size=size, max_length=32)
        passes[size] = len(seen)
    assert passes[4] > passes[32] == 2, "one of either model"


@effect(CompareOptions, "no_header")
def test_compare_no_header(bench: Bench) -> None:
    data = without_header(bench)
    with pytest.raises(DataError, match="or --no-header if the first line is data"):
        bench.compare(bench.head, bench.head, data)
    assert bench.compare(bench.head, bench.head, data, no_header=True).num_examples == ROWS


@effect(CompareOptions, "format")
def test_compare_format(bench: Bench) -> None:
    data = of_another_ending(bench, bench.labelled)
    with pytest.raises(DataError, match="Try: --format"):
        bench.compare(bench.head, bench.head, data)
    assert bench.compare(bench.head, bench.head, data, format="csv").num_examples == ROWS


@effect(CompareOptions, "separator")
def test_compare_separator(bench: Bench) -> None:
    data = with_stars(bench)
    assert bench.compare(bench.head, bench.head, data, separator="*").num_examples == ROWS


@effect(CompareOptions, "encoding")
def test_compare_encoding(bench: Bench) -> None:
    data = in_latin1(bench)
    with pytest.raises(DataError, match="is not utf-8"):
        bench.compare(bench.head, bench.head, data)
    assert bench.compare(bench.head, bench.head, data, encoding="latin-1").num_examples == ROWS


@effect(CompareOptions, "skip_broken_rows")
def test_compare_skip_broken_rows(bench: Bench) -> None:
    data = bench.file(bench.labelled.read_text() + "one field\n", ".csv")
    with pytest.raises(DataError, match=f"line {ROWS + 2}: found 1 fields, expected 2"):
        bench.compare(bench.head, bench.head, data)
    assert bench.compare(bench.head, bench.head, data, skip_broken_rows=True).num_examples == ROWS
