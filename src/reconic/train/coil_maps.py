"""Coil maps of a measured scan: from its own centre of k-space, or from a file."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

from reconic.calibrate import cartesian_centre, espirit
from reconic.io import read_cfl

__all__ = ["estimate_maps", "estimate_noncartesian_maps", "read_maps"]

_N_CALIB = 24
_LEAST = 8  # side with room for the patches of ESPIRiT


def estimate_maps(
    ksp: np.ndarray, mask: np.ndarray, n_maps: int = 1, n_calib: int | None = None, n_space: int = 2
) -> np.ndarray:
    """Coil maps by ESPIRiT, shared by all frames, which are averaged for it.

    Args:
        ksp: k-space (coil, [frames,] *space).
        mask: Sampling mask ([frames,] *space).
        n_maps: Sets of maps.
        n_calib: Side of the calibration centre; None takes what is fully sampled, up to 24.
        n_space: Number of spatial axes.

    Returns:
        Maps ([set,] coil, [1,] *space), complex64.
    """
    n_frames = mask.ndim - n_space
    axes = tuple(range(n_frames))
    mean = ksp.sum(tuple(a + 1 for a in axes)) / np.maximum(mask.sum(axes), 1) if axes else ksp
    maps = _espirit(torch.from_numpy(np.asarray(mean, np.complex64)), n_calib, n_maps, n_space)
    return np.expand_dims(maps, tuple(range(-n_space - n_frames, -n_space)))


def estimate_noncartesian_maps(
    ksp: np.ndarray,
    traj: np.ndarray,
    shape: tuple[int, ...],
    n_maps: int = 1,
    n_calib: int | None = None,
) -> np.ndarray:
    """Coil maps by ESPIRiT from the centre of non-Cartesian k-space, shared by all frames.

    Args:
        ksp: Samples (coil, [frames,] [partition,] [spoke,] sample).
        traj: Trajectory in rad/voxel ([frames,] [spoke,] sample, n).
        shape: Shape of space.
        n_maps: Sets of maps.
        n_calib: Side of the calibration centre; None takes what is fully sampled, up to 24.

    Returns:
        Maps ([set,] coil, [1,] *space), complex64.
    """
    n_samples = min(2, traj.ndim - 1)
    frames = traj.ndim - 1 - n_samples
    y = np.moveaxis(ksp, range(1, 1 + frames), range(-n_samples - frames, -n_samples))
    stacked = ksp.shape[1 + frames : -n_samples]
    y = np.ascontiguousarray(y).reshape(len(ksp), *stacked, -1)
    flat = traj.reshape(-1, traj.shape[-1])
    n_calib = n_calib or _sampled_side(flat, shape[-traj.shape[-1] :])
    centre = cartesian_centre(torch.from_numpy(y), torch.from_numpy(flat), shape, n_calib)
    maps = _espirit(centre, n_calib, n_maps, len(shape))
    return np.expand_dims(maps, tuple(range(-len(shape) - frames, -len(shape))))


def _sampled_side(traj: np.ndarray, plane: tuple[int, ...]) -> int:
    """Even side of the largest centre, up to 24, in whose disc no sample of a grid is far from one.

    Far is more than half the diagonal of a cell of the grid.
    """
    half = _N_CALIB // 2
    grid = np.stack(np.meshgrid(*[np.arange(-half, half + 1)] * len(plane)), -1)
    grid = grid.reshape(-1, len(plane))
    distance = KDTree(traj * (np.asarray(plane) / (2 * np.pi))).query(grid)[0]
    gaps = np.linalg.norm(grid, axis=-1)[distance > 0.5 * np.sqrt(len(plane))]
    within = math.ceil(gaps.min(initial=half + 1)) - 1
    return 2 * max(_LEAST // 2, min(half, within))


def _espirit(y: Tensor, n_calib: int | None, n_maps: int, n_space: int) -> np.ndarray:
    maps = espirit(y, n_calib, n_maps=n_maps, n_space=n_space).numpy()
    if not maps.any():
        raise ValueError(
            "estimate_maps: ESPIRiT must find maps in the fully sampled centre, got none anywhere. "
            "The centre may be too small or too noisy; give `maps` from elsewhere."
        )
    return maps


def read_maps(path: str, shape: tuple[int, ...]) -> np.ndarray:
    """Maps ([set,] coil, …) from .npy as they are, or from .cfl without axes of length one.

    Args:
        path: File.
        shape: Shape (coil, …) that they must have, sets aside.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If they have another shape.
    """
    if Path(path).suffix == ".npy":
        if not Path(path).is_file():
            raise FileNotFoundError(f"recon: `maps` must be a file, got {path!r}. Check the path.")
        maps = np.load(path)
    else:
        maps = read_cfl(path)
        maps = maps.reshape([n for n in maps.shape if n > 1])
    found = maps.shape[-len(shape) :]
    alike = [
        n == m or (n == 1 and 0 < i < len(shape) - 2)
        for i, (n, m) in enumerate(zip(found, shape, strict=False))
    ]
    if maps.ndim not in (len(shape), len(shape) + 1) or not all(alike):
        raise ValueError(
            f"recon: `maps` must have shape ([set,] {', '.join(map(str, shape))}), of coils and "
            f"image, got {maps.shape}. Give those of this scan."
        )
    return maps.astype(np.complex64)
