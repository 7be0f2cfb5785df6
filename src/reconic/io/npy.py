"""NumPy's .npy: one array, k-space `(coil, [frames,] [nz,] ny, nx)` or an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from reconic.io.atomic import atomic_path
from reconic.io.measurement import (
    Measurement,
    Share,
    checked_file,
    checked_index,
    checked_kspace,
    sampling_mask,
)


def read(path: Path, index: int, share: Share | None = None) -> Measurement:  # noqa: ARG001
    """Read k-space; the file is one example, so `index` is 0."""
    checked_index(index, 1, checked_file(path))
    try:
        ksp = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(
            f"read_kspace: {path.name} must be a whole .npy file of numbers, got one that NumPy "
            f"cannot read ({error}). It may be cut short; copy it again."
        ) from error
    ksp = checked_kspace(ksp, path)
    return Measurement(ksp, mask=sampling_mask(ksp))


def write(path: Path, x: np.ndarray) -> None:
    """Write an array as it is."""
    with atomic_path(path) as temporary:
        np.save(temporary, x)
