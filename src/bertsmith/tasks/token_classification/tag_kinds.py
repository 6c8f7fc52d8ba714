"""The kind of tags, entity tags or plain labels (parts of speech), and names for tags that are numbers.

The kind determines the metric (F1 of entities or accuracy of words), so all files have the same kind: that of
`--labels-are`, else of the MODEL, else of the tags in the training file (for `score`, in both files). Numbers and tags
that may be entities in an unsupported spelling (`B_PER`, `PER-B`) need an option.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from bertsmith.errors import DataError, OptionError
from bertsmith.metrics.entities import are_plain, convert_to_bioes, hyphenated, parse_tag
from bertsmith.runtime.console import log_info, warn
from bertsmith.tasks.files.text_file import decode_labelled_file
from bertsmith.tasks.token_classification.conll_file import Sentence

LabelsAre = Literal["plain", "entities"]
LABELS_ARE = "labels_are"
"""The configuration key of the kind of a model's labels."""
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_PLAIN_ADVICE = "--labels-are plain if the tags are plain labels, such as parts of speech"
_NAMES_ADVICE = (
    "--label-names O,B-PER,I-PER or --label-names FILE (one name per line), with names in the order of the numbers"
)


def kind_line(labels_are: LabelsAre) -> str:
    """Return the first line of a prediction file whose tags look like a different kind than they are."""
    return f"# {LABELS_ARE} = {labels_are}"


def kind_in_first_line(text: str) -> LabelsAre | None:
    """Return the kind in the first line of a prediction file; None if the line has no kind."""
    first = text.partition("\n")[0].rstrip("\r")
    kinds: tuple[LabelsAre, ...] = get_args(LabelsAre)
    return next((kind for kind in kinds if first == kind_line(kind)), None)


def detect_kind(tags: Set[str], predicted: Set[str] = frozenset()) -> LabelsAre:
    """Return the kind of some tags, with or without the predicted tags.

    Tags are plain labels if some tag is not an entity tag, and no tag is O or begins with B-, I-, E- or S-.
    """
    return "plain" if are_plain(tags) or are_plain(tags | predicted) else "entities"


def infer_tag_kind(sentences: Sequence[Sentence], others: Sequence[Sentence] = ()) -> LabelsAre:
    """Detect the kind of tags; `others` are predictions for the same words.

    Raises DataError if every tag is a number, or if tags look like entity tags in a different spelling.
    """
    tags, every = _tags(sentences), _tags([*sentences, *others])
    if detect_kind(tags, every) == "entities":
        if all(parse_tag(tag) is not None and "-" not in tag and tag != "O" for tag in every):
            warn(
                f"{sentences[0].file}: the tags {', '.join(sorted(every))} are read as entity tags. "
                f"Try: {_PLAIN_ADVICE} or word segmentation"
            )
        return "entities"
    if all(_NUMBER.fullmatch(tag) for tag in tags):
        raise DataError(
            f"{sentences[0].where(0)}: found the tag {sentences[0].tags[0]!r}, and all other tags are numbers too. "
            f"Try: {_NAMES_ADVICE}; --label-column for a different column; or --labels-are plain to keep the numbers"
        )
    suspects = _suspected_entity_tags(tags)
    for where, tag in _places(sentences):
        if tag in suspects:
            raise DataError(
                f"{where}: found the tag {tag!r}, which looks like an entity tag in a different spelling; "
                f"expected {hyphenated(tag)!r}. Try: {_PLAIN_ADVICE}"
            )
    return "plain"


def convert_tags(sentences: Sequence[Sentence], kind: LabelsAre) -> list[Sentence]:
    """Return the sentences with tags of this kind; entity tags in BILOU, BMES or BMEWO are converted to BIOES.

    Raises DataError, with the line, if `kind` is entities and a tag is not an entity tag.
    """
    if kind == "plain":
        return list(sentences)
    tags = _tags(sentences)
    in_bioes = convert_to_bioes(tags)
    if in_bioes is not None:
        scheme, spellings = in_bioes
        changed = sorted({f"{tag[0]} as {new[0]}" for tag, new in spellings.items() if new != tag})
        log_info(f"{sentences[0].file}: tags in {scheme} are read as BIOES: {', '.join(changed)}")
        return [replace(each, tags=[spellings[tag] for tag in each.tags]) for each in sentences]
    for where, tag in _places(sentences):
        if parse_tag(tag) is None:
            raise DataError(
                f"{where}: found the tag {tag!r}, expected O, or B-, I-, E- or S- and a type. {_advice(tag, tags)}"
            )
    return list(sentences)


