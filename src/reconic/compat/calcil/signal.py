"""CalCIL's convolution."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax.numpy as jnp

from reconic._array import Array

__all__ = ["fftconvolve"]


def fftconvolve(
    in1: Array, in2: Array, mode: str = "full", axes: Sequence[int] | None = None
) -> Array:
    """Convolution by FFT, real or complex, with SciPy's conventions.

    Args:
        in1: First array.
        in2: Second array, of as many axes.
        mode: "full", "same" (the centre, of the shape of `in1`), or "valid" (no zeros beyond the
            edges are needed).
        axes: Axes to convolve over; all if None.

    Raises:
        ValueError: If the mode is unknown, or `valid` has nothing to give.
    """
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"fftconvolve: `mode` must be full, same or valid, got {mode!r}.")
    axes = tuple(range(in1.ndim) if axes is None else (a % in1.ndim for a in axes))
    full = tuple(in1.shape[a] + in2.shape[a] - 1 for a in axes)
    kind = jnp.result_type(in1, in2)
    if jnp.issubdtype(kind, jnp.complexfloating):
        found = jnp.fft.ifftn(
            jnp.fft.fftn(in1, full, axes) * jnp.fft.fftn(in2, full, axes), full, axes
        )
    else:
        found = jnp.fft.irfftn(
            jnp.fft.rfftn(in1, full, axes) * jnp.fft.rfftn(in2, full, axes), full, axes
        )
    if mode == "full":
        return found
    part = [slice(None)] * in1.ndim
    for a, n in zip(axes, full, strict=True):
        kept = in1.shape[a] if mode == "same" else abs(in1.shape[a] - in2.shape[a]) + 1
        start = (n - kept) // 2
        part[a] = slice(start, start + kept)
    larger = math.prod(in1.shape[a] >= in2.shape[a] for a in axes)
    smaller = math.prod(in1.shape[a] <= in2.shape[a] for a in axes)
    if mode == "valid" and not (larger or smaller):
        raise ValueError(
            f"fftconvolve: with mode='valid' one array must hold the other, got {in1.shape} and "
            f"{in2.shape}."
        )
    return found[tuple(part)]
