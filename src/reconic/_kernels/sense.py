"""Normal operator of sensitivity-weighted, masked Fourier sampling: the inner loop of MRI."""

from __future__ import annotations

from collections.abc import Sequence

from reconic._array import Array, array_namespace, is_jax_array, is_torch_array, needs_grad

_PER_THREAD = 2**17  # complex samples that one thread works on at a time: 1 MB of a core's cache


def sense_normal(
    x: Array, maps: Array, weights: Array, axes: Sequence[int], n_core: int, sets: bool
) -> Array:
    """Σ_c conj(S_c) Fᴴ W F S_c x, with F a plain, unscaled FFT: zero frequency at index 0.

    Since Fᴴk = conj(F conj(k)), this is conj(Σ_c S_c F conj(W F S_c x)): no conjugated copy of the
    maps, and the conjugation of k-space costs nothing beside its weighting.

    Args:
        x: Image (*batch, [set,] *core), `core` the last `n_core` axes.
        maps: Coil sensitivities (*batch, [set,] coil, *core).
        weights: k-space weights (*batch, *core) as w (1 - i), w real and divided by the number of
            samples of F: one factor for the real part of k-space and one for the imaginary part,
            which conjugates it.
        axes: Axes to transform, negative; all of them in `core`.
        n_core: Number of frame and space axes.
        sets: Whether x and maps have a set axis.

    Returns:
        Array of the shape of x.
    """
    if is_jax_array(x):
        return _jax_by_coil(x, maps, weights, axes, n_core, sets)
    if in_place_is_safe(x, maps, weights):
        return _torch_by_blocks(x, maps, weights, axes, n_core, sets)
    return _plain(x, maps, weights, axes, n_core, sets)


def _plain(
    x: Array, maps: Array, weights: Array, axes: Sequence[int], n_core: int, sets: bool
) -> Array:
    """All coils at once, for every library; the oracle of the others."""
    xp = array_namespace(x)
    coil, set_ = -n_core - 1, -n_core - 2
    k = maps * xp.expand_dims(x, axis=coil)
    if sets:
        k = xp.sum(k, axis=set_)
    k = xp.fft.fftn(k, axes=axes) if axes else k
    k = xp.conj(k) * xp.expand_dims(xp.real(weights), axis=coil)
    k = xp.fft.fftn(k, axes=axes) if axes else k
    if sets:
        k = xp.expand_dims(k, axis=set_)
    return xp.conj(xp.sum(maps * k, axis=coil))


def _jax_by_coil(
    x: Array, maps: Array, weights: Array, axes: Sequence[int], n_core: int, sets: bool
) -> Array:
    """One coil after the other on a CPU, all at once elsewhere.

    XLA's CPU runtime runs FFTs on one thread once a kernel large enough to be split has run; one
    coil's kernels are not, and stay in cache. The barrier keeps coils apart.
    """
    import jax

    if jax.default_backend() != "cpu":
        return _plain(x, maps, weights, axes, n_core, sets)
    coil = maps.ndim - n_core - 1
    total = 0
    for c in range(maps.shape[coil]):
        part = jax.lax.index_in_dim(maps, c, coil, keepdims=False)
        k = part * x
        if sets:
            k = k.sum(-n_core - 1)
        k = jax.numpy.fft.fftn(k, axes=axes) if axes else k
        k = jax.lax.complex(k.real * weights.real, k.imag * weights.imag)
        k = jax.numpy.fft.fftn(k, axes=axes) if axes else k
        if sets:
            k = jax.numpy.expand_dims(k, -n_core - 1)
        x, total = jax.lax.optimization_barrier((x, total + part * k))
    return jax.numpy.conj(total)


def in_place_is_safe(x: Array, maps: Array, weights: Array) -> bool:
    """Whether these are torch arrays on a CPU that nothing records or transforms."""
    if not is_torch_array(x) or x.device.type != "cpu" or needs_grad(x, maps, weights):
        return False
    import torch

    return not torch.compiler.is_compiling() and not any(
        torch._C._functorch.is_functorch_wrapped_tensor(a)  # pyright: ignore[reportAttributeAccessIssue]
        for a in (x, maps, weights)
    )


def _torch_by_blocks(
    x: Array, maps: Array, weights: Array, axes: Sequence[int], n_core: int, sets: bool
) -> Array:
    """Coils in blocks that fill every thread's cache, whole coils per thread, in place."""
    import torch

    coil, set_ = -n_core - 1, -n_core - 2
    core = x.shape[x.ndim - n_core :]
    signed = weights.expand(*weights.shape[:-n_core], *core).contiguous()
    signed = torch.view_as_real(signed).unsqueeze(coil - 1)  # (*batch, 1, *core, 2)
    batch = torch.broadcast_shapes(x.shape[: x.ndim - n_core - sets], weights.shape[:-n_core])
    x = x.expand(*batch, *x.shape[x.ndim - n_core - sets :]).unsqueeze(coil)
    block = coils_per_block(maps.shape[coil], x.numel())
    total: Array = None
    for part in maps.split(block, coil):
        k = part * x
        k = k.sum(set_) if sets else k
        k = torch.fft.fftn(k, dim=axes) if axes else k
        torch.view_as_real(k).mul_(signed)
        k = torch.fft.fftn(k, dim=axes) if axes else k
        k = k.unsqueeze(set_) if sets else k
        total = part * k if total is None else total.addcmul_(part, k)
    return torch.conj_physical_(total.sum(coil))


def coils_per_block(n_coils: int, n_samples: int) -> int:
    """Whole coils for every thread, as many as its cache holds; a divisor of `n_coils`."""
    import torch

    fit = torch.get_num_threads() * max(1, _PER_THREAD // n_samples)
    return max(b for b in range(1, n_coils + 1) if n_coils % b == 0 and b <= fit)
