"""The report of a STORE: documents, dropped texts with reasons, figures of the text, and the two parts.

All figures come from the manifest. If the manifest of an older version lacks some, their sections say so.
"""

from __future__ import annotations

from bertsmith.records.manifest import Manifest
from bertsmith.reporting.bar_charts import bar_chart
from bertsmith.reporting.page import Page
from bertsmith.reporting.store.dropped_sections import add_documents, add_duplicates, add_paragraphs
from bertsmith.reporting.store.shares import NOT_COUNTED, bytes_by_kind, bytes_text, percent_of
from bertsmith.reporting.store.text_sections import add_languages, add_lengths, add_words

_LINES_SHOWN = 10


def store_report(name: str, manifest: Manifest) -> str:
    """Return report.html of a STORE, from its manifest."""
    result = manifest.result
    page = Page(f"{name}: a STORE of {result.tokens:,} tokens", subtitle="Text prepared for pre-training")
    _add_sizes(page, manifest)
    add_documents(page, manifest)
    add_paragraphs(page, manifest)
    add_languages(page, manifest)
    add_lengths(page, manifest)
    add_words(page, manifest)
    add_duplicates(page, manifest)
    _add_parts(page, manifest)
    _add_tokenizer(page, manifest)
    _add_time(page, manifest)
    page.section("How it was made", "The same files, options and versions give the same token ids.")
    page.details("Options", manifest.options.to_dict())
    page.details("Versions", manifest.versions)
    return page.html()


def _add_sizes(page: Page, manifest: Manifest) -> None:
    """Add the key figures above all sections."""
    result = manifest.result
    sizes = bytes_by_kind(manifest)
    cards = [
        ("Documents", result.documents_kept, f"of {result.documents_in:,} read"),
        ("Characters", _characters(manifest.characters), "after cleaning, before de-duplication"),
        ("Sentences", result.sentences, "in both parts"),
        ("Tokens", result.tokens, "in both parts, without special tokens"),
        ("On disk", bytes_text(sum(sizes.values())) if sizes else None, "token ids and tokenizer"),
    ]
    page.figures([(label, value, note) for label, value, note in cards if value is not None])
    if manifest.replaced_bytes:
        page.notice(f"Replaced {manifest.replaced_bytes:,} bytes that are not valid in the encoding.", "warning")
    detected = manifest.detected
    if detected:
        page.text("File formats detected automatically:")
        page.code("\n".join(detected[:_LINES_SHOWN]))
    if len(detected) > _LINES_SHOWN:
        rest = {f"{number:,}": line for number, line in enumerate(detected[_LINES_SHOWN:], _LINES_SHOWN + 1)}
        page.details(f"{len(rest):,} more files", rest)


def _characters(count: int | None) -> int | str | None:
    """Return a count, in millions if its digits would not fit the card."""
    return f"{count / 1e6:,.1f} M" if count is not None and count >= 1e7 else count


def _add_parts(page: Page, manifest: Manifest) -> None:
    held, result, parts = manifest.held_out, manifest.result, manifest.parts
    lead = "The training part, and the held-out part: text for evaluation that is never trained on."
    page.section("Parts", lead)
    if held.reason:
        page.text(f"Held out: {held.reason}.")
    both = parts.train + parts.held_out
    unit = "fragments" if held.by == "paragraphs" else "documents"
    page.table(
        ["part", unit, "sentences", "tokens", "of all tokens"],
        [
            (
                label,
                part.documents,
                part.sentences,
                part.tokens,
                percent_of(part.tokens, both.tokens),
            )
            for label, part in (("training", parts.train), ("held out", parts.held_out), ("both", both))
        ],
        caption="The two parts, in fragments of documents" if unit == "fragments" else "The two parts",
    )
    documents = result.held_out_documents
    if held.by == "paragraphs" and documents is not None:
        page.text(
            f"The held-out fragments come from {documents:,} of {result.documents_kept:,} documents. The rest of "
            "these documents is trained on, so the held-out loss says nothing about texts by other authors."
        )
    sizes = bytes_by_kind(manifest)
    if sizes:
        page.table(
            ["files", "bytes", "share"],
            [(kind, size, percent_of(size, sum(sizes.values()))) for kind, size in sizes.items()],
            caption=f"Size on disk, {bytes_text(sum(sizes.values()))} in total",
        )


def _add_tokenizer(page: Page, manifest: Manifest) -> None:
    result, options = manifest.result, manifest.options
    page.section("Tokenizer")
    given = options.tokenizer
    origin = f"taken from {given}" if given else "trained on the training part"
    page.text(f"WordPiece with {result.vocab_size:,} entries, {origin}.")
    for choice in manifest.choices:
        page.text(f"{choice.name}: {choice.value} ({choice.reason}).")
    if result.tokenizer_sha256:
        page.text("A model fits this STORE if its tokenizer.json has the same sha256:")
        page.code(result.tokenizer_sha256)


def _add_time(page: Page, manifest: Manifest) -> None:
    result = manifest.result
    page.section("Time")
    stages, seconds = result.stages, result.seconds
    if not stages:
        page.text(NOT_COUNTED)
        return
    whole = f" {_seconds(seconds)} in total, including the time between stages." if seconds is not None else ""
    page.chart(
        bar_chart(
            [(stage, time) for stage, time in stages.items()], title="Seconds by stage", value_format="{:,.2f} s"
        ),
        f"Seconds by stage, in order.{whole}",
    )
    if seconds and result.tokens:
        page.text(f"{result.tokens / seconds:,.0f} tokens per second, from the files to the STORE.")


def _seconds(seconds: float) -> str:
    """Format a time."""
    if seconds < 120:
        return f"{seconds:.1f} seconds"
    return f"{seconds / 60:.1f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
