"""New words in an old vocabulary: which are chosen, what they change, and which record is accepted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bertsmith.errors import BertsmithError, ModelError
from bertsmith.tokenization import folder as folder_module
from bertsmith.tokenization.extension import (
    Extension,
    check_wordpiece,
    choose_words,
    extend,
    extension_between,
    extension_of,
    fingerprint,
    is_validation_text,
    settings_of,
    words_of,
)
from bertsmith.tokenization.folder import (
    RECORD_FILE,
    attach_record,
    extension_record,
    ids_of,
    load_tokenizer,
    make_tokenizer,
    save_tokenizer,
)
from bertsmith.tokenization.measures import compare_tokenizers, fit
from bertsmith.tokenization.word_counts import count_chunks
from bertsmith.tokenization.wordpiece_entries import SPECIAL_TOKENS

ENTRIES = ["the", "sto", "##ic", "##ical", "##al", "is", "calm", "[unused1]", "zen", "##o", "t", "##e"]


def tokenizer_of(*entries: str, cased: bool = False) -> Any:
    return make_tokenizer([*SPECIAL_TOKENS, *(entries or ENTRIES)], cased=cased)


def extended(tokenizer: Any, *words: str, count: int = 9) -> tuple[Any, Extension]:
    chosen = choose_words(tokenizer, dict.fromkeys(words, count), add=len(words), min_count=1)
    assert {word for word, _, _ in chosen} == set(words)
    return extend(tokenizer, chosen)


# Which words


def test_those_come_first_that_save_most() -> None:
    tokenizer = tokenizer_of("a", "b", "c", "##a", "##b", "##c", "abc")
    words = {"abc": 90, "ab": 20, "ba": 10, "bab": 5, "cabb": 4, "cab": 7, "a": 50, "c" * 7: 3}
    chosen = choose_words(tokenizer, words, add=9, min_count=4)
    # saved: ab 20, cab 14, cabb 12, ba and bab 10; "abc" and "a" are entries, the c's too rare
    assert [(word, count) for word, _, count in chosen] == [("ab", 20), ("cab", 7), ("cabb", 4), ("ba", 10), ("bab", 5)]
    assert [tokenizer.convert_ids_to_tokens(list(pieces)) for _, pieces, _ in chosen][2] == ["c", "##a", "##b", "##b"]
    assert choose_words(tokenizer, words, add=2, min_count=4) == chosen[:2]
    assert choose_words(tokenizer, dict(reversed(words.items())), add=9, min_count=4) == chosen
    assert choose_words(tokenizer, {"a": 5, "abc": 9}, add=9, min_count=1) == []


def test_a_word_that_cannot_be_spelled_becomes_known() -> None:
    tokenizer = tokenizer_of()
    words = {"ōm": 3, "om": 8, "stoic": 5, "東": 4, "🎉": 4}
    chosen = choose_words(tokenizer, words_of(tokenizer, words), add=9, min_count=2)
    # Uncased: ō is read as o.
    assert [(word, count) for word, _, count in chosen] == [("om", 11), ("stoic", 5), ("東", 4), ("🎉", 4)]
    assert [pieces for _, pieces, _ in chosen] == [(1,), (6, 7), (1,), (1,)]
    new, _ = extend(tokenizer, chosen)
    assert new.tokenize("ŌM stoic 東東 🎉") == ["om", "stoic", "東", "東", "🎉"]


def test_an_entry_that_could_never_be_reached_is_not_added() -> None:
    tokenizer = tokenizer_of("a", "##a", "##b", "c", "##o", "##v", "##i", "##d")
    tokenizer.add_tokens(["covid"])
    words = {"ab" + "a" * 100: 50, "covida": 30, "Aba": 20, "a-a": 9, "aa": 2}
    assert [word for word, _, _ in choose_words(tokenizer, words, add=5, min_count=1)] == ["aa"]


@pytest.mark.parametrize("cased", [False, True])
def test_words_are_read_with_the_models_own_settings(cased: bool) -> None:
    chunks = count_chunks(["Éros, éros EROS! 東京 don't x" + "y" * 120])
    words = words_of(tokenizer_of(cased=cased), chunks)
    assert words == (
        {"Éros": 1, "éros": 1, "EROS": 1, "東": 1, "京": 1, "don": 1, "'": 1, "t": 1, ",": 1, "!": 1}
        if cased
        else {"eros": 3, "東": 1, "京": 1, "don": 1, "'": 1, "t": 1, ",": 1, "!": 1}
    )


def test_words_of_a_tokenizer_that_keeps_chinese_words_whole() -> None:
    from transformers import BertTokenizer

    tokenizer = BertTokenizer(
        vocab={token: index for index, token in enumerate([*SPECIAL_TOKENS, "a"])}, tokenize_chinese_chars=False
    )
    assert words_of(tokenizer, {"東京,É": 2, "e": 1}) == {"東京": 2, ",": 2, "e": 3}


def test_a_tokenizer_that_composes_letters_can_be_extended() -> None:
    vocabulary = [*SPECIAL_TOKENS, "k", "##a", "##f", "##é"]
    composed, plain = (
        make_tokenizer(vocabulary, cased=False, strip_accents=False, composed=value) for value in (True, False)
    )
    check_wordpiece(composed, "a tokenizer")
    assert words_of(composed, {"Kafe\u0301": 2, "kafé": 1}) == {"kafé": 3}
    assert words_of(plain, {"Kafe\u0301": 2, "kafé": 1}) == {"kafe\u0301": 2, "kafé": 1}
    chosen = choose_words(composed, {"kafé": 3, "kafe\u0301": 9}, add=2, min_count=1)
    assert [word for word, *_ in chosen] == ["kafé"], "a word in two characters would never be found"
    assert extend(composed, chosen)[0].tokenize("kafe\u0301") == ["kafé"]
    with pytest.raises(ModelError, match="but different settings"):
        extension_between(composed, "A", tokenizer=plain, store="B")


def test_a_tenth_is_kept_apart_by_its_text_alone() -> None:
    kept = [number for number in range(5_000) if is_validation_text(f"text {number}")]
    assert kept[:5] == [1, 24, 30, 43, 51], "the same in every process and version"
    assert 400 < len(kept) < 600


# What they change


def test_new_words_stand_behind_all_entries_and_old_ones_keep_their_ids() -> None:
    tokenizer = tokenizer_of()
    new, record = extended(tokenizer, "stoic", "zeno")
    base, vocabulary = tokenizer.get_vocab(), new.get_vocab()
    assert {token: vocabulary[token] for token in base} == base
    assert vocabulary.keys() - base.keys() == {"stoic", "zeno"}
    assert [(word.token, word.id) for word in record.added] == [("stoic", len(base)), ("zeno", len(base) + 1)]
    assert new.get_added_vocab() == tokenizer.get_added_vocab(), "they are no added tokens"
    assert new.tokenize("The Stoic is calm") == ["the", "stoic", "is", "calm"]
    assert tokenizer.tokenize("The Stoic is calm") == ["the", "sto", "##ic", "is", "calm"], "the old one stays"
    for text in ("the calm is", "[unused1] the", "zen is te"):
        assert ids_of(new, text) == ids_of(tokenizer, text)


def test_a_word_that_begins_with_a_new_one_changes_and_the_measure_says_so() -> None:
    """WordPiece takes the longest entry first: stoical becomes stoic ##al, and stoice can no longer be spelled."""
    tokenizer = tokenizer_of("sto", "##ic", "##ical", "##al", "##ice")
    new, _ = extended(tokenizer, "stoic")
    words = {"stoic": 2, "stoical": 4, "stoice": 1}
    assert [tokenizer.tokenize(word) for word in words] == [["sto", "##ic"], ["sto", "##ical"], ["sto", "##ice"]]
    assert [new.tokenize(word) for word in words] == [["stoic"], ["stoic", "##al"], ["[UNK]"]]
    before, after = compare_tokenizers({"before": tokenizer, "after": new}, words)
    assert (before.tokens_per_word, after.tokens_per_word) == (14 / 7, (2 + 8 + 1) / 7)
    assert (before.unknown_rate, after.unknown_rate) == (0.0, 1 / 11)
    assert (before.vocabulary_used, after.vocabulary_used) == (4 / 10, 2 / 11)
    worse, _ = extended(tokenizer_of("sto", "##a", "##al", "##ical", "##ic"), "stoa")
    assert fit(worse, {"stoal": 1})["unknown_rate"] == 1.0, "##l is no entry: a gain elsewhere may cost here"