def _advice(tag: str, tags: Set[str]) -> str:
    if all(_NUMBER.fullmatch(each) for each in tags):
        return f"Try: {_NAMES_ADVICE}"
    if tag == "0":
        return "Is it a zero instead of the letter O?"
    written = hyphenated(tag)
    return "Try: " + (f"write it as {written!r}, or " if written is not None else "") + _PLAIN_ADVICE


def advice_on_numbers(tag: str) -> str:
    """Return advice about a tag that is a number; empty for other tags."""
    return f". If it is the number of a tag, try {_NAMES_ADVICE}" if _NUMBER.fullmatch(tag) else ""


def _suspected_entity_tags(tags: set[str]) -> set[str]:
    """Return the plain tags that look like entity tags: if all except O do, or B and I of one type do."""
    looks = {tag: found for tag in tags if (found := hyphenated(tag)) is not None}
    types = {found[2:] for tag, found in looks.items() if found[0] == "B" and tag != "o"}
    paired = any(found[0] in "IELM" and found[2:] in types for found in looks.values())
    suspects = set(looks) - {"o"}
    return suspects if suspects and (paired or suspects == tags - {"O", "o"}) else set()


def _tags(sentences: Sequence[Sentence]) -> set[str]:
    return {tag for sentence in sentences for tag in sentence.tags}


def _places(sentences: Sequence[Sentence]) -> Iterator[tuple[str, str]]:
    """Yield location and tag of each word."""
    for sentence in sentences:
        for word, tag in enumerate(sentence.tags):
            yield sentence.where(word), tag


def are_numbers(sentences: Sequence[Sentence]) -> bool:
    """Return whether every tag is a whole number."""
    return all(_NUMBER.fullmatch(tag) for tag in _tags(sentences))


def numbered_label_names(given: Sequence[str]) -> list[str]:
    """Return the names of `--label-names`: names, or a file with one name per line.

    Raises OptionError or DataError for an empty or repeated name.
    """
    names, where = [name.strip() for name in given], "--label-names"
    if len(names) == 1:
        path = Path(names[0])
        if not path.is_file():
            raise OptionError(
                f"--label-names: found {names[0]!r}, expected comma-separated names (O,B-PER,I-PER) or a FILE with "
                "one name per line"
            )
        where = str(path)
        names = [line.strip() for line in decode_labelled_file(path, "utf-8").rstrip().split("\n")]
    for number, name in enumerate(names):
        if not name:
            raise OptionError(f"{where}: the name of number {number} is empty, expected a name")
        if name in names[:number]:
            raise OptionError(
                f"{where}: found the name {name!r} for the numbers {names.index(name)} and {number}, expected "
                "different names"
            )
    return names


def named(sentences: Sequence[Sentence], names: Sequence[str]) -> list[Sentence]:
    """Replace tag numbers, from 0, by names.

    Raises DataError, with the line, for a tag that is not the number of a name.
    """
    for where, tag in _places(sentences):
        if not _NUMBER.fullmatch(tag):
            raise DataError(
                f"{where}: found the tag {tag!r}, expected a number from 0 to {len(names) - 1}, as --label-names has "
                f"{len(names)} names. Try: leave --label-names out, if the tags are already names"
            )
        if not 0 <= int(tag) < len(names):
            raise DataError(
                f"{where}: found the tag {tag}, expected a number from 0 to {len(names) - 1}, as --label-names has "
                f"{len(names)} names ({', '.join(names[:20])})"
            )
    return [replace(each, tags=[names[int(tag)] for tag in each.tags]) for each in sentences]
