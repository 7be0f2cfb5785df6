"""Phases φ_p = exp(-πi p·r/n) that make odd samples of a padded image's transform even ones."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np

from reconic._array import Array, eps, from_numpy, is_jax_array, is_torch_array

__all__ = ["phases_of", "waves_of"]


def waves_of(x: Array, n_axes: int) -> list[Array]:
    """exp(-πi r / n) along each of the last axes of x, of which the φ_p are products."""
    shape, double = tuple(x.shape[-n_axes:]), eps(x) < 1e-10
    if is_torch_array(x):
        return _waves_torch(shape, double, x.device)
    waves = _waves_numpy(shape, double)
    return waves if is_jax_array(x) else [from_numpy(w, x) for w in waves]


def phases_of(waves: list[Array]) -> list[Array | float]:
    """φ_p of all parities p, products of the waves; 1 for the first."""
    parities = itertools.product((0, 1), repeat=len(waves))
    return [math.prod(w for w, odd in zip(waves, p, strict=True) if odd) for p in parities]


@functools.lru_cache(maxsize=16)
def _waves_numpy(shape: tuple[int, ...], double: bool) -> list[np.ndarray]:
    kind, waves = np.complex128 if double else np.complex64, []
    for d, n in enumerate(shape):
        wave = np.exp(-1j * np.pi * np.arange(n) / n).astype(kind)
        waves.append(wave.reshape(n, *(1,) * (len(shape) - 1 - d)))
    return waves


@functools.lru_cache(maxsize=16)
def _waves_torch(shape: tuple[int, ...], double: bool, place: Any) -> list[Array]:
    import torch

    with torch.inference_mode(False):  # an inference tensor could not serve a later backward pass
        return [torch.tensor(w, device=place) for w in _waves_numpy(shape, double)]
