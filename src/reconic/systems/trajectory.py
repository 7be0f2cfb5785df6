"""Units of k-space trajectories: what Reconic takes, and which another unit looks like.

A sample k of an image of N voxels along an axis, at voxels r = index - N // 2, is exp(-i k r) with

    k in rad/voxel         -π … π        Reconic, torchkbnufft, finufft
    k / 2π in cycles/voxel -1/2 … 1/2    trajectories as they are drawn
    k N / 2π               -N/2 … N/2    SigPy; BART in units of 1/FOV, ordered (x, y, z)
"""

from __future__ import annotations

import math

from reconic._array import Array, array_namespace, is_traced, to_numpy

__all__ = ["check_trajectory", "trajectory_unit"]

_LARGEST = 1.05 * math.pi  # gradient delays move a trajectory beyond π
_CYCLES = (0.45, 0.505)  # extents of a whole trajectory in cycles/voxel


def check_trajectory(where: str, traj: Array, shape: tuple[int, ...]) -> None:
    """Check that a trajectory is finite and in rad/voxel.

    An extent of 1/2 is taken for cycles/voxel; other small ones are scans of low resolution.

    Args:
        where: Who asks, for the message.
        traj: Trajectory, real (..., n_axes); traced values are not looked at.
        shape: Shape of space along its axes.

    Raises:
        ValueError: If it is not; the message names the unit that it seems to be in.
    """
    if 0 in traj.shape:
        raise ValueError(f"{where}: `traj` must hold samples, got shape {tuple(traj.shape)}.")
    extent = _extent(traj)
    if is_traced(extent):
        return
    extent = float(to_numpy(extent))
    if not math.isfinite(extent):
        raise ValueError(
            f"{where}: `traj` must be finite, got NaN or infinite values. Leave them out."
        )
    if extent <= _LARGEST and not _CYCLES[0] <= extent <= _CYCLES[1]:
        return
    fixes = {
        "cycles/voxel": "This looks like cycles/voxel: multiply by 2π.",
        "-N/2…N/2": "This looks like -N/2…N/2: multiply by 2π/N along each axis.",
        None: f"Convert it to rad/voxel of an image of shape {tuple(shape)}.",
    }
    raise ValueError(
        f"{where}: `traj` must be in rad/voxel, within [-π, π], got an extent of {extent:.4g}. "
        f"{fixes[trajectory_unit(traj, shape)]}"
    )


def trajectory_unit(traj: Array, shape: tuple[int, ...]) -> str | None:
    """Unit that the trajectory of a whole scan seems to be in, by its extent.

    Args:
        traj: Trajectory, real (..., n_axes).
        shape: Shape of space along its axes.

    Returns:
        'cycles/voxel', 'rad/voxel' or '-N/2…N/2'; None if its extent exceeds them all.
    """
    extent = float(to_numpy(_extent(traj)))
    if extent <= _CYCLES[1]:
        return "cycles/voxel"
    if extent <= _LARGEST:
        return "rad/voxel"
    return "-N/2…N/2" if extent <= 1.05 * max(shape) / 2 else None


def _extent(traj: Array) -> Array:
    xp = array_namespace(traj)
    return xp.max(xp.abs(traj))
