"""Kernel of the normal operator of `NonCartesianMRI`, from its trajectory and weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from reconic._array import Array, array_namespace, real_dtype
from reconic._kernels.toeplitz import toeplitz_kernel

if TYPE_CHECKING:
    from reconic.systems.noncartesian_mri import NonCartesianMRI

__all__ = ["kernel_of"]


def kernel_of(A: NonCartesianMRI, basis: Array | None = None, factor: Array | float = 1.0) -> Array:
    """Kernel of AᴴA, or of all AᴴΦ_aᴴΦ_bA, with Φ the diagonals of a basis (k, *samples).

    Args:
        A: System without the basis.
        basis: Φ, complex or real; None for one image.
        factor: Factor of the weights, real and of either sign, broadcasting against `A.dcf`.

    Returns:
        (2**n, *batch, *frames, [k, k,] *space) as `toeplitz_normal` takes it, n axes of the
        trajectory. Along Cartesian axes it has length one if all partitions are weighted alike,
        else the zero frequency first, and each partition's kernel over their number.
    """
    xp, n = array_namespace(A.traj), len(A._weighted)
    weights = xp.ones_like(A.traj[..., 0]) if A.dcf is None else A.dcf
    weights = xp.astype(weights * factor, real_dtype(A.maps)) / math.prod(A._grid)
    weights, shared = _flat(weights, A._weighted, A._samples), n  # axes that share a trajectory
    if basis is not None:
        flat = _flat(xp.astype(basis, A.maps.dtype), (), A._samples)
        pairs = xp.conj(flat)[:, None, :] * flat
        pairs = pairs[(..., *(None,) * n, slice(None))]
        weights, shared = weights[(..., None, None, *(slice(None),) * (n + 1))] * pairs, n + 2
    traj = A._flat[(..., *(None,) * shared, slice(None), slice(None))]
    kernel = toeplitz_kernel(traj, weights, A._grid, A.tol)
    if n:
        return xp.fft.ifftshift(kernel, axes=A._cartesian) / math.prod(A._weighted)
    return kernel[(..., *(None,) * len(A._cartesian), *(slice(None),) * len(A._grid))]


def _flat(weights: Array, partitions: tuple[int, ...], samples: tuple[int, ...]) -> Array:
    """Weights (…, *partitions, *samples), lengths of one shared, as (…, *partitions, m)."""
    xp = array_namespace(weights)
    before = tuple(weights.shape[: weights.ndim - len(partitions) - len(samples)])
    whole = xp.broadcast_to(weights, (*before, *partitions, *samples))
    return xp.reshape(whole, (*before, *partitions, math.prod(samples)))
