"""What commands print: lines and tables."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterable, Sequence

__all__ = ["Table", "format_markdown", "format_table", "say", "suggest"]

Table = tuple[Sequence[str], Sequence[Sequence[str]]]  # header, rows


def say(text: str) -> None:
    """Print a line, at once; goes on where nobody reads it any more, as after `| head`."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def suggest(name: str, valid: Iterable[str]) -> str:
    """Sentence with the nearest valid name, empty if none is near."""
    by_lower = {v.lower(): v for v in valid}
    near = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.5)
    return f" Did you mean {by_lower[near[0]]!r}?" if near else ""


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Plain table: the first column flush left, the others flush right, a rule under the header."""
    cells = [list(header), *map(list, rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        rest = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        return "  ".join([row[0].ljust(widths[0]), *rest]).rstrip()

    return "\n".join([line(cells[0]), "  ".join("-" * w for w in widths), *map(line, cells[1:])])


def format_markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown table, aligned as `format_table` aligns."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))
