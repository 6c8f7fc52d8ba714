"""The report of a STORE: what came in, what was dropped and why, what the text is like, what is held out.

All figures are the manifest's. A manifest of another version may lack some: the sections stay, and say so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bertsmith.config.cleaning import ALL_STEPS
from bertsmith.reporting.bar_charts import bar_chart
from bertsmith.reporting.histograms import doubling_histogram
from bertsmith.reporting.page import Page
from bertsmith.reporting.svg import printable

Figures = Mapping[str, Any]

_NOT_COUNTED = "The manifest of this STORE does not have these figures."

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
_WORDS_SHOWN = 30
_LANGUAGES_SHOWN = 15
_LINES_SHOWN = 10
_LONGEST_INPUT = 512
"""Tokens for which BERT has positions."""
_UNKNOWN_MANY = 0.01
_UNUSED_MANY = 0.1


def store_report(name: str, manifest: Figures) -> str:
    """report.html of a STORE, from its manifest."""
    result = _part(manifest, "result")
    page = Page(f"{name}: a STORE of {result.get('tokens', 0):,} tokens", subtitle="Text made ready for pre-training")
    _add_sizes(page, manifest)
    _add_documents(page, manifest)
    _add_paragraphs(page, manifest)
    _add_languages(page, manifest)
    _add_lengths(page, manifest)
    _add_words(page, manifest)
    _add_duplicates(page, manifest)
    _add_parts(page, manifest)
    _add_tokenizer(page, manifest)
    _add_time(page, manifest)
    page.section("How it was made", "The same files, options and versions give the same token ids.")
    page.details("Options", _part(manifest, "options"))
    page.details("Versions", _part(manifest, "versions"))
    return page.html()


def _add_sizes(page: Page, manifest: Figures) -> None:
    """The key figures, above all sections."""
    result = _part(manifest, "result")
    sizes = _bytes_by_kind(manifest)
    cards = [
        ("Documents", result.get("documents_kept"), f"of {result.get('documents_in', 0):,} read"),
        ("Characters", _characters(manifest.get("characters")), "after cleaning, before duplicates go"),
        ("Sentences", result.get("sentences"), "in both parts"),
        ("Tokens", result.get("tokens"), "in both parts, without special tokens"),
        ("On the disk", _bytes(sum(sizes.values())) if sizes else None, "token ids and tokenizer"),
    ]
    page.figures([(label, value, note) for label, value, note in cards if value is not None])
    if manifest.get("replaced_bytes"):
        page.notice(f"{manifest['replaced_bytes']:,} bytes were not in the encoding and were replaced.", "warning")
    detected = [str(line) for line in manifest.get("detected") or ()]
    if detected:
        page.text("How the files were read, where that was for the program to find out:")
        page.code("\n".join(detected[:_LINES_SHOWN]))
    if len(detected) > _LINES_SHOWN:
        rest = {f"{number:,}": line for number, line in enumerate(detected[_LINES_SHOWN:], _LINES_SHOWN + 1)}
        page.details(f"{len(rest):,} files more", rest)


def _add_documents(page: Page, manifest: Figures) -> None:
    page.section("Documents", "Every document that came in is kept, or dropped for a reason.")
    result = _part(manifest, "result")
    dropped, read = _by_count(_part(result, "dropped")), result.get("documents_in", 0)
    if dropped:
        gone = sum(dropped.values())
        page.chart(
            _counts_chart(dropped, "Documents dropped, by reason"),
            f"Documents dropped, by reason: {gone:,} of {read:,} in all.",
        )
    rows = [(f"dropped: {reason}", count, _percent(count, read)) for reason, count in dropped.items()]
    kept = result.get("documents_kept", 0)
    page.table(
        ["", "documents", "share"],
        [("read", read, _percent(read, read)), *rows, ("kept", kept, _percent(kept, read))],
        caption="Documents by what became of them; what is dropped and what is kept add up to what was read",
    )
    _add_meanings(page, "What the reasons mean", dropped, _REASONS)
    if read and sum(dropped.values()) > read / 2:
        page.notice(
            "More than half of the documents were dropped. Prepare again with --keep-dropped and read some of them in "
            "STORE/dropped: is that what should go?",
            "warning",
        )


def _add_paragraphs(page: Page, manifest: Figures) -> None:
    """What was dropped from documents that stay, and what was repaired in them."""
    page.section(
        "Paragraphs",
        "From documents that are kept, single paragraphs may go; in those that stay, characters are repaired.",
    )
    result, cleaning = _part(manifest, "result"), _part(manifest, "cleaning")
    dropped, characters = _by_count(_part(result, "dropped_paragraphs")), _part(cleaning, "characters_dropped")
    alone = {reason: count for reason, count in dropped.items() if reason not in _OF_DOCUMENTS}
    if alone:
        page.chart(
            _counts_chart(alone, "Paragraphs dropped by themselves, by reason"),
            f"Paragraphs dropped by themselves, by reason: {sum(alone.values()):,} in all.",
        )
        page.table(
            ["dropped", "paragraphs", "characters"],
            [(reason, count, characters.get(reason)) for reason, count in alone.items()],
            caption="Paragraphs dropped by themselves",
        )
        _add_meanings(page, "What these reasons mean", alone, _REASONS)
    else:
        page.text("No paragraph was dropped by itself.")
    along = {reason: count for reason, count in dropped.items() if reason in _OF_DOCUMENTS}
    if along:
        listed = ", ".join(f"{count:,} {reason}" for reason, count in along.items())
        page.text(f"With documents that were dropped whole went {sum(along.values()):,} paragraphs: {listed}.")
    repaired, removed = _by_count(_part(cleaning, "paragraphs_repaired")), _part(cleaning, "characters_removed")
    if repaired:
        page.table(
            ["repaired", "paragraphs", "shorter by"],
            [(step, count, removed.get(step)) for step, count in repaired.items()],
            caption="Paragraphs repaired, and how many characters shorter the text became",
        )
        _add_meanings(page, "What the repairs do", repaired, _REPAIRS)
    elif cleaning:
        page.text("No paragraph needed a repair.")


def _add_meanings(page: Page, summary: str, shown: Mapping[str, int], meanings: Mapping[str, str]) -> None:
    """Folded: what each name of a table means, where that is known."""
    known = {name: meanings[name] for name in shown if name in meanings}
    if known:
        page.details(summary, known)


def _add_languages(page: Page, manifest: Figures) -> None:
    page.section("Languages")
    languages = _by_count(_part(_part(manifest, "statistics"), "languages"))
    total = sum(languages.values())
    if not total:
        page.text(_NOT_COUNTED)
        return
    page.text(
        f"Identified in a sample of {total:,} documents (a few of every shard, from the middle of each), after "
        "cleaning and before duplicates go. The shares are those of the sample, and a short or mixed text "
        "may be taken for another language."
    )
    shown = dict(list(languages.items())[:_LANGUAGES_SHOWN])
    rest = total - sum(shown.values())
    rows = [(_language(code), 100 * count / total) for code, count in shown.items()]
    if rest:
        rows.append((f"{len(languages) - len(shown)} others", 100 * rest / total))
    page.chart(
        bar_chart(rows, title="Languages of the sample", value_format="{:.1f}%", dense=len(rows) > 8),
        f"Share of each language in a sample of {total:,} documents, by ISO 639-1 code.",
    )
    expected = _part(manifest, "options").get("language")
    if not isinstance(expected, str):
        return
    own = languages.get(expected.lower().replace("_", "-").split("-")[0], 0)
    if own < total:
        page.text(
            f"Sentences are split by the rules of one language, --language {expected}; {total - own:,} of the "
            f"{total:,} documents of the sample are in another. --clean language drops those that surely are."
        )


def _add_lengths(page: Page, manifest: Figures) -> None:
    page.section(
        "Lengths", "The ranges double: a bar is for lengths from the number at its left to the next double of it."
    )
    statistics = _part(manifest, "statistics")
    documents = _classes(_part(statistics, "document_characters"))
    sentences = _classes(_part(statistics, "sentence_tokens"))
    if not documents and not sentences:
        page.text(_NOT_COUNTED)
    if documents:
        page.chart(
            doubling_histogram(
                documents, title="Documents by their characters", x_label="characters", y_label="documents"
            ),
            f"Documents by their characters, after cleaning and before duplicates go; {sum(documents.values()):,} in "
            f"all. The middle one has {_middle(documents)}.",
        )
    if not sentences:
        return
    total, result = sum(sentences.values()), _part(manifest, "result")
    mean = f", the mean is {result['tokens'] / total:.1f}" if result.get("tokens") else ""
    page.chart(
        doubling_histogram(sentences, title="Sentences by their tokens", x_label="tokens", y_label="sentences"),
        f"Sentences by their tokens, in both parts; {total:,} in all. The middle one has {_middle(sentences)}{mean}.",
    )
    long = sum(count for k, count in sentences.items() if 2**k >= _LONGEST_INPUT)
    if long:
        page.text(
            f"Sentences of {_LONGEST_INPUT} tokens or more: {long:,} ({_percent(long, total)}). BERT has "
            f"positions for {_LONGEST_INPUT}. A large share points to tables, lists, or a text whose sentences "
            "have no ends."
        )


def _add_words(page: Page, manifest: Figures) -> None:
    page.section("Words and vocabulary", "Counted in the training part.")
    statistics, result = _part(manifest, "statistics"), _part(manifest, "result")
    used, unknown, entries = statistics.get("vocabulary_used"), statistics.get("unknown_rate"), result.get("vocab_size")
    tokens = _part(_part(manifest, "parts"), "train").get("tokens", 0)
    cards: list[tuple[str, str | int | float, str]] = []
    if used is not None and entries:
        cards.append(("Entries that occur", f"{used:,}", f"of {entries:,}, {_percent(used, entries)}"))
    if unknown is not None:
        cards.append(("Unknown tokens", _percent(unknown, 1), "of the tokens are [UNK]"))
    if cards:
        page.figures(cards)
    if unknown is not None and unknown > _UNKNOWN_MANY:
        page.notice(
            f"{unknown:.1%} of the tokens are [UNK]: the vocabulary lacks characters of this text, and the model "
            "cannot see them. Take a larger --vocab-size, or a tokenizer made for such a text.",
            "warning",
        )
    if used is not None and entries and entries - used > _UNUSED_MANY * entries:
        page.notice(
            f"{entries - used:,} entries never occur, so nothing is learnt of them. That is usual for the tokenizer of "
            "another model; else a smaller --vocab-size does as well."
        )
    words = dict(list(_by_count(_part(statistics, "frequent_words")).items())[:_WORDS_SHOWN])
    if words:
        share = f" Together they are {_percent(sum(words.values()), tokens)} of its tokens." if tokens else ""
        page.chart(
            _counts_chart(words, "The most frequent words"),
            f"The {len(words)} most frequent words that are entries of the vocabulary, with how often they occur."
            f"{share}",
        )
        page.text(
            "In running text these are small words: articles, pronouns, prepositions. A word of menus, licences or "
            "adverts among them is repeated on every page, and worth removing at its source."
        )
    if not cards and not words:
        page.text(_NOT_COUNTED)


def _add_duplicates(page: Page, manifest: Figures) -> None:
    page.section("Duplicates", "Of every group of documents taken for one, one stays.")
    clusters = manifest.get("duplicates") or ()
    dropped = _part(_part(manifest, "result"), "dropped")
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
                _shown_id(cluster.get("kept", "")),
                _cluster_size(cluster),
                f"{cluster['similarity']:.2f}" if "similarity" in cluster else None,
                cluster.get("kind", ""),
                _ids_gone(cluster),
            )
            for cluster in shown
        ],
        caption=f"The {len(shown)} largest groups; documents: how many the group had, with the one that stays"
        if len(shown) > 1
        else "The only group; documents: how many it had, with the one that stays",
    )
    threshold = _part(manifest, "options").get("near_duplicates")
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


def _add_parts(page: Page, manifest: Figures) -> None:
    held, result, parts = _part(manifest, "held_out"), _part(manifest, "result"), _part(manifest, "parts")
    lead = "What is trained on, and what the model is evaluated on and never sees while it learns."
    page.section("Parts", lead)
    if held.get("reason"):
        page.text(f"Held out: {held['reason']}.")
    train, held_out = _part(parts, "train"), _part(parts, "held_out")
    total = {name: train.get(name, 0) + held_out.get(name, 0) for name in ("documents", "sentences", "tokens")}
    pieces = "pieces" if held.get("by") == "paragraphs" else "documents"
    page.table(
        ["part", pieces, "sentences", "tokens", "of all tokens"],
        [
            (
                label,
                part.get("documents", 0),
                part.get("sentences", 0),
                part.get("tokens", 0),
                _percent(part.get("tokens", 0), total["tokens"]),
            )
            for label, part in (("training", train), ("held out", held_out), ("both", total))
        ],
        caption="The two parts, in pieces of documents" if pieces == "pieces" else "The two parts",
    )
    documents = result.get("held_out_documents")
    if held.get("by") == "paragraphs" and documents is not None:
        page.text(
            f"The held-out pieces are from {documents:,} of {result.get('documents_kept', 0):,} documents. The rest of "
            "these documents is trained on, so the held-out loss tells nothing about texts of other authors."
        )
    sizes = _bytes_by_kind(manifest)
    if sizes:
        page.table(
            ["files", "bytes", "share"],
            [(kind, size, _percent(size, sum(sizes.values()))) for kind, size in sizes.items()],
            caption=f"Size on the disk, {_bytes(sum(sizes.values()))} in all",
        )


def _add_tokenizer(page: Page, manifest: Figures) -> None:
    result, options = _part(manifest, "result"), _part(manifest, "options")
    page.section("Tokenizer")
    given = options.get("tokenizer")
    origin = f"taken from {given}" if given else "trained on the training part alone"
    page.text(f"WordPiece with {result.get('vocab_size', 0):,} entries, {origin}.")
    for choice in manifest.get("choices") or ():
        page.text(f"{choice['name']}: {choice['value']} ({choice['reason']}).")
    if result.get("tokenizer_sha256"):
        page.text("A model fits this STORE if its tokenizer has the same sha256 (of tokenizer.json):")
        page.code(result["tokenizer_sha256"])


def _add_time(page: Page, manifest: Figures) -> None:
    result = _part(manifest, "result")
    page.section("Time")
    stages, seconds = _part(result, "stages"), result.get("seconds")
    if not stages:
        page.text(_NOT_COUNTED)
        return
    whole = f" {_seconds(seconds)} in all, with what is between the stages." if seconds is not None else ""
    page.chart(
        bar_chart(
            [(stage, float(time)) for stage, time in stages.items()], title="Seconds by stage", value_format="{:,.2f} s"
        ),
        f"Seconds by stage, in their order.{whole}",
    )
    tokens = result.get("tokens")
    if seconds and tokens:
        page.text(f"{tokens / seconds:,.0f} tokens a second, from the files to the STORE.")


def _part(figures: Figures, name: str) -> dict[str, Any]:
    """A mapping of the manifest; empty where there is none."""
    found = figures.get(name)
    return dict(found) if isinstance(found, Mapping) else {}


def _by_count(counts: Mapping[str, int]) -> dict[str, int]:
    """The most frequent first."""
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _counts_chart(counts: Mapping[str, int], title: str) -> str:
    rows = [(name, float(count)) for name, count in counts.items()]
    return bar_chart(rows, title=title, value_format="{:,.0f}", dense=len(rows) > 8)


def _classes(counts: Mapping[str, int]) -> dict[int, int]:
    """Classes of length by their number, in order; JSON has names alone."""
    return {int(name): count for name, count in sorted(counts.items(), key=lambda item: int(item[0]))}


def _middle(classes: Mapping[int, int]) -> str:
    """The range of the class in which the middle one of all is."""
    passed, so_far = 0, 0
    for number, count in classes.items():
        passed, so_far = number, so_far + count
        if 2 * so_far >= sum(classes.values()):
            break
    return f"{2**passed:,} to {2 ** (passed + 1) - 1:,}" if passed else "1"


def _percent(count: float, whole: float) -> str:
    """A share, with the digits that it needs; nothing of nothing is empty."""
    if not whole:
        return ""
    percent = 100 * count / whole
    if percent in (0, 100):
        return f"{percent:.0f}%"
    if percent < 1:
        # Two digits that count, without an exponent.
        return f"{percent:.{min(1 - math.floor(math.log10(percent)), 8)}f}%"
    return f"{min(percent, 99.9):.1f}%"


def _characters(count: int | None) -> int | str | None:
    """Millions where all digits would not fit the card."""
    return f"{count / 1e6:,.1f} M" if count is not None and count >= 1e7 else count


def _bytes(size: float) -> str:
    """Bytes in the unit that gives a short number."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.4g} TB"


