"""Tagged sentences: CoNLL columns and JSON lines give the same result; every mistake is reported at its line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.errors import DataError, OptionError
from bertsmith.tasks.files.labelled_file import Columns
from bertsmith.tasks.token_classification import conll_file, conllu_file, tag_kinds, tagged_file
from bertsmith.tasks.token_classification.tagged_file import read_scored, read_tagged


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., list[tuple[list[str], list[str]]]]:
    """Tokens and tags of the sentences of a file with this content."""

    def call(
        content: str, ending: str = ".txt", placeholder_label: str | None = None, **columns: object
    ) -> list[tuple[list[str], list[str]]]:
        file = tmp_path / f"file{ending}"
        file.write_text(content, encoding="utf-8")
        found = read_tagged(file, Columns(**columns), placeholder_label=placeholder_label)  # type: ignore[arg-type]
        return [(each.tokens, each.tags) for each in found]

    return call


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The notes that are printed."""
    notes: list[str] = []
    for module in (conll_file, conllu_file, tag_kinds, tagged_file):
        monkeypatch.setattr(module, "log_info", notes.append)
    return notes


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The warnings that are printed."""
    warnings: list[str] = []
    monkeypatch.setattr(tag_kinds, "warn", warnings.append)
    return warnings


Read = Callable[..., list[tuple[list[str], list[str]]]]


def test_columns_and_json_lines_give_the_same(read: Read) -> None:
    expected = [(["New York", "is"], ["B-LOC", "O"]), (["\u200b"], ["O"])]
    columns = "New York\tB-LOC\nis\tO\n\n\u200b\tO\n"
    lines = "".join(json.dumps({"tokens": tokens, "tags": tags}) + "\n" for tokens, tags in expected)
    assert read(columns) == read(columns, ".csv") == read(columns, ".jsonl", file_format="conll") == expected
    assert read(lines, ".jsonl") == read(lines, ".txt", file_format="jsonl") == expected
    renamed = lines.replace("tokens", "w").replace("tags", "t")
    assert read(renamed, ".jsonl", text="w", label="t") == expected


def test_columns_by_number(read: Read) -> None:
    content = "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\n"
    assert read(content) == [(["EU"], ["B-ORG"])]
    assert read(content, label="1") == [(["EU"], ["NNP"])]
    assert read(content, text="1", label="2") == [(["NNP"], ["B-NP"])]


@pytest.mark.parametrize("tags", [("NOUN", "X"), ("B", "NN"), (".", ","), ("EX", "I"), ("-LRB-", "IN")])
def test_plain_labels(read: Read, tags: tuple[str, str]) -> None:
    assert read(f"a {tags[0]}\nb {tags[1]}\n") == [(["a", "b"], list(tags))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("\n", "found no token in this file"),
        ("a O\nb\n", "line 2: found 'b', expected a token and, in the last column, its tag"),
        ("a x O\nb O\n", "line 2: found 2 columns, expected 3 as in line 1"),
        ("a\tO\n\nb\tx\tO\n", "line 3: found 3 columns, expected 2 as in line 1"),
        ("a B-X\nb X\n", "line 2: found the tag 'X', expected O, or B-"),
        ("a O\nb NN\n", "line 2: found the tag 'NN', expected O, or B-"),
    ],
)
def test_columns_that_are_wrong(read: Read, tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError) as error:
        read(content)
    assert str(error.value).startswith(f"{tmp_path / 'file.txt'}: {message}")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"tokens": [], "tags": []}, "line 2: found no tokens, expected at least one"),
        ({"tokens": ["a", "b"], "tags": ["O"]}, "line 2: found 2 tokens and 1 tags, expected one tag per token"),
        (
            {"tokens": ["a"], "tags": [0.5]},
            "line 2: 'tags': found a number in the list, expected texts or whole numbers",
        ),
        ({"tokens": "a", "tags": ["O"]}, "line 2: 'tokens': found text, expected a list of texts"),
        ({"tokens": ["a"], "tags": [" "]}, "line 2: a tag is empty"),
        ({"tokens": ["a\tb"], "tags": ["O"]}, "line 2: the token 'a\\tb' contains a tab or a line break"),
        ({"text": "a"}, "line 2: no 'tokens' or 'words'; the columns are 'text'. Try: --text-column"),
        ({"tokens": ["a"]}, "line 2: no 'tags' or 'ner_tags'"),
        ({"tokens": ["a"], "tags": ["X"]}, "line 2: found the tag 'X'"),
    ],
)
def test_json_lines_that_are_wrong(read: Read, record: dict[str, object], message: str) -> None:
    good = json.dumps({"tokens": ["a"], "tags": ["B-X"]})
    with pytest.raises(DataError) as error:
        read(f"{good}\n{json.dumps(record)}\n", ".jsonl")
    assert f": {message}" in str(error.value)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"file_format": "csv"}, "--format csv is not for token-classification, expected conll"),
        ({"pair": "1"}, "--pair-column is not for token-classification"),
        ({"no_header": True}, "--no-header is not for token-classification, whose files have no header"),
        ({"label": "tag"}, "--label-column: found 'tag', expected a column number"),
        ({"text": "-1"}, "--text-column: found '-1', expected a column number"),
    ],
)
def test_options_that_such_files_do_not_have(read: Read, columns: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError) as error:
        read("a O\n", **columns)
    assert str(error.value).startswith(message)


def test_a_column_that_is_not_there(read: Read) -> None:
    with pytest.raises(DataError, match=r"line 1: found 2 columns, so there is no column 2 \(from 0\)"):
        read("a O\n", label="2")


def test_the_mark_of_a_document_is_no_token(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"tokens": ["-DOCSTART-", "Oslo"], "tags": ["O", "B-LOC"]}\n')
    with pytest.raises(DataError, match="line 1: the token '-DOCSTART-' marks a document"):
        read_tagged(path, Columns())


# Comment lines

WORDS_OF_TWEETS = "#happy O\nin O\nBerlin B-location\n\n# O\n1 O\nParis B-location\n"

COMMENTS = {
    "GermEval": ("#\thttp://x.de [2011]\n1\tOslo\tB-LOC\tO\n\n#\thttp://y.de\n1\tliegt\tO\tO\n", 1, 2, 2),
    "GermEval in two columns": ("#\thttp://x.de\nOslo\tB-LOC\n\n#\thttp://y.de\nliegt\tO\n", 0, -1, 2),
    "MultiCoNER 1": ("# id 5c-1 domain=en\nOslo _ _ B-LOC\n\n# id 5c-2 domain=en\nliegt _ _ O\n", 0, -1, 2),
    "MultiCoNER 2": ("# id 5c-1\tdomain=en\nOslo _ _ B-LOC\n\n# id 5c-2\tdomain=en\nliegt _ _ O\n", 0, -1, 2),
    "Universal NER": ("# sent_id = 1\n# text = Oslo liegt\n1\tOslo\tB-LOC\t-\t-\n\n1\tliegt\tO\t-\t-\n", 1, 2, 2),
    "as wide as the words": ("# sent_id = 1\nOslo x y B-LOC\n\n# note a b\nliegt x y O\n", 0, -1, 2),
    "glued to the sign": ("#id = 12\nOslo x B-LOC\n\nliegt x O\n", 0, -1, 1),
    "behind the mark of a document": ("-DOCSTART- O\n# a b c\nOslo B-LOC\n\nliegt O\n", 0, -1, 1),
    "plain labels": ("# newdoc\n# text = Oslo liegt\nOslo\tPROPN\n\nliegt\tVERB\n", 0, -1, 2),
}


@pytest.mark.parametrize("name", COMMENTS)
def test_comment_lines_are_skipped_and_counted(read: Read, said: list[str], name: str) -> None:
    content, text, label, count = COMMENTS[name]
    columns = {"text": str(text), **({"label": str(label)} if label >= 0 else {})}
    found = read(content, **columns)
    assert [tokens for tokens, _ in found] == [["Oslo"], ["liegt"]]
    first = next(number for number, line in enumerate(content.split("\n"), start=1) if line.startswith("#"))
    many = f"{count} comment lines are" if count > 1 else "1 comment line is"
    assert f": {many} skipped, first line {first}: '#" in said[0]
    without_tags = read(content, **columns, placeholder_label="O")
    assert [tokens for tokens, _ in without_tags] == [["Oslo"], ["liegt"]]


@pytest.mark.parametrize(
    ("content", "first"),
    [
        (WORDS_OF_TWEETS, ["#happy", "in", "Berlin"]),
        (WORDS_OF_TWEETS.replace(" ", "\t"), ["#happy", "in", "Berlin"]),
        ("#1 B-MISC\n\n# O\n", ["#1"]),
        ("# B-MISC\nin O\n", ["#"]),
        ("#\tSYM\n1\tNUM\n", ["#"]),
        ("# x\n1 NUM\n\na x\n", ["#"]),
        ("#happy\thashtag\nis\tverb\n", ["#happy"]),
        ("# O\n# O\n#a O\n", ["#", "#", "#a"]),
    ],
)
def test_words_that_begin_with_the_sign_of_comments(
    read: Read, said: list[str], content: str, first: list[str]
) -> None:
    assert read(content)[0][0][: len(first)] == first
    assert said == []


TWEETS = st.lists(
    st.lists(st.tuples(st.sampled_from(["#", "#a", "a", "1"]), st.sampled_from(["O", "B-X"])), min_size=1), min_size=1
)
NOTES = st.sampled_from(["# id = 1", "#\thttp://x.de [2011]\tx", "# text = a # O", "#\tx", "# x B-X O y", "#"])


@given(TWEETS, st.lists(st.lists(NOTES), min_size=1), st.sampled_from([" ", "\t"]))
def test_comments_anywhere_before_sentences_change_nothing(
    sentences: list[list[tuple[str, str]]], notes: list[list[str]], separator: str
) -> None:
    sentences = [*sentences, [("a", "O")]]  # a file without a word that is certainly one shows no width of words
    blocks = [
        "".join(f"{line}\n" for line in [*notes[number % len(notes)], *(separator.join(word) for word in words)])
        for number, words in enumerate(sentences)
    ]
    found = conll_file.read_sentences(Path("f"), "\n".join(blocks))
    assert [list(zip(each.tokens, each.tags, strict=True)) for each in found] == sentences


def test_a_comment_inside_a_sentence_is_an_error(read: Read) -> None:
    with pytest.raises(
        DataError, match="line 2: found 4 columns, expected 2 as in line 1; comments are allowed only before"
    ):
        read("Oslo B-LOC\n# what is this\nliegt O\n")


# Tags of one kind


@pytest.mark.parametrize("labels_are", ["plain", None, "entities"])
def test_plain_labels_with_an_o_among_them(read: Read, labels_are: str | None) -> None:
    content = "he O\nran V\n:) E\n"
    if labels_are == "plain":
        assert read(content, labels_are="plain") == [(["he", "ran", ":)"], ["O", "V", "E"])]
        return
    with pytest.raises(DataError, match=r"line 2: found the tag 'V', expected O, or B-.*. Try: --labels-are plain if"):
        read(content, labels_are=labels_are)


@pytest.mark.parametrize(
    ("tags", "read_as", "note"),
    [
        ("U-X B-X I-X L-X O", "S-X B-X I-X E-X O", "BILOU are read as BIOES: L as E, U as S"),
        ("S-X B-X M-X E-X O", "S-X B-X I-X E-X O", "BMES are read as BIOES: M as I"),
        ("W-X B-X M-X E-X O", "S-X B-X I-X E-X O", "BMEWO are read as BIOES: M as I, W as S"),
        ("U B I L O", "S B I E O", "BILOU are read as BIOES"),
        ("I-X I-X B-X O O", "I-X I-X B-X O O", None),
    ],
)
def test_schemes_with_other_letters(read: Read, said: list[str], tags: str, read_as: str, note: str | None) -> None:
    content = "".join(f"a {tag}\n" for tag in tags.split())
    assert read(content)[0][1] == read_as.split()
    assert read(content, labels_are="plain")[0][1] == tags.split()
    assert [note in line for line in said] == [True] if note is not None else said == []


@pytest.mark.parametrize(
    ("tags", "found", "expected"),
    [
        ("B_PER I_PER O", "B_PER", "B-PER"),
        ("B_PER I_PER", "B_PER", "B-PER"),
        ("PER-B PER-I OTHER", "PER-B", "B-PER"),
        ("B:PER O", "B:PER", "B-PER"),
        ("PER/B O", "PER/B", "B-PER"),
        ("b-per i-per o", "b-per", "B-PER"),
        ("B.PER I.PER NONE", "B.PER", "B-PER"),
        ("B\u2010PER I\u2010PER O", "B\u2010PER", "B-PER"),
    ],
)
def test_tags_of_entities_in_another_spelling_are_refused(read: Read, tags: str, found: str, expected: str) -> None:
    content = "".join(f"a {tag}\n" for tag in tags.split())
    with pytest.raises(DataError, match=f"line 1: found the tag '{found}', .*'{expected}'.*--labels-are plain"):
        read(content)
    assert read(content, labels_are="plain")[0][1] == tags.split()


@pytest.mark.parametrize("tags", ["NN-B NN-PL", "S_x N_x", "U.S JJ"])
def test_plain_labels_that_only_look_a_little_like_it(read: Read, tags: str) -> None:
    assert read("".join(f"a {tag}\n" for tag in tags.split()))[0][1] == tags.split()


def test_untyped_tags_that_may_be_of_word_segmentation_are_warned_of(read: Read, warned: list[str]) -> None:
    assert read("a S\nb B\nc E\n") and "the tags B, E, S are read as entity tags. Try: --labels" in warned[0]
    warned.clear()
    read("a S\nb O\n"), read("a S-X\n"), read("a S\nb B\nc E\n", labels_are="entities"), read("a S\nb M\n")
    assert warned == []


# Tags that are numbers


def test_numbers_have_the_names_that_are_given(read: Read, tmp_path: Path) -> None:
    records = '{"tokens": ["EU", "rejects"], "ner_tags": [3, 0]}\n{"tokens": ["Peter"], "ner_tags": [1]}\n'
    columns, names = "EU 3\nrejects 0\n\nPeter 1\n", ("O", "B-PER", "I-PER", "B-ORG")
    expected = [(["EU", "rejects"], ["B-ORG", "O"]), (["Peter"], ["B-PER"])]
    with pytest.raises(DataError, match=r"line 2: found the tag '0', expected O, .* a zero instead of the letter O"):
        read("EU B-ORG\nis 0\n")
    (tmp_path / "names.txt").write_text("\ufeffO\r\nB-PER\r\nI-PER\r\nB-ORG\r\n")
    for said in (names, (str(tmp_path / "names.txt"),)):
        assert read(records, ".jsonl", label_names=said) == read(columns, label_names=said) == expected
    for content, ending in ((records, ".jsonl"), (columns, ".conll")):
        with pytest.raises(DataError, match=r"line 1: found the tag '3', and all other tags .* --label-names O,B-PER"):
            read(content, ending)
        with pytest.raises(DataError, match=r"line 1: found the tag '3', expected O, .* Try: --label-n"):
            read(content, ending, labels_are="entities")
        with pytest.raises(DataError, match=r"line 1: found the tag 3, expected a number from 0 to 1, .*\(O, B-PER\)"):
            read(content, ending, label_names=names[:2])
        assert read(content, ending, labels_are="plain")[1] == (["Peter"], ["1"])
    with pytest.raises(DataError, match="line 1: found the tag -100, expected a number from 0 to 3"):
        read(records.replace("3", "-100"), ".jsonl", label_names=names)
    with pytest.raises(
        DataError, match=r"line 2: found the tag 'B-PER', expected a number from 0 to 3, .* Try: leave --label"
    ):
        read("EU 3\nPeter B-PER\n", label_names=names)
    with pytest.raises(DataError, match="found true or false in the list, expected texts or whole numbers"):
        read(records.replace("0]", "true]"), ".jsonl", label_names=names)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "--label-names: found 'names.txt', expected comma-separated names (O,B-PER,I-PER) or a FILE with"),
        ("O\n\nB-X\n", "names.txt: the name of number 1 is empty"),
        ("O\nB-X\nO\n", "names.txt: found the name 'O' for the numbers 0 and 2"),
    ],
)
def test_names_that_are_wrong(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("names.txt").write_text(content)
    with pytest.raises(OptionError) as error:
        read("EU 1\n", label_names=("names.txt",))
    assert str(error.value).startswith(message)


# CoNLL-U

FRENCH = """# sent_id = 1
# text = Elle va au bois.
1\tElle\tlui\tPRON\tPRP\tPerson=3\t2\tnsubj\t_\t_
2\tva\taller\tVERB\tVBZ\t_\t0\troot\t_\t_
3-4\tau\t_\t_\t_\t_\t_\t_\t_\t_
3\tà\tà\tADP\tIN\t_\t5\tcase\t_\t_
4\tle\tle\tDET\tDT\t_\t5\tdet\t_\t_
5\tbois\tbois\tNOUN\tNN\t_\t2\tobl\t_\tSpaceAfter=No
5.1\tdort\tdormir\tVERB\tVBZ\t_\t_\t_\t0:root\t_

