"""token-classification from files to `tag`: windows, offsets, predictions, and what goes wrong."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import bertsmith as package
from bertsmith.errors import DataError, ModelError, OptionError
from bertsmith.verbs.evaluate import evaluate
from bertsmith.verbs.finetune import FinetuneResult, finetune
from bertsmith.verbs.score import score
from support.stock import Stock, assert_same

PEOPLE = ("the baker", "a sailor", "the old teacher", "my neighbour", "the queen", "the captain")
FOOD = ("some bread", "seven green apples")
PLACES = ("near the river", "in the market", "on the hill", "at the harbour")
TASK = "token-classification"
QUICK: dict[str, Any] = {"precision": "fp32", "max_length": 48, "learning_rate": 1e-2, "batch_size": 16}

Sentences = list[list[tuple[str, str]]]


def sentences(count: int, seed: int = 0) -> Sentences:
    """People who found food, in BIO: PER and FOOD, sometimes two in a row."""
    draw, made = random.Random(seed), []
    for _ in range(count):
        words: list[tuple[str, str]] = []
        parts = ((PEOPLE, "PER"), (("found", "sold"), ""), (FOOD, "FOOD"), (FOOD, "FOOD"), (PLACES, ""))
        for texts, type_ in parts[: draw.choice((3, 5))]:
            for number, word in enumerate(draw.choice(texts).split()):
                words.append((word, f"{'I' if number else 'B'}-{type_}" if type_ else "O"))
        made.append([*words, (".", "O")])
    return made


def written(path: Path, content: Sentences) -> Path:
    path.write_text("\n".join("".join(f"{word}\t{tag}\n" for word, tag in words) for words in content))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tagging")
    written(place / "train.conll", sentences(160))
    written(place / "dev.conll", sentences(40, seed=1))
    written(place / "test.conll", sentences(40, seed=2))
    return place


@pytest.fixture(scope="module")
def tuned(run: Path, folder: Path) -> FinetuneResult:
    files = {"train": folder / "train.conll", "dev": folder / "dev.conll", "test": folder / "test.conll"}
    return finetune(TASK, model=run, out=folder / "run", epochs=6, **files, **QUICK)


def test_a_tagging_that_can_be_learned_is_learned(tuned: FinetuneResult) -> None:
    assert list(tuned.metrics) == ["f1", "precision", "recall", "accuracy"]
    assert tuned.metrics["f1"]["mean"] > 0.9
    assert tuned.baseline["f1"] == 0 < tuned.baseline["accuracy"] < 0.7
    assert tuned.windowed_examples == 0 and tuned.num_examples == 40
    answer = tuned.to_dict()
    assert answer["windowed_examples"] == 0 and answer["truncated_tokens"] == 0
    record = json.loads((tuned.run / "run.json").read_text())
    assert list(record["data"]["labels"]) == ["O", "B-FOOD", "B-PER", "I-FOOD", "I-PER"]
    assert "in windows" in (tuned.run / "report.html").read_text()


def converted(path: Path, content: Sentences, scheme: str) -> Path:
    """The same entities in another scheme."""
    from bertsmith.metrics import entities

    made: Sentences = []
    for words in content:
        found = entities.entities([tag for _, tag in words])
        tags = entities.tags_from_entities(found, len(words), scheme)  # type: ignore[arg-type]
        made.append([(word, tag) for (word, _), tag in zip(words, tags, strict=True)])
    return written(path, made)


@pytest.mark.parametrize("scheme", ["BIO", "BIOES", "IOB1"])
def test_evaluate_and_score_agree_in_every_scheme(tuned: FinetuneResult, tmp_path: Path, scheme: str) -> None:
    gold = converted(tmp_path / "gold.conll", sentences(40, seed=2), scheme)
    figures = evaluate(tuned.run, gold, predictions=tmp_path / "predicted.conll", max_length=48)
    assert figures.metrics["f1"]["value"] == tuned.metrics["f1"]["mean"], "the entities are the same"
    scored = score(TASK, gold, tmp_path / "predicted.conll")
    assert figures.metrics == {name: scored.metrics[name].to_dict() for name in figures.metrics}
    assert scored.scheme == scheme
    lines = (tmp_path / "predicted.conll").read_text().split("\n")
    assert len(lines[0].split("\t")) == 3
    assert [line.rpartition("\t")[0] for line in lines] == gold.read_text().split("\n")


def test_training_in_another_scheme_is_the_same_training(
    run: Path, tuned: FinetuneResult, folder: Path, tmp_path: Path
) -> None:
    train = converted(tmp_path / "train.conll", sentences(160), "IOB1")
    files = {"train": train, "dev": folder / "dev.conll", "test": folder / "test.conll"}
    again = finetune(TASK, model=run, out=tmp_path / "run", epochs=6, **files, **QUICK)
    assert again.metrics == tuned.metrics


def test_tag_gives_characters_of_the_text(tuned: FinetuneResult) -> None:
    texts = ["  The  baker sold\tsome\u200b bread.", "my neighbour found seven green apples .", "", "\u200b"]
    answers = package.load(tuned.run).tag(texts)
    assert [answer.text for answer in answers] == texts
    assert [(entity.label, entity.text) for entity in answers[0].entities] == [
        ("PER", "The  baker"),
        ("FOOD", "some\u200b bread"),
    ]
    assert [entity.text for entity in answers[1].entities] == ["my neighbour", "seven green apples"]
    assert answers[2].entities == answers[3].entities == []
    for answer in answers:
        for entity in answer.entities:
            assert answer.text[entity.start : entity.end] == entity.text
            assert 0 < entity.score <= 1
    assert package.load(tuned.run).tag(texts[0]) == answers[0]


def test_tag_is_stocks_softmax(tuned: FinetuneResult) -> None:
    text = "the queen sold some bread near the river ."
    stock = Stock(tuned.run, "AutoModelForTokenClassification")
    probabilities, words = stock.probabilities(text), stock.tokenizer(text).word_ids(0)
    firsts = {word: place for place, word in reversed(list(enumerate(words))) if word is not None}
    said = [stock.model.config.id2label[int(probabilities[firsts[word]].argmax())] for word in range(9)]
    assert said[:2] == ["B-PER", "I-PER"]
    (first, *_) = package.load(tuned.run).tag(text).entities
    expected = [float(probabilities[firsts[word]].max()) for word in (0, 1)]
    assert_same(first.score, sum(expected) / 2)


def documents(count: int, size: int, seed: int) -> Sentences:
    """Each of so many sentences, as one."""
    return [[word for words in sentences(size, seed=1000 * seed + number) for word in words] for number in range(count)]


def test_long_sentences_are_learned_and_tagged_in_windows(run: Path, tmp_path: Path) -> None:
    """Windows of 24 tokens of sentences of 50 to 150, then text beyond the model's 64 positions."""
    train, dev = (
        written(tmp_path / f"{name}.conll", documents(count, size, seed))
        for seed, (name, count, size) in enumerate([("train", 60, 4), ("dev", 12, 10)])
    )
    options = {**QUICK, "max_length": 24, "epochs": 8}
    result = finetune(TASK, model=run, train=train, dev=dev, out=tmp_path / "run", **options)
    assert result.metrics["f1"]["mean"] > 0.9
    assert (result.windowed_examples, result.num_examples, result.truncated_tokens) == (72, 12, 0)
    figures = evaluate(result.run, dev, predictions=tmp_path / "p.conll", max_length=24).to_dict()
    assert (figures["windowed_examples"], figures["truncated_tokens"], figures["num_examples"]) == (12, 0, 12)
    assert figures["metrics"]["f1"]["value"] == result.metrics["f1"]["mean"]
    (words,) = documents(1, 10, 7)
    assert score(TASK, dev, tmp_path / "p.conll").tokens == sum(map(len, documents(12, 10, 1)))
    text = " ".join(word for word, _ in words)
    expected = sum(tag.startswith("B-") for _, tag in words)
    found = package.load(result.run).tag(text).entities
    assert abs(len(found) - expected) < expected / 4
    assert found[-1].end > len(text) * 0.9


