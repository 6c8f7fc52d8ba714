"""The command line: find the verb, run it, turn errors into messages and exit codes.

A verb's module is imported only when the verb is called, and torch only when it computes, so that `--help` stays fast.
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
from bertsmith.runtime.console import log_to_terminal, print_error
from bertsmith.runtime.libraries import quiet_libraries
from bertsmith.runtime.program import runnable

_BEFORE = {
    "quickstart": "train and use a BERT in minutes, on text from this machine",
    "doctor": "show the machine, the versions and the automatic choices",
    "prepare": "turn text into a STORE: clean, de-duplicate, split, tokenize",
    "train-tokenizer": "train a WordPiece tokenizer on text",
    "extend-tokenizer": "add the words of a text to the tokenizer of a MODEL",
    "pretrain": "train a BERT on a STORE, and write a RUN",
    "evaluate": "measure a language model or a fine-tuned model",
    "compare": "test whether two models really differ",
    "score": "score a file of predictions",
    "finetune": "train a MODEL for a task on labelled text, and write a RUN",
    "tokenize": "show the input tensors of a text",
}
_AFTER = {"report": "write report.html of a STORE or a RUN"}
"""The verbs before and after those of the tasks in `bertsmith --help`, with their lines there. `bertsmith.cli.<verb>`
holds the command of each verb."""


def verbs() -> dict[str, str]:
    """Return every verb with its line in `bertsmith --help`."""
    from bertsmith.tasks import registry

    return _BEFORE | {verb: task.summary for verb, task in registry.task_verbs().items()} | _AFTER


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the console script. Exits with 0, 1 (a bug), 2 (input), 3 (resources) or 130 (interrupted)."""
    quiet_libraries()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Characters that the terminal's encoding lacks are escaped, which is valid in JSON too.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    log_to_terminal()
    try:
        return _dispatch(arguments)
    except BertsmithError as error:
        # All processes of a run are interrupted together, but each prints its own errors, with its number.
        if not isinstance(error, Interrupted):
            where = "" if processes.is_main() else f" in process {processes.rank()}"
            print_error(f"error{where}: {error}")
        elif processes.is_main():
            print_error(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return Interrupted.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        print_error("error: out of memory. Try: a smaller --batch-size, --micro-batch-size or --workers")
        return 3
    except Exception as error:  # noqa: BLE001
        return _unexpected(error, arguments)


def _unexpected(error: Exception, arguments: list[str]) -> int:
    if type(error).__name__ == "OutOfMemoryError":
        print_error(
            f"error: the device is out of memory: {str(error).splitlines()[0]}\n"
            "Try: a smaller --micro-batch-size, which gives the same result"
        )
        return 3
    traceback.print_exception(error)
    sys.stderr.write(
        "\nThis is a bug in bertsmith. Please report it with the lines above, the output of\n"
        f"`bertsmith doctor`, and the command:\n  {runnable(shlex.join(['bertsmith', *arguments]))}\n"
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
        raise OptionError(f"there is no verb '{verb}'{hint or '.'} Try: bertsmith --help")
    from bertsmith.cli.command import command_of, execute

    return execute(command_of(verb), rest)


def _help() -> int:
    listed = verbs()
    width = max(map(len, listed))
    lines = [
        "Bertsmith: train a BERT from raw text and put it to use.",
        "",
        "Usage: bertsmith VERB ...        (bertsmith VERB --help shows its options and an example)",
        "",
        *(f"  {verb:<{width}}  {line}" for verb, line in listed.items()),
        "",
        "Every verb takes --json, --verbose, --config FILE.yaml and --set key=value.",
        f"Start with:  {runnable('bertsmith quickstart --minutes 3')}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