# sent_id = 2
1\tNew York\tNew York\tPROPN\tNNP\t_\t0\troot\t_\t_
2\t#\t#\tSYM\tSYM\t_\t1\tdep\t_\t_
"""
FRENCH_WORDS = [["Elle", "va", "à", "le", "bois"], ["New York", "#"]]
COUNTED = "left out: 1 range, 1 empty node, 3 comment lines (the words of a range are tagged, not its token"


@pytest.mark.parametrize("ending", [".conllu", ".conllu.gz", ".CONLLU", ".txt", ".tsv", ".conll"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_conllu_is_read_by_name_whatever_its_ending(
    tmp_path: Path, said: list[str], ending: str, line_end: str
) -> None:
    file, raw = tmp_path / f"file{ending}", FRENCH.replace("\n", line_end).encode()
    file.write_bytes(gzip.compress(raw) if ending.endswith(".gz") else raw)
    found = read_tagged(file, Columns())
    assert [each.tokens for each in found] == FRENCH_WORDS
    assert [each.tags for each in found] == [["PRON", "VERB", "ADP", "DET", "NOUN"], ["PROPN", "SYM"]]
    assert found[0].lines == [3, 4, 6, 7, 8]
    assert f"CoNLL-U, words from FORM, tags from UPOS; {COUNTED}" in said[-1]
    assert (len(said) == 2 and "because it has the ten columns of CoNLL-U; --format conll" in said[0]) == (
        not ending.lower().startswith(".conllu")
    )


@pytest.mark.parametrize(
    ("label", "tags"),
    [
        ("xpos", ["NNP", "SYM"]),
        ("XPOS", ["NNP", "SYM"]),
        ("4", ["NNP", "SYM"]),
        ("deprel", ["root", "dep"]),
        ("feats", ["_", "_"]),
        ("lemma", ["New York", "#"]),
    ],
)
def test_columns_of_conllu_by_name_or_number(read: Read, label: str, tags: list[str]) -> None:
    assert read(FRENCH, ".conllu", label=label)[1] == (["New York", "#"], tags)
    assert read(FRENCH, file_format="conllu", label=label, text="form") == read(FRENCH, label=label, text="1")
    assert read(FRENCH, ".conllu", placeholder_label="X")[1] == (["New York", "#"], ["X", "X"])


def test_other_columns_than_those_of_conllu(read: Read) -> None:
    """CoNLL-U Plus names its columns; `--format conll` reads any file by column number."""
    plus = "# global.columns = ID FORM UPOS NER\n1-2\tau\t_\t_\n1\tà\tADP\tO\n2\tle\tDET\tO\n3\tBois\tNOUN\tB-LOC\n"
    assert read(plus, ".conllup", label="ner") == [(["à", "le", "Bois"], ["O", "O", "B-LOC"])]
    assert read(plus, ".conllup")[0][1] == ["ADP", "DET", "NOUN"]
    assert read(FRENCH, ".conllu", file_format="conll", text="1", label="3")[0][0][2:5] == ["au", "à", "le"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "\tNOUN\t",
            "\t_\t",
            "line 8: found no annotation ('_') in UPOS of 'bois', expected a tag. Try: --label-column",
        ),
        ("5\tbois", "5 bois", "line 8: found 9 tab-separated columns, expected 10 as in CoNLL-U (ID, FORM"),
        ("5\tbois", "x\tbois", "line 8: found the ID 'x', expected the ID of a word (3), range (3-4) or node (3.1)"),
        ("5\tbois", "1\tbois", "line 8: found the ID 1 after 4, expected a larger one; is a blank line missing"),
        ("5\tbois", "5\t", "line 8: the FORM is empty"),
        ("New York\tNew York", "_\t_", None),
    ],
)
def test_conllu_that_is_wrong(read: Read, tmp_path: Path, old: str, new: str, message: str | None) -> None:
    content = FRENCH.replace(old, new)
    if message is None:
        assert read(content, ".conllu")[1][0] == ["_", "#"], "an underscore is a word among others"
        return
    with pytest.raises(DataError) as error:
        read(content, ".conllu")
    assert str(error.value).startswith(f"{tmp_path / 'file.conllu'}: {message}")


def test_a_treebank_without_its_text(read: Read) -> None:
    content = "".join(f"{number}\t_\t_\tNOUN\t_\t_\t0\troot\t_\t_\n" for number in (1, 2))
    with pytest.raises(DataError, match="line 1: every word of the sentence is '_', expected words"):
        read(content, ".conllu")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": "uposs"}, "--label-column: .* has no column 'uposs'; expected one of id, form.*did you mean 'upos'"),
        ({"label": "10"}, "--label-column: .* has no column '10'; .* or a number from 0 to 9"),
        ({"text": "word"}, "--text-column: .* has no column 'word'"),
        (
            {"file_format": "conll", "label": "upos"},
            "--label-column: found 'upos', .* Try: --format c",
        ),
    ],
)
def test_columns_that_conllu_does_not_have(read: Read, columns: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        read(FRENCH, ".conllu", **columns)


def test_ten_columns_of_another_kind_are_no_conllu(read: Read) -> None:
    """CoNLL-U needs an ID first, a head in the HEAD column, and tabs."""
    line = "1\tOslo\tx\tx\tx\tx\tx\tx\tx\tB-LOC\n"
    assert read(line) == [(["1"], ["B-LOC"])]
    assert read(FRENCH.split("\n")[2].replace("\t", " ").replace(" _ _", " O O") + "\n")[0][0] == ["1"]


@pytest.mark.parametrize(
    ("language", "sentences", "words", "labels", "note"),
    [
        ("hi", 1000, 23_829, 16, "left out: 5,397 comment lines"),
        ("th", 1000, 22_330, 16, "left out: 5,003 comment lines"),
        ("fr", 1000, 24_726, 15, "left out: 595 ranges, 4,397 comment lines"),
    ],
)
def test_real_treebanks(
    shared_data: Path, said: list[str], language: str, sentences: int, words: int, labels: int, note: str
) -> None:
    """The counts were made with awk: whole-number IDs, lines that begin with #, ranges."""
    found = read_tagged(shared_data / "ud" / f"{language}_pud-ud-test.conllu.gz", Columns())
    assert (len(found), sum(len(each.tokens) for each in found)) == (sentences, words)
    assert len({tag for each in found for tag in each.tags}) == labels
    assert note in said[0]


