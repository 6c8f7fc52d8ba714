"""Report sections about the text of a STORE: languages, lengths, words and vocabulary."""

from __future__ import annotations

from bertsmith.records.manifest import Manifest
from bertsmith.reporting.bar_charts import bar_chart
from bertsmith.reporting.histograms import doubling_histogram
from bertsmith.reporting.page import Page
from bertsmith.reporting.store.shares import NOT_COUNTED, by_count, classes_of, counts_chart, middle_class, percent_of

_WORDS_SHOWN = 30
_LANGUAGES_SHOWN = 15
_LONGEST_INPUT = 512
"""Maximum number of tokens for which BERT has positions."""
_UNKNOWN_MANY = 0.01
_UNUSED_MANY = 0.1


def add_languages(page: Page, manifest: Manifest) -> None:
    page.section("Languages")
    languages = by_count(manifest.statistics.languages)
    total = sum(languages.values())
    if not total:
        page.text(NOT_COUNTED)
        return
    page.text(
        f"Identified in a sample of {total:,} documents (a few per shard, from the middle of their text), after "
        "cleaning and before de-duplication. The shares are those of the sample. Short or mixed texts may be "
        "identified wrongly."
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
    expected = manifest.options.language
    if expected is None:
        return
    own = languages.get(expected.lower().replace("_", "-").split("-")[0], 0)
    if own < total:
        page.text(
            f"Sentences are split by the rules of one language (--language {expected}), but {total - own:,} of the "
            f"{total:,} documents in the sample are in other languages. To drop documents that are almost certainly in "
            "other languages, use --clean language."
        )


def _language(code: str) -> str:
    return "none: no letters" if code == "und" else code


def add_lengths(page: Page, manifest: Manifest) -> None:
    page.section("Lengths", "Each bar counts lengths from the number at its left to just below twice that number.")
    statistics = manifest.statistics
    documents = classes_of(statistics.document_characters)
    sentences = classes_of(statistics.sentence_tokens)
    if not documents and not sentences:
        page.text(NOT_COUNTED)
    if documents:
        page.chart(
            doubling_histogram(
                documents, title="Documents by their characters", x_label="characters", y_label="documents"
            ),
            f"Documents by their characters, after cleaning and before de-duplication; "
            f"{sum(documents.values()):,} in total. The median document has {middle_class(documents)} characters.",
        )
    if not sentences:
        return
    total, tokens = sum(sentences.values()), manifest.result.tokens
    mean = f", the mean is {tokens / total:.1f}" if tokens else ""
    page.chart(
        doubling_histogram(sentences, title="Sentences by their tokens", x_label="tokens", y_label="sentences"),
        f"Sentences by their tokens, in both parts; {total:,} in total. "
        f"The median sentence has {middle_class(sentences)} tokens{mean}.",
    )
    long = sum(count for k, count in sentences.items() if 2**k >= _LONGEST_INPUT)
    if long:
        page.text(
            f"Sentences of {_LONGEST_INPUT} tokens or more: {long:,} ({percent_of(long, total)}). BERT has "
            f"{_LONGEST_INPUT} positions. A large share indicates tables, lists, or text without sentence-final "
            "punctuation."
        )


def add_words(page: Page, manifest: Manifest) -> None:
    page.section("Words and vocabulary", "Counted in the training part.")
    statistics, result = manifest.statistics, manifest.result
    used, unknown, entries = statistics.vocabulary_used, statistics.unknown_rate, result.vocab_size
    tokens = manifest.parts.train.tokens
    cards: list[tuple[str, str | int | float, str]] = []
    if used is not None and entries:
        cards.append(("Entries that occur", f"{used:,}", f"of {entries:,}, {percent_of(used, entries)}"))
    if unknown is not None:
        cards.append(("Unknown tokens", percent_of(unknown, 1), "of the tokens are [UNK]"))
    if cards:
        page.figures(cards)
    if unknown is not None and unknown > _UNKNOWN_MANY:
        page.notice(
            f"{unknown:.1%} of the tokens are [UNK]: the vocabulary lacks characters of this text, so the model "
            "cannot see them. Use a larger --vocab-size, or a tokenizer for this kind of text.",
            "warning",
        )
    if used is not None and entries and entries - used > _UNUSED_MANY * entries:
        page.notice(
            f"{entries - used:,} entries never occur, so they are not trained. That is normal for the tokenizer of "
            "an existing model; otherwise a smaller --vocab-size is enough."
        )
    words = dict(list(by_count(statistics.frequent_words).items())[:_WORDS_SHOWN])
    if words:
        share = f" Together they are {percent_of(sum(words.values()), tokens)} of its tokens." if tokens else ""
        page.chart(
            counts_chart(words, "The most frequent words"),
            f"The {len(words)} most frequent words that are entries of the vocabulary, with their counts.{share}",
        )
        page.text(
            "In running text these are function words: articles, pronouns, prepositions. A word from menus, licences "
            "or advertisements among them probably repeats on every page; remove it at its source."
        )
    if not cards and not words:
        page.text(NOT_COUNTED)
