"""Tokenizers as Hugging Face folders: made from a vocabulary, saved, checked, loaded.

Whatever is loaded has its truncation and padding reset: some published tokenizer files carry a length of their own
(all-MiniLM's cuts at 128 without a word).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertsmith.errors import BertsmithError, ModelError
from bertsmith.runtime.files import disk_errors, sha256_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_PROBE = "Thé Quick brown Fox, 東京 naïve İstanbul!"


def make_tokenizer(vocabulary: list[str], *, cased: bool) -> PreTrainedTokenizerBase:
    """A BERT tokenizer of this vocabulary, in id order. Uncased ones strip accents, as the original does."""
    from transformers import BertTokenizer

    return BertTokenizer(
        vocab={token: index for index, token in enumerate(vocabulary)},
        do_lower_case=not cased,
        strip_accents=None,
        tokenize_chinese_chars=True,
    )


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> str:
    """Save a tokenizer, load it again, check that both agree; returns the sha256 of its tokenizer.json."""
    reset(tokenizer)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer.save_pretrained(folder)
    again = load_tokenizer(str(folder))
    if ids_of(tokenizer, _PROBE) != ids_of(again, _PROBE) or len(tokenizer) != len(again):
        raise BertsmithError(f"{folder}: the tokenizer reads otherwise after saving than before")
    return sha256_of(folder / "tokenizer.json")


def ids_of(tokenizer: Any, text: str) -> list[int]:
    """The ids of a text without special tokens."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder or hub name, with truncation and padding reset.

    Raises ModelError where there is none, or where it lacks one of the special tokens that BERT needs.
    """
    from transformers import AutoTokenizer

    folder = Path(name)
    entries = None
    if folder.is_dir():
        nested = folder / "tokenizer"
        if not (folder / "tokenizer_config.json").is_file() and (nested / "tokenizer_config.json").is_file():
            folder = nested
        if not any((folder / file).is_file() for file in ("tokenizer.json", "vocab.txt")):
            raise ModelError(f"{name}: no tokenizer in this folder (neither tokenizer.json nor vocab.txt)")
        entries = _entries(folder, name)
    elif folder.exists() or name.count("/") > 1 or name.startswith((".", "/", "~")):
        raise ModelError(f"{name}: no such folder")
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder) if folder.is_dir() else name)
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"{name}: no tokenizer can be loaded from there: {first}") from None
    for role in ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"):
        token = getattr(tokenizer, role)
        if token is None:
            raise ModelError(f"{name}: the tokenizer has no {role}; expected one of the BERT family")
        # transformers adds a special token that the file lacks, with an id for which a model has no vector.
        if entries is not None and token not in entries:
            raise ModelError(f"{name}: the vocabulary lacks {token} ({role}); expected one of the BERT family")
    return reset(tokenizer)


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
    return tokenizer
