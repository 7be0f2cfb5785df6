"""Smooth random image phase."""

from __future__ import annotations

import numpy as np

from reconic._array import Array
from reconic.simulate.fields import smooth_field

_N_LUMPS = 3  # at most; air cavities that a slice crosses


def random_phase(
    shape: tuple[int, ...],
    rng: np.random.Generator,
    linear: float = 12.0,
    smooth: float = 1.5,
    p_local: float = 0.3,
) -> Array:
    """Draw the phase of an image: a constant, a ramp, a smooth field and sometimes sharp spots.

    The ramp stands for an echo that is off the centre of k-space, the smooth field for the coils
    and the main field, the spots for susceptibility near air. The strength of each is drawn anew,
    so nearly flat phase occurs as well as several turns.

    Args:
        shape: Shape of the image, two or three axes.
        rng: Source of randomness.
        linear: Largest slope of the ramp along an axis, in radians across the image.
        smooth: Largest standard deviation of the smooth field, in radians.
        p_local: Probability of spots of sharper phase.

    Returns:
        Complex64 array of unit magnitude, ``exp(i phase)``.
    """
    phase = np.full(shape, rng.uniform(-np.pi, np.pi))
    strength = rng.uniform()
    axes = [np.linspace(-0.5, 0.5, n) for n in shape]
    for grid in np.meshgrid(*axes, indexing="ij"):
        phase += strength * linear * rng.uniform(-1, 1) * grid
        phase += strength * linear * rng.uniform(-1, 1) * grid**2
    phase += smooth * rng.uniform() * smooth_field(shape, rng, cutoff=rng.uniform(1, 4))
    if rng.uniform() < p_local:
        phase += _lumps(shape, rng)
    return np.exp(1j * phase).astype(np.complex64)


def _lumps(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Sum a few Gaussian bumps of up to one turn, a few per cent to a tenth of the image wide."""
    phase = np.zeros(shape)
    grids = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    for _ in range(rng.integers(1, _N_LUMPS + 1)):
        centre = [rng.uniform(0.15, 0.85) * n for n in shape]
        width = rng.uniform(0.02, 0.1) * max(shape)
        distance = sum((g - c) ** 2 for g, c in zip(grids, centre, strict=True))
        phase += rng.uniform(-2 * np.pi, 2 * np.pi) * np.exp(-0.5 * distance / width**2)
    return phase
