"""The command line: `reconic COMMAND …`, one file per command."""

from reconic.cli.main import main

__all__ = ["main"]
