"""The command line: finds the verb, runs it, turns errors into messages and exit codes.

A verb's module is imported only when the verb is called, and torch only when it computes: `--help` stays fast.
"""

from __future__ import annotations

import difflib
import io
import os
import shlex
import sys
import traceback
from collections.abc import Sequence

from bertsmith.errors import BertsmithError, Interrupted, OptionError
from bertsmith.runtime import processes
from bertsmith.runtime.console import log_to_terminal
from bertsmith.runtime.program import runnable

_BEFORE = {
    "quickstart": "the whole life cycle on text that is already on this machine",
    "doctor": "the machine, the versions, and each automatic choice with its reason",
    "prepare": "text to a STORE: clean, de-duplicate, split, tokenize",
    "train-tokenizer": "text to a WordPiece tokenizer",
    "extend-tokenizer": "a MODEL's tokenizer with the words of a text",
    "pretrain": "a STORE to a RUN: masked language modelling and next sentence prediction",
    "evaluate": "figures of a language model, or of a head",
    "compare": "whether the difference of two models is real",
    "score": "figures of predictions in a file: answers, tags or labels",
    "finetune": "a MODEL and labelled text to a RUN with a head",
    "tokenize": "the three tensors of a text",
}
_BEHIND = {"report": "report.html of a STORE or a RUN"}
"""The verbs before and behind those of the tasks, and their lines in `bertsmith --help`; `bertsmith.cli.<verb>` holds
the command of each."""


def verbs() -> dict[str, str]:
    """Every verb and its line in `bertsmith --help`."""
    from bertsmith.tasks import registry

    return _BEFORE | {verb: task.summary for verb, task in registry.verbs().items()} | _BEHIND


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script; exits with 0, 1 (a bug), 2 (input), 3 (resources) or 130 (interrupted)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What the terminal's encoding lacks is written as an escape, which is valid JSON as well.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run one command line; returns its exit code."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    log_to_terminal()
    try:
        return _dispatch(arguments)
    except BertsmithError as error:
        # Processes of one run stop together; an error of a single process is printed with its number.
        if not isinstance(error, Interrupted):
            where = "" if processes.is_main() else f" in process {processes.rank()}"
            sys.stderr.write(f"error{where}: {error}\n")
        elif processes.is_main():
            sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return Interrupted.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        sys.stderr.write("error: out of memory; give a smaller --batch-size, --micro-batch-size or --workers\n")
        return 3
    except Exception as error:  # noqa: BLE001
        return _unexpected(error, arguments)


def _unexpected(error: Exception, arguments: list[str]) -> int:
    if type(error).__name__ == "OutOfMemoryError":
        sys.stderr.write(f"error: the device is out of memory: {str(error).splitlines()[0]}\n")
        sys.stderr.write("Give a smaller --micro-batch-size; the result does not depend on it.\n")
        return 3
    traceback.print_exception(error)
    sys.stderr.write(
        "\nThis is a bug in bertsmith. Please report it with the lines above, the output of `bertsmith doctor`, and "
        f"the command:\n  {runnable(shlex.join(['bertsmith', *arguments]))}\n"
    )
    return 1


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        return _help()
    if arguments[0] in ("--version", "-V"):
        from bertsmith import __version__

        sys.stdout.write(f"{__version__}\n")
        return 0
    verb, rest = arguments[0], arguments[1:]
    if verb not in verbs():
        near = difflib.get_close_matches(verb, verbs(), n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise OptionError(f"there is no verb '{verb}'{hint} (bertsmith --help lists them)")
    from bertsmith.cli.command import command_of, execute

    return execute(command_of(verb), rest)


def _help() -> int:
    listed = verbs()
    width = max(map(len, listed))
    lines = [
        "Bertsmith: raw text to a BERT that is used.",
        "",
        "Usage: bertsmith VERB ...        (bertsmith VERB --help shows its options and an example)",
        "",
        *(f"  {verb:<{width}}  {line}" for verb, line in listed.items()),
        "",
        "Every verb takes --json, --config FILE.yaml and --set key=value.",
        f"Start with:  {runnable('bertsmith quickstart --minutes 3')}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
