"""Formats of labelled data: compressed files, Parquet, data sets, TSV with and without quotes; real files."""

from __future__ import annotations

import gzip
import json
import logging
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertsmith.errors import DataError, OptionError
from bertsmith.tasks.files.labelled_file import Columns, Row, read_rows
from bertsmith.tasks.files.table_records import HiddenLabelsError, with_split
from bertsmith.tasks.token_classification.tagged_file import read_tagged

ROWS = [Row("good", None, "1"), Row("bad", None, "0")]


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("f.csv", "text,label\ngood,1\nbad,0\n"),
        ("f.tsv", "\ufefftext\tlabel\r\ngood\t1\r\nbad\t0\r\n"),
        ("f.jsonl", '{"text": "good", "label": "1"}\n{"text": "bad", "label": "0"}\n'),
    ],
)
def test_packed_files(tmp_path: Path, name: str, content: str, ending: str, pack: Callable[[bytes], bytes]) -> None:
    file = tmp_path / (name + ending)
    file.write_bytes(pack(content.encode()))
    assert read_rows(file, Columns()) == ROWS
    file.write_bytes(pack(content.encode())[:-3])
    with pytest.raises(DataError, match=r"cannot be read to its end.*truncated or damaged"):
        read_rows(file, Columns())


def test_packed_columns(tmp_path: Path) -> None:
    file = tmp_path / "f.conll.gz"
    file.write_bytes(gzip.compress(b"Cystic\tB-X\nfibrosis\tI-X\n"))
    (sentence,) = read_tagged(file, Columns())
    assert sentence.tokens == ["Cystic", "fibrosis"]


def features(**columns: Any) -> Any:
    import datasets

    return datasets.Features(columns)


def test_parquet(tmp_path: Path) -> None:
    file = tmp_path / "f.parquet"
    pq.write_table(pa.table({"text": ["good", "bad"], "label": [1, 0], "idx": [7, 8]}), file)
    rows = read_rows(file, Columns())
    assert rows == [Row("good", None, 1), Row("bad", None, 0)]
    assert [row.place for row in rows] == ["row 1", "row 2"]
    pq.write_table(pa.table({"a": ["x", "y"], "b": ["p", "q"], "s": [1.5, 2.5]}), file)
    assert read_rows(file, Columns("a", "b", "s"))[1] == Row("y", "q", 2.5)


def test_parquet_of_sentences(tmp_path: Path) -> None:
    file = tmp_path / "f.parquet"
    pq.write_table(pa.table({"tokens": [["A", "b"], ["c"]], "tags": [["O", "B-X"], ["?"]]}), file)
    with pytest.raises(DataError, match=r"f\.parquet: row 2: found the tag '\?'"):
        read_tagged(file, Columns())


def test_classes_have_their_names(tmp_path: Path) -> None:
    """A data set with ClassLabel numbers, in Parquet files of the hub and by hf:."""
    import datasets

    (tmp_path / "data").mkdir()
    kinds = features(
        text=datasets.Value("string"),
        label=datasets.ClassLabel(names=["food", "thing"]),
        tokens=datasets.List(datasets.Value("string")),
        ner_tags=datasets.List(datasets.ClassLabel(names=["O", "B-X"])),
    )
    values = {"text": ["a bell", "bread"], "label": [1, 0], "tokens": [["a", "bell"], ["bread"]]}
    data = datasets.Dataset.from_dict({**values, "ner_tags": [[0, 1], [0]]}, features=kinds)
    for split in ("train", "validation"):
        data.to_parquet(tmp_path / "data" / f"{split}.parquet")
    for source in (tmp_path / "data" / "train.parquet", Path(f"hf:{tmp_path}/data:validation")):
        assert read_rows(source, Columns()) == [Row("a bell", None, "thing"), Row("bread", None, "food")]
        assert [sentence.tags for sentence in read_tagged(source, Columns())] == [["O", "B-X"], ["O"]]


