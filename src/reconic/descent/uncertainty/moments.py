"""Mean and variance of many arrays, one at a time, in the memory of two."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reconic._array import Array
from reconic.descent.data_terms import abs2
from reconic.descent.rules import Arrays

__all__ = ["Moments", "add", "mean_and_std", "pooled", "r_hat", "start"]


class Moments(NamedTuple):
    """Weighted moments of what was added.

    Attributes:
        weight: Sum of the weights.
        weight2: Sum of their squares.
        mean: Weighted mean of each array.
        power: Weighted sum of the squared distances |x - mean|² of each array, real.
    """

    weight: Array
    weight2: Array
    mean: list[Array]
    power: list[Array]


def start(arrays: Arrays) -> Moments:
    """Moments of nothing yet, for arrays of these shapes; single precision at least."""
    mean = [jnp.zeros(a.shape, jnp.result_type(a.dtype, jnp.float32)) for a in arrays]
    zero = jnp.zeros((), jnp.float32)
    return Moments(zero, zero, mean, [jnp.zeros_like(m.real) for m in mean])


def add(moments: Moments, arrays: Arrays, weight: Array) -> Moments:
    """Moments with one more of each array; a weight of zero changes nothing.

    References:
        West, Commun. ACM 22:532 (1979), which is Welford's recurrence with weights.
    """
    total = moments.weight + weight
    share = weight / jnp.where(total > 0, total, 1)
    mean, power = [], []
    for x, m, p in zip(arrays, moments.mean, moments.power, strict=True):
        gap = x - m
        new = m + share.astype(m.real.dtype) * gap
        mean.append(jnp.where(weight > 0, new, m))
        more = weight.astype(p.dtype) * (jnp.conj(gap) * (x - new)).real
        power.append(jnp.where(weight > 0, p + more, p))
    return Moments(total, moments.weight2 + weight**2, mean, power)


def pooled(moments: Moments) -> Moments:
    """Moments of all from those of several, along the leading axis."""
    weight = jnp.sum(moments.weight)
    shares = moments.weight / weight
    mean = [jnp.tensordot(shares.astype(m.real.dtype), m, 1) for m in moments.mean]
    power = [
        jnp.sum(p, 0) + jnp.tensordot(moments.weight.astype(p.dtype), abs2(m - whole), 1)
        for m, p, whole in zip(moments.mean, moments.power, mean, strict=True)
    ]
    return Moments(weight, jnp.sum(moments.weight2), mean, power)


def mean_and_std(moments: Moments) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Mean and standard deviation (E|x - mean|²)^½ of each array, unbiased for equal weights."""
    freedom = moments.weight - moments.weight2 / moments.weight
    std = [jnp.sqrt(p / freedom.astype(p.dtype)) for p in moments.power]
    return jax.tree.map(np.asarray, (moments.mean, std))


def r_hat(moments: Moments) -> list[np.ndarray]:
    """How much wider all chains together are than each; 1 where they agree.

    Args:
        moments: Of each chain, along the leading axis.

    References:
        Gelman & Rubin, Stat. Sci. 7:457 (1992); as the ratio (var⁺/W)^½ of their successors.
    """
    n = jnp.mean(moments.weight**2 / moments.weight2)
    found = []
    for m, p in zip(moments.mean, moments.power, strict=True):
        shape = (-1, *(1,) * (p.ndim - 1))
        freedom = (moments.weight - moments.weight2 / moments.weight).reshape(shape)
        within = jnp.mean(p / freedom.astype(p.dtype), 0)
        between = jnp.sum(abs2(m - jnp.mean(m, 0)), 0) / (len(m) - 1)
        moving = within > 0  # what is frozen agrees
        ratio = ((n - 1) / n).astype(p.dtype) + between / jnp.where(moving, within, 1)
        found.append(np.asarray(jnp.where(moving, jnp.sqrt(ratio), 1)))
    return found
