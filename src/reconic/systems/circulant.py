"""Circulant systems, and the one nearest to a Toeplitz normal operator, which preconditions it."""

from __future__ import annotations

import math

from reconic._array import Array, array_namespace, fftn, ifftn
from reconic.operator import SelfAdjoint, static, system

__all__ = ["Circulant", "nearest_circulant"]


@system
class Circulant(SelfAdjoint):
    """Hermitian circulant system y = Fᴴ (d · F x), a periodic convolution; F the orthonormal FFT.

    Args:
        eigenvalues: d, real (*batch, *shape), zero frequency first; lengths of one are shared.
        shape: Shape of one image.
        n_axes: Number of axes at the end that F transforms.
    """

    eigenvalues: Array
    shape: tuple[int, ...] = static()
    n_axes: int = static()

    def _forward(self, x: Array) -> Array:
        axes = tuple(range(-self.n_axes, 0))
        return ifftn(self.eigenvalues * fftn(x, axes), axes)


def nearest_circulant(
    maps: Array, kernel: Array, n_core: int, n_space: int, sets: bool, n_cartesian: int = 0
) -> Array:
    """Eigenvalues of the circulant C with the least ‖C - Σ_c conj(S_c) T S_c‖ (Frobenius).

    Its first column is the mean of the matrix along each of its periodic diagonals. With the
    point-spread function p of T and R(d) = Σ_c Σ_r conj(S_c(r)) S_c(r - d) that is the sum of
    p(d) R(d) / N over the lags d that are the same modulo the image's shape, so the eigenvalues are
    every second sample of the spectrum of p R. They lie between those of the matrix.

    Args:
        maps: Coil sensitivities S (*batch, [set,] coil, *core), as `toeplitz_normal` takes them.
        kernel: Kernel of T for real weights (2**n_axes, *batch, *core).
        n_core: Number of frame and space axes.
        n_space: Number of space axes.
        sets: Whether `maps` has a set axis; every set gets a circulant of its own.
        n_cartesian: Number of Cartesian axes of space along which the kernel varies.

    Returns:
        Real (*batch, [set,] *core), zero frequency first, length one along other Cartesian axes.

    References:
        T. Chan, An optimal circulant preconditioner for Toeplitz systems, SIAM J. Sci. Stat.
        Comput. 9:766 (1988).
    """
    xp = array_namespace(maps, kernel)
    n_axes = kernel.shape[0].bit_length() - 1
    axes = tuple(range(-n_axes - n_cartesian, 0))
    shape = tuple(kernel.shape[-len(axes) :])
    psf = xp.fft.ifftn(_whole(kernel, n_axes), axes=axes, norm="forward")
    psf = xp.expand_dims(psf, axis=-n_core - 1) if sets else psf
    power = xp.mean(
        _power(maps, shape, n_axes, n_core), axis=tuple(range(-n_space, axes[0])), keepdims=True
    )
    lags = xp.conj(xp.fft.ifftn(xp.astype(power, kernel.dtype), axes=axes))
    spectrum = xp.real(xp.fft.fftn(psf * lags, axes=axes)) / math.prod(shape)
    return spectrum[(..., *(slice(None, None, 2),) * n_axes)]


def _power(maps: Array, shape: tuple[int, ...], n_axes: int, n_core: int) -> Array:
    """Σ_c |F S_c|² with the maps zero-padded to twice the last `n_axes` of `shape`, by coils."""
    xp = array_namespace(maps)
    axes = tuple(range(-len(shape), 0))
    double = (*shape[:-n_axes], *(2 * n for n in shape[-n_axes:]))
    total = 0
    for c in range(maps.shape[-n_core - 1]):
        coil = maps[(..., c, *(slice(None),) * n_core)]
        total = total + xp.abs(xp.fft.fftn(coil, s=double, axes=axes)) ** 2
    return total


def _whole(kernel: Array, n_axes: int) -> Array:
    """Spectrum (*batch, *core) on the padded grid, from its even and odd samples (2**n_axes, …)."""
    xp = array_namespace(kernel)
    parts = xp.reshape(xp.real(kernel) + 0j, ((2,) * n_axes + tuple(kernel.shape[1:])))
    for i in range(n_axes):
        parts = xp.moveaxis(parts, 0, i - n_axes)  # (…, n, 2, …)
    shape = tuple(kernel.shape)
    return xp.reshape(parts, (*shape[1:-n_axes], *(2 * n for n in shape[-n_axes:])))
