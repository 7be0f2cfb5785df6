"""`reconic`: finds the command and reports its errors in one line."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence

from reconic import __version__
from reconic._users import line_of
from reconic.cli.console import say, suggest
from reconic.cli.help import command_help

COMMANDS = {
    "train": "train a recon, and test it beside the baselines",
    "test": "test a trained recon on held-out data",
    "compare": "compare runs in one table and one figure",
    "recon": "reconstruct measured k-space",
    "search": "search the best values of a configuration's keys",
    "descend": "reconstruct one scene by gradient descent",
    "view": "look at a file or a run: page, picture, or in the terminal",
    "bundle": "pack a run into one archive, to run it again elsewhere",
    "reproduce": "run a bundle again, and compare what comes out",
    "simulate": "make example data",
    "check": "check a forward model of your own",
    "import-config": "bring a configuration of DeepInPy into Reconic's form",
    "info": "show versions and devices, or what a run or a data file holds",
    "doctor": "show what is installed, seen and missing",
    "completion": "print the completion script of bash, zsh or fish",
}

_MENDED = (ValueError, TypeError, LookupError, ArithmeticError, OSError, ImportError)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0 done, 1 failed, 2 wrong usage."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv or argv[0] in ("-h", "--help"):
        say(_help())
        return 0 if argv else 2
    if argv[0] == "--version":
        say(__version__)
        return 0
    name, *rest = argv
    if name not in COMMANDS:
        message = f"there is no command {name!r}.{suggest(name, COMMANDS)}"
        return _fail("reconic", _with_next(message, "reconic", argv, "reconic --help"), 2)
    if "-h" in rest or "--help" in rest:
        say(command_help(name))
        return 0
    logging.basicConfig(format="%(message)s")
    logging.getLogger("reconic").setLevel(logging.INFO)
    module = f"reconic.cli.{name.replace('-', '_')}"
    return _guarded(name, lambda words: importlib.import_module(module).run(words), rest)


def _guarded(name: str, run: Callable[[list[str]], int | None], argv: list[str]) -> int:
    """Run a command; errors that a user can mend become a message without a traceback."""
    where = f"reconic {name}"
    from reconic.cli.own_modules import own_modules

    try:
        with own_modules(argv):
            return run(argv) or 0
    except argparse.ArgumentError as error:
        return _fail(where, _with_next(str(error), where, argv, f"{where} --help"), 2)
    except Exception as error:
        known = isinstance(error, _MENDED)
        if os.environ.get("RECONIC_DEBUG") or not (known or line_of(error)):
            raise
        usual = isinstance(error, ValueError | FileNotFoundError)
        again = f"RECONIC_DEBUG=1 {shlex.join([*where.split(), *argv])}"
        command = f"{where} --help" if usual else again
        command = "reconic doctor" if isinstance(error, ImportError) else command
        return _fail(where, _with_next(_text(error), where, argv, command), 2 if usual else 1)
    except KeyboardInterrupt:
        return _fail(where, "stopped by the user.", 130)


def _with_next(message: str, where: str, argv: Sequence[str], command: str) -> str:
    """`message`, ending with the command to try next unless it names one.

    Args:
        message: What is wrong.
        where: Command that failed.
        argv: Its words; where `message` tells what a wrong one should be, that is put in its place.
        command: What to try if nothing nearer is known.
    """
    if re.search(r"(`|Write |Try )(reconic|pip|RECONIC)", message):
        return message
    near = re.search(r"'([^']+)'\.? Did you mean '([^']+)'\?", message)
    words = [word.partition("=")[0] for word in argv]
    if near and words.count(near[1]) == 1:
        place = words.index(near[1])
        mended = [*argv[:place], near[2] + argv[place][len(near[1]) :], *argv[place + 1 :]]
        command = shlex.join([*where.split(), *mended])
    return f"{message} Try `{command}`."


def _text(error: Exception) -> str:
    """Message of an error, without Python's quotes and numbers; in a user's code with its line."""
    if isinstance(error, KeyError) and error.args:
        return f"{error.args[0]}{line_of(error)}"
    if not isinstance(error, _MENDED):
        return f"{type(error).__name__}: {error}{line_of(error)}."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _fail(where: str, message: str, status: int) -> int:
    from reconic.track import hidden

    sys.stderr.write(f"{where}: {hidden(message)}\n")
    return status


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = (f"  {name:<{width}}  {text}" for name, text in COMMANDS.items())
    return "\n".join(
        [
            "usage: reconic COMMAND [options]",
            "",
            *lines,
            "",
            "reconic COMMAND --help explains its options, with an example.",
        ]
    )
