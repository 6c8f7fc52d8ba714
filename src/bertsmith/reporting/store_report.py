"""The report of a STORE: what came in, what was dropped and why, what is held out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bertsmith.reporting.page import Page


def store_report(name: str, manifest: Mapping[str, Any]) -> str:
    """report.html of a STORE, from its manifest."""
    result, parts = manifest["result"], manifest["parts"]
    page = Page(f"{name}: a STORE of {result['tokens']:,} tokens", subtitle="Text made ready for pre-training")
    page.figures(
        [
            ("Documents", result["documents_kept"], f"of {result['documents_in']:,} read"),
            ("Sentences", result["sentences"], "in both parts"),
            ("Tokens", result["tokens"], "without special tokens"),
            ("Vocabulary", result["vocab_size"], "entries"),
        ]
    )
    page.section("Documents", "Every document that came in is kept or dropped for a reason.")
    rows: list[tuple[str, int]] = [(f"dropped: {reason}", count) for reason, count in result["dropped"].items()]
    page.table(
        ["", "documents"],
        [("read", result["documents_in"]), *rows, ("kept", result["documents_kept"])],
        caption="Documents by what became of them",
    )
    for line in manifest["detected"][:20]:
        page.text(line)
    if manifest["replaced_bytes"]:
        page.notice(f"{manifest['replaced_bytes']:,} bytes were not in the encoding and were replaced.", "warning")
    page.section("Parts", f"Held out: {manifest['held_out']['reason']}.")
    page.table(
        ["part", "pieces of documents", "sentences", "tokens"],
        [
            (label, parts[part]["documents"], parts[part]["sentences"], parts[part]["tokens"])
            for part, label in (("train", "training"), ("held_out", "held out"))
        ],
        caption="What is trained on and what is evaluated on",
    )
    page.section("Tokenizer")
    page.text(f"WordPiece with {result['vocab_size']:,} entries; sha256 of tokenizer.json:")
    page.code(result["tokenizer_sha256"])
    for choice in manifest["choices"]:
        page.text(f"{choice['name']}: {choice['value']} ({choice['reason']}).")
    page.details("Options", manifest["options"])
    page.details("Versions", manifest["versions"])
    return page.html()
