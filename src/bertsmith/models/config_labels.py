"""The labels in the config.json of a MODEL, checked before anything runs.

transformers does not check them: a gap in `id2label` ends in a KeyError during prediction; if `num_labels` differs from
the size of `id2label`, the names become LABEL_0, LABEL_1, ...; `label2id` without `id2label` is dropped. Here, missing
entries are completed if they are certain; everything else is an error that names both values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bertsmith.errors import ModelError, shortened
from bertsmith.runtime.console import warn

WITH_LABELS = ("ForSequenceClassification", "ForTokenClassification")
"""Endings of the architectures whose outputs have names."""


def read_config_labels(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return corrected `id2label` and `label2id` for the config.json of a MODEL; empty if nothing needs correction.

    Raises ModelError unless the labels are numbered from 0 without gaps and all names differ.
    """
    architectures = config.get("architectures") or []
    if not any(str(architecture).endswith(WITH_LABELS) for architecture in architectures):
        return {}
    given, reverse = _object(name, config, "id2label"), _object(name, config, "label2id")
    if given:
        source, labels = "id2label", _numbered(name, "id2label", given.items())
        if reverse:
            _warn_of_contradiction(name, labels, reverse)
    elif reverse:
        source, labels = "label2id", _numbered(name, "label2id", ((id_, label) for label, id_ in reverse.items()))
    else:
        return {}
    count = config.get("num_labels")
    if count is not None and count != len(labels):
        raise ModelError(
            f"{name}: config.json has num_labels {count!r} and {len(labels)} labels in {source}, expected the same "
            "number. Try: correct the one that does not fit the weights"
        )
    return {"id2label": labels, "label2id": {label: number for number, label in labels.items()}}


def _object(name: str, config: Mapping[str, Any], key: str) -> dict[Any, Any]:
    value = config.get(key)
    if value is not None and not isinstance(value, dict):
        found = shortened(repr(value))
        raise ModelError(f"{name}: {key} in config.json is {found}, expected an object with ids and labels")
    return value or {}


def _numbered(name: str, key: str, pairs: Any) -> dict[int, str]:
    """Return the labels by id. Raises ModelError unless the ids are 0, 1, 2, ... and the labels differ."""
    labels: dict[int, str] = {}
    for id_, label in pairs:
        try:
            number = int(str(id_))
        except (TypeError, ValueError):
            raise ModelError(f"{name}: {key} in config.json has the id {id_!r}, expected a whole number") from None
        if isinstance(label, bool) or not isinstance(label, (str, int)):
            found = shortened(repr(label))
            raise ModelError(f"{name}: {key} in config.json names output {number} {found}, expected a text")
        if number in labels:
            raise ModelError(
                f"{name}: {key} in config.json names output {number} twice, {labels[number]!r} and {label!r}"
            )
        labels[number] = str(label)
    ordered = dict(sorted(labels.items()))
    if list(ordered) != list(range(len(ordered))):
        found = ", ".join(map(str, list(ordered)[:10])) + (", ..." if len(ordered) > 10 else "")
        raise ModelError(
            f"{name}: {key} in config.json numbers its {len(ordered)} labels {found}; expected 0 to "
            f"{len(ordered) - 1}. Try: name every output of the model"
        )
    first: dict[str, int] = {}
    for number, label in ordered.items():
        if label in first:
            raise ModelError(
                f"{name}: {key} in config.json names outputs {first[label]} and {number} {label!r}; expected "
                f"{len(ordered)} different labels. Try: rename one of them"
            )
        first[label] = number
    return ordered


def _warn_of_contradiction(name: str, labels: Mapping[int, str], reverse: Mapping[Any, Any]) -> None:
    """Warn if `label2id` contradicts `id2label`, which predictions follow, as in transformers."""
    for number, label in labels.items():
        if label in reverse and str(reverse[label]) != str(number):
            warn(
                f"{name}: config.json contradicts itself: {label!r} is {number} in id2label and {reverse[label]} in "
                "label2id; using id2label",
                once=True,
            )
            return
