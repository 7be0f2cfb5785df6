"""`reconic completion`: the script by which a shell completes commands and options."""

from __future__ import annotations

import argparse

from reconic.cli.console import say
from reconic.cli.help import command_parser
from reconic.cli.main import COMMANDS
from reconic.cli.spelling import make_parser, parse

_SHELL = """Shell of the script. bash: put eval "$(reconic completion bash)" into ~/.bashrc.
zsh: write it to a file _reconic in a folder of $fpath. fish: write it to
~/.config/fish/completions/reconic.fish."""
_FILES = ("FILE", "Path", "path", "config", "ksp", "run", "bundle", "old", "out")


def run(argv: list[str]) -> None:
    """Print the script."""
    parser = make_parser("completion", "Print the completion script of a shell.", config=False)
    parser.add_argument("shell", choices=["bash", "zsh", "fish"], help=_SHELL)
    say(completion_script(parse(parser, argv).shell))


def completion_script(shell: str) -> str:
    """Script for bash, zsh or fish, made of the same source as the help.

    Raises:
        ImportError: If shtab is missing.
    """
    try:
        import shtab
    except ImportError as error:
        raise ImportError(
            "`completion` must have the package shtab, got none. Try `pip install shtab`."
        ) from error
    parser = argparse.ArgumentParser(prog="reconic", add_help=False)
    commands = parser.add_subparsers()
    for name, text in COMMANDS.items():
        made = command_parser(name)
        for action in made._actions:
            if {action.dest, str(action.metavar)} & {*_FILES}:
                action.complete = shtab.FILE  # pyright: ignore[reportAttributeAccessIssue]
        commands.add_parser(name, help=text, parents=[made], add_help=False)
    return shtab.complete(parser, shell)
