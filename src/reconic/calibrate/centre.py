"""The Cartesian centre of non-Cartesian k-space, from which coil maps are estimated."""

from __future__ import annotations

import math

from reconic._array import Array, array_namespace, device, fftc
from reconic.calibrate.espirit import crop_centre
from reconic.operator import Identity
from reconic.solvers import cg
from reconic.systems import NonCartesianMRI

__all__ = ["cartesian_centre"]

_MARGIN = 8  # samples around the centre, which take up the error of a cut trajectory's edge
_LAM = 1e-3  # of the mean density: gaps are filled with as little as possible


def cartesian_centre(
    y: Array, traj: Array, shape: tuple[int, ...], n_calib: int = 24, max_iter: int = 30
) -> Array:
    """Cartesian samples at the centre of k-space that explain the non-Cartesian ones there.

    An image of low resolution is fitted to the samples near the centre, for each coil, by conjugate
    gradients; its transform is what `espirit` takes.

    Args:
        y: Samples as acquired, complex (coil, [partition,] m).
        traj: Trajectory in rad/voxel, real (m, n), ordered as space is.
        shape: Shape of space; if it has more axes than n, k-space is Cartesian along the first.
        n_calib: Side of the centre along the axes of the trajectory, cut to the axis where it is
            shorter.
        max_iter: Largest number of iterations.

    Returns:
        k-space (coil, *shape), its origin at n//2, zero outside the centre.

    Raises:
        ValueError: If `n_calib` is not positive, or no sample lies there.
    """
    if n_calib < 1:
        raise ValueError(
            f"cartesian_centre: `n_calib` must be positive, got {n_calib}. 24 is usual."
        )
    stacked, plane = tuple(shape[: -traj.shape[-1]]), tuple(shape[-traj.shape[-1] :])
    low = (*stacked, *(min(n_calib + _MARGIN, n) for n in plane))
    y, traj = _near_centre(y, traj, plane, low[len(stacked) :])
    xp = array_namespace(y)
    A = NonCartesianMRI(xp.ones((1, *low), dtype=y.dtype, device=device(y)), traj, n_space=len(low))
    lam = _LAM * traj.shape[0] / math.prod(low[len(stacked) :])
    found = cg(A.N + lam * Identity(A.in_shape), A.H(y[:, None, ...]), max_iter=max_iter).x
    centre = fftc(found, tuple(range(-len(low), 0)))
    sizes = (*stacked, *(min(n_calib, n) for n in plane))
    return _padded(crop_centre(centre, sizes), tuple(shape))


def _near_centre(
    y: Array, traj: Array, plane: tuple[int, ...], low: tuple[int, ...]
) -> tuple[Array, Array]:
    """Samples that an image of shape `low` has too, and their trajectory in its rad/voxel."""
    xp = array_namespace(traj)
    factor = [n / m for n, m in zip(plane, low, strict=True)]
    traj = traj * xp.asarray(factor, dtype=traj.dtype, device=device(traj))
    (inside,) = xp.nonzero(xp.all(xp.abs(traj) <= math.pi, axis=-1))
    if inside.shape[0] == 0:
        raise ValueError(
            f"cartesian_centre: `traj` must have samples in the central {' x '.join(map(str, low))}"
            " of k-space, got none. Give a larger `n_calib`, or maps from elsewhere."
        )
    return xp.take(y, inside, axis=-1), xp.take(traj, inside, axis=0)


def _padded(a: Array, shape: tuple[int, ...]) -> Array:
    """`a` (coil, *centre) amid zeros, (coil, *shape)."""
    xp = array_namespace(a)
    for axis, n in enumerate(shape, start=1):
        m = a.shape[axis]
        before = n // 2 - m // 2
        sides = [
            xp.zeros((*a.shape[:axis], k, *a.shape[axis + 1 :]), dtype=a.dtype, device=device(a))
            for k in (before, n - m - before)
        ]
        a = xp.concat([sides[0], a, sides[1]], axis=axis)
    return a
