"""HDF5 files with examples in DeepInPy's layout: checked, and read one example at a time."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Collection
from operator import contains
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np

from reconic.io.hdf5 import intact

__all__ = ["ExampleFile", "Handles"]

_KINDS = {"ksp": "c", "maps": "c", "noise": "c", "imgs": "cfiu", "masks": "fiub"}  # of NumPy dtypes
_OPTIONAL = _KINDS.keys() - {"ksp"}
_MOST_OPEN = 16  # files of a folder that a process holds open at a time


class Handles:
    """Open files of this process, the last used ones; what a fork inherits is opened anew."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._open: OrderedDict[Path, h5py.File] = OrderedDict()

    def __call__(self, path: Path) -> h5py.File:
        """Handle of a file."""
        if self._process != os.getpid():
            self.__init__()
        if path not in self._open:
            if len(self._open) == _MOST_OPEN:
                self._open.popitem(last=False)[1].close()
            with intact("ReconDataset", str(path)):
                self._open[path] = h5py.File(path, "r")
        self._open.move_to_end(path)
        return self._open[path]

    def __reduce__(self) -> tuple[type[Handles], tuple[()]]:
        """Pickle without the open files."""
        return Handles, ()


class ExampleFile:
    """Keys and shapes of a file's examples, checked when made; holds no open file.

    Args:
        path: HDF5 file. `ksp (n, coil, [frames,] [nz,] ny, nx)` must be there; `imgs` and `maps`,
            without and with the coil axis and both perhaps with sets before it, `masks` without
            it, and `noise` may. Other keys are not looked at.
        simulated: Whether k-space is computed from `imgs` and `maps`, without sets, which must be
            there then; `ksp` is not looked at, only its shape follows from theirs.

    Attributes:
        n: Number of examples.
        shapes: Shape of one example of each key.
        layout: Shapes of those keys that make an item, the number of coils aside.

    Raises:
        KeyError: If there is no `ksp`, or what it is computed from; lists the keys found.
        TypeError: If a key is of a wrong kind, such as a real `ksp`.
        ValueError: If it is no whole HDF5 file, or shapes do not fit.
    """

    def __init__(self, path: Path, simulated: bool = False) -> None:
        self.path = path
        needed = ("imgs", "maps") if simulated else ("ksp",)
        with intact("ReconDataset", str(path)), h5py.File(path, "r") as file:
            keys = list(file)
            arrays = {key: file.get(key) for key in {*needed, *_OPTIONAL}}
            found = {
                k: (v.shape, v.dtype) for k, v in arrays.items() if isinstance(v, h5py.Dataset)
            }
        shapes = {key: tuple(shape) for key, (shape, _) in found.items() if shape is not None}
        for key in needed:
            self._check_key(key, shapes, keys)
        for key in shapes:
            self._check_kind(key, found[key][1])
        if simulated:
            shapes["ksp"] = (*shapes["maps"][:2], *shapes["imgs"][1:])
        self._check_shapes(shapes)
        self.n = shapes["ksp"][0]
        self.shapes = {key: shape[1:] for key, shape in shapes.items()}
        self.layout = self._layout()

    def read(self, file: h5py.File, key: str, index: int) -> np.ndarray:
        """Example `index` of a key from the open file: complex64, or float32 for `masks`.

        Raises:
            ValueError: If it cannot be read, or holds NaN or Inf.
        """
        with intact("ReconDataset", f"{key!r} of example {index} in {self.path}"):
            array: Any = file[key]
            stored: np.ndarray = array[index]
        if stored.shape != self.shapes[key]:
            self._fail(
                f"{key!r} must have examples of shape {self.shapes[key]}",
                f"{stored.shape} for example {index}",
                "The file changed since the run began.",
            )
        with np.errstate(over="ignore"):  # what single precision cannot hold becomes Inf: refused
            example = stored.astype(np.float32 if key == "masks" else np.complex64, copy=False)
        n_bad = example.size - np.count_nonzero(np.isfinite(example))
        if n_bad:
            self._fail(
                f"{key!r} must be finite",
                f"{n_bad} of {example.size} values that are NaN or Inf in example {index}",
                "Set unmeasured samples to 0, or leave the example out.",
            )
        return example

    def _layout(self) -> tuple[Any, ...]:
        axes = len(self.shapes["ksp"]) - 1  # behind the coils, of `ksp` as of `maps`
        return tuple(
            (key, shape if key in ("imgs", "masks") else (*shape[: -axes - 1], *shape[-axes:]))
            for key, shape in sorted(self.shapes.items())
            if key != "noise"
        )

    def _check_key(self, key: str, shapes: Collection[str], keys: list[str]) -> None:
        if key not in shapes:
            raise KeyError(
                f"ReconDataset: {self.path} must have the data set {key!r}, got the keys "
                f"{', '.join(map(str, keys)) or 'none'}. Rename the one that holds it."
            )

    def _check_kind(self, key: str, dtype: np.dtype) -> None:
        if dtype.kind not in _KINDS[key]:
            wanted = "complex" if _KINDS[key] == "c" else "numbers"
            raise TypeError(
                f"ReconDataset: {key!r} in {self.path} must be {wanted}, got {dtype}. Store real "
                "and imaginary part as one complex array."
            )

    def _check_shapes(self, shapes: dict[str, tuple[int, ...]]) -> None:
        ksp = shapes["ksp"]
        if len(ksp) < 4 or 0 in ksp:
            self._fail(
                "'ksp' must have shape (example, coil, [frames,] [nz,] ny, nx)",
                str(ksp),
                "A single coil is a coil axis of length one.",
            )
        wanted = _allowed_lengths(shapes)
        for key, found in shapes.items():
            lengths = wanted[key]
            fits = len(found) == len(lengths) and all(map(contains, lengths, found))
            if not fits:
                self._fail(
                    f"{key!r} must have shape {tuple(map(max, lengths))} as 'ksp' {ksp} has",
                    str(found),
                    "Write all keys for the same examples.",
                )

    def _fail(self, requirement: str, actual: str, fix: str) -> NoReturn:
        raise ValueError(f"ReconDataset: in {self.path} {requirement}, got {actual}. {fix}")


def _allowed_lengths(shapes: dict[str, tuple[int, ...]]) -> dict[str, list[set[int]]]:
    """For each key the lengths that its axes may have beside `ksp (n, coil, *axes)`."""
    n, n_coils, *axes = shapes["ksp"]
    with_sets = "maps" if "maps" in shapes else "imgs"
    rank = len(axes) + 2 + (with_sets == "maps")  # of an array with a set axis
    sets = shapes[with_sets][1:2] if len(shapes.get(with_sets, ())) == rank else ()
    exact = [{m} for m in axes]
    shared = [{m, 1} for m in axes]  # where one value serves all frames, or all lines
    before = [{n}, *({m} for m in sets)]
    return {
        "ksp": [{n}, {n_coils}, *exact],
        "imgs": [*before, *exact],
        "maps": [*before, {n_coils}, *shared[:-2], *exact[-2:]],
        "masks": [{n}, *shared],
        "noise": [{n}, {n_coils}, *exact],
    }
