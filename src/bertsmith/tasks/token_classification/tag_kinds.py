"""What tags are: those of entities or plain labels (parts of speech), and the names of tags that are numbers.

The kind decides what is measured (F1 of entities or accuracy of words), so there is one for all files: that of
`--labels-are`, else that of the MODEL, else that of the training file's tags (`score`: of both files). Tags that may be
entities in a spelling that is not read here (`B_PER`, `PER-B`) and numbers are neither without an option.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from bertsmith.errors import DataError, OptionError
from bertsmith.metrics.entities import are_plain, bioes_of, hyphenated, parse_tag
from bertsmith.runtime.console import log_info, warn
from bertsmith.tasks.files.text_file import decoded
from bertsmith.tasks.token_classification.conll_file import Sentence

LabelsAre = Literal["plain", "entities"]
LABELS_ARE = "labels_are"
"""The name in a model's configuration of what kind its labels are."""
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_PLAIN_ADVICE = "give --labels-are plain if the tags are plain labels, such as parts of speech"
_NAMES_ADVICE = (
    "name them in the order of their numbers, --label-names O,B-PER,I-PER or --label-names FILE with a name per line"
)


def kind_line(labels_are: LabelsAre) -> str:
    """The first line of a file of predictions whose tags do not look like the kind that they are."""
    return f"# {LABELS_ARE} = {labels_are}"


def kind_in_first_line(text: str) -> LabelsAre | None:
    """The kind that the first line of a file of predictions says, None if it says nothing."""
    first = text.partition("\n")[0].rstrip("\r")
    kinds: tuple[LabelsAre, ...] = get_args(LabelsAre)
    return next((kind for kind in kinds if first == kind_line(kind)), None)


def looks_like(tags: Set[str], predicted: Set[str] = frozenset()) -> LabelsAre:
    """The kind of some tags: plain labels if some tag is none of entities, and no tag is O or begins with B-, I-, E- or
    S-; with those that are predicted for them, if there are any, or without.
    """
    return "plain" if are_plain(tags) or are_plain(tags | predicted) else "entities"


def kind_of(sentences: Sequence[Sentence], others: Sequence[Sentence] = ()) -> LabelsAre:
    """The kind of tags by the tags themselves; `others` are predictions for the same words.

    Raises DataError if every tag is a number, or some look like tags of entities in another spelling.
    """
    tags, every = _tags(sentences), _tags([*sentences, *others])
    if looks_like(tags, every) == "entities":
        if all(parse_tag(tag) is not None and "-" not in tag and tag != "O" for tag in every):
            warn(
                f"{sentences[0].file}: the tags {', '.join(sorted(every))} are read as entity tags; "
                f"{_PLAIN_ADVICE} or word segmentation"
            )
        return "entities"
    if all(_NUMBER.fullmatch(tag) for tag in tags):
        raise DataError(
            f"{sentences[0].where(0)}: found the tag {sentences[0].tags[0]!r}, and every other tag is a number too; "
            f"{_NAMES_ADVICE}, or name a different column with --label-column; --labels-are plain keeps the numbers"
        )
    suspects = _entities_in_another_spelling(tags)
    for where, tag in _places(sentences):
        if tag in suspects:
            raise DataError(
                f"{where}: found the tag {tag!r}, which looks like an entity tag in a different spelling; "
                f"expected {hyphenated(tag)!r}; {_PLAIN_ADVICE}"
            )
    return "plain"


def of_kind(sentences: Sequence[Sentence], kind: LabelsAre) -> list[Sentence]:
    """The sentences with tags of this kind: of entities those of BILOU, BMES and BMEWO in BIOES, which is printed.

    Raises DataError, with the line, for a tag that is not an entity's where it should be.
    """
    if kind == "plain":
        return list(sentences)
    tags = _tags(sentences)
    in_bioes = bioes_of(tags)
    if in_bioes is not None:
        scheme, spellings = in_bioes
        changed = sorted({f"{tag[0]} as {new[0]}" for tag, new in spellings.items() if new != tag})
        log_info(f"{sentences[0].file}: tags in {scheme} are read as BIOES: {', '.join(changed)}")
        return [replace(each, tags=[spellings[tag] for tag in each.tags]) for each in sentences]
    for where, tag in _places(sentences):
        if parse_tag(tag) is None:
            raise DataError(
                f"{where}: found the tag {tag!r}, expected O, or B-, I-, E- or S- and a type; {_advice(tag, tags)}"
            )
    return list(sentences)


