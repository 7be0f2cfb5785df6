"""Normal operator of non-uniform Fourier sampling: a convolution with the point-spread function.

Fᴴ W F is Toeplitz, (Fᴴ W F x)(r) = Σ_r' p(r - r') x(r') with p(d) = Σ_m w_m exp(i k_m · d): an
n-point image needs the 2n-point transform P of p and of the zero-padded image. That transform is
never made. Its even and odd samples are two n-point transforms of the image, with and without
the phase exp(-πi r/n), so along n_axes axes

    Fᴴ W F x = Σ_p conj(φ_p) Fₙᴴ P_p Fₙ φ_p x,    p = 0 … 2^n_axes - 1,

with P_p every second sample of P. No zeros are transformed, nothing is cropped, and the working
memory of a coil is that of its image.

References:
    Fessler, Lee, Olafsson, Shi & Noll, Toeplitz-based iterative image reconstruction for MRI with
    correction for magnetic field inhomogeneity, IEEE TSP 53:3393 (2005).
    Wajer & Pruessmann, Major speedup of reconstruction for sensitivity encoding with arbitrary
    trajectories, Proc. ISMRM 9:767 (2001).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

from reconic._array import Array, array_namespace, is_jax_array
from reconic._kernels.nufft import nufft_adjoint
from reconic._kernels.parity import phases_of, waves_of
from reconic._kernels.sense import coils_per_block, in_place_is_safe, sense_normal

__all__ = ["toeplitz_kernel", "toeplitz_normal"]


def toeplitz_kernel(
    traj: Array, weights: Array, shape: tuple[int, ...], tol: float = 1e-5
) -> Array:
    """Spectrum of the point-spread function of a trajectory, as `toeplitz_normal` takes it.

    Args:
        traj: Trajectory in rad/voxel, real (*batch, m, n_axes), ordered as space is.
        weights: Weights w, real or complex (*batch, m); batch axes broadcast against those of
            `traj`. Complex ones are for the pairs of a temporal basis.
        shape: Shape of space along the axes of the trajectory.
        tol: Relative error of the non-uniform transform.

    Returns:
        Kernel, complex (2**n_axes, *batch, *shape), over the number of voxels of the padded image.
        For real weights the spectrum P is real, and the kernel is P (1 - i), see `sense_normal`.
    """
    xp = array_namespace(traj, weights)
    n, real = len(shape), not xp.isdtype(weights.dtype, "complex floating")
    axes = tuple(range(-n, 0))
    grid = tuple(2 * s for s in shape)
    psf = xp.squeeze(nufft_adjoint((weights + 0j)[..., None, :], traj, grid, tol), axis=-n - 1)
    spectrum = xp.fft.fftn(xp.fft.ifftshift(psf, axes=axes), axes=axes)
    spectrum = spectrum / math.prod(grid)
    if real:  # but for lags of -n, that no pair of voxels has
        spectrum = xp.real(spectrum) * (1 - 1j)
    parts = itertools.product((slice(0, None, 2), slice(1, None, 2)), repeat=n)
    return xp.stack([spectrum[..., *part] for part in parts])


def toeplitz_normal(
    x: Array,
    maps: Array,
    kernel: Array,
    n_core: int,
    sets: bool,
    subspace: bool = False,
    n_cartesian: int = 0,
) -> Array:
    """Σ_c conj(S_c) T S_c x, with T the Toeplitz operator of `toeplitz_kernel`.

    Args:
        x: Image (*batch, [set,] *core), `core` the last `n_core` axes: frames and space.
        maps: Coil sensitivities (*batch, [set,] coil, *core); frame axes may have length one.
        kernel: Kernel (2**n_axes, *batch, *core) of real weights; lengths of one are shared, such
            as those of frames or of Cartesian axes of space. With a subspace that of complex
            weights, (2**n_axes, *batch, k, k, *space) for `core` (k, *space).
        n_core: Number of frame and space axes.
        sets: Whether x and maps have a set axis.
        subspace: Whether the kernel mixes the k coefficients of a temporal basis.
        n_cartesian: Number of Cartesian axes, before those of the trajectory, along which the
            kernel varies: over their number of samples, zero frequency first.

    Returns:
        Array of the shape of x.
    """
    if 0 in x.shape:  # an empty batch, which torch's FFT does not take
        return x
    n_axes = kernel.shape[0].bit_length() - 1
    axes, waves = tuple(range(-n_axes - n_cartesian, 0)), waves_of(x, n_axes)
    if subspace:
        return _plain(_mixed_normal, x, maps, kernel, waves, axes, n_core, sets)
    if is_jax_array(x) and _on_cpu():
        return _jax_by_coil(x, maps, kernel, waves, axes, n_core, sets)
    if in_place_is_safe(x, maps, kernel):
        return _torch_by_blocks(x, maps, kernel, waves, axes, n_core, sets)
    return _plain(sense_normal, x, maps, kernel, waves, axes, n_core, sets)


def _plain(
    normal: Callable[..., Array],
    x: Array,
    maps: Array,
    kernel: Array,
    waves: list[Array],
    axes: tuple[int, ...],
    n_core: int,
    sets: bool,
) -> Array:
    """Sum over parities of a normal operator, for every library; the oracle of the others."""
    if not waves:
        return normal(x, maps, kernel[0, ...], axes, n_core, sets)
    wave, *rest = waves
    half, settings = kernel.shape[0] // 2, (rest, axes, n_core, sets)
    even = _plain(normal, x, maps, kernel[:half, ...], *settings)
    odd = _plain(normal, x * wave, maps, kernel[half:, ...], *settings)
    return even + array_namespace(x).conj(wave) * odd


def _on_cpu() -> bool:
    import jax

    return jax.default_backend() == "cpu"


def _jax_by_coil(
    x: Array,
    maps: Array,
    kernel: Array,
    waves: list[Array],
    axes: tuple[int, ...],
    n_core: int,
    sets: bool,
) -> Array:
    """One coil after the other, all parities of each: its transforms stay in cache.

    As in `sense_normal` Fᴴk = conj(F conj(k)), and a barrier keeps coils apart.
    """
    import jax

    coil, fft = maps.ndim - n_core - 1, jax.numpy.fft.fftn
    phases, total = phases_of(waves), 0
    for c in range(maps.shape[coil]):
        part = jax.lax.index_in_dim(maps, c, coil, keepdims=False)
        image = (part * x).sum(-n_core - 1) if sets else part * x
        back = 0
        for phase, weights in zip(phases, kernel, strict=True):
            k = fft(image * phase, axes=axes)
            k = jax.lax.complex(k.real * weights.real, k.imag * weights.imag)
            back = back + phase * fft(k, axes=axes)
        back = jax.numpy.expand_dims(back, -n_core - 1) if sets else back
        x, total = jax.lax.optimization_barrier((x, total + part * back))
    return jax.numpy.conj(total)


def _torch_by_blocks(
    x: Array,
    maps: Array,
    kernel: Array,
    waves: list[Array],
    axes: tuple[int, ...],
    n_core: int,
    sets: bool,
) -> Array:
    """Some coils after the others, in place, as `sense_normal` does it.

    Both parities of the last axis are one array, with an axis before `core`, so that there are
    few calls; those of the other axes follow each other, so that it stays in cache.
    """
    import torch

    pair, coil, set_ = -n_core - 1, -n_core - 2, -n_core - 3
    n_batch = x.ndim - n_core - sets
    signed = kernel.unflatten(0, (-1, 2)).movedim(1, pair).unsqueeze(coil)
    weights = torch.view_as_real(signed).unbind()  # of each parity, (*batch, 1, 2, *core, 2)
    batch = torch.broadcast_shapes(x.shape[:n_batch], kernel.shape[1:-n_core])
    x = x.expand(*batch, *x.shape[n_batch:])
    x = torch.stack((x, x * waves[-1]), pair).unsqueeze(coil)
    total: Array = None
    block = coils_per_block(maps.shape[-n_core - 1], x.numel())
    for part in maps.unsqueeze(pair).split(block, coil):
        image = (part * x).sum(set_) if sets else part * x
        back = _torch_convolve(image, weights, waves[:-1], axes)
        back = back.unsqueeze(set_) if sets else back
        total = part * back if total is None else total.addcmul_(part, back)
    even, odd = total.sum(coil).unbind(pair)
    return even.addcmul_(odd, waves[-1]).conj_physical_()


def _torch_convolve(
    image: Array, weights: Sequence[Array], waves: list[Array], axes: tuple[int, ...]
) -> Array:
    """Σ_p φ_p F conj(P_p F φ_p image) over the parities of `waves`' axes; overwrites `image`."""
    import torch

    if not waves:
        k = torch.fft.fftn(image, dim=axes)
        torch.view_as_real(k).mul_(weights[0])
        return torch.fft.fftn(k, dim=axes)
    wave, *rest = waves
    half = len(weights) // 2
    even = _torch_convolve(image.clone() if rest else image, weights[:half], rest, axes)
    odd = _torch_convolve(image.mul_(wave), weights[half:], rest, axes)
    return even.addcmul_(odd, wave)


def _mixed_normal(
    x: Array, maps: Array, kernel: Array, axes: tuple[int, ...], n_core: int, sets: bool
) -> Array:
    """Σ_c conj(S_c) Fᴴ K F S_c x with a matrix K for every frequency, coil by coil."""
    xp = array_namespace(x)
    total = 0
    for c in range(maps.shape[-n_core - 1]):
        coil = maps[..., c, *(slice(None),) * n_core]
        k = xp.sum(coil * x, axis=-n_core - 1) if sets else coil * x
        k = xp.expand_dims(xp.fft.fftn(k, axes=axes), axis=-n_core - 1)  # (*batch, 1, k, *space)
        k = xp.sum(kernel * k, axis=-n_core)
        k = xp.fft.ifftn(k, axes=axes, norm="forward")
        total = total + xp.conj(coil) * (xp.expand_dims(k, axis=-n_core - 1) if sets else k)
    return total