def test_fine_tuning_on_long_sentences_counts_and_says_so(
    bertsmith: Callable[..., Any], run: Path, tmp_path: Path
) -> None:
    data = written(tmp_path / "long.conll", [sentences(1)[0] * 6, *sentences(5)])
    call = ("--train", data, "--dev", data, "--out", tmp_path / "run", "--max-length", 16, "--batch-size", 4)
    answer = bertsmith("finetune", TASK, "--model", run, *call, "--epochs", 1, "--precision", "fp32", "--json")
    assert answer.json["windowed_examples"] >= 2 and answer.json["truncated_tokens"] == 0
    assert "are longer than 16 tokens and are read in overlapping windows" in answer.stderr
    assert answer.json["num_examples"] == 6
    said = bertsmith("evaluate", tmp_path / "run", data, "--max-length", 16)
    assert "examples longer than 16 tokens" in said.stderr


def test_plain_labels(bertsmith: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    """Parts of speech: accuracy alone, every word is tagged, and score agrees."""
    nouns = {word for texts in (PEOPLE, FOOD, PLACES) for text in texts for word in text.split()[-1:]}
    content = [[(word, "NOUN" if word in nouns else "X") for word, _ in words] for words in sentences(80)]
    data = written(tmp_path / "pos.conll", content)
    result = finetune(TASK, model=run, train=data, dev=data, out=tmp_path / "run", epochs=4, **QUICK)
    assert list(result.metrics) == ["accuracy"]
    assert result.metrics["accuracy"]["mean"] > 0.9 > result.baseline["accuracy"]
    figures = evaluate(result.run, data, predictions=tmp_path / "p.conll", max_length=48)
    scored = bertsmith("score", TASK, data, tmp_path / "p.conll", "--json").json
    assert scored["accuracy"] == figures.metrics["accuracy"]["value"]
    assert (scored["scheme"], scored["types"]) == (None, {})
    assert "plain labels" in bertsmith("score", TASK, data, tmp_path / "p.conll").stdout
    assert bertsmith("score", TASK, data, tmp_path / "p.conll", "--strict").code == 2
    (answer,) = bertsmith("tag", result.run, "the baker sold bread", "--json").json_lines
    assert [entity["text"] for entity in answer["entities"]] == ["the", "baker", "sold", "bread"]
    assert answer["entities"][1]["label"] == "NOUN"


def test_the_kind_of_the_labels_is_stored_and_obeyed(bertsmith: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    """A dev file that lacks M looks like entities by itself; the RUN says that labels are plain ones."""
    train, dev, out = tmp_path / "train.conll", tmp_path / "dev.conll", tmp_path / "run"
    train.write_text("the B\nold M\nbaker E\nsold S\n\nsome B\nbread E\n" * 4)
    dev.write_text("some B\nbread E\nsold S\n\nsome B\nbread E\n")
    result = finetune(TASK, model=run, train=train, dev=dev, out=out, epochs=2, **QUICK)
    assert list(result.metrics) == ["accuracy"]
    config = json.loads((out / "config.json").read_text())
    assert config["labels_are"] == "plain"
    answer = bertsmith("evaluate", out, dev, "--predictions", tmp_path / "p.conll", "--max-length", 48, "--json")
    accuracy = answer.json["metrics"]["accuracy"]["value"]
    assert list(answer.json["metrics"]) == ["accuracy"] and accuracy == result.metrics["accuracy"]["mean"]
    lines = (tmp_path / "p.conll").read_text()
    assert lines.startswith("# labels_are = plain\n") == ("\tM" not in lines), "only if they look like entities"
    for option in ((), ("--labels-are", "plain")):
        scored = bertsmith("score", TASK, dev, tmp_path / "p.conll", *option, "--json")
        assert scored.json["accuracy"] == accuracy and "f1" not in scored.json
    (out / "config.json").write_text(json.dumps({**config, "labels_are": "words"}))
    with pytest.raises(ModelError, match=r"labels_are in its config.json is 'words', expected 'plain' or 'entities'"):
        evaluate(out, dev)


def test_plain_labels_with_an_o_are_learned_and_tagged(
    bertsmith: Callable[..., Any], run: Path, tmp_path: Path
) -> None:
    """Tags of tweets: O is a pronoun. What is learned on from a RUN of entities is not called so any more."""
    data, entities, out = tmp_path / "pos.conll", tmp_path / "ner.conll", tmp_path / "run"
    data.write_text("she O\nsold V\nbread N\n\nhe O\nfound V\nbread N\n" * 8)
    entities.write_text("she O\nsold O\nbread B-FOOD\n" * 4)
    first = finetune(TASK, model=run, train=entities, dev=entities, out=tmp_path / "first", epochs=1, **QUICK)
    with pytest.raises(
        DataError, match=r"line 2: found the tag 'V', expected O, .*. Try: --labels-are plain if the tags"
    ):
        finetune(TASK, model=run, train=data, dev=data, out=out, epochs=1, **QUICK)
    plain = {"labels_are": "plain", "epochs": 4, "seeds": 2, **QUICK}
    result = finetune(TASK, model=first.run, train=data, dev=data, out=out, **plain)
    assert list(result.metrics) == ["accuracy"] and result.metrics["accuracy"]["mean"] > 0.9
    assert json.loads((first.run / "config.json").read_text())["labels_are"] == "entities"
    assert json.loads((out / "config.json").read_text())["labels_are"] == "plain"
    assert evaluate(out, data, max_length=48).metrics["accuracy"]["value"] > 0.9
    (answer,) = bertsmith("tag", out, "she sold bread", "--json").json_lines
    assert [entity["label"] for entity in answer["entities"]] == ["O", "V", "N"]
    assert bertsmith("evaluate", out, data, "--labels-are", "entities").code == 2


def test_treebanks_are_learned_measured_and_scored_alike(
    bertsmith: Callable[..., Any], run: Path, tmp_path: Path
) -> None:
    def treebank(name: str, words: list[tuple[str, str]]) -> Path:
        lines = [
            f"{number}\t{word}\t_\t{tag}\tx{tag}\t_\t0\tdep\t_\t_" for number, (word, tag) in enumerate(words, start=1)
        ]
        lines.insert(1, "2-3\tjoined" + "\t_" * 8)
        path = tmp_path / name
        path.write_text("\n".join(["# text = joined words", *lines, "", "# text = again", *lines, "", ""]))
        return path

    data = treebank("train.conllu", [("she", "PRON"), ("sold", "VERB"), ("bread", "NOUN")])
    call = ("--train", data, "--dev", data, "--out", tmp_path / "run", "--precision", "fp32", "--epochs", 1)
    said = bertsmith("finetune", TASK, "--model", run, *call, "--label-column", "xpos", "--max-length", 48).stderr
    assert said.count("words from FORM, tags from XPOS; left out: 2 ranges, 2 comment lines") == 2
    labels = ("--label-column", "XPOS")
    figures = bertsmith(
        "evaluate", tmp_path / "run", data, *labels, "--predictions", tmp_path / "p.conll", "--json"
    ).json
    assert (tmp_path / "p.conll").read_text().startswith("she\txPRON\tx")
    scored = bertsmith("score", TASK, data, tmp_path / "p.conll", *labels, "--json").json
    assert (scored["tokens"], scored["accuracy"]) == (6, figures["metrics"]["accuracy"]["value"])
    compared = bertsmith("compare", tmp_path / "run", tmp_path / "run", data, *labels, "--json").json
    assert compared["metrics"]["accuracy"]["a"] == scored["accuracy"]
    answer = bertsmith("evaluate", tmp_path / "run", data)
    assert (
        answer.code == 2 and "found the tag 'PRON', expected a tag of the model (xNOUN, xPRON, xVERB)" in answer.stderr
    )
    answer = bertsmith("evaluate", tmp_path / "run", data, *labels, "--slice", "genre")
    assert answer.code == 2 and "is not a table, so it has no column to slice by" in answer.stderr


def test_on_the_command_line(bertsmith: Callable[..., Any], tuned: FinetuneResult, tmp_path: Path) -> None:
    texts = ["the queen sold some bread .", "my neighbour found some bread ."]
    answers = bertsmith("tag", tuned.run, *texts, "--json").json_lines
    assert [set(answer) for answer in answers] == [{"text", "entities"}] * 2
    assert set(answers[0]["entities"][0]) == {"label", "text", "start", "end", "score"}
    assert answers[0]["entities"][0] | {"score": 1} == {
        "label": "PER",
        "text": "the queen",
        "start": 0,
        "end": 9,
        "score": 1,
    }
    (tmp_path / "texts.txt").write_text("\n".join(texts) + "\n")
    assert bertsmith("tag", tuned.run, "--input", tmp_path / "texts.txt", "--json").json_lines == answers
    assert bertsmith("tag", tuned.run, "--json", stdin="\n".join(texts)).json_lines == answers
    shown = bertsmith("tag", tuned.run, texts[0]).stdout
    assert "PER" in shown and "the queen   (0 to 9)" in shown


def test_what_comes_next_is_tag(bertsmith: Callable[..., Any], run: Path, folder: Path, tmp_path: Path) -> None:
    data = ("--train", folder / "dev.conll", "--dev", folder / "dev.conll", "--out", tmp_path / "run")
    said = bertsmith("finetune", TASK, "--model", run, *data, "--epochs", 1, "--max-length", 32).stdout
    assert f"Next:\n  bertsmith tag {tmp_path / 'run'}" in said


def test_a_model_with_another_head(tuned: FinetuneResult, run: Path, folder: Path) -> None:
    with pytest.raises(
        ModelError, match=r"has no tagging head \(it is a BertForPreTraining\)\. Try: bertsmith finetune token"
    ):
        package.load(run).tag("a")
    with pytest.raises(ModelError, match="has no classification head"):
        package.load(tuned.run).classify("a")
    with pytest.raises(OptionError, match=r"is a token-classification model\. Try: leave the option out"):
        evaluate(tuned.run, folder / "dev.conll", problem_type="regression")


def test_data_that_does_not_fit(
    bertsmith: Callable[..., Any], tuned: FinetuneResult, run: Path, folder: Path, tmp_path: Path
) -> None:
    dev = tmp_path / "dev.conll"
    dev.write_text("a O\nb B-LOC\n")
    data = ("--train", folder / "train.conll", "--dev", dev, "--out", tmp_path / "run", "--max-length", 32)
    for answer in (bertsmith("finetune", TASK, "--model", run, *data), bertsmith("evaluate", tuned.run, dev)):
        assert answer.code == 2
        assert f"{dev}: line 2: found the tag 'B-LOC', expected a tag of the model (O, FOOD, PER)" in answer.stderr
    dev.write_text("")
    assert "the file is empty" in bertsmith("evaluate", tuned.run, dev).stderr
    dev.write_text("text,label\nsome words,good\n")
    assert "line 1: found 'text,label', expected a token and" in bertsmith("evaluate", tuned.run, dev).stderr
    answer = bertsmith("finetune", TASK, "--model", run, *data, "--problem-type", "regression")
    assert answer.code == 2
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["ncbi-disease/devel.tsv", "wnut17/emerging.dev.conll", "wnut17/wnut17train.conll"])
def test_real_files_keep_every_word(run: Path, shared_data: Path, name: str) -> None:
    from bertsmith.tasks.files.labelled_file import Columns
    from bertsmith.tasks.token_classification.task import TokenClassification
    from bertsmith.tasks.values import IGNORED
    from bertsmith.tokenization.folder import load_tokenizer

    file = shared_data / "ner" / name
    examples = TokenClassification.read(file, Columns())[:300]
    head = TokenClassification.for_training(
        examples, SimpleNamespace(problem_type="single_label_classification", labels_are=None)
    )
    inputs = head.encode(load_tokenizer(str(run)), examples, 32)
    targets, rows = head.targets(examples, str(file)), list(range(len(inputs.lengths)))
    assert inputs.windowed_examples > 0
    learned = head.row_targets(inputs, targets, rows) != IGNORED
    assert learned.sum() == sum(len(sentence.tokens) for sentence in examples)
