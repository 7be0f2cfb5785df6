"""What the many HDF5 files of a large data set hold, and which of them cannot be read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import h5py

from reconic.cli.console import format_table
from reconic.io.hdf5 import intact

__all__ = ["describe_files"]

_Key = tuple[str, tuple[int, ...], str, int]  # name, shape of an example, kind, examples of a chunk


def describe_files(files: Iterable[Path]) -> str:
    """Table of the layouts of files, with the numbers of files and examples of each.

    Args:
        files: HDF5 files, the first axis of whose arrays is the example.
    """
    layouts: dict[tuple[_Key, ...], list[int]] = {}
    damaged, size = [], 0
    for path in files:
        try:
            keys, n = _read(path)
        except ValueError as error:
            damaged.append(str(error))
            continue
        layouts.setdefault(keys, []).append(n)
        size += path.stat().st_size
    rows = [row for keys, counts in layouts.items() for row in _rows(keys, counts)]
    n_files, n = sum(map(len, layouts.values())), sum(map(sum, layouts.values()))
    head = f"{n_files} files, {n} examples, {size / 1e6:.0f} MB"
    names = ("files", "examples", "key", "shape of one", "kind", "examples in a chunk")
    return "\n".join([head, format_table(names, rows), *_warned(layouts), *damaged])


def _read(path: Path) -> tuple[tuple[_Key, ...], int]:
    """Arrays of a file, and its number of examples."""
    with intact("info", str(path)), h5py.File(path, "r") as file:
        arrays = {k: v for k, v in file.items() if isinstance(v, h5py.Dataset) and v.shape}
        keys = tuple(
            (name, tuple(a.shape[1:]), str(a.dtype), (a.chunks or (1,))[0])
            for name, a in sorted(arrays.items())
        )
        return keys, max((a.shape[0] for a in arrays.values()), default=0)


def _rows(keys: tuple[_Key, ...], counts: list[int]) -> list[list[str]]:
    """Rows of a layout; the counts are in the first."""
    rows = [["", "", name, str(shape), kind, str(chunk)] for name, shape, kind, chunk in keys]
    rows = rows or [["", "", "none", "", "", ""]]
    rows[0][:2] = [str(len(counts)), str(sum(counts))]
    return rows


def _warned(layouts: Iterable[tuple[_Key, ...]]) -> list[str]:
    """Advice for files that are slow to read in random order."""
    large = {name for keys in layouts for name, shape, _, chunk in keys if chunk > 1 and shape}
    if not large:
        return []
    names = ", ".join(sorted(large))
    return [f"To read one example of {names}, a chunk of several is read: write chunks of one."]
