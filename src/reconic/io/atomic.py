"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed to `path` when the block ends without error.

    The contents are on the disk before the name is: neither a killed process nor a lost machine
    leaves half a file under `path`. The temporary name keeps the ending, which many writers go by.
    After an error `path` is as it was before and the temporary file is gone.
    """
    path = Path(path)
    temporary = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    try:
        yield temporary
        _bring_to_disk(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _bring_to_disk(path: Path) -> None:
    """Wait until a file's contents are on the disk, which also tells if that is full."""
    handle = os.open(path, os.O_RDWR)  # Windows needs the right to write
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
