"""DeepInPy's HDF5 layout: `imgs`, `maps`, `masks` and `ksp`, the first axis of each the example."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from reconic.io.atomic import atomic_path
from reconic.io.measurement import (
    Measurement,
    checked_file,
    checked_finite,
    checked_index,
    checked_kspace,
    sampling_mask,
)


def read(path: Path, index: int) -> Measurement:
    """Read example `index`: `ksp`, and `maps`, `masks` and `imgs` where the file has them.

    A stored mask multiplies the k-space, which may be fully sampled.
    """
    checked_file(path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ValueError(
            f"read_kspace: {path.name} must be a whole HDF5 file, got one that cannot be opened "
            f"({error}). It may be cut short; copy it again."
        ) from error
    with file:
        stored = file.get("ksp")
        if not isinstance(stored, h5py.Dataset) or not stored.shape:
            raise KeyError(
                f"read_kspace: {path.name} must have the data set 'ksp', got the keys "
                f"{', '.join(map(repr, file)) or '(none)'}. Rename the one with k-space."
            )
        index = checked_index(index, stored.shape[0], path)
        ksp = checked_kspace(np.asarray(stored[index]), path)
        space = ksp.shape[1:]
        mask = _example(file, "masks", index, space, np.float32)
        maps = _example(file, "maps", index, ksp.shape, np.complex64)
        reference = _example(file, "imgs", index, space, np.complex64)
    mask = sampling_mask(ksp) if mask is None else np.broadcast_to(mask, space).copy()
    return Measurement(ksp * mask, maps, mask, reference)


def write(path: Path, x: np.ndarray) -> None:
    """Write an image as the only example of `imgs`."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.create_dataset("imgs", data=x[None])


def _example(
    file: h5py.File, key: str, index: int, shape: tuple[int, ...], dtype: type
) -> np.ndarray | None:
    """Example `index` of `key` as `dtype`, None if there is no such data set.

    Its shape must be `shape`; frame axes may be of length 1, as maps that all frames share are.
    """
    data = file.get(key)
    if not isinstance(data, h5py.Dataset):
        return None
    found = data.shape[1:]
    fits = len(found) == len(shape) and all(n in (1, m) for n, m in zip(found, shape, strict=True))
    if index >= data.shape[0] or not fits:
        raise ValueError(
            f"read_kspace: {key!r} must have shape (example, {', '.join(map(str, shape))}) as "
            f"'ksp' has, got {data.shape}. Write all keys for the same examples."
        )
    return checked_finite(np.asarray(data[index]).astype(dtype), key, Path(file.filename))
