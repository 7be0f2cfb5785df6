"""Examples from an HDF5 file in DeepInPy's layout, read one by one and only when asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch.utils.data import Dataset

from reconic.train.augment import augment

__all__ = ["ReconDataset"]

_KEYS = {"imgs": "x", "ksp": "y", "maps": "maps", "masks": "mask"}  # key in the file: in an item


class ReconDataset(Dataset):
    """Examples with the keys `imgs`, `maps`, `masks` and `ksp`, the first axis of each the example.

    The file is opened by the process that reads, at its first access, and the handle never travels
    to another process. Item i is a dict of complex64 `x ([frames,] [nz,] ny, nx)`, `y` and `maps
    (coil, [frames,] [nz,] ny, nx)`, float32 `mask`, and the `index`. Measurements are y = mask ·
    (ksp + noise). The names are those of a System's fields, so a system is made of an item.

    Args:
        path: HDF5 file.
        stdev: Standard deviation of the complex noise to add to the k-space, in its units. The
            noise depends on `seed`, epoch and index alone; a file with the key `noise` gives its
            own, of unit variance in real and imaginary part, instead.
        limit: Largest number of examples to use, from the first on; None uses all.
        augmented: Whether to flip and transpose (square images only) examples at random and to
            give them a random global phase, exactly: image, maps, mask and k-space change alike.
        seed: Seed of noise and augmentation.

    Raises:
        FileNotFoundError: If there is no such file.
        KeyError: If a key is missing; lists those found.
        ValueError: If shapes do not fit, or `stdev` or `limit` is out of range.
    """

    def __init__(
        self,
        path: str | Path,
        stdev: float = 0.0,
        limit: int | None = None,
        augmented: bool = False,
        seed: int = 0,
    ) -> None:
        if stdev < 0:
            raise ValueError(f"ReconDataset: `stdev` must not be negative, got {stdev}.")
        if limit is not None and limit < 1:
            raise ValueError(
                f"ReconDataset: `limit` must be at least 1, got {limit}. Use null for all."
            )
        self.path = Path(path)
        self.stdev = stdev
        self.augmented = augmented
        self.seed = seed
        self._open: tuple[int, h5py.File] | None = None  # process id and its handle
        with _open_file(self.path) as file:
            n = _check(file, self.path)
            self.has_noise = "noise" in file
        self.n = n if limit is None else min(n, limit)

    def __len__(self) -> int:
        """Number of examples."""
        return self.n

    def __getitem__(self, item: int | tuple[int, int]) -> dict[str, Any]:
        """Example by index, or by (epoch, index) where noise and augmentation change per epoch."""
        epoch, index = item if isinstance(item, tuple) else (0, item)
        if not -self.n <= index < self.n:
            raise IndexError(f"ReconDataset: index must be below {self.n}, got {index}.")
        index %= self.n
        file = self._file()
        kinds = {"masks": np.float32}
        example = {
            name: np.asarray(file[key][index]).astype(kinds.get(key, np.complex64))
            for key, name in _KEYS.items()
        }
        rng = np.random.default_rng((self.seed, epoch, index))
        if self.stdev > 0:
            example["y"] = example["y"] + self._noise(file, index, rng)
        example["y"] = example["y"] * example["mask"]
        if self.augmented:
            example = augment(example, rng)
        tensors = {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in example.items()}
        return {**tensors, "index": index}

    def _noise(self, file: Any, index: int, rng: np.random.Generator) -> np.ndarray:
        if self.has_noise:
            noise = np.asarray(file["noise"][index])
        else:
            shape = file["ksp"].shape[1:]
            noise = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
        return (noise * (self.stdev / np.sqrt(2))).astype(np.complex64)

    def _file(self) -> Any:
        """Handle of this process; one that a fork inherited is left alone and opened anew."""
        if self._open is None or self._open[0] != os.getpid():
            self._open = (os.getpid(), _open_file(self.path))
        return self._open[1]

    def __getstate__(self) -> dict[str, Any]:
        """State to pickle, without the open file."""
        return {**self.__dict__, "_open": None}


def _open_file(path: Path) -> h5py.File:
    if not path.is_file():
        raise FileNotFoundError(
            f"ReconDataset: `path` must be an HDF5 file, got {str(path)!r}, which is no file. "
            "Check the path, or make example data with `reconic simulate`."
        )
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise ValueError(
            f"ReconDataset: `path` must be a whole HDF5 file, got {str(path)!r}, which cannot be "
            f"opened ({error}). It may be cut short; make or copy it again."
        ) from error


def _check(file: Any, path: Path) -> int:
    """Number of examples, after checking that keys and shapes are there and fit."""
    missing = [key for key in _KEYS if key not in file]
    if missing:
        raise KeyError(
            f"ReconDataset: {path} must have the keys {', '.join(_KEYS)}, got "
            f"{', '.join(sorted(file)) or 'none'}. Missing: {', '.join(missing)}."
        )
    shape = {
        key: tuple(file[key].shape) for key in [*_KEYS, *(["noise"] if "noise" in file else [])]
    }
    n, *_, ny, nx = shape["ksp"]
    for key, found in shape.items():
        lengths = ({ny}, {nx}) if key != "masks" else ({ny, 1}, {nx, 1})
        fits = (
            len(found) >= 3
            and found[0] == n
            and found[-2] in lengths[0]
            and found[-1] in lengths[1]
        )
        if not fits or n == 0:
            raise ValueError(
                f"ReconDataset: '{key}' in {path} must have shape ({n or 'N'}, …, {ny}, {nx}) as "
                f"'ksp' {shape['ksp']} has, got {found}. Write all keys for the same examples."
            )
    image, maps, ksp = (len(shape[k]) for k in ("imgs", "maps", "ksp"))
    if image + 1 != maps or maps - ksp not in (0, 1):
        raise ValueError(
            f"ReconDataset: 'maps' in {path} must have one axis more, coils, than 'imgs', and "
            f"'ksp' the axes of 'maps', got imgs {shape['imgs']}, maps {shape['maps']}, ksp "
            f"{shape['ksp']}. A single coil is a coil axis of length one."
        )
    return n