def test_a_part_without_labels_is_refused(tmp_path: Path) -> None:
    import datasets

    kinds = features(text=datasets.Value("string"), label=datasets.ClassLabel(names=["no", "yes"]))
    file = tmp_path / "test.parquet"
    datasets.Dataset.from_dict({"text": ["a", "b"], "label": [-1, -1]}, features=kinds).to_parquet(file)
    with pytest.raises(HiddenLabelsError, match="column 'label' is -1 in every row"):
        read_rows(file, Columns())
    datasets.Dataset.from_dict({"text": ["a", "b"], "label": [1, -1]}, features=kinds).to_parquet(file)
    with pytest.raises(
        DataError, match=r"row 2: found -1 in column 'label', expected the number of one of the 2 classes \(no, yes\)"
    ):
        read_rows(file, Columns())


def test_data_sets_have_the_split_of_their_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data"
    folder.mkdir()
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text(json.dumps({"text": f"of {split}", "label": "x"}) + "\n")
    for source in ("hf:./data", f"hf:{folder}"):
        for split in ("train", "validation"):
            (row,) = read_rows(with_split(Path(source), split), Columns())
            assert row.text == f"of {split}"
    (row,) = read_rows(with_split(Path("hf:data:validation"), "train"), Columns())
    assert row.text == "of validation"
    assert with_split(Path("hf:glue/mrpc"), "validation") == Path("hf:glue/mrpc:validation")
    assert with_split(Path("hf:glue/mrpc:test"), "validation") == Path("hf:glue/mrpc:test")
    assert with_split(Path("train.csv"), "train") == Path("train.csv")
    with pytest.raises(DataError, match=r"hf:data:test: .*split 'test'"):
        read_rows(with_split(Path("hf:data"), "test"), Columns())
    with pytest.raises(OptionError, match="--format csv: hf:data:train is a dataset, not a file"):
        read_rows(Path("hf:data:train"), Columns(file_format="csv"))


def test_path_and_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """`hf:glue/mrpc` first means the data set glue/mrpc, then the configuration mrpc of glue."""
    import datasets

    from bertsmith.corpus.reading import hub_datasets

    requested = []

    def load(path: str, config: str | None, *, split: str, streaming: bool) -> Any:
        requested.append((path, config, split))
        if config is None:
            raise datasets.exceptions.DatasetNotFoundError(f"{path} is not there")
        table = {"sentence1": ["a"], "sentence2": ["b"], "label": [1], "idx": [0]}
        kinds = features(
            sentence1=datasets.Value("string"),
            sentence2=datasets.Value("string"),
            label=datasets.ClassLabel(names=["not_equivalent", "equivalent"]),
            idx=datasets.Value("int32"),
        )
        return datasets.Dataset.from_dict(table, features=kinds).to_iterable_dataset()

    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.setattr(hub_datasets, "unreachable", lambda: None)
    assert read_rows(with_split(Path("hf:glue/mrpc"), "validation"), Columns()) == [Row("a", "b", "equivalent")]
    assert requested == [("glue/mrpc", None, "validation"), ("glue", "mrpc", "validation")]


def test_no_connection() -> None:
    with pytest.raises(DataError, match=r"hf:no/such:train: .*Try: check the name and the connection, or use a"):
        read_rows(with_split(Path("hf:no/such"), "train"), Columns())


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('text\tlabel\n"a ""b"" c"\t1\n"tab\there"\t0\n', ['a "b" c', "tab\there"]),
        ('"text"\t"label"\n"over\ntwo lines"\t"1"\n', ["over\ntwo lines"]),
        ('text\tlabel\n"a ""b"" c"\t1\n"half a quotation\t0\n', ['"a ""b"" c"', '"half a quotation']),
        ('text\tlabel\n"so", he said\t1\nplain\t0\n', ['"so", he said', "plain"]),
        ('text\tlabel\nthe 5" disk\t1\n', ['the 5" disk']),
    ],
)
def test_quotes_in_tsv(tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str, texts: list[str]) -> None:
    """Quotes are quoting if the whole file can be read that way; a note says so, because the text loses its quotes."""
    file = tmp_path / "f.tsv"
    file.write_text(content)
    with caplog.at_level(logging.INFO, "bertsmith"):
        assert [row.text for row in read_rows(file, Columns())] == texts
    said = f"{file}: quotes are read as quoting" in caplog.text
    assert said == (not any(text.count('"') % 2 or text.startswith('"') for text in texts))


