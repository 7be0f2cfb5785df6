"""Random splits of the measurements of any system, to learn from one part how to predict another.

Nothing here knows of k-space: a split has the shape of `A.sampling(y)`, so coils that share a mask
share its split, and lines that are measured as a whole stay whole.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from reconic.operator import LinearSystem, System
from reconic.recons.draws import uniform

__all__ = ["Part", "centre", "mixed_misfit", "restrict", "split"]


class Part(NamedTuple):
    """Some of the measurements, and the system that measures them alone.

    Attributes:
        y: Measurements (batch, *A.out_shape), zero where they are left out.
        A: Forward model of the others.
    """

    y: Tensor
    A: LinearSystem


def restrict(y: Tensor, A: LinearSystem, weights: Tensor) -> Part:
    """Measurements and system times real weights that broadcast against `y`; zeros leave out."""
    return Part(y * weights, A.masked(weights))


def split(
    y: Tensor,
    A: LinearSystem,
    fraction: float,
    n_calib: int = 0,
    n_space: int = 2,
    generator: torch.Generator | None = None,
    n_whole: int = 0,
) -> tuple[Tensor, Tensor]:
    """Draw the samples to hold out, all with the same probability, and keep the others.

    Args:
        y: Measurements (batch, *A.out_shape).
        A: Forward model.
        fraction: Probability of a sample to be held out.
        n_calib: Side of the centre that is always kept, in samples: what `A.radius` has within
            half of it, or else of the last `n_space` axes, where axes of which the sampling does
            not depend have no centre.
        n_space: Number of space axes.
        generator: Source of randomness, on the CPU; None takes torch's global one.
        n_whole: Number of the last axes whose samples, the centre aside, are held out or kept
            together: 1 for whole spokes (spoke, readout).

    Returns:
        Weights `kept` and `held`, 0 or 1, that broadcast against y, one split for each sample of
        the batch; their sum is 1 where something was measured.

    Raises:
        ValueError: If `fraction` is not between 0 and 1, or `n_calib` is negative.
    """
    if not 0 < fraction < 1 or n_calib < 0:
        raise ValueError(
            "split: `fraction` must be between 0 and 1 and `n_calib` not negative, got "
            f"{fraction} and {n_calib}. 0.1 and 4 are usual."
        )
    sampled = (A.sampling(y) > 0).to(y.real.dtype)
    core = tuple(sampled.shape[-len(A.out_shape) :])
    shape = (len(y), *(core if max(core) > 1 else A.out_shape))
    drawn = (*shape[: len(shape) - n_whole], *(1,) * n_whole)
    held = (uniform(drawn, generator=generator) < fraction).expand(shape).to(sampled)
    radius = A.radius(y)
    if radius is None:
        held[(..., *(centre(n, n_calib) for n in shape[-n_space:]))] = 0
    else:
        held = held * (radius > n_calib / 2)
    return sampled * (1 - held), sampled * held


def centre(n: int, n_calib: int) -> slice:
    """Central samples of an axis of length n, its origin at n//2."""
    first = max(n // 2 - n_calib // 2, 0)
    return slice(first, first + n_calib)


def mixed_misfit(x_hat: Tensor, y: Tensor, A: System) -> Tensor:
    """Misfit ‖Ax̂ - y‖₂ / ‖y‖₂ + ‖Ax̂ - y‖₁ / ‖y‖₁ of each sample (batch).

    Where y is zero the misfit is absolute. The gradient is finite everywhere.

    References:
        Yaman et al., MRM 84:3172 (2020), "normalized ℓ1-ℓ2 loss".
    """
    error, reference = (A(x_hat) - y).flatten(1), y.flatten(1)
    terms = []
    for order in (1, 2):
        norm = torch.linalg.vector_norm(reference, order, dim=1)
        scale = torch.where(norm > 0, norm, torch.ones_like(norm))
        terms.append(torch.linalg.vector_norm(error, order, dim=1) / scale)
    return terms[0] + terms[1]
