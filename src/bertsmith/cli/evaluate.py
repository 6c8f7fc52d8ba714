"""bertsmith evaluate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.figures import figure_lines
from bertsmith.errors import shortened
from bertsmith.evaluation.options import EvaluateOptions
from bertsmith.reporting.numbers import counted, format_metric, interval_text, most_of, percent


def _run(options: EvaluateOptions) -> Iterable[Answer]:
    from bertsmith.verbs.evaluate import evaluate

    yield evaluate(options)


def _show(result: Any) -> str:
    if hasattr(result, "metrics"):
        lines = [head_lines(result.metrics, result.num_examples)]
        if result.calibration is not None:
            lines.append(calibration_line(result.calibration))
        if result.slices is not None:
            lines += _slice_lines(result.slices, result.metrics)
        if result.report is not None:
            lines.append(f"  report               {result.report}")
        return "\n".join(lines)
    figures = result.to_dict()
    return "\n".join([language_model_lines(figures, None), *_detail_lines(figures)])


def _detail_lines(figures: Mapping[str, Any]) -> Iterator[str]:
    """The details that options ask for, for people."""
    from bertsmith.reporting.language_model_report import GROUPINGS, vectors_advice

    lengths, pseudo = figures.get("next_sentence_length_only"), figures.get("pseudo_perplexity")
    if lengths is not None:
        interval = f"95% interval {percent(lengths['low'])} to {percent(lengths['high'])}"
        yield f"                    lengths alone give {percent(lengths['value'])} ({interval})"
    if pseudo is not None:
        error = pseudo["nats_per_token_standard_error"]
        beside = f" (standard error {error:.3f})" if error is not None else ""
        of_token, of_word = (f"{pseudo[f'nats_per_{unit}']:.3f}" for unit in ("token", "word"))
        whole = f"{pseudo['pseudo_perplexity']:,.1f}"
        yield f"  pseudo-perplexity {whole}; {of_token} nats a token{beside}, {of_word} a word"
        yield f"                    {pseudo['tokens']:,} tokens of {pseudo['sentences']:,} sentences, each masked alone"
    for name, groups in (figures.get("breakdown") or {}).items():
        yield f"\n  masked tokens {GROUPINGS[name]}:"
        if groups is None:
            yield "    neither a STORE nor the RUN's record has counts of a training text"
            continue
        yield f"    {'':<24}{'count':>9}{'nats':>9}{'unigram':>9}{'right':>8}"
        for group in groups:
            unigram = f"{group['unigram_nats']:.3f}" if group["unigram_nats"] is not None else ""
            row = f"{group['count']:>9,}{group['nats']:>9.3f}{unigram:>9}{percent(group['accuracy']):>8}"
            yield f"    {group['group']:<24}{row}"
    if "sentence_vectors" in figures:
        yield f"\n  {vectors_advice(figures['sentence_vectors'])}"
    if "report" in figures:
        yield f"  report            {figures['report']}"


def head_lines(metrics: Mapping[str, Mapping[str, float]], num_examples: int) -> str:
    """The metrics of a head for people."""
    lines = figure_lines([(name, figure["value"], figure) for name, figure in metrics.items()], most_of(metrics))
    return "\n".join([counted(num_examples, "example"), *lines])


def calibration_line(calibration: Mapping[str, Any]) -> str:
    """The calibration of a head for people."""
    before = calibration.get("before")
    was = f"   before temperature {calibration['temperature']:.3f}: {percent(before['ece'])}" if before else ""
    fitted = f"\n  negative log-likelihood {calibration['nll']:.4f}   before: {before['nll']:.4f}" if before else ""
    return f"  calibration error    {percent(calibration['ece']):>6}{was}{fitted}"


def _slice_lines(slices: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[str]:
    from bertsmith.reporting.error_sections import VALUE

    metric, most = slices["metric"], most_of(metrics)
    names = [shortened(row["name"], VALUE) for row in slices["rows"]]
    width = max(20, *map(len, names))
    lines = [f"{slices['metric']} by {slices['by']}:"]
    for name, row in zip(names, slices["rows"], strict=True):
        interval = f"95% interval {interval_text(metric, row['low'], row['high'], most=most)}"
        written = format_metric(metric, row["value"], most)
        lines.append(f"  {name:<{width}} {written:>6}   {interval}   {counted(row['examples'], 'example')}")
    return lines


def language_model_lines(after: Mapping[str, Any], before: Mapping[str, Any] | None) -> str:
    """The figures of a language model for people."""
    lines = []
    if after["mlm_nats_per_masked_token"] is not None:
        was = f" (before: {before['mlm_nats_per_masked_token']:.3f})" if before else ""
        unigram = after["unigram_nats_per_token"]
        beside = f"; unigram baseline {unigram:.3f}" if unigram is not None else ""
        lines.append(f"  held-out MLM loss {after['mlm_nats_per_masked_token']:.3f} nats{was}{beside}")
        lines.append(
            f"  masked tokens     {percent(after['mlm_accuracy'])} of {after['num_masked_tokens']:,} guessed right, "
            f"perplexity {after['perplexity']:,.1f}"
        )
    if after["next_sentence_accuracy"] is not None:
        lines.append(
            f"  next sentence     {percent(after['next_sentence_accuracy'])} of {after['num_pairs']:,} pairs; "
            f"always the same answer gives {percent(after['next_sentence_majority'])}"
        )
    return "\n".join(lines)


COMMAND = Command(
    "evaluate",
    "Measure a language model on frozen masks (a STORE or a text), or a head on a labelled file.",
    EvaluateOptions,
    _run,
    _show,
    "bertsmith evaluate runs/books data/books",
)
