"""bertsmith evaluate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.figures import figure_lines
from bertsmith.cli.verdicts import language_model_lines
from bertsmith.errors import shortened
from bertsmith.evaluation.options import EvaluateOptions
from bertsmith.records.error_report import Figure
from bertsmith.records.pretraining import PairAudit, PretrainingRecord
from bertsmith.reporting.numbers import counted, format_metric, interval_text, most_of, percent
from bertsmith.runtime.console import wrapped


@dataclass(frozen=True)
class _WithAudit:
    """The figures of a language model, which are its JSON, and the audit of its pairs for the verdict."""

    figures: Any
    audit: PairAudit | None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of the figures."""
        found: dict[str, Any] = self.figures.to_dict()
        return found


def _run(options: EvaluateOptions) -> Iterable[Answer]:
    from bertsmith.verbs.evaluate import evaluate

    result = evaluate(options)
    yield result if hasattr(result, "metrics") else _WithAudit(result, _recorded_audit(options))


def _recorded_audit(options: EvaluateOptions) -> PairAudit | None:
    """Return the audit of the pairs from the record of the MODEL, if it was trained on this STORE and length."""
    from bertsmith.corpus.store import TokenStore, is_store
    from bertsmith.records.any_run import run_of_model

    record = run_of_model(Path(options.model))
    if not isinstance(record, PretrainingRecord) or not is_store(Path(options.data)):
        return None
    if options.sequence_length not in (None, record.options.get("sequence_length")):
        return None
    return record.data.audit if TokenStore(options.data).checksum() == record.data.checksum else None


def _show(result: Any) -> str:
    if isinstance(result, _WithAudit):
        return "\n".join(_language_model_lines(result.to_dict(), result.audit))
    lines = [head_lines(result.metrics, result.num_examples)]
    if result.calibration is not None:
        lines.append(calibration_line(result.calibration))
    if result.slices is not None:
        lines += _slice_lines(result.slices, result.metrics)
    if result.report is not None:
        lines.append(f"  report               {result.report}")
    return "\n".join(lines)


def _language_model_lines(figures: Mapping[str, Any], audit: PairAudit | None) -> Iterator[str]:
    lengths = figures.get("next_sentence_length_only")
    if lengths is not None:
        audit = _audit_of(lengths, figures["num_pairs"], swap=audit is not None and audit.swap)
    yield from language_model_lines(figures, audit=audit)
    if figures["next_sentence_accuracy"] is not None and audit is None and "breakdown" not in figures:
        yield "  Segment lengths alone may reach this accuracy. To compare: --details, with a STORE."
    yield from _detail_lines(figures)


def _audit_of(lengths: Mapping[str, float], pairs: int, *, swap: bool) -> PairAudit:
    """Return an audit with only the accuracy of segment lengths alone, which `--details` measures."""
    return PairAudit(
        pairs=0,
        is_next=0,
        not_next=0,
        forced_random=0,
        same_document_negatives=0,
        left_out_tokens=0,
        swap=swap,
        held_out_pairs=pairs,
        majority=None,
        length_only=Figure(**lengths),
    )


def _detail_lines(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield the details that options ask for."""
    from bertsmith.reporting.language_model_report import GROUPINGS, vectors_advice

    lengths, pseudo = figures.get("next_sentence_length_only"), figures.get("pseudo_perplexity")
    if lengths is not None:
        interval = f"95% interval {percent(lengths['low'])} to {percent(lengths['high'])}"
        yield f"  {'lengths alone':<17} {percent(lengths['value'])} of the pairs ({interval})"
    if pseudo is not None:
        error = pseudo["nats_per_token_standard_error"]
        uncertainty = f" (standard error {error:.3f})" if error is not None else ""
        per_token, per_word = (f"{pseudo[f'nats_per_{unit}']:.3f}" for unit in ("token", "word"))
        yield f"  pseudo-perplexity {pseudo['pseudo_perplexity']:,.1f}: {per_token} nats per token{uncertainty},"
        yield f"                    {per_word} per word; one token masked at a time,"
        yield f"                    {pseudo['tokens']:,} tokens of {pseudo['sentences']:,} sentences"
    for name, groups in (figures.get("breakdown") or {}).items():
        yield "\n" + wrapped(f"Masked tokens {GROUPINGS[name]}:")
        if groups is None:
            yield "  not available: neither a STORE nor the record of the RUN has token counts"
            continue
        yield f"  {'':<26}{'count':>9}{'nats':>9}{'unigram':>9}{'correct':>9}"
        for group in groups:
            unigram = f"{group['unigram_nats']:.3f}" if group["unigram_nats"] is not None else ""
            row = f"{group['count']:>9,}{group['nats']:>9.3f}{unigram:>9}{percent(group['accuracy']):>9}"
            yield f"  {group['group']:<26}{row}"
    if "sentence_vectors" in figures:
        yield "\n" + wrapped(vectors_advice(figures["sentence_vectors"]))
    if "report" in figures:
        yield f"  report            {figures['report']}"


def head_lines(metrics: Mapping[str, Mapping[str, float]], num_examples: int) -> str:
    """Return the metrics of a head as lines."""
    lines = figure_lines([(name, figure["value"], figure) for name, figure in metrics.items()], most_of(metrics))
    return "\n".join([counted(num_examples, "example"), *lines])


def calibration_line(calibration: Mapping[str, Any]) -> str:
    """Return the calibration of a head as a line."""
    before = calibration.get("before")
    if not before:
        return f"  calibration error    {percent(calibration['ece']):>6}"
    return (
        f"  calibration error    {percent(calibration['ece']):>6}  before temperature "
        f"{calibration['temperature']:.3f}: {percent(before['ece'])}\n"
        f"  negative log-likelihood {calibration['nll']:.4f}  before: {before['nll']:.4f}"
    )


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


COMMAND = Command(
    "evaluate",
    "Measure a language model on a STORE or a text, always with the same masks, or a fine-tuned model on "
    "a labelled file.",
    EvaluateOptions,
    _run,
    _show,
    "bertsmith evaluate runs/books data/books",
)