def _advice(tag: str, tags: Set[str]) -> str:
    if all(_NUMBER.fullmatch(each) for each in tags):
        return f"numbers need names: {_NAMES_ADVICE}"
    if tag == "0":
        return "is it a zero in place of the letter O?"
    written = hyphenated(tag)
    return (f"write it as {written!r}, or " if written is not None else "") + _PLAIN_ADVICE


def advice_on_numbers(tag: str) -> str:
    """What to do about a tag that no model knows because it is a number; nothing for another tag."""
    return f"; if it is the number of a tag, {_NAMES_ADVICE}" if _NUMBER.fullmatch(tag) else ""


def _entities_in_another_spelling(tags: set[str]) -> set[str]:
    """Those of plain tags that look like entities': all but O do, or there are B and, say, I of the same type."""
    looks = {tag: found for tag in tags if (found := hyphenated(tag)) is not None}
    types = {found[2:] for tag, found in looks.items() if found[0] == "B" and tag != "o"}
    paired = any(found[0] in "IELM" and found[2:] in types for found in looks.values())
    suspects = set(looks) - {"o"}
    return suspects if suspects and (paired or suspects == tags - {"O", "o"}) else set()


def _tags(sentences: Sequence[Sentence]) -> set[str]:
    return {tag for sentence in sentences for tag in sentence.tags}


def _places(sentences: Sequence[Sentence]) -> Iterator[tuple[str, str]]:
    """The place of each word, for messages, and its tag."""
    for sentence in sentences:
        for word, tag in enumerate(sentence.tags):
            yield sentence.where(word), tag


def are_numbers(sentences: Sequence[Sentence]) -> bool:
    """Whether every tag is a whole number."""
    return all(_NUMBER.fullmatch(tag) for tag in _tags(sentences))


def names_of_labels(given: Sequence[str]) -> list[str]:
    """The names that `--label-names` gives: themselves, or one per line of the file that it names.

    Raises OptionError or DataError for an empty name or one that is given twice.
    """
    names, where = [name.strip() for name in given], "--label-names"
    if len(names) == 1:
        path = Path(names[0])
        if not path.is_file():
            raise OptionError(
                f"--label-names: found {names[0]!r}, expected names separated by commas, O,B-PER,I-PER, or a FILE "
                "with a name per line"
            )
        where = str(path)
        names = [line.strip() for line in decoded(path, "utf-8").rstrip().split("\n")]
    for number, name in enumerate(names):
        if not name:
            raise OptionError(f"{where}: the name of number {number} is empty, expected a name")
        if name in names[:number]:
            raise OptionError(
                f"{where}: the name {name!r} is given to the numbers {names.index(name)} and {number}, expected "
                "different names"
            )
    return names


def named(sentences: Sequence[Sentence], names: Sequence[str]) -> list[Sentence]:
    """The sentences with names in place of the numbers of tags, which count from 0.

    Raises DataError, with the line, for a tag that is not the number of a name.
    """
    for where, tag in _places(sentences):
        if not _NUMBER.fullmatch(tag):
            raise DataError(
                f"{where}: found the tag {tag!r}, expected a number from 0 to {len(names) - 1}, as --label-names has "
                f"{len(names)} names; leave the option out if the tags are names already"
            )
        if not 0 <= int(tag) < len(names):
            raise DataError(
                f"{where}: found the tag {tag}, expected a number from 0 to {len(names) - 1}, as --label-names has "
                f"{len(names)} names ({', '.join(names[:20])})"
            )
    return [replace(each, tags=[names[int(tag)] for tag in each.tags]) for each in sentences]
