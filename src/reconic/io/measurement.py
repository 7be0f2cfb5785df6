"""What a scan file holds, checked once where it enters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Share = Callable[[int], slice]  # coils of a process, of their number


@dataclass(frozen=True, eq=False)
class Measurement:
    """One scan: k-space and what is known with it.

    Attributes:
        ksp: k-space `(coil, [frames,] [nz,] ny, nx)`, complex64, zero where unmeasured; with a
            trajectory `(coil, [frames,] [partition,] [spoke,] sample)`.
        maps: Coil sensitivity maps `([set,] coil, [1,] [nz,] ny, nx)`, complex64, if stored.
        mask: Sampling mask, `ksp.shape[1:]`, float32; where any coil is non-zero if not stored.
            None with a trajectory.
        reference: True or fully sampled image `([frames,] [nz,] ny, nx)`, complex64, if stored.
        traj: Trajectory in rad/voxel `([frames,] [spoke,] sample, n)`, float32; None where k-space
            is Cartesian.
        dcf: Density weights, `traj.shape[:-1]`, float32, if stored.
        shared: Whether k-space and maps are those of a share of the coils.
    """

    ksp: np.ndarray
    maps: np.ndarray | None = None
    mask: np.ndarray | None = None
    reference: np.ndarray | None = None
    traj: np.ndarray | None = None
    dcf: np.ndarray | None = None
    shared: bool = False


def sampling_mask(ksp: np.ndarray) -> np.ndarray:
    """1 where any coil of k-space `(coil, *space)` is non-zero, else 0; float32 `(*space)`."""
    return np.any(ksp != 0, axis=0).astype(np.float32)


def checked_file(path: Path) -> Path:
    """`path`, checked to be a file.

    Raises:
        FileNotFoundError: If it is not.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"read_kspace: `path` must be a file, got {str(path)!r}. Check the path."
        )
    return path


def checked_kspace(ksp: np.ndarray, path: Path) -> np.ndarray:
    """`ksp` as complex64, checked to be complex, with a coil axis, not empty and finite.

    Raises:
        TypeError: If it is real.
        ValueError: If it has fewer than 3 axes, no elements, or holds NaN or Inf.
    """
    if ksp.dtype.kind != "c":
        raise TypeError(
            f"read_kspace: the k-space in {path.name} must be complex, got {ksp.dtype}. "
            "Store real and imaginary part as one complex array."
        )
    if not 3 <= ksp.ndim <= 5 or ksp.size == 0:
        raise ValueError(
            f"read_kspace: the k-space in {path.name} must have shape "
            f"(coil, [frames,] [nz,] ny, nx), got {ksp.shape}. Add a coil axis of length 1 for a "
            "single coil; store several scans one by one."
        )
    with np.errstate(over="ignore"):  # what complex64 cannot hold becomes Inf, refused below
        ksp = ksp.astype(np.complex64)
    return checked_finite(ksp, "k-space", path)


def checked_finite(a: np.ndarray, what: str, path: Path) -> np.ndarray:
    """`a`, checked to hold neither NaN nor Inf.

    Raises:
        ValueError: If it does.
    """
    bad = a.size - np.count_nonzero(np.isfinite(a))
    if bad:
        raise ValueError(
            f"read_kspace: the {what} in {path.name} must be finite, got {bad} values that are "
            "NaN or Inf. Set unmeasured samples to 0."
        )
    return a


def checked_index(index: int, n: int, path: Path) -> int:
    """`index`, checked to name one of the `n` examples of a file.

    Raises:
        IndexError: If it does not.
    """
    if not 0 <= index < n:
        raise IndexError(
            f"read_kspace: `index` must be from 0 to {n - 1}, the last example of {path.name}, "
            f"got {index}. Give another index."
        )
    return index