# Two files of one kind


def test_both_files_decide_of_what_kind_the_tags_are(tmp_path: Path, warned: list[str]) -> None:
    gold, predictions = tmp_path / "gold.conll", tmp_path / "predicted.conll"
    gold.write_text("a S\nb B\nc E\n")

    def kind(tags: str, labels_are: str | None = None) -> str:
        predictions.write_text("".join(f"{word} {tag}\n" for word, tag in zip("abc", tags, strict=True)))
        return read_scored(gold, predictions, Columns(labels_are=labels_are))[2]  # type: ignore[arg-type]

    assert (kind("SBM"), kind("SBM", "plain"), kind("SBE", "plain")) == ("plain", "plain", "plain")
    assert warned == []
    assert kind("SBE") == "entities" and "word segmentation" in warned[0]
    gold.write_text("a O\nb NN\nc VB\n".replace("O", "JJ"))
    assert kind("OOO") == "plain", "an answer that is no label of the file changes nothing"


def test_names_of_numbers_on_either_side(tmp_path: Path) -> None:
    numbers, names, given = tmp_path / "numbers.conll", tmp_path / "names.conll", ("O", "B-X")
    numbers.write_text("a 1\nb 0\n")
    names.write_text("a B-X\nb O\n")
    for files in ((numbers, names), (names, numbers), (numbers, numbers)):
        gold, predicted, kind, reason = read_scored(*files, Columns(label_names=given))
        assert gold == predicted and gold[0].tags == ["B-X", "O"] and kind == "entities"
        assert reason == "detected from the tags of both files; --labels-are overrides this"
    with pytest.raises(DataError, match="found the tag 'B-X', expected a number from 0 to 1"):
        read_scored(names, names, Columns(label_names=given))


