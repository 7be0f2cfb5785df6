"""Held-out k-space: judges reconstructions of real measurements, of which no truth is known.

Some measured samples are kept from the reconstruction, which then has to predict them. A method
that overfits noise or invents structure predicts them badly.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from reconic.recons.base import Recon
from reconic.recons.cgsense import CGSense
from reconic.recons.splitting import centre
from reconic.systems import CartesianMRI

__all__ = ["best_lam_by_holdout", "hold_out", "holdout_error", "minimise_over_lam"]

_DECADES = 10


def hold_out(
    mask: np.ndarray, fraction: float = 0.1, n_calib: int = 24, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Split sampled positions outside the centre of k-space at random into kept and held ones.

    Args:
        mask: Sampling mask (*space), positive where sampled.
        fraction: Fraction of the samples outside the centre to hold.
        n_calib: Side of the centre, all of whose samples are kept.
        seed: Seed of the choice.

    Returns:
        Masks `kept` and `held`, float32 (*space), of which the sum is `mask` > 0.

    Raises:
        ValueError: If `fraction` is not between 0 and 1, or no sample would be held.
    """
    if not 0 < fraction < 1:
        raise ValueError(
            f"hold_out: `fraction` must be between 0 and 1, got {fraction}. 0.1 is usual."
        )
    sampled = np.asarray(mask) > 0
    outside = sampled.copy()
    outside[tuple(centre(n, n_calib) for n in mask.shape)] = False
    candidates = np.flatnonzero(outside)
    n_held = round(fraction * candidates.size)
    if n_held == 0:
        raise ValueError(
            f"hold_out: `mask` must have samples outside the central {n_calib} of each axis to "
            f"hold {fraction:g} of them, got {candidates.size}. Hold a larger fraction."
        )
    chosen = np.random.default_rng(seed).choice(candidates, n_held, replace=False)
    held = np.zeros(mask.shape, bool)
    held.flat[chosen] = True
    return (sampled & ~held).astype(np.float32), held.astype(np.float32)


def holdout_error(
    recon: Recon, y: Tensor, maps: Tensor, kept: Tensor, held: Tensor, n_space: int = 2
) -> float:
    """Relative error ‖M_h (A x̂ - y)‖₂ / ‖M_h y‖₂ of held-out samples, with x̂ from the kept ones.

    Args:
        recon: Reconstruction to judge.
        y: All measurements (batch, coil, *frames, *space).
        maps: Coil maps (batch, [set,] coil, *frames, *space).
        kept: Mask of the samples to reconstruct from (*frames, *space).
        held: Mask of the samples to predict.
        n_space: Number of spatial axes.
    """
    frames, sets = y.ndim - 2 - n_space, maps.ndim > y.ndim
    A = CartesianMRI(maps, kept, n_space, frames, sets)
    with torch.no_grad():
        x_hat = recon(y * kept, A)
        error = A.replace(mask=held)(x_hat) - y * held
        return float(torch.linalg.vector_norm(error) / torch.linalg.vector_norm(y * held))


def best_lam_by_holdout(
    y: Tensor, maps: Tensor, kept: Tensor, held: Tensor, n_space: int = 2
) -> tuple[float, float]:
    """λ of CG-SENSE that predicts held-out samples best, and its error; see `holdout_error`."""
    return minimise_over_lam(lambda lam: holdout_error(CGSense(lam), y, maps, kept, held, n_space))


def minimise_over_lam(
    cost: Callable[[float], float], start: float = 1e-2, factor: float = 10**0.125
) -> tuple[float, float]:
    """Minimise a function of λ > 0 by steps in log λ, a decade at first, halved at a minimum.

    Args:
        cost: Function to minimise, with one minimum in log λ.
        start: First λ.
        factor: Precision: the last steps are by this factor at most.

    Returns:
        The best λ and its cost; at most ten decades from the start.
    """
    costs: dict[float, float] = {}

    def at(e: float) -> float:
        if e not in costs:
            value = cost(start * 10.0**e)
            costs[e] = value if math.isfinite(value) else math.inf
        return costs[e]

    best, step = 0.0, 1.0
    while True:
        nearby = min((best, best - step, best + step), key=at)
        if nearby != best and abs(nearby) <= _DECADES:
            best = nearby
        elif 10.0**step > factor * (1 + 1e-9):
            step /= 2
        else:
            return start * 10.0**best, at(best)
