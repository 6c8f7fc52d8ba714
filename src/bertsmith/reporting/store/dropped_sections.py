"""Texts that `prepare` dropped, with the reasons: documents, paragraphs, and groups of duplicates."""

from __future__ import annotations

from collections.abc import Mapping

from bertsmith.config.cleaning import ALL_STEPS
from bertsmith.records.manifest import Cleaning, DuplicateGroup, Manifest
from bertsmith.reporting.page import Page
from bertsmith.reporting.store.shares import by_count, counts_chart, percent_of
from bertsmith.reporting.svg import printable

_REASONS = {
    "empty": "there is no text, or none is left",
    "too short": "fewer words than --min-words",
    "repetitive": "the document repeats itself",
    "other language": "surely in another language than --language",
    "duplicate": "another document has the same text",
    "near-duplicate": "another document is like it, see Duplicates",
    "no tokens": "only characters that the tokenizer ignores",
    "boilerplate": "furniture of a site: cookie notices, share buttons, page numbers",
    "mostly symbols": "fewer than half of the characters are letters or digits",
    "duplicate paragraphs": "100 characters or more that another place has too",
}
"""What the reasons for dropping a text mean."""

_OF_DOCUMENTS = ("too short", "repetitive", "other language")
"""Reasons that only whole documents have: their paragraphs went with them."""

_REPAIRS = {
    "unicode": ALL_STEPS["unicode"],
    "controls": ALL_STEPS["controls"],
    "not encodable": "replace what no encoding can hold (halves of surrogate pairs)",
    "white space": "one space between words, none at the ends",
}

_CLUSTERS_SHOWN = 15
_DROPPED_SHOWN = 2
_ID_LENGTH = 40


def add_documents(page: Page, manifest: Manifest) -> None:
    page.section("Documents", "Every document that came in is kept, or dropped for a reason.")
    result = manifest.result
    dropped, read = by_count(result.dropped), result.documents_in
    if dropped:
        gone = sum(dropped.values())
        page.chart(
            counts_chart(dropped, "Documents dropped, by reason"),
            f"Documents dropped, by reason: {gone:,} of {read:,} in all.",
        )
    rows = [(f"dropped: {reason}", count, percent_of(count, read)) for reason, count in dropped.items()]
    kept = result.documents_kept
    page.table(
        ["", "documents", "share"],
        [("read", read, percent_of(read, read)), *rows, ("kept", kept, percent_of(kept, read))],
        caption="Documents by what became of them; what is dropped and what is kept add up to what was read",
    )
    _add_meanings(page, "What the reasons mean", shown=dropped, meanings=_REASONS)
    if read and sum(dropped.values()) > read / 2:
        page.notice(
            "More than half of the documents were dropped. Prepare again with --keep-dropped and read some of them in "
            "STORE/dropped: is that what should go?",
            "warning",
        )


def add_paragraphs(page: Page, manifest: Manifest) -> None:
    """What was dropped from documents that stay, and what was repaired in them."""
    page.section(
        "Paragraphs",
        "From documents that are kept, single paragraphs may go; in those that stay, characters are repaired.",
    )
    cleaning = manifest.cleaning or Cleaning()
    dropped = by_count(manifest.result.dropped_paragraphs)
    single = {reason: count for reason, count in dropped.items() if reason not in _OF_DOCUMENTS}
    if single:
        page.chart(
            counts_chart(single, "Paragraphs dropped by themselves, by reason"),
            f"Paragraphs dropped by themselves, by reason: {sum(single.values()):,} in all.",
        )
        page.table(
            ["dropped", "paragraphs", "characters"],
            [(reason, count, cleaning.characters_dropped.get(reason)) for reason, count in single.items()],
            caption="Paragraphs dropped by themselves",
        )
        _add_meanings(page, "What these reasons mean", shown=single, meanings=_REASONS)
    else:
        page.text("No paragraph was dropped by itself.")
    along = {reason: count for reason, count in dropped.items() if reason in _OF_DOCUMENTS}
    if along:
        listed = ", ".join(f"{count:,} {reason}" for reason, count in along.items())
        page.text(f"With documents that were dropped whole went {sum(along.values()):,} paragraphs: {listed}.")
    repaired = by_count(cleaning.paragraphs_repaired)
    if repaired:
        page.table(
            ["repaired", "paragraphs", "shorter by"],
            [(step, count, cleaning.characters_removed.get(step)) for step, count in repaired.items()],
            caption="Paragraphs repaired, and how many characters shorter the text became",
        )
        _add_meanings(page, "What the repairs do", shown=repaired, meanings=_REPAIRS)
    elif manifest.cleaning is not None:
        page.text("No paragraph needed a repair.")


