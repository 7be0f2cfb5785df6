"""The l1 norm and its proximal map, soft thresholding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reconic._array import Array, array_namespace
from reconic.operator import static, system
from reconic.priors.base import Prior, abs2

__all__ = ["L1", "soft_threshold"]


@system
class L1(Prior):
    """Sum of magnitudes, g(x) = Σ|xᵢ|; its proximal map shortens each value by the step.

    Args:
        n_axes: Number of axes of one image.

    References:
        Parikh & Boyd, Found. Trends Optim. 1:127 (2014), Sec. 6.5.
    """

    n_axes: int = static(default=2)

    @property
    def n_core(self) -> int:
        return self.n_axes

    def _value(self, x: Array) -> Array:
        xp = array_namespace(x)
        return xp.sum(xp.abs(x), axis=tuple(range(-self.n_axes, 0)))

    def _prox(self, x: Array, step: Any) -> Array:
        return soft_threshold(x, step)


def soft_threshold(x: Array, threshold: Any, group: Sequence[int] = ()) -> Array:
    """Shorten each value, or each vector of values along `group`, by a threshold: x (1 - t/|x|)₊.

    Gradients are finite everywhere, also where x is zero.

    Args:
        x: Real or complex.
        threshold: Number, or real array that broadcasts against x.
        group: Axes along which |x| is the Euclidean norm; none for the magnitude of each value.
    """
    xp = array_namespace(x)
    power = abs2(x)
    if group:
        power = xp.sum(power, axis=tuple(group), keepdims=True)
    longer = power > threshold * threshold
    length = xp.sqrt(xp.where(longer, power, xp.ones_like(power)))
    return x * xp.where(longer, 1 - threshold / length, xp.zeros_like(power))
