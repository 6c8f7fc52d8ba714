"""Numbers of a STORE in words: shares, bytes, length classes."""

from __future__ import annotations

import math
from collections.abc import Mapping

from bertsmith.records.manifest import Manifest
from bertsmith.reporting.bar_charts import bar_chart

NOT_COUNTED = "The manifest of this STORE lacks these figures."


def by_count(counts: Mapping[str, int]) -> dict[str, int]:
    """Sort counts, most frequent first."""
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def counts_chart(counts: Mapping[str, int], title: str) -> str:
    rows = [(name, float(count)) for name, count in counts.items()]
    return bar_chart(rows, title=title, value_format="{:,.0f}", dense=len(rows) > 8)


def classes_of(counts: Mapping[str, int]) -> dict[int, int]:
    """Return length classes by number, in order; JSON has only string keys."""
    return {int(name): count for name, count in sorted(counts.items(), key=lambda item: int(item[0]))}


def middle_class(classes: Mapping[int, int]) -> str:
    """Return the range of the class that contains the median."""
    passed, so_far = 0, 0
    for number, count in classes.items():
        passed, so_far = number, so_far + count
        if 2 * so_far >= sum(classes.values()):
            break
    return f"{2**passed:,} to {2 ** (passed + 1) - 1:,}" if passed else "1"


def percent_of(count: float, whole: float) -> str:
    """Format a share with as many digits as needed; empty if the whole is 0."""
    if not whole:
        return ""
    percent = 100 * count / whole
    if percent in (0, 100):
        return f"{percent:.0f}%"
    if percent < 1:
        # Two significant digits, without an exponent.
        return f"{percent:.{min(1 - math.floor(math.log10(percent)), 8)}f}%"
    return f"{min(percent, 99.9):.1f}%"


def bytes_text(size: float) -> str:
    """Format bytes in the unit that gives a short number."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.4g} TB"


def bytes_by_kind(manifest: Manifest) -> dict[str, int]:
    """Return the bytes of the files by kind, without the manifest and this report."""
    kinds = {"train/": "training part", "held_out/": "held-out part", "tokenizer/": "tokenizer"}
    sizes: dict[str, int] = {}
    for name, facts in manifest.files.items():
        kind = next((kind for prefix, kind in kinds.items() if name.startswith(prefix)), "others")
        sizes[kind] = sizes.get(kind, 0) + facts.bytes
    return {kind: sizes[kind] for kind in (*kinds.values(), "others") if kind in sizes}
