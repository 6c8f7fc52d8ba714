"""MODEL and SOURCE to an extended tokenizer, a STORE, and a RUN whose new words start from their old pieces."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bertsmith.errors import DataError, ModelError, OptionError, OutputError
from bertsmith.tokenization.extension import is_validation_text
from bertsmith.tokenization.folder import RECORD_FILE, ids_of, load_tokenizer
from bertsmith.verbs.extend_tokenizer import extend_tokenizer

PLAIN = [
    *("the", "boat", "near", "river", "before", "winter", "came", "and", "nobody", "noticed", "it", "again"),
    *("wooden", "church", "sold", "lamps", "quiet", "heavy"),
]
"""Words that are one token of the small RUN each."""
DOMAIN = ("stoicism", "virtue", "providence", "thyself", "logos", "ōm")
"""Words of the domain; the vocabulary of the small RUN cannot spell the last one."""


def domain_text(number: int) -> str:
    """A paragraph with words of the domain and plain words; the same number gives the same paragraph."""
    draw = random.Random(number)
    sentences = []
    for _ in range(8):
        words = draw.sample(PLAIN, 9) + draw.sample(DOMAIN, 2)
        draw.shuffle(words)
        sentences.append(" ".join(words).capitalize() + ".")
    return " ".join(sentences)


@pytest.fixture(scope="session")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 documents of a domain as JSON lines, about 11,000 words."""
    file = tmp_path_factory.mktemp("domain") / "domain.jsonl"
    file.write_text("".join(json.dumps({"text": domain_text(number)}) + "\n" for number in range(120)))
    return file


