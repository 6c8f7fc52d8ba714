"""bertsmith score."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bertsmith.cli.command import Answer, Command
from bertsmith.cli.figures import figure_lines
from bertsmith.reporting.numbers import counted, format_metric, most_of
from bertsmith.tasks.score_options import ScoreOptions


def _run(options: ScoreOptions) -> Iterable[Answer]:
    from bertsmith.verbs.score import score

    yield score(options)


def _show(result: Any) -> str:
    found = result.to_dict()
    most = most_of(found)
    lines = [_counts(found), *_figures(found, most)]
    for name, figures in found.get("types", {}).items():
        lines.append(f"{name}: {_entities(figures)}")
        lines += _figures(figures, most)
    if found.get("positive_label") is not None:
        lines.append(f"  f1 is that of the label {found['positive_label']!r}")
    if found.get("best_f1") is not None:
        for name in ("exact_match", "f1"):
            best, threshold = found[f"best_{name}"], found[f"best_{name}_threshold"]
            lines.append(
                f"  best {name} {format_metric(name, best, most)} at a threshold of {threshold:g}, "
                "chosen on these very questions"
            )
    return "\n".join(lines)


def _counts(found: dict[str, Any]) -> str:
    if "missing" in found:
        return f"{counted(found['total'], 'question')}, {found['missing']:,} without a prediction"
    if "tokens" in found and found["scheme"] is None:
        return f"{_sentences(found)} (plain labels)"
    if "tokens" in found:
        return f"{_sentences(found)}, {_entities(found)} ({found['scheme']})"
    return counted(found["total"], "example")


def _sentences(found: dict[str, Any]) -> str:
    return f"{counted(found['sentences'], 'sentence')}, {counted(found['tokens'], 'token')}"


def _entities(found: dict[str, Any]) -> str:
    return f"{found['gold']:,} {'entity' if found['gold'] == 1 else 'entities'}, {found['predicted']:,} predicted"


def _figures(found: dict[str, Any], most: float) -> list[str]:
    return figure_lines([(name, found[name], ends) for name, ends in found["intervals"].items()], most)


COMMAND = Command(
    "score",
    "Score predictions that are in a file, without a model: answers (SQuAD), tags (CoNLL), labels or choices, by the "
    "official metrics of their task with bootstrap intervals.",
    ScoreOptions,
    _run,
    _show,
    "bertsmith score question-answering dev-v2.0.json predictions.json",
)