@pytest.mark.parametrize("cased", [False, True])
def test_it_reads_the_same_wherever_it_is_loaded(tmp_path: Path, cased: bool) -> None:
    from transformers import AutoTokenizer

    new, record = extended(tokenizer_of(cased=cased), "stoic", "zeno")
    sha256 = save_tokenizer(new, tmp_path / "a")
    loaded, stock = load_tokenizer(str(tmp_path / "a")), AutoTokenizer.from_pretrained(tmp_path / "a")
    for text in ("The STOIC, stoical Zénø!", "stoics " * 200, "東京 [MASK] zeno"):
        assert ids_of(new, text) == ids_of(loaded, text) == ids_of(stock, text)
    assert len(stock) == len(new)
    assert extension_of(loaded, "a") == record
    assert save_tokenizer(loaded, tmp_path / "b") == sha256
    assert (tmp_path / "a" / RECORD_FILE).read_bytes() == (tmp_path / "b" / RECORD_FILE).read_bytes()
    attach_record(loaded, None)
    save_tokenizer(loaded, tmp_path / "b")
    assert not (tmp_path / "b" / RECORD_FILE).exists(), "a folder that is written again keeps no record of another"


def test_a_token_beside_the_vocabulary_keeps_its_id(tmp_path: Path) -> None:
    tokenizer = tokenizer_of()
    tokenizer.add_special_tokens({"mask_token": "<mask>"})
    tokenizer.save_pretrained(tmp_path / "base")
    base = load_tokenizer(str(tmp_path / "base"))
    new, record = extended(base, "stoic")
    save_tokenizer(new, tmp_path / "new")
    loaded = load_tokenizer(str(tmp_path / "new"))
    assert loaded.mask_token_id == base.mask_token_id == record.added[0].id - 1
    assert ids_of(loaded, "the <mask> stoic") == [5, base.mask_token_id, record.added[0].id]


