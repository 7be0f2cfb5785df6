"""Cycle spinning: a prior on shifted grids, averaged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reconic._array import Array, array_namespace
from reconic.operator import static, system
from reconic.priors.base import Prior

__all__ = ["CycleSpin"]


@system
class CycleSpin(Prior):
    """Mean of a prior over shifts of the image, which removes the imprint of its grid.

    For wavelets and patches, whose grid would show. The value is the mean over the shifts, and
    `prox` the mean of the shifted proximal maps: not exactly the proximal map of the value, but
    near it for small steps, and without artefacts where edges cross the grid.

    Args:
        prior: Prior that depends on a grid.
        n_shifts: Number of shifts; shift s moves the image by s samples along every axis of space.
        n_space: Number of spatial axes.

    References:
        Coifman & Donoho, Translation-invariant de-noising (1995), Sec. 2.
        Kamilov et al., IEEE Signal Process. Lett. 21:1326 (2014) (why averaging converges).
    """

    prior: Prior
    n_shifts: int = static(default=4)
    n_space: int = static(default=2)

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.n_shifts < 1:
            raise ValueError(
                f"CycleSpin: `n_shifts` must be at least 1, got {self.n_shifts}. 4 is usual."
            )

    @property
    def n_core(self) -> int:
        return self.prior.n_core

    def _value(self, x: Array) -> Array:
        return self._mean(lambda s: self.prior._value(self._roll(x, s)))

    def _prox(self, x: Array, step: Any) -> Array:
        return self._mean(lambda s: self._roll(self.prior._prox(self._roll(x, s), step), -s))

    def _mean(self, of: Callable[[int], Array]) -> Array:
        return sum(of(s) for s in range(self.n_shifts)) / self.n_shifts

    def _roll(self, x: Array, shift: int) -> Array:
        axes = tuple(range(-self.n_space, 0))
        return array_namespace(x).roll(x, (shift,) * self.n_space, axis=axes) if shift else x
