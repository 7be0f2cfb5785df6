"""Held-out k-space: judges reconstructions of real measurements, of which no truth is known.

Some measured samples are kept from the reconstruction, which then has to predict them. A method
that overfits noise or invents structure predicts them badly.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from reconic.recons.base import Recon
from reconic.recons.splitting import Part, centre

__all__ = ["hold_out", "hold_out_spokes", "holdout_error", "minimise_over_lam"]

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
    sampled = np.asarray(mask) > 0
    outside = sampled.copy()
    outside[tuple(centre(n, n_calib) for n in mask.shape)] = False
    held = _drawn(outside, fraction, n_calib, seed)
    return (sampled & ~held).astype(np.float32), held.astype(np.float32)


def hold_out_spokes(
    traj: np.ndarray,
    shape: tuple[int, ...],
    fraction: float = 0.1,
    n_calib: int = 24,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Split a trajectory at random into kept and held spokes.

    Spokes, interleaves and the like are held as a whole if each of them passes the centre of
    k-space, so that others measure it too, and there are enough for the fraction. Otherwise it is
    samples outside the centre that are held.

    Args:
        traj: Trajectory in rad/voxel ([frame,] [spoke,] sample, n).
        shape: Shape of space along its axes (n).
        fraction: Fraction of the spokes, or samples, to hold.
        n_calib: Side of the centre, in samples of a Cartesian grid.
        seed: Seed of the choice.

    Returns:
        Weights `kept` and `held`, float32, `traj.shape[:-1]`, of which the sum is 1.

    Raises:
        ValueError: If `fraction` is not between 0 and 1, or no sample would be held.
    """
    edge = n_calib * np.pi / np.asarray(shape)
    central = np.all(np.abs(traj) < edge, axis=-1)
    spokes = central.any(axis=-1)
    if spokes.ndim and spokes.all() and round(fraction * spokes.size) > 0:
        held = np.broadcast_to(_drawn(spokes, fraction, n_calib, seed)[..., None], central.shape)
    else:
        held = _drawn(~central, fraction, n_calib, seed)
    return (~held).astype(np.float32), held.astype(np.float32)


def _drawn(candidates: np.ndarray, fraction: float, n_calib: int, seed: int) -> np.ndarray:
    """A fraction of the true elements, drawn at random."""
    if not 0 < fraction < 1:
        raise ValueError(
            f"hold_out: `fraction` must be between 0 and 1, got {fraction}. 0.1 is usual."
        )
    where = np.flatnonzero(candidates)
    n_held = round(fraction * where.size)
    if n_held == 0:
        raise ValueError(
            f"hold_out: `mask` must have samples outside the central {n_calib} of each axis to "
            f"hold {fraction:g} of them, got {where.size}. Give a smaller `n_calib`, hold a larger "
            "fraction, or none (0)."
        )
    held = np.zeros(candidates.shape, bool)
    held.flat[np.random.default_rng(seed).choice(where, n_held, replace=False)] = True
    return held


def holdout_error(recon: Recon, given: Part, wanted: Part) -> float:
    """Relative error ‖A x̂ - y‖₂ / ‖y‖₂ of the wanted samples, with x̂ from the given ones.

    Args:
        recon: Reconstruction to judge.
        given: Samples to reconstruct from.
        wanted: Samples to predict; see `splitting.restrict`.
    """
    with torch.no_grad():
        error = wanted.A(recon(*given)) - wanted.y
        return float((wanted.A.energy(error) / wanted.A.energy(wanted.y)).sqrt())


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
