"""What a prior is: a functional with its value and its proximal map."""

from __future__ import annotations

from typing import Any

from reconic._array import Array, array_namespace, is_array
from reconic.operator import System

__all__ = ["Prior", "abs2", "part", "root"]


class Prior(System):
    """A convex functional g of images, g(x) ≥ 0, with its proximal map.

    An image is the last `n_core` axes of x; the axes before it are a batch, every image of which is
    treated on its own. Images are real or complex. A prior is a frozen dataclass like every System:
    its arrays may carry gradients, and to JAX it is a pytree.

    An author writes `n_core`, `_value` and `_prox`.

    References:
        Parikh & Boyd, Proximal Algorithms, Found. Trends Optim. 1:127 (2014), Eq. 1.1.
    """

    @property
    def n_core(self) -> int:
        """Number of axes of one image."""
        raise TypeError(f"{type(self).__name__}: `n_core` must be written, got none. Define it.")

    def __call__(self, x: Array) -> Array:
        """Value g(x), real (*batch), of images (*batch, *image)."""
        self._check(x)
        return self._value(x)

    def prox(self, x: Array, step: Any = 1.0) -> Array:
        """Proximal map, argmin_z step · g(z) + ½‖z - x‖².

        Args:
            x: Images (*batch, *image).
            step: Weight of g, not negative: a number, or a real array that broadcasts against x.

        Returns:
            Images of the shape and dtype of x.

        Raises:
            TypeError: If x is not a floating array.
            ValueError: If x has too few axes.
        """
        self._check(x)
        return self._prox(x, step)

    def _value(self, x: Array) -> Array:  # noqa: ARG002
        raise TypeError(f"{type(self).__name__}: `_value` must be written, got none. Define it.")

    def _prox(self, x: Array, step: Any) -> Array:  # noqa: ARG002
        raise TypeError(f"{type(self).__name__}: `_prox` must be written, got none. Define it.")

    def _check(self, x: Array) -> None:
        where = f"{type(self).__name__}(x)"
        if not is_array(x):
            raise TypeError(
                f"{where}: `x` must be an array, got {type(x).__name__}. "
                "Pass a NumPy, torch or JAX array."
            )
        kinds = ("real floating", "complex floating")
        if not array_namespace(x).isdtype(x.dtype, kinds):
            raise TypeError(f"{where}: `x` must be floating, got {x.dtype}. Cast it.")
        if x.ndim < self.n_core:
            raise ValueError(
                f"{where}: `x` must have {self.n_core} axes at least, got shape {tuple(x.shape)}. "
                "Set the prior's number of axes to that of the images."
            )


def abs2(x: Array) -> Array:
    """Squared magnitude, real."""
    xp = array_namespace(x)
    if not xp.isdtype(x.dtype, "complex floating"):
        return x * x
    return xp.real(x) ** 2 + xp.imag(x) ** 2


def root(power: Array) -> Array:
    """Square root of what is not negative; its slope at zero is zero instead of infinite."""
    xp = array_namespace(power)
    positive = power > 0
    found = xp.sqrt(xp.where(positive, power, xp.ones_like(power)))
    return xp.where(positive, found, xp.zeros_like(power))


def part(x: Array, axis: int, start: int, stop: int | None, step: int = 1) -> Array:
    """Slice of `x` along one axis, counted from the end."""
    return x[(..., slice(start, stop, step), *(slice(None),) * (-axis - 1))]