def test_a_folder_that_reads_otherwise_after_saving_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other, message in (
        (tokenizer_of(cased=True), "the saved tokenizer reads differently"),
        (tokenizer_of(*ENTRIES, "new"), "the vocabulary of the tokenizer changed"),
    ):
        monkeypatch.setattr(folder_module, "load_tokenizer", lambda name, other=other: other)
        with pytest.raises(BertsmithError, match=message):
            save_tokenizer(tokenizer_of(), tmp_path)


def test_long_words_and_chinese_characters_are_probed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer

    entries = [
        *(chr(code) for code in range(97, 123)),
        *(f"##{chr(code)}" for code in range(97, 123)),
        "中",
        "中文字符與漢字混在",
    ]
    for part, value in (
        ("model", lambda vocab: WordPiece(vocab=vocab, unk_token="[UNK]", max_input_chars_per_word=200)),
        ("normalizer", lambda vocab: BertNormalizer(lowercase=True, handle_chinese_chars=False)),
        ("normalizer", lambda vocab: BertNormalizer(lowercase=True, strip_accents=False)),
    ):
        other = tokenizer_of(*entries)
        setattr(other.backend_tokenizer, part, value(other.get_vocab()))
        monkeypatch.setattr(folder_module, "load_tokenizer", lambda name, other=other: other)
        with pytest.raises(BertsmithError, match="the saved tokenizer reads differently"):
            save_tokenizer(tokenizer_of(*entries), tmp_path)


# Which record is accepted


def test_the_fingerprint_is_of_what_is_read_not_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join([*SPECIAL_TOKENS, *ENTRIES]) + "\n")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    prints = [
        fingerprint(each.get_vocab(), settings_of(each)) for each in (load_tokenizer(str(tmp_path)), tokenizer_of())
    ]
    assert prints[0] == prints[1]
    for other in (tokenizer_of(cased=True), tokenizer_of(*ENTRIES[::-1]), tokenizer_of(*ENTRIES, "x")):
        assert fingerprint(other.get_vocab(), settings_of(other)) != prints[0]


def between(base: Any, new: Any) -> Extension | None:
    return extension_between(base, "MODEL", tokenizer=new, store="STORE")


