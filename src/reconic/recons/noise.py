"""Noise level of measurements."""

from __future__ import annotations

import torch
from torch import Tensor

from reconic.calibrate import noise_std
from reconic.operator import LinearSystem

__all__ = ["noise_level"]


def noise_level(y: Tensor, A: LinearSystem, sigma: float | None, n_space: int = 2) -> Tensor:
    """Standard deviation (batch) of the complex noise of acquired data, given or estimated.

    That of a measurement is this times `A.sampling(y)`.

    Args:
        y: Measurements (batch, *A.out_shape).
        A: Their system.
        sigma: The level, E|noise|² = σ², in the units of acquired data; None estimates it for each
            sample from outer k-space, see `reconic.calibrate.noise_std`.
        n_space: Number of space axes.
    """
    if sigma is not None:
        return y.real.new_full((len(y),), sigma)
    weights = A.sampling(y)
    acquired = y.detach() / torch.where(weights > 0, weights, 1.0)
    return noise_std(acquired, len(A.out_shape), n_space, radius=A.radius(y))