def _add_meanings(page: Page, summary: str, *, shown: Mapping[str, int], meanings: Mapping[str, str]) -> None:
    """Folded: what each name of a table means, where that is known."""
    known = {name: meanings[name] for name in shown if name in meanings}
    if known:
        page.details(summary, known)


def add_duplicates(page: Page, manifest: Manifest) -> None:
    page.section("Duplicates", "Of every group of documents taken for one, one stays.")
    clusters, dropped = manifest.duplicates, manifest.result.dropped
    exact, near = dropped.get("duplicate", 0), dropped.get("near-duplicate", 0)
    if not clusters:
        gone = f"{exact:,} duplicates and {near:,} near-duplicates were dropped; the manifest does not name them."
        page.text(gone if exact or near else "No document was dropped as a duplicate of another.")
        return
    shown = clusters[:_CLUSTERS_SHOWN]
    page.text(
        f"{exact:,} duplicates and {near:,} near-duplicates were dropped. STORE/duplicates.jsonl has all groups with "
        "all ids, one a line."
    )
    page.table(
        ["stays", "documents", "similarity", "kind", "went"],
        [
            (
                _shown_id(cluster.kept),
                _cluster_size(cluster),
                f"{cluster.similarity:.2f}" if cluster.similarity is not None else None,
                cluster.kind,
                _ids_gone(cluster),
            )
            for cluster in shown
        ],
        caption=f"The {len(shown)} largest groups; documents: how many the group had, with the one that stays"
        if len(shown) > 1
        else "The only group; documents: how many it had, with the one that stays",
    )
    threshold = manifest.options.near_duplicates
    limit = f" From {threshold} on (--near-duplicates) two documents count as one." if threshold is not None else ""
    page.text(
        "How to read it: duplicates have the same text after cleaning, so their similarity is 1. Near-duplicates share "
        "most of their pairs of neighbouring words; the similarity is the estimated share (Jaccard's: pairs in both of "
        f"pairs in either), of the least alike that link the group.{limit}\n\n"
        "A document that is held out stays before one to train on, so that nothing that is trained on is a copy of "
        "what is evaluated on; else the first in the order of the files stays.\n\n"
        "Large groups with ids of several sources are mirrors or quotations. Large near-duplicate groups of low "
        "similarity may be forms filled in differently, such as catalogue entries: look at some, and raise "
        "--near-duplicates if they should stay."
    )


def _shown_id(identifier: object) -> str:
    """An id, its middle left out where it is long."""
    name = printable(str(identifier))
    if len(name) <= _ID_LENGTH:
        return name
    return f"{name[: _ID_LENGTH // 2]}…{name[-(_ID_LENGTH // 2 - 1) :]}"


def _cluster_size(cluster: DuplicateGroup) -> int:
    """The documents of a group; the manifest names only the first that went."""
    return cluster.size if cluster.size is not None else len(cluster.dropped) + 1


def _ids_gone(cluster: DuplicateGroup) -> str:
    """Some ids of a group that went, and how many more."""
    ids = cluster.dropped
    more = _cluster_size(cluster) - 1 - len(ids[:_DROPPED_SHOWN])
    names = ", ".join(_shown_id(identifier) for identifier in ids[:_DROPPED_SHOWN])
    return f"{names} and {more:,} more" if more > 0 else names
