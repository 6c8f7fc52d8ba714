"""Every `sh` and `python` block of README and docs runs, page by page, in a folder with small data.

A page's blocks run in order, in this process. Sizes and durations are made small as SMALLER and ADDED say; everything
else is as it is printed on the page. A block that cannot run here has a reason in the line before it:
`<!-- not run: needs Slurm -->`. Its `bertsmith` commands are still checked against the options of their verbs.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bertsmith.cli.app import verbs
from bertsmith.cli.command import command_of, execute
from bertsmith.config.options import Options

ROOT = Path(__file__).resolve().parents[2]
SLOW = ("docs/corpus.md", "docs/finetuning.md", "docs/glue.md")
"""The pages that only `make test-all` runs."""
PAGES = [path.relative_to(ROOT).as_posix() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))]

SMALLER: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    # More minutes stay more: a page may resume a run with a longer time.
    (r"(pretrain .*)--minutes (\d+)", lambda found: f"{found[1]}--steps {int(found[2]) + 3}"),
    (r"--vocab-size \d+", "--vocab-size 256"),
    (r"--search \d+", "--search 3"),
    (r"--seeds (\d)", lambda found: f"--seeds {int(found[1]) - 1}"),
)
"""What is replaced in a command, as regular expressions."""
BATCH = "--sequence-length 32 --batch-size 8 --precision fp32"
SHAPE = "--layers 2 --hidden-size 32 --attention-heads 2 --intermediate-size 64 --max-positions 64"
ADDED = (
    (r"(prepare|train-tokenizer|extend-tokenizer) ", "--workers 1"),
    (r"pretrain (?!.*--from )", SHAPE),
    (r"pretrain ", BATCH),
    (r"pretrain .*--config ", "--minutes 0.01"),
    (r"finetune (?!glue|--resume)(?!.*--(config|search) )", "--epochs 1"),
)
"""What is added to a command that matches."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page, line: where it begins.
        language: the word behind the fence; none for output and examples of files.
        text: the lines within.
        reason: why the block is not run, from the comment before it; None if it runs.
    """

    page: str
    line: int
    language: str
    text: str
    reason: str | None

    @property
    def place(self) -> str:
        """FILE:LINE for messages."""
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """The commands of a `sh` block, with continued lines joined and without comments."""
        joined = re.sub(r"\\\n\s*", "", self.text)
        return [line for line in (re.sub(r"(^|\s)#.*", "", line).strip() for line in joined.splitlines()) if line]


def blocks_of(page: str) -> list[Block]:
    """The fenced blocks of a page in order."""
    blocks: list[Block] = []
    opened: Block | None = None
    reason: str | None = None
    for number, line in enumerate((ROOT / page).read_text(encoding="utf-8").splitlines(), start=1):
        fence = re.match(r"```(\w*)$", line.strip())
        if opened is not None and line.strip() != "```":
            opened = replace(opened, text=opened.text + line + "\n")
        elif opened is not None:
            blocks.append(opened)
            opened, reason = None, None
        elif fence:
            opened = Block(page, number, fence[1], "", reason)
        elif line.strip():
            mark = re.match(r"<!-- not run: (.*\S) -->$", line.strip())
            reason = mark[1] if mark else None
    assert opened is None, f"{opened and opened.place}: the fence is not closed"
    return blocks


def options_of(command: str) -> Options:
    """The options of a command line, as its verb would get them."""
    verb, *tokens = shlex.split(command)[1:]
    assert verb in verbs(), command
    declared = command_of(verb)
    found: list[Options] = []

    def keep(options: Options) -> list[Any]:
        found.append(options)
        return []

    words = {name: replace(inner, run=keep) for name, inner in declared.words.items()}
    execute(replace(declared, run=keep, words=words), tokens)
    (options,) = found
    return options


def small(command: str) -> str:
    """A command with small sizes and durations."""
    added = [more for pattern, more in ADDED if re.match(f"bertsmith {pattern}", command)]
    for pattern, less in SMALLER:
        command = re.sub(pattern, less, command)
    given = set(re.findall(r"--[\w-]+", command))
    more = [
        (option, value)
        for options in added
        for option, value in zip(*[iter(options.split())] * 2, strict=True)
        if option not in given or option in SHAPE
    ]
    return " ".join([command, *(f"{option} {value}" for option, value in more)])


def run_block(block: Block, bertsmith: Callable[..., Any], names: dict[str, Any]) -> None:
    """Run a block; `names` are those that earlier Python blocks of the page have defined."""
    if block.language == "python":
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile("\n" * block.line + block.text, block.page, "exec"), names)
        return
    for command in block.commands:
        assert command.startswith("bertsmith "), f"{block.place}: this test runs bertsmith only: {command}"
        answer = bertsmith(*shlex.split(small(command))[1:])
        assert answer.code == 0, f"{block.place}: {command}\n{answer.stderr}"


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=pytest.mark.slow) if page in SLOW else page for page in PAGES]
)
def test_the_blocks_of_a_page_run(
    page: str,
    bertsmith: Callable[..., Any],
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocks = [block for block in blocks_of(page) if block.language in ("sh", "python") and block.reason is None]
    if not blocks:
        return
    place = tmp_path / "place"
    shutil.copytree(request.getfixturevalue("prepared"), place)
    for command in (command for block in blocks if block.language == "sh" for command in block.commands):
        made = re.search(r"--out (\S+)", command)
        if made and "--resume" not in command and (place / made[1]).is_dir():
            shutil.rmtree(place / made[1])  # the page makes its own
    monkeypatch.chdir(place)
    names: dict[str, Any] = {"__name__": "block"}
    for block in blocks:
        run_block(block, bertsmith, names)


@pytest.mark.parametrize("page", PAGES)
def test_a_block_says_its_language_and_why_it_is_not_run(page: str) -> None:
    for block in blocks_of(page):
        assert block.language in ("sh", "python", "", "text"), f"{block.place}: ```{block.language} is not run"
        if block.reason is not None:
            assert block.language in ("sh", "python"), f"{block.place}: only code needs a reason"
            assert len(block.reason.split()) >= 2, f"{block.place}: the reason is missing"
        for line in block.text.splitlines() if block.language in ("", "text") and page != "docs/reference.md" else ():
            assert not line.startswith(("bertsmith ", "import ", "from ")), f"{block.place}: a command without ```sh"


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_are_not_run_have_valid_options(page: str) -> None:
    for block in blocks_of(page):
        if page == "docs/reference.md" or (block.language == "sh" and block.reason is not None):
            for command in block.commands:
                found = re.search(r"(?:^|-m )(bertsmith .*)", command)
                if found:
                    options_of(found[1])


def test_durations_and_sizes_become_small() -> None:
    command = small("bertsmith pretrain data/books --out runs/books --size base --minutes 10")
    assert command.startswith("bertsmith pretrain data/books --out runs/books --size base --steps 13 --layers 2 ")
    assert "--sequence-length 32" in command
    assert small("bertsmith embed runs/books text") == "bertsmith embed runs/books text"
