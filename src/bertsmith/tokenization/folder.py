"""Tokenizers as Hugging Face folders: made from a vocabulary, saved, checked, loaded.

Whatever is loaded has its truncation and padding reset: some published tokenizer files carry a length of their own
(all-MiniLM's cuts at 128 without a word).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertsmith.errors import BertsmithError, ModelError
from bertsmith.runtime.console import log_info
from bertsmith.runtime.files import disk_errors, exists, sha256_of, write_json
from bertsmith.runtime.hub import check_hub_name, missing_model_error
from bertsmith.tokenization.letter_case import SETTINGS, settings_in_json, settings_of_vocabulary
from bertsmith.tokenization.word_counts import LONGEST_WORD, normalizer_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

RECORD_FILE = "extension.json"
"""The record of an extension (`tokenization/extension.py`), beside the tokenizer.json that it belongs to."""
_RECORD = "bertsmith_extension"

_PROBES = (
    "Thé Quick brown Fox, 東京 naïve İstanbul!",
    "ÀÉÎÕÜ àéîõü ŁØß ﬁ ǅ Ωμέγα ΟΔΟΣ οδός ЁЖИК ёжик e\u0301 A\u030a n\u0303",
    "中文字符與漢字混在English里 日本語のテキスト 한국어 텍스트 𠀀",
    f"{'a' * 99} {'b' * 100} {'c' * 101} {'word' * 60}",
    "don't isn't 3.14 1,000 U.S.A. e-mail a/b #tag @name ## ##ing $5 50% «x» “y” — … ~^`|<>=+",
    "tab\tline\nreturn\r zero\u200bwidth soft\u00adhyphen no\u00a0break control\x07 \ufffd emoji 🎉👩‍🚀 ",
    "[MASK] [CLS] [SEP] [PAD] [UNK] [unused1] [mask]",
    "",
)
"""Texts that two tokenizers of different settings read differently: case, accents, Chinese characters, long words,
control characters, the names of special tokens."""


def make_tokenizer(
    vocabulary: list[str],
    *,
    cased: bool,
    strip_accents: bool | None = None,
    composed: bool = False,
    longest: int = LONGEST_WORD,
) -> PreTrainedTokenizerBase:
    """A BERT tokenizer of this vocabulary, in id order.

    `strip_accents=None` strips them if the tokenizer is uncased, as the original does (see `tokenization.marks`).
    With Unicode form NFC (`composed`), or a `longest` word other than BERT's, the same tokenizer has transformers'
    general class: `BertTokenizer` takes no such setting, and forgets it when a folder is loaded.
    """
    from transformers import BertTokenizer, PreTrainedTokenizerFast

    tokenizer = BertTokenizer(
        vocab={token: index for index, token in enumerate(vocabulary)},
        do_lower_case=not cased,
        strip_accents=strip_accents,
        tokenize_chinese_chars=True,
    )
    if longest == LONGEST_WORD and not composed:
        return tokenizer
    tokenizer.backend_tokenizer.normalizer = normalizer_of(
        lowercase=not cased, strip_accents=strip_accents, composed=composed
    )
    tokenizer.backend_tokenizer.model.max_input_chars_per_word = longest
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer,
        model_input_names=tokenizer.model_input_names,
        **tokenizer.special_tokens_map,
    )


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> str:
    """Save a tokenizer, load it again, check that both agree; returns the sha256 of its tokenizer.json.

    The record of an extension that it was loaded with is saved beside it.
    """
    reset(tokenizer)
    record = record_of(tokenizer)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer.save_pretrained(folder)
        (folder / RECORD_FILE).unlink(missing_ok=True)
    if record is not None:
        write_json(folder / RECORD_FILE, record)
    again = load_tokenizer(str(folder))
    if tokenizer.get_vocab() != again.get_vocab():
        raise BertsmithError(f"{folder}: the tokenizer has another vocabulary after saving than before")
    for text in _PROBES:
        if ids_of(tokenizer, text) != ids_of(again, text) or _pair(tokenizer, text) != _pair(again, text):
            raise BertsmithError(
                f"{folder}: the tokenizer reads otherwise after saving than before: {text!r} is "
                f"{ids_of(again, text)}, expected {ids_of(tokenizer, text)}"
            )
    return sha256_of(folder / "tokenizer.json")


def _pair(tokenizer: Any, text: str) -> dict[str, list[int]]:
    """Everything that a model is given for a text and a second one, special tokens included."""
    return {name: list(values) for name, values in tokenizer(text, "a").items()}


def record_of(tokenizer: Any) -> dict[str, Any] | None:
    """The record of an extension that a tokenizer was loaded with, as it stands in the file."""
    record: dict[str, Any] | None = getattr(tokenizer, _RECORD, None)
    return record


def model_of(name: str, tokenizer: Any) -> str | None:
    """The MODEL whose vectors fit a tokenizer that was loaded by this name; None if the folder holds a tokenizer only.

    Of an extended tokenizer it is the MODEL that was extended, which `pretrain --from` gives the new words.
    """
    folder = Path(name)
    if not exists(folder) or (folder / "config.json").is_file():
        return name
    origin = (record_of(tokenizer) or {}).get("model")
    return str(origin) if origin is not None else None


def attach_record(tokenizer: Any, record: dict[str, Any] | None) -> None:
    """Let a tokenizer carry the record of its extension: `save_tokenizer` writes it."""
    setattr(tokenizer, _RECORD, record)


def ids_of(tokenizer: Any, text: str) -> list[int]:
    """The ids of a text without special tokens."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder or hub name, with truncation and padding reset.

    Raises ModelError where there is none, or where it lacks one of the special tokens that BERT needs. The record of
    an extension that lies beside it comes along (`record_of`).
    """
    from transformers import AutoTokenizer

    folder = Path(name)
    entries = None
    if exists(folder) and folder.is_dir():
        nested = folder / "tokenizer"
        if not (folder / "tokenizer_config.json").is_file() and (nested / "tokenizer_config.json").is_file():
            folder = nested
        if not any((folder / file).is_file() for file in ("tokenizer.json", "vocab.txt")):
            raise ModelError(f"{name}: no tokenizer in this folder (neither tokenizer.json nor vocab.txt)")
        entries = _entries(folder, name)
    elif exists(folder):
        raise ModelError(f"{name}: is a file, expected the folder of a model or a tokenizer")
    else:
        check_hub_name(name)
    place = name if entries is None else str(folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, **_settings_that_files_say(place, name))
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if not exists(folder):
            raise missing_model_error(name, first) from None
        raise ModelError(f"{name}: no tokenizer can be loaded from there: {first}") from None
    for role in ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"):
        token = getattr(tokenizer, role)
        if token is None:
            raise ModelError(f"{name}: the tokenizer has no {role}; expected one of the BERT family")
        # transformers adds a special token that the file lacks, with an id for which a model has no vector.
        if entries is not None and token not in entries:
            raise ModelError(f"{name}: the vocabulary lacks {token} ({role}); expected one of the BERT family")
    if entries is not None:
        attach_record(tokenizer, _read_record(folder, name))
    return reset(tokenizer)


def _settings_that_files_say(place: str, name: str) -> dict[str, Any]:
    """The settings of `letter_case.SETTINGS` that tokenizer_config.json lacks, from the other files of a tokenizer.

    What the vocabulary alone says is printed with its reason.
    """
    config = _json(file_of(place, "tokenizer_config.json"))
    missing = [setting for setting in SETTINGS if setting not in config]
    if not missing:
        return {}
    if (file := file_of(place, "tokenizer.json")) is not None:
        found = settings_in_json(_json(file))
    elif (file := file_of(place, "vocab.txt")) is not None and "do_lower_case" in missing:
        said = settings_of_vocabulary(file.read_text(encoding="utf-8", errors="replace").split())
        log_info(f"{name}: no file says whether the tokenizer is cased; {said.reason}", once=True)
        found = said.settings
    else:
        found = {}
    return {setting: found[setting] for setting in missing if setting in found}


def file_of(place: str, file: str) -> Path | None:
    """A file of a folder, or of a model of the hub (fetched, or from its cache); None if there is none."""
    folder = Path(place)
    if exists(folder):
        return folder / file if (folder / file).is_file() else None
    from transformers.utils.hub import cached_file

    found = cached_file(
        place,
        file,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
        _raise_exceptions_for_gated_repo=False,
    )
    return None if found is None else Path(found)


def _json(file: Path | None) -> dict[str, Any]:
    """The object in a JSON file; empty if there is none: whoever loads the file says what is wrong."""
    try:
        content = json.loads(file.read_text(encoding="utf-8")) if file is not None else {}
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _read_record(folder: Path, name: str) -> dict[str, Any] | None:
    """The record of an extension in a tokenizer folder, if there is one."""
    file = folder / RECORD_FILE
    if not file.is_file():
        return None
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{name}: {RECORD_FILE} cannot be read: {error}") from None
    if not isinstance(record, dict):
        raise ModelError(f"{name}: {RECORD_FILE} cannot be read: found {type(record).__name__}, expected an object")
    return record


def _entries(folder: Path, name: str) -> frozenset[str]:
    """All entries of the tokenizer file of a folder, as they stand in it."""
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    if not file.is_file():
        return frozenset((folder / "vocab.txt").read_text(encoding="utf-8", errors="replace").split("\n"))
    try:
        return frozenset(Tokenizer.from_file(str(file)).get_vocab(with_added_tokens=True))
    except Exception as error:  # noqa: BLE001 (tokenizers raises nothing narrower)
        raise ModelError(f"{name}: tokenizer.json cannot be read: {error}") from None


def reset(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """The tokenizer without the truncation and padding that its file may carry."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ModelError("the tokenizer is a slow one; expected one with a tokenizer.json")
    backend.no_truncation()
    backend.no_padding()
    # We cut texts ourselves and say so; transformers' advice about long ones is for a different call.
    tokenizer.deprecation_warnings["sequence-length-is-longer-than-the-specified-maximum"] = True
    return tokenizer
