"""The documentation corpus: what is read from a module, and what is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bertsmith.corpus.python_documentation import corpus
from bertsmith.corpus.python_documentation.corpus import extract, write_corpus
from bertsmith.corpus.python_documentation.distributions import missing_distributions
from bertsmith.corpus.python_documentation.modules import DocumentationModule

FIRST = "The first sentence of the text is here."
LAST = "The last sentence of the text is here."


def module_of(folder: Path, name: str, source: str) -> DocumentationModule:
    path = folder / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    return DocumentationModule(name, "package", path)


def test_docstrings_come_in_the_order_of_the_source(tmp_path: Path) -> None:
    source = '''"""The docstring of the module is the first one."""
if True:
    class Outer:
        """The docstring of the class is the second one."""
        async def method(self):
            """The docstring of the method is the third one."""
            def inner():
                """The docstring of the inner function is the fourth."""
try:
    pass
except ValueError:
    def fallback():
        """The docstring in the handler is the fifth one."""
value = """This text is the value of a name and is left."""
'''
    part = extract(module_of(tmp_path, "ordered", source))
    assert part is not None
    assert part.paragraphs == [
        "The docstring of the module is the first one.",
        "The docstring of the class is the second one.",
        "The docstring of the method is the third one.",
        "The docstring of the inner function is the fourth.",
        "The docstring in the handler is the fifth one.",
    ]


def test_a_module_is_read_without_being_imported(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = f'"""{FIRST}"""\nprint("imported")\nopen({str(tmp_path / "trace")!r}, "w")\nraise SystemExit(3)\n'
    part = extract(module_of(tmp_path, "loud", source))
    assert part is not None
    assert part.paragraphs == [FIRST]
    assert capfd.readouterr().out == ""
    assert not (tmp_path / "trace").exists()


def test_invalid_escapes_in_the_source_of_others_warn_nobody(tmp_path: Path) -> None:
    part = extract(module_of(tmp_path, "escapes", f'"""{FIRST}"""\npattern = "\\d"\nvalue = 1 is 1\n'))
    assert part is not None


@pytest.mark.parametrize("source", ["def broken(:\n", "x = '\0'\n", "# -*- coding: unknown -*-\n"])
def test_a_file_that_cannot_be_parsed_gives_nothing(tmp_path: Path, source: str) -> None:
    assert extract(module_of(tmp_path, "broken", source)) is None


def test_a_file_that_cannot_be_read_gives_nothing(tmp_path: Path) -> None:
    assert extract(DocumentationModule("gone", "package", tmp_path / "gone.py")) is None


def test_a_topic_is_a_document(tmp_path: Path) -> None:
    path = module_of(tmp_path, "topics", f'topics = {{"assert": "{FIRST}", "del": "{LAST}"}}\n').path
    part = extract(DocumentationModule("python.topics.del", "python", path, topic="del"))
    assert part is not None
    assert part.paragraphs == [LAST]


@pytest.fixture
def three_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[DocumentationModule]:
    modules = [
        module_of(tmp_path, "a", f'"""{FIRST}\n\n{LAST}\n\nToo short."""'),
        module_of(tmp_path, "b", "def broken(:"),
        module_of(tmp_path, "c", f'"""{LAST}"""'),
        module_of(tmp_path, "d", f'"""{LAST}\n\nThis is “new”, and it is in the last one."""'),
    ]
    monkeypatch.setattr(corpus, "documentation_modules", lambda: modules)
    return modules


@pytest.mark.usefixtures("three_modules")
def test_the_corpus_is_written_once_a_paragraph_with_counts(tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    counts = write_corpus(tmp_path / "corpus.jsonl", 1, lambda done, total: progress.append((done, total)))
    written = [json.loads(line) for line in (tmp_path / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    assert written == [
        {"id": "a", "package": "package", "text": f"{FIRST}\n\n{LAST}"},
        {"id": "d", "package": "package", "text": "This is “new”, and it is in the last one."},
    ]
    assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert counts == {
        "modules": 4,
        "missing_distributions": len(missing_distributions()),
        "skipped": 1,
        "documents": 2,
        "paragraphs": 3,
        "characters": sum(len(document["text"]) for document in written),
        "docstring_characters": len(f"{FIRST}\n\n{LAST}\n\nToo short.") + len(f"{LAST}{LAST}\n\n{written[1]['text']}"),
        "dropped_short": 1,
        "dropped_short_characters": len("Too short."),
        "dropped_repeated": 2,
        "dropped_repeated_characters": 2 * len(LAST),
    }


@pytest.mark.usefixtures("three_modules")
def test_the_bytes_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    alone = write_corpus(tmp_path / "alone.jsonl", 1, lambda done, total: None)
    together = write_corpus(tmp_path / "together.jsonl", 2, lambda done, total: None)
    assert (tmp_path / "alone.jsonl").read_bytes() == (tmp_path / "together.jsonl").read_bytes()
    assert alone == together
