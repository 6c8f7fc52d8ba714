"""Report sections about dropped text: documents, paragraphs, and groups of duplicates, with reasons."""

from __future__ import annotations

from collections.abc import Mapping

from bertsmith.config.cleaning import ALL_STEPS
from bertsmith.records.manifest import Cleaning, DuplicateGroup, Manifest
from bertsmith.reporting.page import Page
from bertsmith.reporting.store.shares import by_count, counts_chart, percent_of
from bertsmith.reporting.svg import printable

_REASONS = {
    "empty": "no text, or none left after cleaning",
    "too short": "fewer words than --min-words",
    "repetitive": "the document repeats itself",
    "other language": "almost certainly not in the language given by --language",
    "duplicate": "same text as another document",
    "near-duplicate": "nearly the same text as another document, see Duplicates",
    "no tokens": "only characters that the tokenizer ignores",
    "boilerplate": "not content: cookie notices, share buttons, page numbers",
    "mostly symbols": "fewer than half of the characters are letters or digits",
    "duplicate paragraphs": "the same 100 characters or more occur elsewhere",
}
"""Explanations of the reasons for dropping a text."""

_OF_DOCUMENTS = ("too short", "repetitive", "other language")
"""Reasons that apply only to whole documents; their paragraphs are dropped with them."""

_REPAIRS = {
    "unicode": ALL_STEPS["unicode"],
    "controls": ALL_STEPS["controls"],
    "not encodable": "remove characters that cannot be encoded (halves of surrogate pairs)",
    "white space": "one space between words, none at the ends",
}

_CLUSTERS_SHOWN = 15
_DROPPED_SHOWN = 2
_ID_LENGTH = 40


def add_documents(page: Page, manifest: Manifest) -> None:
    page.section("Documents", "Every document is either kept or dropped for a reason.")
    result = manifest.result
    dropped, read = by_count(result.dropped), result.documents_in
    if dropped:
        page.chart(
            counts_chart(dropped, "Documents dropped, by reason"),
            f"Documents dropped, by reason: {sum(dropped.values()):,} of {read:,} in total.",
        )
    rows = [(f"dropped: {reason}", count, percent_of(count, read)) for reason, count in dropped.items()]
    kept = result.documents_kept
    page.table(
        ["", "documents", "share"],
        [("read", read, percent_of(read, read)), *rows, ("kept", kept, percent_of(kept, read))],
        caption="Documents read, dropped and kept; dropped plus kept equals read",
    )
    _add_meanings(page, "What the reasons mean", shown=dropped, meanings=_REASONS)
    if read and sum(dropped.values()) > read / 2:
        page.notice(
            "More than half of the documents were dropped. To check whether that is right, prepare again with "
            "--keep-dropped and read some of them in STORE/dropped.",
            "warning",
        )


def add_paragraphs(page: Page, manifest: Manifest) -> None:
    """Add the paragraphs dropped from kept documents, and the repairs in kept paragraphs."""
    page.section(
        "Paragraphs",
        "In kept documents, single paragraphs can be dropped, and characters are repaired in the others.",
    )
    cleaning = manifest.cleaning or Cleaning()
    dropped = by_count(manifest.result.dropped_paragraphs)
    single = {reason: count for reason, count in dropped.items() if reason not in _OF_DOCUMENTS}
    if single:
        page.chart(
            counts_chart(single, "Single paragraphs dropped, by reason"),
            f"Single paragraphs dropped, by reason: {sum(single.values()):,} in total.",
        )
        page.table(
            ["dropped", "paragraphs", "characters"],
            [(reason, count, cleaning.characters_dropped.get(reason)) for reason, count in single.items()],
            caption="Single paragraphs dropped",
        )
        _add_meanings(page, "What these reasons mean", shown=single, meanings=_REASONS)
    else:
        page.text("No single paragraph was dropped.")
    along = {reason: count for reason, count in dropped.items() if reason in _OF_DOCUMENTS}
    if along:
        listed = ", ".join(f"{count:,} {reason}" for reason, count in along.items())
        page.text(f"Another {sum(along.values()):,} paragraphs were dropped with their documents: {listed}.")
    repaired = by_count(cleaning.paragraphs_repaired)
    if repaired:
        page.table(
            ["repaired", "paragraphs", "shorter by"],
            [(step, count, cleaning.characters_removed.get(step)) for step, count in repaired.items()],
            caption="Paragraphs repaired, and the number of characters removed",
        )
        _add_meanings(page, "What the repairs do", shown=repaired, meanings=_REPAIRS)
    elif manifest.cleaning is not None:
        page.text("No paragraph needed a repair.")


