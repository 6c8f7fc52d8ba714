"""The verb `score`: the published figures of three SQuAD systems, tags and labels, and what it says aside."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bertsmith as package
from bertsmith.errors import DataError
from bertsmith.tasks.question_answering.score import AnswerScores
from bertsmith.tasks.sequence_classification.score import LabelScores
from bertsmith.tasks.token_classification.score import EntityScores

# question-answering

OURS = {
    "exact": "exact_match",
    "f1": "f1",
    "total": "total",
    "HasAns_exact": "has_answer_exact_match",
    "HasAns_f1": "has_answer_f1",
    "HasAns_total": "has_answer_total",
    "NoAns_exact": "no_answer_exact_match",
    "NoAns_f1": "no_answer_f1",
    "NoAns_total": "no_answer_total",
    "best_exact": "best_exact_match",
    "best_exact_thresh": "best_exact_match_threshold",
    "best_f1": "best_f1",
    "best_f1_thresh": "best_f1_threshold",
}
"""The names of the script of SQuAD 2.0, and ours."""


@pytest.fixture(scope="module")
def golden(shared_data: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((shared_data / "golden" / "squad-scores.json").read_text())
    return content


@pytest.mark.parametrize("system", ["bert-ensemble", "logistic-regression"])
def test_squad_1(bertsmith: Callable[..., Any], shared_data: Path, golden: dict[str, Any], system: str) -> None:
    name = f"squad-v1.1-{system}-predictions.json"
    predictions = shared_data / "golden" / name
    answer = bertsmith("score", "question-answering", shared_data / "squad" / "dev-v1.1.json", predictions, "--json")
    expected, found = golden[name], answer.json
    for figure in ("exact_match", "f1"):
        assert found[figure] == pytest.approx(expected[figure], abs=5e-5)
        assert found["intervals"][figure]["low"] < found[figure] < found["intervals"][figure]["high"]
    assert (found["total"], found["missing"]) == (expected["total"], expected["missing"])
    said = f"{expected['missing']} of 10,570 questions have no prediction and count as wrong"
    assert (said in answer.stderr) == (expected["missing"] > 0)
    assert not {"has_answer_f1", "no_answer_f1"} & set(found)


@pytest.mark.parametrize("threshold", [None, 1.0, 0.45])
def test_squad_2(
    bertsmith: Callable[..., Any], shared_data: Path, golden: dict[str, Any], threshold: float | None
) -> None:
    folder, name = shared_data / "golden", "squad-v2.0-bert-single-predictions.json"
    files = (shared_data / "squad" / "dev-v2.0.json", folder / name)
    more = ["--no-answer-probabilities", folder / "squad-v2.0-na-prob.json", "--no-answer-threshold", threshold]
    answer = bertsmith("score", "question-answering", *files, "--json", *(more if threshold is not None else []))
    expected = golden[name]["no_na_prob" if threshold is None else f"with_na_prob_threshold_{threshold}"]
    assert {ours: answer.json[ours] for theirs, ours in OURS.items() if theirs in expected} == pytest.approx(
        {OURS[theirs]: value for theirs, value in expected.items()}, abs=5e-5
    )
    assert len(expected) == (9 if threshold is None else 13)
    assert answer.stderr == ""
    if threshold is None:
        assert answer.json["best_f1"] is None


def squad(path: Path, answers: dict[str, list[str]]) -> Path:
    """SQuAD JSON of these questions."""
    qas = [{"id": name, "answers": [{"text": text} for text in texts]} for name, texts in answers.items()]
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": "", "qas": qas}]}]}))
    return path


def test_questions_of_a_data_set_without_ids(bertsmith: Callable[..., Any], tmp_path: Path) -> None:
    """The predictions are those of the numbers of the questions; of a data set the test part is meant."""
    (tmp_path / "questions").mkdir()
    lines = ({"question": "Who?", "context": "x y", "answers": {"text": [each], "answer_start": [0]}} for each in "xy")
    (tmp_path / "questions" / "test.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (tmp_path / "predictions.json").write_text(json.dumps({"1": "x", "2": "z"}))
    files = (f"hf:{tmp_path}/questions", tmp_path / "predictions.json")
    answer = bertsmith("score", "question-answering", *files, "--json")
    assert (answer.json["total"], answer.json["exact_match"]) == (2, 50)
    assert "2 of 2 questions have no id; their number in the file, from 1, is used as the id" in answer.stderr


def test_missing_and_unknown_ids_are_counted_and_said(bertsmith: Callable[..., Any], tmp_path: Path) -> None:
    gold = squad(tmp_path / "gold.json", {"1": ["x"], "2": ["x"], "3": ["x"]})
    (tmp_path / "predictions.json").write_text(json.dumps({"1": "x", "2": "y", "7": "x", "8": "x"}))
    answer = bertsmith("score", "question-answering", gold, tmp_path / "predictions.json", "--json")
    assert (answer.json["total"], answer.json["missing"], answer.json["unknown"]) == (3, 1, 2)
    assert answer.json["exact_match"] == pytest.approx(100 / 3)
    missing, unknown = answer.stderr.splitlines()
    assert "1 of 3 questions have no prediction and count as wrong" in missing
    assert f"2 ids are not in {gold} and are ignored" in unknown


# token-classification


def columns(path: Path, sentences: list[list[str]]) -> Path:
    """A file of tokens and tags; the token says where it stands."""
    blocks = [
        "".join(f"word{number}-{place} {tag}\n" for place, tag in enumerate(tags))
        for number, tags in enumerate(sentences)
    ]
    path.write_text("\n".join(blocks))
    return path


def test_tags(bertsmith: Callable[..., Any], tmp_path: Path) -> None:
    """Three entities, two predicted, one of them right."""
    gold = columns(tmp_path / "gold.txt", [["B-PER", "I-PER", "O"], ["B-LOC", "B-PER"]])
    predictions = columns(tmp_path / "predicted.txt", [["B-PER", "I-PER", "O"], ["O", "B-LOC"]])
    answer = bertsmith("score", "token-classification", gold, predictions, "--json")
    found = answer.json
    assert (found["precision"], found["recall"], found["f1"]) == pytest.approx((1 / 2, 1 / 3, 2 / 5))
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert (found["gold"], found["predicted"], found["sentences"], found["tokens"]) == (3, 2, 2, 5)
    assert found["types"]["PER"]["recall"] == 0.5
    assert (found["types"]["LOC"]["gold"], found["types"]["LOC"]["predicted"]) == (1, 1)
    assert found["types"]["LOC"]["f1"] == 0
    assert set(found["intervals"]) == {"precision", "recall", "f1", "accuracy"}
    assert set(found["types"]["PER"]["intervals"]) == {"precision", "recall", "f1"}
    assert answer.stderr == (
        "labels: entities (detected from the tags of both files; --labels-are overrides this)\n"
        f"scheme: BIO (detected from the tags of {gold})\n"
    )


def test_real_tags_against_themselves_and_with_entities_taken_out(shared_data: Path, tmp_path: Path) -> None:
    """Of the 1,079 entities of the WNUT-17 test part every one whose B stands on a line divisible by 5 is removed."""
    gold = shared_data / "ner" / "wnut17" / "emerging.test.annotated"
    same = package.score("token-classification", gold, gold)
    assert isinstance(same, EntityScores)
    assert {figure.value for figure in same.metrics.values()} == {1.0}
    assert (same.gold, same.tokens, same.sentences, same.scheme) == (1079, 23394, 1287, "BIO")
    lines, removed, inside = [], 0, False
    for number, line in enumerate(gold.read_text(encoding="utf-8").split("\n")):
        begins = re.search(r"\tB-\S+$", line)
        inside = bool(begins and number % 5 == 0) or (inside and "\tI-" in line)
        removed += bool(begins and inside)
        lines.append(re.sub(r"\t[BI]-\S+$", "\tO", line) if inside else line)
    predictions = tmp_path / "predicted.conll"
    predictions.write_text("\n".join(lines), encoding="utf-8")
    found = package.score("token-classification", gold, predictions)
    assert removed > 100
    assert found.metrics["precision"].value == 1
    assert found.metrics["recall"].value == pytest.approx((1079 - removed) / 1079)


def test_the_form_of_conll_2003(tmp_path: Path) -> None:
    """Four columns parted by blanks, IOB1, documents parted by a line that is no token."""
    head = "-DOCSTART- -X- -X- O\n\n"
    gold = tmp_path / "gold.txt"
    gold.write_text(f"{head}EU NNP B-NP I-ORG\nJim NNP B-NP I-PER\nBob NNP I-NP B-PER\n\n{head}Oslo NNP B-NP I-LOC\n")
    predictions = tmp_path / "predicted.txt"
    predictions.write_text("EU I-ORG\nJim I-PER\nBob I-PER\n\n\nOslo I-LOC\n\n")
    found = package.score("token-classification", gold, predictions)
    assert (found.scheme, found.sentences, found.tokens, found.gold, found.predicted) == ("IOB1", 2, 4, 4, 3)
    assert found.metrics["f1"].value == pytest.approx(2 * 2 / (4 + 3))


def test_tokens_may_hold_blanks_where_tabs_part_the_columns(tmp_path: Path) -> None:
    file = tmp_path / "gold.tsv"
    file.write_bytes("\ufeffNew York\tB-LOC\r\n\u00a0\tO\r\n\r\n\r\n5 1/2\tO\r\n\u00a0 NN  O \r\n".encode())
    found = package.score("token-classification", file, file)
    assert (found.sentences, found.tokens, found.gold) == (2, 4, 1)


def test_plain_labels_of_a_column_by_number(tmp_path: Path) -> None:
    """Parts of speech are scored by accuracy alone; three of four are right."""
    gold = tmp_path / "gold.txt"
    gold.write_text("EU NNP B-ORG\nrejects VBZ O\n\nOslo NNP B-LOC\n. . O\n")
    predictions = tmp_path / "predicted.txt"
    predictions.write_text("EU NNP\nrejects NN\n\nOslo NNP\n. .\n")
    found = package.score("token-classification", gold, predictions, label_column=1)
    assert isinstance(found, EntityScores)
    assert {name: figure.value for name, figure in found.metrics.items()} == {"accuracy": 0.75}
    assert (found.scheme, found.types, found.gold, found.sentences, found.tokens) == (None, {}, 0, 2, 4)


def test_tags_of_json_lines(tmp_path: Path) -> None:
    gold, predictions = tmp_path / "gold.jsonl", tmp_path / "predicted.txt"
    gold.write_text('{"tokens": ["New York", "is"], "tags": ["B-LOC", "O"]}\n')
    predictions.write_text("New York\tB-LOC\nis\tB-LOC\n")
    found = package.score("token-classification", gold, predictions)
    assert (found.metrics["precision"].value, found.metrics["recall"].value) == (0.5, 1)


# sequence-classification


def labelled(path: Path, labels: list[Any]) -> Path:
    """A labelled file of numbered texts."""
    path.write_text("".join(json.dumps({"text": f"text {n}", "label": label}) + "\n" for n, label in enumerate(labels)))
    return path


def predicted(path: Path, **values: list[Any]) -> Path:
    """Predictions for them."""
    names, columns = list(values), zip(*values.values(), strict=True)
    rows = [{"text": f"text {n}", **dict(zip(names, row, strict=True))} for n, row in enumerate(columns)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_two_classes(bertsmith: Callable[..., Any], tmp_path: Path) -> None:
    """TP 3, FP 1, FN 2, TN 4 of the class 1."""
    gold = labelled(tmp_path / "gold.jsonl", [1, 1, 1, 0, 1, 1, 0, 0, 0, 0])
    predictions = predicted(tmp_path / "predicted.jsonl", label=["1", "1", "1", "1", "0", "0", "0", "0", "0", "0"])
    found = bertsmith("score", "sequence-classification", gold, predictions, "--json").json
    assert found["labels"] == ["0", "1"]
    assert found["positive_label"] == "1"
    assert found["total"] == 10
    assert (found["accuracy"], found["micro_f1"], found["f1"]) == pytest.approx((0.7, 0.7, 6 / 9))
    assert found["macro_f1"] == pytest.approx((6 / 9 + 8 / 11) / 2)
    assert found["matthews"] == pytest.approx((3 * 4 - 1 * 2) / (4 * 5 * 5 * 6) ** 0.5)
    assert set(found["intervals"]) == {"accuracy", "micro_f1", "f1", "macro_f1", "matthews"}


def test_a_class_that_could_have_been_chosen_makes_three(tmp_path: Path) -> None:
    gold = labelled(tmp_path / "gold.jsonl", ["a", "b"])
    files = [
        predicted(tmp_path / f"{n}.jsonl", label=["a", "b"], probabilities=[dict.fromkeys(labels, 0.5)] * 2)
        for n, labels in enumerate(("ab", "abc"))
    ]
    two, three = (package.score("sequence-classification", gold, file) for file in files)
    assert isinstance(two, LabelScores)
    assert "f1" in two.metrics and two.positive_label == "b"
    assert "f1" not in three.metrics and three.positive_label is None
    assert three.labels == ["a", "b", "c"]


def test_a_label_in_a_different_spelling_is_no_wrong_answer(tmp_path: Path) -> None:
    """It would count as wrong in every row."""
    gold = labelled(tmp_path / "gold.jsonl", ["Good", "bad", "Good"])
    with pytest.raises(DataError, match=r"gold\.jsonl: line 1: the label 'Good' is not .* has 'good', which differs"):
        package.score("sequence-classification", gold, predicted(tmp_path / "p.jsonl", label=["good", "bad", "bad"]))
    both = labelled(tmp_path / "both.jsonl", ["Good", "good", "bad"])
    guesses = predicted(tmp_path / "q.jsonl", label=["good", "good", "bad"])
    assert package.score("sequence-classification", both, guesses).metrics["accuracy"].value == pytest.approx(2 / 3)


def test_of_two_whole_numbers_the_larger_is_positive(tmp_path: Path) -> None:
    gold = labelled(tmp_path / "gold.jsonl", [9, 10, 10])
    found = package.score("sequence-classification", gold, predicted(tmp_path / "p.jsonl", label=["10", "10", "9"]))
    assert found.positive_label == "10"
    assert found.metrics["f1"].value == pytest.approx(0.5)


def test_numbers(tmp_path: Path) -> None:
    draw = random.Random(0)
    values = [draw.random() for _ in range(50)]
    gold = labelled(tmp_path / "gold.jsonl", [value**3 for value in values])
    found = package.score("sequence-classification", gold, predicted(tmp_path / "predicted.jsonl", value=values))
    assert set(found.metrics) == {"pearson", "spearman", "mean_squared_error"}
    assert found.metrics["spearman"].value == pytest.approx(1)
    assert 0.8 < found.metrics["pearson"].value < 0.95
    assert (found.labels, found.positive_label, found.total) == ([], None, 50)


def test_a_file_of_predictions_holds_its_own_labels(tmp_path: Path) -> None:
    file = predicted(tmp_path / "p.jsonl", gold=["a", "b", "b"], label=["a", "a", "b"])
    found = package.score("sequence-classification", file, file, label_column="gold")
    assert found.metrics["accuracy"].value == pytest.approx(2 / 3)


# What people read


def test_what_people_read(bertsmith: Callable[..., Any], tmp_path: Path) -> None:
    gold = squad(tmp_path / "gold.json", {"1": ["x"], "2": []})
    for name, content in (("p", {"1": "x", "2": "x"}), ("n", {"1": 0.1, "2": 0.9})):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    probabilities = ("--no-answer-probabilities", tmp_path / "n.json", "--no-answer-threshold", 0.5)
    said = bertsmith("score", "question-answering", gold, tmp_path / "p.json", *probabilities).stdout
    assert said.startswith("2 questions, 0 without a prediction\n  exact_match            100.0%  95% interval 100.0%")
    assert "  best f1 100.0% at a threshold of 0.1, chosen on the same questions\n" in said
    tags = columns(tmp_path / "gold.txt", [["B-PER", "O"]])
    said = bertsmith("score", "token-classification", tags, tags).stdout
    assert "1 sentence, 2 tokens, 1 entity, 1 predicted (BIO)\n  precision " in said
    assert "PER: 1 entity, 1 predicted\n  precision            100.0%  95% interval" in said
    labels = labelled(tmp_path / "gold.jsonl", ["bad", "good"])
    predictions = predicted(tmp_path / "p.jsonl", label=["bad", "good"])
    said = bertsmith("score", "sequence-classification", labels, predictions).stdout
    assert said.startswith("2 examples\n  accuracy             100.0%")
    assert said.endswith("  f1 is for the label 'good'\n")


def test_what_python_returns_is_typed(tmp_path: Path) -> None:
    gold = squad(tmp_path / "gold.json", {"1": ["x y"]})
    (tmp_path / "p.json").write_text('{"1": "x"}')
    found = package.score("question-answering", gold, tmp_path / "p.json")
    assert isinstance(found, AnswerScores)
    assert found.metrics["f1"].value == found.to_dict()["f1"] == pytest.approx(200 / 3)
    assert found.to_dict()["intervals"]["f1"] == {"low": found.metrics["f1"].low, "high": found.metrics["f1"].high}


def test_the_test_part_of_a_data_set_as_evaluate_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    for part, labels in (("train", ["x", "y", "x"]), ("test", ["x", "y"])):
        labelled(tmp_path / "data" / f"{part}.jsonl", labels)
    monkeypatch.chdir(tmp_path)
    found = package.score("sequence-classification", "hf:./data", predicted(tmp_path / "predictions", label=["x", "x"]))
    assert found.total == 2


def test_a_number_beyond_float_is_named(tmp_path: Path) -> None:
    gold, predictions = tmp_path / "gold.jsonl", tmp_path / "predicted.jsonl"
    gold.write_text('{"text": "a", "label": ' + "9" * 400 + "}\n")
    predictions.write_text('{"text": "a", "value": 1.0}\n')
    with pytest.raises(DataError, match=r"gold\.jsonl: line 1: found the label .* expected a finite number"):
        package.score("sequence-classification", gold, predictions)


def test_tokens_may_stand_in_any_column_of_the_gold(tmp_path: Path) -> None:
    gold, predictions = tmp_path / "gold.txt", tmp_path / "predicted.txt"
    gold.write_text("1\tOslo\tB-LOC\n2\tis\tO\n")
    predictions.write_text("Oslo\tB-LOC\nis\tO\n")
    assert package.score("token-classification", gold, predictions, text_column=1).metrics["f1"].value == 1