def test_only_a_recorded_extension_is_accepted(tmp_path: Path) -> None:
    base = tokenizer_of()
    new, record = extended(base, "stoic", "zeno")
    save_tokenizer(new, tmp_path)
    assert between(base, tokenizer_of()) is None
    assert between(base, load_tokenizer(str(tmp_path))) == record
    for other in (tokenizer_of(cased=True), tokenizer_of(*ENTRIES[1:]), tokenizer_of(*ENTRIES[::-1])):
        with pytest.raises(ModelError, match=r"extends a different tokenizer \(of 17 entries\)"):
            between(other, new)
    (tmp_path / RECORD_FILE).unlink()
    with pytest.raises(ModelError) as refused:
        between(base, load_tokenizer(str(tmp_path)))
    assert "its tokenizer (17 entries) differs from that of STORE (19): 2 entries only in the STORE ('stoic')" in str(
        refused.value
    )
    assert "bertsmith extend-tokenizer MODEL SOURCE --add N --out DIR" in str(refused.value)
    assert "bertsmith prepare SOURCE --out STORE --tokenizer MODEL" in str(refused.value)


def test_what_differs_is_said() -> None:
    with pytest.raises(ModelError, match=r"1 entries only in the model \('##e'\), 1 entries only in the STORE \('x'\)"):
        between(tokenizer_of(), tokenizer_of(*ENTRIES[:-1], "x"))
    with pytest.raises(ModelError, match=r"2 with a different id \('the': 5 and 6\)"):
        between(tokenizer_of(), tokenizer_of("sto", "the", *ENTRIES[2:]))
    with pytest.raises(ModelError, match=r"different settings \(lowercase: False in the MODEL, True in the STORE\)"):
        between(tokenizer_of(cased=True), tokenizer_of())


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["added"].pop(),
        lambda record: record["added"][0].update(id=18),
        lambda record: record["added"][0].update(token="other"),
        lambda record: record["added"][0].update(pieces=[]),
        lambda record: record["added"][0].update(pieces=[99]),
    ],
)
def test_a_record_that_belongs_to_another_tokenizer(tmp_path: Path, change: Change) -> None:
    base = tokenizer_of()
    save_tokenizer(extended(base, "stoic", "zeno")[0], tmp_path)
    record = json.loads((tmp_path / RECORD_FILE).read_text())
    change(record)
    (tmp_path / RECORD_FILE).write_text(json.dumps(record))
    with pytest.raises(ModelError, match=r"STORE: extension.json does not match the tokenizer in the same folder"):
        between(base, load_tokenizer(str(tmp_path)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "extension.json cannot be read"),
        ("[]", "extension.json cannot be read: found list"),
        ("{}", "extension.json is not the record of an extension"),
        ('{"format": 2}', "found format 2 in extension.json, expected 1"),
        ('{"format": 1, "base_vocab_size": "x"}', "is not the record of an extension"),
    ],
)
def test_a_broken_record(tmp_path: Path, content: str, message: str) -> None:
    base = tokenizer_of()
    save_tokenizer(extended(base, "stoic")[0], tmp_path)
    (tmp_path / RECORD_FILE).write_text(content)
    with pytest.raises(ModelError, match=message):
        between(base, load_tokenizer(str(tmp_path)))


def test_a_record_of_an_older_version_is_read(tmp_path: Path) -> None:
    base = tokenizer_of()
    new, expected = extended(base, "stoic")
    save_tokenizer(new, tmp_path)
    record = json.loads((tmp_path / RECORD_FILE).read_text())
    del record["version"]
    (tmp_path / RECORD_FILE).write_text(json.dumps(record))
    found = between(base, load_tokenizer(str(tmp_path)))
    assert found is not None and (found.version, found.added) == (0, expected.added)


def test_the_record_is_what_a_file_holds(tmp_path: Path) -> None:
    new, record = extended(tokenizer_of(), "stoic")
    save_tokenizer(new, tmp_path)
    assert extension_record(load_tokenizer(str(tmp_path))) == {
        "version": 1,
        "format": 1,
        "base_vocab_size": 17,
        "base_tokenizer_sha256": record.base_tokenizer_sha256,
        "unknown_id": 1,
        "added": [{"token": "stoic", "id": 17, "pieces": [6, 7], "count": 9}],
    }


def test_only_berts_tokenizer_is_extended() -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import PreTrainedTokenizerFast

    check_wordpiece(tokenizer_of(), "MODEL")
    backend = Tokenizer(BPE(vocab={"<unk>": 0, "a": 1}, merges=[], unk_token="<unk>"))
    backend.pre_tokenizer = ByteLevel()
    other = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")
    with pytest.raises(ModelError, match=r"MODEL: found a tokenizer of BPE, NoneType, ByteLevel, expected WordPiece"):
        check_wordpiece(other, "MODEL")
    assert settings_of(other) is None
