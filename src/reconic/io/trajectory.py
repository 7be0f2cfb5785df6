"""Trajectories from files, in rad/voxel whatever unit they are stored in.

With N voxels along an axis of the image:

    rad/voxel      -π … π        Reconic, torchkbnufft, finufft    ordered as space is, (z, y, x)
    cycles/voxel   -1/2 … 1/2    trajectories as they are drawn    ordered as space is
    1/fov          -N/2 … N/2    SigPy                             ordered as space is
                                 BART, .cfl files                  ordered (x, y, z)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from reconic.io.cfl import read_cfl
from reconic.io.measurement import Measurement
from reconic.systems.trajectory import check_trajectory, trajectory_unit

__all__ = ["Unit", "covered_shape", "in_radians", "read_trajectory", "with_trajectory"]

Unit = Literal["rad/voxel", "cycles/voxel", "1/fov"]


def read_trajectory(path: str | Path) -> tuple[np.ndarray, Unit]:
    """Read the trajectory of a scan as it is stored.

    Args:
        path: NumPy's .npy, ([frame,] [spoke,] sample, n) ordered as space is; or BART's .cfl, of
            which a third component that is zero throughout is dropped.

    Returns:
        Trajectory ([frame,] [spoke,] sample, n), ordered as space is, and the unit that such a file
        has: rad/voxel for .npy, 1/fov for .cfl.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is broken.
    """
    path = Path(path)
    if path.suffix.lower() in (".cfl", ".hdr"):
        return _bart(path), "1/fov"
    return _numpy(path), "rad/voxel"


def covered_shape(traj: np.ndarray) -> tuple[int, ...]:
    """Shape of the smallest even image that a trajectory (..., n) in 1/fov covers."""
    extent = np.abs(traj).reshape(-1, traj.shape[-1]).max(0)
    return tuple(2 * math.ceil(e) for e in extent)


def in_radians(traj: np.ndarray, shape: tuple[int, ...], unit: Unit = "rad/voxel") -> np.ndarray:
    """Trajectory (..., n) in rad/voxel, float32, from one in another unit.

    Args:
        traj: Trajectory, ordered as space is.
        shape: Shape of space, of which the last n axes count.
        unit: Its unit.

    Raises:
        ValueError: If it has a wrong shape, is not finite, or seems to be in another unit.
    """
    n = traj.shape[-1] if traj.ndim else 0
    if traj.dtype.kind not in "fiu" or traj.ndim < 2 or n not in (2, 3):
        raise ValueError(
            f"recon: `traj` must be real, ([frame,] [spoke,] sample, 2 or 3), got {traj.dtype} of "
            f"shape {traj.shape}. Its components are the last axis, ordered as space is."
        )
    if len(shape) not in (2, 3) or len(shape) < n:
        raise ValueError(
            f"recon: `shape` must have {' or '.join(map(str, range(n, 4)))} axes, since `traj` has "
            f"{n} components, got {shape}. Give --shape {'ny,nx' if n == 2 else 'nz,ny,nx'}."
        )
    plane = tuple(shape[-n:])
    per_unit = {
        "rad/voxel": 1.0,
        "cycles/voxel": 2 * math.pi,
        "1/fov": 2 * math.pi / np.array(plane),
    }
    found = (traj * per_unit[unit]).astype(np.float32)
    try:
        check_trajectory("recon", found, plane)
    except ValueError as error:
        raise ValueError(f"{error}{_other_unit(traj, plane, unit)}") from None
    return found


def with_trajectory(
    scan: Measurement, traj: np.ndarray, dcf: np.ndarray | None = None
) -> Measurement:
    """The scan with its trajectory; k-space takes the axes of the trajectory's samples.

    Axes of length one may differ, as BART's files have more of them.

    Args:
        scan: Scan whose k-space is ``(coil, [frames,] [partition,] [spoke,] sample)``.
        traj: Trajectory in rad/voxel.
        dcf: Density weights, `traj.shape[:-1]`.

    Raises:
        ValueError: If k-space and trajectory have different numbers of samples.
    """
    samples = traj.shape[:-1]
    n_coils, *axes = scan.ksp.shape
    frames, plane = samples[:-2], samples[-2:]
    partitions = tuple(axes[len(frames) : len(axes) - len(plane)])
    if _long(axes) == _long(samples):
        shape = samples
    elif (*partitions, *plane) == tuple(axes[len(frames) :]) and len(partitions) == 1:
        shape = tuple(axes)
    else:
        raise ValueError(
            "recon: the trajectory must have the samples of k-space, (coil, [frames,] "
            f"[partition,] [spoke,] sample) = {scan.ksp.shape}, got {traj.shape}. Check the order "
            "of the axes, and that both are of one scan."
        )
    ksp = scan.ksp.reshape(n_coils, *shape)
    return dataclasses.replace(scan, ksp=ksp, mask=None, traj=traj, dcf=dcf)


def _long(axes: Sequence[int]) -> list[int]:
    return [n for n in axes if n > 1]


def _other_unit(traj: np.ndarray, shape: tuple[int, ...], unit: Unit) -> str:
    """What to give as the unit instead, if one is likely."""
    seems = trajectory_unit(traj, shape)
    seems = "1/fov" if seems == "-N/2…N/2" else seems
    return "" if seems in (None, unit) else f" Or give --traj_unit {seems}."


def _numpy(path: Path) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(f"recon: `traj` must be a file, got {str(path)!r}. Check the path.")
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(
            f"recon: {path.name} must be a whole .npy file of numbers, got one that NumPy cannot "
            f"read ({error}). BART's trajectories end in .cfl."
        ) from error


def _bart(path: Path) -> np.ndarray:
    """([frame,] [spoke,] sample, n) from BART's (3, sample, spoke, …), ordered as space is."""
    a = np.real(read_cfl(path))
    if a.shape[-1] not in (2, 3):
        raise ValueError(
            f"recon: {path.name} must be a trajectory, BART's dimension 0 of length 3, got "
            f"{a.shape[-1]}. Pass what `bart traj` makes."
        )
    frames = [n for n in a.shape[:-3] if n > 1]
    spokes = a.shape[-3:-1] if a.shape[-3] > 1 or frames else a.shape[-2:-1]
    a = a.reshape(*frames, *spokes, a.shape[-1])
    flat = a.shape[-1] == 2 or not a[..., 2].any()
    return a[..., 1::-1] if flat else a[..., ::-1]
