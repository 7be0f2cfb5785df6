"""Examples of any forward model from HDF5 files: images, measurements, and the system's arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch.utils.data import Dataset

from reconic.io.hdf5 import intact
from reconic.train.files import Handles, example_files

__all__ = ["SystemDataset"]

_NAMES = {"imgs": "x", "ksp": "y"}  # key in a file: in an item


class SystemDataset(Dataset):
    """Examples with the keys `ksp` (measurements), `imgs`, and one for each array of a system.

    The first axis of each is the example. Item i is a dict of `y`, `x` if there are `imgs`, the
    system's arrays under the names of its fields, and the `index`; complex arrays are complex64,
    others float32, but x and y are complex64 always.

    Args:
        path: HDF5 file, or a folder of them.
        fields: Names of the system's arrays.
        stdev: Standard deviation of complex noise to add to the measurements, in their units; it
            depends on `seed`, epoch and index alone.
        limit: Largest number of examples to use, from the first on; None uses all.
        seed: Seed of the noise.

    Raises:
        FileNotFoundError: If there is no such file.
        KeyError: If a key is missing; lists those found.
        ValueError: If a file is broken, or its arrays have different numbers of examples.
    """

    def __init__(
        self,
        path: str | Path,
        fields: Sequence[str],
        stdev: float = 0.0,
        limit: int | None = None,
        seed: int = 0,
    ) -> None:
        if stdev < 0:
            raise ValueError(f"SystemDataset: `stdev` must not be negative, got {stdev}.")
        self.keys = ("ksp", *fields)
        self.stdev = stdev
        self.seed = seed
        self.paths = example_files(path)
        self.layouts = [self._layout(p) for p in self.paths]
        self._ends = np.cumsum([shapes["ksp"][0] for shapes in self.layouts])
        n = int(self._ends[-1])
        self.n = n if limit is None else min(n, limit)
        self._handles = Handles()

    def __len__(self) -> int:
        """Number of examples."""
        return self.n

    def __getitem__(self, item: int | tuple[int, int]) -> dict[str, Any]:
        """Example by index, or by (epoch, index) where the noise changes per epoch.

        Raises:
            IndexError: If there is no such example.
            ValueError: If the example is damaged, or holds NaN or Inf.
        """
        epoch, index = item if isinstance(item, tuple) else (0, item)
        if not -self.n <= index < self.n:
            raise IndexError(f"SystemDataset: index must be below {self.n}, got {index}.")
        index %= self.n
        i = int(np.searchsorted(self._ends, index, side="right"))
        within = index - int(self._ends[i]) + self.layouts[i]["ksp"][0]
        file = self._handles(self.paths[i])
        example = {
            _NAMES.get(key, key): self._read(file, self.paths[i], key, within)
            for key in self.layouts[i]
        }
        if self.stdev > 0:
            rng, shape = np.random.default_rng((self.seed, epoch, index)), example["y"].shape
            noise = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
            example["y"] = example["y"] + (noise * (self.stdev / np.sqrt(2))).astype(np.complex64)
        return {**{k: torch.from_numpy(v) for k, v in example.items()}, "index": index}

    def groups(self) -> np.ndarray:
        """For each example a number that those share whose arrays have the same shapes."""
        layouts: dict[Any, int] = {}
        numbers = [
            layouts.setdefault(tuple((k, s[1:]) for k, s in shapes.items()), len(layouts))
            for shapes in self.layouts
        ]
        return np.repeat(numbers, [shapes["ksp"][0] for shapes in self.layouts])[: self.n]

    def _layout(self, path: Path) -> dict[str, tuple[int, ...]]:
        """Shapes by key, after checking that all keys are there and fit."""
        with intact("SystemDataset", str(path)), h5py.File(path, "r") as file:
            there = sorted(file)
            arrays = {k: file.get(k) for k in ("imgs", *self.keys)}
            found = {
                k: (v.shape, v.dtype) for k, v in arrays.items() if isinstance(v, h5py.Dataset)
            }
        missing = [key for key in self.keys if key not in found]
        if missing:
            raise KeyError(
                f"SystemDataset: {path} must have the keys {', '.join(self.keys)} for this system, "
                f"got {', '.join(there) or 'none'}. Missing: {', '.join(missing)}."
            )
        n = (found["ksp"][0] or ())[:1]
        for key, (shape, dtype) in found.items():
            fits = shape and len(shape) >= 2 and shape[:1] == n and 0 not in shape
            if not fits or dtype.kind not in "cfiub":
                raise ValueError(
                    f"SystemDataset: {key!r} in {path} must be numbers of shape (example, …) with "
                    f"as many examples as 'ksp', {n}, got {shape} of {dtype}. Write all keys for "
                    "the same examples."
                )
        return {key: tuple(shape) for key, (shape, _) in found.items()}

    def _read(self, file: h5py.File, path: Path, key: str, index: int) -> np.ndarray:
        with intact("SystemDataset", f"example {index} of {key!r} in {path}"):
            array: Any = file[key]
            stored = np.asarray(array[index])
        is_complex = key in _NAMES or stored.dtype.kind == "c"
        with np.errstate(over="ignore"):  # what single precision cannot hold becomes Inf: refused
            example = stored.astype(np.complex64 if is_complex else np.float32)
        if not np.isfinite(example).all():
            raise ValueError(
                f"SystemDataset: {key!r} in {path} must be finite, got NaN or Inf in example "
                f"{index}. Leave it out."
            )
        return example
