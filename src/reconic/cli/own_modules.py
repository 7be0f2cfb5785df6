"""A user's own modules: a command finds them where `python` would, and beside its configuration."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from reconic.cli.spelling import config_files

__all__ = ["own_modules"]


@contextlib.contextmanager
def own_modules(argv: Sequence[str]) -> Iterator[None]:
    """Let modules in this folder, and beside config files, be imported inside a `with` block.

    Python's own and installed ones come first: a user's queue.py does not take the place of one.
    """
    folders = [Path.cwd(), *(path.resolve().parent for path in config_files(argv))]
    new = [f for f in dict.fromkeys(map(str, folders)) if f not in sys.path]
    sys.path.extend(new)
    try:
        yield
    finally:
        sys.path[:] = [f for f in sys.path if f not in new]