def _bytes_by_kind(manifest: Figures) -> dict[str, int]:
    """The bytes of the files by what they are; the manifest and this report are not among them."""
    kinds = {"train/": "training part", "held_out/": "held-out part", "tokenizer/": "tokenizer"}
    sizes: dict[str, int] = {}
    for name, facts in _part(manifest, "files").items():
        kind = next((kind for prefix, kind in kinds.items() if name.startswith(prefix)), "others")
        sizes[kind] = sizes.get(kind, 0) + facts.get("bytes", 0)
    return {kind: sizes[kind] for kind in (*kinds.values(), "others") if kind in sizes}


def _seconds(seconds: float) -> str:
    """A time for people."""
    if seconds < 120:
        return f"{seconds:.1f} seconds"
    return f"{seconds / 60:.1f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def _language(code: str) -> str:
    return "none: no letters" if code == "und" else code


def _shown_id(identifier: object) -> str:
    """An id, its middle left out where it is long."""
    name = printable(str(identifier))
    if len(name) <= _ID_LENGTH:
        return name
    return f"{name[: _ID_LENGTH // 2]}…{name[-(_ID_LENGTH // 2 - 1) :]}"


def _cluster_size(cluster: Figures) -> int:
    """The documents of a group; the manifest names only the first that went."""
    size: int = cluster.get("size", len(cluster.get("dropped", ())) + 1)
    return size


def _ids_gone(cluster: Figures) -> str:
    """Some ids of a group that went, and how many more."""
    ids: Sequence[str] = cluster.get("dropped", ())
    more = _cluster_size(cluster) - 1 - len(ids[:_DROPPED_SHOWN])
    names = ", ".join(_shown_id(identifier) for identifier in ids[:_DROPPED_SHOWN])
    return f"{names} and {more:,} more" if more > 0 else names