# Real files

GLUE: dict[str, tuple[str, Columns, int]] = {
    "CoLA train": ("glue/CoLA/train.tsv", Columns("3", None, "1", no_header=True), 8551),
    "CoLA dev": ("glue/CoLA/dev.tsv", Columns("3", None, "1", no_header=True), 1043),
    "CoLA test": ("glue/CoLA/test.tsv", Columns("sentence", None, "index"), 1063),
    "MRPC train": ("glue/MRPC/train.tsv", Columns("#1 String", "#2 String", "Quality"), 3668),
    "MRPC dev": ("glue/MRPC/dev.tsv", Columns("#1 String", "#2 String", "Quality"), 408),
    "MRPC test": ("glue/MRPC/test.tsv", Columns("#1 String", "#2 String", "index"), 1725),
    "RTE train": ("glue/RTE/train.tsv", Columns(), 2490),
    "RTE dev": ("glue/RTE/dev.tsv", Columns(), 277),
    "RTE test": ("glue/RTE/test.tsv", Columns(label="index"), 3000),
    "SST-2 train": ("glue/SST-2/train.tsv.gz", Columns(), 67349),
    "SST-2 dev": ("glue/SST-2/dev.tsv", Columns(), 872),
    "SST-2 test": ("glue/SST-2/test.tsv", Columns(label="index"), 1821),
    "STS-B train": ("glue/STS-B/train.tsv", Columns(), 5749),
    "STS-B dev": ("glue/STS-B/dev.tsv", Columns(), 1500),
    "STS-B test": ("glue/STS-B/test.tsv", Columns(label="index"), 1379),
    "CODAH train": ("multiple-choice/codah/train.tsv", Columns("1", None, "6", no_header=True), 1665),
    "CODAH dev": ("multiple-choice/codah/dev.tsv", Columns("1", None, "6", no_header=True), 556),
    "CODAH test": ("multiple-choice/codah/test.tsv", Columns("1", None, "6", no_header=True), 555),
    "AG news": ("classification/ag-news/test.csv", Columns("1", "2", "0", no_header=True), 7600),
    "SMS": (
        "classification/sms-spam/SMSSpamCollection",
        Columns("1", None, "0", no_header=True, file_format="tsv"),
        5574,
    ),
}


@pytest.mark.parametrize("name", GLUE)
def test_real_files_have_all_of_their_rows(shared_data: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """The counts are those in the documentation of the data."""
    path, columns, count = GLUE[name]
    with caplog.at_level(logging.INFO, "bertsmith"):
        rows = read_rows(shared_data / path, columns)
    assert len(rows) == count
    assert "quoting" not in caplog.text
    if name == "MRPC train":
        assert sum(row.text.startswith('"') or (row.pair or "").startswith('"') for row in rows) == 455


def test_a_film_review_in_windows_1252(shared_data: Path, tmp_path: Path) -> None:
    """Byte 0x85 is an ellipsis in windows-1252. In latin-1 it is U+0085, which does not end a line either."""
    lines = (shared_data / "classification" / "sentence-polarity" / "rt-polarity.neg").read_bytes().splitlines()
    file = tmp_path / "reviews.tsv"
    file.write_bytes(b"text\tlabel\n" + b"".join(line + b"\t0\n" for line in lines))
    with pytest.raises(DataError, match=r"line \d+, byte \d+ \(0x..\) is not utf-8. Try: --encoding \(windows-1252"):
        read_rows(file, Columns())
    for encoding in ("windows-1252", "latin-1"):
        rows = read_rows(file, Columns(encoding=encoding))
        assert len(rows) == 5331
        assert any(("…" if encoding == "windows-1252" else "\x85") in row.text for row in rows)