def _add_meanings(page: Page, summary: str, *, shown: Mapping[str, int], meanings: Mapping[str, str]) -> None:
    """Add a folded list that explains the names in a table."""
    known = {name: meanings[name] for name in shown if name in meanings}
    if known:
        page.details(summary, known)


def add_duplicates(page: Page, manifest: Manifest) -> None:
    page.section("Duplicates", "One document of each group of duplicates is kept.")
    clusters, dropped = manifest.duplicates, manifest.result.dropped
    exact, near = dropped.get("duplicate", 0), dropped.get("near-duplicate", 0)
    if not clusters:
        counts = f"{exact:,} duplicates and {near:,} near-duplicates were dropped; the manifest does not list them."
        page.text(counts if exact or near else "No document was dropped as a duplicate.")
        return
    shown = clusters[:_CLUSTERS_SHOWN]
    page.text(
        f"{exact:,} duplicates and {near:,} near-duplicates were dropped. STORE/duplicates.jsonl lists all groups with "
        "all ids, one group per line."
    )
    page.table(
        ["kept", "documents", "similarity", "kind", "dropped"],
        [
            (
                _shown_id(cluster.kept),
                _cluster_size(cluster),
                f"{cluster.similarity:.2f}" if cluster.similarity is not None else None,
                cluster.kind,
                _dropped_ids(cluster),
            )
            for cluster in shown
        ],
        caption=f"The {len(shown)} largest groups; the number of documents includes the kept one"
        if len(shown) > 1
        else "The only group; the number of documents includes the kept one",
    )
    threshold = manifest.options.near_duplicates
    limit = (
        f" Documents count as near-duplicates from a similarity of {threshold} (--near-duplicates)."
        if threshold is not None
        else ""
    )
    page.text(
        "How to read this: duplicates have the same text after cleaning, so their similarity is 1. Near-duplicates "
        "share most of their pairs of neighbouring words. Their similarity is an estimate of the Jaccard index, the "
        "pairs in both texts divided by the pairs in either, for the least similar documents that link the group."
        f"{limit}\n\n"
        "A held-out document is kept rather than a training document, so that no training text is a copy of the "
        "evaluation text. Otherwise the first document in the order of the files is kept.\n\n"
        "Large groups with ids from several sources are mirrors or quotations. Large near-duplicate groups with low "
        "similarity may be different texts from one template, such as catalogue entries: check some of them, and raise "
        "--near-duplicates to keep them."
    )


def _shown_id(identifier: object) -> str:
    """Return an id, with the middle of a long one left out."""
    name = printable(str(identifier))
    if len(name) <= _ID_LENGTH:
        return name
    return f"{name[: _ID_LENGTH // 2]}…{name[-(_ID_LENGTH // 2 - 1) :]}"


def _cluster_size(cluster: DuplicateGroup) -> int:
    """Return the number of documents of a group; the manifest lists only the first dropped ids."""
    return cluster.size if cluster.size is not None else len(cluster.dropped) + 1


def _dropped_ids(cluster: DuplicateGroup) -> str:
    """Return some dropped ids of a group, and the number of others."""
    ids = cluster.dropped
    more = _cluster_size(cluster) - 1 - len(ids[:_DROPPED_SHOWN])
    names = ", ".join(_shown_id(identifier) for identifier in ids[:_DROPPED_SHOWN])
    return f"{names} and {more:,} more" if more > 0 else names