@pytest.fixture(scope="session")
def extended(run: Path, domain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The RUN's tokenizer with six more words."""
    out = tmp_path_factory.mktemp("extended") / "tokenizer"
    extend_tokenizer(run, domain, add=6, out=out, workers=1)
    return out


@pytest.fixture(scope="session")
def extended_store(extended: Path, domain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A STORE of the domain prepared with it."""
    from bertsmith.verbs.prepare import prepare

    out = tmp_path_factory.mktemp("extended-store") / "store"
    prepare(domain, out=out, tokenizer=str(extended), held_out=0.2, workers=1)
    return out


def continued(tiny: dict[str, Any]) -> dict[str, Any]:
    """Options of `pretrain` for continuing a small RUN."""
    return {name: value for name, value in tiny.items() if name in ("sequence_length", "batch_size", "precision")}


def record(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / RECORD_FILE).read_text())
    return found


# The tokenizer


def test_the_words_that_cost_most_are_added_and_the_kept_share_is_measured(
    tmp_path: Path, run: Path, domain: Path
) -> None:
    result = extend_tokenizer(run, domain, add=6, out=tmp_path / "out", workers=1)
    assert (result.tokenizer, result.vocab_size, result.added) == (tmp_path / "out", 262, 6)
    assert result.sha256 == hashlib.sha256((tmp_path / "out" / "tokenizer.json").read_bytes()).hexdigest()
    content = record(tmp_path / "out")
    added = content["added"]
    base, new = load_tokenizer(str(run)), load_tokenizer(str(tmp_path / "out"))
    assert {word["token"] for word in added} == {"stoicism", "virtue", "providence", "thyself", "logos", "om"}
    assert [word["id"] for word in added] == list(range(256, 262))
    saved = []
    for word in added:
        assert word["pieces"] == ids_of(base, word["token"])
        assert ids_of(new, word["token"]) == [word["id"]]
        saved.append((-word["count"] * max(len(word["pieces"]) - 1, 1), word["token"]))
    assert saved == sorted(saved)
    # The same on the validation share, with transformers on its text.
    texts = [json.loads(line)["text"] for line in domain.read_text().splitlines()]
    kept = [text for text in texts if is_validation_text(text.replace(". ", ".\n"))]
    assert 0 < len(kept) < 40
    words = sum(not token.startswith("##") for text in kept for token in base.tokenize(text))
    for when, tokenizer in (("before", base), ("after", new)):
        tokens = [token for text in kept for token in tokenizer.tokenize(text)]
        assert result.tokens_per_word[when] == pytest.approx(len(tokens) / words)
        assert result.unknown_rate[when] == pytest.approx(tokens.count("[UNK]") / len(tokens))
        assert content[f"tokens_per_word_{when}"] == result.tokens_per_word[when]
    assert result.tokens_per_word["after"] < result.tokens_per_word["before"]
    counted = sum(text.lower().split().count("virtue") for text in texts if text not in kept)
    stops = sum(text.lower().split().count("virtue.") for text in texts if text not in kept)
    assert next(word["count"] for word in added if word["token"] == "virtue") == counted + stops, (
        "not from the kept share"
    )


def test_the_same_text_in_any_files_gives_the_same_tokenizer(tmp_path: Path, run: Path, domain: Path) -> None:
    lines = domain.read_text().splitlines(keepends=True)
    for number, part in enumerate((lines[70:], lines[:70])):
        (tmp_path / f"{number}.jsonl").write_text("".join(part))
    whole = extend_tokenizer(run, domain, add=4, out=tmp_path / "whole", workers=1)
    parts = extend_tokenizer(
        str(run), tmp_path / "0.jsonl", tmp_path / "1.jsonl", add=4, out=tmp_path / "parts", workers=2
    )
    assert whole.sha256 == parts.sha256
    assert whole.to_dict() | {"tokenizer": ""} == parts.to_dict() | {"tokenizer": ""}
    assert record(tmp_path / "whole")["added"] == record(tmp_path / "parts")["added"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.jsonl", "1.jsonl", "parts", "whole"]


def test_text_without_new_words_keeps_its_ids(extended: Path, run: Path, corpus_file: Path) -> None:
    from transformers import AutoTokenizer

    base, new, stock = load_tokenizer(str(run)), load_tokenizer(str(extended)), AutoTokenizer.from_pretrained(extended)
    for line in corpus_file.read_text().splitlines()[:20]:
        text = json.loads(line)["text"]
        assert ids_of(base, text) == ids_of(new, text) == ids_of(stock, text)


def test_fewer_words_than_asked_for_are_said(
    tmp_path: Path, run: Path, domain: Path, bertsmith: Callable[..., Any]
) -> None:
    answer = bertsmith(
        "extend-tokenizer", run, domain, "--add", 1_000, "--out", tmp_path / "out", "--workers", 1, "--json"
    )
    assert answer.json["added"] == len(record(tmp_path / "out")["added"]) < 1_000
    assert set(answer.json) == {
        *("tokenizer", "vocab_size", "sha256", "added", "tokens_per_word", "unknown_rate", "vocabulary_used"),
    }
    assert set(answer.json["tokens_per_word"]) == set(answer.json["unknown_rate"]) == {"before", "after"}
    assert f"only {answer.json['added']} of 1,000 words are added" in answer.stderr
    answer = bertsmith("extend-tokenizer", run, domain, "--add", 6, "--out", tmp_path / "b", "--workers", 1)
    assert "262 entries, 6 of them new" in answer.stdout
    new = tmp_path / "b"
    assert f"Next:\n  bertsmith prepare {domain} --out {new}-store --tokenizer {new}" in answer.stdout
    assert [line.split()[0] for line in answer.stdout.splitlines()[3:5]] == ["before", "after"]


def test_a_book_is_divided_by_paragraphs_and_one_paragraph_by_sentences(tmp_path: Path, run: Path) -> None:
    texts = [domain_text(number) for number in range(60)]
    for name, content, level in (("book", "\n\n".join(texts), "paragraphs"), ("block", " ".join(texts), "sentences")):
        (tmp_path / f"{name}.txt").write_text(content)
        out = tmp_path / name
        extend_tokenizer(run, tmp_path / f"{name}.txt", documents="file", add=3, out=out, workers=1)
        assert record(out)["measured_on"] == f"a tenth of the text, by {level}"


def test_nothing_is_gained_where_new_words_occur_in_one_place(tmp_path: Path, run: Path) -> None:
    texts = [f"{' '.join(random.Random(number).sample(PLAIN, 12)).capitalize()}." for number in range(200)]
    strange = [f"{text.removesuffix('.')}{' zyx' * 20}." for text in texts]
    place = next(number for number, text in enumerate(strange) if not is_validation_text(text))
    texts[place] = strange[place]
    file = tmp_path / "text.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    settings: dict[str, Any] = {"add": 9, "out": tmp_path / "out", "workers": 1}
    with pytest.raises(
        DataError, match=r"the new words bring no gain: .* 1\.0000 tokens per word, and 1\.0000 with the new"
    ):
        extend_tokenizer(run, file, **settings)
    with pytest.raises(
        DataError,
        match=r"--add 9: found no word to add: every word that occurs at least 21 times is already a single token of",
    ):
        extend_tokenizer(run, file, min_count=21, **settings)
    assert [path.name for path in tmp_path.iterdir()] == ["text.jsonl"]


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (
            (1.2, 0.01),
            "fewer words are unknown (2.400% before, 1.200% after), but tokens per word do not decrease (1.2000 ",
        ),
        ((1.1, 0.05), "more words are unknown (2.400% before, 5.500% after)"),
        ((1.1, 0.024 / 1.1), ""),
    ],
    ids=["fewer unknown", "more unknown", "the same unknown words among fewer tokens"],
)
def test_a_gain_in_part_is_a_warning(after: tuple[float, float], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from bertsmith.tokenization import domain_words as module
    from bertsmith.tokenization.measures import TokenizerFit

    warned: list[str] = []
    monkeypatch.setattr(module, "warn", warned.append)
    wanted = module.WordRequest("m", 1, 5, "--add", "more text")
    module._check_gain(wanted, TokenizerFit("before", 9, 1.2, 0.02, 0.5), TokenizerFit("after", 10, *after, 0.5))
    assert [text.startswith(said) for text in warned] == ([True] if said else [])
    assert not any("{" in text for text in warned)
    assert "more words are unknown" not in said or "To avoid this, try a smaller --add" in warned[0]


def test_what_cannot_be_extended_is_refused(tmp_path: Path, run: Path, extended: Path, domain: Path) -> None:
    settings: dict[str, Any] = {"out": tmp_path / "out", "workers": 1}
    with pytest.raises(OptionError, match=r"--add: found 0, expected above 0"):
        extend_tokenizer(run, domain, add=0, **settings)
    with pytest.raises(ModelError, match=r"none: no such folder"):
        extend_tokenizer(tmp_path / "none", domain, add=5, **settings)
    with pytest.raises(ModelError, match=r"the tokenizer is already extended"):
        extend_tokenizer(extended, domain, add=5, **settings)
    (tmp_path / "small.txt").write_text("Virtue is the only good. " * 20)
    with pytest.raises(DataError, match=r"the text is too small: .* expected at least 50 sentences"):
        extend_tokenizer(run, tmp_path / "small.txt", add=5, **settings)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("")
    for overwrite in (False, True):
        with pytest.raises(OutputError):
            extend_tokenizer(run, domain, add=5, overwrite=overwrite, **settings)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "small.txt"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_a_tokenizer_of_another_kind_is_refused(tmp_path: Path, domain: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import PreTrainedTokenizerFast

    names = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>", "mask_token": "<m>"}
    vocabulary = {token: index for index, token in enumerate([*names.values(), "a"])}
    backend = Tokenizer(BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    backend.pre_tokenizer = ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=backend, **names).save_pretrained(tmp_path / "roberta")
    with pytest.raises(ModelError, match=r"found a tokenizer of BPE, .* expected WordPiece.*train-tokenizer"):
        extend_tokenizer(tmp_path / "roberta", domain, add=5, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


# The model


def test_the_record_travels_into_the_store(extended: Path, extended_store: Path) -> None:
    assert (extended_store / "tokenizer" / RECORD_FILE).read_bytes() == (extended / RECORD_FILE).read_bytes()
    assert f"tokenizer/{RECORD_FILE}" in json.loads((extended_store / "manifest.json").read_text())["files"]


def test_a_new_word_starts_from_the_mean_of_its_pieces(
    tmp_path: Path, run: Path, extended_store: Path, tiny: dict[str, Any]
) -> None:
    """The model as it is before its first update."""
    from bertsmith.config.pretrain import PretrainOptions
    from bertsmith.models.bert import BertForPreTraining
    from bertsmith.pretraining.components import assemble

    options = PretrainOptions(store=extended_store, out=tmp_path / "run", from_=str(run), steps=1, **continued(tiny))
    parts = assemble(options, None)
    new, old = parts.setup.model, BertForPreTraining.from_pretrained(run)
    vectors, before = (model.get_input_embeddings().weight.detach() for model in (new, old))
    bias, bias_before = (model.cls.predictions.bias.detach() for model in (new, old))
    assert (new.config.vocab_size, len(vectors), len(bias)) == (262, 262, 262)
    torch.testing.assert_close(vectors[:256], before, rtol=0, atol=0)
    unknown = 0
    for word in record(extended_store / "tokenizer")["added"]:
        rows = list(range(256)) if word["pieces"] == [1] else word["pieces"]
        unknown += word["pieces"] == [1]
        torch.testing.assert_close(vectors[word["id"]], before[rows].mean(0), rtol=0, atol=0)
        torch.testing.assert_close(bias[word["id"]], bias_before[rows].mean(0), rtol=0, atol=0)
    (choice,) = [choice for choice in parts.choices if choice.name == "new words"]
    assert choice.value == "6"
    assert ("that were unknown start at the mean of all vectors" in choice.reason) == (unknown > 0)


def test_the_run_is_a_stock_model_and_goes_on(
    tmp_path: Path, run: Path, extended_store: Path, tiny: dict[str, Any]
) -> None:
    from transformers import AutoTokenizer
    from transformers import BertForPreTraining as Stock

    from bertsmith.verbs.pretrain import pretrain

    settings = {"from_": str(run), "learning_rate": 1e-3, "schedule": "linear", "warmup": 0.0, **continued(tiny)}
    out = tmp_path / "run"
    first = pretrain(extended_store, out=out, steps=2, **settings)
    assert first.evaluation["mlm_nats_per_masked_token"] is not None
    second = pretrain(extended_store, out=out, steps=4, resume=True)
    assert (second.resumed_from_step, second.steps) == (2, 4)
    model, tokenizer = Stock.from_pretrained(out), AutoTokenizer.from_pretrained(out)
    assert model.config.vocab_size == len(tokenizer) == len(model.get_input_embeddings().weight) == 262
    assert model.cls.predictions.decoder.weight is model.get_input_embeddings().weight
    choices = json.loads((out / "run.json").read_text())["choices"]
    assert any(choice["name"] == "new words" for choice in choices)
    # It continues on its own STORE without a record.
    pretrain(extended_store, out=tmp_path / "again", steps=1, from_=str(out), **continued(tiny))


def test_a_store_without_the_record_is_refused(
    tmp_path: Path, run: Path, extended: Path, domain: Path, bertsmith: Callable[..., Any]
) -> None:
    from bertsmith.verbs.prepare import prepare

    shutil.copytree(extended, tmp_path / "tokenizer")
    (tmp_path / "tokenizer" / RECORD_FILE).unlink()
    prepare(domain, out=tmp_path / "store", tokenizer=str(tmp_path / "tokenizer"), held_out=0.2, workers=1)
    arguments = ("--from", run, "--steps", 1, "--sequence-length", 32, "--out", tmp_path / "run")
    answer = bertsmith("pretrain", tmp_path / "store", *arguments)
    assert answer.code == 2
    assert (
        f"its tokenizer (256 entries) differs from that of {tmp_path / 'store'} (262): 6 entries only in the STORE"
        in (answer.stderr)
    )
    assert f"bertsmith extend-tokenizer {run} SOURCE --add N --out DIR" in answer.stderr
    assert not (tmp_path / "run").exists()


# In one call, with prepare


def prepared(domain: Path, run: Path, out: Path, **options: Any) -> Any:
    """`prepare --add-words 6` with the RUN's tokenizer."""
    from bertsmith.verbs.prepare import prepare

    settings = {"tokenizer": str(run), "add_words": 6, "held_out": 0.2, "workers": 1}
    return prepare(domain, out=out, **{**settings, **options})


def held_out_texts(store: Path, domain: Path) -> set[int]:
    """The held-out lines of the domain."""
    from bertsmith.corpus.store import HELD_OUT, TokenStore

    return {int(name.split("#")[1]) for name in TokenStore(store).part(HELD_OUT).document_ids}


def test_prepare_adds_the_words_that_extend_tokenizer_finds_in_the_training_part(
    tmp_path: Path, run: Path, domain: Path
) -> None:
    result = prepared(domain, run, tmp_path / "store")
    assert (result.vocab_size, result.added_words) == (262, 6)
    held_out = held_out_texts(tmp_path / "store", domain)
    assert 10 < len(held_out) < 40
    lines = domain.read_text().splitlines(keepends=True)
    training = tmp_path / "training.jsonl"
    training.write_text("".join(line for number, line in enumerate(lines) if number not in held_out))
    extend_tokenizer(run, training, add=6, out=tmp_path / "alone", workers=1)
    found, expected = record(tmp_path / "store" / "tokenizer"), record(tmp_path / "alone")
    assert found.pop("sources") == [str(domain)] and expected.pop("sources") == [str(training)]
    assert found == expected
    files = [folder / "tokenizer.json" for folder in (tmp_path / "store" / "tokenizer", tmp_path / "alone")]
    assert files[0].read_bytes() == files[1].read_bytes()
    choices = json.loads((tmp_path / "store" / "manifest.json").read_text())["choices"]
    assert [(choice["name"], choice["value"]) for choice in choices] == [("new words", "6")]


def test_a_word_of_the_held_out_part_alone_is_not_added(tmp_path: Path, run: Path, domain: Path) -> None:
    prepared(domain, run, tmp_path / "store", clean="no-near-duplicates")
    held_out = held_out_texts(tmp_path / "store", domain)
    rows = [json.loads(line) for line in domain.read_text().splitlines()]
    for number in held_out:
        rows[number]["text"] = rows[number]["text"].replace("virtue", "eudaimonia")
    changed = tmp_path / domain.name
    changed.write_text("".join(json.dumps(row) + "\n" for row in rows))
    prepared(changed, run, tmp_path / "changed", add_words=500, clean="no-near-duplicates")
    assert held_out_texts(tmp_path / "changed", changed) == held_out
    added = {word["token"] for word in record(tmp_path / "changed" / "tokenizer")["added"]}
    assert "virtue" in added and "eudaimonia" not in added


def test_pretrain_takes_up_a_store_that_was_prepared_so(
    tmp_path: Path, run: Path, domain: Path, tiny: dict[str, Any]
) -> None:
    from bertsmith.verbs.pretrain import pretrain

    prepared(domain, run, tmp_path / "store")
    result = pretrain(tmp_path / "store", out=tmp_path / "run", from_=str(run), steps=1, **continued(tiny))
    assert json.loads((result.run / "run.json").read_text())["model"]["vocab_size"] == 262


def contents(store: Path) -> dict[str, bytes]:
    """Every file without timings."""
    files = [path for path in store.rglob("*") if path.is_file() and path.name not in ("manifest.json", "report.html")]
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in files}


def test_two_workers_and_an_interruption_change_no_byte(
    tmp_path: Path, run: Path, domain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bertsmith.corpus import plan
    from bertsmith.corpus.preparation import tokenizer
    from bertsmith.corpus.stages import encode

    monkeypatch.setattr(plan, "MIN_BLOCK", 16_000)
    prepared(domain, run, tmp_path / "one")
    assert len(list((tmp_path / "one" / "train").glob("*.arrow"))) > 3
    prepared(domain, run, tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")

    def interrupt(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    for module, name in ((tokenizer, "add_domain_words"), (tokenizer, "save_tokenizer"), (encode, "encode")):
        out = tmp_path / f"stopped-at-{name}"
        with monkeypatch.context() as patch:
            patch.setattr(module, name, interrupt)
            with pytest.raises(KeyboardInterrupt):
                prepared(domain, run, out)
        assert not out.exists()
        assert prepared(domain, run, out, resume=True).added_words == 6
        assert contents(out) == contents(tmp_path / "one")
    assert prepared(domain, run, out, resume=True).added_words == 6, "finished already"
    with pytest.raises(OptionError, match="was prepared with different options"):
        prepared(domain, run, out, resume=True, add_words=5)


def test_prepare_refuses_what_it_cannot_extend(
    tmp_path: Path, run: Path, extended: Path, domain: Path, bertsmith: Callable[..., Any]
) -> None:
    answer = bertsmith("prepare", domain, "--out", tmp_path / "out", "--add-words", 6)
    assert answer.code == 2
    assert "--add-words needs --tokenizer MODEL, the tokenizer to extend, which is missing" in answer.stderr
    with pytest.raises(ModelError, match="the tokenizer is already extended"):
        prepared(domain, extended, tmp_path / "out")
    plain = tmp_path / "plain.txt"
    plain.write_text("".join(f"{' '.join(random.Random(number).sample(PLAIN, 12))}.\n\n" for number in range(2_000)))
    with pytest.raises(
        DataError, match=r"--add-words 6: found no word to add: .* Try: more text .*, or use .* as it is"
    ):
        prepared(plain, run, tmp_path / "out", documents="file", clean="none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain.txt"]
    forecast = prepared(domain, run, tmp_path / "out", dry_run=True)
    assert forecast.documents == 120 and not (tmp_path / "out").exists()


# The real vocabulary


def test_the_meditations_with_berts_own_vocabulary(tmp_path: Path, shared_data: Path) -> None:
    vocabulary, text = shared_data / "golden/bert-base-uncased-vocab.txt", shared_data / "corpora/meditations.txt"
    for file in (vocabulary, text):
        if not file.is_file():
            pytest.skip(f"{file} is not on this machine")
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "vocab.txt").write_bytes(vocabulary.read_bytes())
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "bert"}')
    result = extend_tokenizer(tmp_path / "bert", text, add=500, min_count=1, out=tmp_path / "out", workers=1)
    assert (result.vocab_size, result.added) == (31_022, 500)
    assert result.tokens_per_word["before"] == pytest.approx(1.0638, abs=5e-4)
    assert result.tokens_per_word["after"] == pytest.approx(1.0377, abs=2e-3)
    added = record(tmp_path / "out")["added"]
    assert added[0] == {"token": "thyself", "id": 30_522, "pieces": [15177, 11246, 2546], "count": 112}
    base, new = load_tokenizer(str(tmp_path / "bert")), load_tokenizer(str(tmp_path / "out"))
    sample = (shared_data / "golden/sample_text.txt").read_text()
    names = {word["token"] for word in added}
    lines = [line for line in sample.splitlines() if not any(line.lower().find(name) >= 0 for name in names)]
    assert lines
    for line in lines:
        assert ids_of(base, line) == ids_of(new, line)
    assert new.convert_tokens_to_ids("[unused0]") == 1
