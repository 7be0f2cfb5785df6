"""The transforms by their sums: for libraries without FINUFFT, and the oracle of those with it."""

from __future__ import annotations

import numpy as np

from reconic._array import Array, array_namespace, from_numpy

__all__ = ["exact_nufft", "exact_nufft_adjoint"]


def exact_nufft(x: Array, traj: Array) -> Array:
    """`nufft` by its sum: slow, exact to rounding, differentiable by all that it is given."""
    n_space = traj.shape[-1]
    batch = np.broadcast_shapes(tuple(x.shape[: -n_space - 1]), tuple(traj.shape[:-2]))
    xp = array_namespace(x)
    x = xp.broadcast_to(x, (*batch, *x.shape[-n_space - 1 :]))
    waves = _waves(traj, tuple(x.shape[-n_space:]), x)
    y = xp.matmul(x, xp.matrix_transpose(_over(waves[-1], n_space - 1)))  # (*batch, many, …, n, m)
    for wave in reversed(waves[:-1]):
        n_left = (
            y.ndim - len(batch) - 2
        )  # axes between batch and the one summed over, many included
        y = xp.sum(y * _over(xp.matrix_transpose(wave), n_left), axis=-2)
    return y


def exact_nufft_adjoint(y: Array, traj: Array, shape: tuple[int, ...]) -> Array:
    """`nufft_adjoint` by its sum."""
    xp = array_namespace(y)
    batch = np.broadcast_shapes(tuple(y.shape[:-2]), tuple(traj.shape[:-2]))
    x = xp.broadcast_to(y, (*batch, *y.shape[-2:]))
    waves = [xp.conj(w) for w in _waves(traj, tuple(shape), y)]
    for wave in waves[:-1]:
        n_left = x.ndim - len(batch) - 1
        x = xp.expand_dims(x, axis=-2) * _over(xp.matrix_transpose(wave), n_left)
    return xp.matmul(x, _over(waves[-1], len(shape) - 1))


def _waves(traj: Array, shape: tuple[int, ...], like: Array) -> list[Array]:
    """exp(-i k_d r_d) for each axis d of space, (*batch, m, n_d)."""
    xp = array_namespace(traj)
    waves = []
    for d, n in enumerate(shape):
        r = xp.astype(from_numpy(np.arange(n) - n // 2, traj), traj.dtype)
        phase = traj[..., d, None] * r
        waves.append(xp.astype(xp.cos(phase) - 1j * xp.sin(phase), like.dtype))
    return waves


def _over(a: Array, n: int) -> Array:
    """Matrices (*batch, p, q) as (*batch, 1, …, 1, p, q) with n axes inserted."""
    return a[(..., *(None,) * n, slice(None), slice(None))]
