"""The HDF5 files that a data setting names: one, or the many that hold a large data set."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

__all__ = ["Source", "example_files"]

_ENDINGS = (".h5", ".hdf5")
Source = str | Path | Sequence[str | Path]  # of examples; see `example_files`


def example_files(source: Source) -> list[Path]:
    """HDF5 files that a data setting names: in the order of their names, lists in their own.

    Args:
        source: A file; a folder, whose files are those in it and not in folders within; a pattern,
            such as "data/*/train-*.h5", with ** for folders of any depth; or a list of these.

    Raises:
        FileNotFoundError: If there is no such file or folder, or no HDF5 file in or among them.
        ValueError: If it names a file twice.
    """
    one = isinstance(source, str | Path)
    found = [file for path in ([source] if one else source) for file in _files(str(path))]
    if not found:
        raise FileNotFoundError("data: `path` must name a file, got an empty list.")
    _check_distinct(found)
    return found


def _files(name: str) -> list[Path]:
    path = Path(name)
    if path.is_file():
        return [path]
    if path.is_dir():
        inside = (p for p in path.iterdir() if not p.name.startswith("."))
        kind, fix = "a folder with", f"Files in folders within are {str(path / '**/*.h5')!r}."
    elif glob.has_magic(name):
        inside = map(Path, glob.iglob(name, recursive=True))  # noqa: PTH207 (absolute ones, too)
        kind, fix = "a pattern of", "Check it."
    else:
        raise FileNotFoundError(
            f"data: `path` must be an HDF5 file, got {name!r}, which is no file. "
            "Check the path, or make example data with `reconic simulate`."
        )
    found = sorted(p for p in inside if p.suffix.lower() in _ENDINGS and p.is_file())
    if not found:
        raise FileNotFoundError(
            f"data: `path` must be {kind} {' or '.join(_ENDINGS)} files, got {name!r}, "
            f"which has none. {fix}"
        )
    return found


def _check_distinct(files: list[Path]) -> None:
    """Check that no file is there twice, by whatever names: its examples would count double."""
    seen: dict[tuple[int, int], Path] = {}
    for path in files:
        info = path.stat()
        if other := seen.get((info.st_dev, info.st_ino)):
            raise ValueError(
                f"data: `path` must name each file once, got {str(path)!r}, the same file "
                f"as {str(other)!r}. Leave one out."
            )
        seen[info.st_dev, info.st_ino] = path
