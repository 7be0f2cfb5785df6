"""Data that a run was made of: known by their contents, wherever they lie."""

from __future__ import annotations

import contextlib
import glob
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconic.io import example_files

__all__ = ["Fingerprint", "find_data", "fingerprint"]

_DATA = (".h5", ".hdf5")  # of a folder of examples


@dataclass(frozen=True)
class Fingerprint:
    """What data are known by.

    Attributes:
        sha256: SHA-256 of a file, or of those of several files one after another.
        n_bytes: Length of all files.
        folder: Whether they are named by their folder, or a pattern.
    """

    sha256: str
    n_bytes: int
    folder: bool = False


def fingerprint(path: str | Path) -> Fingerprint | None:
    """Fingerprint of a file, a pair .cfl and .hdr, a folder or pattern of examples, or weights.

    The names of the files play no part, but for their order.

    Args:
        path: File, folder, pattern, or run folder; None is returned where there is none of these.
    """
    files = _files(Path(path))
    if not files:
        return None
    sums = [_sum(file) for file in files]
    both = hashlib.sha256("".join(sums).encode()).hexdigest()
    sha256 = sums[0] if len(sums) == 1 else both
    return Fingerprint(sha256, _length(files), Path(path) not in files)


def find_data(where: Path, wanted: Fingerprint) -> Path | None:
    """File, folder or pattern with a fingerprint: a path itself, or anything below it."""
    for path in _candidates(where):
        files = _files(path)
        if files and _length(files) == wanted.n_bytes and fingerprint(path) == wanted:
            return path
    return None


def _candidates(where: Path) -> Iterator[Path]:
    yield where
    if where.is_dir():
        yield from sorted(where.rglob("*"))
        yield where / "**" / "*.h*5"  # of a pattern that matched in several folders


def _files(path: Path) -> list[Path]:
    if path.suffix in (".cfl", ".hdr"):
        pair = [path.with_suffix(".cfl"), path.with_suffix(".hdr")]
        return pair if all(p.is_file() for p in pair) else []
    if path.is_file():
        return [path]
    weights = [path / "checkpoints" / f"{name}.ckpt" for name in ("best", "last")]
    if found := [p for p in weights if p.is_file()]:
        return found[:1]
    if not path.is_dir():
        return _of_pattern(path)
    return sorted(p for p in path.iterdir() if p.suffix.lower() in _DATA and p.is_file())


def _of_pattern(path: Path) -> list[Path]:
    with contextlib.suppress(FileNotFoundError, ValueError):  # a file may be there twice
        return example_files(path) if glob.has_magic(str(path)) else []
    return []


def _length(files: list[Path]) -> int:
    return sum(file.stat().st_size for file in files)


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