def test_predictions_in_conllu_are_read_like_the_file(tmp_path: Path) -> None:
    gold, predictions = tmp_path / "gold.conllu", tmp_path / "predicted.conllu"
    gold.write_text(FRENCH)
    predictions.write_text(FRENCH.replace("\tSYM\t", "\tX\t", 1))
    true, predicted, kind, _ = read_scored(gold, predictions, Columns())
    assert kind == "plain" and [each.tokens for each in true] == [each.tokens for each in predicted] == FRENCH_WORDS
    assert predicted[1].tags == ["PROPN", "X"]
    assert read_scored(gold, predictions, Columns(label="deprel"))[1][1].tags == ["root", "dep"]


def test_predictions_for_words_that_look_like_comments(tmp_path: Path) -> None:
    gold, predictions = tmp_path / "gold.jsonl", tmp_path / "predictions"
    gold.write_text(json.dumps({"tokens": ["#", "yes"], "tags": ["sign", "word"]}) + "\n")
    predictions.write_text("# a comment\n#\tsign\tsign\nyes\tword\tword\n")
    assert read_scored(gold, predictions, Columns())[1][0].tokens == ["#", "yes"]


def test_a_tag_that_is_the_word_itself(tmp_path: Path) -> None:
    (tmp_path / "f.conll").write_text("# #\nfive CD\n\nthe DT\n")
    assert read_tagged(tmp_path / "f.conll", Columns())[0].tokens == ["#", "five"]
