"""What `NonCartesianMRI` asks of its arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from reconic._array import Array, array_namespace, is_traced, to_numpy
from reconic.systems.trajectory import check_trajectory

if TYPE_CHECKING:
    from reconic.systems.noncartesian_mri import NonCartesianMRI

__all__ = ["check_noncartesian"]


def check_noncartesian(A: NonCartesianMRI) -> None:
    """Check kinds and shapes of the arrays of `A`, and values where they can be looked at.

    Raises:
        TypeError: If an array is of a wrong kind.
        ValueError: If shapes do not fit each other, or a value is out of range.
    """
    _check_kinds(A)
    _check_shapes(A)
    check_trajectory("NonCartesianMRI", A.traj, tuple(A.maps.shape[-A.traj.shape[-1] :]))
    if A.dcf is not None:
        _check_weights(A.dcf)


def _check_kinds(A: NonCartesianMRI) -> None:
    xp = array_namespace(A.maps, A.traj, A.dcf)
    if not xp.isdtype(A.maps.dtype, "complex floating"):
        raise TypeError(f"NonCartesianMRI: `maps` must be complex, got {A.maps.dtype}. Cast them.")
    for name, value in {"traj": A.traj, "dcf": A.dcf}.items():
        if value is not None and not xp.isdtype(value.dtype, "real floating"):
            raise TypeError(
                f"NonCartesianMRI: `{name}` must be real floating, got {value.dtype}. Cast it."
            )


def _check_shapes(A: NonCartesianMRI) -> None:
    if A.n_space not in (2, 3) or A.n_sample_axes not in (1, 2) or A.n_frame_axes < 0:
        raise ValueError(
            f"NonCartesianMRI: `n_space` must be 2 or 3, `n_sample_axes` 1 or 2 and `n_frame_axes` "
            f"not negative, got {A.n_space}, {A.n_sample_axes} and {A.n_frame_axes}."
        )
    n_frames, n_core = A.n_frame_axes, A.n_frame_axes + A.n_space
    maps, traj = tuple(A.maps.shape), tuple(A.traj.shape)
    if len(maps) < n_core + 1 + A.sets:
        wanted = "set, " * A.sets + f"coil, {n_core} axes of frames and space"
        raise ValueError(f"NonCartesianMRI: `maps` must have shape (*batch, {wanted}), got {maps}.")
    n_traj = n_frames + A.n_sample_axes + 1
    if len(traj) < n_traj or not 1 <= traj[-1] <= A.n_space:
        raise ValueError(
            f"NonCartesianMRI: `traj` must have shape (*batch, {n_frames} axes of frames, "
            f"{A.n_sample_axes} of samples, {A.n_space}), got {traj}. Its last axis holds the "
            f"components of k, ordered as space is; fewer of them make a stack of stars."
        )
    frames = traj[len(traj) - n_traj : len(traj) - n_traj + n_frames]
    if not _broadcasts(frames, maps[-n_core : -A.n_space]):
        raise ValueError(
            f"NonCartesianMRI: `traj` must have the frames of the maps, "
            f"{maps[-n_core : -A.n_space]} (lengths of one allowed), got {frames}."
        )
    if A.dcf is not None:
        _check_weights_shape(A, tuple(A.dcf.shape))


def _check_weights_shape(A: NonCartesianMRI, shape: tuple[int, ...]) -> None:
    wanted = (*A._frames, *A._weighted, *A._samples)
    n_batch = len(shape) - len(wanted)
    if n_batch < 0 or any(n not in (1, m) for n, m in zip(shape[n_batch:], wanted, strict=True)):
        stack = " `partitions=True` takes weights with partition axes." * (not A.partitions)
        raise ValueError(
            f"NonCartesianMRI: `dcf` must have shape (*batch, {str(wanted)[1:-1]}), one weight per "
            f"sample (lengths of one allowed), got {shape}.{stack * bool(A._cartesian)}"
        )


def _check_weights(dcf: Array) -> None:
    xp = array_namespace(dcf)
    for end in (xp.min(dcf), xp.max(dcf)):
        if not is_traced(end) and not 0 <= to_numpy(end) < math.inf:
            raise ValueError(
                f"NonCartesianMRI: `dcf` must not be negative, infinite or NaN, got "
                f"{to_numpy(end):.4g}. Zero leaves a sample out."
            )


def _broadcasts(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return len(a) == len(b) and all(p == q or 1 in (p, q) for p, q in zip(a, b, strict=True))
