"""`reconic`: finds the command and reports its errors in one line."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Callable, Sequence

from reconic import __version__
from reconic.cli.console import say, suggest
from reconic.cli.help import command_help

COMMANDS = {
    "train": "train a recon, and test it beside the baselines",
    "test": "test a trained recon on held-out data",
    "compare": "compare runs in one table and one figure",
    "recon": "reconstruct measured k-space",
    "search": "search the best values of a configuration's keys",
    "descend": "reconstruct one scene by gradient descent",
    "simulate": "make example data",
    "check": "check a forward model of your own",
    "import-config": "bring a configuration of DeepInPy into Reconic's form",
    "info": "show versions and devices, or what a run or a data file holds",
}


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
        message = f"there is no command {name!r}.{suggest(name, COMMANDS)} See `reconic --help`."
        return _fail("reconic", message, 2)
    if "-h" in rest or "--help" in rest:
        say(command_help(name))
        return 0
    logging.basicConfig(format="%(message)s")
    logging.getLogger("reconic").setLevel(logging.INFO)
    command = importlib.import_module(f"reconic.cli.{name.replace('-', '_')}")
    return _guarded(name, command.run, rest)


def _guarded(name: str, run: Callable[[list[str]], int | None], argv: list[str]) -> int:
    """Run a command; errors that a user can mend become a message without a traceback."""
    where = f"reconic {name}"
    try:
        return run(argv) or 0
    except argparse.ArgumentError as error:
        return _fail(where, str(error), 2)
    except (
        ValueError, TypeError, LookupError, ArithmeticError, OSError, ImportError
    ) as error:  # fmt: skip
        if os.environ.get("RECONIC_DEBUG"):
            raise
        status = 2 if isinstance(error, ValueError | FileNotFoundError) else 1
        return _fail(where, _text(error), status)
    except KeyboardInterrupt:
        return _fail(where, "stopped by the user.", 130)


def _text(error: Exception) -> str:
    """Message of an error, without Python's quotes and numbers."""
    if isinstance(error, KeyError) and error.args:
        return str(error.args[0])
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _fail(where: str, message: str, status: int) -> int:
    sys.stderr.write(f"{where}: {message}\n")
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
            "reconic COMMAND --help explains its options.",
        ]
    )
