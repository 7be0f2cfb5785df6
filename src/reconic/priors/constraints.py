"""Constraints: functionals that are zero on a convex set and infinite elsewhere."""

from __future__ import annotations

from typing import Any

from reconic._array import Array, array_namespace, eps
from reconic.operator import static, system
from reconic.priors.base import Prior, abs2, root

__all__ = ["L2Ball", "NonNegative"]


@system
class L2Ball(Prior):
    """Ball ‖x - c‖₂ ≤ r; the proximal map is the projection on it, whatever the step.

    Args:
        radius: Radius r, not negative: a number, or a real array (*batch).
        center: Centre c: a number, or an array that broadcasts against x.
        n_axes: Number of axes of one image.

    References:
        Parikh & Boyd, Found. Trends Optim. 1:127 (2014), Sec. 6.5.
    """

    radius: Any
    center: Any = 0.0
    n_axes: int = static(default=2)

    @property
    def n_core(self) -> int:
        return self.n_axes

    def _value(self, x: Array) -> Array:
        xp = array_namespace(x)
        distance = xp.squeeze(self._distance(x), axis=self._axes)
        slack = 1 + 10 * eps(x)  # what projecting rounds
        return _indicator(distance <= self.radius * slack, distance)

    def _prox(self, x: Array, step: Any) -> Array:  # noqa: ARG002
        xp = array_namespace(x)
        distance = self._distance(x)
        radius = self.radius * xp.ones_like(xp.squeeze(distance, axis=self._axes))
        radius = radius[(..., *(None,) * self.n_axes)]  # (*batch, 1, …, 1)
        outside = distance > radius
        ratio = radius / xp.where(outside, distance, xp.ones_like(distance))
        return self.center + (x - self.center) * xp.where(outside, ratio, xp.ones_like(distance))

    @property
    def _axes(self) -> tuple[int, ...]:
        return tuple(range(-self.n_axes, 0))

    def _distance(self, x: Array) -> Array:
        xp = array_namespace(x)
        return root(xp.sum(abs2(x - self.center), axis=self._axes, keepdims=True))


@system
class NonNegative(Prior):
    """Images that are real and not negative; the proximal map is max(Re x, 0), whatever the step.

    Args:
        n_axes: Number of axes of one image.
    """

    n_axes: int = static(default=2)

    @property
    def n_core(self) -> int:
        return self.n_axes

    def _value(self, x: Array) -> Array:
        xp = array_namespace(x)
        axes = tuple(range(-self.n_axes, 0))
        violation = xp.sum(abs2(x - self._prox(x, 1.0)), axis=axes)
        return _indicator(violation == 0, violation)

    def _prox(self, x: Array, step: Any) -> Array:  # noqa: ARG002
        xp = array_namespace(x)
        is_complex = xp.isdtype(x.dtype, "complex floating")
        real = xp.real(x) if is_complex else x
        clipped = xp.where(real > 0, real, xp.zeros_like(real))
        return xp.astype(clipped, x.dtype)


def _indicator(inside: Array, like: Array) -> Array:
    xp = array_namespace(like)
    return xp.where(inside, xp.zeros_like(like), xp.full_like(like, xp.inf))
